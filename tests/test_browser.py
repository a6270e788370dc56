"""The report in a real browser: no error, no request, every figure to be seen."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tauhat.analysis import analyze
from tauhat.datasets import make_tassh_like
from tauhat.report.plots.style import INK, contrast
from tauhat.trial.trial import Trial

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.usefixtures("short_chains"),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

HOSTILE = '<script>window.hacked = 1</script>$x$ "quoted" & <b>bold</b>'


class Browser:
    """Chromium spoken to in its DevTools protocol, through a pair of pipes."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def connect() -> None:
            # The protocol's pipes are file descriptors 3 and 4; move ours out of the way first.
            source, sink = os.dup(to_browser), os.dup(from_browser)
            source, sink = (os.dup2(fd, fd + 100) for fd in (source, sink))
            os.dup2(source, 3)
            os.dup2(sink, 4)

        self._process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={profile}"],
            preexec_fn=connect,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert time.monotonic() < deadline, "the browser does not answer"
            chunk = os.read(self._read, 1 << 20)
            assert chunk, "the browser has gone"
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Result of a command; events on the way are kept."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._write, json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + 60
        while True:
            message = self._message(deadline)
            if message.get("id") == self._number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    def open(self, page: Path, width: int) -> None:
        """Load a page in a window of a width."""
        self.events.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call("Page.navigate", url=page.as_uri())
        deadline = time.monotonic() + 60
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._message(deadline))
        self.evaluate("Promise.all([...document.images].map(i => i.decode().catch(() => 0)))")

    def evaluate(self, expression: str) -> Any:
        """Value of an expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def of_kind(self, *methods: str) -> list[dict[str, Any]]:
        """Parameters of the events with these names."""
        return [e["params"] for e in self.events if e.get("method") in methods]

    def close(self) -> None:
        """End the browser and its pipes."""
        self._process.terminate()
        self._process.wait(timeout=20)
        os.close(self._read)
        os.close(self._write)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Report of the synthetic example with hostile names and labels."""
    df = make_tassh_like(seed=1).rename(columns={"age": HOSTILE, "sbp_12m": f"sbp {HOSTILE}"})
    df["education"] = np.where(df["education"] == df["education"].iloc[0], HOSTILE, "other")
    trial = Trial(
        df,
        outcome=f"sbp {HOSTILE}",
        treatment="arm",
        control="HIC",
        cluster="clinic",
        covariates=[HOSTILE, "female", "education", "bmi", "sbp_0", "urban", "n_nurses"],
    )
    analysis = analyze(
        trial, models=["LMM", "T-Linear", "X-Linear"], random_state=1, n_permutations=99
    )
    page = tmp_path_factory.mktemp("page") / "report.html"
    return analysis.report(page, patient_level=True)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()


IMAGES = """[...document.images].map(i => {
  const r = i.getBoundingClientRect();
  return {width: r.width, height: r.height, right: r.right, natural: i.naturalWidth, alt: i.alt};
})"""


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_page_loads_without_error_or_request(browser: Browser, report: Path, width: int) -> None:
    browser.open(report, width)
    assert browser.of_kind("Runtime.exceptionThrown", "Runtime.consoleAPICalled") == []
    assert [e["entry"]["text"] for e in browser.of_kind("Log.entryAdded")] == []
    requested = [e["request"]["url"] for e in browser.of_kind("Network.requestWillBeSent")]
    assert [u for u in requested if not u.startswith("data:")] == [report.as_uri()]
    assert browser.evaluate("typeof window.hacked") == "undefined"
    assert browser.evaluate("document.scripts.length") == 0


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_every_figure_is_seen_and_nothing_is_cut_off(
    browser: Browser, report: Path, width: int
) -> None:
    browser.open(report, width)
    images = browser.evaluate(IMAGES)
    assert len(images) >= 12
    for image in images:
        assert image["natural"] > 0, image["alt"]
        assert image["width"] >= min(300, width - 40), image
        assert image["height"] > 60, image
        assert image["right"] <= width + 1, image
    # Only tables may be wider than the window, and they scroll on their own.
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    smallest = browser.evaluate(
        "Math.min(...[...document.querySelectorAll('body *')].filter(e => e.innerText)"
        ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
    )
    assert smallest >= 12


CONTRAST = """(() => {
  const light = c => {
    const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$/.test(c)) return c;
    }
    return 'rgb(255, 255, 255)';
  };
  return Math.min(...[...document.querySelectorAll('body *')].filter(e => e.innerText)
    .map(e => [light(getComputedStyle(e).color), light(behind(e))])
    .map(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)));
})()"""


@pytest.mark.parametrize("width", [390, 1280])
def test_no_table_is_cut(browser: Browser, report: Path, width: int) -> None:
    browser.open(report, width)
    browser.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    cut = browser.evaluate(
        "[...document.querySelectorAll('.table')].filter(t => t.scrollWidth > t.clientWidth + 1)"
        ".map(t => t.ariaLabel)"
    )
    assert cut == []


def test_text_has_contrast(browser: Browser, report: Path) -> None:
    browser.open(report, 1280)
    assert browser.evaluate(CONTRAST) >= 4.5


OUTLINE = """({
  headings: [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(h => +h.tagName[1]),
  empty: [...document.querySelectorAll('h1, h2, h3, th, a')]
    .filter(e => !e.textContent.trim()).length,
  alts: [...document.images].map(i => i.alt),
  captions: [...document.querySelectorAll('table')].map(t => t.caption && t.caption.textContent),
  reachable: [...document.querySelectorAll('.table')].every(e => e.tabIndex === 0),
  links: [...document.querySelectorAll('a')].map(a => !!document.querySelector(a.hash)),
  lang: document.documentElement.lang, title: document.title,
  mains: document.querySelectorAll('main').length,
})"""


