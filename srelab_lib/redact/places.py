"""Secrets that are known by where they stand: after a name such as `DB_PASSWORD`, in a manifest of a Secret.

Names are found by the few words that they hold, and only what follows one is looked at: linear, also in text that was
written to make a search slow.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from srelab_lib.redact.words import PLACEHOLDER, conceal, is_count, is_no_secret, is_reference, is_secret_key, words_of

# What the name of a secret may hold, in lower case: see words.py.
_KEYWORDS = ("pass", "pw", "sessionid", "sessid", "connect.sid",
             "secret", "token", "key", "cred", "auth", "cookie", "jwt", "bearer", "otp", "netrc",
             "mnemonic", "dockercfg", "id_rsa", "id_ed25519", "id_ecdsa", "id_dsa")  # fmt: skip
_KEY_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_KEY_REST = re.compile(r"[A-Za-z0-9_.-]*+")
_MAX_KEY = 100
_QUOTE_BEFORE = re.compile(r"(?<!\\)\\{0,15}[\"'`]\Z")
# After the name: its closing quote or bracket, then = == => := : or, of an XML element, >
_SEPARATOR = re.compile(r"(?P<quote>\\{0,15}[\"'`])?\]?(?P<sep>[ \t]{0,20}(?:={1,3}>?|:=|:)[ \t]*|>)")
_OPTION = re.compile(r"[ \t]+|\\{0,15}[\"'],[ \t]*(?=\\*[\"'])")
_OPENING = re.compile(r"(?P<escape>\\{0,15})(?P<quote>[\"'`])")
_NEXT_ITEM = re.compile(r"[ \t,]*+(?P<escape>\\{0,15})(?P<quote>[\"'])")
_STOPS = {quote: re.compile(f"[{quote}\n]") for quote in "\"'`"}
_BARE = re.compile(r"(?:(?!-----BEGIN )(?![,|]\s?[\w.-]{1,64}+\\{0,15}[\"']?\s?[=:])[^\s\"'`&;\\])++")
_TO_LINE_END = re.compile(r"(?:(?! #)[^\n])*+")
_HEADER_VALUE = re.compile(r"[^\n\"'\\]*+")
_ELEMENT_VALUE = re.compile(r"<secret:[0-9a-f]{4}>|[^<\n]*+")
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token|digest|apikey|negotiate)[ \t]+")
# What stands for a value and is none: a call, a shell's or a template's expression.
_CODE = re.compile(r"[A-Za-z_][\w.]*+[(\[]|\$\([^)\n]{0,200}\)(?=\s|\Z)|\{\{[^}\n]{0,200}\}\}(?=\s|\Z)")
# What holds a value as it is printed: Some("hunter2") of Rust, SecretStr('hunter2').
_WRAPPED = re.compile(r"(?:(?:Some|Just|Ok|Optional|String|Secret\w{0,20}|Sensitive\w{0,20})\(){1,4}(?=\\{0,15}[\"'])")
# "the password is hunter2", and not "is required": what mixes letters and digits.
_SAID = re.compile(r"[ \t]+(?:is|was):?[ \t]+[\"'`]?(?P<secret>[^\s\"'`<]{5,200}[^\s\"'`<.,;:!?)])")
_RANDOM = re.compile(r"[a-z][A-Z]|\d")
_TUPLE = re.compile(r"\\{0,15}[\"'],[ \t]*b?(?=\\{0,15}[\"'])")
# What follows a `;` or `&` and begins no other setting.
_GOES_ON = re.compile(r"(?:[;&](?![\w.-]{0,64}=|amp;|quot;|#)[^\s\"'`&;\\]++)++")
_BLOCK = re.compile(r"[|>][+-]?\d?[ \t]*(?:#[^\n]*)?(?=\r?\n|\Z)")
_LEAD = re.compile(r"[ \t+-]*+")

# Words that make "token: cannot connect to ..." a sentence. A single plain word that is none of them is a secret.
_PROSE = words_of(
    "a an the is are was were be been has have had not no none cannot can could couldn must should would will may "
    "might  does do did failed fails failure error errors invalid expired missing denied access authentication "
    "authorization  unable unauthorized forbidden unknown wrong bad empty required mismatch rejected refused rate "
    "too context connection  permission timeout timed dial get post put open read stat lookup request response "
    "found exceeded revoked unsupported  unexpected incorrect malformed but and or if in of for to from with by on "
    "at as it this that when while because  please use using set expected got rpc http https tcp json yaml eof ok "
    "success successful succeeded valid ready  skipped created updated deleted changed refreshed validated verified "
    "accepted loaded generated enabled disabled  flag option key keys secret secrets token tokens password "
    "passwords user users configmap pod volume"
)
_PACKAGES = words_of("aws crypto grpc jwt kms mongo mysql net oauth parse pq redis sql strconv url vault x")
# Whose values people choose: these can be plain words.
_BY_PEOPLE = re.compile(r"(?i)pass|pwd?(?![a-z])|secret|mnemonic|otp|netrc|cred")
_MESSAGE = re.compile(r"[a-z]{3,20}[.!]?")
_NEXT_SETTING = re.compile(r"[^\s]|[ \t]+[\w.-]{1,64}[ \t]?[:=]")
_LINE_END = re.compile(r"[ \t\r]*(?:\n|\Z)")
_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?[,.;!]?")
# What a program calls its troubles: the class of an exception, a CONSTANT, an error number.
_EXCEPTION = re.compile(r"(?:[a-z_]\w*\.)*[A-Z][A-Za-z]*(?:Error|Exception)")
_TROUBLE = re.compile(
    rf"{_EXCEPTION.pattern}|[A-Z][A-Za-z]*(?:Failure|Failed|Fault|Timeout|Unavailable|Unreachable|Refused|Denied"
    r"|Exceeded|Exhausted|Expired|Invalid|NotFound|Missing|Unauthorized|Forbidden|Providers)|[A-Z]{2,20}(?:_[A-Z]{2,20}){1,6}"
    rf"|{'|'.join(sorted(errno.errorcode.values()))}|ENOTFOUND"
)
_CHAIN = re.compile(r"([A-Za-z]+)\d{0,3}:")
_NEXT_WORDS = re.compile(r"[ \t]+([A-Za-z']+)[,.;:]?(?:[ \t]+([A-Za-z']+))?")

Span = tuple[int, int]


def conceal_places(text: str) -> str:
    """The text with every value that stands in the place of a secret replaced."""
    if not _keywords(text):
        return text
    if "alue" in text:
        text = _pairs(text)
    return _assignments(text)


def _keywords(text: str) -> list[int]:
    """Where words begin that the name of a secret may hold, in order."""
    low = _lower(text)
    return sorted(at for word in _KEYWORDS for at in _positions(low, word))


def _lower(text: str) -> str:
    """Lower case of the same length: a few letters outside of ASCII become two."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(char.lower() if char.isascii() else char for char in text)


