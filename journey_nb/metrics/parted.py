"""Counts of facts that are larger than what is counted at once: set after set of their users, and added up."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import wraps
from itertools import accumulate, islice
from typing import Any, Concatenate, Protocol, TypeVar, cast

import polars as pl

from journey_nb.facts import Facts
from journey_nb.metrics.counts import Asked, Counts, asked, once
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.sums import AtRank, Bucket, added, apart, percentiles

Found = TypeVar("Found")
SETS_AT_ONCE = 2
# Counts of one table are made while it is at hand: to read it takes longest.
TOGETHER: tuple[tuple[tuple[Any, ...], ...], ...] = (
    (("runs",), ("exits",), ("runs_by_day",)),
    (("visits",), ("durations",), ("taken",), ("arrivals",)),
    (
        *(("messages",), ("issues",), ("message_users", "channel", None), ("message_users", "point", None)),
        *(("messages_by_day", key, "send") for key in (None, "channel", "point")),
    ),
    (("goals",), ("values",), ("goals_by_day",), ("credited", None), ("goal_here",)),
)


class Parted(Facts, Protocol):
    """Facts that can be had in sets.

    Attributes
    ----------
    is_large
        Whether they had better be counted set after set.
    sets
        The facts in sets that share no user, their runs behind each other as in the whole.
    """

    @property
    def is_large(self) -> bool:
        """Whether they are."""
        ...

    @property
    def sets(self) -> list[Facts]:
        """The sets."""
        ...


def _summed(
    method: Callable[Concatenate[Counts, Asked], pl.DataFrame],
) -> Callable[Concatenate[PartedCounts, Asked], pl.DataFrame]:
    """The same count of all sets."""

    @once
    @wraps(method)
    def told(self: PartedCounts, /, *args: Asked.args, **options: Asked.kwargs) -> pl.DataFrame:
        ask = asked(method, self, *args, **options)
        asks = next((some for some in TOGETHER if ask in some), (ask,))
        each = self._each(lambda counts: [getattr(counts, name)(*others) for name, *others in asks])
        for one, frames in zip(asks, zip(*each, strict=True), strict=True):
            self.answers[one] = added((1, frame) for frame in frames)
        return self.answers[ask]

    return told


@dataclass(frozen=True)
class PartedCounts(Counts):
    """The same counts, of facts in sets."""

    def _each(self, count: Callable[[Counts], Found]) -> list[Found]:
        """What is counted of each set, of which a few are at hand."""
        found: list[Found] = []
        scopes = self._scopes()
        with ThreadPoolExecutor(SETS_AT_ONCE) as workers:
            while some := list(islice(scopes, SETS_AT_ONCE)):
                found += workers.map(lambda scope: count(Counts(scope, self.version)), some)
        return found

    def _scopes(self) -> Iterator[Scope]:
        first, keep = 0, self.scope.keep
        for facts in cast(Parted, self.scope.facts).sets:
            here = keep
            if keep is not None:
                here = keep.slice(first, facts.runs.height)
                first += here.len()
            # The whole of a set is the set: it tells of its own messages, not of everybody's.
            yield replace(self.scope, facts=facts, keep=here, whole=None)

    @once
    def origins(self) -> pl.DataFrame:
        """See :meth:`Counts.origins`: as all of the log has them, which may be looked up."""
        every = self.scope.whole or self.scope
        every = replace(every, as_of=every.facts.last_at, machine=False)
        found = self._of_all("origins", every)
        every.let_go()
        return added((1, frame) for frame in found)

    @once
    def opens_reported(self) -> pl.DataFrame:
        """See :meth:`Counts.opens_reported`."""
        return pl.concat(self._of_all("opens_reported", self.scope.whole or self.scope)).unique()

    def _of_all(self, name: str, scope: Scope) -> list[pl.DataFrame]:
        """What everybody's messages tell, set by set: looked up, where a cube can answer for a scope of all of them."""
        if isinstance(scope.counts, PartedCounts):
            return self._each(lambda counts: cast(pl.DataFrame, getattr(counts, name)()))
        return [getattr(scope.counts, name)()]

    runs = _summed(Counts.runs)
    exits = _summed(Counts.exits)
    runs_by_day = _summed(Counts.runs_by_day)

    messages = _summed(Counts.messages)
    message_users = _summed(Counts.message_users)
    messages_by_day = _summed(Counts.messages_by_day)
    responses = _summed(Counts.responses)
    issues = _summed(Counts.issues)
    after_interaction = _summed(Counts.after_interaction)

    visits = _summed(Counts.visits)
    visits_by_day = _summed(Counts.visits_by_day)
    durations = _summed(Counts.durations)
    taken = _summed(Counts.taken)
    arrivals = _summed(Counts.arrivals)

    goals = _summed(Counts.goals)
    values = _summed(Counts.values)
    goals_by_day = _summed(Counts.goals_by_day)
    credited = _summed(Counts.credited)
    goal_here = _summed(Counts.goal_here)

    assigned = _summed(Counts.assigned)
    ways = _summed(Counts.ways)

    @once
    def seconds(self) -> pl.DataFrame:
        """See :meth:`Counts.seconds`."""
        return percentiles(self.durations(), self._taken_in)

    def _taken_in(self, buckets: Iterable[Bucket]) -> dict[Bucket, AtRank]:
        wanted = list(buckets)
        took = added((1, frame) for frame in self._each(lambda counts: counts.lengths(wanted)))
        took = took.sort("took").with_columns(pl.col("took").dt.total_microseconds())
        taken = took.group_by("point", "bucket", maintain_order=True).agg("took", "stays")
        return {(point, number): _at_rank(*values) for point, number, *values in taken.iter_rows()}

    @once
    def open_stays(self) -> pl.DataFrame:
        """See :meth:`Counts.open_stays`; the users of each set have numbers of their own."""
        stays = self._each(lambda counts: counts.open_stays())
        return pl.concat(frame.with_columns(apart(number)) for number, frame in enumerate(stays))


def _at_rank(values: list[int], times: list[int]) -> AtRank:
    """What stands at a rank of values that each occur so many times."""
    through = list(accumulate(times))
    return lambda rank: values[bisect_right(through, rank)]
