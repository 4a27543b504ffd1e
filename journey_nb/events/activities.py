"""What a log of plain activities comes from: the runs they were put together to, and how single rows were judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from journey_nb import discover
from journey_nb.events.account import Judged
from journey_nb.events.rules import RULE
from journey_nb.events.words import COLUMNS
from journey_nb.journey import Journey
from journey_nb.reading import LogError, filled


@dataclass(frozen=True)
class Activities:
    """What a log of activities comes from: its runs, step by step, and how its single rows were judged."""

    journey_id: str
    walked: pl.DataFrame
    source: Judged
    notes: tuple[str, ...]

    @classmethod
    def of(cls, source: Judged, journey_id: str, name: str, notes: Iterable[str]) -> Activities:
        """The runs of rows that are single activities."""
        rows, shared = _apart_by_user(source.rows)
        if taken := sorted(discover.MARKS & set(rows["point_id"].unique())):
            raise LogError(
                f"{name}: an activity is called {taken[0]!r}, as a mark of the graph is; rename it"
            )
        found = discover.steps(rows)
        users, runs = found["user_id"].n_unique(), found["run_id"].n_unique()
        notes = [*notes, f"{found.height:,} activities of {users:,} users in {runs:,} runs"]
        if shared:
            notes.append(f"{shared:,} sessions are shared by several users: a run is the session of one user")
        if clipped := found.filter(pl.col("end") > pl.col("left_at")).height:
            notes.append(f"{clipped:,} activities were still under way when the next began: they end there")
        return cls(journey_id, discover.walk(found, journey_id), source, tuple(notes))

    def outside(self) -> pl.LazyFrame:
        """The rows that are in no run, as :attr:`EventLog.frame` has them."""
        bad = self.source.quarantined.lazy().rename({"rule": "fault", "detail": "fault_detail"})
        return bad.with_columns(
            pl.col("fault").cast(RULE),
            pl.col("row").cast(pl.UInt32),
            pl.col("reason").cast(COLUMNS["reason"], strict=False),
        )

    def events(self, journey: Journey | None) -> pl.DataFrame:
        """The rows of the runs; rare moves go by the branch that the journey draws for them."""
        return discover.routed(self.walked, journey) if journey is not None else self.walked


def told_by_content(names: Iterable[str]) -> pl.Expr:
    """What tells a row of activities where nothing else does: all it says, and which it is of those that say the same.

    So the rows of another file get other ids, and the same rows the same.
    """
    own = [*(pl.col(name) for name in names), pl.col("occurred_at").to_physical()]
    nth = pl.int_range(pl.len()).over(own)
    # Activities may be paths: between the parts stands what no text holds, and what is missing is not left out.
    told = pl.concat_str(*(part.cast(pl.String).fill_null("\x1e") for part in own), nth, separator="\x1f")
    return pl.coalesce("event_id", told)


def in_own_words(bad: pl.DataFrame, own: Mapping[str, str]) -> pl.DataFrame:
    """Details that name the source's own column beside the canonical one."""
    detail = pl.col("detail")
    for column, origin in own.items():
        beside = f"${{1}}{column} ({origin.replace('$', '$$')})${{2}}"
        detail = detail.str.replace(rf"^((?:.*, )?(?:no )?){column}( '|,|$)", beside)
    return bad.with_columns(detail)


# A user's own stroke is written otherwise, so that a/b in c is not a in b/c.
_USER = pl.col("user_id").str.replace_all("~", "~0", literal=True).str.replace_all("/", "~1", literal=True)


def _apart_by_user(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Runs of one user each, and how many sessions several users share."""
    shared = rows.group_by("run_id").agg(pl.col("user_id").n_unique()).filter(pl.col("user_id") > 1).height
    if not shared:
        return rows, 0
    return rows.with_columns(run_id=filled("{}/{}", _USER, "run_id")), shared


def session_of_run() -> pl.Expr:
    """The session that a run of activities is of: only where several users share sessions its name begins with the user."""
    return pl.col("run_id").str.strip_prefix(_USER + "/")
