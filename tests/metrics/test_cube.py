"""A cube answers as counting does: on made-up journeys and dirty logs, for whole days and for odd instants."""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from itertools import combinations, product
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from cubed import FRAMES, CubedFacts, taken_out
from metrics.asked import asked_of, chosen, counted, counts_asked_of, differs, folded, periods, seen_by
from metrics.build import a_journey, at, make_facts
from polars.testing import assert_frame_equal

from journey_nb.facts import Folded
from journey_nb.journey import Journey
from journey_nb.metrics.cube import FRAMES as CUBE
from journey_nb.metrics.cube import Cube, steps
from journey_nb.metrics.cube_counts import _at_rank, _net
from journey_nb.metrics.cube_frames import _distinct
from journey_nb.metrics.scope import Clock, Scope
from journey_nb.period import TICK
from journey_nb.stats import JourneyStats

SEEDS = int(os.environ.get("JOURNEY_NB_SEEDS", 8))


@pytest.mark.parametrize("turn", range(4))
def test_a_cube_answers_as_counting_does(turn: int) -> None:
    compared = 0
    for seed in range(turn, SEEDS, 4):
        journey, facts = folded(seed)
        rng = Random(seed)
        counted, looked_up = (JourneyStats(journey, one) for one in (facts, CubedFacts(journey, facts)))
        for period in periods(facts, rng):
            eye = rng.random()
            plain, cubed = (seen_by(chosen(stats, period), Random(eye)) for stats in (counted, looked_up))
            if rng.random() < 0.2:
                plain, cubed = plain.compare(), cubed.compare()
            for name, options in rng.sample(asked_of(journey, rng), 6):
                told = differs(getattr(plain, name)(**options), getattr(cubed, name)(**options))
                assert told is None, f"seed {seed} {plain!r} {period} {name} {options}\n{told}"
                compared += 1
    assert compared >= SEEDS


def test_every_count_is_looked_up_as_it_is_counted() -> None:
    compared: Counter[str] = Counter()
    for seed in range(SEEDS):
        journey, facts = folded(seed)
        rng = Random(seed)
        users = pl.int_range(facts.users.height, dtype=pl.UInt32, eager=True)
        gone = users.filter(pl.Series([rng.random() < 0.2 for _ in users], dtype=pl.Boolean))
        both = (
            taken_out(journey, facts, gone)
            if gone.len() < users.len()
            else (facts, CubedFacts(journey, facts))
        )
        stats = [JourneyStats(journey, one) for one in both]
        for period in rng.sample(periods(both[0], rng), 3):
            eye = rng.random()
            plain, cubed = (
                seen_by(chosen(one, period), Random(eye)).scope.counts_on_version for one in stats
            )
            for name, asked in counts_asked_of(journey, rng):
                told = differs(wanted := counted(plain, name, asked), counted(cubed, name, asked))
                assert told is None, f"seed {seed} {plain.scope} {name} {asked}\n{told}"
                compared[name] += wanted.height
    assert SEEDS < 8 or min(compared.values()) > 0  # of each some


def test_a_cube_knows_the_ways_of_runs_as_far_as_they_had_come() -> None:
    compared = cut = 0
    for seed in range(SEEDS):
        journey, facts = folded(seed)
        rng = Random(seed)
        stats = [JourneyStats(journey, one) for one in (facts, CubedFacts(journey, facts))]
        days = facts.visits["arrived_at"].drop_nulls().dt.date().unique().sort().to_list()
        spans = [(days[0], rng.choice(days)) for _ in range(3) if days]
        for span in spans:  # of other periods the ways are looked up with every count above
            clock = rng.choice(("activity", "activity", "cohort"))
            for collapse in (True, False):
                plain, cubed = (chosen(one, span).clock(clock).paths(None, collapse) for one in stats)
                told = differs(plain, cubed)
                assert told is None, f"seed {seed} {span} {clock} {collapse}\n{told}"
                compared += plain.height
        ended = stats[0].clock("cohort").paths(None)
        cut += any(differs(ended, chosen(stats[0], span).paths(None)) for span in spans)
    assert compared > SEEDS
    assert cut > SEEDS // 4  # runs that had not come to their end


