"""Texts of a report come out as they went in, whatever they hold, and quantities as a person says them."""

from __future__ import annotations

import math

import pytest
from html_reader import Page
from markdown_it import MarkdownIt

from srelab_lib.reports.text import code_block, code_span, markdown, quantity, sentences, visible


def test_visible_writes_what_cannot_be_seen() -> None:
    assert visible("a\x1b[31m\u202eb\u200bc\nd\te") == "a\\x1b[31m\\u202eb\\u200bc\nd\te"
    assert visible("größer 漢字") == "größer 漢字"


@pytest.mark.parametrize("words", ["`", "```\nout", "a `b` c", "", "ends in `"])
def test_code_cannot_be_closed_from_within(words: str) -> None:
    for written, tag in ((code_span(words), "code"), (code_block(words), "pre")):
        read = Page(MarkdownIt().render(written))
        assert tag in read.names()
        assert "".join(read.words).split() == words.split()


@pytest.mark.parametrize(
    "words", ["8.25 seconds", "kubernetes v1.34.3", "oom_killed of web", "1-2", "ended: OOMKilled (1)"]
)
def test_plain_words_stay_plain_in_markdown(words: str) -> None:
    assert markdown(words) == words


@pytest.mark.parametrize(
    "words", ["1. one", "- item", "# head", "* star", "a_b _c_ d", "[x](y)", "<i>", "&lt;", "http://a.b/c"]
)
def test_markdown_comes_out_as_it_went_in(words: str) -> None:
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(markdown(words))
    assert "".join(Page(rendered).words).strip() == words
    assert Page(rendered).names() == {"p"}


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.381, "ratio", "38 %"),
        (0.0, "ratio", "0 %"),
        (10 * 2**20, "bytes", "10 MiB"),
        (0.0452, "seconds", "45 ms"),
        (2.5, "seconds", "2.5 s"),
        (7.52, "requests/s", "7.5 requests/s"),
        (123.4, "requests/s", "123 requests/s"),
        (0.0, "bytes", "0 B"),
        (math.nan, "ratio", "no value"),
    ],
)
def test_quantities_as_a_person_says_them(value: float, unit: str, words: str) -> None:
    assert quantity(value, unit) == words


def test_sentences_are_not_split_inside_names() -> None:
    assert sentences("Pod a.b.c is down. It asked v1.2 of x. Then not") == [
        "Pod a.b.c is down.",
        "It asked v1.2 of x.",
        "Then not",
    ]
