"""What is in a store, its journeys' status, and taking back what was loaded."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from journey_nb.cli.group import main
from journey_nb.cli.options import PATIENCE
from journey_nb.cli.telling import err, out, print_table, said, so_many_rows, step
from journey_nb.journey import Journey, listed
from journey_nb.subject import open_store, store_file

if TYPE_CHECKING:
    from journey_nb.store.registry import Registry

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
    print_table(found.select("title", "status", "category", "type", "launched_at", *held, "journey_id"))
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
@PATIENCE
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
    same = ""
    if verb == "relaunch":
        changed = Journey.read(given["document"]) if given else None
        before = opened.get(journey).version().version
        after = opened.relaunch(journey, changed)
        same = "no new version, " * (after.version().version == before)
    else:
        after = getattr(opened, verb)(journey, **given)
    out.print(f"“{said(after.label)}” is {word(after.status)}, version {after.version().version}, {same}"
              f"{said(after.journey_id)}. [dim]{word('status_here')}[/]", soft_wrap=True)  # fmt: skip


def _typed_title(registry: Registry, journey: str) -> str:
    """Ask for the title where there is somebody to ask."""
    if not sys.stdin.isatty():
        return ""
    title = registry.get(journey).label
    err.print(f"This ends “{said(title)}” for good.", soft_wrap=True)
    typed: str = click.prompt("To do so, type its title", default="", show_default=False, err=True)
    return typed


@main.command()
@_STORE
@_WHICH
@PATIENCE
def rebuild(store: Path, journey: str, patience: float) -> None:
    """Fold the facts of a journey anew from its kept log: where they are damaged, or of an older release.

    \b
    Example:
      journey-nb rebuild store welcome
    """
    opened = open_store(store, patience=patience)
    title = opened.get(journey).label
    with step(f"Folding “{title}” anew") as done:
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
    print_table(_registry(store).history(journey))


def _registry(store: Path) -> Registry:
    from journey_nb.store.database import connection
    from journey_nb.store.registry import Registry

    return Registry(partial(connection, store_file(store)))


@main.command()
@_STORE
def loads(store: Path) -> None:
    """Show what was loaded into a store, when, by whom, how it was read and what became of its rows, the newest last.

    Of files that were loaded together the first has the numbers of all.

    \b
    Example:
      journey-nb loads store
    """
    print_table(open_store(store).loads())


@main.command()
@_STORE
@click.argument("name")
@PATIENCE
def undo(store: Path, name: str, patience: float) -> None:
    """Take the last load back, as if it had never come; the same may be loaded again.

    NAME is what was loaded, as `journey-nb loads` shows it. Files that were loaded together are taken back together.

    \b
    Example:
      journey-nb undo store events.csv
    """
    opened = open_store(store, patience=patience)
    before = opened.loads()
    told = opened.undo(name)
    gone = listed(before.filter(loaded_at=before["loaded_at"][-1])["name"].to_list())
    out.print(f"Took back {said(gone)}: {told}", soft_wrap=True)


@main.command()
@_STORE
@click.argument("users", nargs=-1)
@click.option(
    "--file", "path", type=click.File(encoding="utf-8-sig"), help="One user id a line; - for standard input."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@PATIENCE
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
    with step("Folding without them") as done:
        erased = opened.erase(sorted(ids))
        done(f"Erased {so_many_rows(erased)}")
