"""The command line: ``journey-nb demo | new | check | import | simulate | export | report | freeze | journeys | status | history | loads | undo | erase | rebuild``."""

from __future__ import annotations

import io
import operator
import os
import re
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from functools import partial, wraps
from glob import glob
from math import inf
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from journey_nb.files import is_full, shared
from journey_nb.journey import Journey, JourneyError, listed, near
from journey_nb.subject import open_store, store_file

if TYPE_CHECKING:
    import polars as pl

    from journey_nb.pseudonyms import Pseudonyms
    from journey_nb.stats import JourneyStats
    from journey_nb.store import Store
    from journey_nb.store.registry import Registry

# What a person did wrong, told in a line or two; everything else is our fault and keeps its traceback.
_MISTAKES = "JourneyError", "LogError", "ReportError", "AskedError", "StoreError"
# What a terminal obeys instead of showing it, and what turns the direction of writing.
_ORDERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_Command = TypeVar("_Command", bound=Callable[..., Any])

_SAMPLES = "welcome", "abandoned_cart", "win_back"

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def said(text: object) -> str:
    """Text that comes from data or a person: neither markup nor an order to the terminal."""
    return escape(_ORDERS.sub("", str(text)))


class _Polite(click.Group):
    """A command group that tells a person's mistake without a traceback (exit code 1; 2 for words that mean nothing)."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            known = isinstance(error, (OSError, KeyError, ValueError)) or type(error).__name__ in _MISTAKES
            if not (known or is_full(error)):
                raise
            self._tell(ctx, error)

    def _tell(self, ctx: click.Context, error: Exception) -> None:
        if os.environ.get("JOURNEY_NB_TRACEBACK"):
            raise error
        text = _words(error)
        err.print(f"[bold red]Error:[/] {said(text)}", soft_wrap=True)
        for note in getattr(error, "__notes__", ()):
            err.print(f"  {said(note)}", soft_wrap=True)
        if isinstance(error, (KeyError, ValueError)) and type(error).__name__ not in _MISTAKES:
            err.print("  [dim]JOURNEY_NB_TRACEBACK=1 shows where[/]")
        ctx.exit(2 if type(error).__name__ == "AskedError" else 1)


def _words(error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"there is no file {os.fspath(error.filename)!r}"
    if isinstance(error, OSError) and error.filename:
        return f"{os.fspath(error.filename)}: {(error.strerror or str(error)).lower()}"
    if type(error).__name__ not in _MISTAKES and is_full(error):
        return f"there is no room on the disk: {error}"
    if isinstance(error, KeyError) and error.args:
        return str(error.args[0])
    return _by_options(str(error))


# Mends that are named in Python's words, and what they are on the command line.
_OPTIONS = {
    r"columns=\{'(kind|journey_id|version)': …\}": r"--column \1=…, or --constant \1=… if it is one for all rows",
    r"columns=\{'(\w+)': …\}": r"--column \1=…",
    r"\btimezone=": "--timezone ",
    r"\btime_unit=": "--time-unit ",
    r"\btime_format=": "--time-format ",
    r"check clock and time_unit": "check clock and --time-unit",
    r"for '(\w+)'(.*)a constant is pl\.lit\('(.*)'\)": r"for '\1'\2a constant is --constant \1=\3",
    r"\bsmall_groups 0\b": "--small-groups 0",
    r"\bpatience=…, in seconds": "--patience SECONDS",
    r"\(columns, timezone, time_unit, time_format\)": "(--column, --timezone, --time-unit, --time-format)",
}


def _by_options(text: str) -> str:
    """A text that may name a mend."""
    for argument, option in _OPTIONS.items():
        text = re.sub(argument, option, text)
    return text


@contextmanager
def _step(doing: str, spinner: bool = True) -> Iterator[Callable[[str], None]]:
    """A line for one long step: a spinner while it runs, then what it did and how long it took."""
    began, did = time.perf_counter(), [doing]
    with err.status(f"{said(doing)} …") if spinner else nullcontext():
        yield lambda words: did.append(words)
    err.print(f"[green]✓[/] {said(did[-1])} [dim]{time.perf_counter() - began:.1f} s[/]", soft_wrap=True)


@click.group(cls=_Polite, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="journey-nb")
def main() -> None:
    """Customer journeys from their event logs: numbers, pictures and reports.

    \b
    Example:
      journey-nb demo

    \b
    Exit codes:
      0    fine
      1    faults were found, or what is needed is missing, cannot be read or may not be done
      2    a command that cannot be understood
      3    import: more rows were set aside than --max-quarantined allows; what was loaded stays loaded
      143  ended from outside (SIGTERM): the same again goes on
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # an old console without “✓” shows ? instead
            stream.reconfigure(errors="replace")
    if threading.current_thread() is threading.main_thread():  # ended from outside, it still cleans up
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        click.get_current_context().call_on_close(lambda: signal.signal(signal.SIGTERM, before))