def test_a_cube_knows_ways_of_which_each_run_takes_one_of_its_own() -> None:
    journey, rng = a_journey(), Random(5)
    runs = [{"user": n % 300, "entered_at": at(n)} for n in range(400)]
    visits = [
        {"run": n, "point": rng.choice("AEW"), "arrived_at": at(n + step), "left_at": at(n + step + 1)}
        for n in range(400)
        for step in range(12)
    ]
    facts = make_facts(
        journey, runs=runs, visits=visits, goals=[{"run": n, "at": at(n + 5)} for n in range(0, 400, 3)]
    )
    for end in (90, 300, 900):
        for collapse in (True, False):
            plain, cubed = (
                Scope(journey, one, at(0), at(end), facts.last_at).counts.ways(collapse).sort("path")
                for one in (facts, CubedFacts(journey, facts))
            )
            assert differs(plain, cubed) is None
    assert plain.height > 300


def test_ways_are_told_as_far_as_they_had_come_by_any_midnight() -> None:
    journey = a_journey()
    for seed in range(3):
        rng = Random(seed)
        hours = [
            sorted(rng.choices(range(0, 126, 6), k=rng.randint(2, 4))) for _ in range(40)
        ]  # many at midnight
        runs = [{"user": rng.randrange(12), "entered_at": at(60 * some[0])} for some in hours]
        visits = [
            {"run": n, "user": runs[n]["user"], "point": rng.choice("EA"), "arrived_at": at(60 * hour)}
            for n, some in enumerate(hours)
            for hour in some
        ]
        goals = [
            {"run": n, "user": runs[n]["user"], "at": at(60 * rng.choice(some)), "counts": rng.random() < 0.5}
            for n, some in enumerate(hours)
        ]
        goals.sort(key=lambda goal: goal["at"])
        facts = make_facts(journey, runs=runs, visits=visits, goals=goals)
        cubed = CubedFacts(journey, facts)
        for first, last, collapse in product((0, 1, 2), (1, 2, 3, 4, 5), (True, False)):
            plain, looked_up = (
                counted(
                    Scope(journey, one, at(days=first), at(days=max(first, last)), facts.last_at).counts,
                    "ways",
                    (collapse,),
                )
                for one in (facts, cubed)
            )
            told = differs(plain, looked_up)
            assert told is None, f"seed {seed} days {first} to {last} {collapse}\n{told}"
    assert plain.height > 3


def same(one: Cube, other: Cube) -> None:
    for name in CUBE:
        mine, theirs = (
            getattr(cube, name).with_columns(pl.selectors.categorical().cast(pl.String))
            for cube in (one, other)
        )
        assert_frame_equal(mine, theirs, check_row_order=False, check_exact=False, rel_tol=1e-9, abs_tol=1e-9)


