"""One user's runs, step by step, and the ways most taken: what stands beside the path on the canvas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from journey_nb.metrics.paths import MARKS
from journey_nb.render.canvas import branch_label
from journey_nb.render.card import IN_VAIN, arrival
from journey_nb.render.panels import Html, cell, template
from journey_nb.render.text import clean
from journey_nb.style import column, format, word
from journey_nb.style.words import of_one

if TYPE_CHECKING:
    from journey_nb.stats import JourneyStats

RUNS = 50
"""Runs shown of a list; the switcher reaches the others, which are counted below it."""
STEPS = 200
"""Steps shown of a run; the others are counted below them."""
WAYS = 20
"""Frequent paths shown."""


@dataclass(frozen=True)
class Trace:
    """One run of a user among all of theirs.

    Parameters
    ----------
    stats
        Where they are looked up.
    user
        A user or device id that is in the journey.
    run
        The run's id; by default the newest.

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> stats = jn.JourneyStats(journey, simulate(journey, users=50, seed=7))
    >>> trace = Trace(stats, stats.users()["user_id"][0])
    >>> trace.path["run_id"].n_unique()
    1
    """

    stats: JourneyStats
    user: str
    run: str | None = None

    @cached_property
    def runs(self) -> pl.DataFrame:
        """All of the user's runs, newest first."""
        return self.stats.user_runs(self.user)

    @cached_property
    def place(self) -> int:
        """Where the run is among them."""
        return 0 if self.run is None else self.runs["run_id"].to_list().index(self.run)

    @cached_property
    def path(self) -> pl.DataFrame:
        """Its steps."""
        return self._own(self.stats.user_path(self.user))

    @cached_property
    def events(self) -> pl.DataFrame:
        """What was done at them."""
        return self._own(self.stats.user_events(self.user))

    def alt(self, locale: str = "") -> str:
        """The run in a sentence."""
        row = self.runs.row(self.place, named=True)
        return word(
            "trace_alt",
            locale,
            user=clean(self.user),
            no=row["run_no"],
            count=self.runs.height,
            status=of_one(row["status"], locale),
            version=row["version"],
            steps=format.number(self.path["step_no"].count(), locale),
        )

    def _own(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.filter(pl.col("run_id") == self.runs["run_id"][self.place])


def trace_html(
    stats: JourneyStats, trace: Trace | None = None, path: Sequence[str] | None = None, *, locale: str = ""
) -> Html:
    """The runs and steps of a user, where one is traced, and the frequent paths, of which one may be lit.

    Examples
    --------
    >>> import journey_nb as jn
    >>> from journey_nb.simulate import simulate
    >>> journey = jn.Journey.sample("welcome")
    >>> stats = jn.JourneyStats(journey, simulate(journey, users=50, seed=7))
    >>> "Frequent paths" in str(trace_html(stats))
    True
    """
    from journey_nb.render import covers  # which draws canvases, as this does not

    keys = {"older": "older_run", "newer": "newer_run", "runs": "runs", "steps": "points", "apart": "no_step",
            "frequent": "frequent", "hide": "frequent_clear", "show": "show_path", "device": "device_id",
            "nothing": "no_rows"}  # fmt: skip
    ways = stats.paths(WAYS)
    html = template("trace.html").render(
        words={name: word(key, locale) for name, key in keys.items()},
        **(_found(trace, locale) if trace else {"user": ""}),
        covers=covers(stats, locale),
        ways=list(_ways(stats, ways, locale)),
        lit=_value(path) if path else "",
    )
    return Html(html, trace.alt(locale) if trace else word("frequent", locale))


def ways_table(stats: JourneyStats) -> pl.DataFrame:
    """The frequent paths, each with the titles of its steps in one text."""
    titles = _titles(stats)
    ways = stats.paths(WAYS)
    told = [" → ".join(titles.get(point, point) for point in way) for way in ways["path"]]
    return ways.with_columns(path=pl.Series(told, dtype=pl.String))


def _ways(stats: JourneyStats, ways: pl.DataFrame, locale: str) -> Iterator[Mapping[str, Any]]:
    titles = _titles(stats)
    for row in ways.iter_rows(named=True):
        yield {
            "value": _value(row["path"]),
            "title": " → ".join(titles.get(point, clean(point)) for point in row["path"]),
            "numbers": [
                (name, column(name, locale), cell(name, row[name], row, locale))
                for name in ways.columns
                if name != "path"
            ],
        }


def _value(path: Sequence[str]) -> str:
    return json.dumps(list(path))


def _titles(stats: JourneyStats) -> dict[str, str]:
    return {name: clean(point.label) for name, point in stats.journey.points().items()}


def _found(trace: Trace, locale: str) -> dict[str, Any]:
    runs, at = trace.runs, trace.place
    ids = runs["run_id"].to_list()
    first = max(0, min(at - RUNS // 2, runs.height - RUNS))
    shown = runs.slice(first, RUNS)
    steps = trace.path.filter(pl.col("step_no").is_not_null())
    goals = {goal.goal_id: clean(goal.label) for goal in trace.stats.journey.goals}
    person = runs["user_id"][at]
    return {
        "user": clean(person),
        "device": clean(runs["device_id"][at] or "") if trace.user == person else clean(trace.user),
        "run": ids[at],
        "older": ids[at + 1] if at + 1 < len(ids) else None,
        "newer": ids[at - 1] if at else None,
        "place": word("run_of", locale, no=runs["run_no"][at], count=runs.height),
        "runs": [_run(row, goals, locale) for row in shown.iter_rows(named=True)],
        "more_runs": _more(runs.height - shown.height, locale),
        "steps": list(_steps(trace, steps.head(STEPS), goals, locale)),
        "more_steps": _more(steps.height - STEPS, locale),
        "apart": _told(trace.events.filter(pl.col("step_no").is_null()), goals, None, locale),
    }


def _more(count: int, locale: str) -> str:
    return word("more_rows", locale, count=format.number(count, locale)) if count > 0 else ""


def _run(row: Mapping[str, Any], goals: Mapping[str, str], locale: str) -> dict[str, Any]:
    end = format.moment(row["left_at"], locale) if row["left_at"] else word("here", locale)
    notes = [
        f"{arrival(row['entered_at'], locale)} – {end}",
        word("version_n", locale, version=row["version"]),
    ]
    if row["reason"] and row["reason"] != "completed":
        notes[1] += f" · {word(row['reason'], locale)}"
    if row["goals"]:
        reached = ", ".join(goals.get(goal, clean(goal)) for goal in row["goals"])
        notes.append(f"{word('goal.reached', locale)} · {reached}")
    return {
        "id": row["run_id"],
        "title": word("run_n", locale, no=row["run_no"]),
        "mark": MARKS[row["status"]],
        "status": of_one(row["status"], locale),
        "notes": notes,
    }


def _steps(
    trace: Trace, steps: pl.DataFrame, goals: Mapping[str, str], locale: str
) -> Iterator[Mapping[str, Any]]:
    titles, events = _titles(trace.stats), trace.events.partition_by("step_no", as_dict=True)
    version = trace.stats.journey.version(int(steps["version"][0])) if steps.height else None
    names = {} if version is None else {
        (branch.source, branch.key): branch_label(branch, version, locale) for branch in version.branches
    }  # fmt: skip
    for row in steps.iter_rows(named=True):
        came, left, point = row["arrived_at"], row["left_at"], row["point_id"]
        done = events.get((row["step_no"],))
        yield {
            "no": row["step_no"],
            "point": point,
            "title": titles.get(point, clean(point)),
            "mark": MARKS[row["outcome"]],
            "outcome": of_one("here" if row["outcome"] == "in_progress" else row["outcome"], locale),
            "came": _moment(came, None, locale),
            "stay": format.duration(left - came, locale) if came and left and left > came else "",
            "done": [] if done is None else _told(done, goals, came, locale),
            "way": names.get((point, row["branch"]), ""),
        }


def _told(
    rows: pl.DataFrame, goals: Mapping[str, str], came: datetime | None, locale: str
) -> list[dict[str, Any]]:
    """What was done, each with its time: the hour alone where that is of the day one came."""
    return [
        {
            "at": _moment(row["at"], came, locale),
            "text": " · ".join(_event(row, goals, came, locale)),
            "bad": row["kind"] in IN_VAIN,
        }
        for row in rows.iter_rows(named=True)
    ]


def _event(
    row: Mapping[str, Any], goals: Mapping[str, str], came: datetime | None, locale: str
) -> Iterator[str]:
    yield word(row["kind"], locale)
    if row["goal_id"]:
        yield goals.get(row["goal_id"], clean(row["goal_id"]))
    if row["reason"]:
        yield word(row["reason"], locale)
    if row["due_at"]:
        yield word("until", locale, moment=_moment(row["due_at"], came, locale)["text"])


def _moment(at: datetime | None, of_day: datetime | None, locale: str) -> dict[str, str]:
    same = at is not None and of_day is not None and at.date() == of_day.date()
    return {"iso": at.isoformat() if at else "", "text": f"{at:%H:%M}" if same else arrival(at, locale)}