@main.command()
@click.option("--out", "folder", type=click.Path(file_okay=False, path_type=Path), default="reports",
              show_default=True, help="Folder for what is made.")  # fmt: skip
@click.option(
    "--users", type=click.IntRange(1), default=20_000, show_default=True, help="Size of the made-up audience."
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed makes the same log."
)
def demo(folder: Path, users: int, seed: int) -> None:
    """Simulate a welcome journey and report on it.

    \b
    Example:
      journey-nb demo --users 5000 --out demo
    """
    with _step("Loading the package") as done:
        from journey_nb.events import EventLog
        from journey_nb.exports import write_table
        from journey_nb.render import canvas
        from journey_nb.reports import run_report
        from journey_nb.simulate import simulate as simulated
        from journey_nb.stats import JourneyStats

        done("Loaded the package")
    folder.mkdir(parents=True, exist_ok=True)
    document, log_path = folder / "welcome.journey.json", folder / "welcome-events.parquet"
    journey = Journey.sample("welcome")
    with _step(f"Simulating “{journey.label}” for {users:,} users") as done:
        events = simulated(journey, users=users, seed=seed)
        journey.write(document)
        write_table(events, log_path)
        done(f"Simulated “{journey.label}” for {users:,} users: {events.height:,} events")
    with _step("Reading the log and folding it into facts") as done:
        stats = JourneyStats(journey, EventLog.read(log_path))
        facts = stats.facts
        done(f"Read the log: {facts.runs.height:,} runs, {facts.visits.height:,} visits, "
             f"{facts.messages.height:,} messages, {facts.goals.height:,} goals reached")  # fmt: skip
    with _step("Running the campaign report", spinner=False) as done:
        report = run_report("campaign", journey=document, log=log_path, out=folder, progress=err.is_terminal)
        done("Ran the campaign report")
    picture = canvas(stats).save(folder / "welcome-canvas.svg")
    _print_campaign(stats)
    out.print("\nWritten:")
    for path, what in ((report["html"], "the report: open it in a browser"), (report["notebook"], "the same as a notebook"),
                       (report["csv"], "the campaign's numbers"), (picture, "the canvas"), (document, "the journey"),
                       (log_path, "its event log")):  # fmt: skip
        out.print(f"  [bold]{said(str(path))}[/]  [dim]{what}[/]", soft_wrap=True)


@main.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--sample",
    type=click.Choice(_SAMPLES),
    default="welcome",
    show_default=True,
    help="What it is made from.",
)
@click.option("--title", help="Its title; the sample's if left out.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def new(path: Path, sample: str, title: str | None, force: bool) -> None:
    """Write a journey document to begin with, made from a sample.

    \b
    Example:
      journey-nb new spring.journey.json --sample abandoned_cart --title "Spring carts"
    """
    from uuid import uuid4

    journey = Journey.sample(sample)
    if path.suffix != ".json":
        raise click.UsageError(
            f"{path.name}: a journey document ends in .json, as in {path.stem}.journey.json"
        )
    if path.exists() and not force:
        raise click.UsageError(f"{path} is there already; name another file or say --force")
    change = {
        "journey_id": str(uuid4()),
        "title": title or journey.title,
        "status": "draft",
        "launched_at": None,
    }
    journey.model_copy(update=change).write(path)
    out.print(
        f"Wrote [bold]{said(str(path))}[/]. Edit it, then: journey-nb check {said(shlex.quote(str(path)))}; "
        f"a log to try it on: journey-nb simulate {said(shlex.quote(str(path)))} -o events.parquet",
        soft_wrap=True,
    )


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
    for name, value in map(_pair, items):
        if name in found:
            raise click.UsageError(f"{name} is given twice, as {found[name]!r} and as {value!r}: say one")
        found[name] = value
    return found


def _reading(command: _Command) -> _Command:
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


def _typed() -> str:
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


_MOST = partial(click.option, "--max-quarantined", "most", metavar="ROWS|SHARE%", callback=_asked_most)
_PATIENCE = click.option(
    "--patience", type=click.FloatRange(0), default=3600, show_default=True, metavar="SECONDS",
    help="How long to wait for another who is writing to the store.",
)  # fmt: skip


def _refuse_of_store(how: Mapping[str, Any], store: str | None) -> None:
    if store and how:
        raise click.UsageError(f"a store has read its logs: say{_typed()} to journey-nb import")


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--journey", "document", help="The journey that the logs belong to: judges their points and branches too."
)
@_MOST(
    help="So many rows may be set aside: of a log (none, unless said), of each journey of a store (any number)."
)
@_reading
def check(
    paths: tuple[str, ...], document: str | None, most: Callable[[int], float] | None, how: dict[str, Any]
) -> None:
    """Check journey documents, event logs and stores, and list every fault (exit code 1 where there is one).

    A name that ends in .json is a journey document, a folder a store, everything else an event log.

    \b
    Example:
      journey-nb check welcome.journey.json
      journey-nb check "events/*.parquet" --journey welcome.journey.json
      journey-nb check vendor.csv -c occurred_at=sent_on -c user_id=customer --timezone Europe/Paris
      journey-nb check store --max-quarantined 1%
    """
    journey = Journey.read(document) if document else None
    found = [name for path in paths for name in _documents(path)]
    clean = [
        _check_store(name, most) if Path(name).is_dir()
        else _check_journey(name) if name.endswith(".json")
        else _check_log(name, journey, how, most or (lambda _: 0))
        for name in found
    ]  # fmt: skip
    if not all(clean):
        raise SystemExit(1)


