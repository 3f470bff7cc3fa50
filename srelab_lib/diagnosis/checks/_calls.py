"""Who could not reach what: failed calls in log lines, in the words of the common languages and clients.

The words are those of C libraries, language runtimes and clients (glibc, musl, Go, Node, Java, Python, nginx, curl,
redis, PostgreSQL and MySQL clients, gRPC), not those of an application.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from srelab_lib.diagnosis.checks._facts import Row, raw_objects
from srelab_lib.diagnosis.checks._logs import ERROR_LEVELS, Hits, by_workload, matching
from srelab_lib.diagnosis.checks._once import once
from srelab_lib.diagnosis.checks._relay import own_words
from srelab_lib.model import Snapshot, split_ref

Kind = Literal["no_such_name", "no_dns_answer", "refused", "timeout", "reset", "unreachable", "answered", "failed"]
"""How a call failed: `answered` with a status of failure; `failed` is an error that names an address and no reason."""


def answered(status: str) -> str:
    """A pattern for an HTTP status that somebody was answered with, as programs say it."""
    return (
        r"\b(?:answer(?:s|ed)?|return(?:s|ed)?|repli(?:es|ed)|respond(?:s|ed)|response|got|code|status(?:[ _]?code)?"
        rf"|http(?: error)?(?:/\d(?:\.\d)?)?)(?: with)?(?: status)?[\s:=\"']{{1,3}}(?:{status})\b"
    )


_WORDS: dict[Kind, tuple[str, ...]] = {
    "no_dns_answer": (
        r"temporary failure in name resolution", r"\bEAI_AGAIN\b", r"server misbehaving", r"\bSERVFAIL\b",
        r"could not be resolved \((?:2|5|110):",
        r"lookup (?!fail|error)\S+(?: on \S+)?: .{0,80}(?:timeout|timed out|refused)",
        r"resolving timed out", r"dns (?:lookup|query|resolution) timed? ?out", r"no servers could be reached",
    ),
    "no_such_name": (
        r"name or service not known", r"name does not resolve", r"nodename nor servname", r"no such host\b",
        r"\bENOTFOUND\b", r"\bNXDOMAIN\b", r"UnknownHostException", r"host not found", r"unknown host\b",
        r"unknown mysql server host", r"(?:could ?n[o']t|cannot|can't|failed to|unable to) resolve",
        r"\bbad address '", r"could not be resolved \(3:", r"could not translate host name", r"getaddrinfo failed",
        r"no address associated with hostname", r"(?:dns|name) resolution failed", r"failed to lookup address",
        r"NameResolutionError",
    ),
    "unreachable": (
        r"no route to host", r"network is unreachable", r"\bEHOSTUNREACH\b", r"\bENETUNREACH\b", r"host is unreachable",
    ),
    "refused": (
        r"connection refused", r"\bECONNREFUSED\b", r"\b(?:errno |error |\()111\b", r"couldn't connect to server",
        r"actively refused", r"no connection could be made",
    ),
    "reset": (
        r"connection reset", r"\bECONNRESET\b", r"broken pipe", r"\bEPIPE\b", r"remote end closed connection",
        r"server closed the connection", r"disconnect/reset before headers", r"socket hang up", r"unexpected eof",
        r"prematurely closed connection",
    ),
    "timeout": (
        r"timed[ _-]?out", r"\btime-?out\b", r"[a-z]timeout(?:error|exception)?\b", r"deadline exceeded",
        r"\bETIMEDOUT\b", r"\b(?:did|does) ?n[o']t (?:answer|respond|reply) (?:in time|within)\b",
    ),
    "answered": (
        answered(r"5\d\d|429"),
        r"\b500 internal server error\b", r"\b502 bad gateway\b", r"\b504 gateway time-?out\b",
        r"\b503 service (?:temporarily )?unavailable\b", r"\b429 too many requests\b",
    ),
}  # fmt: skip
"""In this order: a name that does not resolve comes wrapped in the words of the connection that then fails."""
_NO_CALL = re.compile(
    r"connection is not available, request timed out after \d+ ?ms \(total=[1-9]|resource ?request timed out"
    r"|waiting for (?:an? )?(?:\w+ )?connection timed out"
    r"|(?:time-?out|timed out).{0,20} (?:acquiring|fetching|waiting for|obtaining) (?:an? |the )?(?:\w+ )?"
    r"(?:connection|lock)"
    r"|(?:statement|lock(?: wait)?|lease|pool) ?time-?out|(?<=gateway )time-?out",
    re.IGNORECASE,
)
"""Waits for a pool, a lock or a statement, and a status in words: nobody who was called let anybody wait."""
_BY_CLIENT = re.compile(
    r"unexpected EOF on client connection|connection to client lost"
    r"|could not (?:receive data from|send data to) client"
    r"|\bwhile (?:reading client|waiting for request|SSL handshaking|keepalive"
    r"|sending (?:response )?to client|closing request)",
    re.IGNORECASE,
)
"""What a server says of a client that went away: it called nobody."""
_KINDS = {kind: re.compile("|".join(words), re.IGNORECASE) for kind, words in _WORDS.items()}

_HOST = r"(?P<host>(?:\d{1,3}\.){3}\d{1,3}|[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?)"
_NAMED = tuple(
    re.compile(pattern.replace("<H>", _HOST), re.IGNORECASE)
    for pattern in (
        r"\blookup (?!(?:failed|failure|error|timeout|timed)\b)<H>(?: on |:)",
        r"\b(?:ENOTFOUND|EAI_AGAIN|UnknownHostException:) <H>",
        r"(?:\bbad address|server host|resolve(?: host\w*)?:?|host name|in upstream) ?['\"]<H>(?::(?P<port>\d+))?['\"]",
        r"resolve host(?:name)?:? <H>",
        r"\b<H> could not be resolved",
        r"(?:resolution failed for|cannot connect to host) <H>(?::(?P<port>\d+))?",
    )
)
_ADDRESSES = tuple(
    re.compile(pattern.replace("<H>", _HOST), re.IGNORECASE)
    for pattern in (
        r"\b(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[^\s/@'\"]*@)?<H>(?::(?P<port>\d{1,5}))?",
        r"\bhost=['\"]?<H>['\"]?,? *port=['\"]?(?P<port>\d{1,5})",
        r"\bserver (?:at|on) ['\"]?<H>(?::(?P<port>\d{1,5}))?['\"]?(?: \([\d.]+\))?(?:,? port (?P<port2>\d{1,5}))?",
        r"\b(?:to|host) ['\"]?<H>['\"]?,? port (?P<port>\d{1,5})",
        r"(?<![\w./:@<-])<H>:(?P<port>\d{2,5})(?!\w|[.:-]\w)",
        r"\(['\"]<H>['\"], ?(?P<port>\d{2,5})[,)]",
        r"(?:remote host|ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|connect to(?! (?:remote )?host)) \(?<H>\b",
    )
)
_HELP = re.compile(
    r"\b(?:(?:this error at|see|visit|refer to|read|more (?:at|on|details|info\w*)(?: \w+)?|docs?|documentation)"
    r"(?: at)?:? \W?)https?://\S+",
    re.IGNORECASE,
)
"""A page that explains the error, and is no address that the program called."""
_ANY_CALL = re.compile(
    "|".join(pattern.pattern for pattern in _KINDS.values()) + r"|://|[a-z][\w.-]*:\d{2,5}\b|\bserver (?:at|on) ",
    re.IGNORECASE,
)
_SCHEME_PORTS = {
    "http": 80, "ws": 80, "https": 443, "wss": 443, "redis": 6379, "rediss": 6379, "postgres": 5432,
    "postgresql": 5432, "mysql": 3306, "amqp": 5672, "mongodb": 27017, "nats": 4222, "kafka": 9092,
}  # fmt: skip
_SOURCE_FILE = re.compile(r"\.(?:py|go|js|mjs|ts|java|kt|rb|rs|php|cs|c|cc|cpp|scala|ex|lua|pl|html|json|ya?ml)$")
_NO_HOST = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "line", "port", "code", "status", "errno", "error", "at"})  # noqa: S104


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Address:
    """A host as it is written, and its port where one is written or the scheme has one."""

    host: str
    port: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Failed calls of one workload: to one address, or to one that the lines do not name."""

    kind: Kind
    address: Address | None
    hits: Hits

    @property
    def caller(self) -> str:
        return self.hits.object


