"""Documents and logs: a demo, a new document, checking, importing, simulating."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from glob import glob
from math import inf
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from journey_nb.cli.group import main
from journey_nb.cli.options import MOST, PATIENCE, reading
from journey_nb.cli.telling import by_options, err, out, said, so_many_rows, step, words_of
from journey_nb.files import shared
from journey_nb.journey import Journey, JourneyError, listed
from journey_nb.subject import open_store

if TYPE_CHECKING:
    from journey_nb.stats import JourneyStats
    from journey_nb.store import Loaded, Store


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
    with step("Loading the package") as done:
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
    with step(f"Simulating “{journey.label}” for {users:,} users") as done:
        events = simulated(journey, users=users, seed=seed)
        journey.write(document)
        write_table(events, log_path)
        done(f"Simulated “{journey.label}” for {users:,} users: {events.height:,} events")
    with step("Reading the log and folding it into facts") as done:
        stats = JourneyStats(journey, EventLog.read(log_path))
        facts = stats.facts
        done(f"Read the log: {facts.runs.height:,} runs, {facts.visits.height:,} visits, "
             f"{facts.messages.height:,} messages, {facts.goals.height:,} goals reached")  # fmt: skip
    with step("Running the campaign report", spinner=False) as done:
        report = run_report("campaign", journey=document, log=log_path, out=folder, progress=err.is_terminal)
        done("Ran the campaign report")
    picture = canvas(stats).save(folder / "welcome-canvas.svg")
    _print_campaign(stats)
    out.print("\nWritten:")
    for path, what in ((report["html"], "the report: open it in a browser"), (report["notebook"], "the same as a notebook"),
                       (report["csv"], "the campaign's numbers"), (picture, "the canvas"), (document, "the journey"),
                       (log_path, "its event log")):  # fmt: skip
        out.print(f"  [bold]{said(str(path))}[/]  [dim]{what}[/]", soft_wrap=True)


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


_SAMPLES = "welcome", "abandoned_cart", "win_back"


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


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--journey", "document", help="The journey that the logs belong to: judges their points and branches too."
)
@MOST(
    help="So many rows may be set aside: of a log (none, unless said), of each journey of a store (any number)."
)
@reading
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


def _documents(path: str) -> list[str]:
    """The documents that a pattern means; the patterns of logs are read as one log."""
    return (sorted(glob(path, recursive=True)) if path.endswith(".json") else []) or [path]  # noqa: PTH207


def _check_journey(path: str) -> bool:
    try:
        journey = Journey.read(path)
    except (OSError, JourneyError) as error:
        err.print(f"[red]✗[/] {said(words_of(error))}", soft_wrap=True)
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
        with step(f"Reading {path}") as done:
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
        err.print(f"[red]✗[/] {said(words_of(error))}", soft_wrap=True)
        return False
    report = replace(report, warnings=(*warnings, *report.warnings))
    out.print(said(by_options(str(report))), soft_wrap=True)
    return _few_enough(report.quarantined, report.read, most, path)


def _few_enough(aside: int, read: int, most: Callable[[int], float], where: str) -> bool:
    """Whether so many rows may be set aside; of too many it is said: the reason of the exit code where nothing is coloured."""
    if told := _over(aside, read, most):
        err.print(f"[red]✗[/] {said(where)}: {told}", soft_wrap=True)
    return not told


def _check_store(name: str, most: Callable[[int], float] | None) -> bool:
    opened = open_store(name)
    with step(f"Checking {name}") as done:
        faults = opened.check()
        done(f"Checked {name}: {len(faults) or 'no'} fault{'s' * (len(faults) != 1)}")
    for fault in faults:
        out.print(f"  [red]{said(by_options(str(fault)))}[/]", soft_wrap=True)
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
    from journey_nb.events import Report

    lines, read = [], 0
    for key in store:
        facts = store[key].facts
        told = Report.of(facts.quarantined, read=facts.read, duplicates=facts.duplicates)
        label = f"“{store.get(key).label}”"
        lines.append((told.quarantined, told.read, label, f"{label}: {told}".replace("\n", "\n  ")))
        read += told.read
    strange = sum(store.strange_journeys()["rows"])
    # Of all: of themselves they would be all.
    lines.append((strange, read + strange, "of other journeys", _strange(store)))
    fine = True
    for aside, of, where, line in lines:
        if aside:
            colour = "red" if aside > most(of) else "default"
            out.print(f"  [{colour}]{said(line)}[/]", soft_wrap=True)
        fine &= _few_enough(aside, of, most, where)
    return fine


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
@MOST(
    help="End with exit code 3 where more of the rows that were read are set aside, without it where as many are as were read; "
    "what was loaded stays loaded."
)
@PATIENCE
@reading
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
    with _none_left(store) as taken:
        opened = Store(store, patience=patience)
        known = set(opened)
        waiting = dict(opened.strange_journeys().iter_rows()) if journeys else {}
        for journey in journeys:
            label = f"“{opened.add(journey).label}”"
            taken += [label] * (journey.journey_id not in known)
            if waited := waiting.get(journey.journey_id):
                out.print(
                    f"{so_many_rows(waited)} that had waited for {said(label)} read again", soft_wrap=True
                )
        with Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
            task = bar.add_task("Reading", total=1)
            try:
                loaded = opened.load(
                    list(logs),
                    keep_log=not no_log,
                    progress=lambda words, share: bar.update(
                        task, description=words.capitalize(), completed=share
                    ),
                    **how,
                )
            except (KeyboardInterrupt, SystemExit):
                err.print("Interrupted: what was loaded stays loaded; the same again goes on")
                raise
    out.print(said(str(loaded)), soft_wrap=True)
    if strange := _strange(opened):
        out.print(f"[yellow]{said(strange)}[/]; add them with --journey", soft_wrap=True)
    rule = f"journey-nb check {said(shlex.quote(str(store)))} says by which rule"
    if too_many := _too_many(loaded, most):
        err.print(
            f"[bold red]Error:[/] {too_many}: what was loaded stays loaded; {rule}, journey-nb undo takes the last load back",
            soft_wrap=True,
        )
        raise SystemExit(3)
    if loaded.quarantined > 0:
        out.print(f"[yellow]{so_many_rows(loaded.quarantined)} set aside[/]: {rule}", soft_wrap=True)


def _too_many(loaded: Loaded, most: Callable[[int], float] | None) -> str:
    """Of a load that set aside more rows than it may, or as many as it read where nothing says how many: how many these are."""
    aside, read = loaded.quarantined, loaded.read
    # Those set aside may be others than it read: a file that is corrected and sent again does that to older rows.
    if most is None:
        told = f"{so_many_rows(read)} read and {aside:,} set aside, no more count than before"
        return told if aside >= read > 0 else ""
    return _over(aside, read, most)


def _over(aside: int, read: int, most: Callable[[int], float]) -> str:
    """Of more rows set aside than may be: how many these are."""
    if aside <= most(read):
        return ""
    return f"{aside:,} of {so_many_rows(read)} were set aside, more than the {int(most(read)):,} that --max-quarantined allows"


@contextmanager
def _none_left(store: Path) -> Iterator[list[str]]:
    """A store that is new goes again where an error lets nothing into it, with the folders made for it.

    What was loaded before the error stays, and so does a store that others are loading into; which journeys were ``taken``
    into one that stays is told.
    """
    made = [folder for folder in (store, *store.parents) if not folder.exists()]
    taken = list[str]()
    with shared(store) as alone:
        try:
            yield taken
        except Exception as error:  # not an interruption: that import goes on
            if made and alone() and not any(store.glob("layers/*")):
                rmtree(store, ignore_errors=True)
                with suppress(OSError):
                    for folder in made[1:]:
                        folder.rmdir()
            elif taken:
                error.add_note(f"taken into the store all the same: {listed(taken)}")
            raise


def _strange(store: Store) -> str:
    """Of how many rows the store lacks the journeys, and which these are."""
    found = store.strange_journeys()
    names = [f"{rows:,} of {key!r}" if key else f"{rows:,} that name none" for key, rows in found.iter_rows()]
    told = f"{so_many_rows(sum(found['rows']))} of journeys that the store does not have: {listed(names)}"
    return told if names else ""


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
        with step(f"Simulating “{subject.label}” for {users:,} users"):
            write_table(simulated(subject, users, days=days, seed=seed), path, spreadsheet_safe=False)
    else:  # in chunks, so that it may be larger than the memory
        with Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
            task = bar.add_task(f"Simulating “{said(subject.label)}”", total=users)
            simulate_to(
                path, subject, users, days=days, seed=seed,
                progress=lambda done, _: bar.update(task, completed=done),
            )  # fmt: skip
    out.print(f"Wrote [bold]{said(str(path))}[/]", soft_wrap=True)


def _journey(name: str) -> Journey:
    """A document, or a sample by its name."""
    return Journey.read(name) if Path(name).exists() or name.endswith(".json") else Journey.sample(name)
