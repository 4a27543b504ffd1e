"""One point as a card: icon, title, numbers, and notes that stand out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from journey_nb.journey import Point
from journey_nb.metrics.small import ratio
from journey_nb.render.heat import Heat
from journey_nb.render.icons import drawn, family, icon
from journey_nb.render.text import clean, fit, key, squeeze, width, wrap, xml
from journey_nb.style import format, word

WIDTH = 240.0
PAD = 12
CELL = 108  # two cells side by side
ROW = 36
LINE = 16
NOTE = 32
NOTE_ROOM = WIDTH - 48  # of its text
TITLE, CAPTION, VALUE = 13.0, 11.0, 13.0

# What a card shows by type; a pair is a count with its denominator. The places of these never move,
# whatever the numbers are; what more there is (see _MORE) comes on a line of its own, if there is any.
_Cells = tuple[str | tuple[str, str], ...]
_MESSAGE: _Cells = ("entered", "sent", ("opened", "sent"), ("clicked", "sent"), "drop_offs", "goal_users")
_BY_CHANNEL: dict[str, _Cells] = {
    "sms": ("entered", "sent", ("delivered", "sent"), ("clicked", "sent"), "drop_offs", "goal_users"),
    "whatsapp": (
        "entered",
        "sent",
        ("delivered", "sent"),
        ("opened", "delivered"),
        "drop_offs",
        "goal_users",
    ),
    "in_app": (
        "entered",
        "shown",
        ("interacted", "shown"),
        ("dismissed", "shown"),
        "drop_offs",
        "goal_users",
    ),
    "webhook": ("entered", "sent", "drop_offs", "goal_users"),
}
_BY_TYPE: dict[str, _Cells] = {
    "entry_audience": ("entered", "completed"),
    "entry_trigger": ("entered", "completed"),
    "entry_api": ("entered", "completed"),
    "delay": ("entered", "waiting"),
    "wait_for_trigger": ("entered", "waiting"),
    "exit": ("entered",),
    "activity": ("entered", "seconds_p50"),
}
_PLAIN: _Cells = ("entered", "completed")
_MORE = ("waiting", "exited", "dropped", "goal_here")
_MORE_WORDS = {name: f"card.{name}" for name in _MORE}
# Between texts that only stand apart: without it a screen reader says 38 and 10 % as 3810 %. It has no width.
SPACE = '<tspan class="s"> </tspan>'
_DONE = ("sent", "delivered", "impression", "opened", "clicked", "interacted", "replied", "dismissed", "unsubscribed",
         "complained")  # fmt: skip
IN_VAIN = ("message.failed", "message.skipped", "point.skipped")
_SHORT = {"goal_users": "goals", "seconds_p50": "card.seconds_p50"}


@dataclass(frozen=True)
class Note:
    """A line at a card's foot that stands out; its kind is its icon: warn, winner or info."""

    kind: str
    text: str
    number_key: str = ""


@dataclass(frozen=True)
class Card:
    """What one card says, and how high it is."""

    point: Point
    title: tuple[str, ...]
    caption: str
    cells: tuple[tuple[str, str, str, str], ...]
    """Key, label, number and, for a rate, its denominator's percentage."""
    more: tuple[tuple[tuple[str, str, str], ...], ...]
    """Lines of key, label and number, for what only some points have."""
    notes: tuple[Note, ...]
    tip: str
    level: int = 0
    """How far the card is tinted, 0 to 4."""

    @property
    def head(self) -> float:
        """The height of the part above the numbers."""
        return 56.0 + 16.0 * (len(self.title) - 1)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        rows = (len(self.cells) + 1) // 2
        body = 12.0 + ROW * rows if rows else 0.0
        return WIDTH, self.head + body + LINE * len(self.more) + 4 * bool(self.more) + NOTE * len(self.notes)


def card(
    point: Point,
    numbers: Mapping[str, Any] | None,
    notes: Sequence[Note],
    locale: str,
    heat: Heat | None = None,
) -> Card:
    """The card of a point; ``numbers`` is its row of points(), or None for the bare design."""
    title = clean(point.label)
    room = WIDTH - 56 - PAD
    caption = word(point.type, locale)
    if point.type == "message" and point.channel:
        caption = word(point.channel, locale)
    if heat:
        notes = [Note("info", heat.text, f"points.{point.point_id}.heat"), *notes]
    if numbers and numbers.get("entered_prev") is not None:
        notes = [_compared(point, numbers, locale), *notes]
    gap = balance(numbers) if numbers else 0
    if numbers and gap:
        text = word("off_by", locale, gap=format.signed(gap, locale))
        notes = [Note("warn", text, f"points.{point.point_id}.gap"), *notes]
    return Card(
        point,
        tuple(wrap(title, room, TITLE, lines=2, bold=True)),
        fit(caption, room, CAPTION),
        tuple(_cells(point, numbers, locale)) if numbers else (),
        tuple(_more(point, numbers, locale)) if numbers else (),
        tuple(notes),
        f"{title} · {caption}" + (f"\n{account(numbers, locale)}" if numbers else ""),
        heat.level if heat else 0,
    )