@lru_cache(maxsize=2048)
def addresses(text: str) -> tuple[Address, ...]:
    """Hosts that a text names as something to connect to, in the order in which they stand."""
    found: dict[int, Address] = {}
    text = _HELP.sub("", text)
    for pattern in _ADDRESSES:
        for match in pattern.finditer(text):
            address = _address(match.groupdict())
            if address and not any(address.host == known.host for known in found.values()):
                found[match.start("host")] = address
    return tuple(found[position] for position in sorted(found))


def _address(groups: dict[str, str | None]) -> Address | None:
    host = (groups["host"] or "").lower()
    if host in _NO_HOST or _SOURCE_FILE.search(host) or not re.search(r"[a-z]|\d\.\d", host):
        return None
    written = groups.get("port") or groups.get("port2")
    scheme = (groups.get("scheme") or "").lower().split("+")[0]
    return Address(host=host, port=int(written) if written else _SCHEME_PORTS.get(scheme))


def kind_of(message: str) -> Kind | None:
    """How a call failed, by the words of the line; None of what is no call of the line's writer."""
    if _BY_CLIENT.search(message):
        return None
    waits = _NO_CALL.sub(" ", message)
    return next(
        (kind for kind, words in _KINDS.items() if words.search(message if kind == "answered" else waits)), None
    )


