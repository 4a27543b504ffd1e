"""Reports: a notebook with parameters is run, and leaves itself, a page and tables; all of them or none."""

from __future__ import annotations

import ast
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from journey_nb import manifest
from journey_nb.files import fitting, whole_folder
from journey_nb.imports import lean_jsonschema
from journey_nb.journey import CHANNELS, Journey, near
from journey_nb.metrics import small
from journey_nb.metrics.groups import plain
from journey_nb.store.registry import FILTERS
from journey_nb.store.sound import sha256
from journey_nb.style import locales, word
from journey_nb.subject import AskedError, ReportError, belonging, chosen, open_stats, open_store, words

if TYPE_CHECKING:
    import polars as pl

    from journey_nb.pseudonyms import Pseudonyms
    from journey_nb.stats import JourneyStats
    from journey_nb.store import Store

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
_INNER = ("saved", "store", "journey", "log", "out")
# What run_report takes beside a notebook's parameters and what it is about.
_HOW = ("out", "formats", "only_if_changed", "redact", "progress")
# Lines that say what of a log is meant, as chosen takes them; and which journeys of a store.
_SCOPE = ("period", "clock", "as_of", "version", "machine", "small_groups")

FORMATS = {
    "html": ".html",
    "pdf": ".pdf",
    "notebook": ".ipynb",
    "csv": ".csv",
    "parquet": ".parquet",
    "xlsx": ".xlsx",
}
"""What a report may leave, and how the files end."""
_BROWSERS = (
    "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome",
)  # fmt: skip
_PRINTS_WITHIN = 300  # seconds


@dataclass(frozen=True)
class Parameter:
    """One line of a report's parameters cell."""

    name: str
    type: str
    default: Any
    help: str


@dataclass(frozen=True)
class ReportFiles:
    """What a report left: ``files["html"]`` and the others by their format, in a folder of their own.

    ``fresh`` is False where nothing had changed and the files are those of the run before.
    """

    folder: Path
    files: Mapping[str, Path]
    fresh: bool = True

    def __getitem__(self, format: str) -> Path:
        return self.files[format]

    def __iter__(self) -> Iterator[Path]:
        return iter((*self.files.values(), self.folder / manifest.MANIFEST))

    @property
    def manifest(self) -> dict[str, Any]:
        """Parameters, inputs, rows, checks, versions, durations and outputs of the run."""
        return manifest.read(self.folder) or {}


def report_notebooks() -> dict[str, Path]:
    """The report notebooks by name, from the installed package or from a checkout.

    Examples
    --------
    >>> from journey_nb.reports import report_notebooks
    >>> sorted(report_notebooks())
    ['campaign', 'channel', 'experiment', 'path', 'portfolio']
    """
    here = Path(__file__).parent
    for folder in (here / "notebooks", here.parent / "notebooks"):
        if found := sorted(folder.glob("*_report.ipynb")):
            return {path.stem.removesuffix("_report"): path for path in found}
    return {}


def parameters(name: str) -> dict[str, Parameter]:
    """What a report may be told beside what it is about, from its notebook's parameters cell.

    Examples
    --------
    >>> from journey_nb.reports import parameters
    >>> parameters("campaign")["version"].default
    0
    """
    return {key: row for key, row in _cell(name).items() if key not in _INNER}


def is_of_one(name: str) -> bool:
    """Whether a report is about one journey, and not about a whole store.

    Examples
    --------
    >>> from journey_nb.reports import is_of_one
    >>> is_of_one("campaign"), is_of_one("portfolio")
    (True, False)
    """
    return "journey" in _cell(name)


@cache  # it is asked for three times before a kernel starts
def _cell(name: str) -> Mapping[str, Parameter]:
    with lean_jsonschema():
        import papermill

    found = papermill.inspect_notebook(str(_notebook(name)))
    return {
        key: Parameter(key, row["inferred_type_name"], _literal(row["default"]), row["help"])
        for key, row in found.items()
    }


