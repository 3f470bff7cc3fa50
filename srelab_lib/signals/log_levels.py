"""How bad a log record is, and what it says: JSON, logfmt, and the formats of common programs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_LEVELS: dict[str, str] = {
    word: level
    for level, words in {
        "debug": "trace debug verbose dbg",
        "info": "info information informational notice inf",
        "warning": "warn warning wrn",
        "error": "error err severe",
        "critical": "critical crit fatal panic alert emerg emergency ftl",
    }.items()
    for word in words.split()
}
_WORDS = "|".join(sorted(_LEVELS, key=len, reverse=True))
_KLOG = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d")
_KLOG_LEVELS = {"I": "info", "W": "warning", "E": "error", "F": "critical"}
_LOGFMT = re.compile(rf"(?:^|\s)(?:level|lvl|severity|loglevel)=\"?({_WORDS})\b", re.IGNORECASE)
_BRACKETED = re.compile(rf"[\[<(|]\s?({_WORDS})\s*[\])>|]", re.IGNORECASE)
_LEADING = re.compile(rf"(?:{_WORDS})(?=[:\s\]|-])", re.IGNORECASE)
_SHOUTED = re.compile(rf"(?<![\w=./'\"-])({_WORDS.upper()})(?=[\s:!\]|,-]|$)")
_REDIS = re.compile(r"\d+:[A-Z] \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d+ ([.\-*#]) ")
_REDIS_LEVELS = {".": "debug", "-": "debug", "*": "info", "#": "warning"}
_ACCESS = re.compile(r"\" ([1-5]\d\d) (?:\d+|-)(?:\s|$)")
_HEAD = 160
"""A level stands at the beginning; further on, the word is part of what is said."""

_TROUBLE = re.compile(
    r"\b(?:errors?|exception|failed|failures?|fatal|panic(?:ked)?|refused|denied|cannot|can't|unable to|unreachable"
    r"|timed out|timeout|killed|not found|no such file|no space left|unauthorized|forbidden)\b"
    r"|[a-z](?:Error|Exception)\b",
    re.IGNORECASE,
)
NO_TROUBLE = re.compile(
    r"\b(?:no|0|zero|without|any)\s+(?:\w+\s+)?(?:errors?|exceptions?|failures?|failed|timeouts?)\b"
    r"|\b(?:errors?|exceptions?|failures?|failed|timeouts?|err)(?:[_ ](?:count|total|rate|s))?[\"']?\s*[:=]\s*[\"']?"
    r"(?:0(?![\d.]*[1-9])|none|null|nil|false|ok|no(?=\W*$)|<nil>|\"\"|''|\[\]|\{\})(?![\w])",
    re.IGNORECASE,
)
"""What looks like trouble and says that there is none: `0 errors`, `error: none`, `failed=0`, `without errors`."""

_MESSAGE_KEYS = ("message", "msg", "event", "log", "text", "short_message", "body")
_LEVEL_KEYS = ("level", "severity", "lvl", "levelname", "log.level", "loglevel", "severity_text", "level_name", "@l")
_ERROR_KEYS = ("error", "err", "exception", "exc_info", "exc", "stack_trace", "stacktrace", "stack", "traceback")
_DULL_KEYS = frozenset((
    *_MESSAGE_KEYS, *_LEVEL_KEYS, *_ERROR_KEYS, "time", "ts", "timestamp", "@timestamp", "@t", "asctime", "datetime",
    "date", "logger", "logger_name", "name", "caller", "pid", "process", "thread", "threadname", "thread_name", "v",
    "hostname", "host", "version", "@version", "filename", "lineno", "funcname", "module", "pathname", "created",
    "msecs", "trace_id", "span_id", "traceid", "spanid", "request_id", "requestid", "correlation_id", "service",
    "logname", "insertid",
))  # fmt: skip
_SYSLOG = ("critical", "critical", "critical", "error", "warning", "info", "info", "debug")
"""Severities 0 to 7 of RFC 5424, which GELF has too; pino and bunyan count in tens."""
_PINO = ((60, "critical"), (50, "error"), (40, "warning"), (30, "info"), (0, "debug"))
_MAX_JSON = 64 * 1024


def level_of(line: str) -> str | None:
    """The level that the line itself names, else `error` or None by what it says."""
    head = line[:_HEAD]
    if match := _KLOG.match(head):
        return _KLOG_LEVELS[match[1]]
    if match := _REDIS.match(head):
        return _REDIS_LEVELS[match[1]]
    for pattern in (_LOGFMT, _BRACKETED, _SHOUTED):
        if match := pattern.search(head):
            return _LEVELS[match[1].lower()]
    if (match := _LEADING.match(head)) and (says_trouble(line) or not says_trouble(match[0])):
        return _LEVELS[match[0].lower()]
    if match := _ACCESS.search(line):
        return "error" if match[1].startswith("5") else "info"
    return "error" if says_trouble(line) else None


def says_trouble(line: str) -> bool:
    """Whether the words speak of a failure, and not of the absence of one."""
    return bool(_TROUBLE.search(NO_TROUBLE.sub(" ", line)))


def parse_json(line: str) -> tuple[str | None, str] | None:
    """Level and message of a structured record, None when the line is none.

    The message keeps the other fields as `key=value`: what a program says is often in them.
    """
    if not (line.startswith("{") and line.endswith("}")) or len(line) > _MAX_JSON:
        return None
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    known = {str(key).lower(): value for key, value in fields.items()}
    message = _message(known)
    return _json_level(known) or ("error" if says_trouble(message) else None), message


def _message(known: Mapping[str, Any]) -> str:
    inner = next((value for value in known.values() if isinstance(value, dict) and _has_message(value)), None)
    if inner is not None and not _has_message(known):
        known = {**known, **inner}  # `{"severity": ..., "jsonPayload": {"message": ...}}`
    said = [_text(known[key]) for key in (*_MESSAGE_KEYS, *_ERROR_KEYS) if known.get(key) not in (None, "", {}, [])]
    rest = [f"{key}={_text(value)}" for key, value in known.items() if key not in _DULL_KEYS and _is_scalar(value)]
    return " ".join([": ".join(dict.fromkeys(said)), *rest]).strip()


def _has_message(fields: Mapping[str, Any]) -> bool:
    return any(key in fields for key in _MESSAGE_KEYS)


def _text(value: object) -> str:
    """In one line; of a stack trace in a field the line that says what happened."""
    if isinstance(value, dict):
        value = value.get("message") or value.get("msg") or json.dumps(value, ensure_ascii=False)
    lines = [line.strip() for line in str(value).splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1] if lines[0].startswith("Traceback (") else lines[0]


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float | bool) and value != ""


def _json_level(known: Mapping[str, Any]) -> str | None:
    nested = known.get("log")
    values = [known.get(key) for key in _LEVEL_KEYS]
    if isinstance(nested, dict):
        values.append(nested.get("level"))
    for value in values:
        if isinstance(value, int | float) and not isinstance(value, bool):
            if 0 <= value < len(_SYSLOG):
                return _SYSLOG[int(value)]
            return next((level for least, level in _PINO if value >= least), None)
        if isinstance(value, str) and value.lower() in _LEVELS:
            return _LEVELS[value.lower()]
    return None
