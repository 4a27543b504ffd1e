"""Judging a row by itself: whom it is about, the first rule it breaks, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from journey_nb.events.words import ATTEMPT_KINDS, DERIVED, FALLIBLE, KIND_NEEDS, RULES, TIMES, of_kind
from journey_nb.journey import Journey
from journey_nb.reading import any_of, filled

RULE = pl.Enum(RULES)

_IN_APP_KINDS = ("message.impression", "message.interacted", "message.dismissed")


def _unread(column: str) -> pl.Expr:
    """Something is given and could not be read."""
    return pl.col(f"given {column}") & pl.col(column).is_null()


def _absent(column: str) -> pl.Expr:
    """A value is needed here and none is given."""
    nothing = ~pl.col(f"given {column}") if column in FALLIBLE else pl.col(column).is_null()
    if column == "user_id":
        return nothing & pl.col("device_id").is_null()
    if column == "version":
        return nothing & (pl.col("kind").is_null() | ~of_kind("goal.reached"))
    if column in ("occurred_at", "kind", "journey_id"):
        return nothing
    return nothing & of_kind(*(kind for kind, needs in KIND_NEEDS.items() if column in needs))


def _misplaced() -> pl.Expr:
    """Something only an in-app message does, on another channel."""
    return of_kind(*_IN_APP_KINDS) & (pl.col("channel") != "in_app")


_NEEDED = (
    "occurred_at",
    "kind",
    "user_id",
    "journey_id",
    "version",
    *dict.fromkeys(c for n in KIND_NEEDS.values() for c in n),
)


def fault_of_row() -> pl.Expr:
    """The rule a row breaks, whatever the journey. An unknown kind is told before missing columns."""
    broken = {
        "missing": any_of(map(_absent, _NEEDED)) & ~_unread("kind"),
        "bad_time": any_of(map(_unread, TIMES)),
        "bad_value": any_of(map(_unread, ("version", "value", "is_machine", "seq"))),
        "unknown_kind": _unread("kind"),
        "unknown_channel": _unread("channel") | _misplaced(),
    }
    return _first_broken(broken)


def _first_broken(broken: Mapping[str, pl.Expr], before: pl.Expr | None = None) -> pl.Expr:
    chain: Any = pl if before is None else pl.when(before.is_not_null()).then(before)
    for rule, holds in broken.items():
        chain = chain.when(holds).then(pl.lit(rule, dtype=RULE))
    return chain  # type: ignore[no-any-return]


def detail_of_cells() -> pl.Expr:
    """Everything that is wrong with the cells of a row, with the text that was found."""
    absent = [pl.when(_absent(c)).then(pl.lit(f"no {c}")) for c in _NEEDED]
    unread = [pl.when(_unread(c)).then(filled(f"{c} '{{}}'", f"raw {c}")) for c in FALLIBLE if c != "reason"]
    foreign = pl.when(_misplaced()).then(filled("{} on channel {}", "kind", "channel"))
    told = pl.concat_str(*absent, *unread, foreign, separator=", ", ignore_nulls=True)
    return pl.when(pl.col("fault").is_not_null()).then(told)


def detail_of_rule() -> pl.Expr:
    """What is wrong with a row that breaks a ``rule``."""
    version = pl.col("version").cast(pl.String)
    return (
        pl.when(pl.col("fault").is_not_null())
        .then(detail_of_cells())
        .when(pl.col("rule") == "unknown_journey")
        .then(filled("journey_id '{}'", "journey_id"))
        .when(pl.col("rule") == "unknown_version")
        .then(filled("version {}", "version"))
        .when(pl.col("rule") == "unknown_point")
        .then(filled("point_id '{}' is not in version {}", "point_id", version))
        .when(pl.col("rule") == "unknown_branch")
        .then(
            filled(
                "branch '{}' of '{}' is not in version {}",
                pl.col("branch").fill_null("default"),
                "point_id",
                version,
            )
        )
        .when(pl.col("rule") == "unknown_goal")
        .then(filled("goal_id '{}'", "goal_id"))
    )


class Known:
    """What a journey knows, as integer codes, so that a check is one lookup a row."""

    def __init__(self, journey: Journey) -> None:
        self.journey_id = journey.journey_id
        self.versions = [version.version for version in journey.versions]
        self.points = list(journey.points())
        self.goals = [goal.goal_id for goal in journey.goals]
        self.keys = list(dict.fromkeys(["default", *(b.key for v in journey.versions for b in v.branches)]))
        point = {point_id: code for code, point_id in enumerate(self.points)}
        key = {name: code for code, name in enumerate(self.keys)}
        self.at: set[int] = set()
        self.ways: set[int] = set()
        for version in journey.versions:
            here = {
                p.point_id: version.version * len(self.points) + point[p.point_id] for p in version.points
            }
            self.at.update(here.values())
            self.ways.update(here[b.source] * len(self.keys) + key[b.key] for b in version.branches)
            ends = set(here) - {b.source for b in version.branches}
            self.ways.update(here[end] * len(self.keys) for end in ends)

    def coded(self) -> dict[str, pl.Expr]:
        """The columns that the journey's own words code."""
        words = {"point_id": self.points, "goal_id": self.goals}
        return {name: pl.col(name).cast(pl.Enum(known), strict=False) for name, known in words.items()}

    def rule(self) -> pl.Expr:
        """The first rule a row breaks, those of reading included."""
        coded, version = self.coded(), pl.col("version")
        place = version.cast(pl.Int64) * len(self.points) + coded["point_id"].to_physical().cast(pl.Int64)
        key = pl.col("branch").fill_null("default").cast(pl.Enum(self.keys), strict=False).to_physical()
        way = place * len(self.keys) + key.cast(pl.Int64)
        broken = {
            "unknown_journey": pl.col("journey_id") != self.journey_id,
            "unknown_version": ~version.is_in(self.versions),
            "unknown_point": version.is_not_null()
            & pl.col("point_id").is_not_null()
            & ~_among(place, self.at),
            "unknown_branch": of_kind("point.completed") & ~_among(way, self.ways),
            "unknown_goal": of_kind("goal.reached") & coded["goal_id"].is_null(),
        }
        return _first_broken(broken, before=pl.col("fault"))


def rule_of_row(known: Known | None) -> pl.Expr:
    """The first rule a row breaks, with a journey those of its words too."""
    return pl.col("fault") if known is None else known.rule()


def _among(code: pl.Expr, known: set[int]) -> pl.Expr:
    return code.is_in(sorted(known)).fill_null(False)


def own_word(column: str, coded: pl.Expr | None) -> pl.Expr:
    """The source's own word where it is none of the known ones."""
    if column == "reason":
        coded, text = pl.col("reason"), pl.col("raw reason")
    else:
        text = pl.col(column)
    word = pl.lit(None, pl.String) if coded is None else pl.when(coded.is_null()).then(text)
    return word.alias(f"word {column}")


def user_of_row() -> pl.Expr:
    """Whom a row is about: the user, or the device that stands for one."""
    # Texts are put together only where there is no user: that is cheaper than for every row.
    stands = pl.when(pl.col("user_id").is_null()).then("device_id")
    return pl.coalesce("user_id", pl.lit("device:") + stands).alias("user_id")


def derived_run() -> pl.Expr:
    """Where a source has no run ids: one for all of a user, in which the walk tells the runs apart.

    Outcomes of messages are of their message's run, and goals of the run whose window holds them.
    """
    return pl.when(
        of_kind(*(kind for kind, needs in KIND_NEEDS.items() if needs[0] == "run_id"), *ATTEMPT_KINDS)
    ).then(pl.lit(DERIVED) + user_of_row())
