"""What people read in the reports, wherever they open them: the numbers of the statistics, in every rendering."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from html import escape, unescape
from pathlib import Path
from typing import Any

import nbformat
import polars as pl
import pytest
from lab import PANEL, Lab, reopen, watched

import journey_nb as jn
from journey_nb.exports import campaign_statistics
from journey_nb.render.page import page_html
from journey_nb.render.panels import table
from journey_nb.reports import _print, notebook_page, report_notebooks, run_report
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
# Since launch nothing was before; these are about a period that has one, and say what changed.
PERIODS = {"campaign": "30d", "channel": "30d"}
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
    stats = sample().period(PERIODS.get(name, "launch"))
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
        of_channel = stats.daily("channel").filter(pl.col("breakdown") == channel)
        trend = day_by_day(of_channel, ["sent", "delivered", "opened", "clicked"])
        changed = beside(stats.compare().messages(channel), "title", "sent", "open_rate")
        return Expected([row], [trend, messages, issues.drop("channel"), changed], [])
    goals, channels, points = stats.goals(), stats.communications(), stats.points()
    runs = stats.drops().filter(pl.col("grain") == "run")
    count = pl.col("count").sum()
    stayed = points.filter(pl.col("seconds_p90") >= 60).select("title", "seconds_p50", "seconds_p90")
    tables = [
        day_by_day(stats.daily(), ["entrances", "completed", "drop_offs"]),
        day_by_day(stats.daily(), ["sent", "opened", "clicked"]),
        points,
        stats.branches(),
        goals,
        channels.drop("sent_users", "opened_users", "clicked_users"),
        stats.messages().select(NUMBERS["messages"].split()),
        stats.delivery_issues().sort("count", descending=True, maintain_order=True).head(12),
        tested.table.drop("lift"),
        stayed,
        stats.waiting(),
        runs.group_by("class", "reason").agg(count).sort("count", "reason", descending=[True, False]),
        runs.group_by("title", "class", maintain_order=True).agg(count),
        beside(stats.compare().communications(), "channel", "sent", "engagement_rate"),
        beside(stats.compare().goals(), "title", "users", "conversion_rate"),
        most_moved(stats.compare().points()),
    ]
    labels = [
        *([users, rate] for users, rate in goals.select("users", "conversion_rate").iter_rows()),
        *(
            [n]
            for row in channels.select("sent", "delivered", "opened", "clicked").iter_rows()
            for n in row
            if n
        ),
        *rates,
        *map(list, stayed.drop("title").iter_rows()),
    ]
    return Expected([stats.health(), stats.audience()], tables, labels)


def beside(frame: pl.DataFrame, key: str, *numbers: str) -> pl.DataFrame:
    """What is set beside the period before."""
    return frame.select(key, *(f"{number}{end}" for number in numbers for end in ("", "_prev", "_change")))


def most_moved(points: pl.DataFrame) -> pl.DataFrame:
    """The twelve steps whose entries changed most."""
    by = (points["entered"] - points["entered_prev"]).abs().fill_null(0)
    first = [at for at in by.arg_sort(descending=True) if by[at]][:12]
    return beside(points[first], "title", "entered", "completed")


def day_by_day(daily: pl.DataFrame, metrics: list[str]) -> pl.DataFrame:
    """The newest days with a count of each metric."""
    named = daily.with_columns(pl.col("metric").cast(pl.String)).filter(pl.col("metric").is_in(metrics))
    counts = {
        metric: named.filter(pl.col("metric") == metric)
        .group_by("date")
        .agg(pl.col("count").sum().alias(metric))
        for metric in metrics
    }
    days = named.select(pl.col("date").unique())
    for count in counts.values():
        days = days.join(count, on="date", validate="1:1")
    return days.sort("date", descending=True).head(60)


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


READ = """root => {
  const all = what => [...document.querySelectorAll(root)].flatMap(part => [...part.querySelectorAll(what)]);
  return {
  cards: all('[data-key]').map(card => [card.dataset.key, card.textContent.trim()]),
  tables: all('table').map(
    table => [...table.rows].map(row => [...row.cells].map(cell => cell.textContent.trim()))),
  pictures: all('svg, img').map(picture => {
    const data = picture.tagName === 'IMG' && picture.src.match(/^data:image\\/svg\\+xml;base64,(.*)/);
    const bytes = data && Uint8Array.from(atob(data[1]), letter => letter.charCodeAt(0));
    const drawn = data ? new DOMParser().parseFromString(new TextDecoder().decode(bytes), 'image/svg+xml') : picture;
    return [...drawn.querySelectorAll('text:not([opacity="0"])')].map(text => text.textContent.trim());
  }),
  folded: all('table').map(table => !!table.closest('details')),
  headings: all('h2, h3').map(heading => heading.textContent.trim()),
  widths: all('img').map(image => image.naturalWidth),
};
}"""


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
def executed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The notebook of a report: the kept one, or one about another period."""

    @cache
    def notebook(name: str) -> Path:
        if name not in PERIODS:
            return report_notebooks()[name]
        asked = {"period": PERIODS[name], "out": tmp_path_factory.mktemp("ran"), "formats": ["notebook"]}
        return run_report(name, stats=sample(), **asked)["notebook"]

    return notebook