def test_a_rank_is_found_without_a_sort_of_all() -> None:
    rng = Random(3)
    for _ in range(100):
        most, came = (sorted(rng.choices(range(30), k=rng.randrange(most))) for most in (60, 12))
        rest = [*most, *came]
        gone = [rest.pop(rng.randrange(len(rest))) for _ in range(rng.randrange(len(rest) + 1) // 2)]
        at_rank = _at_rank(pl.Series(most, dtype=pl.Int64), came, gone)
        assert [at_rank(rank) for rank in range(len(rest))] == sorted(rest)


def test_cubes_of_disjoint_users_add_and_are_taken_out_again() -> None:
    for seed in range(0, SEEDS, 3):
        journey, facts = folded(seed)
        users = facts.runs["user"].unique().to_frame()
        third = users.select(pl.col("user"), part=pl.col("user").hash(seed) % 3)
        parts = [Cube.of(journey, facts.of_users(third.filter(part=n)["user"])) for n in range(3)]
        whole = Cube.sum([(1, Cube.of(journey, facts))])
        same(Cube.sum((1, part) for part in parts), whole)
        same(Cube.sum([(1, whole), (-1, parts[0])]), Cube.sum([(1, parts[1]), (1, parts[2])]))
        nothing = Cube.sum([(1, whole), (-1, whole)])
        assert all(getattr(nothing, name).is_empty() for name in CUBE)


@pytest.mark.parametrize("version", [None, 1, 2])
@pytest.mark.parametrize("clock", ["activity", "cohort"])
@pytest.mark.parametrize("period", ["launch", "30d", "7d"])
def test_no_frame_of_facts_is_touched_where_the_cube_answers(
    period: str, clock: Any, version: int | None, welcome: Journey, welcome_stats: JourneyStats
) -> None:
    facts = welcome_stats.facts
    assert isinstance(facts, Folded)
    hidden = CubedFacts(welcome, facts, hidden=FRAMES, known=[(1, steps(facts))])
    plain, cubed = (
        JourneyStats(welcome, one).period(period).clock(clock).version(version) for one in (facts, hidden)
    )
    for name, options in asked_of(welcome, Random(1)):
        told = differs(getattr(plain, name)(**options), getattr(cubed, name)(**options))
        assert told is None, f"{name} {options}\n{told}"
    with pytest.raises(RuntimeError, match="touched"):
        cubed.machine().health()


def test_what_a_cube_cannot_answer_is_counted(welcome: Journey, welcome_stats: JourneyStats) -> None:
    facts = welcome_stats.facts
    assert isinstance(facts, Folded)
    plain, cubed = welcome_stats, JourneyStats(welcome, CubedFacts(welcome, facts))
    seen = facts.last_at - timedelta(days=9, hours=1)
    for ask in (
        lambda stats: stats.machine().messages(),
        lambda stats: stats.as_of(seen).audience(),
        lambda stats: stats.where(entry="signup").health(),
        lambda stats: stats.health(by="variant"),
        lambda stats: stats.credit(rule="linear"),
        lambda stats: stats.between(facts.first_at, seen).waiting(),
    ):
        assert differs(ask(plain), ask(cubed)) is None


def test_a_cube_is_read_back_as_it_was_written(
    tmp_path: Path, welcome: Journey, welcome_stats: JourneyStats
) -> None:
    cube = Cube.of(welcome, welcome_stats.facts)
    cube.save(tmp_path)
    same(Cube.load(tmp_path), cube)


def test_a_cube_outlives_a_new_version_of_its_journey(welcome: Journey, welcome_stats: JourneyStats) -> None:
    facts = welcome_stats.facts
    assert isinstance(facts, Folded)
    document = welcome.model_dump(mode="json")
    newest = document["versions"][-1]
    first = {"point_id": "a_new_one", "type": "delay", "title": "New"}
    more = {**newest, "version": newest["version"] + 1, "points": [first, *newest["points"]]}
    more["branches"] = [
        *newest["branches"],
        {"source": "a_new_one", "target": newest["branches"][0]["target"]},
    ]
    grown = Journey.model_validate({**document, "versions": [more, *document["versions"]]})
    hidden = CubedFacts(grown, facts, Cube.of(welcome, facts), hidden=FRAMES, known=[(1, steps(facts))])
    old, new = JourneyStats(welcome, facts).points(), JourneyStats(grown, hidden).points()
    assert list(grown.points()) != list(welcome.points())
    both = new.filter(pl.col("point_id") != "a_new_one").join(old, on="point_id", how="left")
    assert both["entered"].to_list() == both["entered_right"].to_list()
    assert both["seconds_p90"].to_list() == pytest.approx(both["seconds_p90_right"].to_list(), nan_ok=True)


def test_a_page_of_users_and_a_path_need_the_facts_of_their_runs_only() -> None:
    for seed in range(SEEDS):
        journey, facts = folded(seed)
        rng = Random(seed)
        narrow = CubedFacts(journey, facts, hidden=set(FRAMES) - {"runs", "devices"})
        for period in periods(facts, rng)[:2]:
            plain, cubed = (chosen(JourneyStats(journey, one), period) for one in (facts, narrow))
            page = {
                "limit": rng.choice((1, 3, 50)),
                "offset": rng.choice((0, 2)),
                "search": rng.choice((None, "1")),
            }
            told = differs(plain.users(**page), cubed.users(**page))
            assert told is None, f"seed {seed} {period} {page}\n{told}"
            everyone = plain.users(page["search"]).slice(page["offset"], page["limit"])
            assert differs(everyone, cubed.users(**page)) is None
        for user in [*facts.runs["user_id"].unique().sort()[:2], *facts.devices["device_id"][:2]]:
            for table in ("user_path", "user_runs", "user_events"):  # whatever the period
                told = differs(getattr(plain, table)(user), getattr(cubed, table)(user))
                assert told is None, f"seed {seed} {table} {user}\n{told}"
            assert plain.beginning(user[:2]) == cubed.beginning(user[:2])


def test_percentiles_of_stays_of_like_length_are_those_of_the_period() -> None:
    journey, compared = a_journey(), 0
    for seed in range(3):
        rng = Random(seed)
        runs = [{"user": n, "entered_at": at(rng.randrange(8_000))} for n in range(40)]
        lengths = [1_800 + rng.randrange(60 * (seed + 1)) for _ in runs]  # in seconds, of few buckets
        visits = [
            {"run": n, "user": n, "point": "W", "version": rng.choice((1, 2)), "outcome": "completed", "arrived_at": begun,
             "left_at": begun + timedelta(seconds=length)}
            for n, (run, length) in enumerate(zip(runs, lengths, strict=True))
            for begun in [run["entered_at"]]
        ]  # fmt: skip
        facts = make_facts(journey, runs=runs, visits=visits)
        cubed, times = CubedFacts(journey, facts), sorted(visit["left_at"] for visit in visits)
        for _ in range(16):
            start = rng.choice((facts.first_at, rng.choice(times)))
            end = max(start, rng.choice((rng.choice(times), facts.last_at, facts.last_at + TICK)))
            clock, version = rng.choice(("activity", "cohort")), rng.choice((None, 1, 2))
            plain, looked_up = (
                Scope(journey, one, start, end, facts.last_at, clock, version).counts_on_version.seconds()
                for one in (facts, cubed)
            )
            assert differs(plain, looked_up) is None, f"seed {seed} {start} {end} {clock} {version}"
            compared += plain.height
    assert compared > 24


def test_what_became_of_the_assigned_is_kept_by_all_that_it_hangs_on() -> None:
    variants = [
        {"source": point, "target": "X", "key": f"variant:{key}"} for point, key in product("ST", "AB")
    ]
    types = {
        "E": "entry_api",
        "S": "split_abn",
        "T": "split_abn",
        "M": "message",
        "N": "message",
        "X": "exit",
    }
    points = [
        {"point_id": point, "type": kind, "channel": "push" if kind == "message" else None}
        for point, kind in types.items()
    ]
    versions = [
        {"version": number, "published_at": at(0), "points": points, "branches": [{"source": "E", "target": "S"}, *variants]}
        for number in (1, 2)
    ]  # fmt: skip
    journey, rng, compared = a_journey(versions=versions), Random(4), 0
    runs = [{"user": rng.randrange(20), "run_no": n, "entered_at": at(n)} for n in range(40)]
    for run in rng.sample(runs, 20):
        run |= {"left_at": run["entered_at"] + timedelta(days=1), "reason": "completed"}
    visits: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    goals: list[dict[str, Any]] = []
    for n, run in enumerate(runs):
        for minute in range(1, 4):
            then = run["entered_at"] + timedelta(minutes=minute * 20)
            variant, version = rng.choice("AB"), rng.choice((1, 2))
            visits.append(
                {"run": n, "user": run["user"], "point": rng.choice("STM"), "arrived_at": then, "left_at": then, "version": version,
                 "outcome": "completed", "branch": f"variant:{variant}", "traversed": True, "known": True, "left_version": version}
            )  # fmt: skip
            messages.append(
                {
                    "run": n,
                    "user": run["user"],
                    "point": rng.choice("SMN"),
                    "sent_at": then,
                    "variant": variant,
                    "version": version,
                }
            )
            if rng.random() < 0.3:
                goals.append({"run": n, "user": run["user"], "at": then, "goal": rng.choice(("buy", "join"))})
    goals.sort(key=lambda goal: goal["at"])
    facts = make_facts(journey, runs=runs, visits=visits, messages=messages, goals=goals)
    cubed, times = CubedFacts(journey, facts), [visit["left_at"] for visit in visits]
    for period, seen in product(range(3), (facts.last_at, facts.last_at + timedelta(days=8))):
        start, end = (
            sorted(rng.choice(times) for _ in range(2)) if period else (facts.first_at, facts.last_at + TICK)
        )
        for version in (None, 1, 2):
            plain, kept = (
                Scope(journey, one, start, end, seen, version=version).counts for one in (facts, cubed)
            )
            for asked in product("STMN", ("buy", "join"), ("user", "run")):
                told = differs(wanted := counted(plain, "assigned", asked), counted(kept, "assigned", asked))
                assert told is None, f"{start} {end} {seen} {version} {asked}\n{told}"
                compared += wanted.height
    assert compared > 500


def test_goals_of_several_runs_of_a_user_count_one_user_in_every_period() -> None:
    journey = a_journey()
    for seed in range(4):
        rng = Random(seed)
        entered = [rng.randrange(5) for _ in range(10)]  # of whom later ones may reach a goal first
        runs = [{"user": rng.randrange(3), "entered_at": at(days=day)} for day in entered]
        goals = [
            {
                "run": run,
                "at": at(rng.randrange(60), days=entered[run] + rng.randrange(8)),
                "goal": rng.choice(("buy", "join")),
                "here": rng.choice("AW"),
                "credit_point": rng.choice("AW"),
            }
            for run in rng.choices(range(10), k=14)
        ]
        facts = make_facts(journey, runs=runs, goals=sorted(goals, key=lambda goal: goal["at"]))
        cubed = CubedFacts(journey, facts, hidden=FRAMES)
        for first, last in combinations((0, 1, 2, 3, 4, 5, 7, 12), 2):
            clock: Clock = "cohort" if (first + last) % 2 else "activity"
            scopes = [
                Scope(journey, one, at(days=first), at(days=last), facts.last_at, clock)
                for one in (facts, cubed)
            ]
            for name in ("goals", "goals_by_day", "credited", "goal_here"):
                told = differs(*(counted(scope.counts, name, ()) for scope in scopes))
                assert told is None, f"seed {seed} {name} days {first} to {last}\n{told}"


@pytest.mark.parametrize("versions", [(1, 2), (1, 20_260_131), (7, 1_767_225_600, None)])
def test_users_are_counted_once_whatever_the_numbers_of_versions(versions: tuple[int | None, ...]) -> None:
    rng = Random(2)
    points, channels = pl.Enum([f"p{n}" for n in range(60)]), pl.Enum([f"c{n}" for n in range(10)])
    rows = pl.DataFrame(
        [
            (
                rng.randrange(250_000) // 20_000 * 20_000,
                f"p{rng.randrange(3)}",
                "c1",
                rng.choice(versions),
                day,
            )
            for day in range(20_000, 20_365)
            for _ in range(8)
        ],
        schema={
            "user": pl.UInt32,
            "point": points,
            "channel": channels,
            "version": pl.Int32,
            "day": pl.Int32,
        },
        orient="row",
    )
    keys = ["point", "channel", "version"]
    once = rows.unique(["user", *keys, "day"]).sort("day")
    once = once.with_columns(prev=pl.col("day").shift().over("user", *keys))
    wanted = once.group_by(*keys, "day", "prev").agg(n=pl.len().cast(pl.Int64))
    got = _distinct(rows, keys, "some").select(wanted.columns)
    assert_frame_equal(got, wanted, check_row_order=False)


def test_values_that_are_gone_again_are_in_no_order() -> None:
    came, gone = ([pl.Series(some, dtype=pl.Int64)] for some in ([1, 2, 2, 5], [2, 5]))
    assert _net([*came, pl.Series([5, 5], dtype=pl.Int64)], gone).to_list() == [1, 2, 5, 5]
