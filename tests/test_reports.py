"""The campaign report, run for real once: its notebook, its page and its CSV."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import journey_nb as jn
from journey_nb import reports, sections
from journey_nb.exports import campaign_statistics, channel_statistics, write_table
from journey_nb.manifest import leave
from journey_nb.metrics import small
from journey_nb.pseudonyms import KEY, KEY_FILE, Pseudonyms
from journey_nb.render.panels import cards, table
from journey_nb.reports import (
    FORMATS,
    ReportFiles,
    check_parameters,
    notebook_page,
    parameters,
    report_notebooks,
    run_report,
    slug,
)
from journey_nb.simulate import simulate
from journey_nb.store import StoreError
from journey_nb.style import word
from journey_nb.style.said import unopened
from journey_nb.subject import ReportError

ASKED = {"period": "30d", "clock": "cohort", "as_of": "2026-04-20T12:00", "where": "c31cc1a5"}
NAME = "welcome-series-campaign-30d-cohort-2026-04-20t12-00-c31cc1a5"


@pytest.fixture(scope="module")
def stats(welcome_stats: jn.JourneyStats) -> jn.JourneyStats:
    """Not the default of anything, so that a report on something else would be noticed."""
    return welcome_stats.as_of("2026-04-20T12:00").period("30d").clock("cohort").where(variant=["A", "B"])


@pytest.fixture(scope="module")
def report(stats: jn.JourneyStats, tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    return run_report("campaign", stats=stats, out=tmp_path_factory.mktemp("out") / "reports")


@pytest.fixture(scope="module")
def notebook(report: ReportFiles) -> Any:
    return nbformat.read(report["notebook"], as_version=4)


def outputs(notebook: Any, source: str) -> list[Any]:
    """The outputs of the cell that holds a piece of source."""
    return next(cell.outputs for cell in notebook.cells if cell.cell_type == "code" and source in cell.source)


def test_leaves_a_folder_of_its_files_and_nothing_else(report: ReportFiles) -> None:
    names = [f"{NAME}.{end}" for end in ("csv", "html", "ipynb")]
    assert [path.name for path in report.folder.parent.iterdir()] == [NAME]
    assert sorted(path.name for path in report.folder.iterdir()) == ["manifest.json", *names]
    assert sorted(report) == sorted(report.folder.iterdir())


def test_every_cell_ran_and_none_stored_a_widget(notebook: Any) -> None:
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.execution_count is not None
            assert not [output for output in cell.outputs if output.output_type in ("error", "stream")]


def test_the_numbers_are_those_of_the_stats(notebook: Any, stats: jn.JourneyStats) -> None:
    for name in ("health", "audience"):
        _, shown = outputs(notebook, f"cards(compared(stats).{name}()")
        note = unopened(stats) if name == "health" else ""
        assert shown.data["text/plain"] == repr(cards(getattr(stats.compare(), name)(), note=note))
    for name, source in (("goals", "table(goals"), ("waiting", "table(stats.waiting()")):
        *_, shown = outputs(notebook, source)
        assert shown.data["text/html"] == str(table(getattr(stats, name)()))
    _, drawn = outputs(notebook, "canvas(stats")
    assert drawn.data["text/html"] == jn.canvas(stats)._repr_html_()
    (head,) = outputs(notebook, "heading(stats")
    for said in ("Welcome series", "22 Mar 2026 – 20 Apr 2026 (30 days)", "cohort clock", "some runs only"):
        assert said in head.data["text/plain"]


def test_the_account_adds_up(notebook: Any, stats: jn.JourneyStats) -> None:
    (said,) = outputs(notebook, "account(stats")
    numbers = [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", said.data["text/plain"])]
    read, loaded, duplicates, quarantined, before, came, completed, early, errors, inside = numbers[:10]
    assert read == loaded + duplicates + quarantined
    assert before + came == completed + early + errors + inside
    assert came == stats.health()["entrances"].item()
    assert "checks add up" in said.data["text/plain"]


def test_the_experiment_has_its_verdict(notebook: Any, stats: jn.JourneyStats) -> None:
    _, *shown = outputs(notebook, "experiments(stats, goal")
    assert len(shown) == 3
    found = stats.experiment("offer_test", stats.journey.goals[0].goal_id)
    assert f"Verdict: {found.verdict}." in shown[0].data["text/html"]
    assert 'src="data:image/svg+xml;base64,' in shown[1].data["text/html"]


def test_the_csv_is_the_campaign_statistics(
    report: ReportFiles, stats: jn.JourneyStats, tmp_path: Path
) -> None:
    expected = write_table(campaign_statistics(stats), tmp_path / "expected.csv")
    assert report["csv"].read_bytes() == expected.read_bytes()
    assert len(pl.read_csv(report["csv"]).columns) == 26


def test_the_page_asks_no_network(report: ReportFiles) -> None:
    page = report["html"].read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\s\"'<>)&]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.findall(r"<(?:script|link|iframe|object|embed)\b", page)
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page)


def test_the_page_shows_no_code_and_no_inner_workings(report: ReportFiles) -> None:
    page = report["html"].read_text(encoding="utf-8")
    for inner in ("import ", "stats.", "saved", "Parameters", "stats.save"):
        assert inner not in re.sub(
            r"<style.*?</style>|<svg.*?</svg>|base64,[^\"]*", "", page, flags=re.DOTALL
        ), inner


def test_the_page_is_made_of_the_notebook_alone(report: ReportFiles) -> None:
    assert notebook_page(report["notebook"]) == report["html"].read_text(encoding="utf-8")


@pytest.mark.browser
def test_the_page_reads_in_a_browser_without_a_network(chromium: Any, report: ReportFiles) -> None:
    context = chromium.new_context(offline=True)
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(report["html"].as_uri())
    try:
        assert page.locator("h1").all_inner_texts() == ["Welcome series"]
        assert page.locator("h2").count() >= 10
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            sees_every_picture(page)
        grounds = "['h1', 'body'].map(name => getComputedStyle(document.querySelector(name)))"
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            ink, ground = page.evaluate(f"(([h1, body]) => [h1.color, body.backgroundColor])({grounds})")
            is_dark = brightness(ink) > brightness(ground)
            assert is_dark == (scheme == "dark")
        # At every width and in both themes, each of which may have pictures of its own.
        assert [url for url in asked if not url.startswith("data:")] == [report["html"].as_uri()]
        assert not said
    finally:
        context.close()


def sees_every_picture(page: Any) -> None:
    """And nothing that a chart says is cut off by its own edge."""
    pictures = page.locator("img")
    assert pictures.count() >= 1
    for picture in pictures.all():
        assert picture.get_attribute("alt")
        assert picture.evaluate("img => img.complete && img.naturalWidth > 0")
    cut = page.evaluate(
        """() => [...document.querySelectorAll('img')].flatMap(image => {
            const frame = document.createElement('div');
            frame.innerHTML = new TextDecoder().decode(Uint8Array.from(atob(image.src.split('base64,')[1]), c => c.charCodeAt(0)));
            document.body.append(frame);
            const svg = frame.querySelector('svg'), edge = svg.getBoundingClientRect();
            const cut = [...svg.querySelectorAll('text')].filter(text => {
                const box = text.getBoundingClientRect();
                return box.width && (box.left < edge.left - 1 || box.right > edge.right + 1);
            }).map(text => text.textContent);
            const texts = svg.querySelectorAll('text').length;
            frame.remove();
            return texts ? cut : ['a picture without words'];
        })"""
    )
    assert cut == []


def brightness(colour: str) -> int:
    return sum(map(int, re.findall(r"\d+", colour)[:3]))


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
    for given in ({}, {"stats": stats, "log": "x"}, {"journey": "x"}, {"log": "x"}, {"store": tmp_path}):
        with pytest.raises(ReportError, match=r"stats=, or journey= and log="):
            run_report("campaign", out=tmp_path, **given)


def test_reports_are_kept_in_no_store(stats: jn.JourneyStats, tmp_path: Path) -> None:
    """They would wait without a word as long as somebody loads into it."""
    store = jn.Store(tmp_path)
    with store._writing("load"), pytest.raises(ReportError, match="is a store: name another folder"):
        run_report("campaign", stats=stats, out=tmp_path)


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


def made_before(folder: Path, stats: jn.JourneyStats) -> Path:
    """What a run before this one has left."""
    folder.mkdir(parents=True)
    about = {"report": "campaign", "about": stats.journey.journey_id, "parameters": ASKED}
    (folder / "manifest.json").write_text(json.dumps({**about, "outputs": []}))
    (folder / f"{folder.name}.html").write_text("old")
    return folder


def test_a_failing_cell_is_named_and_the_old_report_stays(
    stats: jn.JourneyStats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = nbformat.read(report_notebooks()["campaign"], as_version=4)
    bad.cells = [bad.cells[1], nbformat.v4.new_code_cell("never = 1 / 0", id="health")]
    nbformat.write(bad, tmp_path / "bad_report.ipynb")
    monkeypatch.setattr(reports, "_notebook", lambda name: tmp_path / "bad_report.ipynb")
    out = tmp_path / "out"
    old = made_before(out / NAME, stats) / f"{NAME}.html"
    with pytest.raises(ReportError, match="ZeroDivisionError") as caught:
        run_report("campaign", stats=stats, out=out)
    assert "in the cell “health”, which begins “never = 1 / 0”" in str(caught.value)
    kept = out / f"{NAME}.failed.ipynb"
    assert caught.value.__notes__ == [f"the notebook as far as it came: {kept}"]
    assert set(out.iterdir()) == {kept, old.parent}
    assert old.read_text() == "old"
    said = nbformat.read(kept, as_version=4)
    assert not [one for one in (said, *said.cells) if "papermill" in one.metadata]
    assert str(tmp_path) not in kept.read_text()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"period": "31d"}, "use one of launch"),
        ({"period": "2026-03-31..2026-03-01"}, "swap the two"),
        ({"as_of": "soon"}, "no date or time: 'soon'"),
        ({"clock": "cohorts"}, "did you mean 'cohort'"),
        ({"version": 9}, "no version 9"),
        ({"goal": "orderd"}, "no goal 'orderd'"),
        ({"locale": "french"}, "there are en, fr, ko"),
    ],
)
def test_a_scope_that_cannot_be_is_told_before_anything_runs(
    values: dict[str, Any], said: str, tmp_path: Path, stats: jn.JourneyStats
) -> None:
    with pytest.raises(ReportError, match=re.escape(said)):
        run_report("campaign", stats=stats, out=tmp_path / "reports", **values)
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"unit": "users"}, "unit='users' is unknown; did you mean 'user'"),
        ({"method": "seq"}, "use fixed or sequential"),
        ({"point": "signup"}, "variants stand at an A/B/n split (there are offer_test)"),
        ({"point": "offer"}, "has no point 'offer'"),
    ],
)
def test_a_test_that_cannot_be_is_told_before_anything_runs(
    values: dict[str, Any], said: str, tmp_path: Path, stats: jn.JourneyStats
) -> None:
    with pytest.raises(ReportError, match=re.escape(said)):
        run_report("experiment", stats=stats, out=tmp_path / "reports", **values)
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stats": "x.parquet"}, "statistics are wanted, not a str"),
        ({"journey": jn.Journey.sample("welcome"), "log": "x.csv"}, "give what is opened already as stats="),
        ({"journey": "x.json", "log": pl.DataFrame()}, "log= takes a path, and is a DataFrame"),
        ({"store": "st", "journey": "welcome", "redact": "key"}, "redact= takes True, or Pseudonyms(key)"),
    ],
)
def test_what_a_report_is_not_made_of_is_told(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=re.escape(said)):
        run_report("campaign", out=tmp_path, **given)


def test_a_report_takes_an_open_store_a_country_and_the_key_of_the_environment(
    quick: None, welcome: jn.Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = jn.Store(tmp_path / "store")
    store.add(welcome)
    store.append(simulate(welcome, users=20))
    made = run_report("campaign", store=store, journey="welcome", out=tmp_path / "out", locale="fr-CA")
    assert made.manifest["parameters"] == {"locale": "fr"}
    with pytest.raises(ReportError, match="unknown status 'runing'; did you mean 'running'"):
        run_report("portfolio", store=store, status="runing", out=tmp_path / "out")
    monkeypatch.delenv("JOURNEY_NB_PSEUDONYM_KEY", raising=False)
    with pytest.raises(ValueError, match="pseudonyms need a key"):
        run_report("campaign", store=store, journey="welcome", out=tmp_path / "out", redact=True)
    monkeypatch.setenv("JOURNEY_NB_PSEUDONYM_KEY", "a key of many bytes, not this one")
    made = run_report("campaign", store=store, journey="welcome", out=tmp_path / "out", redact=True)
    assert made.manifest["redacted"] == {"pseudonyms": True, "small_groups": 5}


def test_a_log_that_is_not_there_is_told_before_anything_runs(welcome: jn.Journey, tmp_path: Path) -> None:
    welcome.write(tmp_path / "w.journey.json")
    with pytest.raises((OSError, ValueError), match="none-"):
        run_report(
            "campaign", journey=tmp_path / "w.journey.json", log=tmp_path / "none-*.csv", out=tmp_path / "r"
        )
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("curve", [True, False], ids=["", "as ZeroMQ is built without"])
def test_runs_in_a_kernel_that_knows_no_encryption(
    curve: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ipykernel before 7.3 left one for all environments of a user."""
    spec = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "Python 3", "language": "python"}  # fmt: skip
    kernel = tmp_path / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setattr("zmq.has", lambda what: curve)
    source, target = tmp_path / "asked.ipynb", tmp_path / "answered.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("number + 1")]), source)
    reports._execute(source, target, {"number": 41}, progress=False)
    assert nbformat.read(target, as_version=4).cells[-1].outputs[-1].data["text/plain"] == "42"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports whose notebook is written as it would be, but never run."""

    def execute(source: Path, target: Path, values: dict[str, Any], progress: bool) -> None:
        import papermill

        papermill.execute_notebook(
            str(source), str(target), values, kernel_name="python3", language="python", prepare_only=True
        )
        leave(str(target.parent), pl.DataFrame({"Title": ["Welcome"]}))

    monkeypatch.setattr(reports, "_execute", execute)


def test_the_notebook_runs_again_from_where_it_lies(
    quick: None, welcome: jn.Journey, stats: jn.JourneyStats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    welcome.write("w.journey.json")
    pl.DataFrame(schema=dict.fromkeys(jn.events.COLUMNS, pl.String)).write_csv("log.csv")
    made = run_report("campaign", journey="w.journey.json", log="log.csv", out="out")
    said = made["notebook"].read_text()
    assert str(tmp_path) not in said
    assert "../../w.journey.json" in said
    assert "../../log.csv" in said
    said = run_report("campaign", stats=stats, out="out")["notebook"].read_text()
    assert "Ran on statistics that are not named here" in said
    assert "saved = 'stats'" not in said
    assert "out = '" not in said  # run again, it must not write over the numbers


def test_reports_on_other_periods_and_journeys_keep_their_files(
    quick: None, stats: jn.JourneyStats, tmp_path: Path
) -> None:
    (tmp_path / f"{NAME}.failed.ipynb").write_text("stale")
    plain = run_report("campaign", stats=stats, out=tmp_path)
    assert plain == run_report("campaign", stats=stats, out=tmp_path, period="30d")
    launch = run_report("campaign", stats=stats, out=tmp_path, period="launch")
    week = run_report("campaign", stats=stats, out=tmp_path, period="7d")
    dates = run_report("campaign", stats=stats, out=tmp_path, period="2026-03-01..2026-03-31")
    korean = run_report("campaign", stats=stats, out=tmp_path, locale="ko", version=2, machine=True)
    shared = "cohort-2026-04-20t12-00"
    names = [
        NAME,
        f"welcome-series-campaign-{shared}-c31cc1a5",
        f"welcome-series-campaign-7d-{shared}-c31cc1a5",
        f"welcome-series-campaign-2026-03-01-2026-03-31-{shared}-c31cc1a5",
        f"welcome-series-campaign-30d-{shared}-version-2-machine-ko-c31cc1a5",
    ]
    every = (plain, launch, week, dates, korean)
    assert [made["csv"].relative_to(tmp_path).as_posix() for made in every] == [f"{n}/{n}.csv" for n in names]
    someone_elses = {**plain.manifest, "about": "another journey"}
    (plain.folder / "manifest.json").write_text(json.dumps(someone_elses))
    other = run_report("campaign", stats=stats, out=tmp_path)
    assert re.fullmatch(f"{NAME}-[0-9a-f]{{8}}", other.folder.name)
    assert plain.manifest == someone_elses
    assert not list(tmp_path.glob("*.failed.ipynb"))


def test_statistics_that_look_otherwise_keep_their_files(
    quick: None, welcome_stats: jn.JourneyStats, tmp_path: Path
) -> None:
    every = [
        welcome_stats,
        welcome_stats.clock("cohort"),
        welcome_stats.as_of("2026-04-20"),
        welcome_stats.version(1),
        welcome_stats.version(2),
        welcome_stats.machine(),
        welcome_stats.where(variant="A"),
        welcome_stats.where(variant="B"),
        welcome_stats.where(users=welcome_stats.facts.users["user_id"].head(2)),
    ]
    made = [run_report("campaign", stats=stats, out=tmp_path, formats=["csv"]) for stats in every]
    assert len({report.folder for report in made}) == len(every)
    same = run_report(
        "campaign", stats=every[0], out=tmp_path, formats=["csv"], period="launch", clock="activity"
    )
    assert same.folder == made[0].folder
    twice = [every[0].where(variant="A").where(version=1), every[0].where(version=1).where(variant=["A"])]
    assert reports._asked("campaign", twice[0], {}) == reports._asked("campaign", twice[1], {})
    # The parameter counts, where both say it.
    assert reports._asked("campaign", every[1].version(1), {"version": 2, "clock": "activity"}) == {
        "version": 2
    }


def test_a_tag_may_be_called_launch(store: jn.Store, quick: None, tmp_path: Path) -> None:
    store.add(jn.Journey.sample("abandoned_cart").model_copy(update={"tags": ("launch",)}))
    whole, some = (
        run_report("portfolio", store=store.path, out=tmp_path / "out", formats=["csv"], **values)
        for values in ({}, {"tag": "launch"})
    )
    assert some.folder.name == f"{whole.folder.name}-launch"
    assert (whole.manifest["parameters"], some.manifest["parameters"]) == ({}, {"tag": "launch"})


def test_a_report_speaks_the_language_that_was_set(
    quick: None, stats: jn.JourneyStats, tmp_path: Path
) -> None:
    jn.set_locale("fr-CA")
    try:
        french = run_report("campaign", stats=stats, out=tmp_path, formats=["html"])
        english = run_report("campaign", stats=stats, out=tmp_path, formats=["html"], locale="en")
    finally:
        jn.set_locale("en")
    assert '<html lang="fr">' in french["html"].read_text(encoding="utf-8")
    assert '<html lang="en">' in english["html"].read_text(encoding="utf-8")
    assert french.manifest["parameters"] == {**ASKED, "locale": "fr"}
    assert english.folder == tmp_path / NAME


@pytest.fixture
def store(welcome_store: jn.Store) -> jn.Store:
    welcome_store.add(jn.Journey.sample("win_back"))
    return welcome_store


def test_a_report_on_a_journey_of_a_store(
    store: jn.Store, welcome_stats: jn.JourneyStats, tmp_path: Path
) -> None:
    """In Korean: the numbers are those of the log, and no heading is in another language."""
    made = run_report("campaign", store=store.path, journey="welcome", out=tmp_path / "out",
                      formats=["html", "notebook", "parquet"], locale="ko", period="30d")  # fmt: skip
    expected = campaign_statistics(welcome_stats.period("30d"))
    assert_frame_equal(pl.read_parquet(made["parquet"]), expected)
    page = made["html"].read_text(encoding="utf-8")
    headings = re.findall(r"<(?:h[1-4]|summary|th)\b[^>]*>([^<]*)</", page)
    assert [text for text in headings if re.search("[A-Za-z]{3,}", text)] == [
        "Welcome series",
        "Which welcome offer? – First order",
    ]
    assert '<html lang="ko">' in page
    notebook = nbformat.read(made["notebook"], as_version=4)
    assert not [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    assert "../../store" in notebook.cells[1].source
    (told,) = made.manifest["journeys"]
    assert told["rows"]["read"] == told["rows"]["loaded"] == welcome_stats.facts.read
    assert told["reconciliation"]["gaps"] == 0 < told["reconciliation"]["checks"]
    assert len(made.manifest["inputs"]) == 2  # the document and one load


def test_a_store_that_is_not_there_or_lacks_the_journey_is_told(store: jn.Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no store"):
        run_report("campaign", store=tmp_path / "none", journey="welcome", out=tmp_path / "out")
    with pytest.raises(KeyError, match="did you mean 'welcome_series'"):
        run_report("campaign", store=store.path, journey="welcome_serie", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "none").exists()


def test_nothing_is_run_where_nothing_changed(
    quick: None, store: jn.Store, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    def again(**given: Any) -> bool:
        asked: dict[str, Any] = {"store": store.path, "journey": "welcome", "formats": ["csv"], **given}
        return run_report("campaign", out=tmp_path / "out", only_if_changed=True, **asked).fresh

    assert [again(), again()] == [True, False]
    assert [again(formats=["csv", "parquet"]), again(formats=["csv", "parquet"])] == [True, False]
    assert [again(), again(), again(goal="first_order"), again()] == [True, False, True, False]
    late = welcome_log.filter(pl.col("user_id") == welcome_log["user_id"][0])
    store.append(late.with_columns(pl.col("user_id", "event_id", "run_id", "message_id") + "x"))
    assert [again(), again()] == [True, False]
    (tmp_path / "out/welcome-series-campaign/welcome-series-campaign.csv").write_text("spoilt")
    assert [again(), again()] == [True, False]


def test_nothing_changed_in_files_either(
    quick: None, welcome: jn.Journey, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    welcome.write(tmp_path / "w.journey.json")
    welcome_log.write_parquet(tmp_path / "a.parquet")
    how: dict[str, Any] = {"journey": tmp_path / "w.journey.json", "log": tmp_path / "*.parquet",
                           "out": tmp_path / "out", "only_if_changed": True}  # fmt: skip
    first = run_report("campaign", **how)
    assert (first.fresh, run_report("campaign", **how).fresh) == (True, False)
    sizes = {row["path"]: row["bytes"] for row in first.manifest["inputs"]}
    assert sizes == {
        f"../../{name}": (tmp_path / name).stat().st_size for name in ("w.journey.json", "a.parquet")
    }
    welcome_log.head(9).write_parquet(tmp_path / "b.parquet")
    assert run_report("campaign", **how).fresh


def test_nothing_changed_in_statistics_of_the_same_log(
    quick: None, welcome: jn.Journey, welcome_log: pl.DataFrame, tmp_path: Path
) -> None:
    """As of a log of other columns, which is read and folded each night."""

    def again() -> bool:
        stats = jn.JourneyStats(welcome, welcome_log)
        return run_report("campaign", stats=stats, out=tmp_path, formats=["csv"], only_if_changed=True).fresh

    assert [again() for _ in range(5)] == [True, False, False, False, False]


def test_a_report_for_each_journey_of_a_store(
    quick: None, store: jn.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from journey_nb.reports import run_for_each

    for name in (KEY, KEY_FILE):
        monkeypatch.delenv(name, raising=False)

    wanted = {"title": ["welcome", "win"]}
    made = dict(run_for_each("campaign", store.path, wanted, out=tmp_path / "out", goal="first_order"))
    assert made["Welcome series"]["csv"].exists()  # type: ignore[index]
    assert "no goal 'first_order'" in str(made["Win-back"])  # this one has others, and stops nothing
    with pytest.raises(ReportError, match="no journey of the store is meant by title=none"):
        list(run_for_each("campaign", store.path, {"title": ["none"]}))
    store.pause("welcome")
    store.clone("win-back")
    with pytest.raises(
        ReportError, match=r"by status=paused, title=win; it has 1 draft, 1 paused, 1 running$"
    ):
        list(run_for_each("campaign", store.path, {"status": ["paused"], "title": ["win"]}))
    for odd, told in (
        ({"perid": "7d"}, "did you mean 'period'"),
        ({"formats": ["xls"]}, "did you mean 'xlsx'"),
        ({"redact": True}, f"pseudonyms need a key: set {KEY}"),
        ({"redact": "yes"}, "redact= takes True, or Pseudonyms"),
    ):
        with pytest.raises(
            (ReportError, ValueError, TypeError), match=told
        ):  # once, and before the first of them
            next(run_for_each("campaign", store.path, wanted, out=tmp_path / "odd", **odd))
    assert not (tmp_path / "odd").exists()


def test_a_format_that_is_not_there_is_told_before_anything_runs(
    stats: jn.JourneyStats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ReportError, match="no format 'xls'; did you mean 'xlsx'"):
        run_report("campaign", stats=stats, out=tmp_path / "out", formats=["xls"])
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(ReportError, match="name it in CHROMIUM"):
        run_report("campaign", stats=stats, out=tmp_path / "out", formats=["pdf"])
    assert not (tmp_path / "out").exists()


@pytest.mark.browser
def test_every_format_says_the_same_and_a_run_anew_is_the_same_to_the_byte(
    report: ReportFiles, stats: jn.JourneyStats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    again = run_report("campaign", stats=stats, out=tmp_path, formats=list(FORMATS))
    assert again.manifest["made_at"] == "2026-01-01T00:00:00+00:00"
    for same in ("html", "csv"):
        assert again[same].read_bytes() == report[same].read_bytes(), same
    first, second = (json.loads(made["notebook"].read_text()) for made in (report, again))
    assert first == second
    expected = campaign_statistics(stats)
    assert_frame_equal(pl.read_parquet(again["parquet"]), expected)
    write_table(pl.read_parquet(again["parquet"]), tmp_path / "anew.parquet")
    write_table(expected, tmp_path / "expected.parquet")
    assert (tmp_path / "expected.parquet").read_bytes() == again["parquet"].read_bytes()
    assert again["xlsx"].stat().st_size > 5_000
    assert again["pdf"].read_bytes()[:5] == b"%PDF-"
    assert {row["path"] for row in again.manifest["outputs"]} == {again[name].name for name in FORMATS}


def test_a_folder_that_no_report_made_is_not_written_over(
    quick: None, stats: jn.JourneyStats, tmp_path: Path
) -> None:
    mine = tmp_path / NAME
    mine.mkdir()
    with pytest.raises(ReportError, match="no report made it"):
        run_report("campaign", stats=stats, out=tmp_path)
    assert list(tmp_path.iterdir()) == [mine]


def test_what_others_put_beside_a_report_stays_and_what_it_no_longer_leaves_goes(
    quick: None, stats: jn.JourneyStats, tmp_path: Path
) -> None:
    made = run_report("campaign", stats=stats, out=tmp_path, formats=["csv", "parquet"])
    (made.folder / "notes.txt").write_text("mine")
    again = run_report("campaign", stats=stats, out=tmp_path, formats=["xlsx"])
    names = {path.name for path in again.folder.iterdir()}
    assert names == {"manifest.json", "notes.txt", f"{NAME}.xlsx"}


def test_what_programs_keep_of_an_old_report_goes_and_links_stay_links(
    quick: None, stats: jn.JourneyStats, tmp_path: Path
) -> None:
    made = run_report("campaign", stats=stats, out=tmp_path, formats=["csv"])
    (made.folder / ".ipynb_checkpoints").mkdir()
    (made.folder / ".ipynb_checkpoints/x-checkpoint.ipynb").write_text("the old numbers")
    (made.folder / "mine").mkdir()
    for link in ("gone", "mine/gone"):
        (made.folder / link).symlink_to("nowhere")
    (made.folder / "beside").symlink_to("mine")
    again = run_report("campaign", stats=stats, out=tmp_path, formats=["csv"])
    names = {path.name for path in again.folder.iterdir()}
    assert names == {"manifest.json", again["csv"].name, "mine", "gone", "beside"}
    for link in ("gone", "mine/gone", "beside"):
        assert (again.folder / link).is_symlink()


def test_a_report_under_pseudonyms_never_lies_where_one_with_names_lay(
    quick: None, stats: jn.JourneyStats, tmp_path: Path
) -> None:
    people = Pseudonyms(b"a key that only the tests know")
    plain = run_report("campaign", stats=stats, out=tmp_path, formats=["csv"])
    (plain.folder / "notes.txt").write_text("about somebody")
    shared = run_report("campaign", stats=stats, out=tmp_path, formats=["csv"], redact=people)
    # The digest of conditions is that of runs, since one of user ids could be guessed.
    name = NAME.removesuffix(ASKED["where"]) + "small-groups-5-[0-9a-f]{8}-pseudonyms"
    assert re.fullmatch(name, shared.folder.name)
    assert ASKED["where"] not in json.dumps(shared.manifest)
    assert {path.name for path in shared.folder.iterdir()} == {"manifest.json", shared["csv"].name}
    # A title may end so too.
    (shared.folder / "manifest.json").write_text(json.dumps({**shared.manifest, "redacted": None}))
    other = run_report("campaign", stats=stats, out=tmp_path, formats=["csv"], redact=people)
    assert re.fullmatch(f"{shared.folder.name}-[0-9a-f]{{8}}", other.folder.name)


def test_pseudonyms_are_told_of_where_they_are_and_only_there(
    quick: None, stats: jn.JourneyStats, store: jn.Store, tmp_path: Path
) -> None:
    people = Pseudonyms(b"a key that only the tests know")
    shared = stats.under(people)
    with pytest.raises(ReportError, match="under pseudonyms already: take those of the log"):
        run_report("campaign", stats=shared, out=tmp_path / "out", redact=people)
    with pytest.raises(ReportError, match="reads a whole store as it is: run it without redact"):
        run_report("portfolio", store=store.path, out=tmp_path / "out", redact=people)
    assert not (tmp_path / "out").exists()
    made = run_report("campaign", stats=shared, out=tmp_path / "out", formats=["csv"])
    assert made.manifest["redacted"] == {"pseudonyms": True, "small_groups": 0}
    assert made.folder.name.endswith("-pseudonyms")


def test_of_what_a_redacted_report_was_made_only_a_digest_is_told(
    quick: None,
    welcome: jn.Journey,
    welcome_log: pl.DataFrame,
    store: jn.Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    welcome.write("by-ann.json")
    welcome_log.head(50).write_parquet("of-ann.parquet")
    about: list[dict[str, Any]] = [
        {"journey": "by-ann.json", "log": "of-ann.parquet"},
        {"store": store.path, "journey": "welcome"},
    ]
    for which in about:
        plain, few = (run_report("campaign", **which, out="out", small_groups=k) for k in (0, 5))
        assert few.folder.name == "welcome-series-campaign-small-groups-5"
        assert few.manifest["redacted"] == {"pseudonyms": False, "small_groups": 5}
        assert plain.manifest["redacted"] is None
        (told,) = few.manifest["inputs"]
        assert re.fullmatch("[0-9a-f]{64}", told.pop("sha256"))
        assert not told
        kept = [path.read_text("utf-8") for path in few]
        for row in plain.manifest["inputs"]:
            assert not [text for text in kept if Path(row["path"]).name in text or row["sha256"] in text]
        assert not [text for text in kept if "of-ann" in text or str(store.path) in text]
        assert not run_report("campaign", **which, out="out", small_groups=5, only_if_changed=True).fresh
    whole = run_report("portfolio", store=store.path, out="out", small_groups=5)
    assert not [path for path in whole if str(store.path) in path.read_text("utf-8")]


def test_small_groups_are_checked_before_anything_runs(stats: jn.JourneyStats, tmp_path: Path) -> None:
    user, people = stats.users()["user_id"][0], Pseudonyms(b"a key that only the tests know")
    for values, said in (
        ({"small_groups": 2}, "take at least 3"),
        ({"small_groups": "few"}, "int is wanted"),
        ({"small_groups": 5, "user": user}, "ask for it with small_groups 0"),
        ({"small_groups": 5, "user": user, "redact": people}, "ask for it with small_groups 0"),
    ):
        with pytest.raises(ReportError, match=said):
            run_report("path", stats=stats, out=tmp_path / "out", **values)
    with pytest.raises(ReportError, match="ask for it with small_groups 0"):
        run_report("path", stats=stats.small_groups(5), out=tmp_path / "out", user=user)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "error",
    [
        jn.JourneyError([]),
        StoreError("busy"),
        subprocess.TimeoutExpired("chromium", 300),
        RuntimeError("unheard of"),
    ],
)
def test_whatever_stops_one_report_stops_no_other(
    error: Exception, welcome: jn.Journey, store: jn.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(name: str, *, journey: str, **options: Any) -> str:
        if journey == welcome.journey_id:
            raise error
        return "made"

    monkeypatch.setattr(reports, "run_report", run)
    made = dict(reports.run_for_each("campaign", store.path, {"title": ["welcome", "win"]}))
    assert made == {"Welcome series": error, "Win-back": "made"}


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
                nbformat.v4.new_output("display_data", {"image/png": "AA==", "text/plain": f'"{hostile}'}),
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
    from journey_nb.subject import open_stats

    stats = open_stats()
    assert stats.journey == jn.Journey.sample("welcome")
    chosen = open_stats(
        period="2026-03-01..2026-03-31", clock="cohort", version=2, machine=True, as_of="2026-04-01"
    )
    expected = (
        stats.as_of("2026-04-01").between("2026-03-01", "2026-03-31").clock("cohort").version(2).machine()
    )
    assert_frame_equal(chosen.points(), expected.points())


OTHERS = {
    "channel": [{"channel": "email", "period": "30d"}, {"locale": "fr", "goal": "first_order"}],
    "experiment": [
        {"goal": "first_order", "period": "30d"},
        {"point": "offer_test", "method": "sequential", "locale": "ko", "small_groups": 5},
    ],
    "path": [{"top": 5, "clock": "cohort", "small_groups": 5}, {"user": "…", "locale": "fr"}],
    "portfolio": [{"category": "Onboarding"}, {"period": "30d", "locale": "ko", "small_groups": 10}],
}


@pytest.mark.parametrize(("name", "which"), [(name, which) for name in OTHERS for which in (0, 1)])
def test_every_report_says_what_its_tables_say(
    name: str, which: int, store: jn.Store, welcome_stats: jn.JourneyStats, tmp_path: Path
) -> None:
    values = dict(OTHERS[name][which])
    locale, k = values.get("locale", "en"), values.get("small_groups", 0)
    stats = welcome_stats.period(values.get("period", "launch")).small_groups(k)
    if "user" in values:
        values["user"] = stats.users()["user_id"][0]
    about = {} if name == "portfolio" else {"journey": "welcome"}
    made = run_report(name, store=store.path, **about, out=tmp_path / "out",
                      formats=["html", "parquet"], **values)  # fmt: skip
    expected, shown = _expected(name, stats, store, values, locale)
    assert_frame_equal(pl.read_parquet(made["parquet"]), small.told(expected, k, typed=True))
    assert expected.height
    page = made["html"].read_text(encoding="utf-8")
    assert str(shown) in page
    assert (f"&lt; {k}" in page) == bool(k)
    assert (word("redacted", locale, what="").rstrip(" .") in page) == bool(k)
    assert made.manifest["journeys"][0]["reconciliation"]["gaps"] == 0


def _expected(
    name: str, stats: jn.JourneyStats, store: jn.Store, values: dict[str, Any], locale: str
) -> tuple[pl.DataFrame, Any]:
    """The table that a report leaves, and a part of its page."""
    if name == "channel":
        channel, goal = values.get("channel", sections.busiest(stats)), values.get("goal")
        issues = stats.delivery_issues(channel).sort("count", descending=True, maintain_order=True)
        return channel_statistics(stats, channel, goal), table(issues.drop("channel"), locale=locale)
    if name == "experiment":
        found = stats.experiment("offer_test", "first_order", mde=0.02, method=values.get("method", "fixed"))
        leading = found.table.select(pl.lit("offer_test").alias("point_id"), pl.all())
        return leading, table(found.table.drop("lift"), locale=locale)
    if name == "path" and "user" in values:
        (told, picture) = sections.user_runs(stats, values["user"], locale=locale)
        assert picture.path is not None
        return stats.user_path(values["user"]), told
    if name == "path":
        stats = stats.clock("cohort")
        return stats.paths(top=5), sections.converters(stats, locale=locale)
    several = [stats, store["win_back"].period(values.get("period", "launch"))][
        : 1 if "category" in values else 2
    ]
    several = [one.small_groups(stats.least) for one in several]
    return campaign_statistics(several), sections.movement(several, locale=locale)


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