def run_report(
    name: str = "campaign",
    *,
    stats: JourneyStats | None = None,
    journey: str | Path | None = None,
    log: str | Path | None = None,
    store: str | Path | Store | None = None,
    out: str | Path = "reports",
    formats: Sequence[str] = ("html", "notebook", "csv"),
    only_if_changed: bool = False,
    redact: Pseudonyms | bool | None = None,
    progress: bool = False,
    **values: Any,
) -> ReportFiles:
    """Run a report and leave its files in a folder of its own below ``out``, with a manifest.json.

    The folder appears whole, or what stood there stays, whatever ends the process.

    Parameters
    ----------
    name
        The report, such as ``campaign``.
    stats
        What it is about, with its period, clock and filters; or give ``journey`` and ``log``, or ``store``.
    journey, log
        The journey document and the event log, as paths (the log may be a pattern).
    store
        The folder of a store, or the store, in which ``journey`` is an id or a title.
    out
        The folder for the report's folder.
    formats
        Which of html, pdf, notebook, csv, parquet and xlsx to leave. A PDF needs a Chromium: the one that
        CHROMIUM names, or one on the PATH.
    only_if_changed
        Run only if something differs from the run before: an input, a parameter, a version.
    redact
        The pseudonyms under which users and devices are shown, or True for those by the key of the environment, as
        :meth:`Pseudonyms.from_environment` finds it; the report says so, and a ``user`` that it is asked for
        is named as the log names it. The notebook is not given the log then. A portfolio takes none.
        Groups smaller than 5 are hidden too, unless ``small_groups`` says otherwise or a ``user`` is asked for.
    progress
        Whether to show a progress bar.
    **values
        Values for the notebook's parameters cell; :func:`parameters` lists them. Without a ``locale`` it is
        that of ``set_locale``.

    Raises
    ------
    ReportError
        When a parameter does not fit, before anything runs; or when a cell fails, naming the cell.
        The notebook as far as it came is kept as ``*.failed.ipynb``.
    """
    notebook = _notebook(name)
    _check_given(stats, journey=journey, log=log, store=store)
    if Path(out, "store.sqlite").is_file():  # whoever loads into it holds the folder
        raise ReportError(f"{out} is a store: name another folder for reports")
    redact = _pseudonyms(redact)
    if redact is not None and not values.get("user") and not (stats and stats.least):
        values.setdefault("small_groups", small.USUAL)
    checked = _checked(name, values)
    wanted = _check_formats(formats)
    about = _about(name, stats, journey, log, store, checked)
    _check_values(about.journeys[0], checked, stats.least if stats else 0)
    if redact is not None:
        about, checked = _under(name, redact, about, checked)
    redacted = _redacted(about.stats, checked)
    asked = _asked(name, about.stats, checked)  # under pseudonyms no condition names anybody
    out = Path(out)
    place = _place(about, name, asked, out, redacted)
    # What a redacted report was made of would tell of those in it.
    lines = about.lines if redacted is None else {"saved": "stats"}
    with _workshop(out) as work:
        told: dict[str, Any] = {
            "report": name,
            "about": about.identity,
            "parameters": asked,
            "redacted": redacted,
            "inputs": about.inputs(work, place)
            if redacted is None
            else manifest.sealed(about.inputs(work, place)),
            "notebook": sha256(notebook),
            "versions": manifest.versions(),
        }
        names = {format: place.name + ending for format, ending in FORMATS.items() if format in wanted}
        if only_if_changed and manifest.is_current(place, told, names.values()):
            return ReportFiles(place, {format: place / file for format, file in names.items()}, fresh=False)
        began = time.perf_counter()
        ran = work / f"{place.name}.ipynb"
        try:
            _execute(notebook, ran, {**checked, **about.lines, "out": "."}, progress)
        except ReportError as error:
            if ran.exists():
                kept = out / f"{place.name}.failed.ipynb"
                _tidy(ran, out, {**checked, **lines}, f"{about.title} – {_title(name, checked)}")
                ran.replace(kept)
                error.add_note(f"the notebook as far as it came: {kept}")
            raise
        executed = time.perf_counter()
        _tidy(ran, place, {**checked, **lines}, f"{about.title} – {_title(name, checked)}")
        files = {format: work / file for format, file in names.items()}
        told["journeys"] = _write(
            files, ran, work, checked["locale"], (redacted or {}).get("small_groups", 0)
        )
        told["durations"] = {
            "notebook": round(executed - began, 3),
            "files": round(time.perf_counter() - executed, 3),
        }
        told |= {"made_at": manifest.moment(), "outputs": manifest.of_outputs(files.values())}
        with whole_folder(place) as made:
            _carry(place, made)
            for file in files.values():
                file.rename(made / file.name)
            manifest.write(made, told)
        (out / f"{place.name}.failed.ipynb").unlink(missing_ok=True)
    return ReportFiles(place, {format: place / file for format, file in names.items()})


