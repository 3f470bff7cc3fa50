"""From a container's log text to records: times read, control characters out, stack traces joined.

A log is untrusted: a line may be a megabyte long, hold escape sequences or claim to be an instruction. It is data here,
cut to a bound, and every pattern is linear in the length of the line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MAX_CHARACTERS = 2000
"""A longer message is cut, and says by how much."""
_MAX_LINE = 16 * 1024
"""What is read of one line: a structured record needs its end."""
_MAX_TRACE_LINES = 400
_JSON = json.JSONDecoder()
HEAD_BYTES = 12 * 1024
"""What is kept of how a long log began: its banner, its configuration, "this is a development server"."""
_HOLE = timedelta(seconds=5)
_LONG_LINE = 1500
"""A kept beginning ends with a whole line: it is shorter than its bound by less than one line."""

_STAMPED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))(?: (.*)|$)", re.DOTALL)
_CUT = re.compile(r" \[(\d+) characters cut\]$")
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_TRACEBACK = "Traceback (most recent call last):"
_PYTHON_LINKS = ("During handling of the above exception", "The above exception was the direct cause")
_PYTHON_ADDS = ("[SQL: ", "[parameters: ", "(Background on this error at: ")
"""Lines that SQLAlchemy's errors go on with."""
_PYTHON_ERROR = re.compile(r"[A-Za-z_][\w.]*(?::|$)")
_JAVA_LINK = re.compile(r"(?:Caused by|Suppressed): |\.\.\. \d+ (?:more|common frames omitted)")
_WITHIN = re.compile(r'\s+(?:File "|raise\b|return\b|[~^]+$|[\w.]+ = \S+\()')
"""What a log begins with that was cut in the middle of a Python traceback."""
_FRAME = re.compile(r'\s+(?:at \S|File "|from \S+:\d+)')
_GO_STARTS = ("panic: ", "fatal error: ", "goroutine ")
_GO_PANIC = re.compile(r"\bpanic(?:ked)?\b", re.IGNORECASE)
_GO_LINKS = (*_GO_STARTS, "created by ", "[signal ", "exit status ", "runtime stack:")


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerLog:
    """The log of one container as the API gave it, with timestamps; `previous` is that of the one before a restart."""

    namespace: str
    pod: str
    container: str
    previous: bool
    text: str


@dataclass(kw_only=True, slots=True)
class Record:
    """One thing that a program said: a line, or a stack trace of many. `time` is the kubelet's, RFC 3339."""

    time: str | None
    lines: list[str] = field(default_factory=list)
    error: str = ""
    """The line in which a Python traceback says what happened; the last one of a chain."""
    open: bool = False
    """A Python traceback that has not come to that line yet."""
    after_hole: bool = False
    """Lines that came before it were not kept: from when on a program says something cannot be told by it."""
    linked: bool = False
    """Its last line says that another traceback follows."""

    @property
    def is_trace(self) -> bool:
        """Whether it is a stack trace."""
        return self.lines[0].startswith((_TRACEBACK, *_GO_STARTS)) or any(
            _JAVA_LINK.match(line) or line.startswith(("\tat ", "    at ", "goroutine ")) for line in self.lines[1:]
        )

    @property
    def message(self) -> str:
        """The most telling line of a trace with where it happened, the whole of anything else in one line."""
        if self.error:
            frames = [line.strip() for line in self.lines if line.lstrip().startswith('File "')]
            return f"{self.error} ({frames[-1]})" if frames else self.error
        if self.is_trace:
            causes = [line for line in self.lines[1:] if line.startswith("Caused by: ")]
            return " | ".join([self.lines[0], *causes[-1:]])
        return " ".join(line.strip() for line in self.lines if line.strip())

    def take(self, line: str) -> bool:
        """Take the line when it belongs to this record, else leave it and say so."""
        if not (self._indented(line) or self._python(line) or self._go(line) or _JAVA_LINK.match(line)):
            return False
        if len(self.lines) < _MAX_TRACE_LINES:
            self.lines.append(line)
        return True

    def _indented(self, line: str) -> bool:
        """A line of a trace, or one with a tab, which goes on with what was said. Banners are indented with spaces."""
        if line[:1] not in (" ", "\t") or not line.strip():
            return False
        return self.open or self.is_trace or line[0] == "\t" or bool(_FRAME.match(line))

    def _python(self, line: str) -> bool:
        """A traceback ends with the error's own line; more tracebacks may be chained to it, by a line that says so."""
        if not (self.open or self.error):
            return False
        if self.error and line.startswith(_PYTHON_ADDS):
            return True
        if self.open and _PYTHON_ERROR.match(line) and not line.startswith((*_PYTHON_LINKS, _TRACEBACK)):
            self.error, self.open = line, False
            return True
        if line.startswith(_TRACEBACK):
            follows = self.open or self.linked
            self.open, self.linked = follows, False
            return follows
        self.linked = self.linked or line.startswith(_PYTHON_LINKS)
        return not line.strip() or line.startswith(_PYTHON_LINKS)

    def _go(self, line: str) -> bool:
        """A panic with its goroutines; net/http tells of it in a line of its own words."""
        if not self.lines[0].startswith(_GO_STARTS) and not (
            _GO_PANIC.search(self.lines[0]) and (len(self.lines) > 1 or line.startswith("goroutine "))
        ):
            return False
        return not line or line.startswith(_GO_LINKS) or (line.endswith(")") and "(" in line)