def step_notes(
    path: pl.DataFrame, events: pl.DataFrame, goals: Mapping[str, str], locale: str = ""
) -> dict[str, list[Note]]:
    """When a run came to each point and what was done there, by point id.

    Parameters
    ----------
    path, events
        The run's rows of user_path() and user_events().
    goals
        What goals are called, by id.
    """
    notes: dict[str, list[Note]] = {}
    for (point,), stays in path.group_by("point_id", maintain_order=True):
        if point is not None:
            came = arrival(stays["arrived_at"][0], locale) + (
                f" · +{stays.height - 1}" if stays.height > 1 else ""
            )
            notes[point] = [Note("info", came)]
    for (point,), rows in events.group_by("point_id", maintain_order=True):
        if point in notes:
            notes[point] += _done(rows, goals, locale)
    return notes


def arrival(moment: datetime | None, locale: str) -> str:
    """When a run came; a run that the log does not see begin stood there before."""
    return word("before_log", locale) if moment is None else format.moment(moment, locale)


def _done(rows: pl.DataFrame, goals: Mapping[str, str], locale: str) -> Iterator[Note]:
    kinds = rows["kind"].unique(maintain_order=True).to_list()
    if "message.opened" in kinds:  # it was delivered then
        kinds = [kind for kind in kinds if kind != "message.delivered"]
    if done := [word(f"done.{name}", locale) for kind in kinds if (name := kind.partition(".")[2]) in _DONE]:
        yield Note("info", " · ".join(done))
    for kind, reason, goal in (
        rows.select("kind", "reason", "goal_id").unique(maintain_order=True).iter_rows()
    ):
        if kind == "goal.reached":
            yield Note("winner", f"{word(kind, locale)} · {clean(goals.get(goal, goal))}")
        elif kind in IN_VAIN:
            said = word(f"done.{kind.partition('.')[2]}", locale)
            yield Note("warn", f"{said} · {word(reason, locale)}" if reason else said)


def _compared(point: Point, numbers: Mapping[str, Any], locale: str) -> Note:
    """How many came beside the period before."""
    change = format.change(numbers.get("entered_change"), locale)
    before = word("previous", locale, value=format.count(numbers["entered_prev"], locale, short=True))
    short = f"{change} · {before}"  # a number of which the end is cut off is another number
    text = f"{word('entered', locale)} {short}"
    text = text if width(text, 11.5, bold=True) <= NOTE_ROOM else short
    return Note("info", text, f"points.{point.point_id}.entered_change")


def balance(numbers: Mapping[str, Any]) -> int:
    """What came in less what came out or waits: 0 where a point's account adds up (METRICS.md 9)."""
    count = {
        name: numbers.get(name) or 0
        for name in ("waiting_before", "entered", "completed", "waiting", "exited", "dropped")
    }
    if numbers.get("waiting_before") is None:  # rounded, no account adds up
        return 0
    came = count["waiting_before"] + count["entered"]
    return int(came - count["completed"] - count["waiting"] - count["exited"] - count["dropped"])


def account(numbers: Mapping[str, Any], locale: str) -> str:
    """A point's account in words."""
    names = ("waiting_before", "entered", "completed", "waiting", "exited", "dropped")
    return word("account", locale, **{name: format.count(numbers.get(name), locale) for name in names})


