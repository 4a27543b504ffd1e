"""Groups smaller than k: what is shown of them, so that few numbers tell of a few people (which do: docs/REPORTS.md).

A count from 1 to k − 1 is hidden, every other is rounded down to a multiple of k, and what is made of counts is
made of these. So nothing hidden comes back by taking what is shown from a total, a sum of days, another table or
another report: every number that could be set against it is known to k − 1 only. Hiding a second cell beside
each hidden one, which keeps the others exact, would have to be done over all tables that share a total at once.

In tables a hidden count is −k, "fewer than k": no count is negative, and a sum that forgot of it shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl
import polars.selectors as cs

from journey_nb.metrics.table import rate, whole_number

USUAL = 5
"""The k of reports under pseudonyms, where nobody says another."""
LEAST = 3
"""Below this k nothing is hidden: fewer than 2, and not none, is 1."""

_NO_COUNTS = ("seconds", "seconds_to", "age", "gap")
# What tells of single people whatever the size of their group; and what would make the account of a point seem
# not to add up, once it is rounded.
_UNTOLD = ("oldest_since", "next_due", "waiting_before")
# Numbers of everybody in a group, by the count of that group.
_OF_GROUP = {"seconds_p50": "_timed", "seconds_p90": "_timed", "value": "users"}
_DIGITS = 3  # of an amount of money, so that it tells of no single one


def check(k: int) -> int:
    """The k, if it can be one; 0 hides nothing.

    Raises
    ------
    ValueError
        When it would hide nothing although it seems to.

    Examples
    --------
    >>> check(5), check(0)
    (5, 0)
    """
    told = f"groups smaller than {k} cannot be hidden: take at least {LEAST} ({USUAL} is usual), or 0 to hide none"
    return whole_number(k, 0, told) and whole_number(k, LEAST, told)


def refuse(people: str, k: int) -> None:
    """Refuse what tells of single people where groups smaller than k are hidden.

    Raises
    ------
    ValueError
        Unless none are hidden; it says how to have it all the same.
    """
    if k:
        raise ValueError(
            f"{people} would tell of single people, where groups smaller than {k} are hidden: "
            "ask for it with small_groups 0, if it may be shown"
        )


def shown(count: int, k: int) -> int:
    """A count as it is shown: none, −k for fewer than k, else rounded down to a multiple of k; for k = 0 as it is.

    Examples
    --------
    >>> [shown(count, 5) for count in (0, 1, 4, 5, 9, 123)]
    [0, -5, -5, 5, 5, 120]
    >>> shown(3, 0)
    3
    """
    return (count // k * k or -k) if k and count > 0 else count


def hidden(frame: pl.DataFrame, k: int, rates: Mapping[str, tuple[str, str]] | None = None) -> pl.DataFrame:
    """A table as it is shown: its counts as by :func:`shown`, its rates made of these, single people untold.

    Parameters
    ----------
    frame
        A table, with what its rates rest on.
    k
        Groups smaller than this are hidden; 0: none.
    rates
        The numerator and denominator of each rate.

    Examples
    --------
    >>> table = pl.DataFrame({"opened": [3, 7, 0], "sent": [103, 12, 9], "open_rate": [3 / 103, 7 / 12, 0.0]})
    >>> hidden(table, 5, {"open_rate": ("opened", "sent")}).rows()
    [(-5, 100, None), (5, 10, 0.5), (0, 5, 0.0)]
    """
    if not k:
        return frame
    counted = cs.integer() - cs.by_name(*_NO_COUNTS, *_UNTOLD, require_all=False)
    shared = cs.by_name("users", require_all=False)  # of which a point may be credited with parts
    frame = frame.with_columns(
        _shown(counted | shared, k).name.keep(),
        # What does not add up is never hidden, so it is rounded up.
        ((cs.by_name("gap", require_all=False).abs() + k - 1) // k * k).name.keep(),
        *(pl.lit(None, frame.schema[name]).alias(name) for name in _UNTOLD if name in frame.columns),
    )
    made = {name: rate(*of) for name, of in (rates or {}).items() if name in frame.columns}
    made |= {
        name: pl.when(pl.col(group) > 0).then(name)
        for name, group in _OF_GROUP.items()
        if {name, group} <= {*frame.columns}
    }
    if "value" in made:  # of several currencies it is not known how many people paid in each
        alone = pl.len().over("goal_id") == 1 if "goal_id" in frame.columns else True
        made["value"] = pl.when(alone).then(made["value"].round_sig_figs(_DIGITS))
    return frame.with_columns(**made)


def changed(frame: pl.DataFrame) -> pl.DataFrame:
    """A table beside the period before: where one of the two is hidden, so is the change.

    Examples
    --------
    >>> beside = pl.DataFrame({"sent": [-5, 10], "sent_prev": [10, 20], "sent_change": [-1.5, -0.5]})
    >>> changed(beside)["sent_change"].to_list()
    [None, -0.5]
    """
    names = [name.removesuffix("_change") for name in frame.columns if name.endswith("_change")]
    known = {name: (pl.col(name) >= 0) & (pl.col(f"{name}_prev") >= 0) for name in names}
    return frame.with_columns(
        pl.when(told).then(f"{name}_change").alias(f"{name}_change") for name, told in known.items()
    )


def whole(counts: pl.DataFrame, k: int) -> pl.DataFrame:
    """Of the assigned as many who converted, and who did not, as make up multiples of k.

    Examples
    --------
    >>> counts = pl.DataFrame({"variant": ["A", "B"], "assigned": [23, 9], "converted": [7, 4]})
    >>> whole(counts, 5).rows()
    [('A', 20, 5), ('B', 5, 0)]
    """
    if not k:
        return counts
    converted, others = pl.col("converted") // k * k, (pl.col("assigned") - pl.col("converted")) // k * k
    return counts.with_columns(assigned=converted + others, converted=converted)


def total(counts: pl.Expr) -> pl.Expr:
    """The sum of counts of which some may be hidden: that of the others, or "fewer than n · k" of n if all are.

    Examples
    --------
    >>> pl.DataFrame({"some": [-5, 10, 0], "none": [-5, -5, 0]}).select(total(pl.all())).row(0)
    (10, -10)
    """
    return pl.when(counts.max() > 0).then(counts.clip(0).sum()).otherwise(counts.sum())


def added(counts: Iterable[int | None]) -> int:
    """The same as :func:`total`, of some counts that are at hand.

    Examples
    --------
    >>> added([-5, 10, None]), added([-5, -5, 0]), added([])
    (10, -10, 0)
    """
    known = [count or 0 for count in counts]
    return sum(max(count, 0) for count in known) or sum(known)


def ratio(part: float | None, whole: float | None) -> float | None:
    """The one by the other; None where there is nothing to divide by, or one of them is hidden.

    Examples
    --------
    >>> ratio(1, 4), ratio(1, 0), ratio(-5, 10), ratio(None, 10)
    (0.25, None, None, None)
    """
    return part / whole if part is not None and part >= 0 and whole is not None and whole > 0 else None


def told(frame: pl.DataFrame | pl.LazyFrame, k: int, *, typed: bool = False) -> pl.DataFrame | pl.LazyFrame:
    """A table for a file: "< k" where a count is hidden, or null where types are kept.

    Examples
    --------
    >>> frame = pl.DataFrame({"sent": [-5, 10], "opened": [0, 5]})
    >>> told(frame, 5).rows(), told(frame, 5, typed=True).rows()
    ([('< 5', 0), ('10', 5)], [(None, 0), (10, 5)])
    """
    if not k:
        return frame
    frame = frame.lazy().collect()
    values = cs.by_name("value", require_all=False) if "metric" in frame.columns else cs.by_index()
    for name in frame.select(cs.integer() | cs.by_name("users", require_all=False) | values).columns:
        if (is_hidden := frame[name] <= -k).any():
            word = pl.lit(None) if typed else pl.format("< {}", -pl.col(name).cast(pl.Int64))
            others = pl.col(name) if typed else pl.col(name).cast(pl.String)
            frame = frame.with_columns(pl.when(is_hidden).then(word).otherwise(others).alias(name))
    return frame


def _shown(count: pl.Expr, k: int) -> pl.Expr:
    return pl.when(count >= k).then(count // k * k).when(count > 0).then(-k).otherwise(count)
