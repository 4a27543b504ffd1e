"""Reports: a notebook with parameters is run, and leaves itself, a page and a CSV; all of them or none."""

from __future__ import annotations

import ast
import csv
import html
import os
import re
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from journey_nb.journey import Journey, near

if TYPE_CHECKING:
    from journey_nb.metrics.scope import Clock
    from journey_nb.stats import JourneyStats

# Types a parameters cell may state, what a value of each may be, and how a word is read as one.
_TYPES: dict[str, tuple[type | tuple[type, ...], Callable[[str], Any]]] = {
    "str": (str, str),
    "int": (int, int),
    "float": ((int, float), float),
    "bool": (
        bool,
        lambda word: {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
            word.lower()
        ],
    ),
}
# Lines of the parameters cell that run_report fills in itself.
_INNER = ("saved", "journey", "log", "csv")
# Lines that say what of a log is meant, as open_stats takes them.
_SCOPE = ("period", "clock", "as_of", "version", "machine")


class ReportError(Exception):
    """A report that could not be made: a parameter that does not fit, or a cell that failed."""


@dataclass(frozen=True)
class Parameter:
    """One line of a report's parameters cell."""

    name: str
    type: str
    default: Any
    help: str


@dataclass(frozen=True)
class ReportFiles:
    """The files that a report left."""

    notebook: Path
    page: Path
    csv: Path

    def __iter__(self) -> Iterator[Path]:
        return iter((self.page, self.notebook, self.csv))


def report_notebooks() -> dict[str, Path]:
    """The report notebooks by name, from the installed package or from a checkout.

    Examples
    --------
    >>> from journey_nb.reports import report_notebooks
    >>> sorted(report_notebooks())
    ['campaign']
    """
    here = Path(__file__).parent
    for folder in (here / "notebooks", here.parent / "notebooks"):
        if found := sorted(folder.glob("*_report.ipynb")):
            return {path.stem.removesuffix("_report"): path for path in found}
    return {}


def parameters(name: str) -> dict[str, Parameter]:
    """What a report may be told beside its journey and log, from its notebook's parameters cell.

    Examples
    --------
    >>> from journey_nb.reports import parameters
    >>> parameters("campaign")["version"].default
    0
    """
    import papermill

    found = papermill.inspect_notebook(str(_notebook(name)))
    return {
        key: Parameter(key, row["inferred_type_name"], _literal(row["default"]), row["help"])
        for key, row in found.items()
        if key not in _INNER
    }


def run_report(
    name: str = "campaign",
    *,
    stats: JourneyStats | None = None,
    journey: str | Path | None = None,
    log: str | Path | None = None,
    out: str | Path = "reports",
    progress: bool = False,
    **values: Any,
) -> ReportFiles:
    """Run a report and leave its executed notebook, its offline page and the campaign's CSV in ``out``.

    The three files appear together, or none does and what stood there stays.

    Parameters
    ----------
    name
        The report, such as ``campaign``.
    stats
        What it is about, with its period, clock and filters; or give ``journey`` and ``log``.
    journey, log
        The journey document and the event log, as paths (the log may be a pattern).
    out
        The folder for the files.
    progress
        Whether to show a progress bar.
    **values
        Values for the notebook's parameters cell; :func:`parameters` lists them.

    Raises
    ------
    ReportError
        When a parameter does not fit, before anything runs; or when a cell fails, naming the cell.
        The notebook as far as it came is kept as ``*.failed.ipynb``.
    """
    notebook = _notebook(name)
    checked = check_parameters(name, values)
    if (stats is None) == (journey is None and log is None):
        raise ReportError("give either stats=, or journey= and log=")
    if stats is None and (journey is None or log is None):
        raise ReportError(f"{'journey' if journey is None else 'log'}= is missing beside the other one")
    subject = belonging(stats).journey if stats is not None else Journey.read(str(journey))
    _check_scope(subject, log, checked)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    _sweep(out)
    # Beside the final place, so that the moves below stay within one file system.
    with tempfile.TemporaryDirectory(dir=out, prefix=".making-") as made:
        covered = str(checked.get("period") or (stats.chosen if stats is not None else ""))
        work, stem = Path(made), _stem(subject, name, covered, out)
        if stats is not None:
            checked |= {"saved": "stats"}
            stats.save(work / "stats")
        else:
            checked |= {"journey": _from_anywhere(str(journey)), "log": _from_anywhere(str(log))}
        files = ReportFiles(work / f"{stem}.ipynb", work / f"{stem}.html", work / f"{stem}.csv")
        try:
            _execute(notebook, files.notebook, {**checked, "csv": files.csv.name}, progress)
        except ReportError as error:
            if files.notebook.exists():
                kept = out / f"{stem}.failed.ipynb"
                files.notebook.replace(kept)
                error.add_note(f"the notebook as far as it came: {kept}")
            raise
        _tidy(files.notebook, out, checked)
        files.page.write_text(notebook_page(files.notebook), encoding="utf-8")
        publish(files, out)
        (out / f"{stem}.failed.ipynb").unlink(missing_ok=True)
    return ReportFiles(*(out / path.name for path in (files.notebook, files.page, files.csv)))