@main.command("import")
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option("--store", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="The folder of the store; made if there is none.")  # fmt: skip
@click.option(
    "--journey",
    "documents",
    multiple=True,
    help="A journey document to take into the store first; repeatable.",
)
@click.option(
    "--no-log", is_flag=True, help="Keep the facts only: smaller, but nothing can be appended later."
)
@_MOST(
    help="End with exit code 3 where more of the rows that were read are set aside; what was loaded stays loaded."
)
@_PATIENCE
@_reading
def import_(logs: tuple[str, ...], store: Path, documents: tuple[str, ...], no_log: bool,
            most: Callable[[int], float] | None, patience: float, how: dict[str, Any]) -> None:  # fmt: skip
    """Load event logs into a store. Files that were loaded before add nothing; an interrupted import goes on.

    A file that cannot be read is named in the end (exit code 1), when all others are loaded.

    \b
    Example:
      journey-nb import "events/*.parquet" --store store --journey welcome.journey.json
      journey-nb import vendor.csv --store store -c occurred_at=sent_on -c user_id=customer
      journey-nb import "feed/*.parquet" --store store --max-quarantined 1% --patience 600
    """
    from rich.progress import Progress

    from journey_nb.store import Store

    journeys = [Journey.read(document) for document in documents]  # before a store is made for them
    is_there = (store / "store.sqlite").is_file()
    if not journeys and not (is_there and next(iter(Store(store)), None)):
        raise click.UsageError(f"{store} has no journeys yet: name one with --journey welcome.journey.json")
    with _none_left(store):
        opened = Store(store, patience=patience)
        for journey in journeys:
            opened.add(journey)
        with Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
            task = bar.add_task("Reading", total=1)
            loaded = opened.load(
                list(logs),
                keep_log=not no_log,
                progress=lambda words, share: bar.update(
                    task, description=words.capitalize(), completed=share
                ),
                **how,
            )
    out.print(said(str(loaded)), soft_wrap=True)
    if strange := _strange(opened):
        out.print(f"[yellow]{said(strange)}[/]; add them with --journey", soft_wrap=True)
    if most and loaded.quarantined > (may := most(loaded.read)):
        err.print(
            f"[bold red]Error:[/] {loaded.quarantined:,} of {_rows(loaded.read)} were set aside, more than the {int(may):,} "
            "that --max-quarantined allows: what was loaded stays loaded; journey-nb check says by which rule, journey-nb undo "
            "takes the last load back",
            soft_wrap=True,
        )
        raise SystemExit(3)
    if loaded.quarantined > 0:
        told = f"[yellow]{_rows(loaded.quarantined)} set aside[/]: journey-nb check {said(str(store))} says by which rule"
        out.print(told, soft_wrap=True)


@contextmanager
def _none_left(store: Path) -> Iterator[None]:
    """A store that is new goes again where an error lets nothing into it, with the folders made for it.

    What was loaded before the error stays, and so does a store that others are loading into.
    """
    made = [folder for folder in (store, *store.parents) if not folder.exists()]
    with shared(store) as alone:
        try:
            yield
        except Exception:  # not an interruption: that import goes on
            if made and alone() and not any(store.glob("layers/*")):
                rmtree(store, ignore_errors=True)
                with suppress(OSError):
                    for folder in made[1:]:
                        folder.rmdir()
            raise


@main.command()
@click.argument("journey")
@click.option("-o", "--out", "path", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="The log: .parquet or .csv.")  # fmt: skip
@click.option(
    "--users", type=click.IntRange(1), default=20_000, show_default=True, help="Size of the made-up audience."
)
@click.option("--days", type=click.IntRange(1, 3660), default=90, show_default=True, help="How long it runs.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed makes the same log."
)
def simulate(journey: str, path: Path, users: int, days: int, seed: int) -> None:
    """Run a journey over a made-up audience and write its event log.

    JOURNEY is a document, or the name of a sample.

    \b
    Example:
      journey-nb simulate welcome --users 50000 -o events.parquet
    """
    from rich.progress import Progress

    from journey_nb.exports import write_table
    from journey_nb.simulate import simulate as simulated
    from journey_nb.simulate import simulate_to

    if path.suffix not in (".parquet", ".csv"):
        raise click.UsageError(f"{path.name}: a log is written as .parquet or .csv")
    subject = _journey(journey)
    if path.suffix == ".csv":
        with _step(f"Simulating “{subject.label}” for {users:,} users"):
            write_table(simulated(subject, users, days=days, seed=seed), path, spreadsheet_safe=False)
    else:  # in chunks, so that it may be larger than the memory
        with Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
            task = bar.add_task(f"Simulating “{said(subject.label)}”", total=users)
            simulate_to(
                path, subject, users, days=days, seed=seed,
                progress=lambda done, _: bar.update(task, completed=done),
            )  # fmt: skip
    out.print(f"Wrote [bold]{said(str(path))}[/]", soft_wrap=True)


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
            raise click.UsageError(said(_words(error))) from None

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


