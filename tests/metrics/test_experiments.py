from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from metrics.build import a_journey, at, make_scope

from journey_nb.metrics import significance
from journey_nb.metrics.experiments import Experiment, incremental, variants
from journey_nb.metrics.scope import TICK, Scope

COLUMNS = [
    *("variant", "is_control", "assigned", "converted", "rate", "difference", "difference_low"),
    *("difference_high", "lift", "p_value", "probability_best", "immature"),
]


def a_split(shares: tuple[float | None, ...] = (50, 50), control: int | None = None) -> Any:
    branches = [
        {"source": "S", "target": "X", "key": f"variant:{key}", "share": share, "control": number == control}
        for number, (key, share) in enumerate(zip("ABCD", shares, strict=False))
    ]
    points = [
        {"point_id": "E", "type": "entry_api"},
        {"point_id": "S", "type": "split_abn"},
        {"point_id": "A", "type": "message", "channel": "push"},
        {"point_id": "X", "type": "exit"},
    ]
    version = {
        "version": 1,
        "published_at": "2026-01-01T00:00:00Z",
        "points": points,
        "branches": [{"source": "E", "target": "S"}, *branches],
    }
    return a_journey(versions=[version])


def assigned(run: int, variant: str, minute: float = 1, **more: Any) -> dict[str, Any]:
    return {
        "run": run, "point": "S", "arrived_at": at(minute), "left_at": at(minute), "outcome": "completed",
        "branch": f"variant:{variant}", "traversed": True, "known": True, "to_point": "X", **more,
    }  # fmt: skip


def runs(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"entered_at": at(0), "left_at": at(2), "reason": "completed", **more} for _ in range(count)]


def arms(counts: dict[str, tuple[int, int]], journey: Any = None, **options: Any) -> Scope:
    """A scope in which each variant has (assigned, converted) users."""
    visits, goals = [], []
    for key, (n, k) in counts.items():
        for number in range(n):
            if number < k:
                goals.append({"run": len(visits), "at": at(5)})
            visits.append(assigned(len(visits), key))
    return make_scope(journey or a_split(), runs=runs(len(visits)), visits=visits, goals=goals, **options)


def test_counts_rates_and_differences_by_variant() -> None:
    experiment = variants(arms({"A": (500, 40), "B": (500, 60)}), "S", "buy")
    assert experiment.table.columns == COLUMNS
    control, other = experiment.table.rows(named=True)
    assert (control["variant"], control["is_control"], control["assigned"], control["converted"]) == (
        "A",
        True,
        500,
        40,
    )
    assert control["difference"] is control["p_value"] is control["lift"] is None
    assert other["difference"] == pytest.approx(0.04)
    # Newcombe's hybrid score interval, method 10, worked out from the two Wilson intervals by hand.
    assert (other["difference_low"], other["difference_high"]) == pytest.approx((0.0026, 0.0776), abs=2e-4)
    assert other["lift"] == pytest.approx(0.5)
    assert other["p_value"] == pytest.approx(0.0350, abs=1e-4)
    assert control["probability_best"] + other["probability_best"] == pytest.approx(1)
    assert other["probability_best"] == pytest.approx(0.982288, abs=1e-5)
    assert experiment.verdict == "winner B"


def test_newcombe_gives_the_published_example() -> None:
    # Newcombe 1998, table II (a): 56/70 - 48/80, method 10: 0.0524 to 0.3339.
    table = variants(arms({"A": (80, 48), "B": (70, 56)}), "S", "buy").table
    assert table.row(1)[6:8] == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_marked_branch_is_the_control_and_may_win() -> None:
    experiment = variants(arms({"A": (500, 20), "B": (500, 80)}, a_split(control=1)), "S", "buy")
    assert experiment.table.filter("is_control")["variant"].to_list() == ["B"]
    assert experiment.verdict == "winner B"


def test_the_winner_beats_the_runner_up_too() -> None:
    close = variants(
        arms({"A": (500, 20), "B": (500, 80), "C": (500, 75)}, a_split((30, 30, 40))), "S", "buy"
    )
    assert close.table["p_value"].max() < 0.05
    assert close.verdict == "unequal split"
    close = variants(
        arms({"A": (500, 20), "B": (500, 80), "C": (500, 75)}, a_split((33.3, 33.3, 33.4))), "S", "buy"
    )
    assert close.verdict == "no difference yet"