def _check_given(stats: object, **paths: object) -> None:
    """Refuse what a report cannot be made of, such as a journey where its path is taken."""
    from journey_nb.stats import wanted

    if stats is not None:
        wanted(stats)
    for name, value in paths.items():
        if value is not None and not isinstance(value, (str, os.PathLike)):
            raise TypeError(
                f"{name}= takes a path, and is a {type(value).__name__}: give what is opened already as "
                "stats=jn.JourneyStats(journey, log)"
            )


def _pseudonyms(redact: Any) -> Pseudonyms | None:
    from journey_nb.pseudonyms import Pseudonyms

    if redact is None or isinstance(redact, Pseudonyms):
        return redact
    if isinstance(redact, bool):
        return Pseudonyms.from_environment() if redact else None
    raise TypeError(f"redact= takes True, or Pseudonyms(key), not a {type(redact).__name__}")


def _checked(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that fit the report, with the language that their locale means."""
    checked = check_parameters(name, {**values, "locale": values.get("locale") or ""})
    try:
        return checked | {"locale": locales.language(checked["locale"])}
    except ValueError as error:
        raise AskedError(error.args[0]) from None


def run_for_each(
    name: str, store: str | Path | Store, where: Mapping[str, Sequence[str]], **options: Any
) -> Iterator[tuple[str, ReportFiles | Exception]]:
    """Run a report for each journey of a store that meets the filters; one that fails does not stop the others.

    Parameters
    ----------
    name
        The report.
    store
        The folder of the store.
    where
        The filters of :meth:`Store.find`: status, category, type, tag, title.
    **options
        As for :func:`run_report`.

    Yields
    ------
    tuple
        The journey's title, and its files or the error.

    Raises
    ------
    ReportError
        Before anything runs, where the filters leave no journey, or a parameter or format is none.
    ValueError
        Before anything runs, where the report is to be redacted and there is no key.
    """
    if not is_of_one(name):
        raise ReportError(f"the {name} report is about a whole store: run it once, with filters of its own")
    # What fits no journey is told once, not by each.
    _checked(name, {key: value for key, value in options.items() if key not in _HOW})
    _check_formats(options.get("formats", ()))
    options["redact"] = _pseudonyms(options.get("redact"))
    opened = open_store(store)
    found = _journeys(opened, where)
    if found.is_empty():
        raise ReportError(none_meant(opened, where))
    for journey_id, title in found.select("journey_id", "title").iter_rows():
        try:
            yield title or journey_id, run_report(name, store=store, journey=journey_id, **options)
        except Exception as error:  # whatever it was: the others have nothing to do with it
            yield title or journey_id, error


def none_meant(store: Store, where: Mapping[str, Sequence[str]]) -> str:
    """That no journey is meant by these filters, and the status of those that are there: often they wait to be launched."""
    asked = ", ".join(f"{key}={value}" for key, values in where.items() for value in values)
    there = store.find()["status"].value_counts().sort("count", "status", descending=[True, False])
    has = ", ".join(f"{count:,} {status}" for status, count in there.iter_rows()) or "none"
    launch = "; a draft runs once it is launched: journey-nb status STORE JOURNEY launch"
    waits = "draft" in has and "running" in where.get("status", ())
    return f"no journey of the store is meant by {asked or 'no filter at all'}; it has {has}{launch if waits else ''}"


# What a report is about.


@dataclass(frozen=True)
class _About:
    """The journeys of a report, and the lines of its parameters cell that name them."""

    title: str
    identity: str
    journeys: Sequence[Journey]
    lines: dict[str, str]
    stats: JourneyStats | None = None

    def inputs(self, work: Path, place: Path) -> list[dict[str, Any]]:
        """The files that are read; statistics in memory are written for it first."""
        if self.stats is not None:
            self.stats.save(work / "stats")
            return manifest.of_files(sorted((work / "stats").iterdir()), work)
        if store := self.lines.get("store"):
            return manifest.of_store(open_store(store), self.journeys)
        return manifest.of_files([self.lines["journey"]], place) + manifest.of_files(self.lines["log"], place)


def _about(
    name: str,
    stats: JourneyStats | None,
    journey: str | Path | None,
    log: str | Path | None,
    store: str | Path | Store | None,
    checked: Mapping[str, Any],
) -> _About:
    if not is_of_one(name):
        if odd := [
            key for key, given in (("stats", stats), ("journey", journey), ("log", log)) if given is not None
        ]:
            raise ReportError(
                f"the {name} report is about a whole store, and takes no {odd[0]}: give store=, and title= or another "
                "filter for some of its journeys"
            )
        return _whole_store(name, store, checked)
    if stats is not None and journey is log is store is None:
        subject = belonging(stats).journey
        return _About(subject.label, subject.journey_id, [subject], {"saved": "stats"}, stats)
    if stats is None and store is not None and journey is not None and log is None:
        opened = open_store(store)
        subject = opened.get(str(journey))
        lines = {"store": str(Path(store).absolute()), "journey": subject.journey_id}
        return _About(subject.label, subject.journey_id, [subject], lines)
    if stats is None and store is None and journey is not None and log is not None:
        from journey_nb.events import EventLog

        subject = Journey.read(str(journey))
        EventLog.read(str(log))  # lazily: whether there is such a file, and what its columns are
        lines = {"journey": _from_anywhere(str(journey)), "log": _from_anywhere(str(log))}
        return _About(subject.label, subject.journey_id, [subject], lines)
    raise ReportError("say what the report is about: stats=, or journey= and log=, or store= and journey=")


def _under(
    name: str, pseudonyms: Pseudonyms, about: _About, checked: dict[str, Any]
) -> tuple[_About, dict[str, Any]]:
    """The same report under pseudonyms: what the notebook is given holds no id any more."""
    if not is_of_one(name):
        raise ReportError(
            f"the {name} report reads a whole store as it is: run it without redact; it names no user, and "
            "small_groups hides small groups"
        )
    stats = about.stats or open_stats(
        *(about.lines.get(name, "") for name in ("saved", "journey", "log", "store"))
    )
    if user := checked.get("user"):
        is_user = (stats.facts.runs["user_id"] == user).any()
        checked = checked | {"user": pseudonyms.of(user, "user_id" if is_user else "device_id")}
    try:
        shared = stats.under(pseudonyms)
    except ValueError as error:
        raise ReportError(error.args[0]) from None
    return replace(about, lines={"saved": "stats"}, stats=shared), checked


def _whole_store(name: str, store: str | Path | Store | None, checked: Mapping[str, Any]) -> _About:
    if store is None:
        raise ReportError(f"the {name} report is about a store: give store=")
    opened, folder = open_store(store), Path(store).absolute()
    where = {key: words(checked[key]) for key in FILTERS if checked.get(key)}
    journeys = [opened.get(key) for key in _journeys(opened, where)["journey_id"]]
    if not journeys:
        raise ReportError(none_meant(opened, where))
    return _About(folder.name, str(folder.name), journeys, {"store": str(folder)})


def _journeys(store: Store, where: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    try:
        return store.find(**where)
    except ValueError as error:
        raise AskedError(error.args[0]) from None


def _from_anywhere(path: str) -> str:
    from journey_nb.reading import is_url

    return path if is_url(path) else str(Path(path).absolute())


def _check_values(journey: Journey, values: Mapping[str, Any], least: int) -> None:
    """Refuse what no report can be about, before a kernel starts for it; ``least`` is of the stats it is about."""
    import polars as pl

    from journey_nb.events.words import COLUMNS
    from journey_nb.metrics import experiments
    from journey_nb.stats import JourneyStats

    nothing = JourneyStats(journey, pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.String)))
    how = {"unit": "user", "method": "fixed"}
    how |= {name: values[name] for name in how if name in values}
    try:
        chosen(nothing, **{name: values[name] for name in _SCOPE if name in values})
        if goal := values.get("goal"):
            journey.goal(goal)
        experiments.check_how(**how)
        if (point := values.get("point")) and journey.goals:
            experiments.check(journey, point, goal or journey.goals[0].goal_id, **how)
        if values.get("user"):
            small.refuse("the runs of a user", values.get("small_groups") or least)
        experiments.check_plan(values.get("mde") or None, values.get("planned_n") or None)
    except KeyError as error:
        raise ReportError(error.args[0]) from None
    except ValueError as error:
        raise AskedError(error.args[0]) from None
    if values.get("top", 1) < 1:
        raise AskedError(f"top={values['top']} is no number of ways: give 1 or more")
    if (channel := values.get("channel")) and channel not in CHANNELS:
        hint = near(channel, CHANNELS) or f"; there are {', '.join(CHANNELS)}"
        raise AskedError(f"no channel {channel!r}{hint}")


def _asked(name: str, stats: JourneyStats | None, checked: Mapping[str, Any]) -> dict[str, Any]:
    """What the report was asked for beside its defaults; what the verbs of stats have chosen is asked for too."""
    known = parameters(name)
    given = {} if stats is None else _chosen(stats)
    given |= {key: value for key, value in checked.items() if value != known[key].default}
    usual = {"period": "launch", "clock": "activity"}
    return {key: given[key] for key in (*known, *given) if key in given and given[key] != usual.get(key)}


def _chosen(stats: JourneyStats) -> dict[str, Any]:
    """What verbs have chosen, as a report's parameters say it; conditions, which may be long, by a digest."""
    view = stats._view
    given: dict[str, Any] = {"period": stats.chosen, "clock": view.clock}
    if view.as_of is not None:
        given["as_of"] = str(view.as_of)
    if view.version is not None:
        given["version"] = view.version
    if view.machine:
        given["machine"] = True
    if view.least:
        given["small_groups"] = view.least
    if view.where:
        where = list(view.where)
        if view.least or view.pseudonymous:
            # What is asked for, such as a user id, could be guessed; which runs of the log that are, cannot.
            kept, runs = stats._kept(), stats.facts.runs["run_id"]
            where = [("run", runs if kept is None else runs.filter(kept))]
        given["where"] = _digest(sorted((name, _values(value)) for name, value in where))
    return given


def _values(condition: Any) -> list[str]:
    import polars as pl

    several = isinstance(condition, (list, tuple, set, frozenset, pl.Series))
    return sorted(map(repr, condition if several else [condition]))


def _digest(told: Any) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]