def _from_anywhere(path: str) -> str:
    from journey_nb.reading import is_url

    return path if is_url(path) else str(Path(path).absolute())


def _check_scope(journey: Journey, log: str | Path | None, values: Mapping[str, Any]) -> None:
    """Refuse what no report can be about, before a kernel starts for it."""
    import polars as pl

    from journey_nb.events import COLUMNS, EventLog
    from journey_nb.stats import JourneyStats

    if log is not None:
        EventLog.read(str(log))  # lazily: whether there is such a file, and what its columns are
    nothing = JourneyStats(journey, pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.String)))
    try:
        _chosen(nothing, **{name: values[name] for name in _SCOPE if name in values})
        if goal := values.get("goal"):
            journey.goal(goal)
    except (KeyError, ValueError) as error:
        raise ReportError(error.args[0]) from None


def _stem(journey: Journey, name: str, period: str, out: Path) -> str:
    """What a report's files are called; reports on other periods or other journeys keep theirs."""
    title = slug(journey.label) or slug(journey.journey_id)
    end = f"-{slug(period)}" if period not in ("", "launch") else ""
    stem = f"{title}-{name}{end}"
    try:
        with (out / f"{stem}.csv").open(encoding="utf-8", newline="") as lines:
            there = next(csv.DictReader(lines), {}).get("UUID", journey.journey_id)
    except (OSError, ValueError):
        return stem
    return stem if there == journey.journey_id else f"{title}-{slug(journey.journey_id[:8])}-{name}{end}"


def _sweep(out: Path) -> None:
    """Remove what a run that was killed left behind, a day later."""
    for left in out.glob(".making-*"):
        with suppress(OSError):
            if left.stat().st_mtime < time.time() - 86_400:
                shutil.rmtree(left)


def publish(files: Iterable[Path], out: Path) -> None:
    """Move files to their folder, over those of the same names: all of them, or on a failure none.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as made, TemporaryDirectory() as out:
    ...     _ = Path(made, "a").write_text("new")
    ...     publish([Path(made, "a")], Path(out))
    ...     Path(out, "a").read_text()
    'new'
    """
    moved: list[tuple[Path, Path]] = []
    with _alone(out):
        try:
            for made in files:
                place, old = out / made.name, made.with_name(f"old-{made.name}")
                if place.exists():
                    shutil.copy2(place, old)
                made.replace(place)
                moved.append((place, old))
        except BaseException:
            for place, old in moved:
                old.replace(place) if old.exists() else place.unlink()
            raise


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else publishes into a folder; only Unix has the lock for it."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    place = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network drives know no locks
            fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)  # and with it the lock


