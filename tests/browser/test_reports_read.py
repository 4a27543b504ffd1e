"""What people read in the kept reports, wherever they open them: the numbers of the statistics, in every rendering."""

from __future__ import annotations

import os
import re
import shutil
from base64 import b64encode
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import nbformat
import polars as pl
import pytest
from lab import PANEL, Lab, reopen, watched

import journey_nb as jn
from journey_nb.exports import campaign_statistics
from journey_nb.reports import _print, notebook_page, report_notebooks
from journey_nb.style import column
from journey_nb.subject import open_portfolio, open_stats

pytestmark = pytest.mark.browser

RENDERINGS = ("lab", "classic", "page", "page without JavaScript", "sanitised")
# What a sanitiser like that of GitHub lets through; of scripts, styles and drawings not even the words.
TAGS = set(
    "h1 h2 h3 h4 h5 h6 b i strong em a pre code img div span p br hr ul ol li dl dt dd blockquote table caption thead tbody"
    " tfoot tr th td sub sup small abbr details summary figure figcaption".split()
)
ATTRIBUTES = set("src alt title width height align colspan rowspan scope dir".split())
GONE = "script style svg iframe object embed link meta".split()
PICTURES = {"campaign": 7, "channel": 1, "experiment": 1, "path": 0, "portfolio": 1}
NUMBERS = {
    "messages": "title channel sent delivered opened open_rate clicked click_rate unsubscribed goal_users goal_direct"
    " goal_indirect",
    "channel": "title sent delivered opened open_rate clicked click_rate unsubscribed failed bounced skipped goal_users"
    " goal_direct goal_indirect",
    "ways": "runs users share converted rate",
}


@dataclass(frozen=True)
class Expected:
    """What a report shows: one-row tables as cards, tables in their order, the labels of its charts."""

    cards: list[pl.DataFrame]
    tables: list[pl.DataFrame]
    labels: list[list[Any]]


sample = cache(open_stats)


def expected(name: str) -> Expected:
    """The frames that a report shows, made anew of the statistics; those folded up under pictures come first."""
    if name == "portfolio":
        several = open_portfolio()
        statistics = campaign_statistics(several)
        ranked = statistics.sort("Goals", descending=True, maintain_order=True)
        labels = [
            [goals, goals / reach] for goals, reach in ranked.select("Goals", "Total reach").iter_rows()
        ]
        moved = [
            stats.compare().health().select(
                f"{metric}{end}"
                for metric in ("entrances", "messages_sent", "goals_reached")
                for end in ("", "_prev", "_change")
            )
            for stats in several
        ]  # fmt: skip
        rows = [stats.report() for stats in several]
        read = pl.DataFrame({key: [getattr(row, key) for row in rows] for key in ("read", "loaded", "duplicates", "quarantined")})  # fmt: skip
        return Expected([], [statistics, pl.concat(moved), read], labels)
    stats = sample()
    tested = stats.experiment("offer_test", stats.journey.goals[0].goal_id, mde=0.02)
    rates = [[rate] for rate in tested.table["rate"]]
    if name == "experiment":
        needed = {
            "sample_needed": [tested.sample_needed],
            "sample_needed_observed": [tested.sample_needed_observed],
        }
        return Expected([], [tested.table.drop("lift"), pl.DataFrame(needed)], rates)
    if name == "path":
        return Expected([], [stats.paths(top=20).select(NUMBERS["ways"].split()), differences(stats)], [])
    if name == "channel":
        channel = stats.communications().sort("sent", descending=True)["channel"][0]
        row = stats.communications().filter(pl.col("channel") == channel).drop("channel")
        issues = stats.delivery_issues(channel).sort("count", descending=True, maintain_order=True)
        messages = stats.messages(channel).select(NUMBERS["channel"].split())
        return Expected([row], [messages, issues.drop("channel")], [])
    goals, channels, points = stats.goals(), stats.communications(), stats.points()
    runs = stats.drops().filter(pl.col("grain") == "run")
    count = pl.col("count").sum()
    tables = [
        points,
        stats.branches(),
        goals,
        channels.drop("sent_users", "opened_users", "clicked_users"),
        stats.messages().select(NUMBERS["messages"].split()),
        stats.delivery_issues().sort("count", descending=True, maintain_order=True).head(12),
        tested.table.drop("lift"),
        stats.waiting(),
        runs.group_by("class", "reason").agg(count).sort("count", "reason", descending=[True, False]),
        runs.group_by("title", "class", maintain_order=True).agg(count),
    ]
    stayed = points.filter(pl.col("seconds_p90") >= 60).select("seconds_p50", "seconds_p90")
    labels = [
        *([users, rate] for users, rate in goals.select("users", "conversion_rate").iter_rows()),
        *(
            [n]
            for row in channels.select("sent", "delivered", "opened", "clicked").iter_rows()
            for n in row
            if n
        ),
        *rates,
        *map(list, stayed.iter_rows()),
    ]
    return Expected([stats.health(), stats.audience()], tables, labels)


