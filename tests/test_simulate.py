"""A made-up log obeys METRICS.md, section 2, whatever the journey; and the same arguments make the same log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from journey_nb.events.words import (
    ATTEMPT_KINDS,
    COLUMNS,
    INTERNAL_ERRORS,
    KIND_NEEDS,
    KIND_REASONS,
    KINDS,
    MESSAGE_KINDS,
    OUTCOME_KINDS,
    REASONS,
)
from journey_nb.journey import BRANCH_KEYS, CHANNELS, Journey
from journey_nb.simulate import RESPONSES, Behaviour, audience, simulate, simulate_to

SAMPLES = ("welcome", "abandoned_cart", "win_back")
ROUGH = Behaviour(
    responses={
        name: replace(each, failed=0.1, bounced=0.06, skipped=0.15) for name, each in RESPONSES.items()
    },
    error=0.02,
    fatal=0.6,
    timed_out=0.03,
    removed=0.03,
    exit_criteria=0.03,
    cancelled=0.1,
    reentry=0.3,
    currencies=("EUR", "GBP"),
)


def kitchen_sink() -> Journey:
    """Every point type, every channel, a loop, two entries, a dead end, an end by the calendar."""
    points: list[dict[str, Any]] = [
        {"point_id": "by_api", "type": "entry_api"},
        {"point_id": "by_audience", "type": "entry_audience", "settings": {"at": "09:15"}},
        {"point_id": "hook", "type": "webhook"},
        {"point_id": "profile", "type": "update_profile"},
        {
            "point_id": "wait",
            "type": "wait_for_trigger",
            "settings": {"hours": 30, "behaviour": {"triggered": [0.3, 0.2]}},
        },
        {"point_id": "pace", "type": "rate_limit"},
        {"point_id": "again", "type": "split_condition"},
        {"point_id": "pause", "type": "delay", "settings": {"days": 1, "at": "02:30"}},
        {"point_id": "segments", "type": "split_segment"},
        {"point_id": "reach", "type": "reachability_check"},
        {"point_id": "ab", "type": "split_abn"},
        {"point_id": "out", "type": "exit"},
    ]
    night = {"silent_hours": ["21:00", "09:00"]}
    points += [
        {
            "point_id": name,
            "type": "message",
            "channel": name,
            "settings": night if name != "email" else {"send_time": "10:00"},
        }
        for name in CHANNELS
    ]
    edges = [
        ("by_api", "hook", "default"), ("by_audience", "hook", "default"), ("hook", "profile", "default"),
        ("profile", "push", "default"), ("push", "wait", "default"),
        ("wait", "email", "triggered_1"), ("wait", "pace", "triggered_2"), ("wait", "reach", "not_triggered"),
        ("email", "pace", "opened"), ("email", "sms", "not_opened"), ("sms", "pace", "delivered"),
        ("pace", "again", "default"), ("again", "pause", "yes"), ("pause", "push", "default"), ("again", "segments", "no"),
        ("reach", "web_push", "reachable"), ("reach", "whatsapp", "not_reachable"), ("web_push", "segments", "default"),
        ("whatsapp", "segments", "delivered"), ("whatsapp", "line", "not_delivered"), ("line", "segments", "default"),
        ("segments", "kakao", "segment:a"), ("segments", "webhook", "segment:b"), ("segments", "ab", "rest"),
        ("kakao", "ab", "default"), ("webhook", "ab", "default"), ("ab", "in_app", "variant:A"), ("ab", "other", "variant:B"),
        ("in_app", "out", "default"), ("other", "out", "default"),
    ]  # fmt: skip
    branches = [{"source": source, "target": target, "key": key} for source, target, key in edges]
    later = [branch for branch in branches if "pause" not in (branch["source"], branch["target"])]
    return Journey.model_validate(
        {
            "journey_id": "kitchen-sink",
            "entry_type": "mixed",
            "timezone": "America/New_York",
            "launched_at": "2026-02-20T00:00:00Z",
            "finished_at": "2026-03-25T00:00:00Z",
            "cancel_events": ["unsubscribed", "moved"],
            "goals": [
                {"goal_id": "buy", "ends_journey": True, "value_field": "total", "conversion_days": 1},
                {"goal_id": "look", "conversion_days": 0},
            ],
            "versions": [
                {
                    "version": 1,
                    "published_at": "2026-02-20T00:00:00Z",
                    "points": points,
                    "branches": branches,
                },
                {
                    "version": 2,
                    "published_at": "2026-03-10T12:00:00Z",
                    "points": [point for point in points if point["point_id"] != "pause"],
                    "branches": [*later, {"source": "again", "target": "segments", "key": "yes"}],
                },
            ],
        }
    )


def random_journey(seed: int) -> Journey:
    """A graph of any point types, its branches leading anywhere ahead, or back to a delay."""
    rng = np.random.default_rng(seed)
    types = [str(t) for t in rng.choice([t for t in BRANCH_KEYS if t not in ("activity", "exit")], 9)]
    names = ["start", *(f"p{n}" for n in range(9)), "back", "end"]
    kinds = dict(zip(names, ["entry_trigger", *types, "delay", "exit"], strict=True))
    versions = []
    for number in (1, 2):
        kept = [name for name in names if name in ("start", "back", "end") or rng.random() < 0.85]
        branches = []
        for place, name in enumerate(kept[:-1]):
            keys = [key + "x" if key.endswith(":") else key for key in BRANCH_KEYS[kinds[name]] or ()]
            if kinds[name] == "message":
                keys = [["default"], ["opened", "not_opened"], ["delivered", "not_delivered"]][
                    rng.integers(3)
                ]
            ahead = kept[place + 1 :] if name != "back" else [*kept[1:-2], "end"]
            branches += [
                {"source": name, "target": str(rng.choice(ahead)), "key": key}
                for key in keys
                if rng.random() < 0.9
            ]
        points = [
            {
                "point_id": name,
                "type": kinds[name],
                "channel": str(rng.choice(CHANNELS)) if kinds[name] == "message" else None,
            }
            for name in kept
        ]
        published = datetime(2026, 10, 1 + 20 * (number - 1), tzinfo=UTC)
        versions.append(
            {"version": number, "published_at": published, "points": points, "branches": branches}
        )
    goals = [{"goal_id": "g", "ends_journey": bool(seed % 2), "value_field": "v"}]
    return Journey.model_validate({
        "journey_id": f"random-{seed}", "timezone": "Europe/London", "goals": goals, "cancel_events": ["stop"],
        "versions": versions,
    })  # fmt: skip


def assert_lawful(journey: Journey, log: pl.DataFrame) -> None:
    """Everything the loader and the fold would quarantine, flag or derive: none of it is there."""
    assert dict(log.schema) == COLUMNS
    assert log["event_id"].is_unique().all()
    assert log["occurred_at"].is_sorted()
    assert log.select("user_id", "journey_id", "version", "seq", "source").null_count().row(0) == (0,) * 5
    for kind, needs in KIND_NEEDS.items():
        rows = log.filter(pl.col("kind") == kind)
        assert sum(rows.select(needs).null_count().row(0)) == 0, kind
        allowed = KIND_REASONS.get(kind, ((), ""))[0]
        assert rows["reason"].drop_nulls().is_in(list(allowed)).all(), kind
    known = {(v.version, p.point_id) for v in journey.versions for p in v.points} | {
        (v.version, None) for v in journey.versions
    }
    assert set(log.select("version", "point_id").unique().rows()) <= known
    taken = log.filter(pl.col("branch").is_not_null()).select("version", "point_id", "branch").unique().rows()
    assert set(taken) <= {(v.version, b.source, b.key) for v in journey.versions for b in v.branches}
    assert_runs_lawful(
        journey, log.filter(pl.col("run_id").is_not_null()).sort("run_id", "occurred_at", "seq")
    )
    assert_messages_lawful(log.filter(pl.col("kind").is_in(MESSAGE_KINDS)))


def assert_runs_lawful(journey: Journey, rows: pl.DataFrame) -> None:
    run = rows.group_by("run_id", maintain_order=True).agg(
        first=pl.col("kind").first(),
        entries=(pl.col("kind") == "run.entered").sum(),
        exits=(pl.col("kind") == "run.exited").sum(),
        seqs=pl.col("seq").is_unique().all() & pl.col("seq").is_sorted(),
        users=pl.col("user_id").n_unique(),
        versions=pl.col("version").is_sorted(),
    )
    assert (run["first"] == "run.entered").all()
    assert (run["entries"] == 1).all()
    assert (run["exits"] <= 1).all()
    assert run["seqs"].all()
    assert (run["users"] == 1).all()

    place = ("run.entered", "point.entered")
    moves = rows.filter(
        pl.col("kind").is_in(["run.entered", "point.entered", "point.completed", "run.exited"])
    )
    before = moves.select(
        pl.col("kind", "point_id", "branch", "version").shift(1).over("run_id").name.prefix("was_")
    )
    moves = pl.concat([moves, before], how="horizontal")
    targets = {f"{v.version}|{b.source}|{b.key}": b.target for v in journey.versions for b in v.branches}
    edge = pl.format("{}|{}|{}", "was_version", "was_point_id", "was_branch").replace_strict(
        targets, default=None
    )
    entered = moves.filter(pl.col("kind") == "point.entered")
    assert (entered["was_kind"] == "point.completed").all()
    assert (entered.select(edge).to_series() == entered["point_id"]).all()
    left = moves.filter(pl.col("kind").is_in(["point.completed", "run.exited"]))
    assert left["was_kind"].is_in(place).all()
    assert (left["was_point_id"] == left["point_id"]).all()

    stands = pl.when(pl.col("kind").is_in(place)).then("point_id").forward_fill().over("run_id")
    acts = ("wait.started", "point.skipped", *ATTEMPT_KINDS)
    gone = (pl.col("kind") == "run.exited").cum_sum().over("run_id") > 0
    acting = rows.with_columns(stands=stands, gone=gone).filter(pl.col("kind").is_in(acts))
    bounce = (acting["kind"] == "message.failed") & (acting["message_id"].is_duplicated())
    acting = acting.filter(~bounce)
    assert (acting["stands"] == acting["point_id"]).all()
    assert not acting["gone"].any()
    afterwards = rows.filter(gone & (pl.col("kind") != "run.exited"))
    assert afterwards["kind"].is_in(["goal.reached", "message.failed", *OUTCOME_KINDS]).all()


def assert_messages_lawful(rows: pl.DataFrame) -> None:
    rows = rows.sort("message_id", "occurred_at", "seq")
    first = rows.group_by("message_id", maintain_order=True).agg(
        pl.col("kind").first(),
        pl.col("kind").is_in(["message.sent", "message.skipped"]).sum().alias("attempts"),
        pl.struct("run_id", "point_id", "channel").n_unique().alias("places"),
        pl.len(),
    )
    assert first["kind"].is_in(ATTEMPT_KINDS).all()
    assert (first["attempts"] <= 1).all()
    assert (first["places"] == 1).all()
    assert (first.filter(pl.col("kind") != "message.sent")["len"] == 1).all()


@pytest.fixture(scope="module")
def logs() -> dict[str, pl.DataFrame]:
    logs = {name: simulate(Journey.sample(name), 3_000, seed=5) for name in SAMPLES}
    sink = kitchen_sink()
    return logs | {"sink": simulate(sink, 6_000, seed=5, days=60, behaviour=ROUGH)}


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_log_is_lawful(name: str, logs: dict[str, pl.DataFrame]) -> None:
    assert_lawful(Journey.sample(name), logs[name])


def test_every_point_type_and_channel_is_simulated(logs: dict[str, pl.DataFrame]) -> None:
    sink = kitchen_sink()
    assert_lawful(sink, logs["sink"])
    sent = logs["sink"].filter(pl.col("kind") == "message.sent")
    assert set(sent["channel"].unique()) == set(CHANNELS)
    reached = logs["sink"].filter(pl.col("kind").is_in(["run.entered", "point.entered"]))["point_id"]
    assert set(reached.unique()) == set(sink.points(1))


@pytest.mark.parametrize("seed", range(25))
def test_any_designed_journey_gives_a_lawful_log(seed: int) -> None:
    journey = random_journey(seed)
    assert_lawful(journey, simulate(journey, 150, seed=seed, days=45, behaviour=ROUGH))


def test_every_kind_and_reason_occurs(logs: dict[str, pl.DataFrame]) -> None:
    rows = pl.concat(logs.values())
    assert set(rows["kind"].unique()) == set(KINDS)
    assert set(REASONS) - set(rows["reason"].drop_nulls().unique()) == set()
    for kind in ("message.skipped", "point.skipped"):
        assert rows.filter(pl.col("kind") == kind)["reason"].n_unique() > 5
    unknown = rows.filter(pl.col("reason").cast(pl.String).str.ends_with("_unknown"))
    assert unknown["reason_detail"].null_count() == 0


def test_same_arguments_same_log_and_another_seed_another() -> None:
    journey = Journey.sample("welcome")
    log = simulate(journey, 500, seed=3)
    assert log.serialize() == simulate(journey, 500, seed=3).serialize()
    assert not log.equals(simulate(journey, 500, seed=4))


def test_people_do_not_depend_on_the_size_of_the_audience() -> None:
    assert audience(100, seed=2).equals(audience(1_000, seed=2).head(100))
    assert audience(1_000, seed=2)["user_id"].is_unique().all()


def test_file_holds_the_same_rows_and_chunks_do_not_collide(tmp_path: Any) -> None:
    journey = Journey.sample("win_back")
    whole = simulate_to(tmp_path / "whole.parquet", journey, 600, seed=1)
    assert pl.read_parquet(whole).equals(simulate(journey, 600, seed=1))
    done: list[tuple[int, int]] = []
    parts = simulate_to(
        tmp_path / "parts.parquet", journey, 600, seed=1, chunk=250, progress=lambda a, b: done.append((a, b))
    )
    assert done == [(250, 600), (500, 600), (600, 600)]
    assert_lawful(journey, pl.read_parquet(parts).sort("occurred_at", maintain_order=True))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["parts.parquet", "whole.parquet"]


def test_failed_write_leaves_nothing_behind(tmp_path: Any) -> None:
    def stop(done: int, users: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(BaseException):  # noqa: B017, PT011 - polars wraps what a source raises
        simulate_to(tmp_path / "log.parquet", Journey.sample("welcome"), 200, chunk=100, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_log_keeps_to_its_span_and_days_are_local(logs: dict[str, pl.DataFrame]) -> None:
    for name in SAMPLES:
        journey, log = Journey.sample(name), logs[name]
        assert journey.launched_at is not None
        local = log["occurred_at"].dt.convert_time_zone(journey.timezone)
        assert log["occurred_at"].min() >= journey.launched_at  # type: ignore[operator]
        assert local.dt.date().n_unique() == 90
        assert local.dt.base_utc_offset().n_unique() == 1
        assert local.dt.dst_offset().n_unique() == 2, "a day on which the clocks change lies within"


def test_runs_under_way_go_over_to_a_new_version_or_keep_their_own(logs: dict[str, pl.DataFrame]) -> None:
    for name in SAMPLES:
        log, journey = logs[name], Journey.sample(name)
        runs = log.filter(pl.col("kind") != "goal.reached").group_by("run_id").agg(
            first=pl.col("version").first(), last=pl.col("version").last(), end=pl.col("occurred_at").last()
        )  # fmt: skip
        assert ((runs["first"] == 1) & (runs["last"] == 2)).any()
        published = journey.versions[1].published_at
        assert published is not None
        published = published.astimezone(UTC)
        assert ((runs["last"] == 1) & (runs["end"] > published)).any()


def test_runs_repeat_wait_and_reach_goals_in_and_after_the_window(logs: dict[str, pl.DataFrame]) -> None:
    journey, log = Journey.sample("welcome"), logs["welcome"]
    starts = log.filter(pl.col("kind") == "run.entered")
    ends = log.filter(pl.col("kind") == "run.exited")
    assert starts["user_id"].is_duplicated().any()
    assert 0 < len(starts) - len(ends) < len(starts) / 4
    goals = log.filter((pl.col("kind") == "goal.reached") & (pl.col("goal_id") == "first_order"))
    assert (goals["value"] > 0).all()
    assert goals["currency"].unique().to_list() == ["EUR"]
    assert 0 < goals["run_id"].null_count() < len(goals) / 10
    late = (
        goals.join(ends, on="run_id", suffix="_end")
        .select(pl.col("occurred_at") - pl.col("occurred_at_end"))
        .to_series()
    )
    window = timedelta(days=journey.goal("first_order").conversion_days)
    assert (late > window).any()
    assert (late < window).any()
    cart = logs["abandoned_cart"].filter(pl.col("reason").is_in(["cancel_event", "goal"]))
    assert set(cart["reason_detail"].unique()) == {"cart_emptied", "order_in_store", "order"}


def test_waits_end_in_the_future_and_some_are_overdue(logs: dict[str, pl.DataFrame]) -> None:
    waits = logs["welcome"].filter(pl.col("kind") == "wait.started")
    assert (waits["due_at"] >= waits["occurred_at"]).all()
    end = logs["welcome"]["occurred_at"].max()
    assert (waits["due_at"] > end).any()


def test_numbers_look_like_a_campaign(logs: dict[str, pl.DataFrame]) -> None:
    log = logs["welcome"].filter(~pl.col("is_machine").fill_null(False))
    count = {
        (str(channel), str(kind)): number
        for channel, kind, number in log.filter(pl.col("channel").is_not_null())
        .group_by("channel", "kind").agg(pl.col("message_id").n_unique()).rows()
    }  # fmt: skip
    rate = {key: number / count[key[0], "message.sent"] for key, number in count.items()}
    assert 0.06 < rate["push", "message.opened"] < 0.14
    assert 0.18 < rate["email", "message.opened"] < 0.35
    assert 0.015 < rate["email", "message.clicked"] < 0.06
    assert 0.94 < rate["email", "message.delivered"] < 0.99
    exits = logs["welcome"].filter(pl.col("kind") == "run.exited")
    errors = exits["reason"].is_in([*INTERNAL_ERRORS, *KIND_REASONS["message.failed"][0]]).mean()
    assert isinstance(errors, float)
    assert 0.008 < errors < 0.03
    machines = logs["welcome"].filter(pl.col("is_machine").fill_null(False))
    assert 0.1 < len(machines.filter(pl.col("channel") == "email")) / count["email", "message.sent"] < 0.3


def test_users_have_several_devices_or_none(logs: dict[str, pl.DataFrame]) -> None:
    devices = (
        logs["welcome"].group_by("user_id").agg(pl.col("device_id").drop_nulls().n_unique())["device_id"]
    )
    assert set(devices.unique()) == {0, 1, 2}


def test_dirt_adds_repeated_and_late_rows_only() -> None:
    journey = Journey.sample("abandoned_cart")
    clean = simulate(journey, 300, seed=9)
    dirty = simulate(journey, 300, seed=9, dirty=0.05)
    assert dirty.unique(maintain_order=True).sort("event_id").equals(clean.sort("event_id"))
    assert 0.03 < len(dirty) / len(clean) - 1 < 0.07
    assert not dirty["occurred_at"].is_sorted()


def test_nobody_gives_an_empty_log() -> None:
    log = simulate(Journey.sample("welcome"), 0)
    assert log.is_empty()
    assert dict(log.schema) == COLUMNS


def test_mistakes_are_told_with_their_mend() -> None:
    journey = Journey.sample("welcome")
    with pytest.raises(ValueError, match="1 or more days"):
        simulate(journey, 10, days=0)
    with pytest.raises(ValueError, match="share of 0 to 1"):
        simulate(journey, 10, dirty=7)
    entryless = {
        "journey_id": "j",
        "versions": [{"version": 1, "points": [{"point_id": "x", "type": "exit"}]}],
    }
    with pytest.raises(ValueError, match="no entry point"):
        simulate(Journey.model_validate(entryless), 10)
    step = {"point_id": "look", "type": "activity"}
    with pytest.raises(ValueError, match="'look' in version 1 of 'j' is an activity"):
        simulate(
            Journey.model_validate({"journey_id": "j", "versions": [{"version": 1, "points": [step]}]}), 10
        )


def test_a_start_without_an_offset_is_utc() -> None:
    journey, start = Journey.sample("welcome"), datetime(2026, 5, 1, 12)
    assert simulate(journey, 5, start=start).equals(simulate(journey, 5, start=start.replace(tzinfo=UTC)))