def records(text: str) -> Iterator[Record]:
    """The records of a log, in its order. Blank lines only hold traces together."""
    current: Record | None = None
    hole = hole_in(text)
    for place, raw in enumerate(text.split("\n")):
        time, whole = _stamp(raw)
        cut_here = place == hole
        for line in _apart(whole):
            if (current is not None and not cut_here and current.take(line)) or not line.strip():
                continue
            if current is not None:
                yield current
            within = (current is None or cut_here) and bool(_WITHIN.match(line))
            opened = within or line.startswith(_TRACEBACK)
            current = Record(time=time, lines=[line], open=opened, after_hole=cut_here)
            cut_here = False
    if current is not None:
        yield current


def _apart(line: str) -> list[str]:
    """The JSON objects of a line, which holds several where threads wrote at once; any other line as it is."""
    if not line.startswith("{") or "}{" not in line:
        return [line]
    found, end = [], 0
    try:
        while end < len(line):
            begin = end
            _, end = _JSON.raw_decode(line, begin)
            found.append(line[begin:end])
    except (ValueError, RecursionError):
        return [line]
    return found


def hole_in(text: str) -> int | None:
    """The place of the first line after a hole: of a long log only its beginning and its newest lines are kept.

    The beginning is HEAD_BYTES long, or a quarter of what was kept where that is less, in whole lines; and then the
    time leaps, farther than it usually does, and than anywhere near.
    """
    lines = text[: HEAD_BYTES + _MAX_LINE].split("\n")
    began, size = _moment(lines[0]), len(lines[0]) + 1
    leaps: dict[int, timedelta] = {}
    for place in range(1, len(lines)):
        if any(0 <= bound - size < _LONG_LINE for bound in (HEAD_BYTES, len(text) / 4)):
            before, after = _moment(lines[place - 1]), _moment(lines[place])
            if began and before and after and after - before > max(_HOLE, 10 * (before - began) / place):
                leaps[place] = after - before
        size += len(lines[place]) + 1
    return max(leaps, key=lambda place: leaps[place], default=None)


def _moment(raw: str) -> datetime | None:
    """The kubelet's time of a line, in whole seconds; None where it is no time."""
    match = _STAMPED.match(raw)
    try:
        return datetime.fromisoformat(f"{match[1][:19]}+00:00") if match else None
    except ValueError:
        return None


def _stamp(raw: str) -> tuple[str | None, str]:
    """The kubelet's time, and the line without it, cleaned and cut."""
    match = _STAMPED.match(raw)
    time, line = (match[1], match[2] or "") if match else (None, raw)
    return time, cut(_CONTROL.sub(" ", _ANSI.sub("", line[:_MAX_LINE])).rstrip(), length=len(line), at=_MAX_LINE)


def cut(text: str, *, length: int | None = None, at: int = MAX_CHARACTERS) -> str:
    """At most `at` characters of the text, and how many of its `length` were left out, now and before."""
    left_out = (len(text) if length is None else length) - at
    if left_out <= 0:
        return text
    if before := _CUT.search(text[-40:]):
        left_out += int(before[1]) - len(before[0])
    return f"{text[:at]} [{left_out} characters cut]"