def _wanted(point: Point, numbers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The cells of a point, each with its denominator or nothing."""
    if point.type == "message":
        wanted = _BY_CHANNEL.get(point.channel or "other", _MESSAGE)
    else:
        wanted = _BY_TYPE.get(point.type, _PLAIN)
    pairs = [item if isinstance(item, tuple) else (item, "") for item in wanted]
    known = "drop_offs" in numbers  # without messages() only the failed are known
    return [("failed", "") if name == "drop_offs" and not known else (name, of) for name, of in pairs]


def _cells(point: Point, numbers: Mapping[str, Any], locale: str) -> Iterator[tuple[str, str, str, str]]:
    for name, of in _wanted(point, numbers):
        number, whole = numbers.get(name), numbers.get(of) if of else None
        shown = (
            format.duration(number, locale)
            if name.startswith("seconds")
            else format.count(number, locale, short=True)
        )
        part = ratio(number, whole)
        rate = "" if part is None else format.percent(part, locale)
        yield name, word(_SHORT.get(name, name), locale), shown, rate


def _more(point: Point, numbers: Mapping[str, Any], locale: str) -> list[tuple[tuple[str, str, str], ...]]:
    """Whatever else is not nought, as many to a line as have room."""
    shown = {name for name, _ in _wanted(point, numbers)}
    lines: list[tuple[tuple[str, str, str], ...]] = []
    used = WIDTH
    for name in _MORE:
        if name in shown or not numbers.get(name) or (name == "goal_here" and point.type == "message"):
            continue
        item = (name, word(_MORE_WORDS[name], locale), format.count(numbers[name], locale, short=True))
        room = width(item[1], CAPTION) + width(item[2], CAPTION, bold=True) + 16
        if used + room > WIDTH - 2 * PAD:
            lines.append(())
            used = 0.0
        lines[-1] += (item,)
        used += room
    return lines


def draw(card: Card, x: float, y: float, classes: str = "", step: str = "") -> str:
    """The card as SVG."""
    point, (wide, height) = card.point, card.size
    point_key = key(point.point_id)
    parts = [
        f'<g class="card{classes}" data-point="{point_key}" transform="translate({x:g} {y:g})">',
        f"<title>{_tip(card.tip)}</title>",
        f'<rect class="c" width="{wide:g}" height="{height:g}" rx="12"/>',
        f'<rect class="tint t{card.level}" width="{wide:g}" height="{height:g}" rx="12"/>'
        if card.level
        else "",
        f'<g class="f-{family(point)}"><rect x="12" y="12" width="32" height="32" rx="8"/>'
        f"{drawn(icon(point))}</g>",
    ]
    for line, text in enumerate(card.title):
        parts.append(
            f'<text class="t" x="56" y="{26 + 16 * line}"{squeeze(text, TITLE, bold=True)}>{xml(text)}</text>'
        )
    parts.append(f'<text class="l" x="56" y="{card.head - 14:g}">{xml(card.caption)}</text>')
    if card.cells:
        parts.append(f'<path class="h" d="M0 {card.head:g}h{wide:g}"/><g class="d">')  # what may be hidden
    for place, (name, label, number, rate) in enumerate(card.cells):
        left, top = PAD + CELL * (place % 2), card.head + ROW * (place // 2)
        parts.append(
            f'<text class="l" x="{left}" y="{top + 18:g}">{xml(fit(label, CELL - 8, CAPTION))}</text>'
        )
        parts.append(_number(f"points.{point_key}.{name}", number, rate, left, top + 34))
    foot = card.head + ROW * ((len(card.cells) + 1) // 2) + 17
    for place, more in enumerate(card.more):
        items = SPACE.join(
            f'<tspan dx="{10 if at else 0}">{xml(label)}</tspan>{SPACE}'
            f'<tspan class="n" dx="4" data-key="points.{point_key}.{name}">{xml(number)}</tspan>'
            for at, (name, label, number) in enumerate(more)
        )
        parts.append(f'<text class="m" x="{PAD}" y="{foot + LINE * place:g}">{items}</text>')
    parts.append("</g>" if card.cells else "")
    for place, note in enumerate(reversed(card.notes)):
        parts.append(_note(note, height - NOTE * (place + 1)))
    if step:
        half = 12 + 3.5 * (len(step) - 1)
        parts.append(
            f'<g class="step"><rect class="r" x="{-half:g}" y="-12" width="{2 * half:g}" height="24" rx="12"/>'
            f'<text x="0" y="4.5">{xml(step)}</text></g>'
        )
    return "".join([*parts, "</g>"])


def _number(name: str, number: str, rate: str, x: float, y: float) -> str:
    place = f'class="n" x="{x:g}" y="{y:g}"'
    if not rate:
        return f'<text {place} data-key="{name}">{xml(number)}</text>'
    return (
        f'<text {place}><tspan data-key="{name}">{xml(number)}</tspan>{SPACE}'
        f'<tspan class="l" dx="6" data-key="{name}_rate">{xml(rate)}</tspan></text>'
    )


def _note(note: Note, y: float) -> str:
    number = f' data-key="{key(note.number_key)}"' if note.number_key else ""
    text = fit(note.text, NOTE_ROOM, 11.5, bold=True)
    return (
        f'<g class="note {note.kind}"><rect class="r" x="8" y="{y:g}" width="{WIDTH - 16:g}" height="24" rx="6"/>'
        f"{drawn(note.kind, 14, y + 4, 16)}"
        f'<text x="36" y="{y + 16:g}"{number}{squeeze(text, 11.5, bold=True)}>{xml(text)}</text></g>'
    )


def _tip(text: str) -> str:
    return "\n".join(xml(line) for line in text.split("\n"))