def differences(stats: jn.JourneyStats) -> pl.DataFrame:
    """How often the runs with a goal and those without came to each step."""
    ways = stats.paths(top=None).to_dicts()
    reached = sum(way["converted"] for way in ways)
    rest = sum(way["runs"] for way in ways) - reached
    seen: dict[str, list[int]] = {}
    for way in ways:
        for step in way["path"]:
            both = seen.setdefault(step, [0, 0])
            both[0] += way["converted"]
            both[1] += way["runs"] - way["converted"]
    rows = [(a / reached, b / rest, a / reached - b / rest) for a, b in seen.values()]
    rows.sort(key=lambda row: abs(row[2]), reverse=True)
    return pl.DataFrame(rows, schema=["converted_rate", "rest_rate", "difference"], orient="row")


# What a text says, and whether that is the number that is meant.

_SECONDS = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}


def says(text: str, value: Any) -> bool:
    """Whether a text of the English reports says a value, to the digits that it has room for."""
    if value is None:
        return text == "–"
    if isinstance(value, (str, bool)):
        return bool(text)  # words are tested where they are made
    if isinstance(value, datetime):
        return datetime.strptime(text, "%d %b %Y %H:%M") == value.replace(
            tzinfo=None, second=0, microsecond=0
        )
    if isinstance(value, date):
        return datetime.strptime(text, "%d %b %Y").date() == value
    if found := re.findall(r"(\d+) (d|h|min|s)\b", text):
        least = 1 if text.startswith("<") else _SECONDS[found[-1][1]]
        said = (
            0 if text.startswith("<") else sum(int(n.replace(",", "")) * _SECONDS[unit] for n, unit in found)
        )
        least = 3_600 if "d" in text else 60 if "h" in text else least
        return said <= round(value) < said + least or (0 < value < 1 and text == "<1 s")
    number = re.fullmatch(r"([+−]?)€?([\d,]+(?:\.\d+)?)(%?)", text)
    if not number:
        return text == "<0.1%" and 0 < value < 0.0005
    said = float(number[2].replace(",", "")) / (100 if number[3] else 1) * (-1 if number[1] == "−" else 1)
    slack = 0 if isinstance(value, int) else 0.0005 if number[3] else 0.005
    return abs(said - value) <= slack + 1e-9


READ = """() => ({
  cards: [...document.querySelectorAll('[data-key]')].map(card => [card.dataset.key, card.textContent.trim()]),
  tables: [...document.querySelectorAll('table')].map(
    table => [...table.rows].map(row => [...row.cells].map(cell => cell.textContent.trim()))),
  pictures: [...document.querySelectorAll('svg, img')].map(picture => {
    const data = picture.tagName === 'IMG' && picture.src.match(/^data:image\\/svg\\+xml;base64,(.*)/);
    const bytes = data && Uint8Array.from(atob(data[1]), letter => letter.charCodeAt(0));
    const drawn = data ? new DOMParser().parseFromString(new TextDecoder().decode(bytes), 'image/svg+xml') : picture;
    return [...drawn.querySelectorAll('text')].map(text => text.textContent.trim());
  }),
  widths: [...document.querySelectorAll('img')].map(image => image.naturalWidth),
})"""


