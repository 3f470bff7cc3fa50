"""Secrets that are known by their shape: private keys, tokens with a vendor's prefix, passwords in URLs and headers.

Each search looks for a literal first: a text without it costs nothing.
"""

from __future__ import annotations

import re

from srelab_lib.redact.commands import conceal_commands
from srelab_lib.redact.private_keys import conceal_private_keys
from srelab_lib.redact.words import conceal, is_secret_key, placeholder

# Not behind `sk-` in `sk-checkout-api-7d9f8b6c5-x2x7k`: lower-case words and a controller's hash are an object's name.
_PART = r"(?:[a-z]{1,20}\d{0,3}|[a-z0-9]{1,10})(?![A-Za-z0-9_])"
_NO_NAME = rf"(?!{_PART}(?:-{_PART})*+(?![\w-]))"
# A literal that must occur, and what begins there. A letter before it would make it the middle of a word.
_SHAPES = tuple(
    (literal, re.compile(pattern.replace("~", _NO_NAME).replace("^", rf"(?<![A-Za-z0-9/+]{re.escape(literal)})")))
    for literal, pattern in (
        ("eyJ", r"eyJ^[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"),  # JWT, also one whose signature was cut off
        ("AKIA", r"AKIA^[A-Z0-9]{16}(?![A-Za-z0-9])"),
        ("ASIA", r"ASIA^[A-Z0-9]{16}(?![A-Za-z0-9])"),
        ("github_pat_", r"github_pat_^\w{20,}"),
        ("xox", r"xox^[a-z]-[\w-]{10,}"),
        ("xapp-", r"xapp-^~[\w-]{10,}"),
        ("hooks.slack.com/services/", r"(?<=hooks\.slack\.com/services/)[\w/]{20,}"),
        ("k_live_", r"[rsp]k_(?:live)_\w{10,}"),
        ("k_test_", r"[rsp]k_(?:test)_\w{10,}"),
        ("whsec_", r"whsec_^\w{16,}"),
        ("sk-", r"sk-^~[\w-]{20,}"),
        ("AIza", r"AIza^[\w-]{30,}"),
        ("ya29.", r"ya29\.^[\w-]{20,}"),
        ("GOCSPX-", r"GOCSPX-^[\w-]{16,}"),
        ("npm_", r"npm_^[A-Za-z0-9]{30,}"),
        ("pypi-", r"pypi-^~[\w-]{24,}"),
        ("hf_", r"hf_^[A-Za-z0-9]{24,}"),
        ("hvs.", r"hvs\.^[\w-]{20,}"),
        ("hvb.", r"hvb\.^[\w-]{20,}"),
        ("SG.", r"SG\.^[\w-]{16,}\.[\w-]{16,}"),
        ("dop_v1_", r"dop_v1_^[0-9a-f]{40,}"),
        ("dapi", r"dapi^[0-9a-f]{32}"),
        ("dckr_pat_", r"dckr_pat_^[\w-]{20,}"),
        ("AGE-SECRET-KEY-", r"AGE-SECRET-KEY-^[A-Z0-9]{20,}"),
        ("$2", r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}"),
        ("/bot", r"(?<=/bot)\d{5,12}:[\w-]{20,}"),
        (":AA", r"(?<!\w)\d{6,12}:AA[\w-]{30,}"),
        ("sig=", r"(?<=[?&;]sig=)[\w%/+=.-]{16,}"),
        ("ignature=", r"(?<=[Ss]ignature=)[\w%/+=.-]{16,}"),
        ("X-Amz-Credential=", r"(?<=X-Amz-Credential=)[\w%/+=.-]{16,}"),
        *((f"gh{kind}_", rf"gh{kind}_^[A-Za-z0-9]{{20,}}") for kind in "oprsu"),
        *(
            (f"gl{kind}-", rf"gl{kind}-^~[\w.-]{{16,}}")
            for kind in ("pat", "dt", "ptt", "rt", "ft", "cbt", "agent", "soat")
        ),
        *((f"shp{kind}_", rf"shp{kind}_^[0-9a-fA-F]{{24,}}") for kind in ("at", "ca", "pa", "ss")),
    )
)

# scheme://user:password@host and scheme://token@host; an image's digest is neither, nor is http://host:80/path@x.
_HOST = r"@(?!sha(?:256|512):)"
_WITH_SLASH = r"(?!\d{1,5}[/?#]|[${%]|[^\s/@]{0,45}\]:\d)[^\s@\"'`<>]{1,512}"
_SHORT = r"(?=[^\s/@]{0,18}\d)(?=[^\s/@]{0,18}[a-z])(?=[^\s/@]{0,18}[A-Z])[\w.~%+-]{8,19}"
_IN_URL = re.compile(
    rf"://(?:(?P<user>[^\s:/@\"'`<>]{{0,256}}:)(?:(?P<password>[^\s/\"'`<>]{{1,512}}){_HOST}|(?P<odd>{_WITH_SLASH}){_HOST})"
    rf"|(?P<token>[^\s:/@\"'`<>]{{20,512}}|{_SHORT}){_HOST})"
)
# user:password@tcp(host) of Go's MySQL driver, user:password@host:1234
_AFTER_AT = re.compile(r"@(?:(?:tcp|udp|unix)\(|[\w.-]{1,253}:\d{2,5}(?!\w))")
_BEFORE_AT = re.compile(r"(?<![\w./@:-])[\w.-]{1,64}:(?P<password>[^\s:/@\"'`<>]{1,128})\Z")
_BEFORE_AT_BYTES = 200

