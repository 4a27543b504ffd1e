"""The runs of a chunk of users: what is known of each, and what may end it from outside."""

from __future__ import annotations

from typing import Any

import numpy as np

from journey_nb.simulate.arrays import Array
from journey_nb.simulate.clock import DAY, HOUR, NEVER, micros
from journey_nb.simulate.log import Log
from journey_nb.simulate.luck import Luck
from journey_nb.simulate.people import People
from journey_nb.simulate.scenario import Scenario


class Runs:
    """The runs by number, an array for each thing that is known of them.

    ``user`` is whose run it is, ``entered_with`` the version in force then, and ``follows`` whether it goes
    over to newer ones. ``stop`` is when something from outside ends it, for the reason ``why`` and its
    ``detail``; ``left`` is when it did end. ``variant`` is the last one given, ``steps`` counts the points,
    and ``appeal`` is how well the journey is liked.
    """

    def __init__(self, scenario: Scenario, people: People, luck: Luck) -> None:
        self.scenario, self.people, self.luck = scenario, people, luck
        self.act, self.clock = scenario.behaviour, scenario.clock
        self.log = Log(scenario, people)
        self.currency = self.log.currencies.drawn(self.act.currencies, people.chance("currency"))
        self.user = self.entered_with = self.stop = self.why = self.detail = np.zeros(0, dtype=np.int64)
        self.left = self.variant = self.steps = np.zeros(0, dtype=np.int64)
        self.follows, self.appeal = np.zeros(0, dtype=np.bool_), np.zeros(0)

    def begin(self, user: Array, at: Array) -> Array:
        """Let users enter at those times; gives the numbers of their runs."""
        count = len(user)
        run = np.arange(len(self.user), len(self.user) + count)
        none, never = np.zeros(count, dtype=np.int64), np.full(count, NEVER)
        begun = {"user": user, "entered_with": self.scenario.in_force(at), "stop": never, "left": never}
        begun |= dict.fromkeys(("why", "detail", "variant", "steps"), none)
        begun["follows"] = self.luck.some(count, self.act.follows)
        begun["appeal"] = self.people.appeal[user] * self.luck.lognormal(-0.15, 0.35, count)
        for name, values in begun.items():
            setattr(self, name, np.concatenate([getattr(self, name), values]))
        self._fates(run, at)
        return run

    def _fates(self, run: Array, at: Array) -> None:
        """What will happen from outside: goals reached unhelped, cancel events, ends by rule."""
        act, journey = self.act, self.scenario.journey
        for number, goal in enumerate(journey.goals):
            share = act.goals.get(goal.goal_id, act.goal / (1 + number))
            self._reach_some(number, run, at, share * self.appeal[run], 4 * DAY, 1.6)
        for event in journey.cancel_events:
            share = act.cancelled / len(journey.cancel_events)
            self._end_some(run, at, share, 8 * HOUR, "cancel_event", event)
        self._end_some(run, at, act.exit_criteria, 2 * DAY, "exit_criteria", "left the audience")
        self._end_some(run, at, act.timed_out, 6 * DAY, "timed_out")
        self._end_some(run, at, act.removed, 3 * DAY, "removed", "removed by hand")
        if journey.finished_at is not None:
            self._end(run, np.full(len(run), micros(journey.finished_at)), "journey_finished")

    def _end_some(
        self, run: Array, at: Array, share: float, median: int, reason: str, detail: str = ""
    ) -> None:
        hit = self.luck.some(len(run), share)
        self._end(run[hit], at[hit] + self.luck.spread(median, int(hit.sum())), reason, detail)

    def _end(self, run: Array, at: Array, reason: str, detail: str = "") -> None:
        """Let runs end at that time unless something ends them before."""
        first = at < self.stop[run]
        run = run[first]
        self.stop[run] = at[first]
        self.why[run] = self.log.reasons[reason]
        self.detail[run] = self.log.details[detail] if detail else 0

    def stir(self, run: Array, at: Array, share: float, median: int) -> None:
        """Some of those who were reached go on to a goal; the later a goal is listed, the rarer it is."""
        for number in range(len(self.scenario.journey.goals)):
            likely = np.minimum(share * self.appeal[run] / (1 + number), 0.97)
            self._reach_some(number, run, at, likely, median, 1.2)

    def _reach_some(
        self, number: int, run: Array, at: Array, share: Array, median: int, sigma: float
    ) -> None:
        hit = self.luck.some(len(run), share)
        self._reach(number, run[hit], at[hit] + self.luck.spread(median, int(hit.sum()), sigma))

    def _reach(self, number: int, run: Array, at: Array) -> None:
        """Goals reached; some twice, a few told without their run; a goal may end the journey."""
        goal, luck = self.scenario.journey.goals[number], self.luck
        again = luck.some(len(run), 0.12 if goal.value_field else 0.04)
        later = at[again] + luck.spread(3 * DAY, int(again.sum()))
        for runs, times in ((run, at), (run[again], later)):
            columns: dict[str, Any] = {"goal": self.log.goals[goal.goal_id], "device": self.device(runs)}
            if goal.value_field:
                value = luck.lognormal(np.log(self.act.value), 0.6, len(runs))
                columns |= {"value": np.round(value, 2), "currency": self.currency[self.user[runs]]}
            columns |= {"nameless": luck.some(len(runs), 0.04), "version": self.version(runs, times)}
            self.log.add("goal.reached", runs, times, **columns)
        if goal.ends_journey:
            self._end(run, at, "goal", goal.goal_id)

    def version(self, run: Array, at: Array) -> Array:
        """The version (its place in the scenario) that runs obey at a time."""
        entered: Array = self.entered_with[run]
        if len(self.scenario.versions) == 1:
            return entered
        return np.where(self.follows[run], np.maximum(self.scenario.in_force(at), entered), entered)

    def gone(self, point_id: str, run: Array, at: Array) -> Array:
        """When a newer version takes the point away under the runs that follow it."""
        gone = np.full(len(run), NEVER)
        for version, since in zip(self.scenario.versions[::-1], self.scenario.since[::-1], strict=True):
            if point_id not in version:
                gone[self.follows[run] & (at < since)] = since
        return gone

    def device(self, run: Array, place: int = 1) -> Array:
        """The device of that place, or the last one that a user has; 0 is none."""
        devices: Array = np.minimum(self.people.devices[self.user[run]], place)
        return devices
