"""Tables of a campaign as files."""

from __future__ import annotations

import operator
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from journey_nb.cli.group import main
from journey_nb.cli.options import (
    as_typed,
    filters_of,
    period_of,
    reading,
    redacting,
    refuse_of_store,
    scoped,
    stored,
)
from journey_nb.cli.telling import out, said, so_many_rows, step
from journey_nb.journey import Journey, near
from journey_nb.subject import open_store

if TYPE_CHECKING:
    import polars as pl

    from journey_nb.pseudonyms import Pseudonyms
    from journey_nb.stats import JourneyStats


@main.command()
@click.argument("journey", required=False)
@click.argument("log", required=False)
@stored("JOURNEY", "A row of campaign")
@click.option(
    "-t",
    "--table",
    "name",
    default="campaign",
    show_default=True,
    help="campaign, goal, channel, point, point-users, step-users, or a table of the stats: users, points, variants …",
)
@click.option(
    "-o",
    "--out",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file: .csv, .parquet or .xlsx. [default: TABLE.csv]",
)
@click.option("--point", help="The point of point, point-users, step-users, variants …")
@click.option(
    "--goal", help="The goal of variants …, of goal, channel, point-users; of these all, or any, without."
)
@click.option("--channel", help="The channel of channel, messages and delivery_issues; default all.")
@click.option(
    "--percent", is_flag=True, help="Rates of campaign, goal, channel and point as 12.3 instead of 0.123456."
)
@click.option("--extended", is_flag=True, help="Campaign with LINE, Kakao, web push, webhooks and revenue.")
@click.option("--from", "first", metavar="DATE", help="The first day, in place of --period.")
@click.option("--to", "last", metavar="DATE", help="The last day, in place of --period.")
@click.option("--bom", is_flag=True, help="Begin a CSV with the mark by which Excel knows UTF-8.")
@click.option(
    "--raw-text", is_flag=True, help="Leave text that a spreadsheet would run (=, +, -, @) as it is."
)
@reading
@redacting
@scoped
def export(journey: str | None, log: str | None, store: str | None, filters: tuple[str, ...], name: str, path: Path | None,
           bom: bool, raw_text: bool, first: str | None, last: str | None, period: str, clock: str | None, as_of: str,
           version: int, redact: bool, small_groups: int | None, how: dict[str, Any], **options: Any) -> None:  # fmt: skip
    """Write a table of a campaign as CSV, Parquet or XLSX.

    \b
    Example:
      journey-nb export welcome.journey.json events.parquet -o campaign.csv
      journey-nb export welcome.journey.json events.parquet --table users --period 30d -o users.xlsx
      journey-nb export welcome.journey.json events.parquet -t point --point push --from 2026-03-01 --to 2026-03-31
      journey-nb export --store store --for-each status=running --period this_month -o campaigns.xlsx
    """
    import polars as pl

    from journey_nb.exports import check_ending, write_table
    from journey_nb.metrics import small
    from journey_nb.pseudonyms import Pseudonyms

    people = Pseudonyms.from_environment() if redact else None
    given = {name: value for name, value in options.items() if value}
    table_of = _table(name, given)
    if small_groups is None:
        small_groups = small.USUAL if people and name not in _PEOPLE else 0
    scope = {"period": period_of(period, first, last), "clock": clock, "as_of": as_of, "version": version,
             "small_groups": small_groups}  # fmt: skip
    refuse_of_store(how, store)
    path = path or Path(f"{name}.csv")
    try:
        check_ending(path)
    except ValueError as error:
        raise click.UsageError(said(error)) from None
    subject = _subject_of_export(journey, log, store, filters, name, scope, people, how)
    table = table_of(subject)
    table = small.told(table, small_groups, typed=path.suffix == ".parquet")
    write_table(table, path, bom=bom, spreadsheet_safe=not raw_text)
    rows = table.lazy().select(pl.len()).collect().item()
    out.print(f"Wrote [bold]{said(str(path))}[/], {so_many_rows(rows)}", soft_wrap=True)


