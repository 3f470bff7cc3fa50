"""One tree of errors. Every error says what failed, where, and what to try."""

from __future__ import annotations


class SrelabError(Exception):
    """The root. `source` names what failed; `hint` says what a person can do about it."""

    def __init__(self, message: str, *, source: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.source}: " if self.source else ""
        hint = f"\nhint: {self.hint}" if self.hint else ""
        return f"{where}{self.message}{hint}"

    def _render_traceback_(self) -> list[str]:
        """What Jupyter shows of it: the message and the hint, without the library's frames."""
        return [f"{type(self).__name__}: {self}"]


class SettingsError(SrelabError):
    """A parameter that cannot be right: unknown name, wrong type, value out of range."""


class SourceError(SrelabError):
    """A server, a file or a repository did not give what was asked of it."""


class UnreachableError(SourceError):
    """Nothing answered: refused, no route, unknown host, no cluster."""


class DeadlineError(SourceError):
    """The time that was set for it ran out."""


class TooLargeError(SourceError):
    """An answer was larger than its bound."""


class ApiError(SourceError):
    """The server answered with an error. `status` is the HTTP status, `body` its answer, redacted."""

    def __init__(self, message: str, *, status: int, source: str = "", hint: str = "", body: str = "") -> None:
        super().__init__(message, source=source, hint=hint)
        self.status = status
        self.body = body


class RecordingError(SourceError):
    """A recorded incident is missing, damaged or of another version."""


class ModelError(SrelabError):
    """The language model gave nothing that can be used."""
