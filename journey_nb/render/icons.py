"""Icons as strokes on a grid of 24: one for each point type and channel, and a few marks."""

from __future__ import annotations

import re
from functools import cache

from journey_nb.journey import Point

GRID, SIZE, CORNER = 24, 20, 18  # of the strokes below, and of an icon on its card
_PEN = 'fill="none" stroke="currentColor"'

_BUBBLE = "M12 4c5 0 9 3 9 7s-4 7-9 7l-4 3v-3.5C5 16.5 3 14 3 11c0-4 4-7 9-7Z"

STROKES: dict[str, str] = {
    "entry_audience": "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20a6.5 6.5 0 0 1 13 0M16 4.3a3.5 3.5 0 0 1 0 6.4"
    "M18 13.8a6.5 6.5 0 0 1 3.5 6.2",
    "entry_trigger": "M13 2.5 5 13.5h6l-1 8 8.5-11.5h-6.5Z",
    "entry_api": "M8 6 2 12l6 6M16 6l6 6-6 6M13.5 4l-3 16",
    "push": "M6 9a6 6 0 0 1 12 0c0 6 2.5 7.5 2.5 7.5h-17S6 15 6 9ZM10 20a2.2 2.2 0 0 0 4 0",
    "web_push": "M3 5h18v14H3ZM3 9.5h18M6 7.2h.01M9 7.2h.01",
    "email": "M3 5h18v14H3ZM3.5 6.5 12 13l8.5-6.5",
    "sms": "M4 4h16v12h-9l-5 4v-4H4ZM8 10h.01M12 10h.01M16 10h.01",
    "in_app": "M7 2.5h10v19H7ZM11 18h2",
    "whatsapp": "M3.5 20.5 5 16a8.5 8.5 0 1 1 3.3 3.2ZM9 8.5c0 4 2.5 6.5 6.5 6.5",
    "line": _BUBBLE + "M8.5 11h7",
    "kakao": _BUBBLE + "M10 8v6M14.5 8 11 11l3.5 3",
    "webhook": "M9 17H7A5 5 0 0 1 7 7h2M15 7h2a5 5 0 0 1 0 10h-2M8 12h8",
    "other": "M5 12h.01M12 12h.01M19 12h.01",
    "update_profile": "M11 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM3 21a8 8 0 0 1 8.5-7.9M14 21l.6-3 5-5 2.4 2.4-5 5Z",
    "rate_limit": "M4.2 18a9 9 0 1 1 15.6 0M12 14l4-5",
    "delay": "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 7v5l3 2",
    "wait_for_trigger": "M6 3h12M6 21h12M7 3c0 5 5 6 5 9s-5 4-5 9M17 3c0 5-5 6-5 9s5 4 5 9",
    "split_condition": "M12 2.5l9.5 9.5-9.5 9.5L2.5 12ZM9.7 10a2.4 2.4 0 1 1 3.3 2.3c-.7.3-1 .8-1 1.5M12 16.5h.01",
    "split_segment": "M11 4a8.5 8.5 0 1 0 9 9h-9ZM15 3.5A8.5 8.5 0 0 1 20.5 9H15Z",
    "split_abn": "M12 3v17M12 8c0 5-7 4-7 12M12 8c0 5 7 4 7 12",
    "reachability_check": "M12 21v-7M12 11h.01M8.5 15a5 5 0 0 1 0-8M15.5 7a5 5 0 0 1 0 8M5.5 18a9.5 9.5 0 0 1 0-14"
    "M18.5 4a9.5 9.5 0 0 1 0 14",
    "exit": "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
    "activity": "M3 12h4l3-8 4 16 3-8h4",
    "warn": "M12 4 2.5 20h19ZM12 10v4M12 17h.01",
    "winner": "M8 4h8v5a4 4 0 0 1-8 0ZM8 5H4v2a4 4 0 0 0 4 4M16 5h4v2a4 4 0 0 1-4 4M12 13v7M8 20h8",
    "info": "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 11v5M12 8h.01",
}

_FAMILIES = {
    "entry": ("entry_audience", "entry_trigger", "entry_api"),
    "message": ("message", "webhook"),
    "wait": ("delay", "wait_for_trigger", "rate_limit"),
    "split": ("split_condition", "split_segment", "split_abn", "reachability_check"),
}


def icon(point: Point) -> str:
    """The name of a point's icon: its channel's for a message, else its type's."""
    name = (point.channel or "other") if point.type == "message" else point.type
    return name if name in STROKES else "other"


def family(point: Point) -> str:
    """What colours a point's icon: entry, message, wait, split or other."""
    return next((name for name, types in _FAMILIES.items() if point.type in types), "other")


def shapes(names: set[str]) -> str:
    """The definitions of the icons used, for :func:`drawn`; each where cards have it."""
    return "".join(f'<path id="jnb-{name}" {_PEN} d="{_on_card(STROKES[name])}"/>' for name in sorted(names))


def drawn(name: str, x: float = CORNER, y: float = CORNER, size: float = SIZE) -> str:
    """An icon of that size, its corner at a place.

    On a card it has no transform: a browser counts each anew in every frame in which the canvas moves.
    """
    scale = size / SIZE
    moved = [f"{round(at - CORNER * scale, 1):g}" for at in (x, y)]
    where = f' transform="translate({" ".join(moved)}) scale({scale:g})"' if scale != 1 else ""
    return f'<use href="#jnb-{name}"{where}/>'


_NUMBERS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "A": 7, "Z": 0}  # of each command of a path


@cache
def _on_card(path: str) -> str:
    """A path on the grid of 24, where and as large as it is on a card."""
    scale, told = SIZE / GRID, []
    for command, text in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        numbers = [float(number) for number in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", text)]
        many = _NUMBERS[command.upper()]
        for at, number in enumerate(numbers):
            is_turn = command in "Aa" and at % many in (2, 3, 4)  # an angle and two flags are no lengths
            is_size = command.islower() or (command == "A" and at % many in (0, 1))
            numbers[at] = number if is_turn else number * scale + (0 if is_size else CORNER)
        told.append(command + " ".join(f"{round(number, 2):g}" for number in numbers))
    return "".join(told)
