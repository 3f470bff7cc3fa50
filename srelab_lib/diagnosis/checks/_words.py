"""What runtimes, shells and libraries say when a program cannot start: patterns of many languages, of no one app."""

from __future__ import annotations

import re

OOM_AT_START = re.compile(r"OOM-killed|memory limit too low", re.IGNORECASE)

WRONG_ARCH = re.compile(r"exec format error|cannot execute binary file: Exec format", re.IGNORECASE)

_START_COMMAND = re.compile(
    r"executable file .{0,200}not found in \$PATH"
    r"|exec: .{1,300}(?:no such file or directory|permission denied|is a directory|not a directory)"
    r"|exec:? \S+:? (?:no such file or directory|permission denied)"
    r"|no command specified|open executable"
    r"|chdir to cwd|stat \S+: no such file or directory: unknown$",
    re.IGNORECASE,
)

NOT_RUNNABLE = re.compile(
    r"not found|no such file or directory|permission denied|cannot execute|can't open|is a directory", re.IGNORECASE
)

BAD_ARGUMENTS = re.compile(
    r"can't open file '|unable to access jarfile|could not find or load main class"
    r"|cannot find module '/|unrecognized arguments?:|unknown (?:shorthand )?flags?\b|flag provided but not defined"
    r"|unrecognized option|illegal option|invalid option\b|unknown option|error: no such command|unknown command \""
    r"|invalid choice: |(?:unknown|unrecognized|no such|invalid) sub-?command\b|is not a valid (?:sub-?)?command\b"
    r"|exec \S+: (?:no such file or directory|permission denied)|failed to find attribute '\w+' in '"
    r"|bad option: |unexpected argument '|could not open input file: |can't open perl script|unable to load celery app"
    r"|error loading asgi app|python[\d.]*: no module named|\(LoadError\)$",
    re.IGNORECASE,
)
USAGE = re.compile(r"^usage\b", re.IGNORECASE)

SIGNAL_RECEIVED = re.compile(
    r"\b(?:received|caught|got|handling) (?:shutdown )?signal\b|\bsig(?:term|int|kill|hup|quit)\b"
    r"|user requested shutdown|signal 15|\bsignal: (?:term|int|killed|terminated)",
    re.IGNORECASE,
)

ENDED = re.compile(
    r"\b(?:worker|master|child|process|arbiter|supervisor|container|program)\b.{0,40}"
    r"\b(?:boot|exit(?:s|ed|ing)?|shut|stopp?(?:s|ed|ing)?|died|dead|terminat\w+|spawn\w*)\b"
    r"|\bshutting down\b|\bexit(?:s|ed|ing)? (?:with )?(?:code|status)\b",
    re.IGNORECASE,
)
"""That a process ended, as its supervisor says it: no reason."""
ERROR = re.compile(
    r"\berror\b|exception|fatal|panic|traceback|\bfail(?:ed|ure|ing)?\b|cannot|can't|could not|denied|refused|unable to"
    r"|\w+Error\b|\babort",
    re.IGNORECASE,
)

# A variable's name as people write them; the bare forms want an underscore, or "TLS is required" would be one.
_NAME = r"[\"'`$\[{]{0,3}(?P<name>[A-Z][A-Z0-9_]{1,80})[\"'`\]}]{0,2}"
_JOINED = r"[\"'`$\[{]{0,3}(?P<name>[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)[\"'`\]}]{0,2}"
_GIVEN = r"(?:set|defined|specified|provided|present|found|configured|supplied)"
_ABSENT = (
    rf"(?:(?:(?:is|was|are|has|were)(?: not|n't)|not|is un|un)(?: been)? ?{_GIVEN}"
    r"|(?:is |was |are )?(?:required|missing|undefined|empty|mandatory|null|blank)"
    rf"|(?:must|should|needs? to|has to) (?:not )?be (?:{_GIVEN}|empty|blank|unset))"
)
_ENV = r"env(?:ironment)?(?:[ -]?var(?:iable)?s?(?:\(s\))?)?"

_LACKING = r"(?:missing|required|undefined|unset|no|empty|mandatory|without)"

_MISSING_VARIABLE = tuple(
    re.compile(pattern)
    for pattern in (
        rf"KeyError: {_NAME}(?= \(|$)",
        rf"(?i:(?:key not found|undefined (?:array key|index)):? ){_NAME}",
        rf"(?i:{_ENV}:? ){_NAME},? (?i:{_ABSENT})",
        rf"{_NAME} (?i:{_ENV}) ?(?i:{_ABSENT})",
        rf"(?i:{_LACKING}(?: the)?(?: required| mandatory)? {_ENV}(?: named| called)?[:=]? ){_NAME}",
        rf"(?i:(?:missing|required|undefined|unset|no such) {_ENV}.{{0,40}}?[ :\[]){_NAME}",
        rf"(?i:required key ){_NAME}(?i: missing value)",
        rf"(?i:set (?:the )?){_NAME} (?i:{_ENV})",
        rf"(?i:must (?:set|specify|provide|define) (?:the )?){_JOINED}",
        rf"{_NAME}: (?i:unbound variable|parameter (?:null or )?not set|must be set|not set)",
        rf"(?i:could not resolve placeholder ['\"]?){_NAME}",
        rf"{_NAME} not found\. Declare it as envvar",
        rf"{_JOINED}:? (?i:{_ABSENT})(?![-\w])",
        rf"(?i:missing (?:required )?(?:config(?:uration)?|setting|parameter|value)s?:? (?:for )?){_JOINED}",
        rf"(?i:one of the following as an environment variable).{{0,20}}?{_NAME}",
    )
)
_UNNAMED = re.compile(
    r"(?i)environment variable not found|missing (?:required )?environment variables?\b|: NotPresent$"
)
_PYDANTIC = re.compile(r"^\s*field required\b", re.IGNORECASE)
_PYDANTIC_LINE = re.compile(r"\bvalidation errors? for \w*(?:settings|config\w*|env\w*)\b.*\bfield required\b", re.I)
"""All of pydantic's message in one line, as log shippers join it: its settings are read from the environment."""


def missing_variable(message: str, before: str = "") -> str | None:
    """The environment variable that a line says is missing, "" when it names none, None when it says no such thing.

    Args:
        message: the log line.
        before: the line above it; pydantic writes the field's name there.
    """
    if _PYDANTIC.match(message):
        return before.strip().upper()
    matches = (pattern.search(message.strip()) for pattern in _MISSING_VARIABLE)
    name = next((match["name"] for match in matches if match), None)
    unnamed = _UNNAMED.search(message) or _PYDANTIC_LINE.search(message)
    return "" if name is None and unnamed else name


def of_start_message(message: str) -> str | None:
    """Fault id of a message with which the runtime refused to start a container, or None."""
    if WRONG_ARCH.search(message):
        return "image_wrong_arch"
    return "crash_bad_command" if _START_COMMAND.search(message) else None
