"""Reports, and notebooks made ready for readers without a kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from journey_nb.cli.group import main
from journey_nb.cli.options import filters_of, pair, reading, redacting, refuse_of_store, scoped, stored
from journey_nb.cli.tables import stats_of
from journey_nb.cli.telling import err, out, said, step, words_of


@main.command()
@click.argument("name", default="campaign", is_eager=True)
@click.argument("key", required=False)
@click.option("--journey", type=click.Path(dir_okay=False), help="The journey document, with --log.")
@click.option("--log", help="The event log: a file or a pattern.")
@stored("KEY", "A report")
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
@reading
@redacting
@scoped
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
    refuse_of_store(how, store)
    try:
        _check_about(name, bool(journey and log), store, key, filters)
        values = check_parameters(name, dict(pair(item) for item in given))
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
        about = {"stats": stats_of(journey, log, {}, how)}
    with step(f"Running the {name} report", spinner=False) as done:
        made = run_report(name, **about, **options, **values)
        done(f"Ran the {name} report" if made.fresh else f"Nothing changed since the last {name} report")
    out.print("Written:" if made.fresh else "There already:")
    for path in made:
        out.print(f"  [bold]{said(str(path))}[/]", soft_wrap=True)


def _list_parameters(ctx: click.Context, asked: bool) -> None:
    from journey_nb.reports import parameters

    if not asked:
        return
    table = Table("parameter", "type", "default", "meaning", box=None)
    for row in parameters(ctx.params.get("name", "campaign")).values():
        table.add_row(row.name, row.type, repr(row.default), said(row.help))
    out.print(table)
    ctx.exit()


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
    for title, made in run_for_each(name, store, filters_of(filters), **options):
        if isinstance(made, Exception):
            failed = True
            err.print(f"[red]✗[/] {said(title)}: {said(words_of(made))}", soft_wrap=True)
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
