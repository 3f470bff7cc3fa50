"""The shape of the code: floors, sizes, names, and notebooks that tell while the library does."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "srelab_lib").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def code_cells(path: Path) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_floors_hold() -> None:
    result = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


def test_no_module_is_longer_than_400_lines() -> None:
    assert [str(path) for path in MODULES if len(path.read_text(encoding="utf-8").splitlines()) > 400] == []


def test_importing_does_nothing_slow_or_global() -> None:
    program = (
        "import sys, logging, socket\n"
        "socket.create_connection = socket.getaddrinfo = None\n"
        "import matplotlib; before = matplotlib.rcParams.copy()\n"
        "import srelab_lib\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "assert not logging.getLogger().handlers\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_public_names_exist() -> None:
    import srelab_lib

    assert srelab_lib.__all__ == sorted(srelab_lib.__all__, key=str.casefold)
    assert [name for name in srelab_lib.__all__ if not hasattr(srelab_lib, name)] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_cells_are_short_and_define_nothing(path: Path) -> None:
    for source in code_cells(path):
        assert len(source.splitlines()) <= 12, source
        forbidden = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try)
        nodes = [type(node).__name__ for node in ast.walk(ast.parse(source)) if isinstance(node, forbidden)]
        assert nodes == [], source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_parameters_cell_holds_literals_only(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    for node in ast.parse("".join(tagged[0]["source"])).body:
        assert isinstance(node, ast.Assign)
        assert isinstance(node.value, ast.Constant)
