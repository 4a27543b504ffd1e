"""Experiments: the variants of a split, and the treated against the control group (METRICS.md, section 7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

from journey_nb.journey import Journey, near
from journey_nb.metrics import significance, small
from journey_nb.metrics.assignments import PREFIX, Unit, reachings
from journey_nb.metrics.intervals import newcombe
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.table import rate, whole_number

Method = Literal["fixed", "sequential"]

ENOUGH = 100  # units an arm must have before anything is said about it
UNEQUAL = 0.001  # a split less likely than this is not what was designed
ALPHA = 0.05
SCALE = 0.02  # the difference a sequential test looks for unless ``mde`` tells


@dataclass(frozen=True)
class Experiment:
    """The variants of a split and what may be concluded from them.

    Attributes
    ----------
    table
        A row a variant: variant, is_control, assigned, converted, rate, difference, difference_low,
        difference_high, lift, p_value, probability_best, immature.
    crossed
        Users seen in two variants, who stand in no variant's assigned.
    ratio_p_value
        How likely so uneven a split is under the shares in force; None where no shares are known.
    sample_needed
        Units each arm needs to show ``mde`` on top of the control's rate; None without ``mde``.
    sample_needed_observed
        The same for the largest difference observed, which is no plan: it only tells how far off one is.
    verdict
        ``winner <variant>``, ``no difference yet``, ``too few``, ``unequal split`` or ``too early``.
    """

    table: pl.DataFrame
    crossed: int
    ratio_p_value: float | None
    sample_needed: int | None
    sample_needed_observed: int | None
    verdict: str


def variants(
    scope: Scope,
    point_id: str,
    goal: str,
    unit: Unit = "user",
    mde: float | None = None,
    planned_n: int | None = None,
    method: Method = "fixed",
    k: int = 0,
) -> Experiment:
    """The experiment at a split (or at a message with variants), judged by one goal.

    Always of the assignment cohort, on either clock: the units assigned in the period, and what they
    did up to as_of.

    Parameters
    ----------
    scope
        The facts, the period and the instant of sight.
    point_id
        A split_abn, whose branches assign, or a message point whose messages carry variants.
    goal
        The goal that counts as converted.
    unit
        ``user`` takes a user's first assignment and sets the crossed apart; ``run`` counts every run.
    mde
        The smallest difference of rates worth knowing, 0.01 for one percentage point.
    planned_n
        Units planned for each arm; before that the verdict is ``too early``.
    method
        ``fixed`` judges once, at the planned size; ``sequential`` may be looked at at any time: its
        intervals and p-values are always valid, and wider.
    k
        Groups smaller than this are hidden: all is said of whole groups of k of the converted and of the others.
    """
    check(scope.journey, point_id, goal, unit, method)
    check_plan(mde, planned_n)
    # What it has counted on that clock serves here, too.
    own = scope if scope.clock == "activity" else replace(scope, clock="activity")
    counts = own.counts.assigned(point_id, goal, unit)
    if own is not scope:
        own.let_go()
    units, crossed = counts.filter(~pl.col("crossed")), int(counts.filter("crossed")["units"].sum())
    table = _table(scope.journey, scope.version, point_id, units, method, mde or SCALE, k)
    ratio = _ratio_p(scope.journey, point_id, units, table, k)
    control = table.row(by_predicate=pl.col("is_control"), named=True) if table.height else None
    return Experiment(
        table=_shown(table, k),
        crossed=small.shown(crossed, k),
        ratio_p_value=ratio,
        sample_needed=_needed(control, mde),
        sample_needed_observed=_needed(control, _largest(table)),
        verdict=_verdict(table, ratio, planned_n, method, mde or SCALE),
    )


def _shown(table: pl.DataFrame, k: int) -> pl.DataFrame:
    """The table as it is shown where groups smaller than k are hidden, of which none are left in it."""
    if not k:
        return table
    assigned, converted = pl.col("assigned"), pl.col("converted")
    compared = pl.col("difference", "difference_low", "difference_high", "lift", "p_value")
    is_known, control = converted > 0, converted.filter("is_control") > 0
    return table.with_columns(
        # Fewer than k converted, and fewer than k others were assigned, where nobody is left.
        pl.when(assigned > 0).then(assigned).otherwise(-2 * k),
        pl.when(is_known).then(converted).otherwise(-k),
        *small.hidden(table.select("immature"), k),
        pl.when(is_known).then(pl.col("rate", "probability_best")).name.keep(),
        pl.when(is_known & control.any()).then(compared).name.keep(),
    )


def check(journey: Journey, point_id: str, goal: str, unit: str, method: str) -> None:
    """Refuse a test that the journey does not have, and a way of judging that there is not."""
    journey.goal(goal)  # names the near miss
    point = journey.point(point_id)
    if point.type not in ("split_abn", "message"):
        splits = [name for name, what in journey.points().items() if what.type == "split_abn"]
        told = f"there are {', '.join(splits)}" if splits else "this journey has none"
        raise ValueError(
            f"{point_id!r} is a {point.type}; variants stand at an A/B/n split ({told}) "
            "or at a message sent in variants"
        )
    check_how(unit, method)


def check_how(unit: str, method: str) -> None:
    """Refuse a way of counting or of judging that there is not."""
    for name, value, known in (("unit", unit, ("user", "run")), ("method", method, ("fixed", "sequential"))):
        if value not in known:
            raise ValueError(f"{name}={value!r} is unknown{near(value, known)}; use {' or '.join(known)}")


def check_plan(mde: object, planned_n: object) -> None:
    """Refuse a smallest difference, or a planned size, that is none."""
    if mde is not None and not (isinstance(mde, (int, float)) and 0 < mde < 1):
        raise ValueError(f"mde={mde!r} is no difference of two rates: 0.01 stands for one percentage point")
    if planned_n is not None:
        whole_number(planned_n, 1, f"planned_n={planned_n} is no number of units: give a whole one from 1 on")


def _table(
    journey: Journey,
    version: int | None,
    point_id: str,
    units: pl.DataFrame,
    method: Method,
    scale: float,
    k: int,
) -> pl.DataFrame:
    keys, control = _keys(journey, version, point_id, units)
    counts = units.group_by("variant").agg(
        pl.col("units").sum().alias("assigned"), pl.col("converted", "immature").sum()
    )
    counts = small.whole(counts, k)
    table = (
        pl.DataFrame({"variant": keys}, schema={"variant": pl.String})
        .join(counts, on="variant", how="left", maintain_order="left")
        .with_columns(pl.col("assigned", "converted", "immature").fill_null(0))
        .with_columns(is_control=pl.col("variant") == control, rate=rate("converted", "assigned"))
    )
    base = table.filter("is_control")
    base_n, base_k = (pl.lit(base[name].sum()) for name in ("assigned", "converted"))
    low, high = newcombe(pl.col("converted"), pl.col("assigned"), base_k, base_n)
    other = ~pl.col("is_control")
    table = table.with_columns(
        difference=pl.when(other & (base_n > 0)).then(pl.col("rate") - base_k / base_n),
        difference_low=pl.when(other).then(low),
        difference_high=pl.when(other).then(high),
        lift=pl.when(other & (base_k > 0)).then(pl.col("rate") / (base_k / base_n) - 1),
        probability_best=pl.Series(
            significance.probability_best(table.select("converted", "assigned").rows()), dtype=pl.Float64
        ),
    )
    return _judged(table, base, method, scale).select(
        *("variant", "is_control", "assigned", "converted", "rate", "difference", "difference_low"),
        *("difference_high", "lift", "p_value", "probability_best", "immature"),
    )


def _judged(table: pl.DataFrame, base: pl.DataFrame, method: Method, scale: float) -> pl.DataFrame:
    """The table with adjusted p-values against the control and, for a sequential test, its own bounds."""
    base_k, base_n = base.select("converted", "assigned").rows()[0] if base.height else (0, 0)
    arms = table.select("converted", "assigned", "is_control").rows()
    p_values = significance.holm(
        [None if own else _p(k, n, base_k, base_n, method, scale) for k, n, own in arms]
    )
    table = table.with_columns(p_value=pl.Series(p_values, dtype=pl.Float64))
    if method == "fixed":
        return table
    bounds = [None if own else significance.always_valid(k, n, base_k, base_n, scale) for k, n, own in arms]
    low, high = ([bound and bound[end] for bound in bounds] for end in (0, 1))
    return table.with_columns(
        difference_low=pl.Series(low, dtype=pl.Float64), difference_high=pl.Series(high, dtype=pl.Float64)
    )


def _p(converted: int, n: int, base_k: int, base_n: int, method: Method, scale: float) -> float | None:
    if method == "fixed":
        return significance.two_proportion_p(converted, n, base_k, base_n)
    valid = significance.always_valid(converted, n, base_k, base_n, scale)
    return valid and valid[2]


def _keys(journey: Journey, version: int | None, point_id: str, units: pl.DataFrame) -> tuple[list[str], str]:
    """The variants of the shown version, then those of others that were assigned; and the control."""
    branches = [
        [branch for branch in holder.outgoing(point_id) if branch.key.startswith(PREFIX)]
        for holder in journey.by_precedence(version)
    ]
    drawn = next((of_version for of_version in branches if of_version), [])
    assigned = set(units["variant"])
    keys = [branch.key.removeprefix(PREFIX) for branch in drawn]
    keys += [
        key for of_version in branches for b in of_version if (key := b.key.removeprefix(PREFIX)) in assigned
    ]
    keys = list(dict.fromkeys([*keys, *sorted(assigned)]))
    marked = [b.key.removeprefix(PREFIX) for of_version in branches for b in of_version if b.control]
    return keys, next((key for key in marked if key in keys), next(iter(keys), ""))


def _ratio_p(
    journey: Journey, point_id: str, units: pl.DataFrame, table: pl.DataFrame, k: int
) -> float | None:
    """Whether units fell as the shares of the version on which each was assigned would have it."""
    units = units.with_columns(pl.col("units") // (k or 1) * (k or 1))
    observed = dict.fromkeys(table["variant"], 0)
    expected = dict.fromkeys(table["variant"], 0.0)
    for (number,), assigned in units.sort("version").group_by("version", maintain_order=True):
        shares = _shares(journey, int(str(number)), point_id)
        for key, count in assigned.select("variant", "units").rows() if shares else ():
            observed[key] += count
        for key, share in shares.items():
            expected[key] = expected.get(key, 0) + int(assigned["units"].sum()) * share / sum(shares.values())
    return significance.ratio_p(observed, expected) if any(expected.values()) else None


def _shares(journey: Journey, number: int, point_id: str) -> dict[str, float]:
    """The share of each variant on a version; empty where none are known."""
    version = next((version for version in journey.versions if version.version == number), None)
    if version is None or point_id not in version:
        return {}
    told = version.point(point_id).settings.get("shares") or {}
    branches = [branch for branch in version.outgoing(point_id) if branch.key.startswith(PREFIX)]
    told = {b.key.removeprefix(PREFIX): b.share for b in branches if b.share is not None} or told
    return {str(key).removeprefix(PREFIX): float(share) for key, share in told.items() if share}


def _largest(table: pl.DataFrame) -> float | None:
    differences = [value for value in table["difference"] if value is not None]
    return max(differences, key=abs, default=None)


def _needed(control: dict[str, float] | None, difference: float | None) -> int | None:
    if control is None or control["rate"] is None or difference is None:
        return None
    base = control["rate"]
    other = base + difference
    return significance.sample_per_arm(base, other if other <= 1 else base - difference)


def _verdict(
    table: pl.DataFrame, ratio: float | None, planned_n: int | None, method: Method, scale: float
) -> str:
    """What may be said; a split that is not as designed spoils the rest, too few units come next."""
    fewest = min(table["assigned"], default=0)
    if ratio is not None and ratio < UNEQUAL:
        return "unequal split"
    if fewest < ENOUGH or table.height < 2:
        return "too few"
    if method == "fixed" and planned_n is not None and fewest < planned_n:
        return "too early"
    best, *others = table.sort("rate", descending=True, maintain_order=True).iter_rows(named=True)
    adjusted = significance.holm(
        [
            _p(best["converted"], best["assigned"], o["converted"], o["assigned"], method, scale)
            for o in others
        ]
    )
    against_control = others[0]["p_value"] if best["is_control"] else best["p_value"]
    surely = all(p is not None and p < ALPHA for p in (against_control, adjusted[0]))
    if surely and best["rate"] > others[0]["rate"]:
        return f"winner {best['variant']}"
    return "no difference yet"


def incremental(scope: Scope, goal: str, control: Iterable[str] | None = None) -> pl.DataFrame:
    """What the journey added: the treated against the control group, of one goal.

    Of the users who came in the period, and what they did up to as_of, on either clock. Without
    ``control`` a user's first message tells: sent, the user is treated; skipped as control_group (or its
    point was), the user is of the control group. What comes later moves nobody, for that would compare
    those who stayed with those who left. With ``control`` (a hold-out list of user ids) both groups are
    among the users who entered.

    Returns one row a currency: treated, treated_reached, treated_rate, control, control_reached,
    control_rate, difference, difference_low, difference_high (95 % Newcombe), incremental_users (the
    difference times the treated), incremental_value (the treated's value less what it would be at the
    control's value a user), currency.
    """
    scope.journey.goal(goal)  # names the near miss
    scope = replace(scope, clock="activity")
    users = _first_messages(scope) if control is None else _entrants(scope, list(control))
    reached = reachings(scope, users, goal, "user")
    groups = {
        name: (users.filter(held=held).height, reached.filter(held=held))
        for name, held in (("treated", False), ("control", True))
    }
    counts = {name: count for name, (count, _) in groups.items()}
    counts |= {f"{name}_reached": goals["unit"].n_unique() for name, (_, goals) in groups.items()}
    return _compared(counts, _values(groups))


def _entrants(scope: Scope, control: list[str]) -> pl.DataFrame:
    """The users who entered in the period, and whether they are on the list."""
    entered = scope.runs.filter(scope.within("entered_at")).sort("entered_at", "run_no")
    return entered.group_by(unit="user").agg(
        pl.col("run").first(),
        at=pl.col("entered_at").first(),
        order=pl.lit(-1, pl.Int64),
        by_message=pl.lit(True),
        held=pl.col("user_id").first().is_in(control),
    )


def _first_messages(scope: Scope) -> pl.DataFrame:
    """The users a message was sent to in the period, or not for being the control group; whichever was first."""
    held = pl.col("skip_reason") == "control_group"
    messages = scope.messages.filter((pl.col("fate") == "sent") | ((pl.col("fate") == "skipped") & held))
    sent = pl.col("fate") == "sent"
    order = pl.when(sent).then("sent_order").otherwise("skipped_order")
    points = scope.visits.filter(scope.within("skip_at") & held)
    columns = ("unit", "run", "at", "order", "by_message", "held")
    firsts = pl.concat(
        [
            messages.select("run", "at", unit="user", order=order, by_message=True, held=~sent).select(
                columns
            ),
            points.select(
                "run", unit="user", at="skip_at", order="skip_order", by_message=False, held=True
            ).select(columns),
        ],
        how="vertical_relaxed",
    )
    return (
        firsts.join(scope.facts.runs.select("run", "run_no"), on="run", how="left")
        .sort("at", "run_no", "order")
        .unique("unit", keep="first", maintain_order=True)
    )


def _values(groups: dict[str, tuple[int, pl.DataFrame]]) -> pl.DataFrame:
    """By currency, the value of the treated less what it would be at the control's value a user."""
    (treated, treated_goals), (control, control_goals) = groups["treated"], groups["control"]
    weight = -treated / control if control else None
    carried = pl.concat(
        [
            treated_goals.select("currency", "value", weight=pl.lit(1.0)),
            control_goals.select("currency", "value", weight=pl.lit(weight, pl.Float64)),
        ]
    ).filter(pl.col("value").is_not_null())
    total = (pl.col("value") * pl.col("weight")).sum() if control else pl.lit(None, pl.Float64)
    values = carried.group_by("currency").agg(incremental_value=total).sort("currency")
    return values if values.height else values.clear(1)


def _compared(counts: dict[str, int], values: pl.DataFrame) -> pl.DataFrame:
    """The one line of counts with its rates, repeated for each currency."""
    treated, control = ((pl.col(f"{name}_reached"), pl.col(name)) for name in ("treated", "control"))
    low, high = newcombe(*treated, *control)
    return (
        pl.DataFrame([counts], schema=dict.fromkeys(counts, pl.Int64))
        .with_columns(
            treated_rate=rate("treated_reached", "treated"), control_rate=rate("control_reached", "control")
        )
        .with_columns(
            difference=pl.col("treated_rate") - pl.col("control_rate"),
            difference_low=low,
            difference_high=high,
        )
        .with_columns(incremental_users=pl.col("difference") * pl.col("treated"))
        .join(values, how="cross")
        .select(
            *("treated", "treated_reached", "treated_rate", "control", "control_reached", "control_rate"),
            *("difference", "difference_low", "difference_high"),
            *("incremental_users", "incremental_value", "currency"),
        )
    )