_scoped = _with(
    [
        click.option("--period", default="", callback=_understood(_check_period), help="launch (default), today, yesterday, 7d, 30d, this_week, this_month, "
                                                  "or two dates: 2026-03-01..2026-03-31."),
        click.option("--clock", type=click.Choice(["activity", "cohort"]), help="Count events at their own time, or follow who entered."),
        click.option("--as-of", default="", callback=_understood(_check_instant), help="The instant at which states are read; default the log's last event."),
        click.option("--version", type=int, default=0, help="Steps, branches and messages of one version; the other tables count all."),
    ]
)  # fmt: skip
"""What of a log is meant."""

_redacting = _with(
    [
        click.option("--redact", is_flag=True, help="Show users and devices under pseudonyms, by the key in JOURNEY_NB_PSEUDONYM_KEY "
                                                    "or in the file JOURNEY_NB_PSEUDONYM_KEY_FILE."),
        click.option("--small-groups", type=int, metavar="K", callback=_understood(_check_group), help="Show groups smaller than K as “< K” and round all other counts down; "
                                                                   "0: none. [default: 5 with --redact, else 0]"),
    ]
)  # fmt: skip
"""What of people is not told."""


def _stored(key: str, each: str) -> Callable[[_Command], _Command]:
    """The options that take a store in place of a document and a log, for some of its journeys."""
    return _with(
        [
            click.option("--store", type=click.Path(file_okay=False), help=f"A store instead: {key} is the id or title of a journey in it."),
            click.option("--for-each", "filters", multiple=True, metavar="FILTER=VALUE",
                         help=f"{each} for each journey of the store with this status, category, type, tag or title; repeatable."),
        ]
    )  # fmt: skip


@main.command()
@click.argument("journey", required=False)
@click.argument("log", required=False)
@_stored("JOURNEY", "A row of campaign")
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
@_reading
@_redacting
@_scoped
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
    scope = {"period": _period(period, first, last), "clock": clock, "as_of": as_of, "version": version,
             "small_groups": small_groups}  # fmt: skip
    _refuse_of_store(how, store)
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
    out.print(f"Wrote [bold]{said(str(path))}[/], {_rows(rows)}", soft_wrap=True)


@main.command()
@click.argument("name", default="campaign", is_eager=True)
@click.argument("key", required=False)
@click.option("--journey", type=click.Path(dir_okay=False), help="The journey document, with --log.")
@click.option("--log", help="The event log: a file or a pattern.")
@_stored("KEY", "A report")
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="reports",
    show_default=True,
    help="Folder for the reports; each has its own in it.",
)
@click.option(
    "-f",
    "--format",
    "formats",
    multiple=True,
    default=("html", "notebook", "csv"),
    show_default=True,
    help="html, pdf, notebook, csv, parquet or xlsx; repeatable.",
)
@click.option(
    "--only-if-changed",
    is_flag=True,
    help="Run only where an input, a parameter or a version differs from the last run.",
)
@click.option(
    "-p",
    "--parameter",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for the report's parameters cell; repeatable.",
)
@click.option("--locale", help="The language of words, numbers and dates: en, fr or ko.")
@click.option(
    "--parameters",
    "ask",
    is_flag=True,  # not eager, unlike NAME, which it needs
    expose_value=False,
    callback=lambda ctx, _, asked: _list_parameters(ctx, asked),
    help="List the parameters and stop.",
)
@_reading
@_redacting
@_scoped
def report(name: str, key: str | None, journey: str | None, log: str | None, store: str | None, filters: tuple[str, ...],
           folder: Path, formats: tuple[str, ...], only_if_changed: bool, given: tuple[str, ...],
           redact: bool, small_groups: int | None, how: dict[str, Any], **scope: Any) -> None:  # fmt: skip
    """Run a report and leave its page, its executed notebook, its table and a manifest.json in a folder.

    \b
    Example:
      journey-nb report campaign --journey welcome.journey.json --log "events/*.parquet" --period 30d
      journey-nb report campaign welcome --store store -f html -f pdf -f xlsx --locale fr
      journey-nb report campaign --store store --for-each category=Onboarding --only-if-changed
      journey-nb report --parameters
    """
    from journey_nb.pseudonyms import Pseudonyms
    from journey_nb.reports import check_parameters, run_report
    from journey_nb.subject import ReportError

    if store and (journey or log):
        raise click.UsageError("say --store, or --journey and --log")
    if (key or filters) and not store:
        raise click.UsageError(f"{key or '--for-each'} is meant in a store: say --store DIR")
    if key and filters:
        raise click.UsageError("name one journey, or say --for-each")
    _refuse_of_store(how, store)
    try:
        _check_about(name, bool(journey and log), store, key, filters)
        values = check_parameters(name, dict(_pair(item) for item in given))
        values |= check_parameters(name, {key: value for key, value in scope.items() if value})
        if small_groups is not None:
            values |= check_parameters(name, {"small_groups": small_groups})
    except ReportError as error:
        raise click.UsageError(said(error)) from None
    options: dict[str, Any] = {
        "out": folder,
        "formats": formats,
        "only_if_changed": only_if_changed,
        "redact": Pseudonyms.from_environment() if redact else None,
        "progress": err.is_terminal,
    }
    if filters:
        _report_for_each(name, str(store), filters, {**options, **values})
        return
    # A notebook reads a log by its columns' own names: one that is read otherwise is handed to it as statistics.
    about: dict[str, Any] = {"journey": key or journey, "log": log, "store": store}
    if how and journey and log:
        about = {"stats": _stats(journey, log, {}, how)}
    with _step(f"Running the {name} report", spinner=False) as done:
        made = run_report(name, **about, **options, **values)
        done(f"Ran the {name} report" if made.fresh else f"Nothing changed since the last {name} report")
    out.print("Written:" if made.fresh else "There already:")
    for path in made:
        out.print(f"  [bold]{said(str(path))}[/]", soft_wrap=True)