def _subject_of_export(journey: str | None, log: str | None, store: str | None, filters: tuple[str, ...], name: str,
                       scope: dict[str, Any], people: Pseudonyms | None, how: dict[str, Any]) -> JourneyStats | list[JourneyStats]:  # fmt: skip
    """The stats that an export is of; a list of them where it is of several journeys."""
    from journey_nb.subject import chosen

    if store is None:
        if not journey or not log or filters:
            raise click.UsageError(
                "name the document and the log, or a store: JOURNEY LOG, or --store DIR [JOURNEY]"
            )
        if not Path(journey).exists():
            raise FileNotFoundError(2, "", journey)
        stats = stats_of(journey, log, scope, how)
        return stats.under(people) if people else stats
    if log or (journey and filters):
        raise click.UsageError("of a store name one journey, or filters with --for-each; it has the logs")
    if not journey and name != "campaign":
        raise click.UsageError(
            f"{name} is of one journey: name it, by its id or title; only campaign is of several"
        )
    opened, given = open_store(store), {key: value for key, value in scope.items() if value}
    keys = [journey] if journey else opened.find(**filters_of(filters))["journey_id"].to_list()
    if not keys:
        from journey_nb.reports import none_meant

        raise KeyError(none_meant(opened, filters_of(filters)))
    found = [chosen(opened[key], **given) for key in keys]
    found = [stats.under(people) for stats in found] if people else found
    return found[0] if journey else found


def stats_of(journey: str, log: str, scope: dict[str, Any], how: dict[str, Any]) -> JourneyStats:
    """The statistics of a log that is read here."""
    from journey_nb.events import EventLog
    from journey_nb.stats import JourneyStats
    from journey_nb.subject import belonging, chosen

    with step("Reading the log") as done:
        stats = belonging(JourneyStats(Journey.read(journey), EventLog.read(log, **how)))
        stats = chosen(stats, **{key: value for key, value in scope.items() if value})
        done(f"Read the log: {stats.facts.runs.height:,} runs{_set_aside(stats, journey, log)}")
    return stats


def _set_aside(stats: JourneyStats, journey: str, log: str) -> str:
    rows = stats.facts.quarantined.height
    check = f"journey-nb check {shlex.quote(log)} --journey {shlex.quote(journey)}{as_typed()}"
    return f"; {so_many_rows(rows)} in quarantine: {check} says why" if rows else ""


_TABLES = ("users", "health", "daily", "audience", "goals", "communications", "messages", "delivery_issues",
           "points", "branches", "waiting", "drops", "credit", "cohorts", "paths", "variants", "time_to_goal", "incremental",
           "waiting_times", "response_times", "reconciliation")  # fmt: skip

_PEOPLE = ("users", "point-users", "step-users")  # lists of single people

# What each export of a name of its own takes, and what it cannot do without.
_TAKES = {"campaign": ("percent", "extended"), "goal": ("goal", "percent"), "channel": ("channel", "goal", "percent"),
          "point": ("point", "percent"), "point-users": ("point", "goal"), "step-users": ("point",),
          "users": ()}  # fmt: skip


def _table(name: str, given: dict[str, Any]) -> Callable[[Any], pl.DataFrame | pl.LazyFrame]:
    """The export or table of a name with the options given, of stats that are yet to be read."""
    from journey_nb.exports import EXPORTS

    known = dict.fromkeys((*EXPORTS, *_TABLES))
    if name not in known:
        raise click.UsageError(f"no table {name!r}{near(name, known)}; there are {', '.join(known)}")
    takes = _takes(name)
    if odd := [option for option in given if option not in takes]:
        told = f"it takes --{', --'.join(takes)}" if takes else "it takes no such option"
        raise click.UsageError(f"{name} takes no --{odd[0]}; {told}")
    if missing := [option for option, needed in takes.items() if needed and option not in given]:
        raise click.UsageError(f"{name} needs --{' and --'.join(missing)}")
    given = {_ARGUMENT.get(key, key): value for key, value in given.items()}
    return partial(EXPORTS[name], **given) if name in EXPORTS else operator.methodcaller(name, **given)


_ARGUMENT = {"point": "point_id"}


def _takes(name: str) -> dict[str, bool]:
    """The options that a table takes, and whether it cannot do without."""
    if name in _TAKES:
        return {option: option == "point" for option in _TAKES[name]}
    from inspect import signature

    from journey_nb.stats import JourneyStats

    known = signature(getattr(JourneyStats, name)).parameters
    named = {option: known.get(_ARGUMENT.get(option, option)) for option in ("point", "goal", "channel")}
    return {option: one.default is one.empty for option, one in named.items() if one}