@pytest.mark.parametrize(
    ("counts", "options", "verdict"),
    [
        ({"A": (99, 0), "B": (99, 90)}, {}, "too few"),
        ({"A": (500, 40), "B": (500, 41)}, {}, "no difference yet"),
        ({"A": (500, 40), "B": (500, 60)}, {"planned_n": 501}, "too early"),
        ({"A": (500, 40), "B": (500, 60)}, {"planned_n": 500}, "winner B"),
        ({"A": (500, 40), "B": (500, 60)}, {"planned_n": 501, "method": "sequential"}, "no difference yet"),
        ({"A": (500, 40), "B": (500, 160)}, {"planned_n": 501, "method": "sequential"}, "winner B"),
        ({"A": (500, 40), "B": (300, 100)}, {}, "unequal split"),
    ],
)
def test_verdict(counts: dict[str, tuple[int, int]], options: dict[str, Any], verdict: str) -> None:
    assert variants(arms(counts), "S", "buy", **options).verdict == verdict


def test_without_shares_the_split_is_not_judged() -> None:
    experiment = variants(arms({"A": (500, 40), "B": (300, 24)}, a_split((None, None))), "S", "buy")
    assert experiment.ratio_p_value is None
    assert experiment.verdict == "no difference yet"


def test_an_even_split_is_likely() -> None:
    assert variants(arms({"A": (510, 0), "B": (490, 0)}), "S", "buy").ratio_p_value == pytest.approx(
        0.527, abs=1e-3
    )


def test_shares_are_those_of_the_version_of_each_assignment() -> None:
    journey = a_split((90, 10))
    second = a_split((50, 50)).versions[0].model_copy(update={"version": 2})
    journey = journey.model_copy(update={"versions": (*journey.versions, second)})
    visits = [assigned(n, "A" if n < 90 else "B") for n in range(100)]
    visits += [assigned(n, "AB"[n % 2], left_version=2) for n in range(100, 200)]
    scope = make_scope(journey, runs=runs(200), visits=visits)
    assert variants(scope, "S", "buy").ratio_p_value == pytest.approx(1)


def test_sample_needed() -> None:
    experiment = variants(arms({"A": (500, 50), "B": (500, 60)}), "S", "buy", mde=0.02)
    assert (experiment.sample_needed, experiment.sample_needed_observed) == (3841, 3841)
    assert variants(arms({"A": (500, 50), "B": (500, 50)}), "S", "buy").sample_needed_observed is None


def test_crossed_users_stand_in_no_variant_but_every_run_counts() -> None:
    people = [
        {"user": user, "run_no": no, "entered_at": at(0)}
        for user, no in ((0, 1), (0, 2), (1, 1), (1, 2), (2, 1))
    ]
    visits = [assigned(run, variant, run + 1) for run, variant in enumerate("ABAAB")]
    visits.append(assigned(0, "B", 9))  # round a loop, to where the run was not assigned first
    scope = make_scope(a_split(), runs=people, visits=visits)
    by_user = variants(scope, "S", "buy")
    assert (by_user.crossed, by_user.table["assigned"].to_list()) == (1, [1, 1])
    by_run = variants(scope, "S", "buy", unit="run")
    assert (by_run.crossed, by_run.table["assigned"].to_list()) == (0, [3, 2])


def test_converted_is_any_reaching_after_the_assignment_in_any_run_of_the_user() -> None:
    people = [
        {"user": 0, "entered_at": at(0)},
        {"user": 0, "run_no": 2, "entered_at": at(20)},
        {"user": 1, "entered_at": at(0)},
    ]
    goals = [{"run": 0, "at": at(3)}, {"run": 1, "at": at(30)}, {"run": 2, "user": 1, "at": at(3)}]
    visits = [assigned(0, "A", 5), assigned(2, "A", 5, user=1)]
    scope = make_scope(a_split(), runs=people, visits=visits, goals=goals)
    assert variants(scope, "S", "buy").table["converted"].to_list() == [1, 0]
    assert variants(scope, "S", "buy", unit="run").table["converted"].to_list() == [0, 0]