def _check_about(name: str, read: bool, store: str | None, key: str | None, filters: tuple[str, ...]) -> None:
    """Refuse a report that is about nothing, in the words of the command line."""
    from journey_nb.reports import is_of_one

    if not is_of_one(name):
        if not store or key or filters:
            raise click.UsageError(
                f"the {name} report is about a whole store: say --store DIR, and --parameter title=… or another filter "
                "for some of its journeys"
            )
    elif store and not (key or filters):
        raise click.UsageError("name a journey of the store, KEY, or say --for-each FILTER=VALUE for several")
    elif not (store or read):
        raise click.UsageError(
            "say what it is about: --journey DOCUMENT and --log LOG, or KEY and --store DIR"
        )


def _report_for_each(name: str, store: str, filters: tuple[str, ...], options: dict[str, Any]) -> None:
    from journey_nb.reports import run_for_each

    failed = False
    for title, made in run_for_each(name, store, _filters(filters), **options):
        if isinstance(made, Exception):
            failed = True
            err.print(f"[red]✗[/] {said(title)}: {said(_words(made))}", soft_wrap=True)
            for note in getattr(made, "__notes__", ()):
                err.print(f"  {said(note)}", soft_wrap=True)
        else:
            fresh = "" if made.fresh else " [dim]nothing changed[/]"
            out.print(f"[green]✓[/] {said(title)}: [bold]{said(str(made.folder))}[/]{fresh}", soft_wrap=True)
    if failed:
        raise SystemExit(1)


@main.command()
@click.argument("notebooks", nargs=-1, required=True, metavar="NOTEBOOK...", type=click.Path(dir_okay=False))
def freeze(notebooks: tuple[str, ...]) -> None:
    """Take dead widget views and stored widget state out of notebooks, so that readers without a kernel see pictures.

    \b
    Example:
      journey-nb freeze analysis.ipynb
    """
    from journey_nb.freeze import freeze as frozen

    for path in notebooks:
        removed = frozen(path)
        out.print(
            f"[bold]{said(path)}[/]: {f'{removed:,} taken out' if removed else 'frozen already'}",
            soft_wrap=True,
        )


_STORE = click.argument("store", type=click.Path(file_okay=False, path_type=Path))
_WHICH = click.argument("journey")  # id, title, or the first words of a title


@main.command()
@_STORE
@click.option("--status", multiple=True, help="draft, running, paused, finished or archived; repeatable.")
@click.option("--category", multiple=True, help="Repeatable, like all of these.")
@click.option("--type", multiple=True, help="audience, trigger, api or mixed.")
@click.option("--tag", multiple=True, help="One of the journey's tags.")
@click.option("--title", multiple=True, help="A part of the title; case does not matter.")
def journeys(store: Path, **filters: tuple[str, ...]) -> None:
    """List the journeys of a store, the oldest first: how old the last event of each is, and how much room it takes.

    \b
    Example:
      journey-nb journeys store --status running --status paused --title welcome
    """
    from rich.filesize import decimal

    from journey_nb.store import StoreError

    opened, failed = open_store(store), None
    found = opened.find(**{name: values for name, values in filters.items() if values})
    held = ["last_at", "age", "bytes"]
    try:
        found = found.join(opened.holdings(), on="journey_id", how="left", maintain_order="left")
        found = found.with_columns(age=datetime.now(UTC) - found["last_at"])
    except StoreError as error:  # the journeys are told all the same
        failed, held = error, []
    _print_table(found.select("title", "status", "category", "type", "launched_at", *held, "journey_id"))
    room = f", {decimal(sum(found['bytes']))}" if held else ""
    out.print(f"{found.height:,} journey{'s' * (found.height != 1)}{room}")
    if failed:
        raise failed


