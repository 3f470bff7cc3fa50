"""What names a secret, what can be one, and what stands in its place.

`DB_PASSWORD` names one, `secretName` and `tokenTtlSeconds` do not. `hunter2` can be one, `true` and `$(DB_PASSWORD)`
cannot.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache


def words_of(text: str) -> frozenset[str]:
    """The words of a text: lists of words that stay readable."""
    return frozenset(text.split())


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_DIGITS = re.compile(r"(?<=[a-z])\d+$")

# A word that is one of these, or that holds one of these, names a secret.
_PARTS = re.compile(
    r"passw(?:or)?d|passphrase|passcode|secret|apikey|accesskey|privatekey|signingkey|credential|"
    r"htpasswd|dockerconfigjson|dockercfg|keytab"
)
_WORDS = frozenset({"pwd", "creds", "requirepass", "masterauth", "oldpwd", "authtoken", "otp", "mnemonic"})
# These name one only as the last word: `session_cookie`, not `cookie_domain`.
_LAST_WORDS = frozenset(
    {"authorization", "cookie", "cookies", "jwt", "token", "pass", "pw", "bindpw", "passwords", "bearer"}
)
_WHOLE = frozenset({"auth", "id_rsa", "id_ed25519", "id_ecdsa", "id_dsa", "tls_key", "ssh_privatekey", "netrc"})
_BEFORE_KEY = words_of(
    "access account api app auth client consumer deploy encryption enc hmac license master private secret server "
    "service session shared signing ssh storage subscription tls webhook"
)
# Of environment variables any other `..._KEY` is somebody's: STRIPE_KEY, MAPS_KEY.
_PLAIN_KEYS = words_of(
    "annotation bucket cache column config dedup feature field filter flag foreign group hash header idempotency index "
    "json label lock lookup map message object partition primary public queue range record redis row routing search "
    "select shard sort topic translation unique"
)
_BEFORE_PASS = re.compile(
    r"(?:db|root|user|admin|mysql|pg|redis|smtp|mail|my|ftp|ldap|http|rabbitmq|mongo|sql|(?:src|dest)?store|key)pass"
)

# A last word that says something about a secret, and not the secret: where it is, how long it lives, which one it is.
_ABOUT = words_of(
    "name names namespace namespaces ref refs reference file files filename path paths dir mount volume volumes "
    "type  kind class format seconds second minutes ttl expiry expires expired expiration age at time date timeout "
    "interval  length len count size limit limits min max bytes total requests used usage enabled disabled required "
    "optional  policy version revision url uri endpoint host port header prefix suffix field provider manager store "
    "backend issuer  audience audiences rotation algorithm mode status state error errors message reason info "
    "source sources scope  scopes lifetime label labels selector review reviews controller operator generator "
    "driver user username login  valid exists found missing configured present set id ids hint help description "
    "title regex pattern charset  yaml yml json toml py go js ts java md html sh conf cfg ini xml properties log"
)
# `secret_id` and `access_key_id` are credentials of Vault and AWS.
_SECRET_IDS = frozenset({("secret", "id"), ("key", "id"), ("session", "id"), ("connect", "sid")})
# Names of a Secret or of a key in one: `existingSecret: db`, `passwordKey: password`.
_REFERENCES = frozenset(
    (first, second)
    for seconds, firsts in (
        ("secret", "existing pull tls auth ssl"),
        ("key", "password username token user"),
        ("secrets", "pull image"),
    )
    for second in seconds.split()
    for first in firsts.split()  # noqa: SIM905
)


@lru_cache(maxsize=8192)
def is_secret_key(key: str) -> bool:
    """True when a field, variable, header, option or file of this name is expected to hold a secret."""
    qualified = key.rpartition("/")[2][-128:]
    words = tuple(_DIGITS.sub("", word) for word in _NOT_WORD.split(_CAMEL.sub("_", qualified).lower()) if word)
    if not words:
        return False
    last, pair = words[-1], words[-2:]
    if pair in _REFERENCES or words in {("secrets",), ("tokens",)}:
        return False
    if pair in _SECRET_IDS:
        return True
    if last in _ABOUT:
        return False
    if "_".join(words) in _WHOLE or last in _LAST_WORDS or last.endswith(("token", "passwd", "sessionid", "sessid")):
        return True
    if qualified.isupper() and last == "key" and words[-2:-1] and words[-2] not in _PLAIN_KEYS:
        return True
    if any(_PARTS.search(word) or word in _WORDS or _BEFORE_PASS.fullmatch(word) for word in words):
        return True
    return _names_a_key(words)


def _names_a_key(words: tuple[str, ...]) -> bool:
    """`API_KEY`, `client.key`, `client-key-data`."""
    ends = words[:-1] if words[-1] in {"data", "base", "pem", "value", "b64", "base64"} else words
    return len(ends) >= 2 and ends[-1] in {"key", "keys"} and ends[-2] in _BEFORE_KEY


_PLACEHOLDER = r"<secret:[0-9a-f]{4}>"
PLACEHOLDER = re.compile(_PLACEHOLDER)
_DOMAIN = b"srelab redact 1\0"


def placeholder(secret: str) -> str:
    """`<secret:ab12>`: the same for the same secret, and too short to find the secret by trying."""
    return f"<secret:{hashlib.sha256(_DOMAIN + secret.encode(errors='surrogatepass')).hexdigest()[:4]}>"


def conceal(value: str) -> str:
    """The placeholder, unless the value cannot be a secret: empty, a literal, a reference to a variable."""
    return value if is_no_secret(value) else placeholder(value)


def is_no_secret(value: str) -> bool:
    """True for what stands where no secret is: nothing, a literal, a reference, a placeholder."""
    return _NO_SECRET.fullmatch(value.strip()) is not None


_NO_SECRET = re.compile(
    r"(?i:|null|none|nil|true|false|yes|no|on|off|undefined|unset|empty|~|-+|\.{2,}|[*•x]{3,}|\[?(?:redacted|masked|hidden)\]?"
    r"|<(?:none|nil|unset|redacted|masked|hidden|set to [^>]*)>)|<secret:[0-9a-f]{4}>|\$\{[^}]*\}|\$\([^)]*\)"
    r"|\$[A-Z_][A-Z0-9_]*|\{\{[^}]*\}\}|%[sdvq]|%\(\w+\)s"
)
_PASSWORD = re.compile(r"(?i)pass(?:w|phrase|code)|pwd")
_COUNT = re.compile(r"\d{1,5}(?:\.\d{1,6})?(?:ms|s|m|h|d|%)?")
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")


def is_count(key: str, value: str) -> bool:
    """`token=5` counts something; `password=12345` does not."""
    return bool(_COUNT.fullmatch(value)) and not _PASSWORD.search(key)


def is_reference(key: str, value: str) -> bool:
    """`secret="default/db"` names a Secret; `PWD=/srv` is a folder."""
    name = key.lower()
    if name.endswith("secret") and _NAME.fullmatch(value):
        return True
    if name in {"pwd", "oldpwd"} and value.startswith("/"):
        return True
    return name == "auth" and not re.fullmatch(r"[A-Za-z0-9+/_=.-]{12,}", value)