def test_only_what_was_assigned_in_the_period_and_seen_counts() -> None:
    visits = [assigned(0, "A", 1), assigned(1, "A", 20), assigned(2, "A", 40)]
    goals = [{"run": 1, "user": 1, "at": at(50)}, {"run": 1, "user": 1, "at": at(80)}]
    scope = {
        "journey": a_split(),
        "runs": runs(3),
        "visits": visits,
        "goals": goals,
        "start": at(10),
        "end": at(30),
    }
    for clock in ("activity", "cohort"):
        seen = variants(make_scope(**scope, as_of=at(60), clock=clock), "S", "buy").table
        assert (seen["assigned"][0], seen["converted"][0]) == (1, 1)
    assert variants(make_scope(**scope, as_of=at(49)), "S", "buy").table["converted"][0] == 0


def test_immature_while_the_window_of_the_run_is_open() -> None:
    people = [{"entered_at": at(0)}, {"entered_at": at(0), "left_at": at(10), "reason": "completed"}]
    scope = {"journey": a_split(), "runs": people, "visits": [assigned(0, "A"), assigned(1, "A")]}
    assert variants(make_scope(**scope, as_of=at(10, days=30) - TICK), "S", "buy").table["immature"][0] == 2
    assert variants(make_scope(**scope, as_of=at(10, days=30)), "S", "buy").table["immature"][0] == 1


def test_a_message_with_variants_assigns_by_its_sending() -> None:
    messages = [
        {"run": 0, "user": 0, "variant": "x", "sent_at": at(1)},
        {"run": 1, "user": 1, "variant": "y", "sent_at": at(1)},
        {"run": 2, "user": 2, "variant": "y", "failed_at": at(1)},
    ]
    scope = make_scope(
        a_split(), runs=runs(3), messages=messages, goals=[{"run": 1, "user": 1, "at": at(1), "order": 10**9}]
    )
    table = variants(scope, "A", "buy").table
    assert table.select("variant", "is_control", "assigned", "converted").rows() == [
        ("x", True, 1, 0),
        ("y", False, 1, 1),
    ]


def test_nothing_assigned_still_lists_the_variants() -> None:
    experiment = variants(make_scope(a_split()), "S", "buy")
    assert experiment.table["assigned"].to_list() == [0, 0]
    assert experiment.table["rate"].to_list() == [None, None]
    assert experiment.table["probability_best"].to_list() == pytest.approx([0.5, 0.5])
    assert experiment.verdict == "too few"
    assert isinstance(variants(make_scope(a_split()), "A", "buy"), Experiment)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("SS", "buy"), KeyError, "did you mean"),
        (("X", "buy"), ValueError, "there are S"),
        (("S", "buyy"), KeyError, "did you mean 'buy'"),
        (("S", "buy", "users"), ValueError, "did you mean 'user'"),
    ],
)
def test_errors_name_the_mend(arguments: tuple[str, ...], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        variants(make_scope(a_split()), *arguments)  # type: ignore[arg-type]


def test_probability_best_agrees_with_direct_integration() -> None:
    import numpy as np
    from scipy import stats

    arms = [(3, 10), (30, 120), (4, 8)]
    rates = np.linspace(0, 1, 20_001)
    posteriors = [stats.beta(k + 1, n - k + 1) for k, n in arms]
    expected = []
    for i, own in enumerate(posteriors):
        others = np.prod([other.cdf(rates) for j, other in enumerate(posteriors) if j != i], axis=0)
        expected.append(np.trapezoid(own.pdf(rates) * others, rates))
    assert significance.probability_best(arms) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("arms", "near"), [(2, 1e-12), (7, 1e-12), (16, 1e-12), (17, 1e-4), (40, 1e-4)])
