"""The journeys of a store as a list, and what may be done with each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, get_args

import polars as pl
from markupsafe import Markup

from journey_nb.journey import EntryType, Journey, Status
from journey_nb.render.panels import Html, table, template
from journey_nb.render.text import clean
from journey_nb.render.tools import control, pager
from journey_nb.store.registry import verbs
from journey_nb.style import format, word
from journey_nb.style.words import value as worded

PAGE = 50
"""Journeys of a page."""
NUMBERS = {"entrances": "audience", "in_journey_users": "audience", "goals_reached": "health"}
"""What is counted of each journey, and the table that has it."""
Order = Literal["newest", "oldest", "title"]
ORDERS: tuple[Order, ...] = get_args(Order)
"""In which a list may stand; by title whatever the case and the accents."""

_COLUMNS = ("title", "status", "category", "type", "tags", "created_at", *NUMBERS)
_Row = Mapping[str, Any]


def journeys_html(
    found: pl.DataFrame,
    numbers: pl.DataFrame,
    *,
    page: int = 0,
    selected: Collection[str] = (),
    opened: str | None = None,
    faults: Sequence[str] = (),
    live: bool = False,
    locale: str = "",
) -> Html:
    """A page of journeys: what each is, and its numbers since launch.

    Parameters
    ----------
    found
        What ``store.find()`` gives.
    numbers
        The numbers of those on the page: journey_id and the columns of :data:`NUMBERS`.
    page
        Which page.
    selected, opened
        The ids of the journeys that are ticked, and of the one that is open.
    faults
        Why some numbers are missing.
    live
        With the buttons of the live view.

    Examples
    --------
    >>> journey = {"journey_id": "w", "title": "Welcome", "status": "running", "category": None,
    ...            "type": "api", "tags": [["new"]], "created_at": None}
    >>> numbers = pl.DataFrame({"journey_id": ["w"], "entrances": [7], "in_journey_users": [2], "goals_reached": [3]})
    >>> repr(journeys_html(pl.DataFrame(journey), numbers))
    'Journeys: 1. Welcome: Active; Entrances 7, Users in journey 2, Goals reached 3.'
    """
    rows = found.slice(page * PAGE, PAGE).join(numbers, on="journey_id", how="left", maintain_order="left")
    columns, dress = list(_COLUMNS), _dress(locale)
    if live:
        columns.insert(1, "action")
        title = dress["title"]
        dress["title"] = lambda row: _tick(row, selected, locale) + control(
            "link", action="journey", value=row["journey_id"], text=title(row), pressed=row["journey_id"] == opened
        )  # fmt: skip
        dress["action"] = lambda row: menu_html(row["journey_id"], title(row), row["status"], locale=locale)
        rows = rows.with_columns(action=pl.lit(None, pl.String))
    html = template("journeys.html").render(
        heading=word("n_journeys", locale, count=format.number(found.height, locale)),
        selected=selected_told(found["journey_id"], selected, locale) if selected else "",
        live=live,
        tools=_tools(page, found.height, locale) if live else "",
        table=table(rows, columns=columns, of="audience", dress=dress, locale=locale),
        faults=[clean(fault, 400) for fault in faults],
    )
    return Html(html, _alt(found.height, rows, locale))


def in_order(found: pl.DataFrame, order: Order) -> pl.DataFrame:
    """What ``store.find()`` gives, which is oldest first, in another order; of one instant they stay by title.

    Examples
    --------
    >>> titles = ["", "Sale", "alerts", "Été"]
    >>> found = pl.DataFrame({"journey_id": list("abcd"), "title": titles, "created_at": [1, 1, 2, 2]})
    >>> [in_order(found, order)["journey_id"].str.join().item() for order in ORDERS]
    ['cdab', 'abcd', 'acdb']
    """
    if order == "title":
        called = pl.when(pl.col("title") != "").then("title").otherwise("journey_id")
        plain = called.str.to_lowercase().str.normalize("NFKD").str.replace_all(r"\p{M}", "")
        return found.sort(plain, maintain_order=True)
    return found.sort("created_at", descending=True, maintain_order=True) if order == "newest" else found


def selected_told(found: pl.Series, selected: Collection[str], locale: str) -> str:
    """How many are ticked, and how many of them the filters leave, which alone are exported."""
    counts = {"count": len(selected), "listed": len(set(selected) & set(found))}
    name = "n_selected" if counts["listed"] == counts["count"] else "n_selected_listed"
    return word(name, locale, **{key: format.number(count, locale) for key, count in counts.items()})


def menu_html(journey_id: str, title: str, status: str, *, locale: str = "") -> Markup:
    """What may be done with a journey of that status.

    Examples
    --------
    >>> "Stop for good" in menu_html("w", "Welcome", "paused"), "Stop for good" in menu_html("w", "Welcome", "draft")
    (True, False)
    """
    buttons = [
        control("manage", what=verb, journey=journey_id, text=word(f"verb.{verb}", locale))
        for verb in verbs(status)
        if verb != "edit"  # which is done to the document, by code
    ]
    told = word("row_menu", locale, title=clean(title))
    return control("row_menu", told=told, buttons=Markup("").join(buttons))


def change_html(
    verb: str,
    journey: Journey,
    *,
    copy: str = "",
    text: str | None = None,
    failed: str = "",
    locale: str = "",
) -> str:
    """The window that asks before something is done with a journey.

    Parameters
    ----------
    verb
        What is to be done, one of ``store.registry.VERBS``.
    copy
        What its clone would be called.
    text
        What has been typed.
    failed
        Why it was not done.
    """
    labels = {"rename": "new_title", "clone": "new_title", "stop": "confirm_title"}
    begins = {"rename": clean(journey.label), "clone": clean(copy)}
    said, title = word(f"verb.{verb}", locale), clean(journey.label)
    return template("change.html").render(
        title=word("verb_of", locale, verb=said, title=title),
        told=word(f"{verb}_told", locale, title=title) if verb in ("stop", "archive") else "",
        words={name: word(name, locale) for name in ("close", "store_only")},
        what=verb,
        journey=journey.journey_id,
        label=word(labels[verb], locale) if verb in labels else "",
        text=begins.get(verb, "") if text is None else clean(text),
        verb=said,
        failed=failed,
    )


def filters_html(every: pl.DataFrame, chosen: Mapping[str, str | None], locale: str = "") -> Markup:
    """The menus that narrow and order the list, with the values that its journeys have, and the search of titles."""
    menu: Any = template("menu.html").module
    named = {
        "status": [(value, worded(value, locale)) for value in get_args(Status)],
        "category": _named(every["category"]),
        "type": [(value, worded(value, locale)) for value in get_args(EntryType)],
        "tag": _named(every["tags"].explode()),
    }
    menus = [
        menu.menu(name, word(name, locale), [("", word("any", locale)), *options], chosen[name] or "")
        for name, options in named.items()
    ]
    orders = [(order, word(f"order.{order}", locale)) for order in ORDERS]
    menus.append(menu.menu("order", word("order", locale), orders, chosen["order"]))
    title = clean(chosen["title"] or "")
    search = control("search", label=word("search_titles", locale), text=title, button=word("search", locale))
    return Markup(template("row.html").render(inner=Markup("").join([*map(Markup, menus), search])))


def _named(values: pl.Series) -> list[tuple[str, str]]:
    return [(value, clean(value)) for value in values.drop_nulls().unique().sort()]


def _dress(locale: str) -> dict[str, Callable[[_Row], str]]:
    return {
        "title": lambda row: clean(row["title"] or row["journey_id"]),
        "tags": lambda row: clean(", ".join(row["tags"] or ())) or format.NOTHING,
        "created_at": lambda row: format.instant(row["created_at"], locale),
    }


def _tick(row: _Row, selected: Collection[str], locale: str) -> Markup:
    told = word("select_journey", locale, title=clean(row["title"] or row["journey_id"]))
    return control("tick", journey=row["journey_id"], told=told, ticked=row["journey_id"] in selected)


def _tools(page: int, count: int, locale: str) -> Markup:
    said = word("export_of", locale, what=word("export.campaign", locale))
    button = control("csv", what="campaign", label=said, told=said)
    left = count - page * PAGE
    return button if count <= PAGE else pager(page, left, PAGE, locale) + button


def _alt(count: int, rows: pl.DataFrame, locale: str) -> str:
    said = [word("n_journeys", locale, count=format.number(count, locale))]
    for row in rows.head(5).iter_rows(named=True):
        numbers = ", ".join(f"{word(name, locale)} {format.number(row[name], locale)}" for name in NUMBERS)
        title = clean(row["title"] or row["journey_id"])
        said.append(f"{title}: {worded(row['status'], locale)}; {numbers}")
    return ". ".join(said) + "."
