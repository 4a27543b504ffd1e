"""From point to point: all who reached one are moved on together."""

from __future__ import annotations

import numpy as np

from journey_nb.events.words import INTERNAL_ERRORS
from journey_nb.simulate import entries
from journey_nb.simulate.arrays import Array
from journey_nb.simulate.points import WAYS
from journey_nb.simulate.runs import Runs
from journey_nb.simulate.visit import Stay, Visit

# A run that went round a loop this often is timed out.
MOST_STEPS = 1_000


class Moves:
    """The queue of those who arrive, by version and point."""

    def __init__(self, runs: Runs) -> None:
        self.runs, self.scenario, self.log = runs, runs.scenario, runs.log
        self.queue: dict[tuple[int, str], list[tuple[Array, Array]]] = {}

    def run(self) -> None:
        """Let everybody enter, and those who finished perhaps once more, until nobody is left."""
        user, at, way = entries.first(self.runs)
        while len(user):
            begin = len(self.runs.user)
            self._enter(user, at, way)
            while self.queue:
                # Points in the order of the graph, so that all who arrive at one go on together.
                here = min(self.queue, key=lambda key: (key[0], self.scenario.ranks[key[0]][key[1]]))
                run, times = (np.concatenate(arrays) for arrays in zip(*self.queue.pop(here), strict=True))
                self._visit(*here, run, times)
            user, at, way = entries.further(self.runs, begin)

    def _enter(self, user: Array, at: Array, way: Array) -> None:
        run = self.runs.begin(user, at)
        version = self.runs.entered_with[run]
        for number in np.unique(version):
            points = self.scenario.entries[number]
            for place, point in enumerate(points):
                here = (version == number) & (np.minimum(way, len(points) - 1) == place)
                self._arrive("run.entered", int(number), point.point_id, run[here], at[here])

    def _arrive(self, kind: str, version: int, point_id: str, run: Array, at: Array) -> None:
        """Write that runs come to a point, and let them be moved on from there."""
        point, device = self.log.points[point_id], self.runs.device(run)
        self.log.add(kind, run, at, point=point, version=version, device=device)
        if len(run):
            self.queue.setdefault((version, point_id), []).append((run, at))

    def _visit(self, version: int, point_id: str, run: Array, at: Array) -> None:
        point, gone = self.scenario.versions[version].point(point_id), self.runs.gone(point_id, run, at)
        visit = Visit(self.runs, version, point, run, at, gone)
        self.runs.steps[run] += 1
        if point.type == "exit":
            visit.exit(np.ones(len(run), dtype=np.bool_), at, self.log.reasons["completed"])
        else:
            self._leave(visit, self._mishaps(visit, WAYS[point.type](visit)))

    def _mishaps(self, visit: Visit, stay: Stay) -> Stay:
        """Now and then something goes wrong inside; who went round for ever is timed out."""
        count, luck = len(visit.run), self.runs.luck
        wrong = luck.some(count, self.runs.act.error)
        codes = self.log.reasons.drawn(INTERNAL_ERRORS, luck.random(count))
        error = np.where((stay.error == 0) & wrong, codes, stay.error)
        endless = self.runs.steps[visit.run] >= MOST_STEPS
        return stay._replace(error=np.where(endless, self.log.reasons["timed_out"], error))

    def _leave(self, visit: Visit, stay: Stay) -> None:
        """End the runs that something ends while they stay, or that fail there; the others move on."""
        runs, run, leave, end = self.runs, visit.run, stay.leave, self.runs.clock.end
        stop = np.minimum(runs.stop[run], visit.gone)
        taken = visit.gone < runs.stop[run]
        cut = (stop <= leave) & (stop < end)
        why = np.where(taken, self.log.reasons["version_removed"], runs.why[run])
        visit.exit(cut, stop, why, np.where(taken, 0, runs.detail[run]))
        going = ~cut & (leave < end)
        failed = going & (stay.error > 0)
        visit.exit(failed, leave, stay.error)
        going &= ~failed
        versions = runs.version(run, leave)
        for number in np.unique(versions[going]):
            self._take(visit, stay, int(number), going & (versions == number))

    def _take(self, visit: Visit, stay: Stay, number: int, going: Array) -> None:
        """Runs leave by the branches of the version in force; without one they are at a dead end."""
        ways = self.scenario.versions[number].outgoing(visit.point.point_id)
        codes = [self.log.branches[branch.key] for branch in ways]
        plain = self.log.branches["default"]
        key = stay.key if plain not in codes else np.where(np.isin(stay.key, codes), stay.key, plain)
        for branch, code in zip(ways, codes, strict=True):
            here = going & (key == code)
            visit.write("point.completed", here, stay.leave, branch=code)
            self._arrive("point.entered", number, branch.target, visit.run[here], stay.leave[here])
        visit.exit(going & ~np.isin(key, codes), stay.leave, self.log.reasons["dead_end"])