def test_headings_alternatives_and_tables_can_be_heard(browser: Browser, report: Path) -> None:
    browser.open(report, 1280)
    found = browser.evaluate(OUTLINE)
    levels = found["headings"]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels))
    assert found["empty"] == 0
    assert len(found["alts"]) >= 16
    assert all(40 < len(alt) < 1_500 for alt in found["alts"])
    assert len(set(found["alts"])) == len(found["alts"])
    assert all(found["captions"])
    assert found["reachable"]
    assert found["links"]
    assert all(found["links"])
    assert (found["lang"], found["mains"]) == ("en", 1)
    assert found["title"].startswith("Effect of TASSH")


def test_letters_in_figures_have_contrast(browser: Browser, report: Path) -> None:
    browser.open(report, 1280)
    sources = browser.evaluate("[...document.images].map(i => i.src)")
    colours: set[str] = set()
    for source in sources:
        svg = base64.b64decode(source.split(",", 1)[1]).decode()
        for style in re.findall(r"<text[^>]*style=\"([^\"]*)\"", svg):
            fill = re.search(r"fill: (#[0-9a-f]{3,6})", style)
            colours.add(fill[1] if fill else "#000000")
    assert INK in colours
    # Black and white stand on the cells of maps, whichever of the two is read there.
    on_white = colours - {"#ffffff"}
    assert min(contrast(colour, "white") for colour in on_white) >= 4.5


def test_first_screen_of_a_desktop_holds_the_three_answers(browser: Browser, report: Path) -> None:
    browser.open(report, 1280)
    bottoms = browser.evaluate(
        "[...document.querySelectorAll('.answers .headline')].slice(0, 3)"
        ".map(e => e.getBoundingClientRect().bottom)"
    )
    assert len(bottoms) == 3
    assert max(bottoms) < 900


CHECKLIST = "document.querySelector('#checklist table').getBoundingClientRect().height"


def test_checklist_opens_at_a_click_and_is_printed(browser: Browser, report: Path) -> None:
    browser.open(report, 1280)
    assert browser.evaluate("document.querySelector('#checklist details').open") is False
    assert browser.evaluate("document.querySelector('#checklist').offsetHeight") < 120
    browser.evaluate("document.querySelector('#checklist summary').click()")
    assert browser.evaluate("document.querySelector('#checklist').offsetHeight") > 300
    assert browser.evaluate(CHECKLIST) > 300
    browser.open(report, 1280)
    browser.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert browser.evaluate("document.querySelector('#checklist').offsetHeight") > 300
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")


def test_persons_are_told_only_at_a_click(browser: Browser, report: Path) -> None:
    browser.open(report, 1280)
    assert "values of single persons" in browser.evaluate(
        "document.querySelector('.banner:last-of-type').innerText"
    )
    assert browser.evaluate("document.querySelector('#persons').offsetHeight") < 120
    browser.evaluate("document.querySelector('#persons summary').click()")
    assert browser.evaluate("document.querySelectorAll('#persons tbody tr').length") == 200


def test_names_in_rules_of_subgroups_stay_text(browser: Browser, report: Path) -> None:
    browser.open(report, 1280)
    rules = browser.evaluate("[...document.querySelectorAll('#subgroups table')][0].innerText")
    assert "largest effect" in rules
    assert browser.evaluate("document.querySelectorAll('#subgroups b, #groups b').length") == 0
    assert HOSTILE in browser.evaluate("document.querySelector('#groups').innerText")


def test_prints_on_a4_with_every_figure(browser: Browser, report: Path) -> None:
    # The width of an A4 page between its margins, at 96 points an inch.
    width = round((210 - 2 * 15) / 25.4 * 96)
    browser.open(report, width)
    browser.call("Emulation.setEmulatedMedia", media="print")
    try:
        images = browser.evaluate(IMAGES)
        assert all(image["width"] > 150 and image["height"] > 60 for image in images)
        assert all(image["right"] <= width + 1 for image in images)
        assert browser.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
        # Paper does not scroll.
        wide = browser.evaluate(
            f"[...document.querySelectorAll('table')].filter(t => "
            f"t.getBoundingClientRect().right > {width + 1}).map(t => t.caption.textContent)"
        )
        assert wide == []
        # A long table stands below its figure, a short one beside it.
        columns = browser.evaluate(
            "(() => { const p = document.querySelector('.pair:has(.table):not(:has(.tall))');"
            " const count = () => getComputedStyle(p).gridTemplateColumns.split(' ').length;"
            " const short = count(); const table = p.querySelector('.table');"
            " table.classList.add('tall'); const tall = count(); table.classList.remove('tall');"
            " return [short, tall]; })()"
        )
        assert columns == [2, 1]
        folded = browser.evaluate(
            "[...document.querySelectorAll('.folded table')].map(t => t.offsetHeight)"
        )
        assert folded
        assert min(folded) > 60
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")
    printed = browser.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert b"/MediaBox [0 0 594.95996 841.91998]" in pdf or b"/MediaBox [0 0 595" in pdf
    assert 8 <= pdf.count(b"/Type /Page\n") <= 30


def test_the_checks_above_would_see_an_error_and_a_request(
    browser: Browser, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<img src='http://127.0.0.1:9/x.png'><script>console.error('no'); missing()</script>"
    )
    browser.open(bad, 800)
    assert browser.of_kind("Runtime.exceptionThrown")
    assert browser.of_kind("Runtime.consoleAPICalled")
    requested = [e["request"]["url"] for e in browser.of_kind("Network.requestWillBeSent")]
    assert "http://127.0.0.1:9/x.png" in requested
