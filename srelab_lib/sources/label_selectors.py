"""Label selectors as the API server reads them, with its own words for what it cannot read.

Behaviour and messages: k8s.io/apimachinery pkg/labels, and the answers of a 1.34 API server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Match = Callable[[Mapping[str, Any]], bool]
"""Whether an object is selected."""

_SYMBOLS = "=!(),<>"
_OPERATORS = "in, notin, =, ==, !=, gt, lt"
_TOKENS = frozenset({")", ",", "!", "==", "=", ">", "<", "in", "!=", "notin", "("})
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]")
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_NAME_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


class SelectorError(Exception):
    """A selector that the API server answers with 400; the message is the server's."""


def label_selector(text: str) -> Match:
    """`app=web,tier in (a,b),!legacy` as a test of an object.

    Raises:
        SelectorError: the server would refuse it.
    """
    requirements = _Parser(text).parse()
    return lambda item: all(test((item.get("metadata") or {}).get("labels") or {}) for test in requirements)


class _Parser:
    """labels.Parse: a token at a time, one ahead."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.position = 0

    def peek(self, *, words: bool = False) -> tuple[str, str]:
        """Kind and text of the next token. Where `words` are values, `in` and `notin` are identifiers."""
        token = self.tokens[self.position] if self.position < len(self.tokens) else ""
        kind = token if token in _TOKENS else "identifier" if token else "end"
        return ("identifier", token) if words and token in {"in", "notin"} else (kind, token)

    def next(self, *, words: bool = False) -> tuple[str, str]:
        found = self.peek(words=words)
        self.position += 1
        return found

    def parse(self) -> list[Match]:
        requirements: list[Match] = []
        while True:
            kind, token = self.peek(words=True)
            if kind == "end":
                return requirements
            if kind not in {"identifier", "!"}:
                raise SelectorError(f"found '{token}', expected: !, identifier, or 'end of string'")
            try:
                requirements.append(self.requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from error
            kind, token = self.next()
            if kind == "end":
                return requirements
            if kind != ",":
                raise SelectorError(f"found '{token}', expected: ',' or 'end of string'")
            kind, token = self.peek(words=True)
            if kind not in {"identifier", "!"}:
                raise SelectorError(f"found '{token}', expected: identifier after ','")

    def requirement(self) -> Match:
        key, exists = self.key()
        if exists is not None:
            return lambda labels: (key in labels) is exists
        operator, token = self.next()
        if operator in {"in", "notin"}:
            return _among(key, self.values(), wanted=operator == "in")
        if operator not in {"=", "==", "!=", ">", "<"}:
            raise SelectorError(f"found '{token}', expected: {_OPERATORS}")
        value = self.exact_value()
        if operator in {">", "<"}:
            return _compared(key, value, greater=operator == ">")
        return _among(key, [value], wanted=operator != "!=")

    def key(self) -> tuple[str, bool | None]:
        """The key, and True or False when it must exist or not, None when an operator follows."""
        negated = self.peek()[0] == "!"
        if negated:
            self.next()
        kind, token = self.next(words=True)
        if kind != "identifier":
            raise SelectorError(f"found '{token}', expected: identifier")
        _check_key(token)
        if self.peek()[0] in {"end", ","} or negated:
            return token, not negated
        return token, None

    def exact_value(self) -> str:
        if self.peek(words=True)[0] in {"end", ","}:
            return ""
        kind, token = self.next(words=True)
        if kind != "identifier":
            raise SelectorError(f"found '{token}', expected: identifier")
        return token

    def values(self) -> list[str]:
        kind, token = self.next(words=True)
        if kind != "(":
            raise SelectorError(f"found '{token}' expected: '('")
        kind, token = self.peek(words=True)
        if kind not in {"identifier", ",", ")"}:
            raise SelectorError(f"found '{token}', expected: ',', ')' or identifier")
        found: list[str] = []
        expects_value = True
        while True:
            kind, token = self.next(words=True)
            if kind == ")":
                return [*found, ""] if expects_value else found
            if kind == "," or (kind == "identifier" and expects_value):
                found += [token] if kind == "identifier" else [""] if expects_value else []
                expects_value = kind == ","
                continue
            wanted = "identifier" if expects_value else "',' or ')'"
            raise SelectorError(f"found '{token}', expected: {wanted}")


def _tokens(text: str) -> list[str]:
    """Words and the longest operators, blanks left out."""
    symbols = re.escape(_SYMBOLS)
    return re.findall(rf"==|!=|[{symbols}]|[^\s{symbols}]+", text)


def _check_key(key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        raise SelectorError(f'<nil>: Invalid value: "{key}": prefix part must be non-empty')
    if not _NAME.fullmatch(name):
        raise SelectorError(f'<nil>: Invalid value: "{key}": {_NAME_RULE}')


def _check_value(key: str, index: int, value: str) -> None:
    if value and not _NAME.fullmatch(value):
        raise SelectorError(f'values[{index}][{key}]: Invalid value: "{value}": {_VALUE_RULE}')


def _among(key: str, values: list[str], *, wanted: bool) -> Match:
    for index, value in enumerate(values):
        _check_value(key, index, value)
    return lambda labels: (key in labels and labels[key] in values) is wanted


def _compared(key: str, value: str, *, greater: bool) -> Match:
    if not re.fullmatch(r"[+-]?\d+", value):
        raise SelectorError(
            f"values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer"
        )

    def test(labels: Mapping[str, Any]) -> bool:
        actual = str(labels.get(key, ""))
        if not re.fullmatch(r"[+-]?\d+", actual):
            return False
        return int(actual) > int(value) if greater else int(actual) < int(value)

    return test
