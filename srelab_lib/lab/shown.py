"""A table of sentences and commands as a notebook shows it: to the left, wrapped, without row numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from pandas.io.formats.style import Styler

if TYPE_CHECKING:
    from pandas.io.formats.style_render import CSSDict

BAR = "#56B4E9"
WORD = 30
"""Characters of a word that no column breaks."""
CELL = "text-align: left; vertical-align: top; white-space: normal; overflow-wrap: anywhere"


def shown(table: pd.DataFrame) -> Styler:
    """The table for reading. Long names and commands are broken, not cut, and can be copied whole; words are not."""
    left: list[CSSDict] = [
        {"selector": "th", "props": "text-align: left"},
        {"selector": "td", "props": CELL},
    ]
    style = table.style.hide(axis="index").set_table_styles(left).format(precision=4)
    for column in table.columns:
        words = f"{column} {' '.join(map(str, table[column]))}".split()
        style.set_properties(subset=[column], **{"min-width": f"{min(WORD, max(map(len, words)))}ch"})
    return style


def shares(table: pd.DataFrame, column: str, limit: int) -> Styler:
    """The same, with a bar behind each number of a column: how much of `limit` it is."""
    wide = shown(table).set_properties(subset=[column], **{"min-width": "24em"})
    return wide.bar(subset=[column], vmin=0, vmax=max(limit, 1), color=BAR)
