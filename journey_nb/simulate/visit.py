"""The runs at a point, moved on together: what is written of them there, and how they leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from journey_nb.journey import Branch, Point
from journey_nb.simulate.arrays import Array, chosen
from journey_nb.simulate.behaviour import own
from journey_nb.simulate.clock import NEVER, SECOND
from journey_nb.simulate.runs import Runs


class Stay(NamedTuple):
    """How a visit ends: when, by which branch (a code), and the error that ends the run (a code, or 0)."""

    leave: Array
    key: Array
    error: Array | int = 0


@dataclass(frozen=True)
class Visit:
    """All runs that arrived at a point of one version, when, and when a newer one takes it away."""

    runs: Runs
    version: int
    point: Point
    run: Array
    at: Array
    gone: Array

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The ways out of the point."""
        return self.runs.scenario.versions[self.version].outgoing(self.point.point_id)

    @property
    def keys(self) -> list[str]:
        """The keys of the ways out."""
        return [branch.key for branch in self.branches]

    def share(self, key: str, default: float) -> float:
        """A point's own share for a branch, else the one the branch states, else the default."""
        stated = [branch.share for branch in self.branches if branch.key == key]
        known = stated[0] / 100 if stated and stated[0] is not None else default
        return float(own(self.point).get(key, known))

    def chance(self, salt: str) -> Array:
        """A user's own chance at the point: the same each time they come, but for a few."""
        chance = self.runs.people.chance(f"{self.point.point_id}:{salt}", self.runs.user[self.run])
        fresh = self.runs.luck.random(len(chance))
        return np.where(self.runs.luck.some(len(chance), 0.1), fresh, chance)

    def alive(self, at: Array) -> Array:
        """Whether runs are still at the point at that time, so that it may act."""
        return (at < self.runs.stop[self.run]) & (at < self.gone) & (at < self.runs.clock.end)

    def row(self, here: Array, at: Array) -> dict[str, Any]:
        """The columns of every row that is written of some of the runs."""
        run = self.run[here]
        return {
            "point": self.runs.log.points[self.point.point_id],
            "version": self.runs.version(run, at[here]),
            "device": self.runs.device(run),
        }

    def write(self, kind: str, here: Array, at: Array, **columns: Any) -> None:
        """Write a row for some of the runs; ``at`` and the columns are those of all."""
        row = self.row(here, at) | chosen(columns, here)
        self.runs.log.add(kind, self.run[here], at[here], **row)

    def tell(self, kind: str, here: Array | bool, at: Array, reason: Array | int, **columns: Any) -> None:
        """Write what befalls runs that are still at the point, and why."""
        detail = self.runs.log.vendor[reason]
        self.write(kind, here & self.alive(at), at, reason=reason, detail=detail, **columns)

    def wait(self, at: Array, due: Array, reason: str, here: Array | bool = True) -> None:
        """Write that runs, all or some, are held from that time until they are due."""
        self.tell("wait.started", here, at, self.runs.log.reasons[reason], due=due)

    def late(self, due: Array) -> Array:
        """When a wait really ends: seconds late, and now and then never."""
        luck = self.runs.luck
        late = luck.integers(0, 40 * SECOND, len(due))
        return np.where(luck.some(len(due), self.runs.act.stuck), NEVER, due + late)

    def exit(self, here: Array, at: Array, reason: Array | int, detail: Array | None = None) -> None:
        """End some of the runs."""
        if not here.any():
            return
        run, times = self.run[here], at[here]
        self.runs.left[run] = times
        told = self.runs.log.vendor[reason] if detail is None else detail
        row = self.row(here, at) | chosen({"reason": reason, "detail": told}, here)
        # A run that a new version takes out leaves as the old one had it: by the version just before.
        row["version"] = np.maximum(self.runs.version(run, times - 1), self.version)
        self.runs.log.add("run.exited", run, times, **row)

    def either(self, which: Array, yes: str, no: str) -> Array:
        """One branch for those of which it is so, another for the rest."""
        codes = self.runs.log.branches
        return np.where(which, codes[yes], codes[no])

    def stay(self, leave: Array, key: Array | str = "default") -> Stay:
        """All leave at those times, by a branch for each or the same for all."""
        codes = self.runs.log.branches
        return Stay(leave, np.full(len(leave), codes[key]) if isinstance(key, str) else key)