def _positions(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + len(word))


def _assignments(text: str) -> str:
    """`key=value`, `key: value`, `"key": "value"` at any depth of escapes, `--key value`, `<key>value</key>`."""
    parts: list[str] = []
    done = at = 0
    for found in _keywords(text):
        if found < at:
            continue
        start, at = _key_around(text, found, done)
        key = text[start:at].strip(".-")
        if at - start > _MAX_KEY or not is_secret_key(key) or _in_placeholder(text, start):
            continue
        for begin, end in _value_spans(text, start, at, key):
            parts += [text[done:begin], _clean_value(key, text[begin:end])]
            done = at = end
    return "".join([*parts, text[done:]])


def _key_around(text: str, found: int, floor: int) -> Span:
    start = found
    while start > floor and text[start - 1] in _KEY_CHARS and found - start <= _MAX_KEY:
        start -= 1
    rest = _KEY_REST.match(text, found)
    return start, rest.end() if rest else found


def _in_placeholder(text: str, start: int) -> bool:
    return text[start - 1 : start] == "<" and PLACEHOLDER.match(text, start - 1) is not None


def _clean_value(key: str, value: str) -> str:
    return value if is_count(key, value) or is_reference(key, value) else conceal(value)


def _value_spans(text: str, start: int, end: int, key: str) -> list[Span]:
    """Where the value of the key at `start:end` lies: nowhere when nothing is assigned to it, in parts in a list."""
    before = _QUOTE_BEFORE.search(text, max(0, start - 16), start)
    quote = before[0] if before else None
    separator = _SEPARATOR.match(text, end)
    if separator is None:
        said = _SAID.match(text, end)
        if said and _RANDOM.search(said["secret"]):
            return [said.span("secret")]
        return _tuple_span(text, start - len(quote or ""), end) or _option_span(text, start, end)
    sep, begin = separator["sep"], separator.end()
    if sep == ">":
        value = _ELEMENT_VALUE.match(text, begin) if text[start - 1 : start] == "<" else None
        return [value.span()] if value else []
    if separator["quote"] not in {quote, None}:
        return []
    quote = separator["quote"]  # a quote that is not closed here opened a sentence: 'Authorization: ...'
    wrapped = _WRAPPED.match(text, begin)
    begin = wrapped.end() if wrapped else begin
    if text.startswith("[", begin):
        return _list_spans(text, begin)
    opening = _OPENING.match(text, begin)
    if opening:
        return _quoted_span(text, opening, prose=quote is None and sep.strip() == ":")
    column = _column(text, start - len(quote or ""))
    if quote and column is None and not text[begin : begin + 1].isdigit():
        # JSON quotes its values: `volume "db-password" : secret "db-password" not found` assigns nothing.
        return []
    return _bare_spans(text, begin, key, sep, column)