# What can be done with a journey, and the one option that it takes.
_VERBS = {"launch": None, "pause": None, "relaunch": "document", "stop": "confirm", "archive": None,
          "clone": "title", "rename": "title"}  # fmt: skip


@main.command()
@_STORE
@_WHICH
@click.argument("verb", type=click.Choice(list(_VERBS)))
@click.option("--confirm", metavar="TITLE", help="The title, typed to stop the journey for good.")
@click.option("--title", help="The new title of rename, or that of the clone.")
@click.option("--document", metavar="FILE", help="The changed journey, to relaunch as the next version.")
@_PATIENCE
def status(store: Path, journey: str, verb: str, patience: float, **options: str | None) -> None:
    """Launch, pause, relaunch, stop, archive, clone or rename a journey of a store.

    JOURNEY is an id, a title, or the first words of a title. Nothing is sent to the sending platform.

    \b
    Example:
      journey-nb status store welcome pause
      journey-nb status store welcome relaunch --document welcome.journey.json
      journey-nb status store welcome stop --confirm "Welcome series"
    """
    from journey_nb.style import word

    given = {name: value for name, value in options.items() if value is not None}
    if odd := [name for name in given if name != _VERBS[verb]]:
        raise click.UsageError(f"{verb} takes no --{odd[0]}")
    if verb == "rename" and not given:
        raise click.UsageError("rename needs --title")
    opened = open_store(store, patience=patience)
    if verb == "stop" and not given:
        given = {"confirm": _typed_title(opened, journey)}
    if verb == "relaunch":
        changed = Journey.read(given["document"]) if given else None
        after = opened.relaunch(journey, changed)
    else:
        after = getattr(opened, verb)(journey, **given)
    out.print(f"“{said(after.label)}” is {word(after.status)}, version {after.version().version}, "
              f"{said(after.journey_id)}. [dim]{word('status_here')}[/]", soft_wrap=True)  # fmt: skip


@main.command()
@_STORE
@_WHICH
@_PATIENCE
def rebuild(store: Path, journey: str, patience: float) -> None:
    """Fold the facts of a journey anew from its kept log: where they are damaged, or of an older release.

    \b
    Example:
      journey-nb rebuild store welcome
    """
    opened = open_store(store, patience=patience)
    title = opened.get(journey).label
    with _step(f"Folding “{title}” anew") as done:
        opened.rebuild(journey)
        done(f"Folded “{title}” anew")


@main.command()
@_STORE
@_WHICH
def history(store: Path, journey: str) -> None:
    """Show who did what to a journey of a store and when, the newest last.

    \b
    Example:
      journey-nb history store "Welcome series"
    """
    _print_table(_registry(store).history(journey))


@main.command()
@_STORE
def loads(store: Path) -> None:
    """Show what was loaded into a store and when, the newest last.

    \b
    Example:
      journey-nb loads store
    """
    _print_table(open_store(store).loads())


@main.command()
@_STORE
@click.argument("name")
@_PATIENCE
def undo(store: Path, name: str, patience: float) -> None:
    """Take the last load back, as if it had never come; the same may be loaded again.

    NAME is what was loaded, as `journey-nb loads` shows it. Files that were loaded together are taken back together.

    \b
    Example:
      journey-nb undo store events.csv
    """
    told = open_store(store, patience=patience).undo(name)
    out.print(f"Took back {said(name)}: {told}", soft_wrap=True)