def check_parameters(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that fit a report's parameters cell; words are read as the type the cell states.

    Raises
    ------
    ReportError
        Naming the near miss or the type that is wanted.

    Examples
    --------
    >>> from journey_nb.reports import check_parameters
    >>> check_parameters("campaign", {"version": "2"})
    {'version': 2}
    >>> check_parameters("campaign", {"perod": "7d"})
    Traceback (most recent call last):
    journey_nb.reports.ReportError: the campaign report has no parameter 'perod'; did you mean 'period'?
    """
    known = parameters(name)
    checked: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise ReportError(
                f"the {name} report has no parameter {key!r}{near(key, known) or '; it has ' + ', '.join(known)}"
            )
        wanted = known[key].type
        accepted, read = _TYPES[wanted]
        if isinstance(value, str) and wanted != "str":
            try:
                value = read(value)
            except (ValueError, KeyError):
                raise ReportError(f"{key}={value!r}: {wanted} is wanted ({known[key].help})") from None
        if not isinstance(value, accepted) or (isinstance(value, bool) and wanted != "bool"):
            raise ReportError(f"{key}={value!r}: {wanted} is wanted ({known[key].help})")
        checked[key] = value
    return checked


def slug(text: str) -> str:
    """A title as a file name: letters and digits of any script, joined by hyphens.

    Examples
    --------
    >>> from journey_nb.reports import slug
    >>> slug("Café: «Hello!» / 환영"), slug("../..")
    ('café-hello-환영', '')
    """
    words = re.findall(r"\w+", unicodedata.normalize("NFC", text[:1000]).lower().replace("_", " "))
    name = "-".join(words)
    while len(name.encode()) > 100:  # file systems count bytes
        name = name[:-1]
    return name.strip("-")


def notebook_page(path: Path) -> str:
    """An executed notebook as one page that asks no network for anything; its code is left out."""
    import nbformat
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    from journey_nb.render.page import page_html

    notebook = nbformat.read(path, as_version=4)
    markdown = MarkdownWithMath(renderer=IPythonRenderer(escape=True, exclude_anchor_links=True))
    parts: list[str] = []
    for cell in notebook.cells:
        if "hide" in cell.metadata.get("tags", ()):
            continue
        if cell.cell_type == "markdown":
            parts.append(markdown.render(cell.source))
        elif cell.cell_type == "code":
            parts.extend(_output_html(output) for output in cell.outputs)
    return page_html(notebook.metadata.get("title", path.stem), parts)


def _output_html(output: Mapping[str, Any]) -> str:
    """One output as HTML: what was made as HTML, else a picture, else the words."""
    if output["output_type"] == "stream":
        return f"<pre>{html.escape(output['text'])}</pre>"
    data = output.get("data", {})
    if "text/html" in data:
        return f'<div class="jnb-output">{data["text/html"]}</div>'
    text = html.escape(str(data.get("text/plain", "")), quote=True)
    if "image/svg+xml" in data:
        # Inline, so that the picture follows the page's theme.
        return f'<figure class="jnb-chart" role="img" aria-label="{text}">{data["image/svg+xml"]}</figure>'
    return f"<pre>{text}</pre>" if text else ""


def open_stats(
    saved: str = "",
    journey: str = "",
    log: str = "",
    *,
    period: str = "",
    clock: str = "",
    as_of: str = "",
    version: int = 0,
    machine: bool = False,
) -> JourneyStats:
    """The stats that a report's parameters cell asks for; what is empty stays as it is.

    Without a journey and a log it is the welcome sample over a small simulated audience, so that a
    report notebook runs as it stands.
    """
    from journey_nb.events import EventLog
    from journey_nb.stats import JourneyStats

    if saved:
        stats = JourneyStats.load(saved)
    elif journey:
        stats = belonging(JourneyStats(Journey.read(journey), EventLog.read(log)))
    else:
        from journey_nb.simulate import simulate

        sample = Journey.sample("welcome")
        stats = JourneyStats(sample, EventLog.from_frame(simulate(sample, users=2_000)))
    return _chosen(stats, period, clock, as_of, version, machine)


def _chosen(
    stats: JourneyStats,
    period: str = "",
    clock: str = "",
    as_of: str = "",
    version: int = 0,
    machine: bool = False,
) -> JourneyStats:
    if as_of:
        stats = stats.as_of(as_of)
    if period:
        first, dots, last = period.partition("..")
        stats = stats.between(first, last) if dots else stats.period(period)
    if clock:
        stats = stats.clock(cast("Clock", clock))  # an unknown one is told there
    if version:
        stats = stats.version(version)
    return stats.machine(include=True) if machine else stats


def belonging(stats: JourneyStats) -> JourneyStats:
    """The stats, unless no row of their log counts: then the log is another journey's.

    Raises
    ------
    ReportError
        Naming the rules that the rows broke, and the journeys they name instead.
    """
    from journey_nb.facts import Folded

    facts, journey = stats.facts, stats.journey
    if not isinstance(facts, Folded) or not facts.read or facts.loaded:
        return stats
    quarantined = facts.quarantined
    rules = quarantined["rule"].value_counts(sort=True).head(3).iter_rows()
    error = ReportError(
        f"no row of the log belongs to {journey.label!r}: {', '.join(f'{rule} {n:,}' for rule, n in rules)}"
    )
    foreign = quarantined.filter(quarantined["rule"] == "unknown_journey")["journey_id"].drop_nulls()
    if found := foreign.value_counts(sort=True).head(3)["journey_id"].to_list():
        named = ", ".join(repr(one[:80]) for one in found)
        error.add_note(f"the log names the journey {named}, the document is {journey.journey_id!r}")
    raise error


def _notebook(name: str) -> Path:
    known = report_notebooks()
    if name not in known:
        raise ReportError(f"no report {name!r}{near(name, known)}; there is {', '.join(known) or 'none'}")
    return known[name]


def _literal(source: str) -> Any:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return source


def _execute(source: Path, target: Path, values: Mapping[str, Any], progress: bool) -> None:
    """Run a notebook; where a cell fails, what ran is written all the same."""
    import papermill
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    try:
        papermill.execute_notebook(
            str(source),
            str(target),
            parameters=dict(values),
            cwd=str(target.parent),
            # Both named: a notebook without a kernelspec of its own would not start otherwise.
            kernel_name="python3",
            language="python",
            progress_bar={"desc": "  running the report", "ncols": 76, "leave": False} if progress else False,
            # A viewer without a kernel never shows stored widgets, and they are heavy.
            store_widget_state=False,
            record_timing=False,
            config=Config({"KernelManager": {"transport_encryption": "required"}}),
        )
    except papermill.PapermillExecutionError as error:
        place = _failing_cell(target)
        raise ReportError(f"the report failed {place}: {error.ename}: {_plain(error.evalue)}") from None
    except DeadKernelError:
        raise ReportError(
            "the kernel of the report died; often the memory did not suffice for the log"
        ) from None


def _failing_cell(path: Path) -> str:
    """Where a notebook failed: the heading above the cell, and the cell's own first line."""
    import nbformat

    heading = ""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown" and "papermill-error-cell-tag" not in cell.metadata.get("tags", ()):
            heading = next(
                (line.strip("# ") for line in cell.source.splitlines() if line.startswith("#")), heading
            )
        elif any(output.output_type == "error" for output in cell.get("outputs", ())):
            first = next((line for line in cell.source.splitlines() if line.strip()), "")
            return f"under “{heading}”, in the cell that begins “{first}”"
    return "before its first cell"


def _tidy(path: Path, out: Path, values: Mapping[str, Any]) -> None:
    """Take out when and where it ran: the same input leaves the same notebook, and it runs again from ``out``."""
    import nbformat

    again = dict(values)
    if again.pop("saved", ""):
        head = "# Ran on statistics that were in memory; name a journey and a log to run it again."
    else:
        head = "# Parameters"
        again |= {name: os.path.relpath(values[name], out) for name in ("journey", "log")}
    notebook = nbformat.read(path, as_version=4)
    for holder in (notebook, *notebook.cells):
        holder.metadata.pop("papermill", None)
        if "injected-parameters" in holder.metadata.get("tags", ()):
            holder.source = "\n".join((head, *(f"{name} = {value!r}" for name, value in again.items())))
    nbformat.write(notebook, path)


def _plain(text: str) -> str:
    """Without the colours that a traceback carries."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).strip()