def _redacted(stats: JourneyStats | None, checked: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is kept from the readers of a report; None: nothing."""
    least = checked.get("small_groups") or (stats.least if stats else 0)
    pseudonymous = stats is not None and stats.pseudonymous
    return {"pseudonyms": pseudonymous, "small_groups": least} if least or pseudonymous else None


def _place(
    about: _About, name: str, asked: Mapping[str, Any], out: Path, redacted: dict[str, Any] | None
) -> Path:
    """The report's folder; one that was asked for otherwise, or is about another journey, keeps its own.

    One under pseudonyms too: a folder that is handed on must never have held the names.
    """
    title = slug(about.title) or slug(about.identity)
    more = slug(" ".join(_said(key, value) for key, value in asked.items()))
    named = "pseudonyms" if redacted and redacted["pseudonyms"] else ""
    place = out / "-".join(filter(None, (title, name, more, named)))
    there = manifest.read(place)
    if there is None:
        if place.exists():
            raise ReportError(f"{place} is there and no report made it; name another folder for the reports")
        return place
    wanted = [name, about.identity, dict(asked), redacted]
    if [there.get(key) for key in ("report", "about", "parameters", "redacted")] == wanted:
        return place
    return place.with_name(f"{place.name}-{_digest(wanted)}")


def _said(key: str, value: Any) -> str:
    return value if isinstance(value, str) else key if value is True else f"{key} {value}"


# ---------------------------------------------------------------------------------------------------


@contextmanager
def _workshop(out: Path) -> Iterator[Path]:
    """A folder to work in, beside the final place so that files only need to be renamed."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".making-") as work:
        yield Path(work)


def _write(files: Mapping[str, Path], ran: Path, work: Path, locale: str, least: int) -> list[dict[str, Any]]:
    """Write what is wanted of an executed notebook; what it told of its journeys is returned."""
    from journey_nb.exports import write_table

    table, told = manifest.left(work)
    for format, path in files.items():
        if format in ("html", "pdf"):
            page = path.with_suffix(".html")
            page.write_text(notebook_page(ran, locale), encoding="utf-8")
        if format == "pdf":
            _print(page, path)
        elif format not in ("html", "notebook"):
            write_table(small.told(table, least, typed=format == "parquet"), path)
    return told


def _carry(place: Path, made: Path) -> None:
    """Bring along what others put into a report's folder, links as links.

    Hidden folders hold what programs keep of the old files, such as JupyterLab's checkpoints: these go with them.
    """
    ours = {row["path"] for row in (manifest.read(place) or {}).get("outputs", ())} | {manifest.MANIFEST}
    for path in place.iterdir() if place.exists() else ():
        if path.name in ours:
            continue
        if path.is_symlink() or not path.is_dir():
            shutil.copy2(path, made, follow_symlinks=False)
        elif not path.name.startswith("."):
            shutil.copytree(path, made / path.name, symlinks=True)


def _check_formats(formats: Sequence[str]) -> list[str]:
    formats = [formats] if isinstance(formats, str) else formats
    for format in formats:
        if format not in FORMATS:
            raise AskedError(f"no format {format!r}{near(format, FORMATS)}; there are {', '.join(FORMATS)}")
    if "pdf" in formats and _browser() is None:
        raise ReportError(
            "a PDF is printed by a Chromium and none is found: name it in CHROMIUM, or leave pdf out"
        )
    return list(formats)


def _browser() -> str | None:
    names = (os.environ.get("CHROMIUM"), *_BROWSERS)
    return next(filter(None, (shutil.which(name) for name in names if name)), None)


def _print(page: Path, target: Path) -> None:
    """A page as PDF."""
    with tempfile.TemporaryDirectory() as profile:
        command = [
            _browser() or "chromium",
            *("--headless", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
            *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
            *(f"--user-data-dir={profile}", "--no-pdf-header-footer", f"--print-to-pdf={target}"),
            page.absolute().as_uri(),
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_PRINTS_WITHIN, check=False
            )
        except subprocess.TimeoutExpired:
            raise ReportError(
                f"{command[0]} printed no PDF in {_PRINTS_WITHIN} seconds; try again later"
            ) from None
    if not target.exists():
        raise ReportError(f"{command[0]} printed no PDF: {done.stderr.strip()[-500:]}")


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
    journey_nb.subject.ReportError: the campaign report has no parameter 'perod'; did you mean 'period'?
    """
    known = parameters(name)
    checked: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise ReportError(
                f"the {name} report has no parameter {key!r}{near(key, known) or '; it has ' + ', '.join(known)}"
            )
        wanted, value = known[key].type, plain(value)
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
    return fitting("-".join(words), 100).strip("-")


def notebook_page(path: Path, locale: str = "en") -> str:
    """An executed notebook as one page that asks no network for anything; its code is left out."""
    import nbformat

    from journey_nb.render.page import page_html

    notebook = nbformat.read(path, as_version=4)
    parts: list[str] = []
    for cell in notebook.cells:
        if "hide" in cell.metadata.get("tags", ()):
            continue
        if cell.cell_type == "markdown":
            parts.append(_markdown_html(cell.source))
        elif cell.cell_type == "code":
            parts.extend(_output_html(output) for output in cell.outputs)
    return page_html(notebook.metadata.get("title", path.stem), parts, locale=locale)


def _markdown_html(text: str) -> str:
    # Only where there is a text: it takes a second to import, and our reports are made of outputs alone.
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    return str(
        MarkdownWithMath(renderer=IPythonRenderer(escape=True, exclude_anchor_links=True)).render(text)
    )


def _output_html(output: Mapping[str, Any]) -> str:
    """One output as HTML: what was made as HTML, else a picture, else the words."""
    if output["output_type"] == "stream":
        return f"<pre>{html.escape(output['text'])}</pre>"
    data = output.get("data", {})
    if "text/html" in data:
        return f'<div class="jnb-output">{data["text/html"]}</div>'
    text = html.escape(str(data.get("text/plain", "")), quote=True)
    if "image/png" in data:
        wide = output.get("metadata", {}).get("image/png", {}).get("width")
        size = f' width="{int(wide)}"' if wide else ""
        picture = f'<img alt="{text}"{size} src="data:image/png;base64,{data["image/png"]}">'
        return f'<figure style="overflow-x:auto">{picture}</figure>'
    return f"<pre>{text}</pre>" if text else ""


def _notebook(name: str) -> Path:
    known = report_notebooks()
    if name not in known:
        raise AskedError(
            f"no report {name!r}{near(name, known)}; {'there are ' + ', '.join(known) if known else 'there is none'}"
        )
    return known[name]


def _literal(source: str) -> Any:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return source


def _execute(source: Path, target: Path, values: Mapping[str, Any], progress: bool) -> None:
    """Run a notebook; where a cell fails, what ran is written all the same."""
    import papermill
    import zmq
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    # Where it can be had: kernels know it since ipykernel 7.3, and not every ZeroMQ is built with it.
    encryption = "auto" if zmq.has("curve") else "disabled"
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
            # It has left all that it had to; asked to end by itself it takes a second more.
            shutdown_kernel="immediate",
            config=Config({"KernelManager": {"transport_encryption": encryption}}),
        )
    except papermill.PapermillExecutionError as error:
        place = _failing_cell(target)
        raise ReportError(f"the report failed {place}: {error.ename}: {_plain(error.evalue)}") from None
    except DeadKernelError:
        raise ReportError(
            "the kernel of the report died; often the memory did not suffice for the log"
        ) from None


def _failing_cell(path: Path) -> str:
    """Where a notebook failed: the cell's name, and its own first line."""
    import nbformat

    for cell in nbformat.read(path, as_version=4).cells:
        if any(output.output_type == "error" for output in cell.get("outputs", ())):
            first = next((line for line in cell.source.splitlines() if line.strip()), "")
            return f"in the cell “{cell.id}”, which begins “{first}”"
    return "before its first cell"


def _tidy(path: Path, place: Path, values: Mapping[str, Any], title: str) -> None:
    """Take out when and where it ran: the same input leaves the same notebook, and it runs again from ``place``."""
    import nbformat

    again = dict(values)
    if again.pop("saved", ""):
        head = "# Ran on statistics that are not named here; name a store, or a journey and a log, to run it again."
    else:
        head = "# Parameters"
        paths = ("store",) if "store" in again else ("journey", "log")
        again |= {name: _from(place, values[name]) for name in paths}
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.title = title
    notebook.cells = [cell for cell in notebook.cells if not _is_note(cell)]
    for holder in (notebook, *notebook.cells):
        holder.metadata.pop("papermill", None)
        if "injected-parameters" in holder.metadata.get("tags", ()):
            holder.id = "given"  # papermill makes one up
            holder.source = "\n".join((head, *(f"{name} = {value!r}" for name, value in again.items())))
    nbformat.write(notebook, path)


def _from(place: Path, path: str) -> str:
    from journey_nb.reading import is_url

    return path if is_url(path) else os.path.relpath(path, place)


def _is_note(cell: Any) -> bool:
    """Whether a cell tells who opens the notebook what it is for; who reads the report need not know."""
    return bool(cell.cell_type == "markdown" and "hide" in cell.metadata.get("tags", ()))


def _title(name: str, values: Mapping[str, Any]) -> str:
    return word(f"report.{name}", values["locale"])


def _plain(text: str) -> str:
    """Without the colours that a traceback carries."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).strip()
