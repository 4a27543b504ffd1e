"""The campaign report, run for real once: its notebook, its page and its CSV."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import journey_nb as jn
from journey_nb import reports
from journey_nb.exports import campaign_statistics, write_table
from journey_nb.render.panels import cards, table
from journey_nb.reports import (
    ReportError,
    ReportFiles,
    check_parameters,
    notebook_page,
    parameters,
    publish,
    report_notebooks,
    run_report,
    slug,
)


@pytest.fixture(scope="module")
def stats(welcome_stats: jn.JourneyStats) -> jn.JourneyStats:
    """Not the default of anything, so that a report on something else would be noticed."""
    return welcome_stats.as_of("2026-04-20T12:00").period("30d").clock("cohort").where(variant=["A", "B"])


@pytest.fixture(scope="module")
def report(stats: jn.JourneyStats, tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    return run_report("campaign", stats=stats, out=tmp_path_factory.mktemp("out") / "reports")


@pytest.fixture(scope="module")
def notebook(report: ReportFiles) -> Any:
    return nbformat.read(report.notebook, as_version=4)


def outputs(notebook: Any, source: str) -> list[Any]:
    """The outputs of the cell that holds a piece of source."""
    return next(cell.outputs for cell in notebook.cells if cell.cell_type == "code" and source in cell.source)


def test_leaves_three_files_and_nothing_else(report: ReportFiles) -> None:
    names = [f"welcome-series-campaign-30d.{end}" for end in ("csv", "html", "ipynb")]
    assert sorted(path.name for path in report.page.parent.iterdir()) == names


def test_every_cell_ran_and_none_stored_a_widget(notebook: Any) -> None:
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.execution_count is not None
            assert not [output for output in cell.outputs if output.output_type in ("error", "stream")]


def test_the_numbers_are_those_of_the_stats(notebook: Any, stats: jn.JourneyStats) -> None:
    for name in ("health", "audience"):
        (shown,) = outputs(notebook, f"cards(stats.{name}())")
        assert shown.data["text/plain"] == repr(cards(getattr(stats, name)()))
    for name in ("goals", "waiting"):
        (shown,) = outputs(notebook, f"table(stats.{name}())")
        assert shown.data["text/html"] == str(table(getattr(stats, name)()))
    (drawn,) = outputs(notebook, "canvas(stats)")
    assert drawn.data["text/html"] == jn.canvas(stats)._repr_html_()
    (head,) = outputs(notebook, "heading(stats)")
    for said in ("Welcome series", "22 Mar 2026 – 20 Apr 2026 (30 days)", "cohort clock", "some runs only"):
        assert said in head.data["text/plain"]


def test_the_account_adds_up(notebook: Any, stats: jn.JourneyStats) -> None:
    (said,) = outputs(notebook, "account(stats)")
    numbers = [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", said.data["text/plain"])]
    read, loaded, duplicates, quarantined, before, came, completed, early, errors, inside = numbers[:10]
    assert read == loaded + duplicates + quarantined
    assert before + came == completed + early + errors + inside
    assert came == stats.health()["entrances"].item()
    assert "checks add up" in said.data["text/plain"]


def test_the_experiment_has_its_verdict(notebook: Any, stats: jn.JourneyStats) -> None:
    shown = outputs(notebook, "experiments(stats, goal)")
    assert len(shown) == 3
    found = stats.experiment("offer_test", stats.journey.goals[0].goal_id)
    assert f"Verdict: {found.verdict}." in shown[0].data["text/html"]
    assert "image/svg+xml" in shown[1].data


def test_the_csv_is_the_campaign_statistics(
    report: ReportFiles, stats: jn.JourneyStats, tmp_path: Path
) -> None:
    expected = write_table(campaign_statistics(stats), tmp_path / "expected.csv")
    assert report.csv.read_bytes() == expected.read_bytes()
    assert len(pl.read_csv(report.csv).columns) == 26


def test_the_page_asks_no_network(report: ReportFiles) -> None:
    page = report.page.read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\s\"'<>)&]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.findall(r"<(?:script|link|iframe|object|embed)\b", page)
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page)


def test_the_page_shows_no_code_and_no_inner_workings(report: ReportFiles) -> None:
    page = report.page.read_text(encoding="utf-8")
    for inner in ("import ", "stats.", "saved", "Parameters", "stats.save"):
        assert inner not in re.sub(
            r"<style.*?</style>|<svg.*?</svg>|base64,[^\"]*", "", page, flags=re.DOTALL
        ), inner


def test_the_page_is_made_of_the_notebook_alone(report: ReportFiles) -> None:
    assert notebook_page(report.notebook) == report.page.read_text(encoding="utf-8")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_reads_in_a_browser_without_a_network(
    chromium: Any, report: ReportFiles, scheme: str, width: int
) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
    )
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(report.page.as_uri())
    try:
        assert [url for url in asked if not url.startswith("data:")] == [report.page.as_uri()]
        assert not said
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("h1").all_inner_texts() == ["Welcome series"]
        assert page.locator("h2").count() >= 10
        pictures = page.locator("img")
        assert pictures.count() >= 1
        for picture in pictures.all():
            assert picture.get_attribute("alt")
            assert picture.evaluate("img => img.complete && img.naturalWidth > 0")
        # Nothing that a chart says is cut off by its own edge.
        cut = page.evaluate(
            """() => [...document.querySelectorAll('.jnb-chart svg')].flatMap(svg => {
                const edge = svg.getBoundingClientRect();
                return [...svg.querySelectorAll('text')].filter(text => {
                    const box = text.getBoundingClientRect();
                    return box.width && (box.left < edge.left - 1 || box.right > edge.right + 1);
                }).map(text => text.textContent);
            })"""
        )
        assert cut == []
        ink, ground = page.evaluate(
            "() => [getComputedStyle(document.querySelector('h1')).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert (
            sum(map(int, re.findall(r"\d+", ink)[:3])) > sum(map(int, re.findall(r"\d+", ground)[:3]))
        ) == (scheme == "dark")
    finally:
        context.close()


# What is refused, and what a failure leaves behind.


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"perod": "7d"}, "did you mean 'period'"),
        ({"colour": "red"}, "it has period"),
        ({"version": "two"}, "int is wanted"),
        ({"version": True}, "int is wanted"),
        ({"machine": "perhaps"}, "bool is wanted"),
        ({"period": 7}, "str is wanted"),
        ({"csv": "x.csv"}, "no parameter 'csv'"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named_before_anything_runs(
    values: dict[str, Any], said: str, tmp_path: Path, stats: jn.JourneyStats
) -> None:
    with pytest.raises(ReportError, match=re.escape(said)):
        run_report("campaign", stats=stats, out=tmp_path / "reports", **values)
    assert not (tmp_path / "reports").exists()


def test_words_are_read_as_the_type_that_the_cell_states() -> None:
    assert check_parameters("campaign", {"version": "2", "machine": "yes", "period": "7d"}) == {
        "version": 2,
        "machine": True,
        "period": "7d",
    }


def test_every_parameter_has_a_type_and_says_what_it_is() -> None:
    for name in report_notebooks():
        for parameter in parameters(name).values():
            assert parameter.type in ("str", "int", "float", "bool")
            assert len(parameter.help) > 10
            assert isinstance(parameter.default, (str, int, float, bool))


def test_what_it_is_about_must_be_said_once(stats: jn.JourneyStats, tmp_path: Path) -> None:
    for given in ({}, {"stats": stats, "log": "x"}, {"journey": "x"}, {"log": "x"}):
        with pytest.raises(ReportError, match=r"journey=|log="):
            run_report("campaign", out=tmp_path, **given)


def test_stats_of_another_journeys_log_make_no_report(
    stats: jn.JourneyStats, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    other = stats.journey.model_copy(update={"journey_id": "other"})
    with pytest.raises(ReportError, match="no row of the log belongs to 'Welcome series': unknown_journey"):
        run_report("campaign", stats=jn.JourneyStats(other, welcome_log), out=tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


def test_a_journey_with_faults_is_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "bad.journey.json").write_text('{"journey_id": "x"}')
    with pytest.raises(jn.JourneyError, match="versions"):
        run_report("campaign", journey=tmp_path / "bad.journey.json", log="x.csv", out=tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


def test_a_failing_cell_is_named_and_the_old_report_stays(
    stats: jn.JourneyStats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [nbformat.v4.new_markdown_cell("## Health"), nbformat.v4.new_code_cell("never = 1 / 0")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "bad_report.ipynb")
    monkeypatch.setattr(reports, "_notebook", lambda name: tmp_path / "bad_report.ipynb")
    out = tmp_path / "out"
    out.mkdir()
    old = out / "welcome-series-campaign-30d.html"
    old.write_text("old")
    with pytest.raises(ReportError, match="ZeroDivisionError") as caught:
        run_report("campaign", stats=stats, out=out)
    assert "under “Health”, in the cell that begins “never = 1 / 0”" in str(caught.value)
    kept = out / "welcome-series-campaign-30d.failed.ipynb"
    assert caught.value.__notes__ == [f"the notebook as far as it came: {kept}"]
    assert sorted(out.iterdir()) == [kept, old]
    assert old.read_text() == "old"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"period": "31d"}, "use one of launch"),
        ({"period": "2026-03-31..2026-03-01"}, "swap the two"),
        ({"as_of": "soon"}, "no date or time: 'soon'"),
        ({"clock": "cohorts"}, "did you mean 'cohort'"),
        ({"version": 9}, "no version 9"),
        ({"goal": "orderd"}, "no goal 'orderd'"),
    ],
)
def test_a_scope_that_cannot_be_is_told_before_anything_runs(
    values: dict[str, Any], said: str, tmp_path: Path, stats: jn.JourneyStats
) -> None:
    with pytest.raises(ReportError, match=re.escape(said)):
        run_report("campaign", stats=stats, out=tmp_path / "reports", **values)
    assert not (tmp_path / "reports").exists()


def test_a_log_that_is_not_there_is_told_before_anything_runs(welcome: jn.Journey, tmp_path: Path) -> None:
    welcome.write(tmp_path / "w.journey.json")
    with pytest.raises((OSError, ValueError), match="none-"):
        run_report(
            "campaign", journey=tmp_path / "w.journey.json", log=tmp_path / "none-*.csv", out=tmp_path / "r"
        )
    assert not (tmp_path / "r").exists()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, welcome: jn.Journey) -> None:
    """Reports whose notebook is written as it would be, but never run."""

    def execute(source: Path, target: Path, values: dict[str, Any], progress: bool) -> None:
        import papermill

        papermill.execute_notebook(
            str(source), str(target), values, kernel_name="python3", language="python", prepare_only=True
        )
        target.with_suffix(".csv").write_text(f"Title,UUID\nWelcome,{welcome.journey_id}\n")

    monkeypatch.setattr(reports, "_execute", execute)


def test_the_notebook_runs_again_from_where_it_lies(
    quick: None, welcome: jn.Journey, stats: jn.JourneyStats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    welcome.write("w.journey.json")
    pl.DataFrame(schema=dict.fromkeys(jn.events.COLUMNS, pl.String)).write_csv("log.csv")
    made = run_report("campaign", journey="w.journey.json", log="log.csv", out="out")
    said = made.notebook.read_text()
    assert str(tmp_path) not in said
    assert "../w.journey.json" in said
    assert "../log.csv" in said
    said = run_report("campaign", stats=stats, out="out").notebook.read_text()
    assert "Ran on statistics that were in memory" in said
    assert "saved = 'stats'" not in said
    assert ".csv'" not in said  # run again, it must not write over the numbers


def test_reports_on_other_periods_and_journeys_keep_their_files(
    quick: None, stats: jn.JourneyStats, tmp_path: Path
) -> None:
    (tmp_path / "welcome-series-campaign-30d.failed.ipynb").write_text("stale")
    plain = run_report("campaign", stats=stats, out=tmp_path)
    assert plain == run_report("campaign", stats=stats, out=tmp_path, period="30d")
    launch = run_report("campaign", stats=stats, out=tmp_path, period="launch")
    week = run_report("campaign", stats=stats, out=tmp_path, period="7d")
    dates = run_report("campaign", stats=stats, out=tmp_path, period="2026-03-01..2026-03-31")
    (tmp_path / "welcome-series-campaign-30d.csv").write_text("Title,UUID\nWelcome,someone-elses\n")
    other = run_report("campaign", stats=stats, out=tmp_path)
    start = stats.journey.journey_id[:8].lower()
    assert [made.csv.name for made in (plain, launch, week, dates, other)] == [
        "welcome-series-campaign-30d.csv",
        "welcome-series-campaign.csv",
        "welcome-series-campaign-7d.csv",
        "welcome-series-campaign-2026-03-01-2026-03-31.csv",
        f"welcome-series-{start}-campaign-30d.csv",
    ]
    assert not list(tmp_path.glob("*.failed.ipynb"))


def test_what_a_killed_run_left_is_swept_a_day_later(
    quick: None, stats: jn.JourneyStats, tmp_path: Path
) -> None:
    for name in (".making-old", ".making-new"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / ".making-old", (0, 0))
    run_report("campaign", stats=stats, out=tmp_path)
    assert [path.name for path in tmp_path.glob(".making-*")] == [".making-new"]


# How the files come to their place.


def made(folder: Path, text: str) -> list[Path]:
    folder.mkdir()
    files = [folder / name for name in ("a.html", "a.ipynb", "a.csv")]
    for file in files:
        file.write_text(text)
    return files


def test_what_cannot_be_published_leaves_the_old_files(tmp_path: Path) -> None:
    """A folder stands where the third file should go: the two before it are as they were, or not there."""
    (tmp_path / "out/a.csv").mkdir(parents=True)
    (tmp_path / "out/a.html").write_text("old")
    with pytest.raises(OSError, match=r"a\.csv"):
        publish(made(tmp_path / "made", "new"), tmp_path / "out")
    assert (tmp_path / "out/a.html").read_text() == "old"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.csv", "a.html"]


def test_two_reports_at_once_never_mix(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for turn in range(30):
        sets = [made(tmp_path / f"{turn}-{who}", f"{who}") for who in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(publish, sets, [out] * 4))
        assert len({path.read_text() for path in out.iterdir()}) == 1


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Welcome series", "welcome-series"),
        ("../../etc/passwd", "etc-passwd"),
        ("환영 🎉", "환영"),
        ("🎉", ""),
        ("a\x00b", "a-b"),
    ],
)
def test_file_names_come_from_titles_harmlessly(title: str, name: str) -> None:
    assert slug(title) == name
    assert len(slug(title * 100_000).encode()) <= 100


def test_text_from_the_log_is_escaped_on_the_page(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    cells = [
        nbformat.v4.new_markdown_cell(f"# Title {hostile}"),
        nbformat.v4.new_code_cell(
            "0",
            outputs=[
                nbformat.v4.new_output("stream", text=hostile),
                nbformat.v4.new_output("display_data", {"text/plain": hostile}),
                nbformat.v4.new_output(
                    "display_data", {"image/svg+xml": "<svg/>", "text/plain": f'"{hostile}'}
                ),
            ],
        ),
        nbformat.v4.new_markdown_cell("not shown", metadata={"tags": ["hide"]}),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "n.ipynb")
    page = notebook_page(tmp_path / "n.ipynb")
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 4
    assert "not shown" not in page


def test_the_report_runs_as_it_stands(tmp_path: Path) -> None:
    """Opened in JupyterLab and run without a word said, the notebook is about the welcome sample."""
    from journey_nb.reports import open_stats

    stats = open_stats()
    assert stats.journey == jn.Journey.sample("welcome")
    chosen = open_stats(
        period="2026-03-01..2026-03-31", clock="cohort", version=2, machine=True, as_of="2026-04-01"
    )
    expected = (
        stats.as_of("2026-04-01").between("2026-03-01", "2026-03-31").clock("cohort").version(2).machine()
    )
    assert_frame_equal(chosen.points(), expected.points())


def tutorial(folder: Path, **values: str) -> str:
    """The tutorial notebook, run; all that it said."""
    import papermill

    source = Path(__file__).parent.parent / "notebooks/your_own_data.ipynb"
    made = papermill.execute_notebook(
        str(source), str(folder / "run.ipynb"), {**values, "out": str(folder / "out")}, cwd=str(folder),
        kernel_name="python3", language="python", progress_bar=False, store_widget_state=False,
    )  # fmt: skip
    outputs = [output for cell in made.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "canvas.html",
        "discovered.journey.json",
        "users.csv",
    ]
    return "\n".join(str(output.get("data", {}).get("text/plain", "")) for output in outputs)


def test_the_tutorial_runs_as_it_stands(tmp_path: Path) -> None:
    assert "Entrances 200" in tutorial(tmp_path)


def test_the_tutorial_runs_on_data_of_ones_own(tmp_path: Path, open_data: Any) -> None:
    columns = {
        "user": "patient",
        "activity": "handling",
        "lifecycle": "registration_type",
        "instance": "handling_id",
    }
    said = tutorial(
        tmp_path, path=str(open_data("eventdatar_patients.csv").resolve()), time="time", **columns
    )
    assert "5,442 rows read = 5,442 loaded + 0 duplicates + 0 quarantined" in said
    assert "Entrances 500 · Unique entrants 500" in said
    assert pl.read_csv(tmp_path / "out/users.csv").height == 500


def test_a_report_finds_its_files_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernel runs in a folder of its own; the address of an object is the same there."""
    monkeypatch.chdir(tmp_path)
    assert reports._from_anywhere("events/*.csv") == str(tmp_path / "events/*.csv")
    assert reports._from_anywhere("s3://shop/events/*.csv") == "s3://shop/events/*.csv"


def test_the_database_notebook_shows_what_it_finds(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """It is kept with its outputs, for readers without a kernel: a run anew finds the same."""
    import nbclient

    source = Path(__file__).parent.parent / "notebooks/from_a_database.ipynb"
    kept, made = (nbformat.read(source, as_version=4) for _ in range(2))
    nbclient.NotebookClient(
        made, resources={"metadata": {"path": str(tmp_path)}}, record_timing=False, store_widget_state=False
    ).execute()
    made.metadata = kept.metadata
    if request.config.getoption("update_snapshots"):
        nbformat.write(made, source)
        kept = made
    assert made.cells == kept.cells
    shown = [output.data for cell in made.cells for output in cell.get("outputs", [])]
    assert "quarantined" in shown[1]["text/plain"]
    assert '<img src="data:image/svg+xml' in shown[-1]["text/html"]
    assert str(tmp_path) not in source.read_text(encoding="utf-8")