@pytest.fixture(scope="module")
def files(
    name: str, executed: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """One run in each of its renderings."""
    from nbconvert import HTMLExporter

    kept, folder = executed(name), tmp_path_factory.mktemp(name)
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
        found = page.evaluate(READ, "html")
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
def test_jupyterlab_says_them_without_a_kernel_trusted_or_not(
    chromium: Any, executed: Callable[[str], Path], tmp_path: Path
) -> None:
    lab = Lab(tmp_path)
    page, _, requests = watched(chromium)
    try:
        page.goto(f"{lab.url}/lab?token=t&reset")
        page.wait_for_selector(".jp-DirListing-content")
        for name in report_notebooks():
            shutil.copy(executed(name), lab.folder / f"{name}.ipynb")
            wanted = expected(name)
            for trusted in (False, True):
                if trusted:
                    page.request.post(f"{lab.url}/api/contents/{name}.ipynb/trust?token=t")
                reopen(page, f"{name}.ipynb", kernel=False)
                assert page.evaluate(f"{PANEL}.content.widgets[2].model.trusted") is trusted
                page.wait_for_function(
                    "count => document.querySelectorAll('table').length >= count", arg=len(wanted.tables)
                )
                found = page.evaluate(READ, ".jp-OutputArea-output")
                compared(found, wanted, cards=trusted)  # untrusted they are named by their labels alone
                legible(found, name)
                page.evaluate(f"{PANEL}.close()")
                page.wait_for_function("!document.querySelector('.jp-Notebook')")
    finally:
        page.close()
        lab.close()
    assert [url for url in requests if not url.startswith((lab.url, "data:", "blob:"))] == []


def test_a_printed_report_says_all_that_its_page_says(
    read: Callable[[str], dict[str, Any]], files: dict[str, Path], wanted: Expected
) -> None:
    """But what is folded up: row by row, nothing cut off; a wide table as a list for each row."""
    page = read("page")
    compared(page, wanted)
    texts = [squeezed(text) for text, _ in printed(files["pdf"])]
    text = "".join(texts)
    for frame in wanted.cards:
        names = [key for key, _ in page["cards"]]
        first = names.index(frame.columns[0])
        assert squeezed("".join(value for _, value in page["cards"][first : first + frame.width])) in text
    for (head, *rows), folded in zip(page["tables"], page["folded"], strict=True):
        for row in rows if not folded else ():
            listed = "".join(f"{label}{cell}" for label, cell in zip(head, row, strict=True))
            assert squeezed("".join(row)) in text or squeezed(listed) in text, row
    for picture in page["pictures"]:
        labels = [squeezed(label) for label in picture]
        assert any(all(label in text for label in labels) for text in texts), "a picture is on no page whole"


def test_a_printed_page_is_filled_within_its_margins_and_ends_with_no_heading(
    read: Callable[[str], dict[str, Any]], files: dict[str, Path]
) -> None:
    """As pictures: ink from the top of each, and none at the sides, where what is too wide is cut off."""
    headings = [squeezed(heading) for heading in read("page")["headings"]]
    for text, ink in printed(files["pdf"]):
        ends, sides = (round(SCALE * points) for points in MARGINS)
        assert not ink[:ends].any()
        assert not ink[-ends:].any()
        assert not ink[:, :sides].any()
        assert not ink[:, -sides:].any()
        assert ink[: len(ink) // 4].any(), "a page begins with a gap"
        assert squeezed(text.strip().splitlines()[-1]) not in headings


@pytest.mark.parametrize("word", ["push_2026_spring_sale_reactivation_wave2_variant_B_final", "W" * 199])
def test_on_paper_a_long_word_pushes_no_number_off(word: str, tmp_path: Path) -> None:
    """Neither out of a wide table, which is a list there, nor out of another."""
    steps = sample().points().with_columns(title=pl.lit(word))
    branches = sample().branches().with_columns(target=pl.lit(word))
    page = page_html("Long", [table(steps), table(branches)])
    (tmp_path / "page.html").write_text(page, "utf-8")
    _print(tmp_path / "page.html", tmp_path / "page.pdf")
    text = "".join(squeezed(text) for text, _ in printed(tmp_path / "page.pdf"))
    for shown in re.findall(r"<table>(.*?)</table>", page, re.DOTALL):
        head, *rows = (
            re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>.*?</tr>", shown)
        )
        assert len(rows) > 10
        for row in rows:
            listed = "".join(label + value for label, value in zip(head, row, strict=True))
            assert squeezed(unescape("".join(row))) in text or squeezed(unescape(listed)) in text, row


SCALE = 4  # pixels to a point
MARGINS = 27.5, 28  # points: the printer's, and at the sides some of the page's own, where a cut would show


def printed(pdf: Path) -> list[tuple[str, Any]]:
    """Each page as its text and as a picture: where there is ink."""
    import pypdfium2

    document = pypdfium2.PdfDocument(str(pdf))
    pages = []
    for sheet in document:
        letters = sheet.get_textpage()
        wide, high = sheet.get_size()
        boxes = [letters.get_charbox(at) for at in range(letters.count_chars())]
        assert all(0 <= left <= right <= wide and 0 <= low <= up <= high for left, low, right, up in boxes)
        ink = sheet.render(scale=SCALE, grayscale=True).to_numpy().squeeze() < 250
        pages.append((letters.get_text_range().replace("\ufffe", "-"), ink))
    document.close()
    return pages


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)
