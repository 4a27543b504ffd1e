"""Whether two engines give the same answers, cell by cell."""

from __future__ import annotations

import math
from typing import Any

Rows = list[dict[str, Any]]

# What tells the rows of a table apart; all its other columns are compared. Titles, types, labels, targets and
# the words for a last step are of the design, which no engine computes.
KEYS: dict[str, tuple[str, ...]] = {
    "health": (),
    "daily": ("date", "metric", "breakdown"),
    "audience": (),
    "goals": ("goal_id", "currency"),
    "credit": ("point_id",),
    "communications": ("channel",),
    "messages": ("point_id",),
    "delivery_issues": ("channel", "outcome", "reason"),
    "points": ("point_id",),
    "branches": ("source", "branch"),
    "waiting": ("point_id", "cause"),
    "drops": ("point_id", "grain", "class", "reason"),
    "user_path": ("run_id", "step_no"),
    "users": ("run_id",),
    "arrivals": ("point_id",),
    "transitions": ("source", "target"),
    "variants": ("path",),
}
DESIGN = {"title", "type", "label", "target", "last_step"}
# The channel of a point is a word of the design too; elsewhere it is a key.
POINT_TABLES = {"points", "messages"}
TOLERANCE = 1e-9


def compared(table: str, ours: Rows, theirs: Rows, *, partial: bool = False) -> tuple[int, list[str]]:
    """How many cells were compared, and the differences; a partial engine may lack columns."""
    mine, other = _by_key(table, ours), _by_key(table, theirs)
    told, cells = [], 0
    for key in sorted(mine.keys() | other.keys(), key=str):
        if key not in mine or key not in other:
            told.append(f"{table}{list(key)}: only {'ours' if key in mine else 'theirs'}")
            continue
        for column, value in mine[key].items():
            if partial and column not in other[key]:
                continue
            cells += 1
            if column not in other[key]:
                told.append(f"{table}{list(key)}.{column}: theirs has no such column")
            elif not _equal(value, other[key][column]):
                told.append(f"{table}{list(key)}.{column}: ours {value!r}, theirs {other[key][column]!r}")
    return cells, told


def _by_key(table: str, rows: Rows) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The numbers of each row. Rows of nothing but zeros say only what was designed, and are left out."""
    words = DESIGN | ({"channel"} if table in POINT_TABLES else set()) | set(KEYS[table])
    found = {}
    for row in rows:
        key = tuple(row[name] for name in KEYS[table])
        numbers = {name: value for name, value in row.items() if name not in words}
        # An engine may leave null what is not there to be counted (the messages of a point that sends none).
        if any(numbers.values()):
            found[key] = {name: value or 0 for name, value in numbers.items()}
    return found


def _equal(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float) or isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(ours == theirs)