def test_probability_best_of_many_arms_is_that_of_each_against_the_product_of_the_others(
    arms: int, near: float
) -> None:
    import numpy as np
    from scipy.special import betainc, expit

    draw = np.random.default_rng(arms)
    units = draw.choice([0, 10, 500, 20_000], arms).tolist()
    counts = [(int(n * share), n) for n, share in zip(units, draw.random(arms) / 5, strict=True)]
    shapes = [(k + 1, n - k + 1) for k, n in counts]
    odds = [np.log(a / b) + np.sqrt(1 / a + 1 / b) * np.linspace(-9, 9, 1001) for a, b in shapes]
    grid = np.unique(np.concatenate([[0.0], expit(np.concatenate(odds)), [1.0]]))
    below = np.stack([betainc(a, b, grid) for a, b in shapes])
    others = np.stack([np.delete(below, i, axis=0).prod(axis=0) for i in range(arms)])
    best = ((others[:, 1:] + others[:, :-1]) / 2 * np.diff(below)).sum(axis=1)
    assert significance.probability_best(counts) == pytest.approx(list(best / best.sum()), abs=near)


def test_always_valid_bounds_hold_at_every_look() -> None:
    import numpy as np

    wrong = 0
    for seed in range(200):
        draws = np.random.default_rng(seed).random((2, 4000)) < 0.1
        totals = draws.cumsum(axis=1)
        looks = (
            significance.always_valid(int(totals[0, n - 1]), n, int(totals[1, n - 1]), n, 0.02)
            for n in range(100, 4001, 100)
        )
        wrong += any(look is not None and look[2] < 0.05 for look in looks)
    assert wrong <= 10 + 8  # 5 % of 200, and three standard deviations of luck


def test_incremental_against_those_skipped_as_control_group() -> None:
    messages = [{"run": n, "user": n, "sent_at": at(1)} for n in range(4)]
    messages += [{"run": n, "user": n, "skipped_at": at(1), "skip_reason": "control_group"} for n in (4, 5)]
    messages += [{"run": 6, "user": 6, "skipped_at": at(1), "skip_reason": "no_device"}]
    goals = [
        {"run": 0, "user": 0, "at": at(2), "value": 10.0, "currency": "EUR"},
        {"run": 1, "user": 1, "at": at(2), "value": 20.0, "currency": "EUR"},
        {"run": 2, "user": 2, "at": at(0.5), "value": 99.0, "currency": "EUR"},
        {"run": 4, "user": 4, "at": at(2), "value": 5.0, "currency": "EUR"},
    ]
    table = incremental(make_scope(runs=runs(7), messages=messages, goals=goals), "buy")
    row = table.row(0, named=True)
    assert (row["treated"], row["treated_reached"], row["control"], row["control_reached"]) == (4, 2, 2, 1)
    assert (row["difference"], row["incremental_users"]) == (0, 0)
    assert (row["incremental_value"], row["currency"]) == (20.0, "EUR")
    assert row["difference_low"] < 0 < row["difference_high"]


def test_incremental_by_skipped_points_and_by_a_list() -> None:
    visits = [{"run": 0, "point": "A", "arrived_at": at(1), "skip_at": at(1), "skip_reason": "control_group"}]
    messages = [
        {"run": 1, "user": 1, "sent_at": at(1)},
        {"run": 0, "sent_at": at(3)},
    ]  # what comes later moves nobody
    skipped = incremental(make_scope(runs=runs(2), visits=visits, messages=messages), "buy").row(
        0, named=True
    )
    assert (skipped["treated"], skipped["control"]) == (1, 1)
    later = make_scope(
        runs=runs(2), visits=visits, messages=messages, start=at(2)
    )  # only the sending at 3 is in it
    told = incremental(later, "buy").row(0, named=True)
    assert (told["treated"], told["control"]) == (1, 0)
    listed = incremental(
        make_scope(runs=runs(3), goals=[{"run": 1, "user": 1, "at": at(1)}]), "buy", control=["u0"]
    )
    assert listed.select("treated", "treated_reached", "control", "control_reached").row(0) == (2, 1, 1, 0)
    assert listed["incremental_value"].to_list() == [None]


def test_incremental_of_nothing_is_one_empty_row() -> None:
    table = incremental(make_scope(), "buy")
    assert table.height == 1
    assert table["treated_rate"].to_list() == [None]
    assert table.schema["incremental_value"] == pl.Float64
