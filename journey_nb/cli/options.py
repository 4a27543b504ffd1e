"""Options that several commands take, and how they are understood."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial, wraps
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

import click

from journey_nb.cli.telling import said, words_of
from journey_nb.journey import near

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _with(options: Sequence[Callable[[Any], Any]]) -> Callable[[_Command], _Command]:
    """The options that several commands take, in their order."""

    def dressed(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return dressed


_TIMES = "timezone", "time_unit", "time_format"


def _mapping(_ctx: click.Context, _option: click.Parameter, items: tuple[str, ...]) -> dict[str, str]:
    """The values of an option that is repeated, by their names."""
    found: dict[str, str] = {}
    for name, value in map(pair, items):
        if name in found:
            raise click.UsageError(f"{name} is given twice, as {found[name]!r} and as {value!r}: say one")
        found[name] = value
    return found


def pair(item: str) -> tuple[str, str]:
    """NAME=VALUE, apart."""
    name, equals, value = item.partition("=")
    if not equals:
        raise click.UsageError(f"{item}: write it as NAME=VALUE")
    return name, value


def reading(command: _Command) -> _Command:
    """The options that tell how a log is to be read; the command is handed those given, as ``how``."""

    @_with(
        [
            click.option("-c", "--column", "columns", multiple=True, metavar="NAME=THEIRS", callback=_mapping,
                         help="Where a log has a column under a name of its own: user_id=customer; repeatable."),
            click.option("--constant", "constants", multiple=True, metavar="NAME=VALUE", callback=_mapping,
                         help="What a log says of all its rows and has no column for: journey_id=welcome; repeatable."),
            click.option("--timezone", help="The zone of a log's times that carry no offset; UTC if left out."),
            click.option("--time-unit", type=click.Choice(["s", "ms", "us", "ns"]), help="The unit of its epoch numbers; by their size if left out."),
            click.option("--time-format", metavar="FORMAT", help="How it writes times that are not ISO 8601: '%d/%m/%Y %H:%M'."),
        ]
    )  # fmt: skip
    @wraps(command)
    def told(columns: dict[str, str], constants: dict[str, str], **given: Any) -> Any:
        if both := sorted(columns.keys() & constants.keys()):
            raise click.UsageError(f"{both[0]} is a column or a constant: say one")
        how = {"columns": columns | _literals(constants), **{name: given.pop(name) for name in _TIMES}}
        return command(how={name: value for name, value in how.items() if value}, **given)

    return cast("_Command", told)


def _literals(constants: dict[str, str]) -> dict[str, Any]:
    if not constants:
        return {}  # and polars is not loaded for them
    import polars as pl

    return {name: pl.lit(value) for name, value in constants.items()}


def as_typed() -> str:
    """Those options as they were typed, a blank before each."""
    given = click.get_current_context().params
    pairs = [("column", given["columns"]), ("constant", given["constants"])]
    typed = [(option, f"{name}={value}") for option, told in pairs for name, value in told.items()]
    typed += [(name.replace("_", "-"), given[name]) for name in _TIMES if given[name]]
    return "".join(f" --{name} {shlex.quote(value)}" for name, value in typed)


def _asked_most(
    ctx: click.Context, option: click.Parameter, text: str | None
) -> Callable[[int], float] | None:
    """How many of some rows may be set aside, by how many these are."""
    if text is None:
        return None
    if not re.fullmatch(r"\d+|\d+(\.\d+)?%", text):
        raise click.UsageError(f"{option.opts[0]} {text}: say a number of rows (100) or a share of them (1%)")
    number = Fraction(text.removesuffix("%"))  # of a float 0.57 % of 10,000 are less than 57
    return (lambda rows: float(rows * number / 100)) if text.endswith("%") else (lambda _: float(number))


MOST = partial(click.option, "--max-quarantined", "most", metavar="ROWS|SHARE%", callback=_asked_most)

PATIENCE = click.option(
    "--patience", type=click.FloatRange(0), default=3600, show_default=True, metavar="SECONDS",
    help="How long to wait for another who is writing to the store.",
)  # fmt: skip


def refuse_of_store(how: Mapping[str, Any], store: str | None) -> None:
    """How a log is read is no question where a store has read it."""
    if store and how:
        raise click.UsageError(f"a store has read its logs: say{as_typed()} to journey-nb import")


def _understood(
    check: Callable[[Any], object],
) -> Callable[[click.Context, click.Parameter | None, Any], Any]:
    """Of an option: what it is given, if the check understands it."""

    def asked(_ctx: click.Context, _option: click.Parameter | None, value: Any) -> Any:
        try:
            if value not in ("", None):
                check(value)
            return value
        except ValueError as error:
            raise click.UsageError(said(words_of(error))) from None

    return asked


def _check_period(text: str) -> None:
    from journey_nb.period import asked

    asked(text, ZoneInfo("UTC"))


def _check_instant(text: str) -> None:
    from journey_nb.period import instant

    instant(text, ZoneInfo("UTC"))


def _check_group(k: int) -> None:
    from journey_nb.metrics.small import check

    check(k)


scoped = _with(
    [
        click.option("--period", default="", callback=_understood(_check_period), help="launch (default), today, yesterday, 7d, 30d, this_week, this_month, "
                                                  "or two dates: 2026-03-01..2026-03-31."),
        click.option("--clock", type=click.Choice(["activity", "cohort"]), help="Count events at their own time, or follow who entered."),
        click.option("--as-of", default="", callback=_understood(_check_instant), help="The instant at which states are read; default the log's last event."),
        click.option("--version", type=int, default=0, help="Steps, branches and messages of one version; the other tables count all."),
    ]
)  # fmt: skip
"""What of a log is meant."""

redacting = _with(
    [
        click.option("--redact", is_flag=True, help="Show users and devices under pseudonyms, by the key in JOURNEY_NB_PSEUDONYM_KEY "
                                                    "or in the file JOURNEY_NB_PSEUDONYM_KEY_FILE."),
        click.option("--small-groups", type=int, metavar="K", callback=_understood(_check_group), help="Show groups smaller than K as “< K” and round all other counts down; "
                                                                   "0: none. [default: 5 with --redact, else 0]"),
    ]
)  # fmt: skip
"""What of people is not told."""


def stored(key: str, each: str) -> Callable[[_Command], _Command]:
    """The options that take a store in place of a document and a log, for some of its journeys."""
    return _with(
        [
            click.option("--store", type=click.Path(file_okay=False), help=f"A store instead: {key} is the id or title of a journey in it."),
            click.option("--for-each", "filters", multiple=True, metavar="FILTER=VALUE",
                         help=f"{each} for each journey of the store with this status, category, type, tag or title; repeatable."),
        ]
    )  # fmt: skip


def filters_of(items: tuple[str, ...]) -> dict[str, list[str]]:
    """The journeys of a store that are meant: the values of each filter."""
    from journey_nb.store.registry import FILTERS

    where: dict[str, list[str]] = {}
    for item in items:
        name, value = pair(item)
        if name not in FILTERS:
            raise click.UsageError(f"no filter {name!r}{near(name, FILTERS)}; there are {', '.join(FILTERS)}")
        where.setdefault(name, []).append(value)
    return where


def period_of(period: str, first: str | None, last: str | None) -> str:
    """The period that is meant, also by --from and --to."""
    if not first and not last:
        return period
    if period or not (first and last):
        raise click.UsageError("say --from and --to, or --period; --from 2026-03-01 --to 2026-03-31")
    period = f"{first}..{last}"
    _understood(_check_period)(click.get_current_context(), None, period)
    return period
