"""Walking notebooks headless: real small notebooks through papermill, kept as pages with an index."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from srelab_lib.errors import SettingsError
from srelab_lib.lab import walk as walking
from srelab_lib.lab.process import silent

PASSES = "print('word is', word)"
FAILS = "raise ValueError('<b>the reason</b>')"


def notebook(path: Path, parameters: str, code: str) -> None:
    cells = [
        new_markdown_cell("# Title\n\n$x^2$"),
        new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        new_code_cell(code),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("notebooks")
    notebook(folder / "00_first.ipynb", "output_dir = ''\nword = 'none'", PASSES)
    notebook(folder / "01_second.ipynb", "output_dir = ''", FAILS)
    notebook(folder / "99_last.ipynb", "output_dir = ''", PASSES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walking, "NOTEBOOKS", folder)
        yield folder


@pytest.fixture(scope="module")
def walked(notebooks: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bool, list[str]]:
    """A walk that passes twice, fails, and has one more notebook to go: its folder, its result, what it said."""
    folder, said = tmp_path_factory.mktemp("walk"), list[str]()
    paths = walking.chosen(["00", "00", "01", "99"])
    ok = walking.walk(paths, folder, parameters={"word": "spoken"}, progress=said.append)
    return folder, ok, said


@pytest.mark.usefixtures("notebooks")
def test_all_but_the_cleanup_run_unless_it_is_named() -> None:
    assert [path.name[:2] for path in walking.chosen([])] == ["00", "01"]
    assert [path.name[:2] for path in walking.chosen(["99", "00", "00"])] == ["99", "00", "00"]
    with pytest.raises(SettingsError, match="no notebook 42"):
        walking.chosen(["00", "42"])


def test_a_walk_stops_at_what_fails_and_says_why(walked: tuple[Path, bool, list[str]]) -> None:
    folder, ok, said = walked
    results = {file.parent.name: json.loads(file.read_text())["ok"] for file in folder.glob("*/walk.json")}
    assert not ok
    assert results == {"00_first": True, "00_first-again": True, "01_second": False}
    assert any("the reason" in line for line in said)


def test_the_index_leads_to_a_page_of_each_run(walked: tuple[Path, bool, list[str]]) -> None:
    folder, _, _ = walked
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'href="(\S+)/run.html"', index) == ["00_first", "00_first-again", "01_second"]
    assert "word is spoken" in (folder / "00_first" / "run.html").read_text(encoding="utf-8")


def test_pages_load_nothing_from_a_network(walked: tuple[Path, bool, list[str]]) -> None:
    loads = re.compile(r"""(?:src=|@import |url\()["']?https?://[^"')]+|<link[^>]+https?://[^>]+""")
    pages = {page: loads.findall(page.read_text(encoding="utf-8")) for page in walked[0].rglob("*.html")}
    assert len(pages) == 4
    assert not any(pages.values()), pages


def test_a_parameter_that_no_notebook_has_is_refused_before_anything_runs(notebooks: Path, tmp_path: Path) -> None:
    folder = tmp_path / "walk"
    with pytest.raises(SettingsError, match="wrod"):
        walking.walk(sorted(notebooks.glob("*.ipynb")), folder, parameters={"wrod": "x"}, progress=silent)
    assert not folder.exists()