def _column(text: str, start: int) -> int | None:
    """The column of what begins at `start` when only indentation, list dashes or a diff's sign stand before it."""
    at = start
    while at and text[at - 1] in " \t+-" and start - at < _MAX_KEY:
        at -= 1
    return start - at if at == 0 or text[at - 1] == "\n" else None


def _option_span(text: str, start: int, end: int) -> list[Span]:
    """`--password hunter2`, and the same as two items of a JSON or YAML list."""
    gap = _OPTION.match(text, end) if text.startswith("-", start) else None
    if gap is None:
        return []
    opening = _OPENING.match(text, gap.end())
    if opening:
        return _quoted_span(text, opening, prose=False)
    bare = _BARE.match(text, gap.end())
    if bare is None or bare[0].startswith("-") or bare[0].strip(".,;:").lower() in _PROSE:
        return []
    return [_trimmed(text, bare.span())]


def _tuple_span(text: str, start: int, end: int) -> list[Span]:
    """`('x-api-key', 'hunter2')`: a header as Python prints it, also in bytes."""
    gap = _TUPLE.match(text, end) if text.endswith(("(", "(b"), max(0, start - 2), start) else None
    opening = _OPENING.match(text, gap.end()) if gap else None
    return _quoted_span(text, opening, prose=False) if opening else []


def _list_spans(text: str, begin: int) -> list[Span]:
    """The strings of `["a", "b"]`, within one line."""
    spans: list[Span] = []
    at = begin + 1
    while opening := _NEXT_ITEM.match(text, at):
        spans += _quoted_span(text, opening, prose=False)
        at = spans[-1][1] + len(opening["escape"]) + 1
    return spans


def _quoted_span(text: str, opening: re.Match[str], *, prose: bool) -> list[Span]:
    """Up to the quote that stands as deep in escapes as the opening one, else to the end of the line."""
    depth, begin = len(opening["escape"]), opening.end()
    end = len(text)
    for stop in _STOPS[opening["quote"]].finditer(text, begin):
        escapes = _backslashes_before(text, stop.start(), begin)
        if stop[0] == "\n" or escapes % (2 * depth + 2) == depth:
            end = stop.start() - (depth if stop[0] != "\n" else 0)
            break
    after = _NEXT_WORDS.match(text, end + depth + 1) if prose else None
    return [] if after and after[1].lower() in _PROSE else [(begin, end)]


def _backslashes_before(text: str, at: int, floor: int) -> int:
    first = at
    while first > floor and text[first - 1] == "\\":
        first -= 1
    return at - first


def _bare_spans(text: str, begin: int, key: str, sep: str, column: int | None) -> list[Span]:
    """A value without quotes: a word, the rest of a YAML line, of a header, or the lines of a YAML block."""
    yaml = column is not None and sep.strip() == ":"
    block = _BLOCK.match(text, begin) if yaml else None
    if block:
        return list(_block_spans(text, block.end(), column or 0))
    scheme = _SCHEME.match(text, begin)
    begin = scheme.end() if scheme else begin
    bare = _BARE.match(text, begin)
    if bare is None or _CODE.match(text, begin) or (sep != "=" and _is_prose(text, bare)):
        return []
    if sep[:1] == ":" and sep != ":" and not scheme and _is_message(key, text, bare, in_line=column is None):
        return []
    if key.lower().endswith(("cookie", "cookies")):
        bare = _HEADER_VALUE.match(text, begin) or bare
    elif yaml:
        bare = _TO_LINE_END.match(text, begin) or bare
    elif sep == "=" and not is_no_secret(bare[0]) and (more := _GOES_ON.match(text, bare.end())):
        return [_trimmed(text, (begin, more.end()))]
    return [_trimmed(text, bare.span())]


