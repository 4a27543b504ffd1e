"""A journey made ready: what stands before a simulation begins."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC as utc
from datetime import datetime
from functools import cached_property

import numpy as np

from journey_nb.journey import Journey, Point, Version, wanted, zoned
from journey_nb.simulate.arrays import Array
from journey_nb.simulate.behaviour import Behaviour
from journey_nb.simulate.clock import Clock, micros


@dataclass(frozen=True)
class Scenario:
    """The versions of a journey in order, the span of the log, and how its ids begin."""

    journey: Journey
    users: int
    seed: int
    behaviour: Behaviour
    clock: Clock
    versions: tuple[Version, ...]
    prefix: str

    @classmethod
    def of(
        cls, journey: Journey, users: int, seed: int, start: datetime | None, days: int, behaviour: Behaviour
    ) -> Scenario:
        """The scenario of these arguments; refuses what nobody can simulate."""
        if users < 0 or days < 1:
            raise ValueError(f"users is {users} and days is {days}; give 0 or more users and 1 or more days")
        published = [version for version in wanted(journey).versions if version.published_at is not None]
        versions = sorted(
            published or journey.versions,
            key=lambda version: (micros(version.published_at), version.version),
        )
        for version in versions:
            _check(version, journey)
        told = start or journey.launched_at or versions[0].published_at
        begin = zoned(told) if told else datetime(2026, 3, 2, tzinfo=utc)
        mark = f"{journey.journey_id}|{users}|{seed}|{begin.isoformat()}|{days}"
        return cls(
            journey=journey,
            users=users,
            seed=seed,
            behaviour=behaviour,
            clock=Clock.of(journey.timezone, micros(begin), days),
            versions=tuple(versions),
            prefix=hashlib.sha256(mark.encode()).hexdigest()[:8],
        )

    @cached_property
    def since(self) -> Array:
        """When each version came into force."""
        since = np.array([micros(version.published_at) for version in self.versions], dtype=np.int64)
        since[0] = 0
        return since

    @cached_property
    def closes(self) -> int:
        """When nobody can enter any more."""
        finished = self.journey.finished_at
        return min(self.clock.end, micros(finished)) if finished else self.clock.end

    @cached_property
    def entries(self) -> tuple[tuple[Point, ...], ...]:
        """The entry points of each version."""
        return tuple(tuple(point for point in each.points if point.is_entry) for each in self.versions)

    @cached_property
    def ranks(self) -> tuple[dict[str, int], ...]:
        """The places of the points of each version in the order of the graph."""
        return tuple(_ranks(version) for version in self.versions)

    def in_force(self, at: Array) -> Array:
        """The version (its place among them) in force at each time."""
        return np.maximum(np.searchsorted(self.since, at, side="right") - 1, 0)


def _check(version: Version, journey: Journey) -> None:
    """Refuse a version that nobody can simulate."""
    if odd := [point.point_id for point in version.points if point.type == "activity"]:
        raise ValueError(
            f"{odd[0]!r} in version {version.version} of {journey.label!r} is an activity, which only "
            "discovered journeys have and nobody can simulate; give it another type, such as message"
        )
    if not any(point.is_entry for point in version.points):
        raise ValueError(
            f"version {version.version} of {journey.label!r} has no entry point; add an entry_trigger"
        )


def _ranks(version: Version) -> dict[str, int]:
    """Places of the points in the order of the graph (loops are entered where a run first comes)."""
    done: dict[str, None] = {}
    seen: set[str] = set()
    for start in sorted(version.points, key=lambda point: not point.is_entry):
        stack = (
            [(start.point_id, iter(version.outgoing(start.point_id)))] if start.point_id not in seen else []
        )
        seen.add(start.point_id)
        while stack:
            step = next(stack[-1][1], None)
            if step is None:
                done[stack.pop()[0]] = None
            elif step.target not in seen:
                seen.add(step.target)
                stack.append((step.target, iter(version.outgoing(step.target))))
    return {point_id: -place for place, point_id in enumerate(done)}
