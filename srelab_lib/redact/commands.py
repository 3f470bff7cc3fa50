"""Passwords in command lines: in a text, in a list of words (`command`, `args`, a probe), in a list of YAML.

What an option means is its program's: `-p` is a password after `mysql` and a port after `psql`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from srelab_lib.redact.words import conceal, is_count, is_reference, is_secret_key

# `-P` is a port, and `-p` alone has mysql ask. `-port` is a flag in Go's manner.
_MYSQL = r"-p[\"']?(?=\S)(?!(?:ort|id|ath|rotocol)(?:[=\s\"',]|-[a-z]|\Z))"
# What tells the program, and its option with all that stands before the password. GAP parts two words.
_PROGRAMS = (
    ("curl", r"(?:-[A-Za-z]{0,8}uGAP{0,3}|--(?:proxy-)?userGAP{1,3})(?!https?:)[^\s:\"']{1,64}:"),
    ("mysql", _MYSQL),
    ("mariadb", _MYSQL),
    ("-uroot", _MYSQL),
    ("redis-cli", r"(?:-a|--pass)GAP{1,3}"),
    ("mongo", r"-pGAP{1,3}"),
    ("sshpass", r"-pGAP{0,3}"),
    ("login", r"-pGAP{1,3}"),
)
_TEXT_GAP = r"(?:[ =]|\\?[\"'],\s{0,40}|\\?[\"'])"
_IN_TEXT = tuple(
    (
        program,
        re.compile(
            rf"(?<=[\s\"'\[])(?:{option.replace('GAP', _TEXT_GAP)})"
            r"(?:(?<=')(?P<quoted>[^'\n]{1,256})(?=')|(?P<bare>(?:[^\s\"'<\\,]|,(?![\s\"'])){1,256}))"
        ),
    )
    for program, option in _PROGRAMS
)
_IN_WORDS = tuple(
    (program, re.compile(option.replace("GAP", "[ =]") + r"(?!<secret:)(?P<password>.)", re.DOTALL))
    for program, option in _PROGRAMS
)
_COMMAND_BYTES = 400
_FLOW_LIST = re.compile(r"[ \t+-]*+args:")
_SETTING = re.compile(r"(?P<key>[\w.-]{1,100})=(?P<value>.+)", re.DOTALL)
_OPTION = re.compile(r"-[\w.-]{1,100}")
_OPTION_ITEM = re.compile(r"- +[\"']?-[A-Za-z-]")
_ITEM = re.compile(r"(?P<sign>[+-]?)[ \t]*+- ++")
_LINES_AROUND = 8


def conceal_commands(text: str) -> str:
    """The text with every password that an option of a command gives replaced."""
    for program, pattern in _IN_TEXT:
        if program in text:
            text = _options(program, pattern, text)
    return _yaml_lists(text) if _OPTION_ITEM.search(text) else text


def conceal_words(words: Sequence[str], said: str = "") -> list[str]:
    """The words of one command line with its passwords replaced; `said` is what else tells the program: its image."""
    clean = list(words)
    programs = {program: option for program, option in _IN_WORDS if program in said}
    for index, word in enumerate(words):
        programs |= {program: option for program, option in _IN_WORDS if program in word}
        if not word.startswith("-"):
            continue
        following = words[index + 1] if index + 1 < len(words) else ""
        setting = _SETTING.fullmatch(word)
        if setting and is_secret_key(setting["key"]):
            clean[index] = f"{setting['key']}={_value(setting['key'].lstrip('-'), setting['value'])}"
        elif _OPTION.fullmatch(word) and is_secret_key(word) and not following.startswith("--"):
            clean[index + 1 : index + 2] = [conceal(following)][: len(words) - index - 1]
        for option in programs.values():
            found = option.match(f"{word} {following}")
            if found:
                _hide(clean, words, index, found.start("password"))
    return clean


def _value(key: str, value: str) -> str:
    return value if is_count(key, value) or is_reference(key, value) else conceal(value)


def _hide(clean: list[str], words: Sequence[str], index: int, start: int) -> None:
    """What begins at `start` of a word and the next one: the rest of the word that it stands in."""
    if start > len(words[index]):
        start -= len(words[index]) + 1
        index += 1
    clean[index] = words[index][:start] + conceal(words[index][start:])


def _options(program: str, pattern: re.Pattern[str], text: str) -> str:
    """The passwords of a program's options, which stand behind it in its line, or below it in `args: [...]`."""
    parts: list[str] = []
    done = 0
    for option in pattern.finditer(text):
        line = text.rfind("\n", 0, option.start()) + 1
        first = max(0 if _FLOW_LIST.match(text, line) else line, option.start() - _COMMAND_BYTES)
        if program in text[first : option.start()]:
            begin, end = option.span("quoted" if option["quoted"] else "bare")
            parts += [text[done:begin], conceal(text[begin:end])]
            done = end
    return "".join([*parts, text[done:]])


def _yaml_lists(text: str) -> str:
    """Lists with an item on each line, also in a diff, where they are judged as they were and as they are."""
    lines = text.split("\n")
    for first, last in _runs(lines):
        said = "\n".join(lines[max(0, first - _LINES_AROUND) : last + _LINES_AROUND])
        for gone in "+-":
            _conceal_items(lines, [at for at in range(first, last) if not _is_gone(lines[at], gone)], said)
    return "\n".join(lines)


def _is_gone(line: str, sign: str) -> bool:
    item = _ITEM.match(line)
    return item is not None and item["sign"] == sign


def _runs(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """First and behind-the-last of the lines of each list that holds an option."""
    first, option = 0, False
    for index, line in enumerate([*lines, ""]):
        if not _ITEM.match(line):
            if option:
                yield first, index
            first, option = index + 1, False
        elif _OPTION_ITEM.search(line):
            option = True


def _conceal_items(lines: list[str], numbers: Sequence[int], said: str) -> None:
    words = [_item_word(lines[at]) for at in numbers]
    for at, word, clean in zip(numbers, words, conceal_words(words, said), strict=True):
        if clean != word:
            before, _, after = lines[at].rpartition(word)
            lines[at] = before + clean + after


def _item_word(line: str) -> str:
    item = _ITEM.match(line)
    word = line[item.end() if item else 0 :].rstrip()
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word
