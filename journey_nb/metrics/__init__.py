"""The metrics: one module a dashboard, one function a table, all of them reading a Scope.

Every definition stands in METRICS.md; a table is a filter and a group-by over the facts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from journey_nb.metrics.audience import audience, users
from journey_nb.metrics.communications import communications, delivery_issues, messages
from journey_nb.metrics.goals import credit, goals
from journey_nb.metrics.health import daily, health
from journey_nb.metrics.points import branches, drops, points, reconciliation, waiting
from journey_nb.metrics.scope import Scope
from journey_nb.metrics.table import HIDDEN

# The functions are reached by name here: as attributes they would hide the modules they are in.
TABLES: dict[str, Callable[..., pl.DataFrame]] = {
    table.__name__: table
    for table in (
        *(health, daily, audience, users, goals, credit, communications, messages, delivery_issues),
        *(points, branches, waiting, drops, reconciliation),
    )
}
"""Every table by its name: a function of a Scope and the table's own options."""
del health, daily, audience, users, goals, credit, communications, messages, delivery_issues
del points, branches, waiting, drops, reconciliation

KEYS: dict[str, list[str]] = {
    "health": [],
    "daily": ["date", "metric", "breakdown"],
    "audience": [],
    "users": ["run_id"],
    "goals": ["goal_id", "currency"],
    "credit": ["point_id"],
    "communications": ["channel"],
    "messages": ["point_id"],
    "delivery_issues": ["channel", "outcome", "reason"],
    "points": ["point_id"],
    "branches": ["source", "branch"],
    "waiting": ["point_id", "cause"],
    "drops": ["point_id", "grain", "class", "reason"],
    "reconciliation": ["point_id", "check"],
}
"""The columns by which the rows of a table are told apart; null is a value like others."""

RATES: dict[str, dict[str, tuple[str, str]]] = {
    "health": {"open_rate": ("messages_opened", "_sent_reporting_opens")},
    "goals": {
        "conversion_rate": ("users", "entrances"),
        "user_rate": ("users", "_unique_entrants"),
        "run_rate": ("runs", "entrances"),
    },
    "communications": {"engagement_rate": ("_engaged", "_engaged_of")},
    "messages": {
        "open_rate": ("opened", "sent"),
        "click_rate": ("clicked", "sent"),
        "goal_after_interaction_rate": ("goal_after_interaction", "sent_users"),
    },
    "delivery_issues": {"rate": ("count", "_attempts")},
    "branches": {"share": ("runs", "_taken")},
}
"""Every rate: its numerator and denominator. Columns beginning with ``_`` come with ``bases=True``."""

SPARSE = ("delivery_issues", "branches")
"""Tables whose rows are what was met, with rates over what other rows share: ``also`` asks for the rows of another period."""


def with_bases(table: str, scope: Scope, **options: Any) -> pl.DataFrame:
    """A table, with the hidden columns that its rates and percentiles rest on."""
    rests = any(name.startswith(HIDDEN) for pair in RATES.get(table, {}).values() for name in pair)
    return TABLES[table](scope, **options, **({"bases": True} if rests or table == "points" else {}))
