"""Walks the notebooks headless, one after the other, and keeps them as pages with an index.

python -m srelab_lib.lab.walk                        00 to 09 into runs/<UTC>-walk/
python -m srelab_lib.lab.walk 01 02 --folder F       these two; a number given twice is run twice
python -m srelab_lib.lab.walk 99 --folder F          joins the index that is in F
python -m srelab_lib.lab.walk --set model=phi3:mini  to each notebook that has such a parameter
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jinja2
import nbformat
import papermill
from nbconvert import HTMLExporter

from srelab_lib.errors import SettingsError, SrelabError
from srelab_lib.lab.step import PROJECT, Progress, phase_folder
from srelab_lib.lab.ticking import ticking

NOTEBOOKS = PROJECT / "notebooks"
CLEANUP = "99"
"""Runs only when it is named: it takes away what the others have built."""
NOTEBOOK_SECONDS = 1800.0
STOP_SECONDS = 30.0
REPORT = "report.html"
RESULT = "walk.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """A notebook of the walk, once run.

    Attributes:
        name: the notebook's name without ending; a second run of it ends in "-again".
        ok: whether it ran to its end.
        started: UTC, RFC 3339.
        seconds: wall clock, its kernel's start included.
    """

    name: str
    ok: bool
    started: str
    seconds: float


def notebooks() -> dict[str, Path]:
    """Every numbered notebook by its number, in order."""
    return {path.name[:2]: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}


def chosen(numbers: Sequence[str]) -> list[Path]:
    """The notebooks of these numbers; all but the cleanup where none is given.

    Raises:
        SettingsError: there is no such notebook.
    """
    known = notebooks()
    unknown = [number for number in numbers if number not in known]
    if unknown:
        raise SettingsError(f"no notebook {', '.join(unknown)}", hint=f"there are {', '.join(known)}")
    return [known[number] for number in numbers or known if numbers or number != CLEANUP]


def walk(paths: Sequence[Path], folder: Path, *, parameters: Mapping[str, str], progress: Progress) -> bool:
    """Runs notebooks in order until one fails; the index is whole after each of them.

    Args:
        paths: the notebooks.
        folder: gets a page, the output notebook and what the notebook itself writes, for each of them.
        parameters: set in each notebook that has a parameter of that name.
        progress: is told what runs and how it went.

    Returns:
        Whether all of them ran to their end.

    Raises:
        SettingsError: no notebook has such a parameter.
    """
    unknown = set(parameters).difference(*map(_parameters, paths))
    if unknown:
        raise SettingsError(f"no notebook of these has a parameter {', '.join(sorted(unknown))}")
    for path in paths:
        stop = _run(path, folder, parameters, progress)
        _page(folder, stop)
        index(folder)
        progress(f"{'ok    ' if stop.ok else 'FAILED'} {stop.seconds:5.0f} s  {stop.name}")
        if not stop.ok:
            return False
    return True


def index(folder: Path) -> Path:
    """Writes index.html over everything that was walked into the folder so far."""
    rows = []
    for file in sorted(folder.glob(f"*/{RESULT}"), key=lambda file: json.loads(file.read_text())["started"]):
        inner = file.parent
        summary = inner / "summary.json"
        steps = json.loads(summary.read_text(encoding="utf-8"))["steps"] if summary.exists() else []
        reports = [report.relative_to(folder).as_posix() for report in sorted(inner.rglob(REPORT))]
        rows.append({**json.loads(file.read_text()), "steps": steps, "reports": reports})
    environment = jinja2.Environment(loader=jinja2.PackageLoader("srelab_lib.lab", "."), autoescape=True)
    target = folder / "index.html"
    text = environment.get_template("walk.html.j2").render(rows=rows, title=folder.name)
    target.write_text(text + "\n", encoding="utf-8")
    return target


def _run(path: Path, folder: Path, parameters: Mapping[str, str], progress: Progress) -> Stop:
    name = path.stem if not (folder / path.stem / RESULT).exists() else f"{path.stem}-again"
    inner = folder / name
    inner.mkdir(parents=True, exist_ok=True)
    mine = {key: value for key, value in parameters.items() if key in _parameters(path)}
    given = [part for key, value in {"output_dir": str(inner), **mine}.items() for part in ("-p", key, value)]
    command = [
        sys.executable,
        "-m",
        "papermill",
        "--no-progress-bar",
        "--log-output",
        str(path),
        str(inner / "run.ipynb"),
    ]
    started, clock = datetime.now(UTC), time.monotonic()
    with ticking(progress, name), (inner / "run.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen([*command, *given], stdout=log, stderr=subprocess.STDOUT)  # noqa: S603 (no shell)
        try:
            ok = process.wait(timeout=NOTEBOOK_SECONDS) == 0
        except (subprocess.TimeoutExpired, KeyboardInterrupt) as stopped:
            _end(process)
            if isinstance(stopped, KeyboardInterrupt):
                raise
            ok = False
    stop = Stop(
        name=name,
        ok=ok,
        started=started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        seconds=round(time.monotonic() - clock, 1),
    )
    fields = {key: getattr(stop, key) for key in stop.__slots__}
    (inner / RESULT).write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
    if not ok:
        progress("\n".join((inner / "run.log").read_text(encoding="utf-8", errors="replace").splitlines()[-15:]))
    return stop


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _page(folder: Path, stop: Stop) -> None:
    """The output notebook as a page that loads nothing from a network."""
    source = folder / stop.name / "run.ipynb"
    if not source.exists():  # papermill refused a parameter before it began
        return
    exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="")
    body, _ = exporter.from_notebook_node(nbformat.read(source, as_version=4))
    source.with_suffix(".html").write_text(body, encoding="utf-8")


def _parameters(path: Path) -> set[str]:
    return set(papermill.inspect_notebook(str(path)))


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m srelab_lib.lab.walk", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("numbers", nargs="*", help="which notebooks, such as 01 02; all but 99 where none is given")
    parser.add_argument("--folder", default="", help="where the pages go; runs/<UTC>-walk/ by default")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter; may be repeated")
    given = parser.parse_args(arguments)

    def tell(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    folder = phase_folder("walk", given.folder)
    try:
        parameters = dict(pair.split("=", 1) for pair in given.set)
        ok = walk(chosen(given.numbers), folder, parameters=parameters, progress=tell)
    except ValueError:
        parser.error("--set takes NAME=VALUE")
    except SrelabError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    tell(f"pages of every notebook: {folder / 'index.html'}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
