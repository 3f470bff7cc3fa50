"""report.html in a real browser, on a phone and on a desk: nothing sideways, no request, no complaint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import browser
import diagnosis_samples as samples
import pytest
import telemetry_samples as telemetry
from hostile_samples import ATTACKS, hostile, hostile_analysis

from srelab_lib.model import Analysis, Diagnosis, Evidence
from srelab_lib.reports import render

PROGRAM = browser.find()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason=f"none of {', '.join(browser.NAMES)} is installed")

LINE = "x" * 300
LONG = f"Deployment/default/{'a-long-name-' * 20}"


def unbroken() -> Diagnosis:
    """A log line of 300 characters without a blank, and an object with the longest name."""
    base = samples.oom()
    log = Evidence(id="E7", kind="log", object=LONG, text=LINE, time=telemetry.KILLED)
    command = replace(samples.ACTIONS[0], command=f"kubectl edit {LONG}")
    return replace(
        base,
        verdict=replace(base.verdict, object=LONG, summary=f"{LONG} is down. {LINE}", change=LINE),
        evidence=replace(base.evidence, items=(*base.evidence.items, log), dropped=(LINE,)),
        actions=(command, *base.actions),
        checked=(LINE,),
        candidates=tuple(replace(item, object=LONG, summary=LINE) for item in base.candidates),
    )


CASES: dict[str, tuple[Diagnosis, Analysis | None]] = {
    "fault": (samples.oom(), samples.ANALYSIS),
    "no_fault": (samples.no_fault(), samples.NO_MODEL),
    "inconclusive": (samples.inconclusive(), None),
    "unbroken": (unbroken(), hostile_analysis(LINE)),
    "hostile": (hostile("".join(ATTACKS[:6])), hostile_analysis(ATTACKS[0])),
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Page]:
    assert PROGRAM is not None
    with browser.chromium(PROGRAM, tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="module", params=CASES)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    diagnosis, analysis = CASES[request.param]
    return render(diagnosis, analysis, tmp_path_factory.mktemp(request.param), run=samples.RUN)["report.html"]


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_and_keeps_quiet(page: browser.Page, report: Path, width: int) -> None:
    page.requests.clear()
    page.complaints.clear()
    page.open(report, width)
    page.value("document.querySelectorAll('details').forEach(part => part.open = true)")
    scroll, client = page.value("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert scroll <= client
    assert client >= width - 20
    assert [url for url in page.requests if not url.startswith(("data:", report.absolute().as_uri()))] == []
    assert page.complaints == []
    assert page.value("document.title") != "owned"
    assert page.value("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.value("document.querySelectorAll('main > section').length") == 8


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(page: browser.Page, report: Path, dark: bool) -> None:
    """WCAG AA: 4.5 to 1 for every text that is shown."""
    page.open(report, 390, dark=dark)
    assert page.value(CONTRAST) >= 4.5


def test_it_can_be_printed(page: browser.Page, report: Path, tmp_path: Path) -> None:
    page.open(report, 1280)
    page.pdf(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


CONTRAST = """
(() => {
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = color => color.slice(0, 3).map(v => linear(v / 255))
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = node => {
    for (let at = node; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  let worst = 21;
  for (const node of document.body.querySelectorAll('*')) {
    if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    worst = Math.min(worst, (a + 0.05) / (b + 0.05));
  }
  return worst;
})()
"""