def compared(read: dict[str, Any], wanted: Expected, cards: bool = True) -> None:
    """Every number of the frames is where it should be in what was read."""
    if cards:
        ends = ("_prev", "_change", "_low", "_high")
        meant = [(key, value) for frame in wanted.cards for key, value in frame.row(0, named=True).items() if not key.endswith(ends)]  # fmt: skip
        assert [key for key, _ in read["cards"]] == [key for key, _ in meant]
        assert [(key, text) for (key, text), (_, value) in zip(read["cards"], meant, strict=True) if not says(text, value)] == []  # fmt: skip
    tables = [table for table in read["tables"] if table[0] != ["Column", "Counts", "Unit", "Clock"]]
    assert len(tables) == len(wanted.tables)
    for (head, *rows), frame in zip(tables, wanted.tables, strict=True):
        shown = {name: head.index(column(name)) for name in frame.columns if column(name) in head}
        missing = set(frame.columns) - set(shown)
        assert not [name for name in missing if frame[name].dtype.is_numeric()], (
            "a column of numbers is not shown"
        )
        assert len(rows) == frame.height, head
        for row, values in zip(rows, frame.iter_rows(named=True), strict=True):
            wrong = [
                (name, row[at], values[name]) for name, at in shown.items() if not says(row[at], values[name])
            ]
            assert wrong == []
    texts = iter([text for picture in read["pictures"] for text in picture])
    for label in wanted.labels:
        assert any(said(text, label) for text in texts), f"no picture says {label}, or not in its place"


def said(text: str, label: list[Any]) -> bool:
    parts = re.split(r"\s+[·…]\s+", text)
    return (
        len(parts) == len(label)
        and all(re.search(r"\d", part) for part in parts)
        and all(map(says, parts, label))
    )


def sanitised(path: Path) -> str:
    """A notebook's outputs as a viewer shows them that trusts nobody: no style, no id, no class; pictures as images."""
    from bs4 import BeautifulSoup

    def cleaned(html: str) -> str:
        soup = BeautifulSoup(html, "html.parser")
        for tag in soup.find_all(GONE):
            tag.decompose()
        for tag in soup.find_all(True):
            tag.attrs = {key: value for key, value in tag.attrs.items() if key in ATTRIBUTES}
            if ":" in tag.get("src", "") and not tag["src"].startswith("data:image/"):
                del tag["src"]
            if tag.name not in TAGS:
                tag.unwrap()
        return str(soup)

    def shown(data: dict[str, str]) -> str:
        if "text/html" in data:
            return cleaned(data["text/html"])
        if "image/svg+xml" in data:
            return (
                f'<img src="data:image/svg+xml;base64,{b64encode(data["image/svg+xml"].encode()).decode()}">'
            )
        return f"<pre>{escape(data['text/plain'])}</pre>"

    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    return "<!doctype html><meta charset=utf-8>" + "".join(
        f"<p>{shown(output.data)}</p>" for output in outputs
    )


# The renderings.


@pytest.fixture(scope="module", params=sorted(report_notebooks()))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def wanted(name: str) -> Expected:
    return expected(name)


