"""``make mutate``: small faults, one at a time, in a copy of the package; the oracle or the tests must catch every one.

A fault is a piece of source and what takes its place. A fault whose source is no longer there, or stands there
more than once, is an error: a check that no longer checks anything must not pass unseen.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SEEDS = int(os.environ.get("JOURNEY_NB_SEEDS", "60"))

FAULTS: list[tuple[str, str, str]] = [
    # Time, clocks and periods.
    ("metrics/scope.py", "return self.as_of + TICK", "return self.as_of"),
    ("metrics/scope.py", "(seen & (time >= literal(self.start))", "(seen & (time > literal(self.start))"),
    ("metrics/scope.py", "seen = time < literal(self.hi)", "seen = time <= literal(self.hi)"),
    ("metrics/scope.py", 'return self.cut if self.clock == "activity" else self.horizon', "return self.cut"),
    ("metrics/scope.py", 'pl.col("entered_at").is_between(self.start, self.cut, closed="left")', 'pl.col("entered_at").is_between(self.start, self.cut, closed="both")'),
    ("metrics/scope.py", '.filter((pl.col("first_at") < literal(self.horizon)) & entered)', ".filter(entered)"),
    ("metrics/scope.py", 'pl.col("inside") & began_before & ~self.before("left_at")', 'began_before & ~self.before("left_at")'),
    ("metrics/counts.py", '"skipped": _COMPLETED & pl.col("skip_at").is_not_null(),', '"skipped": pl.col("skip_at").is_not_null(),'),
    ("metrics/scope.py", "if self.facts.last_at >= self.horizon:", "if self.facts.last_at > self.as_of + self.as_of.resolution * 10**12:"),
    ("metrics/scope.py", 'at=pl.coalesce("sent_at", "failed_at", "skipped_at"),', 'at=pl.coalesce("failed_at", "sent_at", "skipped_at"),'),
    ("metrics/scope.py", '.sort("at", "run_no", "order", maintain_order=True)', '.sort("at", "order", maintain_order=True)'),
    ("period.py", "return Period(midnight(today - timedelta(days=back), zone), end, days)", "return Period(midnight(today - timedelta(days=back + 1), zone), end, days)"),
    ("metrics/scope.py", "both = keep if self.keep is None else self.keep & keep", "both = keep"),
    ("metrics/scope.py", 'pl.col("left_at").is_null() | (pl.col("left_at") >= literal(self.hi))', 'pl.col("left_at").is_null() | (pl.col("left_at") > literal(self.hi))'),
    ("metrics/rows.py", 'scope.unless_after("left_at", scope.hi, "reason")', '"reason"'),
    ("metrics/scope.py", '(pl.col("first_at") >= literal(self.horizon)))[', '(pl.col("first_at") > literal(self.horizon)))['),
    ("metrics/groups.py", 'scope.facts.runs["first_at"] < scope.horizon', 'scope.facts.runs["first_at"].is_not_null()'),
    # Tables.
    ("metrics/counts.py", 'waiting_before=pl.col("was_open").sum()', 'waiting_before=(pl.col("was_open") & pl.col("is_open")).sum()'),
    ("metrics/counts.py", '"exited": _EXITED,', '"exited": ~_COMPLETED,'),
    ("metrics/counts.py", "place = share * (stays - 1)", "place = share * stays"),
    ("metrics/counts.py", 'here.group_by(point="here").agg(users=pl.col("user").n_unique())', 'here.group_by(point="here").agg(users=pl.len())'),
    ("metrics/points.py", 'known = known.with_columns(_taken=pl.col("runs").sum().over("source"))', 'known = known.with_columns(_taken=pl.col("users").sum().over("source"))'),
    ("metrics/scope.py", '< self.hi).unique("visit", keep="last", maintain_order=True)', '< self.hi).unique("visit", keep="first", maintain_order=True)'),
    ("metrics/scope.py", 'waits.filter(pl.col("at") < self.hi)', 'waits.filter(pl.col("at") < self.horizon)'),
    ("metrics/communications.py", 'reported = pl.col("delivered") * 100 >= pl.col("sent")', 'reported = pl.col("delivered") > 0'),
    ("metrics/counts.py", '"_arrived": pl.col("delivered") | pl.col("opened") | pl.col("clicked"),', '"_arrived": pl.col("delivered"),'),
    ("metrics/counts.py", '.filter(pl.col("engaged_order") < pl.col("order"))', ""),
    ("metrics/counts.py", '"interacted": _SENT & pl.col("interacted_at").is_not_null(),', '"interacted": _SENT & pl.col("engaged_at").is_not_null(),'),
    ("metrics/counts.py", '.unique("user", keep="first", maintain_order=True)', '.unique("run", keep="first", maintain_order=True)'),
    ("metrics/counts.py", 'pl.col("value").sum(), events=', 'pl.col("value").max(), events='),
    ("metrics/counts.py", "_reached(scope.seen_goals, scope, goal)", "_reached(scope.goals, scope, goal)"),
    ("metrics/counts.py", "answered[self.scope.time_of(outcome)]", 'answered[f"{outcome}_at"]'),
    ("metrics/counts.py", "reached = self._on_version(firsts(self.scope, goal))", 'reached = self._on_version(_reached(self.scope.goals, self.scope, goal)).unique("user", keep="first")'),
    ("metrics/health.py", 'goals_reached=pl.col("users").sum()', 'goals_reached=pl.col("runs").sum()'),
    ("metrics/counts.py", 'left = self._runs.filter("leaves")\n        return', 'left = self._runs\n        return'),
    ("metrics/experiments.py", 'scope.visits.filter(scope.within("skip_at") & held)', "scope.visits.filter(held)"),
    ("metrics/points.py", "(pl.sum_horizontal(*_VISITS, *MESSAGES) > 0)", "(pl.sum_horizontal(*_VISITS) > 0)"),
    ("metrics/retention.py", "return pl.lit(scope.horizon)", "return pl.lit(scope.as_of)"),
    # Cubes.
    ("metrics/cube.py", "(prev.is_null() | (prev < first))", "(prev.is_null() | (prev <= first))"),
    ("metrics/cube.py", 'pl.col("day").is_not_null() & pl.col("prev").is_null()', 'pl.col("day").is_not_null()'),
    ("metrics/cube_counts.py", "return added([(1, whole), (1, asked), (-1, days)])", "return whole"),
    ("metrics/cube_counts.py", "if edge > facts.last_at:", "if edge >= facts.last_at:"),
    ("metrics/cube_counts.py", "self._facts.around(self._spans)", "self._facts.around(self._spans[:1])"),
    ("metrics/cube_counts.py", "(day < self._first[0])))", "(day <= self._first[0])))"),
    ("metrics/cube_counts.py", "return measure + OF_VERSION * self.version", "return measure"),
    ("metrics/cube_counts.py", 'key, "day" if place == "send" else "on")', 'key, "day")'),
    ("metrics/cube_counts.py", "elif scope.opening > facts.first_at or scope.cut <= facts.last_at:", "elif scope.cut <= facts.last_at:"),
    ("metrics/cube_counts.py", 'repr(("open stays", until.end))', '"open stays"'),
    ("metrics/cube_counts.py", "repr((point_id, by_way, goal, unit, scope.version))", "repr((point_id, by_way, unit, scope.version))"),
    ("metrics/cube_counts.py", '(pl.col("by_message") != by_way)', "True"),
    ("metrics/cube_counts.py", '.with_columns(apart(number, "unit"))', ""),
    ("metrics/cube_counts.py", 'before = pl.col("arrived_at") < until', 'before = pl.col("arrived_at") <= until'),
    ("metrics/cube_counts.py", 'facts.goals.filter("counts", pl.col("at") < until)', 'facts.goals.filter(pl.col("at") < until)'),
    ("metrics/cube_counts.py", '{"credited": "goals"}, "goal", "on")', '{"credited": "goals"}, "goal")'),
    ("metrics/sums.py", "return low + (high - low) * part", "return low"),
    ("metrics/cube_frames.py", 'less = earliest.filter(pl.col("until") < pl.col("day"))', "less = earliest.clear()"),
    ("metrics/cube_frames.py", 'begins = (pl.col("since") > pl.col("until").shift()).fill_null(True)', "begins = pl.lit(True)"),
    ("metrics/cube_frames.py", "whose = (pl.col(who).cast(pl.UInt64) * packed.size + packed.code()) * (2 * days)", "whose = (pl.col(who).cast(pl.UInt64) * packed.size + packed.code()) * days"),
    # The fold.
    ("walk.py", 'SHOWS = ("wait.started", "point.skipped", "point.completed", "message.sent", "run.exited")', 'SHOWS = ("wait.started", "point.skipped", "point.completed", "run.exited")'),
    ("facts.py", '.then(pl.col("point").is_not_null() & ~there)', ".then(pl.lit(False))"),
    ("facts.py", "end_version=done.column(\"version\", visits[\"end_i\"]),", "end_version=done.column(\"version\", visits[\"i\"]),"),
    ("facts.py", 'only = branches.filter(pl.struct("end_version", "point", "next_point").is_unique())', 'only = branches.unique(["end_version", "point", "next_point"], keep="first")'),
    ("facts.py", '.when(pl.col("reason").is_in(EXITS))', '.when(pl.col("reason").is_in(EXITS[1:]))'),
    ("facts.py", '"open", pl.col("run") == pl.col("at_run"), pl.col("point") == pl.col("at_point")', 'pl.col("run") == pl.col("at_run"), pl.col("point") == pl.col("at_point")'),
    ("facts.py", 'walks = steps.filter(~of_kind("goal.reached", *OUTCOME_KINDS))["run"]', 'walks = steps.filter(~of_kind("goal.reached"))["run"]'),
    ("facts.py", 'otherwise(pl.coalesce(told, pl.min_horizontal(OUTCOME_KINDS)))', 'otherwise(told)'),
    ("facts.py", 'opened_at=pl.min_horizontal("opened_at", "clicked_at"),', ""),
    ("facts.py", 'engaged=person.select(pl.min_horizontal(ENGAGEMENTS)).to_series(),', 'engaged=pl.min_horizontal(ENGAGEMENTS),'),
    ("facts.py", 'engagements = rows.filter(of_kind(*ENGAGEMENTS) & pl.col("human"))', 'engagements = rows.filter(of_kind(*ENGAGEMENTS))'),
    ("facts.py", '(pl.col("at") <= left + window)', '(pl.col("at") < left + window)'),
    ("facts.py", "only = ending[0] if len(ending) == 1 else None", "only = ending[0] if ending else None"),
    ("facts.py", 'exits = exits.join(undetailed, on="run", how="anti", maintain_order="left")', ""),
    ("facts.py", 'then(pl.coalesce("direct", "indirect"))', 'then(pl.coalesce("indirect", "direct"))'),
    ("facts.py", '~pl.col("truncated"), "first_at"', 'pl.col("truncated"), "first_at"'),
    # The reading order and its rules.
    ("walk.py", '.when(pl.col("point").is_null()).then("last")', '.when(pl.col("point").is_null()).then(0)'),
    ("walk.py", "starts: Sequence[str] = (entry,)", "starts: Sequence[str] = points"),
    ("walk.py", 'stood = stands.get(group["by"], group["stood"])', 'stood = group["stood"]'),
    ("walk.py", "~(entered & (entries > 1))", "True"),
    ("walk.py", 'holds = pl.col("at") <= pl.col("left") + pl.col("length")', 'holds = pl.col("at") < pl.col("left") + pl.col("length")'),
    ("walk.py", "pending.filter(~holds & earlier_holds)", "pending.filter(~holds & ~earlier_holds)"),
    ("walk.py", '.when(late & of_kind(*PATH_KINDS))', '.when(late & of_kind(*PATH_KINDS[:2]))'),
    ("walk.py", 'new = attempts.join(in_time, on=["run", "message"], how="anti", nulls_equal=True)', "new = attempts.clear()"),
    ("walk.py", '.then(pl.lit("before_entry", _RULE))', ".then(None)"),
    # Rows judged by themselves.
    ("events/words.py", '"point.skipped": (SKIPS, "skip_unknown"),', '"point.skipped": (SKIPS, "wait_unknown"),'),
    # Exports.
    ("metrics/counts.py", '"arrived_at", {"entered": pl.lit(True)}, "point")', '"left_at", {"entered": pl.lit(True)}, "point")'),
    ("exports.py", 'agg(goal_at=pl.col("at").min())', 'agg(goal_at=pl.col("at").max())'),
    ("exports.py", 'pl.when(pl.col("skip_at").is_not_null()).then(pl.col("skip_reason").cast(_TEXT)),', 'pl.col("skip_reason").cast(_TEXT),'),
    ("exports.py", '.filter(here, pl.col("status") != "completed")', '.filter(here)'),
    ("exports.py", 'stats.goals(), stats.daily(), stats.daily("goal")', 'stats.goals(), stats.daily("point"), stats.daily("goal")'),
    # Facts in sets.
    ("metrics/parted.py", "                first += here.len()\n", ""),
    ("metrics/parted.py", "self.answers[one] = added(", "self.answers[ask] = added("),
    ("metrics/parted.py", "pl.concat(frame.with_columns(apart(number)) for", "pl.concat(frame for"),
    ("metrics/parted.py", "values[bisect_right(through, rank)]", "values[bisect_right(through, rank - 1)]"),
    # The store.
    ("store/__init__.py", "if any(layer.awaits(journey) for layer in layers):  # as when", "if False:  # as when"),
    ("store/__init__.py", "self._take_in_waiting()  # for journeys added meanwhile, or whose adding was interrupted", "pass"),
    ("store/__init__.py", "self._take_in_waiting()  # for journeys that were added after it", "pass"),
    ("store/__init__.py", "        erased += every.height - faulty.height\n", ""),
    ("store/intake.py", "                here = _with_sharers(part, here)\n", ""),
    ("store/intake.py", "            self._keys.append(met.to_numpy())\n", ""),
    ("store/intake.py", "if (met := _twice(self._own[0])).len():", "if (met := _twice(self._own[0])).len() > 1:"),
    ("store/intake.py", 'pl.col("event_id").is_in(once.losers["event_id"].implode())', "pl.lit(False)"),
    ("store/intake.py", 'for name in ("run_id", "message_id"):', 'for name in ("run_id",):'),
    ("store/intake.py", "for other in group).filter(elsewhere)", "for other in group).filter(~elsewhere)"),
    ("store/intake.py", 'on=list(COLUMNS), how="anti"', 'on="event_id", how="anti"'),
    ("store/intake.py", '(["user_id", "session"], ["run_id"])', '(["user_id", "session"],)'),
    ("store/intake.py", "self._replaced.append(told_anew(dead, folder))\n", "pass\n"),
    ("store/intake.py", "self.layer.quarantined -= told", "self.layer.quarantined += told"),
    ("store/intake.py", "self._steps += [(sign, stays.lazy()) for other in others", "self._steps += [(1, stays.lazy()) for other in others"),
    ("store/intake.py", 'pl.col("n") * sign > 0', 'pl.col("n") > 0'),
    ("store/layers.py", "AND digest NOT GLOB 'batch:*'\"", '"'),
    ("store/layers.py", "AND bytes IS NULL AND name", "AND name"),
    ("store/layers.py", "WHERE name = ? AND {_CONTENT}", "WHERE name = ?"),
    ("store/__init__.py", "if design_of(before) != design_of(after):", "if design_of(before) != design_of(self.get(key)):"),
    ("store/check.py", "if rows != said.loaded:", "if rows < said.loaded:"),
    ("store/check.py", "if (aside := facts.quarantined.height) != said.quarantined:", "if (aside := said.quarantined) != said.quarantined:"),
    ("store/check.py", " or not _same_rows(stand, facts.standing)", ""),
    ("store/check.py", ' + some.goals["run"].null_count()', ""),
    ("store/check.py", 'is_in(["runs", "visits"])', 'is_in(["runs"])'),
    ("store/sound.py", "path.stat().st_size == size and sha256(path) == digest", "path.stat().st_size == size"),
    ("store/layers.py", "SET retired_at = NULL WHERE {_REPLACED_SINCE}", "SET retired_at = NULL WHERE NOT {_SINCE} AND retired_at IS NOT NULL"),
    ("store/parts.py", 'goals = self.table("goals").filter(pl.col("run").is_null())', 'goals = self.table("goals").clear()'),
    ("store/parts.py", 'return cast("datetime | None", (found.min, found.max)[side]())', "return end"),
    ("store/parts.py", "first, stop = bisect_left(hashes, hashed), bisect_right(hashes, hashed)", "first, stop = (place := bisect_left(hashes, hashed)), place + 1"),
    ("store/parts.py", "return [bisect_left(alive, user) for user in sorted(found) if self._alive[user]]", "return [user for user in sorted(found) if self._alive[user]]"),
    ("store/parts.py", "return self._of(self._alive.arg_true().gather(users), named)", "return self._of(users, named)"),
    ("store/parts.py", "return self._of((active & self._alive).arg_true(), False)", "return self._of(active.arg_true(), False)"),
    ("store/__init__.py", "                if now == before:\n                    raise\n", "                raise\n"),
    ("store/__init__.py", "[layer for layer in self._layers.of(journey_id) if layer in layers]", "layers"),
]  # fmt: skip

HUNT = f"""
import sys, test_against_oracle as t, journey_nb
assert journey_nb.__file__.startswith(sys.argv[1]), journey_nb.__file__
from oracle.fixtures import CASES
from dataclasses import replace
def differs(pair, questions):
    return next((n for n, compare in t.COMPARED.items() for asked in questions
                 if t.mismatch(compare, pair, asked) is not None), None)
