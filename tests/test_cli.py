"""The command line: what it says, what it writes, how it ends."""

from __future__ import annotations

import inspect
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import polars as pl
import pytest
from click.testing import CliRunner, Result
from polars.testing import assert_frame_equal, assert_series_equal
from rich.console import Console

import journey_nb as jn
from journey_nb import reports
from journey_nb.cli import main
from journey_nb.cli.options import _asked_most
from journey_nb.cli.stores import _VERBS
from journey_nb.exports import CAMPAIGN, EXPORTS
from journey_nb.reading import LogError
from journey_nb.simulate import simulate
from journey_nb.store.registry import VERBS, Registry

COMMANDS = ("demo", "new", "check", "import", "simulate", "export", "report", "freeze", "journeys", "status", "history",
            "loads", "undo", "erase", "rebuild")  # fmt: skip


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> Path:
    """A folder with the welcome journey and its log, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    welcome.write("welcome.journey.json")
    welcome_log.write_parquet("events.parquet")
    return tmp_path


def run(*args: str) -> Result:
    result = CliRunner().invoke(main, list(args))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*args: str, code: int = 1) -> str:
    """What a command that must not succeed says; never a traceback."""
    result = run(*args)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def test_a_full_disk_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise pl.exceptions.ComputeError(
            "parquet: underlying IO error: No space left on device (os error 28)"
        )

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", full)
    said = refused("simulate", "welcome.journey.json", "--users", "5", "-o", "more.parquet")
    assert "Error: there is no room on the disk" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str) -> None:
    text = run(command, "--help").output
    assert f"Example:\n    journey-nb {command}" in text


def test_new_makes_a_journey_that_checks(here: Path) -> None:
    assert run("new", "spring.journey.json", "--sample", "abandoned_cart", "--title", "Spring").exit_code == 0
    made = jn.Journey.read("spring.journey.json")
    sample = jn.Journey.sample("abandoned_cart")
    assert (made.title, made.status, made.launched_at) == ("Spring", "draft", None)
    assert made.journey_id != sample.journey_id
    assert made.versions == sample.versions
    result = run("check", "spring.journey.json")
    assert (result.exit_code, "“Spring”" in result.output) == (0, True)


def test_new_writes_over_nothing_unasked(here: Path) -> None:
    before = Path("welcome.journey.json").read_bytes()
    assert "--force" in refused("new", "welcome.journey.json", code=2)
    assert Path("welcome.journey.json").read_bytes() == before
    assert run("new", "welcome.journey.json", "--force").exit_code == 0


def test_new_writes_journeys_under_the_ending_by_which_check_knows_them(here: Path) -> None:
    assert "ends in .json, as in x.journey.json" in refused("new", "x.txt", code=2)
    assert not Path("x.txt").exists()


def test_an_import_without_its_journey_leaves_no_store(here: Path) -> None:
    refused("import", "events.parquet", "--store", "store", "--journey", "nope.json")
    assert not Path("store").exists()
    jn.Store("store")
    assert "name one with --journey" in refused("import", "events.parquet", "--store", "store", code=2)


VENDOR = ("-c", "occurred_at=sent on", "--column", "user_id=customer", "--timezone", "Europe/Paris",
          "--time-format", "%d/%m/%Y %H:%M:%S%.6f")  # fmt: skip


@pytest.fixture
def vendor(here: Path, welcome_log: pl.DataFrame) -> Path:
    """The same log as a vendor may write it: names of its own, local times without a zone."""
    local = pl.selectors.datetime().dt.convert_time_zone("Europe/Paris").dt.strftime(VENDOR[-1])
    renamed = {"occurred_at": "sent on", "user_id": "customer"}
    welcome_log.with_columns(local).rename(renamed).write_csv("vendor.csv")
    return here


def test_a_log_of_other_names_and_times_is_told_how_to_read(
    vendor: Path, welcome_stats: jn.JourneyStats, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = "welcome.journey.json", "vendor.csv"
    assert run("check", "vendor.csv", "--journey", "welcome.journey.json", *VENDOR).exit_code == 0
    assert run("export", *log, *VENDOR, "-t", "daily", "-o", "log.parquet").exit_code == 0
    assert run("import", "vendor.csv", "--store", "store", "--journey", log[0], *VENDOR).exit_code == 0
    assert run("export", "--store", "store", "welcome", "-t", "daily", "-o", "store.parquet").exit_code == 0
    for name in ("log.parquet", "store.parquet"):
        assert_frame_equal(pl.read_parquet(name), welcome_stats.daily())
    asked: list[dict[str, Any]] = []

    def run_report(name: str, **given: Any) -> reports.ReportFiles:
        asked.append(given)
        return reports.ReportFiles(Path("reports/x"), {})

    monkeypatch.setattr(reports, "run_report", run_report)
    run("report", "--journey", log[0], "--log", log[1], *VENDOR, "--period", "7d")
    assert asked[0].keys().isdisjoint({"journey", "log", "store"})
    assert (asked[0]["stats"].daily().equals(welcome_stats.daily()), asked[0]["period"]) == (True, "7d")


def test_what_a_log_has_no_column_for_is_a_constant(
    here: Path, welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    last = welcome_log.filter(pl.col("version") == 2)
    assert not last.is_empty()
    last.write_parquet("last.parquet")
    last.drop("journey_id", "version").write_csv("bare.csv")
    constants = "--constant", f"journey_id={welcome.journey_id}", "--constant", "version=2"
    for log, how in (("last.parquet", ()), ("bare.csv", constants)):
        assert (
            run("export", "welcome.journey.json", log, *how, "-t", "daily", "-o", f"{log}.csv").exit_code == 0
        )
    assert Path("bare.csv.csv").read_text() == Path("last.parquet.csv").read_text()


def test_the_unit_of_epochs_is_told(here: Path, welcome_log: pl.DataFrame) -> None:
    early = pl.col("occurred_at") - pl.col("occurred_at").min()  # so small are no epochs for sure
    welcome_log.with_columns(early.dt.total_milliseconds()).drop("due_at").write_csv("early.csv")
    assert "say --time-unit 's', 'ms', 'us' or 'ns'" in refused("check", "early.csv")
    assert run("check", "early.csv", "--time-unit", "ms").exit_code == 0


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("check", "vendor.csv"), 1, "say --column occurred_at=…"),
        (("check", "vendor.csv", *VENDOR[:4]), 1, "say --time-format '%d/%m/%Y %H:%M'"),
        (("check", "vendor.csv", "-c", "occurred_at=sent_on"), 1, "did you mean 'sent on'"),
        (("check", "vendor.csv", "-c", "occured_at=sent on"), 1, "did you mean 'occurred_at'"),
        (("check", "vendor.csv", *VENDOR, "-c", "user_id=who"), 2, "user_id is given twice, as 'customer' and as 'who'"),
        (("check", "vendor.csv", *VENDOR, "--constant", "user_id=who"), 2, "user_id is a column or a constant: say one"),
        (("check", "bare.csv", "-c", "occurred_at=at"), 1, "say --column kind=…, or --constant kind=… if it is one for all rows"),
        (("check", "vendor.csv", "-c", "user_id"), 2, "NAME=VALUE"),
        (("export", "--store", "a", "--constant", "version=1"), 2, "say --constant version=1 to journey-nb import"),
        (("check", "vendor.csv", *VENDOR, "--timezone", "Europe/Pari"), 1, "did you mean 'Europe/Paris'"),
        (("import", "vendor.csv", "--store", "a/b", "--journey", "welcome.journey.json", *VENDOR[:4]), 1, "say how they are to be read (--column, --timezone, --time-unit, --time-format)"),
        (("export", "welcome.journey.json", "vendor.csv"), 1, "say --column occurred_at=…"),
        (("export", "--store", "a", *VENDOR[:2]), 2, "say --column 'occurred_at=sent on' to journey-nb import"),
        (("report", "--journey", "welcome.journey.json", "--log", "vendor.csv"), 1, "say --column occurred_at=…"),
        (("report", "x", "--store", "a", "--timezone", "UTC"), 2, "say --timezone UTC to journey-nb import"),
    ],
)  # fmt: skip
def test_how_a_log_is_read_is_told_by_options(
    vendor: Path, args: tuple[str, ...], code: int, said: str
) -> None:
    Path("bare.csv").write_text("at,who\n2026-03-01,7\n")
    assert said in refused(*args, code=code)
    assert not Path("a").exists()


def test_an_import_that_sets_too_much_aside_stays_and_ends_with_3(
    here: Path, welcome_log: pl.DataFrame
) -> None:
    bad = pl.int_range(pl.len()) < 200
    welcome_log[:10_000].with_columns(kind=pl.when(~bad).then("kind")).write_parquet("events.parquet")
    args = "import", "events.parquet", "--journey", "welcome.journey.json", "--store"
    assert "a number of rows (100) or a share of them (1%)" in refused(
        *args, "odd", "--max-quarantined", "0.01", code=2
    )
    fits = run(*args, "fits", "--max-quarantined", "2%")
    assert (
        fits.exit_code,
        "200 rows set aside: journey-nb check fits says by which rule" in fits.output,
    ) == (0, True)
    told = refused(*args, "store", "--max-quarantined", "1.9%", code=3)
    assert (
        "200 of 10,000 rows were set aside, more than the 190 that --max-quarantined allows: what was loaded stays loaded"
        in told
    )
    assert jn.Store("store")["welcome"].facts.quarantined.height >= 200
    assert run(*args, "store", "--max-quarantined", "0").exit_code == 0  # nothing is new
    aside = jn.Store("store")["welcome"].facts.quarantined.height
    assert run("check", "store", "--max-quarantined", str(aside)).exit_code == 0
    told = refused("check", "store", "--max-quarantined", str(aside - 1))
    assert f"+ {aside} quarantined" in told
    assert re.search(
        rf"✗ “Welcome series”: {aside} of [\d,]+ rows were set aside, more than the {aside - 1}", told
    )
    fine = run("check", "events.parquet", "--max-quarantined", "2%")
    assert (fine.exit_code, "✗" in fine.output) == (0, False)
    more = (
        "✗ events.parquet: 200 of 10,000 rows were set aside, more than the {} that --max-quarantined allows"
    )
    assert more.format(199) in refused("check", "events.parquet", "--max-quarantined", "199")
    assert more.format(0) in refused("check", "events.parquet")  # none, unless said


def test_what_an_import_may_have_read_otherwise_than_was_meant_is_told_in_the_words_of_the_command_line(
    here: Path,
) -> None:
    """Every row is loaded, and yet there is no revenue; hours are shifted; states are told as of a year to come."""
    odd, at = pl.int_range(pl.len()) % 2 == 1, pl.col("occurred_at").dt.strftime("%Y-%m-%dT%H:%M:%S")
    rows = pl.read_parquet("events.parquet").filter(kind="run.entered").rename({"value": "val"})
    rows.with_columns(occurred_at=pl.when(odd).then(at).otherwise(at + "Z")).write_parquet("a.parquet")
    rows.with_columns(pl.col("occurred_at").dt.offset_by("100y")).write_parquet("c.parquet")
    to_store = ("--journey", "welcome.journey.json", "--store", "store")
    said = run("import", "a.parquet", *to_store).stderr.splitlines()
    assert said[0] == "! a.parquet: column 'val' is not read; did you mean 'value'?"
    assert re.fullmatch(
        r"! a\.parquet: [\d,]+ of [\d,]+ times have no zone: read as UTC; say --timezone …", said[1]
    )
    assert len(said) == 2
    told = run("import", "c.parquet", *to_store[:-1], "another store", "-c", "value=val").stderr.strip()
    assert re.fullmatch(
        r"! c\.parquet: there are events in the future, up to 21.* UTC: check clock and --time-unit", told
    )


def test_an_import_of_which_no_row_counts_ends_with_3_unless_all_may_be_set_aside(
    here: Path, welcome_log: pl.DataFrame
) -> None:
    jn.Store("store").add(jn.Journey.read("welcome.journey.json"))
    for name in ("a", "b"):
        strange = welcome_log[:50].with_columns(journey_id=pl.lit(f"typed {name}rong"))
        strange.write_parquet(f"{name}.parquet")
    told = refused("import", "a.parquet", "--store", "store", code=3)
    assert "50 rows read and 50 set aside, no more count than before: what was loaded stays" in told
    assert "50 of 'typed arong'" in told
    assert "journey-nb check store says by which rule" in told
    assert run("import", "a.parquet", "--store", "store").exit_code == 0  # nothing is new
    assert run("import", "b.parquet", "--store", "store", "--max-quarantined", "100%").exit_code == 0


def test_an_import_of_rows_that_set_others_aside_does_not_say_that_none_of_them_counts(
    here: Path, welcome_log: pl.DataFrame
) -> None:
    """As those of a file that is corrected and sent again: of each two rows one stays, some of them the newer."""
    store = jn.Store("store")
    store.add(jn.Journey.read("welcome.journey.json"))
    store.append(welcome_log[:50])
    again = welcome_log[:50].with_columns(pl.col("occurred_at").dt.offset_by("1us"))
    again.write_parquet("again.parquet")
    told = refused("import", "again.parquet", "--store", "store", code=3)
    newer = store["welcome"].facts.events.join(again, left_on="at", right_on="occurred_at", how="semi")
    assert newer.height
    assert re.search("50 rows read and 5[0-9] set aside, no more count than before", told)


def test_a_share_is_counted_exactly() -> None:
    allowed = _asked_most(click.Context(main), click.Option(["--max-quarantined"]), "0.57%")
    assert allowed
    assert allowed(10_000) == 57  # in binary fractions it is less


def test_rows_of_journeys_that_a_store_lacks_are_too_many_by_what_it_read(
    here: Path, welcome_log: pl.DataFrame
) -> None:
    store = jn.Store("store")
    store.add(jn.Journey.read("welcome.journey.json"))
    strange = pl.when(pl.int_range(pl.len()) < 50).then(pl.lit("another")).otherwise("journey_id")
    store.append(welcome_log[:5_000].with_columns(journey_id=strange))
    assert run("check", "store", "--max-quarantined", "1%").exit_code == 0
    told = refused("check", "store", "--max-quarantined", "0.9%")
    assert "50 rows of journeys" in told
    assert "✗ of other journeys: 50 of 5,000 rows were set aside, more than the 45" in told


def test_check_names_what_counts_for_nothing(here: Path, welcome_log: pl.DataFrame) -> None:
    store = jn.Store("store")
    store.add(jn.Journey.read("welcome.journey.json"))
    store.append(welcome_log[:100])
    assert "counts for nothing" not in run("check", "store").output
    killed = Path("store/layers/0123456789abcdef/0")
    killed.mkdir(parents=True)
    (killed / "goals.arrow").write_bytes(bytes(2_000))
    Path("store/[red]notes.txt").write_text("mine")
    checked = run("check", "store")
    assert checked.exit_code == 0
    told = " ".join(checked.output.split())
    assert (
        "layers/0123456789abcdef (2.0 kB) counts for nothing: of a load that was interrupted, or goes on; the next"
        in told
    )
    assert "[red]notes.txt (4 bytes) counts for nothing: nothing of the store" in told
    store.append(welcome_log[100:200])
    assert "0123456789abcdef" not in run("check", "store").output
    assert Path("store/[red]notes.txt").exists()


def test_a_pattern_without_files_keeps_no_others_back(here: Path) -> None:
    """Of several sources one has sent nothing tonight."""
    to_store = ("--journey", "welcome.journey.json", "--store", "store")
    said = refused("import", "events.parquet", "app/*.parquet", *to_store)
    assert "Error: no file app/*.parquet; check the path the others: " in said
    assert jn.Store("store").loads()["name"].to_list() == ["events.parquet"]
    (here / "mounted").symlink_to("elsewhere")
    said = refused("import", "events.parquet", *to_store[:-1], "mounted")
    assert "Error: mounted is a link to elsewhere, which is not there" in said


@pytest.mark.parametrize(("ending", "code"), [(KeyboardInterrupt(), 1), (SystemExit(143), 143)])
def test_an_import_that_is_interrupted_says_that_it_goes_on(
    here: Path, monkeypatch: pytest.MonkeyPatch, ending: BaseException, code: int
) -> None:
    def ended(*_: object, **__: object) -> None:
        raise ending

    monkeypatch.setattr(jn.Store, "load", ended)
    said = refused("import", "events.parquet", "--journey", "welcome.journey.json", "--store", "s", code=code)
    assert "the same again goes on" in said


def test_a_failed_import_makes_no_store_but_leaves_one(here: Path) -> None:
    args = "import", "none.csv", "--journey", "welcome.journey.json", "--store"
    refused(*args, "new/store")
    assert not Path("new").exists()
    jn.Store("store")
    assert "taken into the store all the same: “Welcome series”" in refused(*args, "store")
    assert "taken into" not in refused(*args, "store")  # it was there before
    assert list(jn.Store("store")) == [jn.Journey.read("welcome.journey.json").journey_id]


def test_a_failed_import_leaves_a_new_store_that_another_waits_to_load_into(
    here: Path, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ["import", "events.parquet", "--journey", "welcome.journey.json", "--store", "new/store"]
    at_once = (
        "from journey_nb.store import database; database.QUIETLY = 0; from journey_nb.cli import main; main()"
    )
    others: list[subprocess.Popen[str]] = []

    def failing(store: jn.Store, *_: object, **__: object) -> None:
        with store._writing("load"):
            others.append(
                subprocess.Popen([sys.executable, "-c", at_once, *args], stderr=subprocess.PIPE, text=True)
            )
            assert others[0].stderr
            assert "is being written by" in others[0].stderr.readline()
            raise LogError("no row can be read")

    with monkeypatch.context() as patched:
        patched.setattr(jn.Store, "load", failing)
        refused(*args)
    assert others[0].wait() == 0, others[0].communicate()
    assert jn.Store("new/store")["welcome"].facts.read == welcome_log.height


def test_a_failed_import_leaves_a_new_store_that_python_loads_into(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as others:

        def failing(*_: object, **__: object) -> None:
            others.enter_context(jn.Store("new/store")._writing("load"))
            raise LogError("no row can be read")

        monkeypatch.setattr(jn.Store, "load", failing)
        refused("import", "events.parquet", "--journey", "welcome.journey.json", "--store", "new/store")
        assert len(jn.Store("new/store").find()) == 1


def test_a_document_that_differs_is_refused_with_what_its_status_allows(registry: Registry) -> None:
    journey = registry.get("welcome")
    journey.model_copy(update={"goals": ()}).write("changed.journey.json")
    args = "import", "none.csv", "--store", "store", "--journey", "changed.journey.json"
    assert "(running): pause it and relaunch it with this document, or give" in refused(*args)
    registry.pause("welcome")
    assert "(paused): relaunch it with this document, or give" in refused(*args)
    registry.archive("welcome")
    assert "(archived): its design stays as it is; give the document a journey_id of its own" in refused(
        *args
    )
    draft = registry.clone("win_back")
    draft.model_copy(update={"goals": ()}).write("changed.journey.json")
    assert "(draft): edit it (in Python, Store.edit), or give" in refused(*args)


def test_that_no_log_was_kept_is_told_by_its_option(here: Path) -> None:
    pl.read_parquet("events.parquet")[:10].write_parquet("more.parquet")
    run("import", "more.parquet", "--store", "store", "--journey", "welcome.journey.json", "--no-log")
    assert "kept without their log (--no-log)" in refused("import", "events.parquet", "--store", "store")


def test_an_import_without_a_document_does_not_read_what_waits_for_one_first(
    here: Path, welcome_log: pl.DataFrame
) -> None:
    store = jn.Store("store")
    store.add(jn.Journey.read("welcome.journey.json"))
    store.append(welcome_log[:50].with_columns(journey_id=pl.lit("another")))
    next(Path("store/layers").glob("*/faulty.parquet")).write_bytes(b"")
    assert "faulty.parquet cannot be read: it is damaged" in refused(
        "import", "events.parquet", "--store", "store"
    )
    assert store["welcome"].report().loaded == welcome_log.height


def test_facts_of_an_older_release_are_told_with_the_command_that_folds_them_anew(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = "import", "events.parquet", "--store", "store"
    with monkeypatch.context() as older:
        older.setattr("journey_nb.store.layers.FACTS", 1)
        run(*args, "--journey", "welcome.journey.json")
    pl.read_parquet("events.parquet")[:10].write_parquet("more.parquet")
    journey_id = jn.Journey.read("welcome.journey.json").journey_id
    mend = f"journey-nb rebuild STORE '{journey_id}' folds them anew"
    assert mend in refused("import", "more.parquet", "--store", "store")
    assert mend in refused("check", "store")
    assert run("rebuild", "store", journey_id).exit_code == 0
    assert run("check", "store").exit_code == 0


def test_what_came_before_a_full_disk_is_told_with_its_mends_as_options(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        error = jn.StoreError("there is no room for it")
        error.add_note("before that: 0 rows read\n  a.csv: no column 'kind'; say columns={'kind': …}")
        raise error

    monkeypatch.setattr(jn.Store, "load", full)
    told = refused("import", "a.csv", "--store", "store", "--journey", "welcome.journey.json")
    assert "no column 'kind'; say --column kind=…, or --constant kind=…" in told


def test_a_failed_import_keeps_what_it_loaded_before(
    here: Path, welcome_log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("journey_nb.store.sources.TOGETHER", 1)  # each file by itself
    Path("odd.csv").write_text("occurred_at\n")
    args = "import", "events.parquet", "odd.csv", "--journey", "welcome.journey.json", "--store", "store"
    assert "no column 'kind'" in refused(*args)
    assert jn.Store("store")["welcome"].facts.read == welcome_log.height


@pytest.mark.parametrize(
    "args",
    [("import", "events.parquet", "--store", "store"), ("rebuild", "store", "welcome"), ("undo", "store", "x"),
     ("erase", "store", "u1", "--yes")],
    ids=lambda args: args[0],
)  # fmt: skip
def test_who_writes_waits_as_long_as_is_said(here: Path, args: tuple[str, ...]) -> None:
    store = jn.Store("store")
    store.add(jn.Journey.read("welcome.journey.json"))
    store.append(pl.read_parquet("events.parquet")[:10])
    with store._writing("rebuild"):
        told = refused(*args, "--patience", "0")
    assert f"process {os.getpid()}" in told
    assert "wait longer (--patience SECONDS)" in told


def test_check_knows_a_log_that_is_named_as_a_document(here: Path, welcome_log: pl.DataFrame) -> None:
    welcome_log.head(3).write_ndjson("x.json")
    assert "is it a log, with an object a line? Then name it .jsonl" in refused("check", "x.json")
    Path("x.json").rename("x.jsonl")
    assert run("check", "x.jsonl").exit_code == 0


def test_new_names_the_samples(here: Path) -> None:
    assert "'win_back'" in refused("new", "a.journey.json", "--sample", "winback", code=2)


def test_check_lists_every_fault_at_once(here: Path) -> None:
    document = json.loads(Path("welcome.journey.json").read_text())
    document["status"] = "runing"
    document["timezone"] = "Europe/Pari"
    document["versions"][0]["branches"][0]["target"] = "nowhere"
    Path("bad.journey.json").write_text(json.dumps(document))
    text = refused("check", "bad.journey.json", "welcome.journey.json")
    assert "did you mean 'running'" in text
    assert "Europe/Pari" in text
    assert "no point 'nowhere'" in text
    assert "✓ welcome.journey.json" in text  # the rest is checked all the same


def test_check_warns_of_what_is_seldom_meant(here: Path) -> None:
    document = json.loads(Path("welcome.journey.json").read_text())
    document["versions"][-1]["points"].append({"point_id": "island", "type": "exit"})
    Path("odd.journey.json").write_text(json.dumps(document))
    result = run("check", "odd.journey.json")
    assert (result.exit_code, "nothing leads to 'island'" in result.output) == (0, True)


def test_check_says_what_of_a_log_was_read(here: Path, welcome_log: pl.DataFrame) -> None:
    result = run("check", "events.parquet", "--journey", "welcome.journey.json")
    assert result.exit_code == 0, result.output
    assert f"{welcome_log.height:,}" in result.output


def test_check_goes_on_behind_what_it_cannot_read(here: Path) -> None:
    text = refused("check", "none.parquet", "none.journey.json", "*.journey.json", "events.parquet")
    for told in (
        "none.parquet",
        "no file 'none.journey.json'",
        "✓ welcome.journey.json",
        "Read events.parquet",
    ):
        assert told in text


def test_a_title_gives_the_terminal_no_orders(here: Path, welcome: jn.Journey) -> None:
    welcome.model_copy(update={"title": "a\x1b]0;owned\x07\u202eb[red]"}).write("odd.journey.json")
    text = run("check", "odd.journey.json").output
    assert "“a]0;ownedb[red]”" in text


def test_a_report_that_is_ended_from_outside_cleans_up(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "_execute", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    refused("report", "--journey", "welcome.journey.json", "--log", "events.parquet", code=143)
    assert list(Path("reports").iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_console_of_few_characters_shows_what_it_can(here: Path) -> None:
    command = Path(sys.executable).with_name("journey-nb")
    done = subprocess.run([command, "check", "welcome.journey.json"], capture_output=True,
                          env={**os.environ, "PYTHONIOENCODING": "cp1252"})  # fmt: skip
    assert (done.returncode, done.stdout[:2]) == (0, b"? ")


def test_check_fails_on_quarantine(here: Path, welcome_log: pl.DataFrame) -> None:
    odd = welcome_log.head(100).with_columns(pl.col("kind").cast(pl.String))
    odd.with_columns(
        kind=pl.when(pl.int_range(pl.len()) == 7).then(pl.lit("run.vanished")).otherwise("kind")
    ).write_parquet("odd.parquet")
    text = refused("check", "odd.parquet", "--journey", "welcome.journey.json")
    assert "unknown_kind" in text


def test_check_with_a_journey_gives_the_account_of_its_statistics(
    here: Path, welcome_log: pl.DataFrame
) -> None:
    """What breaks the order of its run is set aside there, not told as loaded."""
    first = welcome_log.filter(pl.col("kind") == "run.exited").head(1)
    again = first.with_columns(event_id=pl.lit("again"), occurred_at=pl.col("occurred_at").dt.offset_by("1h"))
    pl.concat([welcome_log, again]).write_parquet("twice.parquet")
    stats = jn.JourneyStats(jn.Journey.read("welcome.journey.json"), jn.EventLog.read("twice.parquet"))
    told = [" ".join(line.split()) for line in str(stats.report()).splitlines()]
    assert "1 quarantined" in told[0]
    text = refused("check", "twice.parquet", "--journey", "welcome.journey.json")
    assert [line for line in told if line not in text] == []
    assert "log.judge" not in text


def test_simulate_is_repeatable(here: Path) -> None:
    for name in ("a.parquet", "b.parquet"):
        assert run("simulate", "welcome", "--users", "50", "--seed", "3", "-o", name).exit_code == 0
    assert Path("a.parquet").read_bytes() == Path("b.parquet").read_bytes()
    assert "parquet or .csv" in refused("simulate", "welcome", "-o", "x.txt", code=2)
    assert run("simulate", "welcome", "--users", "50", "--seed", "3", "-o", "a.csv").exit_code == 0
    assert len(Path("a.csv").read_text().splitlines()) == pl.read_parquet("a.parquet").height + 1
    assert jn.EventLog.read("a.parquet").judge(jn.Journey.sample("welcome")).quarantined.is_empty()


def test_export_writes_the_campaign_statistics(here: Path) -> None:
    result = run("export", "welcome.journey.json", "events.parquet", "-o", "campaign.csv")
    assert result.exit_code == 0, result.output
    assert pl.read_csv("campaign.csv").columns == list(CAMPAIGN)


def test_an_export_of_journeys_that_still_are_drafts_says_so(here: Path) -> None:
    run("new", "new.journey.json")
    run("import", "events.parquet", "--store", "store", "--journey", "new.journey.json")
    told = refused("export", "--store", "store", "--for-each", "status=running")
    assert "it has 1 draft; a draft runs once it is launched: journey-nb status STORE JOURNEY launch" in told


def test_export_of_a_store_is_of_one_journey_or_a_row_for_each(here: Path, welcome: jn.Journey) -> None:
    store = jn.Store("store")
    for title, tags in (("Spring", ["sale"]), ("Summer", ["sale"]), ("Welcome", [])):
        more = welcome.model_copy(update={"journey_id": title.lower(), "title": title, "tags": tuple(tags)})
        store.add(more)
        store.append(simulate(more, users=30 + len(title), seed=1))
    run("export", "--store", "store", "Summer", "-t", "points", "--period", "7d", "-o", "p.parquet")
    assert pl.read_parquet("p.parquet").equals(store["summer"].period("7d").points())
    for given, expected in (
        ((), ["Spring", "Summer", "Welcome"]),
        (("--for-each", "tag=sale"), ["Spring", "Summer"]),
    ):
        assert (
            run(
                "export",
                "--store",
                "store",
                *given,
                "--from",
                "2026-03-01",
                "--to",
                "2026-03-31",
                "-o",
                "c.parquet",
            ).exit_code
            == 0
        )
        table = pl.read_parquet("c.parquet")
        assert table["Title"].to_list() == expected
        stats = (store[title].between("2026-03-01", "2026-03-31") for title in expected)
        assert table.equals(jn.campaign_statistics(stats))
    assert "only campaign is of several" in refused("export", "--store", "store", "-t", "users", code=2)
    assert "did you mean 'status'" in refused(
        "export", "--store", "store", "--for-each", "statsu=running", code=2
    )
    assert "or a store" in refused("export", "welcome.journey.json", code=2)
    assert "it has the logs" in refused("export", "a.json", "b.csv", "--store", "store", code=2)


@pytest.mark.parametrize("table", ["points", "daily", "waiting"])
def test_export_writes_any_table(here: Path, welcome_stats: jn.JourneyStats, table: str) -> None:
    result = run(
        "export", "welcome.journey.json", "events.parquet", "--table", table, "-o", f"{table}.parquet"
    )
    assert result.exit_code == 0, result.output
    assert pl.read_parquet(f"{table}.parquet").equals(getattr(welcome_stats, table)())


def test_export_takes_a_period_and_a_clock(here: Path, welcome_stats: jn.JourneyStats) -> None:
    run(
        "export",
        "welcome.journey.json",
        "events.parquet",
        "-t",
        "health",
        "-o",
        "h.parquet",
        "--period",
        "7d",
        "--clock",
        "cohort",
    )
    assert pl.read_parquet("h.parquet").equals(welcome_stats.period("7d").clock("cohort").health())


def test_a_log_of_another_journey_is_refused(here: Path) -> None:
    assert run("new", "other.journey.json").exit_code == 0
    said = refused("export", "other.journey.json", "events.parquet", "-o", "x.csv")
    assert "no row of the log belongs to 'Welcome series': unknown_journey" in said
    assert f"names the journey {jn.Journey.read('welcome.journey.json').journey_id!r}" in said
    assert not Path("x.csv").exists()


def test_export_says_what_it_set_aside(here: Path, welcome_log: pl.DataFrame) -> None:
    first = pl.int_range(pl.len()) == 0
    odd = welcome_log.with_columns(
        kind=pl.when(first).then(pl.lit("x")).otherwise(pl.col("kind").cast(pl.String))
    )
    odd.write_parquet("odd.parquet")
    said = run("export", "welcome.journey.json", "odd.parquet", "-o", "x.csv", "--timezone", "UTC").output
    check = "journey-nb check odd.parquet --journey welcome.journey.json --timezone UTC"
    assert f"1 row in quarantine: {check} says why" in said


def test_export_of_step_users(here: Path, welcome: jn.Journey) -> None:
    point = welcome.version().points[1].point_id
    args = ("export", "welcome.journey.json", "events.parquet", "-t", "step-users", "--point")
    assert run(*args, point, "-o", "step.csv").exit_code == 0
    assert "user_id" in Path("step.csv").read_text()
    assert "has no point" in refused(*args, "nowhere")


LOG = "export", "welcome.journey.json", "events.parquet", "-o", "x.parquet", "-t"


@pytest.mark.parametrize(
    ("args", "name", "options"),
    [
        (("campaign", "--extended", "--percent"), "campaign", {"extended": True, "percent": True}),
        (("goal",), "goal", {}),
        (("goal", "--goal", "first_order", "--percent"), "goal", {"goal": "first_order", "percent": True}),
        (("channel",), "channel", {}),
        (("channel", "--channel", "email", "--goal", "first_order"), "channel", {"channel": "email", "goal": "first_order"}),
        (("point", "--point", "hello_push"), "point", {"point_id": "hello_push"}),
        (("point-users", "--point", "hello_push", "--goal", "first_order"), "point-users", {"point_id": "hello_push", "goal": "first_order"}),
        (("step-users", "--point", "settle"), "step-users", {"point_id": "settle"}),
        (("users",), "users", {}),
    ],
)  # fmt: skip
def test_export_writes_each_export_with_its_options(
    here: Path, welcome_stats: jn.JourneyStats, args: tuple[str, ...], name: str, options: dict[str, Any]
) -> None:
    result = run(*LOG, *args, "--from", "2026-04-01", "--to", "2026-04-30")
    assert result.exit_code == 0, result.output
    expected = EXPORTS[name](welcome_stats.between("2026-04-01", "2026-04-30"), **options).lazy().collect()
    assert pl.read_parquet("x.parquet").equals(expected)
    assert f"{expected.height:,} row" in result.output


@pytest.mark.parametrize(
    ("args", "table"),
    [
        (("variants", "--point", "offer_test", "--goal", "first_order"), lambda stats: stats.variants("offer_test", "first_order")),
        (("messages", "--channel", "email"), lambda stats: stats.messages("email")),
    ],
)  # fmt: skip
def test_export_writes_any_table_with_what_it_takes(
    here: Path,
    welcome_stats: jn.JourneyStats,
    args: tuple[str, ...],
    table: Callable[[jn.JourneyStats], pl.DataFrame],
) -> None:
    result = run(*LOG, *args)
    assert result.exit_code == 0, result.output
    assert_frame_equal(pl.read_parquet("x.parquet"), table(welcome_stats))


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("point",), 2, "point needs --point"),
        (("goal", "--point", "hello_push"), 2, "goal takes no --point; it takes --goal, --percent"),
        (("health", "--percent"), 2, "health takes no --percent; it takes no such option"),
        (("variants", "--point", "offer_test"), 2, "variants needs --goal"),
        (("messages", "--point", "hello_push"), 2, "messages takes no --point; it takes --goal, --channel"),
        (("response_times",), 2, "response_times needs --point"),
        (("goal", "--goal", "first_ordr"), 1, "did you mean 'first_order'"),
        (("channel", "--channel", "emial"), 1, "did you mean 'email'"),
        (("point", "--point", "helo_push"), 1, "did you mean 'hello_push'"),
        (("point-users", "--point", "settle"), 1, "sends no messages"),
        (("point-user",), 2, "did you mean 'point-users'"),
        (("goal", "--from", "2026-04-01"), 2, "say --from and --to, or --period"),
        (("goal", "--from", "2026-04-01", "--to", "2026-04-30", "--period", "7d"), 2, "say --from and --to, or --period"),
        (("goal", "--from", "2026-05-01", "--to", "2026-04-20"), 2, "swap the two"),
        (("goal", "--from", "1 May", "--to", "2026-04-30"), 2, "write 2026-03-01"),
    ],
)  # fmt: skip
def test_export_says_what_an_export_takes(here: Path, args: tuple[str, ...], code: int, said: str) -> None:
    assert said in " ".join(refused(*LOG, *args, code=code).split())
    assert not Path("x.parquet").exists()


ASKED = ("report", "--journey", "welcome.journey.json", "--log", "events.parquet")


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("export", "nothing.json", "events.parquet"), 1, "no file 'nothing.json'"),
        (("export", "welcome.journey.json", "nothing.parquet"), 1, "nothing.parquet"),
        (("export", "welcome.journey.json", "events.parquet", "-t", "user"), 2, "did you mean 'users'"),
        (("export", "welcome.journey.json", "events.parquet", "-o", "x.doc"), 2, ".csv, .parquet, .xlsx"),
        (("export", "welcome.journey.json", "events.parquet", "--period", "31d"), 2, "use one of launch"),
        (("export", "welcome.journey.json", "events.parquet", "--clock", "cohorts"), 2, "cohort"),
        (("export", "welcome.journey.json", "events.parquet", "--version", "9"), 1, "no version 9"),
        (("export", "welcome.journey.json", "welcome.journey.json"), 1, "welcome.journey.json"),
        (("check", "missing.journey.json"), 1, "there is no file 'missing.journey.json'"),
        (("simulate", "welcom", "-o", "x.parquet"), 1, "did you mean 'welcome'"),
        (("report", "campain", "--journey", "welcome.journey.json", "--log", "events.parquet"), 2, "did you mean 'campaign'"),
        (("report", "--journey", "welcome.journey.json", "--log", "events.parquet", "-p", "perod=7d"), 2, "did you mean 'period'"),
        (("report", "--journey", "welcome.journey.json", "--log", "events.parquet", "-p", "7d"), 2, "NAME=VALUE"),
        (("report", "--journey", "welcome.journey.json", "--log", "events.parquet", "-p", "version=two"), 2, "int is wanted"),
        (("report", "--journey", "welcome.journey.json", "--log", "events.parquet", "-p", "journey=x"), 2, "no parameter 'journey'"),
        (("report", "campaign", "welcome"), 2, "say --store DIR"),
        (("report", "campaign", "welcome", "--store", "store", "--for-each", "tag=x"), 2, "name one journey, or say --for-each"),
        (("report", "--store", "store", "--for-each", "tags=x"), 2, "did you mean 'tag'"),
        (("report", "--store", "store", "--log", "events.parquet"), 2, "say --store, or --journey and --log"),
        (("report", "campaign", "welcome", "--store", "store"), 1, "there is no store in 'store'"),
        (("report", "--journey", "welcome.journey.json"), 2, "--journey DOCUMENT and --log LOG, or KEY and --store DIR"),
        (("report", "campaign", "--store", "store"), 2, "--for-each FILTER=VALUE for several"),
        (("report", "portfolio", "--journey", "welcome.journey.json", "--log", "events.parquet"), 2, "say --store DIR, and --parameter title=…"),
        ((*ASKED, "-f", "htm"), 2, "did you mean 'html'"),
        ((*ASKED, "--locale", "de"), 2, "there are en, fr, ko"),
        ((*ASKED, "--period", "7days"), 2, "use one of launch"),
        ((*ASKED, "-p", "period=7days"), 2, "use one of launch"),
        ((*ASKED, "--as-of", "yesterday"), 2, "no date or time: 'yesterday'"),
        ((*ASKED, "--small-groups", "2"), 2, "take at least 3"),
        (("export", "welcome.journey.json", "events.parquet", "-t", "users", "--small-groups", "5"), 1, "ask for it with --small-groups 0"),
        (("check", "events.parquet", "-c", "version=1"), 1, "for 'version'; it has"),
        (("check", "events.parquet", "-c", "version=1"), 1, "(a constant is --constant version=1)"),
        (("report", "campain", "--parameters"), 2, "did you mean 'campaign'"),
        (("report", "--parameters", "campain"), 2, "did you mean 'campaign'"),
        (("simulate", "welcome", "-o", "x.parquet", "--days", "100000000"), 2, "3660"),
        (("simulate", "welcome", "-o", "x.parquet", "--seed", "-1"), 2, "-1"),
        (("new", "x.journey.json", "--sample", "winback"), 2, "win_back"),
        (("reprot",), 2, "reprot"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_a_line(here: Path, args: tuple[str, ...], code: int, said: str) -> None:
    assert said in refused(*args, code=code)
    assert not Path("reports").exists()


def test_report_on_a_store_from_the_command_line(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for reaches the report; the running itself is tried in test_reports."""
    run("import", "events.parquet", "--store", "store", "--journey", "welcome.journey.json")
    asked: list[dict[str, Any]] = []

    def run_report(name: str, **given: Any) -> reports.ReportFiles:
        asked.append({"name": name, **given})
        return reports.ReportFiles(Path("reports/x"), {}, fresh=len(asked) == 1)

    monkeypatch.setattr(reports, "run_report", run_report)
    done = run(
        "report", "campaign", "welcome", "--store", "store", "-f", "pdf", "--locale", "fr", "-p", "goal=order"
    )
    assert "Ran the campaign report" in " ".join(done.output.split()) + done.stderr
    assert {key: asked[0][key] for key in ("name", "store", "journey", "formats", "locale", "goal")} == {
        "name": "campaign", "store": "store", "journey": "welcome", "formats": ("pdf",), "locale": "fr", "goal": "order",
    }  # fmt: skip
    done = run(
        "report", "--store", "store", "--for-each", "title=welcome", "--only-if-changed", "--period", "7d"
    )
    assert "✓ Welcome series: reports/x nothing changed" in done.output
    assert (asked[1]["only_if_changed"], asked[1]["period"]) == (True, "7d")