def _is_prose(text: str, bare: re.Match[str]) -> bool:
    after = _NEXT_WORDS.match(text, bare.end())
    chain = _CHAIN.fullmatch(bare[0])
    if chain:  # Go wraps errors: "token: oauth2: cannot fetch"
        return chain[1].lower() in _PROSE | _PACKAGES
    if not _WORD.fullmatch(bare[0]):
        return False
    following = {word.lower() for word in after.groups() if word} if after else set()
    return bare[0].strip(",.;!").lower() in _PROSE or bool(following & _PROSE)


def _is_message(key: str, text: str, bare: re.Match[str], *, in_line: bool) -> bool:
    """What went wrong, behind `token: `. Tokens are made by machines, so a plain word in a sentence is none."""
    word = bare[0].rstrip(",.;:!")
    if not in_line and _LINE_END.match(text, bare.end()) is None:
        return False
    if _BY_PEOPLE.search(key):
        return in_line and _EXCEPTION.fullmatch(word) is not None
    if _TROUBLE.fullmatch(word):
        return True
    plain = key.isalpha() and key.islower() and _MESSAGE.fullmatch(bare[0])
    return in_line and bool(plain) and _NEXT_SETTING.match(text, bare.end()) is None


def _trimmed(text: str, span: Span) -> Span:
    """Without what closes a sentence, a list or a map after the value."""
    value = text[span[0] : span[1]].rstrip()
    if is_no_secret(value):
        return span[0], span[0] + len(value)
    return span[0], span[0] + len(value.rstrip(".,)]}") or value)


def _block_spans(text: str, at: int, column: int) -> Iterator[Span]:
    """Each line after `key: |` that is indented deeper than the key, without its indentation."""
    while (at := text.find("\n", at) + 1) > 0:
        lead = _LEAD.match(text, at)
        line = _TO_NEWLINE.match(text, at)
        if lead is None or line is None or (lead.end() < line.end() and lead.end() - at <= column):
            return
        if lead.end() < line.end():
            yield lead.end(), line.end()
        at = line.end()


_TO_NEWLINE = re.compile(r"[^\r\n]*+")

# `name: DB_PASSWORD` and `value: hunter2`: in YAML, JSON, a diff, or as Go prints an EnvVar.
_PAIR = re.compile(
    r"[nN]ame(?<![A-Za-z][nN]ame)\\{0,15}[\"']?\s{0,4}[:=]\s{0,4}\\{0,15}[\"']?(?P<key>[A-Za-z_][\w.-]{0,99})\\{0,15}[\"']?"
    r"[\s,+-]{1,80}\\{0,15}[\"']?[vV]alue\\{0,15}[\"']?\s{0,4}[:=][ \t]{0,8}"
)
_OTHER_VALUE = re.compile(r"[ \t]*\r?\n[ \t]*[+-][ \t]*value:[ \t]*")


def _pairs(text: str) -> str:
    parts: list[str] = []
    done = 0
    for pair in _PAIR.finditer(text):
        if pair.start() < done or not is_secret_key(pair["key"]):
            continue
        begin: int | None = pair.end()
        while begin is not None:
            span = _pair_value(text, begin, lines="\n" in pair[0])
            parts += [text[done : span[0]], conceal(text[span[0] : span[1]])]
            done = span[1]
            other = _OTHER_VALUE.match(text, done)
            begin = other.end() if other else None
    return "".join([*parts, text[done:]])


def _pair_value(text: str, begin: int, *, lines: bool) -> Span:
    opening = _OPENING.match(text, begin)
    if opening:
        return _quoted_span(text, opening, prose=False)[0]
    bare = (_TO_LINE_END if lines else _BARE).match(text, begin)
    return _trimmed(text, bare.span()) if bare else (begin, begin)