for case in CASES:
    asked = t.Asked(case.query)
    if name := differs(t.Pair(case.journey, case.rows), [asked]):
        sys.exit(f"caught by {{name}}, worked case {{case.name!r}}")
for seed in range({SEEDS}):
    if name := differs(*t.example(seed)):
        sys.exit(f"caught by {{name}}, seed {{seed}}")
"""


PYTEST = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
PYTEST += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
# What the oracle cannot tell on logs as small as it walks: more than a hundred messages, say.
UNIT = [
    str(ROOT / "tests" / name)
    for name in ("metrics", "test_facts.py", "test_period.py", "test_stats.py", "test_walk.py")
]
# Of a store it knows nothing.
STORE = [
    str(ROOT / "tests" / "store" / f"test_{name}.py")
    for name in ("parts", "check", "taken_back", "store", "loads", "splits")
]


def hunt(fault: tuple[str, str, str] | None) -> str | None:
    """How the fault was caught; None when it was not."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "journey_nb")
        shutil.copytree(ROOT / "journey_nb", copy, ignore=shutil.ignore_patterns("__pycache__"))
        if fault is not None:
            name, old, new = fault
            source = (copy / name).read_text(encoding="utf-8")
            if source.count(old) != 1:
                raise SystemExit(
                    f"{name} holds {source.count(old)} times: {old}\nmend the list in tests/mutate.py"
                )
            changed = source.replace(old, new)
            compile(changed, name, "exec")  # a fault that does not even compile would be caught by anything
            (copy / name).write_text(changed, encoding="utf-8")
        env = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT / 'tests'}", "POLARS_MAX_THREADS": "1"}
        env["JOURNEY_NB_SEEDS"] = str(SEEDS)
        hows = [[*PYTEST, *STORE]]
        if fault is None or not fault[0].startswith("store/"):
            hows = [[sys.executable, "-c", HUNT, folder], [*PYTEST, *UNIT]]
        for how in hows:
            done = subprocess.run(how, env=env, cwd=folder, capture_output=True, text=True, check=False)
            last = (done.stderr.strip() or done.stdout.strip() or "silent").splitlines()[-1]
            if last.startswith("caught by") or (done.returncode == 1 and " failed" in last):
                return last
            if done.returncode != 0:
                raise SystemExit(f"the hunt itself failed on {fault}: {last}")
    return None


def main() -> None:
    """Hunt every fault, two at a time; exit 1 if one lives."""
    chosen = [f for f in FAULTS if not sys.argv[1:] or any(word in f"{f[0]} {f[1]}" for word in sys.argv[1:])]
    if (told := hunt(None)) is not None:
        raise SystemExit(f"the package as it is differs from the oracle: {told}")
    alive = []
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        for fault, told in zip(chosen, pool.map(hunt, chosen), strict=True):
            print(f"{fault[0]}: {fault[1].strip()[:90]}\n    {told or 'LIVES'}", flush=True)
            alive += [fault] if told is None else []
    print(f"{len(chosen) - len(alive)} of {len(chosen)} seeded faults caught, {SEEDS} seeds")
    if alive:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