def called(message: str, kind: Kind) -> Address | None:
    """What the failed line tried to reach."""
    if kind in ("no_such_name", "no_dns_answer"):
        for pattern in _NAMED:
            match = pattern.search(message)
            address = _address(match.groupdict()) if match else None
            if address:
                return address
    return next(iter(addresses(message)), None)


def failures(s: Snapshot, *kinds: Kind) -> list[Failure]:
    """Failed calls in the logs of the namespace, by workload, kind and address.

    Args:
        s: the snapshot.
        kinds: those asked for; none: every kind of call that got no answer, for a reason that its words tell.
    """
    return [item for item in all_failures(s) if item.kind in (kinds or _NO_ANSWER)]


_NAME = 4
"""Letters of a Service's name that is looked for in plain words."""
_NO_ANSWER = frozenset(_KINDS) - {"answered"}


def _service_names(s: Snapshot) -> re.Pattern[str] | None:
    names = sorted((name for name in raw_objects(s, "Service") if len(name) >= _NAME), key=len, reverse=True)
    return re.compile(rf"(?<![\w./-])({'|'.join(map(re.escape, names))})(?![\w./-])") if names else None


def _only_service(line: Row, names: re.Pattern[str] | None) -> Address | None:
    """The one Service of the namespace that a line names as a word (`pricing did not answer`), not the writer's own."""
    found = set(names.findall(str(line["message"]))) if names else set()
    found.discard(split_ref(str(line["object"]))[2])
    return Address(host=found.pop()) if len(found) == 1 else None


def _ended(s: Snapshot) -> frozenset[str]:
    """Pods that nobody controls and that have ended, such as one to debug with: nobody waits for whom they called."""
    pods = s["pods"]
    over = pods[pods["object"].astype(str).str.startswith("Pod/") & pods["phase"].isin(["Succeeded", "Failed"])]
    return frozenset(over["object"])


@once
def all_failures(s: Snapshot) -> tuple[Failure, ...]:
    """Failed calls of every kind, those too that were answered, or of which the words do not say how they failed."""
    groups: dict[tuple[Kind, Address | None], list[Row]] = {}
    own, ended = _service_names(s), _ended(s)
    for line in (one for one in matching(s, _ANY_CALL) if one["object"] not in ended):
        message = own_words(str(line["message"]))
        kind: Kind | None = kind_of(message) or ("failed" if line["level"] in ERROR_LEVELS else None)
        address = (called(message, kind) or _only_service(line, own)) if kind else None
        if kind and (address or kind in _NO_ANSWER):
            groups.setdefault((kind, address), []).append(line)
    return tuple(
        Failure(kind=kind, address=address, hits=hit)
        for (kind, address), lines in groups.items()
        for hit in by_workload(s, lines)
    )
