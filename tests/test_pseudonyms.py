"""Pseudonyms: the same numbers, and no id of the log anywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import journey_nb as jn
from journey_nb.cli import main
from journey_nb.exports import EXPORTS
from journey_nb.pseudonyms import Pseudonyms
from journey_nb.reports import run_report
from journey_nb.simulate import simulate

KEY = b"a key that only the tests know"
IDS = ("user_id", "device_id", "run_id", "message_id")


@pytest.fixture(scope="module")
def own_log(welcome_log: pl.DataFrame) -> pl.DataFrame:
    """The welcome log with ids that are found wherever they stand, and some rows that are set aside."""
    telling = [(pl.lit("SECRET") + pl.col(name)).alias(name) for name in (*IDS, "event_id")]
    log = welcome_log.with_columns(*telling)
    garbage = {
        name: pl.lit(f"SECRET{name}") for name in ("branch", "variant", "goal_id", "journey_id", "currency")
    }
    odd = log.head(3).with_columns(point_id=pl.lit("SECRETnowhere"), event_id=pl.lit("SECRET-odd"), **garbage)
    return pl.concat([log, odd])


@pytest.fixture(scope="module")
def own(welcome: jn.Journey, own_log: pl.DataFrame) -> jn.JourneyStats:
    return jn.JourneyStats(welcome, own_log)


@given(st.lists(st.text(max_size=20), min_size=1, unique=True), st.sampled_from(IDS))
def test_pseudonyms_are_stable_distinct_and_those_of_the_key(ids: list[str], kind: str) -> None:
    one, other = Pseudonyms(KEY), Pseudonyms(KEY + b"!")
    frame = pl.DataFrame({kind: [*ids, None, ids[0]]}, schema={kind: pl.String})
    made = one.table(frame)[kind].to_list()
    assert made == [*(one.of(name, kind) for name in ids), None, made[0]]
    assert len(set(made)) == len(ids) + 1
    assert not {name for name in made if name} & {other.of(name, kind) for name in ids}
    assert all(re.fullmatch("[udrm]-[0-9a-f]{20}", name) for name in made if name)


def test_every_number_is_as_before(own: jn.JourneyStats) -> None:
    shared = own.period("30d").where(variant=["A", "B"]).under(Pseudonyms(KEY))
    plain = own.period("30d").where(variant=["A", "B"])
    for name in (
        "health",
        "daily",
        "audience",
        "goals",
        "communications",
        "points",
        "waiting",
        "drops",
        "paths",
        "branches",
        "credit",
        "messages",
        "delivery_issues",
        "reconciliation",
    ):
        assert_frame_equal(getattr(shared, name)(), getattr(plain, name)())
    users = plain.users().with_columns(Pseudonyms(KEY).table(plain.users()))
    assert_frame_equal(shared.users(), users, check_row_order=False)
    assert shared.report().read == plain.report().read
    assert shared.pseudonymous
    assert not plain.pseudonymous


def test_no_order_is_that_of_the_names(own: jn.JourneyStats) -> None:
    shared = own.under(Pseudonyms(KEY))
    facts = shared.facts
    assert facts.users["user_id"].is_sorted()
    assert facts.runs["run_id"].is_sorted()
    assert shared.users()["run_id"].is_sorted()
    for name, of in (("runs", "run"), ("visits", "visit"), ("messages", "message")):
        table = getattr(facts, name)
        assert table[of].to_list() == list(range(table.height))
        assert table["run"].drop_nulls().is_sorted()
    people = Pseudonyms(KEY)
    for run in own.facts.runs["run_id"].head(20):
        mine, theirs = (
            stats.facts.runs.filter(run_id=name)["run"].item()
            for stats, name in ((own, run), (shared, people.of(run, "run_id")))
        )
        for name in ("visits", "waits", "goals", "events", "messages"):
            ids = ["run", "user", "visit", "message", "message_id", "credit_message"]
            before, now = (
                getattr(stats.facts, name).filter(run=which).drop(ids, strict=False)
                for stats, which in ((own, mine), (shared, theirs))
            )
            assert_frame_equal(before, now)


def test_attributes_stay_behind_and_the_reason_is_told(
    welcome: jn.Journey, own: jn.JourneyStats, tmp_path: Path
) -> None:
    ids = own.facts.users["user_id"]
    attributes = pl.DataFrame({"user_id": ids, "email": "SECRET@" + ids, "age": range(ids.len())})
    stats = jn.JourneyStats(welcome, own.facts, attributes=attributes)
    narrowed = stats.where(age=[1, 2, 3])
    shared = narrowed.under(Pseudonyms(KEY))
    assert shared.health().equals(narrowed.health())
    assert not shared.health().equals(stats.health())
    said = r"attributes stay behind under pseudonyms: narrow by them with where\(\) before under\(\)"
    for asked in (
        lambda: shared.health(by="email"),
        lambda: shared.where(age=1),
        lambda: shared.daily("email"),
    ):
        with pytest.raises(ValueError, match=said):
            asked()
    shared.save(tmp_path)
    assert not pl.read_ipc(tmp_path / "attributes.arrow").columns
    assert jn.JourneyStats.load(tmp_path).health().equals(shared.health())


def test_of_rows_that_were_set_aside_only_the_rule_the_time_and_pseudonyms_are_left(
    own: jn.JourneyStats,
) -> None:
    plain, shared = (stats.facts.quarantined for stats in (own, own.under(Pseudonyms(KEY))))
    assert "SECRETnowhere" in plain.write_csv()
    told = ["row", "rule", "occurred_at"]
    assert_frame_equal(shared.select(told), plain.select(told))
    assert_frame_equal(shared.select(IDS), Pseudonyms(KEY).table(plain.select(IDS)))
    others = shared.drop(*told, *IDS)
    assert others.schema == plain.drop(*told, *IDS).schema
    assert others.null_count().row(0) == (shared.height,) * others.width


def test_variants_and_currencies_that_nobody_designed_are_pseudonyms_and_count_as_before(
    welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    some = pl.int_range(pl.len()) % 2 == 0
    odd = welcome_log.with_columns(
        pl.when(some & (pl.col("kind") == "message.sent"))
        .then(pl.lit("ann@example.com"))
        .otherwise("variant")
        .alias("variant"),
        pl.when(pl.col("kind") == "goal.reached")
        .then(pl.when(some).then(pl.lit("paid by Ann")).otherwise(pl.lit("EUR")))
        .alias("currency"),
        pl.when(pl.col("kind") == "goal.reached").then(pl.lit("1")).alias("value"),
    )
    people, plain = Pseudonyms(KEY), jn.JourneyStats(welcome, odd)
    shared = plain.under(people)
    renamed = {"ann@example.com": people.of("ann@example.com", "variant")}
    expected = plain.health(by="variant").with_columns(pl.col("variant").replace(renamed))
    assert_frame_equal(shared.health(by="variant"), expected, check_row_order=False)
    assert {"A", "B"} < set(shared.facts.runs["variant"].drop_nulls())
    assert set(renamed.values()) <= set(shared.facts.messages["variant"])
    assert set(shared.facts.goals["currency"]) == {"EUR", people.of("paid by Ann", "currency")}


def test_a_journey_without_variants_can_be_shared() -> None:
    journey = jn.Journey.sample("win_back")
    stats = jn.JourneyStats(journey, simulate(journey, users=30, seed=1))
    assert stats.under(Pseudonyms(KEY)).health().equals(stats.health())


def test_pseudonyms_of_pseudonyms_are_refused(own: jn.JourneyStats) -> None:
    shared = own.under(Pseudonyms(KEY))
    with pytest.raises(ValueError, match="under pseudonyms already: take those of the log"):
        shared.under(Pseudonyms(KEY))


@pytest.mark.parametrize("name", EXPORTS)
def test_no_export_holds_an_id_of_the_log(name: str, own: jn.JourneyStats) -> None:
    options = {"point_id": "hello_push"} if name in ("step-users", "point", "point-users") else {}
    table = EXPORTS[name](own.under(Pseudonyms(KEY)), **options).lazy().collect()
    assert table.height
    assert "SECRET" not in table.write_csv()
    if name in ("step-users", "point-users", "users"):
        assert (
            "SECRET" in EXPORTS[name](own, **options).lazy().collect().write_csv()
        )  # else this would show nothing


def test_a_report_under_pseudonyms_holds_no_id_and_says_so(own: jn.JourneyStats, tmp_path: Path) -> None:
    someone = own.users()["user_id"][0]
    made = run_report("path", stats=own, out=tmp_path / "out", redact=Pseudonyms(KEY), user=someone)
    pseudonym = Pseudonyms(KEY).of(someone)
    for path in made:
        text = path.read_text(encoding="utf-8")
        assert "SECRET" not in text
        assert KEY.decode() not in text
        assert pseudonym in text or path.suffix == ".csv"  # a way has no column of users
    assert pseudonym in made.folder.name
    assert "users and devices under pseudonyms" in made["html"].read_text(encoding="utf-8")
    assert made.manifest["redacted"] == {"pseudonyms": True, "small_groups": 0}


def test_a_key_that_is_no_bytes_is_told_at_once(own: jn.JourneyStats) -> None:
    with pytest.raises(TypeError, match=r"a key is bytes, not a str: key\.encode\(\)"):
        Pseudonyms("a key of many letters")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"under takes Pseudonyms\(key\), not a bytes"):
        own.under(KEY)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("environment", "said"),
    [({}, "set JOURNEY_NB_PSEUDONYM_KEY"), ({"JOURNEY_NB_PSEUDONYM_KEY": "short"}, "can be guessed")],
)
def test_without_a_good_key_there_are_none(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Pseudonyms.from_environment(environment)


def test_the_command_line_takes_the_key_from_a_file(
    welcome: jn.Journey,
    own_log: pl.DataFrame,
    own: jn.JourneyStats,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    welcome.write("w.journey.json")
    own_log.write_parquet("log.parquet")
    Path("key").write_bytes(KEY + b"\n")
    command: list[Any] = [
        "export",
        "w.journey.json",
        "log.parquet",
        "-t",
        "users",
        "-o",
        "users.csv",
        "--redact",
    ]
    monkeypatch.delenv("JOURNEY_NB_PSEUDONYM_KEY", raising=False)
    assert "pseudonyms need a key" in CliRunner().invoke(main, command).output
    monkeypatch.setenv("JOURNEY_NB_PSEUDONYM_KEY_FILE", "key")
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    expected = {Pseudonyms(KEY).of(name) for name in own.users()["user_id"]}
    assert set(pl.read_csv("users.csv")["user_id"]) == expected
