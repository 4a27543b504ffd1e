"""What is written: the rows of a log, and the canonical columns made of them in the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl

from journey_nb.events.words import COLUMNS, KINDS, REASONS
from journey_nb.journey import CHANNELS
from journey_nb.simulate.arrays import Array, chosen, count_up, order
from journey_nb.simulate.luck import by_shares
from journey_nb.simulate.people import People, user_ids
from journey_nb.simulate.scenario import Scenario

# Reasons that say no more than that there was one, and the vendor's own words beside them.
VENDOR_WORDS = {
    "internal_unknown": "pipeline stage 7 returned 499",
    "send_unknown": "vendor code 1207",
    "skip_unknown": "suppressed by policy 12",
    "wait_unknown": "held for review",
}


class Words:
    """Words by number; 0 is no word."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._numbers: dict[str, int] = {}
        for word in words:
            self[word]

    def __getitem__(self, word: str) -> int:
        return self._numbers.setdefault(word, len(self._numbers) + 1)

    def numbers(self, words: Iterable[str]) -> Array:
        """The numbers of several words."""
        return np.array([self[word] for word in words], dtype=np.int64)

    def drawn(self, words: Sequence[str], chance: Array) -> Array:
        """The number of the word that each chance falls on: the first most often, the last least."""
        return self.numbers(words)[by_shares(chance, [1 / (place + 1) for place in range(len(words))])]

    def series(self, numbers: Array, dtype: pl.DataType | None = None) -> pl.Series:
        """The words of those numbers."""
        return _named(pl.Series([*self._numbers], dtype=dtype or pl.String()), numbers)


class Counts:
    """How many events, runs and messages the chunks before have numbered."""

    events = runs = messages = 0


class Log:
    """The rows written so far, a batch of arrays for each; a time past the end is not written."""

    def __init__(self, scenario: Scenario, people: People) -> None:
        self.scenario, self.people = scenario, people
        self.parts: list[tuple[int, Array, Array, dict[str, Any]]] = []
        self.messages = 0
        self.kinds, self.channels, self.reasons = Words(KINDS), Words(CHANNELS), Words(REASONS)
        self.points, self.branches, self.variants = Words(scenario.journey.points()), Words(), Words()
        self.goals, self.details, self.currencies = Words(), Words(), Words()
        # The vendor's words beside each reason, by number; 0 where there are none.
        self.vendor = np.zeros(len(REASONS) + 1, dtype=np.int64)
        self.vendor[self.reasons.numbers(VENDOR_WORDS)] = self.details.numbers(VENDOR_WORDS.values())

    def add(self, kind: str, run: Array, at: Array, **columns: Any) -> None:
        """Write a row for each run; a column is an array, or one value for all."""
        keep = at < self.scenario.clock.end
        if not keep.all():
            run, at, columns = run[keep], at[keep], chosen(columns, keep)
        if len(run):
            self.parts.append((self.kinds[kind], run, at, columns))

    def new_messages(self, here: Array) -> Array:
        """A number that no message had before, for each of the rows here."""
        numbers = self.messages + np.cumsum(here)
        self.messages += int(here.sum())
        return numbers

    def frame(self, user: Array, counts: Counts) -> pl.DataFrame:
        """The canonical log of a chunk, ordered by time; each run is that of a user."""
        if not self.parts:
            return pl.DataFrame(schema=COLUMNS)
        kind = np.repeat([part[0] for part in self.parts], [len(part[1]) for part in self.parts])
        run = np.concatenate([part[1] for part in self.parts], dtype=np.int32, casting="same_kind")
        at = np.concatenate([part[2] for part in self.parts])
        # What was written first happened first.
        in_time = order(at)
        run, at = run[in_time], at[in_time]

        def taken(name: str, dtype: Any = np.uint16, default: float = 0) -> Array:
            return self._column(name, dtype, default)[in_time]

        def constant(word: str) -> pl.Series:
            return pl.repeat(word, len(at), dtype=pl.String, eager=True)

        who, device, due = user.astype(np.int32)[run], taken("device", np.int8), taken("due", np.int64)
        ids, prefix = self.people, self.scenario.prefix
        runs = _numbered(f"{prefix}-r", counts.runs, len(user))
        messages = _numbered(f"{prefix}-m", counts.messages, self.messages)
        version = np.array([version.version for version in self.scenario.versions], dtype=np.int32)
        frame = pl.DataFrame(
            {
                "event_id": _numbered(f"{prefix}-", counts.events, len(at)),
                "occurred_at": at,
                "kind": self.kinds.series(kind[in_time], COLUMNS["kind"]),
                "user_id": user_ids(ids.first, ids.last).gather(who),
                "device_id": _named(ids.device_ids(), np.where(device > 0, who * 2 + device, 0)),
                "journey_id": constant(self.scenario.journey.journey_id),
                "version": version[taken("version", np.int16)],
                "run_id": _named(runs, np.where(taken("nameless", np.bool_), 0, run + 1)),
                "point_id": self.points.series(taken("point")),
                "branch": self.branches.series(taken("branch")),
                "channel": self.channels.series(taken("channel"), COLUMNS["channel"]),
                "message_id": _named(messages, taken("message", np.int32)),
                "variant": self.variants.series(taken("variant")),
                "goal_id": self.goals.series(taken("goal")),
                "reason": self.reasons.series(taken("reason"), COLUMNS["reason"]),
                "reason_detail": self.details.series(taken("detail")),
                "due_at": pl.Series(due).set(pl.Series(due == 0), None),
                "value": pl.Series(taken("value", np.float64, np.nan)).fill_nan(None),
                "currency": self.currencies.series(taken("currency")),
                "is_machine": _named(pl.Series([False, True]), taken("machine", np.int8)),
                "seq": count_up(run),
                "source": constant("simulate"),
            }
        )
        counts.events, counts.runs = counts.events + len(at), counts.runs + len(user)
        counts.messages += self.messages
        return frame.cast({name: COLUMNS[name] for name in ("occurred_at", "due_at", "version", "seq")})

    def _column(self, name: str, dtype: Any, default: float) -> Array:
        column = np.full(sum(len(part[1]) for part in self.parts), default, dtype=dtype)
        begin = 0
        for _, run, _, columns in self.parts:
            if name in columns:
                column[begin : begin + len(run)] = columns[name]
            begin += len(run)
        return column


def _named(names: pl.Series, numbers: Array) -> pl.Series:
    """The name of each number, counted from 1; 0 has none."""
    return pl.concat([pl.Series([None], dtype=names.dtype), names], rechunk=True).gather(numbers)


def _numbered(prefix: str, first: int, count: int) -> pl.Series:
    return pl.select(pl.lit(prefix) + pl.int_range(first, first + count).cast(pl.String)).to_series()