def test_a_report_for_each_ends_badly_where_one_does(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("import", "events.parquet", "--store", "store", "--journey", "welcome.journey.json")

    def run_report(name: str, **given: Any) -> reports.ReportFiles:
        raise reports.ReportError("the kernel of the report died")

    monkeypatch.setattr(reports, "run_report", run_report)
    text = refused("report", "--store", "store", "--for-each", "status=running")
    assert "✗ Welcome series: the kernel of the report died" in text


def test_report_lists_its_parameters() -> None:
    text = run("report", "--parameters").output
    assert "period" in text
    assert "launch" in text
    assert "saved" not in text  # that is between run_report and the notebook


@pytest.fixture
def registry(here: Path) -> Registry:
    """A store with the samples in it, of which the welcome journey runs."""
    Path("store").mkdir()
    registry = Registry(lambda: sqlite3.connect("store/store.sqlite"))
    for name in ("welcome", "abandoned_cart", "win_back"):
        registry.add(jn.Journey.sample(name), by="ann")
    return registry


def test_journeys_lists_those_that_meet_the_filters(registry: Registry) -> None:
    registry.rename("win_back", "\x1b]0;owned\x07[red]Win back")
    text = run("journeys", "store").output
    for told in ("Welcome series", "]0;owned[red]Win back", "Onboarding", "Active", "3 journeys"):
        assert told in text
    assert [line.split("  ")[0] for line in text.splitlines()[1:-1]] == [
        title.replace("\x1b", "").replace("\x07", "") for title in registry.find()["title"]
    ]
    registry.pause("welcome")
    text = run("journeys", "store", "--status", "paused", "--status", "finished", "--type", "trigger",
               "--title", "WEL", "--category", "Onboarding").output  # fmt: skip
    assert ("Welcome series" in text, "Paused" in text, "1 journey, 0 bytes\n" in text) == (True, True, True)
    assert "0 journeys" in run("journeys", "store", "--tag", "none").output
    shown = run("journeys", "store", "--status", "Active").output
    assert shown == run("journeys", "store", "--status", "running").output != run("journeys", "store").output


@pytest.mark.parametrize("width", [80, 160])
def test_a_list_that_a_terminal_is_too_narrow_for_is_cut_nowhere(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    registry.rename("win_back", long := "Win back " * 20)
    monkeypatch.setattr(
        "journey_nb.cli.telling.out", Console(force_terminal=True, width=width, highlight=False)
    )
    text = click.unstyle(run("journeys", "store").output)
    first = registry.find().row(0, named=True)
    assert long.strip() in text
    assert "…" not in text
    assert re.search(rf"^Title +{first['title']} *$", text, re.M)  # a line per value
    assert re.search(rf"^Journey id +{first['journey_id']} *$\n\n", text, re.M)  # and one between two


def test_journeys_tells_a_feed_that_stands_still(registry: Registry, welcome_log: pl.DataFrame) -> None:
    store = jn.Store("store")
    late = welcome_log["occurred_at"].max()
    assert isinstance(late, datetime)
    ago = datetime.now(UTC) - timedelta(days=3, hours=4, minutes=30) - late
    store.append(welcome_log.with_columns(pl.col("occurred_at") + ago))
    lines = run("journeys", "store").output.splitlines()
    (fed,) = (line for line in lines if "Welcome series" in line)
    assert "3 d 4 h" in fed
    assert re.search(r"\d MB", fed)
    assert len([line for line in lines if re.search("– +0 bytes", line)]) == 2
    held = store.holdings()
    assert held["last_at"].max() == store["welcome"].facts.last_at
    told = sum(path.stat().st_size for path in Path("store/layers").rglob("*") if path.is_file())
    assert held["bytes"].sum() == told
    next(Path("store/layers").glob("*/0/facts.json")).write_bytes(b"")
    listed = run("journeys", "store")
    assert listed.exit_code == 1
    assert "Welcome series" in listed.output
    assert "journey-nb check tells" in listed.output


def test_status_moves_a_journey(registry: Registry) -> None:
    text = run("status", "store", "welcome", "pause").output
    assert "“Welcome series” is Paused, version 2" in text
    assert "nothing is sent to the sending platform" in text
    assert "is Active, version 2, no new version," in run("status", "store", "welcome", "relaunch").output
    run("status", "store", "welcome", "pause")
    document = registry.get("welcome")
    last = document.versions[-1].model_copy(update={"branches": ()})
    document.model_copy(update={"versions": (*document.versions[:-1], last)}).write("changed.journey.json")
    result = run("status", "store", "welcome", "relaunch", "--document", "changed.journey.json")
    assert "is Active, version 3, " in result.output
    assert "no new version" not in result.output
    assert "“Hello” is Active" in run("status", "store", "welcome", "rename", "--title", "Hello").output
    assert "“Spring” is Draft" in run("status", "store", "hello", "clone", "--title", "Spring").output
    assert "“Spring (copy)” is Draft" in run("status", "store", "spring", "clone").output
    assert "is Archived" in run("status", "store", "Spring", "archive").output
    assert "is Finished" in run("status", "store", "hello", "stop", "--confirm", "Hello").output
    said = run("history", "store", "hello").output
    for told in ("running → paused", "paused → running, version 3", "“Welcome series” → “Hello”", "ann"):
        assert told in said
    assert len(said.splitlines()) == 1 + registry.history("hello").height


def test_a_journey_is_launched_where_its_log_begins_and_folded_anew_where_its_goals_change(
    here: Path,
) -> None:
    document = jn.Journey.read("welcome.journey.json")
    draft = document.model_copy(update={"status": "draft", "launched_at": None})
    draft.write("draft.journey.json")
    run("import", "events.parquet", "--store", "store", "--journey", "draft.journey.json")
    assert "is Active" in run("status", "store", "welcome", "launch").output
    store = jn.Store("store")
    entered = store["welcome"].health()["entrances"].item()
    assert entered > 0
    run("status", "store", "welcome", "pause")
    goals = tuple(goal.model_copy(update={"conversion_days": 1}) for goal in document.goals)
    store.get("welcome").model_copy(update={"goals": goals}).write("changed.journey.json")
    run("status", "store", "welcome", "relaunch", "--document", "changed.journey.json")
    before = store["welcome"].health()
    assert before["entrances"].item() == entered
    assert "Folded “Welcome series” anew" in run("rebuild", "store", "welcome").stderr
    assert_frame_equal(store["welcome"].health(), before)


def test_loads_are_listed_and_taken_back_and_users_erased(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("import", "events.parquet", "--store", "store", "--journey", "welcome.journey.json")
    told = run("loads", "store").output
    assert "events.parquet" in told
    assert f"{pl.read_parquet('events.parquet').height:,}" in told  # rows read
    store = jn.Store("store")
    first, second, *_ = users = store["welcome"].facts.users["user_id"]
    Path("ids.txt").write_text(f"{first}\n\n", encoding="utf-8-sig")  # as Windows and spreadsheets write it
    assert "say --yes" in refused("erase", "store", "--file", "ids.txt", code=2)
    assert "name the users" in refused("erase", "store", "--yes", code=2)
    assert "✓ Erased 0 rows" in run("erase", "store", "nobody", "--yes").stderr
    assert "✓ Erased" in run("erase", "store", "--file", "ids.txt", "--yes").stderr
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)
    for typed, left in (("n", users[1:]), ("y", users[2:])):
        CliRunner().invoke(main, ["erase", "store", second], input=f"{typed}\n")
        assert_series_equal(store["welcome"].facts.users["user_id"], left)
    assert (
        "'event.parquet' is not loaded; did you mean 'events.parquet'?: the last was events.parquet"
        in refused("undo", "store", "event.parquet")
    )
    assert "cannot be taken back any more" in refused(
        "undo", "store", "events.parquet"
    )  # it has those who are erased
    log = pl.read_parquet("events.parquet")
    for k, name in enumerate(("more", "rest")):
        log.filter(pl.col("user_id") == second)[k::2].write_parquet(f"{name}.parquet")
    run("import", "more.parquet", "rest.parquet", "--store", "store")
    assert "Took back more.parquet, rest.parquet:" in run("undo", "store", "more.parquet").output
    assert_series_equal(store["welcome"].facts.users["user_id"], users[2:])


def test_status_asks_for_the_title_where_somebody_can_type_it(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "confirm with its title, 'Welcome series'" in refused("status", "store", "welcome", "stop")
    assert registry.get("welcome").status == "running"
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)
    args = ("status", "store", "welcome", "stop")
    for typed, more in (("welcome series", ()), ("", ()), ("Welcome series", ("--confirm", "x"))):
        result = CliRunner().invoke(main, [*args, *more], input=f"{typed}\n")
        assert (result.exit_code, "was not stopped" in result.output) == (1, True)
        assert ("type its title" in result.output) == (not more)
    assert "is Finished" in CliRunner().invoke(main, args, input="Welcome series\n").output
    assert registry.get("welcome").status == "finished"


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("journeys", "nowhere"), 1, "there is no store in 'nowhere'"),
        (("journeys", "store", "--status", "pausd"), 1, "did you mean 'paused'"),
        (("history", "store", "welcom"), 1, "did you mean 'welcome_series'"),
        (
            ("status", "store", "welcome", "launch"),
            1,
            "possible from here: pause, stop, archive, clone, rename",
        ),
        (("status", "store", "welcome", "pause", "--title", "x"), 2, "pause takes no --title"),
        (("status", "store", "welcome", "rename"), 2, "rename needs --title"),
        (("status", "store", "welcome", "rename", "--title", " "), 1, "a title must say something"),
        (("status", "store", "welcome", "puase"), 2, "'pause'"),
        (("status", "store", "welcome", "relaunch", "--document", "none.json"), 1, "no file 'none.json'"),
    ],
)
def test_a_mistake_about_a_store_is_told_in_a_line(
    registry: Registry, args: tuple[str, ...], code: int, said: str
) -> None:
    before = registry.find()
    assert said in refused(*args, code=code)
    assert registry.find().equals(before)
    assert not Path("nowhere").exists()


