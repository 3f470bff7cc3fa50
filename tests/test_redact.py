"""Secrets go, everything else stays: in text, in JSON, in JSON within JSON."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from srelab_lib.redact import redact_json, redact_text
from srelab_lib.redact.words import is_secret_key

# What is planted; no result may hold it.
SECRET = "hunter2"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJlaHVudGVyMg"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEhunter2AAAA\nBBBBhunter2CC==\n-----END RSA PRIVATE KEY-----"

SECRETS = [
    "password=hunter2",
    "db password: hunter2 ok",
    "PASSWORD: hunter2",
    '{"password":"hunter2"}',
    '{"password": "hunter2", "user": "bob"}',
    r'{"a":"{\"password\":\"hunter2\"}"}',
    r'{\"a\":\"{\\\"password\\\":\\\"hunter2\\\"}\"}',
    r'"password": "ab\"hunter2"',
    "{'password': 'hunter2'}",
    "config['password'] = 'hunter2'",
    "--password hunter2 --verbose",
    "--token=hunter2",
    '["--password","hunter2"]',
    "args:\n- --password\n- hunter2\n",
    "?token=hunter2&x=1",
    "Server=x;Password=hunter2;User=y",
    "host=db user=bob password=hunter2 dbname=shop",
    "map[password:hunter2 user:bob]",
    "DB_PASS=hunter2",
    "MYSQL_ROOT_PASSWORD: hunter2",
    "PGPASSWORD=hunter2 psql",
    "aws_secret_access_key = hunter2/abc+x",
    "X-Api-Key: hunter2",
    "AccountKey=hunter2==;Endpoint=x",
    "Cookie: session=hunter2; b=hunter2",
    "Authorization: Bearer hunter2abc",
    "curl -H 'Authorization: Basic hunter2aHVudGVyMg=='",
    "curl -u admin:hunter2 http://x",
    "mariadb -hdb -ucatalog -phunter2 catalog",
    "mysqldump -u root -p'hunter2' db",
    '["mysql", "-uroot", "-phunter2"]',
    "redis-cli -h cache -a hunter2 ping",
    '["redis-cli", "--pass", "hunter2"]',
    "mongosh -u admin -p hunter2",
    "sshpass -p hunter2 ssh x",
    "curl -sSu 'bob:a,hunter2' http://x",
    "mysql -uroot -p'a,hunter2 b' db",
    "command:\n- mysqladmin\nargs:\n- -uroot\n- -phunter2\n- ping\n",
    "-        - -uroot\n-        - -phunter2\n+        - -phunter2x\n         image: mysql:8\n",
    "  - --password\n-  - hunter2\n+  - hunter2x\n",
    "+  - redis-cli\n+  - -a\n+  - \"hunter2 x\"\n",
    "command: [mysqladmin]\nargs: [ping, -phunter2]",
    "docker login -u admin -p hunter2 x",
    "got header bearer hunter2hunter2",
    "postgres://u:hunter2@db:5432/x",
    "postgres://u:hunter2@2@db:5432/x",
    "redis://:hunter2@cache:6379/0",
    "user:hunter2@tcp(db:3306)/x",
    "amqp at bob:hunter2@mq:5672",
    "https://hunter2hunter2hunter2hunter2@github.com/x",
    "ALTER USER x WITH PASSWORD 'hunter2'",
    "CREATE USER x IDENTIFIED BY 'hunter2'",
    "requirepass hunter2",
    "machine x login y password hunter2",
    "<password>hunter2</password>",
    '"passwords": ["hunter2", "hunter2b"]',
    "password: |\n  hunter2\n  hunter2b\nother: 1",
    "+  password: hunter2\n-  password: hunter2x",
    "  password: correct horse hunter2 staple\n",
    "- name: DB_PASSWORD\n  value: hunter2\n",
    "   - name: DB_PASSWORD\n-    value: hunter2\n+    value: hunter2x\n",
    "{Name:DB_PASSWORD Value:hunter2 ValueFrom:nil}",
    '{"name":"DB_PASSWORD","value":"hunter2"}',
    r'{\"name\":\"DB_PASSWORD\",\"value\":\"hunter2\"}',
    "kind: Secret\nmetadata:\n  name: x\ndata:\n  conf: hunter2\n  b: |\n    hunter2\ntype: Opaque",
    "diff --git a/secret.yml b/secret.yml\n@@ -1,4 +1,4 @@ stringData:\n   conf: x\n-  url: hunter2\n+  url: hunter2b",
    "token: hunter2",
    "access token: hunter2 rejected",
    "db password: HUNTER_hunter2",
    "token: 'hunter2'",
    "auth token: hunter2Error",
    "POST https://api.telegram.org/bot123456:hunter2AAAAAAAAAAAAAAAAAAAA/send 502",
    "[('x-api-key', 'hunter2'), ('accept', '*/*')]",
    "(b'authorization', b'hunter2')",
    'Config { user: "b", password: Some("hunter2"), port: 1 }',
    "Config(password=SecretStr('hunter2'))",
    "login failed, the password is hunter2.",
    "the token was 'hunter2Abc'",
    "JSESSIONID=hunter2 expired",
    "sessionid=hunter2&x=1",
    "Set-Cookie: connect.sid=s%3Ahunter2; Path=/",
    "mongodb+srv://app:ab/hunter2@c0.mongodb.net/x",
    "postgres://app:x#/hunter2@db:5432/x",
    "https://Xhunter2@github.com/x.git",
    "IDENTIFIED WITH mysql_native_password BY 'hunter2'",
    "IDENTIFIED BY 'a''hunter2'",
    'identified as "hunter2"',
    "keytool -storepass hunter2 -keypass hunter2x",
    "password=a;hunter2 x",
    "?password=a&hunter2&x=1",
    "pw=hunter2 x",
    '{"pw": "hunter2"}',
    "  user bob insecure-password hunter2",
    "user default on >hunter2 ~* +@all",
    "ACL SETUSER bob on ~* +@all >hunter2",
    "CONFIG SET requirepass hunter2",
    "proxy_set_header X-Api-Key hunter2;",
    'proxy_set_header Authorization "Bearer hunter2";',
    "machine x\nlogin bob\npassword hunter2",
    "+machine x\n+  login bob\n+  password hunter2",
    KEY,
    KEY.replace("MIIE", "MIIE" * 400),
    "key | " + KEY.replace("\n", "\n    | "),
    KEY.replace("\n", "\\n"),
    "\n".join(f"2026-01-01T00:00:0{i}.123456789Z {line}" for i, line in enumerate(KEY.split("\n"))),
    "\n".join("+" + line for line in KEY.split("\n")),
    KEY.rpartition("\n")[0],
    KEY.partition("\n")[2],
    f"token is {JWT} today",
]  # fmt: skip

BY_SHAPE = [
    JWT,
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_" + "a1B2" * 9,
    "github_pat_" + "a1B2" * 9,
    "glpat-" + "a1B2c3D4e5F6g7H8i9J0",
    "xoxb-" + "123456789012-abcdefABCDEF",
    "sk-" + "proj-a1B2c3D4e5F6g7H8",
    "AIza" + "a1B2c3D4" * 5,
    "npm_" + "a1B2" * 9,
    "hvs." + "a1B2" * 9,
    "$2b$12$" + "a" * 53,
    "sk-" + "0123456789abcdef" * 2,
    "sk-or-v1-" + "0123456789abcdef" * 4,
    "xapp-1-" + "A0123456789-1234567890123-" + "0a" * 32,
    "pypi-" + "AgEIcHlwaS5vcmcCJGE1ZTc4",
    "glrt-" + "a1b2c3d4e5f6a7b8c9d0",
]

ORDINARY = [
    'MountVolume.SetUp failed for volume "db-password" : secret "db-password" not found',
    'secret "db" not found',
    "couldn't find key password in Secret ns/db",
    "Error: couldn't find key DB_PASSWORD in Secret default/db",
    "references non-existent secret key: password",
    "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.",
    'secrets "db" is forbidden: User "system:serviceaccount:a:b" cannot get resource "secrets" in API group ""',
    "secretName: db",
    "tokenExpirationSeconds: 3607",
    "automountServiceAccountToken: false",
    "secretKeyRef:\n  name: db\n  key: password",
    "imagePullSecrets:\n- name: regcred",
    "existingSecret: db-creds",
    'pod="default/web" secret="default/db"',
    "apiVersion: rbac.authorization.k8s.io/v1",
    "nginx:1.22@sha256:" + "a1" * 32,
    "docker-pullable://nginx-longer-name-than-that@sha256:" + "a1" * 32,
    "commit 3f2a9c1d2e4b5a6c7d8e9f0a1b2c3d4e5f6a7b8c",
    "http://web:8080/x@y and http://[::1]:8080/x@y, https://${HOST}:${PORT}/x@y",
    "ssh://git@github.com and https://user1@example.com",
    "proxy_set_header X-Request-Id $request_id; proxy_set_header Cookie $http_cookie;",
    "the password is required, the token is not valid, the secret was deleted",
    "user bob > 5 others on > 3 hosts",
    "PASSWORD=$PW;exec app",
    "missing ['password', 'username']",
    "identified by its name",
    'failed to fetch token: serviceaccounts "default" is forbidden',
    "exception in POST /pass: requests.exceptions.ConnectionError HTTPConnectionPool(host='x')",
    "exception in POST /pass: ConnectionError HTTPConnectionPool(host='x')",
    "auth: OAuthServiceUnavailable",
    "token: JWKS_UNREACHABLE",
    "ERROR auth: LDAP_TIMEOUT 30s",
    "access token: ECONNREFUSED",
    "refresh token: TokenExpired, log in again",
    "validating token: introspection endpoint returned 503",
    "Unexpected token: identifier",
    "pod sk-checkout-api-europe-7d9f8b6c5-x2x7k of sk-checkout-api-europe-7d9f8b6c5",
    'pods "xapp-frontend-0" not found, xapp-frontend.shop.svc:8080',
    "job pypi-mirror-europe-29312345-x2x7k and pypi-mirror-europe-backup/pypi-mirror-europe",
    "glagent-frontend-service-v2 restarted",
    "uid 6f1c7f0e-30a1-4c7e-9a57-0d2b1d8f5a11 of web-7d9f8b6c5-x2x7k",
    "failed to get token: cannot connect to host",
    "token: oauth2: cannot fetch token: 401",
    'token: Get "https://x": dial tcp',
    "Invalid token: expired",
    "secret: not found",
    "Secret: key not found",
    "Basic authentication failed",
    "bearer token is invalid",
    'WWW-Authenticate: Bearer error_description="x"',
    "prompt_tokens=100 max_tokens: 4096 token=5",
    "key: value, primary key: id",
    'password authentication failed for user "bob"',
    "missing environment variable DB_PASSWORD",
    "KeyError: 'DB_PASSWORD'",
    "DB_PASSWORD: not set",
    "--token flag is required",
    "mysql -port 3306 -pid /x",
    "Password: ",
    "password=${DB_PASSWORD} password: $(cat x) password={{ .Values.password }}",
    "SECRET_NAME=db PASSWORD_FILE=/run/secrets/x PWD=/app",
    "http://a.b:9090/x@y",
    "tests pass: 3",
    "password: <set to the key 'password' in secret 'db'>",
    "mail to:bob@example.com was sent",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secret_goes(text: str) -> None:
    clean = redact_text(text)
    assert SECRET not in clean
    assert "<secret:" in clean
    assert redact_text(clean) == clean


@pytest.mark.parametrize(
    "words",
    [
        ["mysql", "-uroot", "-phunter2", "db"],
        ["mysqladmin", "ping", "-phunter2, with a blank"],
        ["redis-cli", "-a", "hunter2", "ping"],
        ["curl", "-u", "bob:hunter2", "http://x"],
        ["curl", "--user=bob:hunter2"],
        ["sshpass", "-phunter2", "ssh", "x"],
        ["app", "--password", "hunter2"],
        ["app", "--password=a;hunter2"],
        ["sh", "-c", "exec mysqld & mysqladmin -phunter2 ping"],
        ["--port", 80, "--password", "hunter2"],
    ],
)
def test_a_list_of_words_is_a_command_line(words: list[Any]) -> None:
    probe = {"livenessProbe": {"exec": {"command": words}}, "lifecycle": {"preStop": {"exec": {"command": words}}}}
    split = {"image": "app:1", "command": words[:1], "args": words[1:]}
    for value in (words, probe, split):
        clean = redact_json(value)
        assert SECRET not in json.dumps(clean)
        assert redact_json(clean) == clean
    assert [type(word) for word in redact_json(words)] == [type(word) for word in words]


def test_arguments_alone_are_judged_by_the_image() -> None:
    container = {"image": "mariadb:11", "args": ["-uroot", "-phunter2"]}
    assert redact_json(container)["args"][1].startswith("-p<secret:")


@pytest.mark.parametrize(
    "words",
    [
        ["psql", "-p", "5432"],
        ["mysql", "-port", "3306", "-pid-file=/x"],
        ["python", "-u", "/srv/x.py", "-path", "/x"],
        ["app", "--password", "--port", "80"],
        ["app", "--password-file", "/run/secrets/x", "--token-ttl=5m", "--auth-mode=basic"],
        ["mysql", "-p"],
        ["curl", "-u"],
    ],
)
def test_ordinary_words_stay(words: list[str]) -> None:
    assert redact_json(words) == words
    assert redact_text("".join(f"- {word}\n" for word in words)) == "".join(f"- {word}\n" for word in words)


@pytest.mark.parametrize(
    "text",
    [
        "password: mariposa",
        "db password: mariposa x",
        "DB_PASSWORD: MARIPOSA_BLANCA",
        "client secret: mariposa",
        "token: mariposa",
        "  token: mariposa  # of the API",
        "token:mariposa",
        "token=mariposa",
        "token='mariposa'",
        "access token: mariposaBlanca",
        "access token: mari=posa",
        "user: bob, token: mariposa, port: 80",
        "user: bob token: mariposa port: 80",
        "> X-Auth-Token: mariposa",
        "set API_TOKEN: mariposa",
        "token: MARIPOSA_BLANCA y2 mariposa",
        "password: MariposaError",
    ],
)
def test_a_plain_word_where_people_choose_one_is_a_secret(text: str) -> None:
    clean = redact_text(text).lower()
    assert "mari" not in clean
    assert redact_text(clean) == clean


@pytest.mark.parametrize("secret", BY_SHAPE)
def test_shape_goes(secret: str) -> None:
    assert secret not in redact_text(f"using {secret}, as configured")


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text: str) -> None:
    assert redact_text(text) == text


def test_a_line_keeps_what_stands_beside_the_secret() -> None:
    clean = redact_text("2026-01-01T00:00:00Z level=error password=hunter2 user=bob failed after 3 tries")
    assert clean.startswith("2026-01-01T00:00:00Z level=error password=<secret:")
    assert clean.endswith("> user=bob failed after 3 tries")


def test_the_same_secret_has_the_same_placeholder() -> None:
    one, other = redact_text("password=hunter2"), redact_text('{"password":"hunter2"}')
    assert one.partition("<")[2][:11] == other.partition("<")[2][:11]
    assert redact_text("password=hunter2") != redact_text("password=hunter3")


def test_a_log_keeps_the_lines_between_the_lines_of_a_key() -> None:
    text = KEY.replace("\nBBBB", "\nGET /healthz 200 in 3 ms\nBBBB")
    assert "GET /healthz 200 in 3 ms" in redact_text(text)


LEVELS = "INFO {}", "I0101 00:00:00.100000       1 main.go:10] {}", "[app] {} ", "> {}", "    | {}"
QUOTED = '{{"level":"error","msg":"{}","at":1}}', '  "{}",', "'{}\\n' +", '"{}\\n"', "key {}\r"


@pytest.mark.parametrize("around", [*LEVELS, *QUOTED])
@pytest.mark.parametrize("clock", ["", "2026-01-01T00:00:0{}.123456789Z "])
@pytest.mark.parametrize("cut", ["whole", "no end", "no begin"])
def test_a_key_over_lines_with_something_around_each(around: str, clock: str, cut: str) -> None:
    parts = [*KEY.split("\n")[:2], "GET /healthz 200 in 3 ms", *KEY.split("\n")[2:]]
    parts = {"whole": parts, "no end": parts[:-1], "no begin": parts[1:2] + parts[3:]}[cut]
    lines = [clock.format(at) + around.format(part) for at, part in enumerate(parts)]
    text = "\n".join([*lines, around.format("GET /after 200 in 3 ms")])
    clean = redact_text(text)
    assert SECRET not in clean
    assert [len(line.split("GET")) for line in clean.split("\n")] == [len(x.split("GET")) for x in text.split("\n")]
    assert clean.endswith(around.format("GET /after 200 in 3 ms"))
    assert redact_text(clean) == clean


def test_a_key_as_a_list_of_its_lines() -> None:
    assert SECRET not in json.dumps(redact_json({"pem": KEY.split("\n")}))


def test_a_key_under_a_prefix_that_changes() -> None:
    line = "abcdefghijkLMNOPQRSTUVWXYZ0123456789+/" * 2
    text = f"a1 {KEY.splitlines()[0]}\nb2 {line}64==\nc3 {KEY.splitlines()[-1]}"
    assert line[:64] not in redact_text(text)


@pytest.mark.parametrize(
    "key",
    [
        "DB_PASSWORD",
        "apiKey",
        "client-secret",
        "AWS_SECRET_ACCESS_KEY",
        "tls.key",
        "example.com/api-token",
        "DB_PASSWORD2",
        "STRIPE_KEY",
    ],
)
def test_name_of_a_secret(key: str) -> None:
    assert is_secret_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "secretName", "secretKeyRef",
        "imagePullSecrets", "tokenExpirationSeconds", "max_tokens", "password_file", "key",
        "ROUTING_KEY", "SORT_KEY", "feed_key", "KEY",
        "PASSWORD_MIN_LENGTH", "passed", "compass", "monkey", "author", "tokenizer", "rbac.authorization.k8s.io", "",
    ],
)  # fmt: skip
def test_name_of_something_else(key: str) -> None:
    assert not is_secret_key(key)


POD: dict[str, Any] = {
    "kind": "Pod",
    "metadata": {
        "name": "web-7d9f8b6c5-x2x7k",
        "uid": "6f1c7f0e-30a1-4c7e-9a57-0d2b1d8f5a11",
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps(
                {"kind": "Pod", "spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}]}},
                separators=(",", ":"),
            )
            + "\n",
            "example.com/api-token": "hunter2",
        },
    },
    "spec": {
        "automountServiceAccountToken": True,
        "imagePullSecrets": [{"name": "regcred"}],
        "containers": [
            {
                "image": "nginx:1.22@sha256:" + "a1" * 32,
                "command": ["app", "--password", "hunter2", "--port", "80"],
                "args": ["--token=hunter2"],
                "env": [
                    {"name": "DB_PASSWORD", "value": "hunter2"},
                    {"name": "DB_URL", "value": "postgres://u:hunter2@db:5432/x"},
                    {"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "password"}}},
                    {"name": "PORT", "value": "8080"},
                ],
                "livenessProbe": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": "Bearer hunter2"}]}},
            }
        ],
        "volumes": [
            {"name": "db", "secret": {"secretName": "db", "items": [{"key": "password", "path": "db/password"}]}},
            {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        ],
    },
}  # fmt: skip


def test_object_loses_its_secrets_and_nothing_else() -> None:
    clean = redact_json(POD)
    assert SECRET not in json.dumps(clean)
    container, spec = clean["spec"]["containers"][0], clean["spec"]
    assert container["command"][::2] == ["app", container["command"][2], "80"]
    assert container["env"][1]["value"].startswith("postgres://u:<secret:")
    assert container["env"][2:] == POD["spec"]["containers"][0]["env"][2:]
    assert container["image"] == POD["spec"]["containers"][0]["image"]
    assert {name: spec[name] for name in spec if name != "containers"} == {
        name: POD["spec"][name] for name in spec if name != "containers"
    }
    assert redact_json(clean) == clean


def test_json_in_a_string_stays_json() -> None:
    applied = redact_json(POD)["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    assert applied.endswith("}\n")
    assert json.loads(applied)["spec"]["containers"][0]["env"][0]["name"] == "DB_PASSWORD"


def test_json_in_json_in_json() -> None:
    inner = json.dumps({"password": SECRET})
    assert SECRET not in json.dumps(redact_json({"a": json.dumps({"b": inner})}))


def test_configmap_with_files() -> None:
    data = {
        "app.properties": "db.user=bob\ndb.password=hunter2\nport=8080\n",
        "app.yaml": "db:\n  password: hunter2\n  host: db\n",
        "app.json": '{"credentials": {"api": "hunter2", "user": "bob"}}',
        "htpasswd": "bob:hunter2",
        "LOG_LEVEL": "debug",
        "password": 12345678,
    }
    clean = redact_json({"kind": "ConfigMap", "data": data})["data"]
    assert SECRET not in json.dumps(clean)
    assert "12345678" not in json.dumps(clean)
    assert clean["LOG_LEVEL"] == "debug"
    assert "port=8080" in clean["app.properties"]
    assert "host: db" in clean["app.yaml"]
    assert json.loads(clean["app.json"])["credentials"]["user"] == "bob"


def test_a_secret_that_was_applied_by_mistake() -> None:
    clean = redact_json({"kind": "Secret", "metadata": {"name": "db"}, "data": {"conf": "aHVudGVyMg=="}})
    assert clean["data"]["conf"].startswith("<secret:")
    assert clean["metadata"]["name"] == "db"


def test_samples_and_types_stay() -> None:
    matrix = {"metric": {"pod": "web-1", "secret": "default/db"}, "values": [[1735689600, "0.5"], [1735689610, "NaN"]]}
    value = {"a": [1, 2.5, None, True], "token": False, "password": None, "secret": "", **matrix}
    assert redact_json(value) == value


def test_deep_nesting_is_no_crash() -> None:
    assert redact_json({"text": "[" * 100_000 + "password=hunter2"})["text"].endswith(">")


@pytest.mark.parametrize("seed", range(4))
def test_redacting_twice_changes_nothing(seed: int) -> None:
    pieces = [
        *SECRETS,
        *ORDINARY,
        " ",
        "\n",
        '"',
        "'",
        "\\",
        ":",
        "=",
        "<",
        ">",
        "@",
        "{",
        "}",
        "- ",
        "+",
        "|",
        "token",
        "key: ",
    ]
    chosen = random.Random(seed)  # noqa: S311
    for _ in range(400):
        text = "".join(
            piece[chosen.randrange(len(piece)) :] if chosen.random() < 0.3 else piece
            for piece in chosen.choices(pieces, k=chosen.randrange(2, 7))
        )
        once = redact_text(text)
        assert redact_text(once) == once, text


HOSTILE = {
    "word": "a",
    "names": "password",
    "empty": "password=",
    "open": 'password:"',
    "escapes": "\\",
    "begin": KEY[:31],
    "at": "a:b@",
    "url": "://a:",
    "curl": "curl -u a",
    "mysql": "mysql -u -p",
    "spaces": "password:" + " " * 40,
    "pair": "name: password value:",
    "commas": ",a=",
    "quotes": "'password': '",
    "kind": "kind: Secret\n",
    "jwt": "eyJaaaaaaaaaa.",
    "block": "secret: |\n  x\n",
    "tags": "<password>",
    "key lines": KEY[:31] + "\nx 1 ",
    "key ends": "1 x\n1 " + KEY[-29:],
    "items": "- -p\n",
    "identified": "identified by '",
    "acl": "user a on ~* ",
    "is": "password is ",
    "slash": "://a:b/",
    "wrapped": "password: Some(",
    "goes on": "password=a;",
    "header": "x_header token ",
    "mysql items": "- mysql\n- -px\n",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_linear_in_the_length(piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        began = time.process_time()
        redact_text("password=" + text + "\npassword=hunter2")
        return time.process_time() - began

    short, long = seconds(100_000), seconds(400_000)
    assert long < 12 * short + 0.2  # quadratic is 16 times


def test_megabytes_of_an_ordinary_log_take_a_moment() -> None:
    line = "2026-01-01T00:00:00.123456789Z GET /api 200 duration_seconds=0.012 key=abc user=bob@example.com\n"
    began = time.process_time()
    redact_text(line * 50_000)
    assert time.process_time() - began < 5
