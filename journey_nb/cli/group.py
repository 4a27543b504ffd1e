"""The group that all commands are of: a person's mistakes are told in a line or two, everything else keeps its traceback."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import threading
from typing import Any

import click

from journey_nb.cli.telling import MISTAKES, by_options, err, said, words_of
from journey_nb.files import is_full


class _Polite(click.Group):
    """A command group that tells a person's mistake without a traceback (exit code 1; 2 for words that mean nothing)."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            known = isinstance(error, (OSError, KeyError, ValueError)) or type(error).__name__ in MISTAKES
            if not (known or is_full(error)):
                raise
            self._tell(ctx, error)

    def _tell(self, ctx: click.Context, error: Exception) -> None:
        if os.environ.get("JOURNEY_NB_TRACEBACK"):
            raise error
        text = words_of(error)
        err.print(f"[bold red]Error:[/] {said(text)}", soft_wrap=True)
        for note in getattr(error, "__notes__", ()):
            err.print(f"  {said(by_options(note))}", soft_wrap=True)
        if isinstance(error, (KeyError, ValueError)) and type(error).__name__ not in MISTAKES:
            err.print("  [dim]JOURNEY_NB_TRACEBACK=1 shows where[/]")
        ctx.exit(2 if type(error).__name__ == "AskedError" else 1)


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
      3    import: more rows were set aside than --max-quarantined allows, or all; what was loaded stays loaded
      143  ended from outside (SIGTERM): the same again goes on
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # an old console without “✓” shows ? instead
            stream.reconfigure(errors="replace")
    if threading.current_thread() is threading.main_thread():  # ended from outside, it still cleans up
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        click.get_current_context().call_on_close(lambda: signal.signal(signal.SIGTERM, before))
    log, told = logging.getLogger("journey_nb"), _Told()
    log.addHandler(told)
    click.get_current_context().call_on_close(lambda: log.removeHandler(told))


class _Told(logging.Handler):
    """What the package says in Python's log, in the words of the command line."""

    def emit(self, record: logging.LogRecord) -> None:
        err.print(f"[yellow]![/] {said(by_options(record.getMessage()))}", soft_wrap=True)
