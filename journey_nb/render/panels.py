"""Tables and headline numbers as HTML.

The fragments take their colours from where they stand (the ink of the page, thinned), so they read in
any theme; all text from data is escaped by the templates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from journey_nb.journey import BRANCH_KEYS
from journey_nb.metrics.definitions import DESIGN, found
from journey_nb.render.text import clean
from journey_nb.style import column, format, word
from journey_nb.style.meanings import meaning
from journey_nb.style.said import is_mixed, mixed
from journey_nb.style.words import of_one
from journey_nb.style.words import value as worded

LIMIT = 200
"""Rows shown of a table; the others are counted below it."""
_ACROSS = 14  # so many columns fit on a sheet of paper; the rows of a wider table are printed as lists

# Columns whose texts are the data's own keys, to be said in words.
_KEYS = {
    "type",
    "channel",
    "cause",
    "class",
    "grain",
    "metric",
    "mark",
    "check",
    "Status",
    "Type",
    "kind",
}
_BRANCHES = {key for keys in BRANCH_KEYS.values() for key in keys or () if not key.endswith(":")}
_RATES = {"share", "survival", "low", "high", "probability_best", "rate", "mde"}
_RATE_ENDS = "_rate", " CTR"
_DIFFERENCES = {"difference", "difference_low", "difference_high", "lift"}
_IDS = {"point_id": "title", "goal_id": "title", "last_point_id": "last_step"}


class Html:
    """A piece of HTML that shows itself in a notebook.

    Examples
    --------
    >>> Html("<b>3</b>", "three")
    three
    """

    def __init__(self, html: str, text: str) -> None:
        self.html, self.text = html, text

    @classmethod
    def escaped(cls, text: str) -> Html:
        """Plain text as HTML."""
        return cls(str(escape(text)), text)

    def _repr_html_(self) -> str:
        return self.html

    def __html__(self) -> str:
        return self.html

    def __str__(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def table(
    frame: pl.DataFrame,
    title: str = "",
    *,
    columns: Sequence[str] | None = None,
    limit: int = LIMIT,
    of: str = "",
    dress: Mapping[str, Callable[[Mapping[str, Any]], str]] | None = None,
    locale: str = "",
) -> Html:
    """A frame as a table: headings in words, numbers grouped, rates as percentages.

    Parameters
    ----------
    frame
        Any of the tables.
    title
        Said above it.
    columns
        What to show; by default all, but ids whose title stands beside them.
    limit
        How many rows to show; how many more there are is said.
    of
        Which of the tables it is: the headings of numbers then say what these count.
    dress
        What stands in the cells of a column instead of the value, made of the row: text or markup.

    Examples
    --------
    >>> frame = pl.DataFrame({"channel": ["email"], "sent": [12345], "open_rate": [0.254]})
    >>> html = str(table(frame))
    >>> "12,345" in html and "25.4%" in html and "Open rate" in html
    True
    """
    names = list(columns) if columns else [n for n in frame.columns if _IDS.get(n) not in frame.columns]
    numbers = [_is_number(frame.schema[name], name) for name in names]
    head = [
        (
            column(name, locale),
            number,
            _told([of], name, locale) if of and number else "",
        )
        for name, number in zip(names, numbers, strict=True)
    ]

    def shown(name: str, row: Mapping[str, Any]) -> str:
        return dress[name](row) if dress and name in dress else cell(name, row[name], row, locale)

    rows = [
        [(shown(name, row), number) for name, number in zip(names, numbers, strict=True)]
        for row in frame.head(limit).iter_rows(named=True)
    ]
    more = (
        word("more_rows", locale, count=format.number(frame.height - limit, locale))
        if frame.height > limit
        else ""
    )
    html = template("table.html").render(
        title=clean(title),
        head=head,
        rows=rows,
        wide=len(names) > _ACROSS,
        more=more,
        note=mixed(frame.head(limit).select(name for name in names if name in frame.columns), locale),
        nothing=word("no_rows", locale),
        css=Markup(_css()),
    )
    return Html(html, f"{clean(title) or 'table'}: {frame.height} × {len(names)}")


def cards(
    frame: pl.DataFrame,
    *,
    of: str | Sequence[str] = (),
    named: Mapping[str, str] | None = None,
    note: str = "",
    locale: str = "",
) -> Html:
    """The numbers of a one-row table as a row of cards, each with its change where there is one.

    ``of`` says which of the tables it is, or of which it is made: every card then says what its number counts.
    ``named`` calls some columns otherwise, ``note`` is what to know of them.

    Examples
    --------
    >>> repr(cards(pl.DataFrame({"entrances": [1200], "open_rate": [0.1]})))
    'Entrances 1,200 · Open rate 10%'
    """
    row: Mapping[str, Any] = frame.row(0, named=True) if frame.height else dict.fromkeys(frame.columns)
    names = [name for name in frame.columns if not name.endswith(("_prev", "_change", "_low", "_high"))]
    shown = []
    for name in names:
        before = ""
        if f"{name}_prev" in row:
            before = word("previous", locale, value=cell(name, row[f"{name}_prev"], row, locale))
        shown.append(
            {
                "key": name,
                "label": clean((named or {}).get(name) or column(name, locale)),
                "value": cell(name, row[name], row, locale),
                "change": format.change(row.get(f"{name}_change"), locale) if f"{name}_change" in row else "",
                "before": before,
                "told": _told([of] if isinstance(of, str) else of, name, locale),
            }
        )
    html = template("cards.html").render(cards=shown, notes=[note, mixed(frame, locale)], css=Markup(_css()))
    told = " · ".join(f"{card['label']} {card['value']}" for card in shown)
    return Html(html, f"{told} ({note})" if note else told)


# Numbers that no table has under this name.
_ELSEWHERE = {"impressions": "shown", "goals": "goals_reached", "conversion_days": "conversion days"}


def _told(tables: Sequence[str], name: str, locale: str) -> str:
    """What a number counts by the first of the tables that has it, else by its name alone."""
    cells = [*(f"{table}.{name}" for table in tables), _ELSEWHERE.get(name, name)] if tables else []
    return next(filter(None, (explained(cell, locale) for cell in cells)), "")


def explained(name: str, locale: str = "") -> str:
    """What a number counts, over what and by which clock, in sentences; empty where no table has it.

    Examples
    --------
    >>> explained("audience.in_journey_before")
    'Runs inside as the period begins. As it stood at the start of the period (cohort clock: 0).'
    """
    told = found(name)
    if told is None:
        return ""
    parts = [
        column(part, locale) if part.isidentifier() else meaning(part, locale)
        for part in (told.numerator, told.denominator)
        if part
    ]
    counts = meaning(told.counts, locale) + (f" ({' / '.join(parts)})" if parts else "")
    if told.added:
        counts = word("added_of", locale, added=meaning(told.added, locale), counts=counts)
    clock = "" if told.clock == DESIGN else meaning(told.clock, locale)
    return " ".join(f"{said[:1].upper()}{said[1:]}." for said in (counts, clock) if said)


def cell(name: str, value: Any, row: Mapping[str, Any] | None = None, locale: str = "") -> str:
    """One value of a table as people read it; its column says what it is.

    Examples
    --------
    >>> cell("open_rate", 0.5), cell("seconds_p50", 90), cell("reason", "hard_bounce"), cell("sent", None)
    ('50%', '1 min 30 s', 'Hard bounce', '–')
    """
    if value is None:
        return format.NOTHING
    if isinstance(value, bool):
        return word("true" if value else "false", locale)
    if isinstance(value, (int, float)):
        number = _number(name.removesuffix("_prev"), value, row or {}, locale)
        return f"{number} *" if is_mixed(name, value) else number
    if isinstance(value, datetime):
        return format.moment(value, locale)
    if isinstance(value, date):
        return format.day(value, locale)
    if isinstance(value, timedelta):
        return format.duration(value, locale)
    text = clean(value)
    if name == "branch":
        return word(text, locale) if is_branch_word(text, (row or {}).get("target")) else text
    if name in ("status", "reason", "outcome"):
        return of_one(text, locale)
    return worded(text, locale) if name in _KEYS else text


def is_branch_word(key: str, target: str | None = None) -> bool:
    """Whether a branch is named by the format; in a discovered journey it has the name of its target.

    Examples
    --------
    >>> is_branch_word("not_opened"), is_branch_word("push"), is_branch_word("yes", target="yes")
    (True, False, False)
    """
    return key in _BRANCHES and key != target


def _number(name: str, value: float, row: Mapping[str, Any], locale: str) -> str:
    if name.endswith("_change"):
        return format.change(value, locale)
    if name in _DIFFERENCES:
        return format.change(value, locale)
    if name == "p_value":
        return format.number(value, locale, 3)
    if name in _RATES or name.removesuffix("_low").removesuffix("_high").endswith(_RATE_ENDS):
        return format.percent(value, locale)
    if name.startswith("seconds"):
        return format.duration(value, locale)
    if name == "value" and "currency" in row:
        return format.money(value, row["currency"], locale)
    is_count = name != "gap" and (
        isinstance(value, int) or name == "users"
    )  # below 0 only where it is hidden
    return (format.count if is_count else format.number)(value, locale)


def _is_number(dtype: pl.DataType, name: str) -> bool:
    return dtype.is_numeric() and not name.endswith("_id")


@cache
def _environment() -> Environment:
    folder = Path(__file__).with_name("templates")
    return Environment(
        loader=FileSystemLoader(folder, encoding="utf-8"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def template(name: str) -> Template:
    """A template of this package, autoescaped."""
    return _environment().get_template(name)


@cache
def _css() -> str:
    return " ".join(Path(__file__).with_name("templates").joinpath("panels.css").read_text("utf-8").split())
