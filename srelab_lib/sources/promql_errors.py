"""What Prometheus' lexer says about a query that it cannot read: brackets, quotes, characters.

This is not a parser. Errors of grammar, types and names are not seen here. Messages and positions:
promql/parser/lex.go of Prometheus 3, and its answers.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"(?P<space>\s+|\#[^\n]*)"
    r"|(?P<string>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`[^`]*`)"
    r"|(?P<quote>[\"'`])"
    r"|(?P<operator>==|=~|!=|!~|<=|>=|[-+*/%^<>=])"
    r"|(?P<word>[A-Za-z_:0-9.][A-Za-z_:0-9.]*)"
    r"|(?P<bracket>[(){}\[\]])"
    r"|(?P<other>[,@])"
    r"|(?P<bad>.)",
    re.DOTALL,
)
_BINARY = frozenset(["+", "-", "*", "/", "%", "^", "==", "!=", "<", ">", "<=", ">=", "and", "or", "unless", "atan2"])


class PromqlError(Exception):
    """A query that Prometheus answers with 400; the message is the server's, without `invalid parameter`."""


def check_promql(expr: str) -> None:
    """Nothing for a query without an error that the lexer sees.

    Raises:
        PromqlError: with the position and the words of the server.
    """
    open_brackets: list[str] = []
    last = ""
    for match in _TOKEN.finditer(expr):
        kind, text = str(match.lastgroup), match[0]
        if kind == "space":
            continue
        if kind == "quote":
            raise _error(expr, match.start(), f"unterminated {'raw' if text == '`' else 'quoted'} string")
        inside = open_brackets[-1] if open_brackets else ""
        if kind == "bad":
            raise _error(expr, match.start(), _unexpected(text, inside))
        if kind == "bracket":
            _bracket(expr, match, open_brackets)
        last = text
    if "{" in open_brackets:
        raise _error(expr, len(expr), "unexpected end of input inside braces")
    if "(" in open_brackets:
        raise _error(expr, len(expr), "unclosed left parenthesis")
    if "[" in open_brackets:
        raise _error(expr, len(expr), "unclosed left bracket")
    if not last:
        raise PromqlError("unknown position: parse error: no expression found in input")
    if last.lower() in _BINARY:
        raise _error(expr, len(expr), "unexpected end of input")


def _bracket(expr: str, match: re.Match[str], open_brackets: list[str]) -> None:
    text, start = match[0], match.start()
    inside = open_brackets[-1] if open_brackets else ""
    if inside == "{" and text != "}":
        raise _error(expr, start, "unexpected left brace '{'" if text == "{" else _unexpected(text, inside))
    if text in "({[":
        if text == "[" and "[" in open_brackets:
            raise _error(expr, start, "unexpected left bracket '['")
        open_brackets.append(text)
    elif text == ")":
        if "(" not in open_brackets:
            raise _error(expr, match.end(), "unexpected right parenthesis ')'")
        open_brackets.remove("(")
    elif text == "]":
        if "[" not in open_brackets:
            raise _error(expr, start, "unexpected right bracket ']'")
        open_brackets.remove("[")
    elif inside == "{":
        open_brackets.pop()
    else:
        raise _error(expr, start, _unexpected(text, inside))


def _unexpected(text: str, inside: str) -> str:
    where = {"{": " inside braces", "[": " in duration expression"}.get(inside, "")
    return f"unexpected character{where}: '{text}'"


def _error(expr: str, offset: int, message: str) -> PromqlError:
    """With the position as line and column, which count bytes from 1."""
    before = expr[:offset]
    line = before.count("\n") + 1
    column = len(before[before.rfind("\n") + 1 :].encode()) + 1
    return PromqlError(f"{line}:{column}: parse error: {message}")