def test_status_knows_every_verb_of_the_register() -> None:
    assert {*_VERBS, "edit"} == set(VERBS)
    for verb, option in _VERBS.items():
        takes = set(inspect.signature(getattr(Registry, verb)).parameters) - {"self", "key", "by"}
        assert takes == {{"document": "changed"}.get(option, option)} - {None}


def test_demo_shows_the_campaign_and_leaves_its_files(here: Path) -> None:
    result = run("demo", "--users", "300", "--out", "demo")
    assert result.exit_code == 0, result.output
    for name in CAMPAIGN:
        assert name in result.output
    made = {path.suffix for path in Path("demo").rglob("*.*")}
    assert made == {".html", ".ipynb", ".csv", ".svg", ".json", ".parquet"}
    for path in Path("demo").iterdir():
        assert str(path) in result.output


def test_the_installed_command_ends_with_its_code(here: Path) -> None:
    command = Path(sys.executable).with_name("journey-nb")
    done: Any = subprocess.run([command, "check", "missing.journey.json"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip() == "✗ there is no file 'missing.journey.json'"


def test_logs_are_imported_once_and_the_store_is_checked(tmp_path: Path) -> None:
    store, log = str(tmp_path / "store"), tmp_path / "log.parquet"
    document = tmp_path / "welcome.journey.json"
    journey = jn.Journey.sample("welcome")
    journey.write(document)

    events = simulate(journey, users=40, seed=3)
    events.with_columns(
        journey_id=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("another")).otherwise("journey_id"),
        kind=pl.when(pl.int_range(pl.len()) != 1).then("kind"),
    ).write_parquet(log)
    assert "--journey" in refused("import", str(log), "--store", store, code=2)
    told = run("import", str(log), "--store", store, "--journey", str(document)).output
    assert f"{events.height:,} rows read" in told
    strange = "1 row of journeys that the store does not have: 1 of 'another'"
    assert strange in told
    assert "log.parquet was loaded before" in run("import", str(log), "--store", store).output
    checked = run("check", store)
    other = journey.model_copy(update={"journey_id": "another", "title": "Another"})
    other.write(tmp_path / "other.journey.json")
    assert checked.exit_code == 0
    assert re.search(r"“Welcome series”: .* \+ 1 quarantined\n +missing +1 +no kind", checked.output)
    assert strange in checked.output
    assert jn.Store(store)["welcome"].facts.read == events.height - 1
    for told in ("1 row that had waited for “Another” read again\n", "0 rows read"):
        args = "import", str(log), "--store", store, "--journey", str(tmp_path / "other.journey.json")
        assert run(*args).output.startswith(told)
    next((tmp_path / "store" / "layers").glob("*/0/goals.arrow")).write_bytes(b"")
    assert "goals.arrow is damaged or missing" in refused("check", store)