@main.command()
@_STORE
@click.argument("users", nargs=-1)
@click.option(
    "--file", "path", type=click.File(encoding="utf-8"), help="One user id a line; - for standard input."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@_PATIENCE
def erase(store: Path, users: tuple[str, ...], path: TextIO | None, yes: bool, patience: float) -> None:
    """Remove every row of some users from a store, for good.

    USERS are ids as the log has them. The journeys they were on are folded anew without them.

    \b
    Example:
      journey-nb erase store u-000042 u-000107
      journey-nb erase store --file ids.txt --yes
    """
    ids = {*users, *(path.read().splitlines() if path else ())} - {""}
    if not ids:
        raise click.UsageError("name the users to erase, or a --file of their ids")
    opened = open_store(store, patience=patience)
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("this is for good: say --yes where nobody can be asked")
    if not yes:
        click.confirm(f"Erase {len(ids):,} user{'s' * (len(ids) != 1)} for good?", abort=True, err=True)
    with _step("Folding without them") as done:
        erased = opened.erase(sorted(ids))
        done(f"Erased {_rows(erased)}")


# ---------------------------------------------------------------------------------------------------


def _registry(store: Path) -> Registry:
    from journey_nb.store.database import connection
    from journey_nb.store.registry import Registry

    return Registry(partial(connection, store_file(store)))


def _typed_title(registry: Registry, journey: str) -> str:
    """Ask for the title where there is somebody to ask."""
    if not sys.stdin.isatty():
        return ""
    title = registry.get(journey).label
    err.print(f"This ends “{said(title)}” for good.", soft_wrap=True)
    typed: str = click.prompt("To do so, type its title", default="", show_default=False, err=True)
    return typed


def _print_table(table: pl.DataFrame) -> None:
    """A small table, a line per row, in words for people; on a terminal too narrow for it, a line per value."""
    from journey_nb.style import column

    names = [column(name) for name in table.columns]
    rows = [
        [said(_cell(name, value)) for name, value in zip(table.columns, row, strict=True)]
        for row in table.iter_rows()
    ]
    wide = Console(width=1_000, highlight=False)  # a file has no edge to wrap at
    shown = _grid(names, rows)
    if out.is_terminal and wide.measure(shown).maximum > out.width:
        heads = [f"[bold]{name}[/]" for name in names]
        for row in rows:  # what is to be copied, an id or the name of a load, stays whole
            wide.print(_grid([], zip(heads, row, strict=True)), end="\n\n")
    else:
        wide.print(shown)


def _grid(heads: Sequence[str], rows: Iterable[Iterable[str]]) -> Table:
    grid = Table(*heads, box=None, padding=(0, 2, 0, 0), show_header=bool(heads))
    for row in rows:
        grid.add_row(*row)
    return grid


def _cell(name: str, value: Any) -> str:
    from rich.filesize import decimal

    from journey_nb.style import format, word

    if isinstance(value, datetime):
        return format.instant(value)  # as the register keeps it, in UTC, for journeys of any zone
    if name == "age":
        return format.duration(value)
    if name == "bytes":
        return decimal(value)
    return word(value) if name in ("status", "type") else str("" if value is None else value)


def _check_store(name: str, most: Callable[[int], float] | None) -> bool:
    opened = open_store(name)
    with _step(f"Checking {name}") as done:
        faults = opened.check()
        done(f"Checked {name}: {len(faults) or 'no'} fault{'s' * (len(faults) != 1)}")
    for fault in faults:
        out.print(f"  [red]{said(str(fault))}[/]", soft_wrap=True)
    _print_leftovers(opened)
    return not faults and _print_set_aside(opened, most or (lambda _: inf))


def _print_leftovers(store: Store) -> None:
    """What counts for nothing in the folder of a store, and how it goes away: no fault of the store's."""
    from rich.filesize import decimal

    for place, size, of_a_load in store.leftovers().iter_rows():
        what = "nothing of the store, which leaves it where it is"
        if of_a_load:
            what = (
                "of a load that was interrupted, or goes on; the next load that brings something removes it"
            )
        out.print(f"  {said(place)} ({decimal(size)}) counts for nothing: {what}", soft_wrap=True)


def _print_set_aside(store: Store, most: Callable[[int], float]) -> bool:
    """The rows of a store that do not count, by the rule they broke: no fault of the store's, unless they are too many."""
    lines, read = [], 0
    for key in store:
        facts = store[key].facts
        rows, read = facts.quarantined, read + facts.read
        rules = rows["rule"].value_counts(sort=True).iter_rows()
        told = ", ".join(f"{count:,} {rule}" for rule, count in rules)
        line = f"“{store.get(key).label}”: {_rows(rows.height)} set aside: {told}"
        lines.append((rows.height, facts.read, line))
    strange = sum(store.strange_journeys()["rows"])
    lines.append((strange, read + strange, _strange(store)))  # of all: of themselves they would be all
    for aside, of, line in lines:
        if aside:
            colour = "red" if aside > most(of) else "default"
            out.print(f"  [{colour}]{said(line)}[/]", soft_wrap=True)
    return not any(aside > most(of) for aside, of, _ in lines)


def _strange(store: Store) -> str:
    """Of how many rows the store lacks the journeys, and which these are."""
    found = store.strange_journeys()
    names = [f"{rows:,} of {key!r}" if key else f"{rows:,} that name none" for key, rows in found.iter_rows()]
    told = f"{_rows(sum(found['rows']))} of journeys that the store does not have: {listed(names)}"
    return told if names else ""


def _journey(name: str) -> Journey:
    """A document, or a sample by its name."""
    return Journey.read(name) if Path(name).exists() or name.endswith(".json") else Journey.sample(name)


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
        stats = _stats(journey, log, scope, how)
        return stats.under(people) if people else stats
    if log or (journey and filters):
        raise click.UsageError("of a store name one journey, or filters with --for-each; it has the logs")
    if not journey and name != "campaign":
        raise click.UsageError(
            f"{name} is of one journey: name it, by its id or title; only campaign is of several"
        )
    opened, given = open_store(store), {key: value for key, value in scope.items() if value}
    keys = [journey] if journey else opened.find(**_filters(filters))["journey_id"].to_list()
    if not keys:
        from journey_nb.reports import none_meant

        raise KeyError(none_meant(opened, _filters(filters)))
    found = [chosen(opened[key], **given) for key in keys]
    found = [stats.under(people) for stats in found] if people else found
    return found[0] if journey else found


def _filters(items: tuple[str, ...]) -> dict[str, list[str]]:
    """The journeys of a store that are meant: the values of each filter."""
    from journey_nb.store.registry import FILTERS

    where: dict[str, list[str]] = {}
    for item in items:
        name, value = _pair(item)
        if name not in FILTERS:
            raise click.UsageError(f"no filter {name!r}{near(name, FILTERS)}; there are {', '.join(FILTERS)}")
        where.setdefault(name, []).append(value)
    return where


def _stats(journey: str, log: str, scope: dict[str, Any], how: dict[str, Any]) -> JourneyStats:
    from journey_nb.events import EventLog
    from journey_nb.stats import JourneyStats
    from journey_nb.subject import belonging, chosen

    with _step("Reading the log") as done:
        stats = belonging(JourneyStats(Journey.read(journey), EventLog.read(log, **how)))
        stats = chosen(stats, **{key: value for key, value in scope.items() if value})
        done(f"Read the log: {stats.facts.runs.height:,} runs{_set_aside(stats, journey, log)}")
    return stats


def _set_aside(stats: JourneyStats, journey: str, log: str) -> str:
    rows = stats.facts.quarantined.height
    check = f"journey-nb check {shlex.quote(log)} --journey {shlex.quote(journey)}{_typed()}"
    return f"; {_rows(rows)} in quarantine: {check} says why" if rows else ""


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


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


def _period(period: str, first: str | None, last: str | None) -> str:
    if not first and not last:
        return period
    if period or not (first and last):
        raise click.UsageError("say --from and --to, or --period; --from 2026-03-01 --to 2026-03-31")
    period = f"{first}..{last}"
    _understood(_check_period)(click.get_current_context(), None, period)
    return period


def _pair(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals:
        raise click.UsageError(f"{item}: write it as NAME=VALUE")
    return name, value


def _list_parameters(ctx: click.Context, asked: bool) -> None:
    from journey_nb.reports import parameters

    if not asked:
        return
    table = Table("parameter", "type", "default", "meaning", box=None)
    for row in parameters(ctx.params.get("name", "campaign")).values():
        table.add_row(row.name, row.type, repr(row.default), said(row.help))
    out.print(table)
    ctx.exit()


def _documents(path: str) -> list[str]:
    """The documents that a pattern means; the patterns of logs are read as one log."""
    return (sorted(glob(path, recursive=True)) if path.endswith(".json") else []) or [path]  # noqa: PTH207


def _check_journey(path: str) -> bool:
    try:
        journey = Journey.read(path)
    except (OSError, JourneyError) as error:
        err.print(f"[red]✗[/] {said(_words(error))}", soft_wrap=True)
        if "not JSON: Extra data" in str(error):  # behind the first object
            err.print("  is it a log, with an object a line? Then name it .jsonl")
        return False
    versions = len(journey.versions)
    out.print(f"[green]✓[/] {said(path)}: “{said(journey.label[:200])}”, {versions} version{'s' * (versions != 1)}, "
              f"{len(journey.points())} points, {len(journey.goals)} goal{'s' * (len(journey.goals) != 1)}", soft_wrap=True)  # fmt: skip
    for warning in journey.warnings():
        out.print(f"  [yellow]![/] {said(str(warning))}", soft_wrap=True)
    return True


def _check_log(path: str, journey: Journey | None, how: dict[str, Any], most: Callable[[int], float]) -> bool:
    from journey_nb.events import EventLog, Report
    from journey_nb.facts import fold
    from journey_nb.reading import LogError
    from journey_nb.stats import JourneyStats

    try:
        with _step(f"Reading {path}") as done:
            log = EventLog.read(path, **how)
            judged = log.judge(journey)
            warnings = log.warnings(judged, journey)
            # Which rows break the order of their run, and which goals count for none, is known when runs are put together.
            if journey:
                report = JourneyStats(journey, fold(journey, judged)).report()
            else:
                report = Report.of(judged.quarantined, read=judged.read, duplicates=judged.duplicates)
            done(f"Read {path}")
    except (OSError, LogError) as error:
        err.print(f"[red]✗[/] {said(_words(error))}", soft_wrap=True)
        return False
    report = replace(report, warnings=(*warnings, *report.warnings))
    out.print(said(_by_options(str(report))), soft_wrap=True)
    return report.quarantined <= most(report.read)


def _print_campaign(stats: JourneyStats) -> None:
    """The campaign statistics, a line each."""
    from journey_nb.exports import campaign_statistics
    from journey_nb.style import format

    table = Table(
        title="Campaign statistics", title_justify="left", show_header=False, box=None, padding=(0, 2)
    )
    for name, value in campaign_statistics(stats).row(0, named=True).items():
        shown = (
            format.percent(value)
            if name.endswith("CTR")
            else format.number(value)
            if isinstance(value, int)
            else value
        )
        table.add_row(name, f"[bold]{said(str(shown or '–'))}[/]", style=None)
    out.print()
    out.print(table)
