"""The heat map: how much one measure stands out at each point, as a level and in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from journey_nb.metrics.small import added, ratio
from journey_nb.style import format, word

LEVELS = 4
"""Steps of the tint; what a card says beside it is exact."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Heat:
    """How a card is tinted, from 0 (not) to 4, and the number behind it in words."""

    level: int
    text: str


def _share(row: Row, entrances: int) -> float | None:
    """Visits here by entrances into the journey: a loop may have more than there were entrances."""
    return ratio(row.get("entered"), entrances)


def _drop_rate(row: Row, _: int) -> float | None:
    """Of a message's attempts those that failed, bounced or were skipped; of another point's visits the errors."""
    if row.get("drop_offs") is not None and row.get("sent") is not None:
        return ratio(row["drop_offs"], added([row["sent"], row["tried_in_vain"]]))
    return ratio(row.get("dropped"), added([row.get("waiting_before"), row.get("entered")]))


def _time(row: Row, _: int) -> float | None:
    return row.get("seconds_p50")


def _conversion(row: Row, _: int) -> float | None:
    """The users whose goal is credited here by the visits."""
    return ratio(row.get("goal_users"), row.get("entered"))


MEASURES: dict[str, Callable[[Row, int], float | None]] = {
    "share": _share,
    "drop_rate": _drop_rate,
    "time": _time,
    "conversion": _conversion,
}
"""What a heat map can show; ``word(f"heat.{name}")`` says it."""


def heat(rows: Mapping[str, Row], measure: str, entrances: int, locale: str = "") -> dict[str, Heat]:
    """The heat of each point, by its id; a point without the measure has none.

    Parameters
    ----------
    rows
        The rows of points() by their ids; those of messages with their drop-offs.
    measure
        One of :data:`MEASURES`.
    entrances
        What shares are taken of.

    Examples
    --------
    >>> heat({"a": {"entered": 50}, "b": {"entered": 5}}, "share", 100)
    {'a': Heat(level=4, text='Of all entrances: 50%'), 'b': Heat(level=1, text='Of all entrances: 5%')}
    """
    values = {point: MEASURES[measure](row, entrances) for point, row in rows.items()}
    most = max((value for value in values.values() if value), default=0.0)
    say = format.duration if measure == "time" else format.percent
    return {
        point: Heat(
            min(LEVELS, int(value / most * LEVELS) + 1) if value else 0,
            f"{word(f'heat.{measure}', locale)}: {say(value, locale)}",
        )
        for point, value in values.items()
        if value is not None
    }