@pytest.fixture(scope="module")
def files(name: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One kept run in each of its renderings."""
    from nbconvert import HTMLExporter

    kept, folder = report_notebooks()[name], tmp_path_factory.mktemp(name)
    offline = dict.fromkeys(("require_js_url", "mathjax_url", "mermaid_js_url", "jquery_url"), "")
    made = {
        name: HTMLExporter(template_name=name, **offline).from_filename(str(kept))[0]
        for name in ("lab", "classic")
    }
    made |= {"page": notebook_page(kept), "sanitised": sanitised(kept)}
    paths = {rendering: folder / f"{rendering}.html" for rendering in made}
    for rendering, html in made.items():
        paths[rendering].write_text(html, encoding="utf-8")
    _print(paths["page"], folder / "page.pdf")
    return {**paths, "page without JavaScript": paths["page"], "pdf": folder / "page.pdf"}


@pytest.fixture(scope="module")
def read(chromium: Any, files: dict[str, Path]) -> Callable[[str], dict[str, Any]]:
    @cache
    def what(rendering: str) -> dict[str, Any]:
        context = chromium.new_context(offline=True, java_script_enabled="without" not in rendering)
        page, asked = context.new_page(), []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(files[rendering].as_uri())
        found = page.evaluate(READ)
        if folder := os.environ.get("JOURNEY_NB_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{files[rendering].parent.name}-{rendering}.png", full_page=True)
        context.close()
        assert [url for url in asked if not url.startswith("data:")] == [files[rendering].as_uri()]
        return found

    return what


@pytest.mark.parametrize("rendering", RENDERINGS)
def test_a_rendering_says_the_numbers_of_the_statistics(
    rendering: str, name: str, read: Callable[[str], dict[str, Any]], wanted: Expected
) -> None:
    found = read(rendering)
    compared(found, wanted, cards=rendering != "sanitised")  # whose cards are named by their labels alone
    legible(found, name)


def legible(found: dict[str, Any], name: str) -> None:
    assert [len(texts) > 1 for texts in found["pictures"]] == [True] * PICTURES[name]
    assert all(width > 200 for width in found["widths"])


@pytest.mark.parametrize("name", ["campaign"], indirect=True)
def test_what_is_lost_or_wrong_is_noticed(
    name: str, read: Callable[[str], dict[str, Any]], wanted: Expected, tmp_path: Path
) -> None:
    """So that the tests above prove something: a figure that the sanitiser takes, a number that is another."""
    found = read("sanitised")
    for place in range(PICTURES[name]):
        fewer = {**found, "pictures": found["pictures"][:place] + found["pictures"][place + 1 :]}
        with pytest.raises(AssertionError):
            legible(fewer, name)
    at = next(at for at, table in enumerate(found["tables"]) if "Engagement rate" in table[0])
    for row, cell in ((1, 1), (2, 5)):
        other = deepcopy(found)
        other["tables"][at][row][cell] = "7"
        with pytest.raises(AssertionError):
            compared(other, wanted, cards=False)
    cell = nbformat.v4.new_code_cell("0", outputs=[
        nbformat.v4.new_output("display_data", {"text/html": "<style>b</style><svg><text>1</text></svg><script>2</script>"}),
        nbformat.v4.new_output("display_data", {"text/html": '<img id="a" class="b" style="c" onerror="d" src="https://example.org/x.png" alt="e">'}),
    ])  # fmt: skip
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "n.ipynb")
    assert sanitised(tmp_path / "n.ipynb").endswith('<p></p><p><img alt="e"/></p>')


@pytest.mark.slow
def test_jupyterlab_says_them_without_a_kernel_and_without_trust(chromium: Any, tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    page, _, requests = watched(chromium)
    try:
        page.goto(f"{lab.url}/lab?token=t&reset")
        page.wait_for_selector(".jp-DirListing-content")
        for name, kept in report_notebooks().items():
            shutil.copy(kept, lab.folder)
            wanted = expected(name)
            reopen(page, kept.name, kernel=False)
            assert not page.evaluate(f"{PANEL}.content.widgets[2].model.trusted")
            page.wait_for_function(
                "count => document.querySelectorAll('table').length >= count", arg=len(wanted.tables)
            )
            compared(page.evaluate(READ), Expected([], wanted.tables, []))
            shown = page.locator(".jp-RenderedVegaCommon5, .vega-embed, .jp-RenderedHTML img")
            assert shown.count() >= PICTURES[name]
            # A chart that is drawn anew puts a picture into the notebook: nobody shall be asked whether to save it.
            page.evaluate(f"(({{context}}) => {{ context.model.dirty = false; {PANEL}.close(); }})({PANEL})")
            page.wait_for_function("!document.querySelector('.jp-Notebook')")
    finally:
        page.close()
        lab.close()
    assert [url for url in requests if not url.startswith((lab.url, "data:", "blob:"))] == []


def test_a_printed_report_says_all_that_its_page_says(
    read: Callable[[str], dict[str, Any]], files: dict[str, Path], wanted: Expected
) -> None:
    """But what is folded up: row by row, nothing cut off; a wide table as a list for each row."""
    import pypdfium2

    page = read("page")
    compared(page, wanted)
    document = pypdfium2.PdfDocument(str(files["pdf"]))
    texts = []
    for sheet in document:
        letters = sheet.get_textpage()
        texts.append(letters.get_text_range().replace("\ufffe", "-"))
        wide, high = sheet.get_size()
        boxes = [letters.get_charbox(at) for at in range(letters.count_chars())]
        assert all(0 <= left <= right <= wide and 0 <= low <= up <= high for left, low, right, up in boxes)
    document.close()
    text = squeezed("".join(texts))
    for frame in wanted.cards:
        names = [key for key, _ in page["cards"]]
        first = names.index(frame.columns[0])
        assert squeezed("".join(value for _, value in page["cards"][first : first + frame.width])) in text
    for head, *rows in page["tables"]:
        for row in rows if not folded(head) else ():
            listed = "".join(f"{label}{cell}" for label, cell in zip(head, row, strict=True))
            assert squeezed("".join(row)) in text or squeezed(listed) in text, row
    for label in (text for picture in page["pictures"] for text in picture):
        assert squeezed(label) in text, label


def folded(head: list[str]) -> bool:
    return "Waiting at the start" in head or "Branch" in head or head[0] == "Column"


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)