# redis: user default on >password ~* +@all
_ACL = (
    r"(?P<before>\b(?:set)?user[ \t]+[^\s>]{1,64}[ \t]+(?:[^\s>]{1,100}[ \t]+){0,4}on[ \t]+(?:[^\s>]{1,100}[ \t]+)"
    r"{0,8}>)(?P<secret>[^\s<]\S*)"
)
_IDENTIFIED = (
    r"(?P<before>\bidentified[ \t]+(?:with[ \t]+[\"']?\w{1,64}[\"']?[ \t]+)?(?:by|as)[ \t]+(?:password[ \t]+)?\\{0,8}"
    r"(?P<quote>[\"']))(?P<secret>(?:(?!(?P=quote))[^\n]|(?P=quote){2}){1,200}?)(?=\\{0,8}(?P=quote)(?!(?P=quote)))"
)
# nginx: proxy_set_header X-Api-Key ...;
_NGINX = (
    r"(?P<before>\b[a-z_]{2,40}_header[ \t]+(?P<key>[\w-]{1,100})[ \t]+[\"']?(?:(?:bearer|basic|token)[ \t]+)?+)"
    r"(?P<secret>[^\s;\"'$<]+)"
)
# Words before a secret that no separator follows: HTTP, SQL, .netrc, redis.conf. Looked for only where the word occurs.
_LOOSE = tuple(
    (word, re.compile(pattern, re.IGNORECASE | re.MULTILINE))
    for word, pattern in (
        ("bearer ", r"(?P<before>\b(?P<scheme>bearer)[ \t]{1,4})(?P<secret>[A-Za-z0-9._~+/=-]{8,}+)"),
        ("basic ", r"(?P<before>\b(?P<scheme>basic)[ \t]{1,4})(?P<secret>[A-Za-z0-9._~+/=-]{8,}+)"),
        ("password '", r"(?P<before>\bpassword[ \t]+')(?P<secret>[^'\n]{1,200})(?=')"),
        ("identified", _IDENTIFIED),
        ("login ", r"(?P<before>\blogin[ \t]+\S{1,100}[\s+-]{1,40}password[ \t]+)(?P<secret>[^\s\"']+)"),
        ("requirepass ", r"(?P<before>(?:^[ \t+-]*+|\bset[ \t]+)requirepass[ \t]+)(?P<secret>\S+)"),
        ("insecure-password ", r"(?P<before>\binsecure-password[ \t]+)(?P<secret>\S+)"),
        *((word, _ACL) for word in (" on >", "~*")),
        ("_header ", _NGINX),
        ("masterauth ", r"(?P<before>(?:^[ \t+-]*+|\bset[ \t]+)masterauth[ \t]+)(?P<secret>\S+)"),
    )
)
_RANDOM = re.compile(r"[a-z][A-Z]|\d|==?\Z(?<![a-z_]=)")


def conceal_shapes(text: str) -> str:
    """The text with every secret that has the shape of one replaced."""
    if "PRIVATE KEY" in text:
        text = conceal_private_keys(text)
    for literal, pattern in _SHAPES:
        if literal in text:
            text = pattern.sub(_whole, text)
    if "@" in text:
        text = _logins(_IN_URL.sub(_in_url, text))
    text = conceal_commands(text)
    low = text.lower()
    for word, pattern in _LOOSE:
        if word in low:
            text = pattern.sub(_loose, text)
    return text


def _whole(match: re.Match[str]) -> str:
    return placeholder(match[0])


def _in_url(match: re.Match[str]) -> str:
    return f"://{match['user'] or ''}{conceal(match['password'] or match['odd'] or match['token'])}@"


def _logins(text: str) -> str:
    parts: list[str] = []
    done = 0
    for at in _AFTER_AT.finditer(text):
        login = _BEFORE_AT.search(text, max(done, at.start() - _BEFORE_AT_BYTES), at.start())
        if login and not at[0].startswith(("@sha256:", "@sha512:")):
            parts += [text[done : login.start("password")], conceal(login["password"])]
            done = at.start()
    return "".join([*parts, text[done:]])


def _loose(match: re.Match[str]) -> str:
    secret, groups = match["secret"], match.groupdict()
    if "scheme" in groups and not _RANDOM.search(secret):
        return match[0]  # "Basic authentication failed"
    if "key" in groups and not is_secret_key(match["key"]):
        return match[0]
    return match["before"] + conceal(secret)
