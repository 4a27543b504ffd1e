"""The register of a store: its journeys, their status (METRICS.md, section 10), and who did what when.

Each journey is its document, versions and all; what a list shows of it is written beside the
document in the same statement, so that the two never differ. Nothing here is sent anywhere.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, get_args
from uuid import uuid4

from journey_nb.journey import EntryType, Journey, Status, Version, listed, near, wanted
from journey_nb.store.database import Database, StoreError, transaction, who

if TYPE_CHECKING:
    import polars as pl

# What can be done with a journey, and in which status.
VERBS: dict[str, tuple[str, ...]] = {
    "launch": ("draft",),
    "pause": ("running",),
    "relaunch": ("paused",),
    "stop": ("running", "paused"),
    "edit": ("draft", "paused"),
    "archive": ("draft", "running", "paused", "finished"),
    "clone": get_args(Status),
    "rename": get_args(Status),
}

# How a design that is here becomes another, by its status.
_CHANGED = {
    "draft": "edit it (in Python, Store.edit), or",
    "running": "pause it and relaunch it with this document, or",
    "paused": "relaunch it with this document, or",
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OneOrMore = str | Sequence[str] | None
# What becomes of a journey at a moment, and what is told of it.
Change = Callable[[Journey, datetime], tuple[Journey, str]]


def verbs(status: str) -> tuple[str, ...]:
    """What can be done with a journey of that status.

    Examples
    --------
    >>> verbs("paused")
    ('relaunch', 'stop', 'edit', 'archive', 'clone', 'rename')
    """
    return tuple(verb for verb, statuses in VERBS.items() if status in statuses)


def status_of(word: str) -> str:
    """The status that a word means, in any case: "Active", as it is shown, is running.

    Examples
    --------
    >>> status_of("Active"), status_of("paused")
    ('running', 'paused')
    """
    return {"active": "running"}.get(word.casefold(), word.casefold())


FILTERS = ("status", "category", "type", "tag", "title")
"""What :meth:`Registry.find` takes."""


class Registry:
    """The journeys of a store.

    Every change is one transaction, with its line in the history: after a crash both are there or
    neither. Several programs may work on one file; writers wait for each other.

    Parameters
    ----------
    connect
        Opens the SQLite file; called for every question and every change.
    now
        The clock.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     register = Registry(lambda: sqlite3.connect(f"{folder}/store.sqlite"))
    ...     journey = register.add(Journey.sample("welcome"), by="ann")
    ...     print(register.pause("welcome", by="ben").status)
    ...     print(register.find(status=["paused", "finished"])["title"].to_list())
    ...     print(register.history("welcome").select("who", "action", "detail").rows())
    paused
    ['Welcome series']
    [('ann', 'add', 'running'), ('ben', 'pause', 'running → paused')]
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._now = Database(connect), now

    # Questions

    def get(self, key: str) -> Journey:
        """A journey by its id, its title, or the beginning of its title in whole words.

        Case and what stands between the words do not matter where a title is meant: ``welcome``,
        ``welcome-series`` and ``Welcome series`` are one.

        Raises
        ------
        KeyError
            When no journey is meant, or several; the message names those near it.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     register = Registry(lambda: sqlite3.connect(f"{folder}/store.sqlite"))
        ...     journey = register.add(Journey.sample("welcome"))
        ...     print(register.get("welcome") == register.get(journey.journey_id) == journey)
        True
        """
        with self._database.opened() as db:
            return _found(db, key)

    def _uncopied(self, key: str) -> Journey:
        """What :meth:`get` copies: one for all who ask, not to be handed out."""
        with self._database.opened() as db:
            return _uncopied(db, key)

    def find(
        self,
        *,
        status: _OneOrMore = None,
        category: _OneOrMore = None,
        type: _OneOrMore = None,
        tag: _OneOrMore = None,
        title: _OneOrMore = None,
    ) -> pl.DataFrame:
        """The journeys that meet every filter, the oldest first.

        Parameters
        ----------
        status, category, type, tag
            A value, or several of which one must fit; case does not matter. A status also as it is shown.
        title
            A part of the title, or several.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     register = Registry(lambda: sqlite3.connect(f"{folder}/store.sqlite"))
        ...     for sample in ("welcome", "abandoned_cart", "win_back"):
        ...         _ = register.add(Journey.sample(sample))
        ...     print(register.find(type="trigger", title="WEL")["title"].to_list())
        ['Welcome series']
        """
        import polars as pl  # here and below: the command line's help starts without it

        exact = {"status": _several(status), "category": _several(category), "type": _several(type)}
        wanted = {name: values for name, values in exact.items() if values is not None}
        if "status" in wanted:
            wanted["status"] = list(map(status_of, wanted["status"]))
        _check_known("status", wanted.get("status", ()), get_args(Status))
        _check_known("type", wanted.get("type", ()), get_args(EntryType))
        tags, parts = _several(tag), _several(title)
        instant, text = pl.Datetime("us", "UTC"), pl.String()
        schema = {"journey_id": text, "title": text, "status": text, "category": text, "type": text,
                  "tags": pl.List(text), "created_at": instant, "launched_at": instant,
                  "finished_at": instant, "versions": pl.Int64()}  # fmt: skip
        with self._database.opened() as db:
            order = "created_at, title, journey_id"
            read = db.execute(f"SELECT {', '.join(schema)} FROM journey ORDER BY {order}").fetchall()
        rows = [dict(zip(schema, row, strict=True)) | {"tags": json.loads(row[5])} for row in read]
        kept = [
            row
            for row in rows
            if all(row[name] and row[name].casefold() in values for name, values in wanted.items())
            and (tags is None or any(one.casefold() in tags for one in row["tags"]))
            and (parts is None or any(part in row["title"].casefold() for part in parts))
        ]
        return _frame(kept, schema)

    def history(self, key: str) -> pl.DataFrame:
        """Who did what to a journey and when, the newest last: at, who, action, detail.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     register = Registry(lambda: sqlite3.connect(f"{folder}/store.sqlite"))
        ...     _ = register.add(Journey.sample("welcome"), by="ann")
        ...     _ = register.rename("welcome", "Hello", by="ben")
        ...     print(register.history("hello")["detail"].to_list())
        ['running', '“Welcome series” → “Hello”']
        """
        import polars as pl

        text = pl.String()
        schema = {"at": pl.Datetime("us", "UTC"), "who": text, "action": text, "detail": text}
        with self._database.opened() as db:
            asked = f"SELECT {', '.join(schema)} FROM history WHERE journey_id = ? ORDER BY entry"
            read = db.execute(asked, [_found(db, key).journey_id]).fetchall()
        return _frame([dict(zip(schema, row, strict=True)) for row in read], schema)

    # Changes

    def add(self, journey: Journey, *, by: str | None = None) -> Journey:
        """Take a journey into the store, in the status and with the versions that its document has.

        One that is there already with the same design is left as it is; so a notebook may say it
        every time it runs.

        Raises
        ------
        StoreError
            When its id is there with another design.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     register = Registry(lambda: sqlite3.connect(f"{folder}/store.sqlite"))
        ...     _ = register.add(Journey.sample("welcome"))
        ...     _ = register.add(Journey.sample("welcome"))
        ...     print(register.find().height, register.history("welcome").height)
        1 1
        """
        journey = _checked(journey)
        with self._changing() as (db, at):
            there = _by_id(db, journey.journey_id)
            if there and _design(there) != _design(journey):
                raise StoreError(
                    f"{journey.journey_id!r} is there with another design, as “{there.label}” ({there.status}): "
                    f"{_CHANGED.get(there.status, 'its design stays as it is;')} give the document a journey_id of its own "
                    "(a discovered one: EventLog.from_activities(…, journey_id=…))"
                )
            if there:
                return there.model_copy(deep=True)
            journey = journey.model_copy(update={"created_at": journey.created_at or at})
            return _put(db, journey, at, by, "add", journey.status)

    def launch(self, key: str, *, by: str | None = None) -> Journey:
        """Begin a draft: it runs, and its newest version is published.

        It is launched now, or where its log begins, if that was before; a store sees to that also where the log comes later.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     register = Registry(lambda: sqlite3.connect(f"{folder}/store.sqlite"))
        ...     draft = Journey.sample("welcome").model_copy(update={"status": "draft"})
        ...     print(register.add(draft).status, register.launch("welcome").status)
        draft running
        """

        def launched(before: Journey, at: datetime) -> tuple[Journey, str]:
            return _now_running(_published(before, at), launched_at=self._begun(before, at)), ""

        return self._change(key, "launch", by, launched)

    def _begun(self, journey: Journey, at: datetime) -> datetime:
        """When a journey that is launched at an instant began."""
        return at

    def _backdate(self, db: sqlite3.Connection, first: Mapping[str, datetime | None]) -> None:
        """Whatever was launched here began where its log does, also where that is loaded later."""
        launched = {key for (key,) in db.execute("SELECT journey_id FROM history WHERE action = 'launch'")}
        for journey_id in launched & first.keys():
            journey, began = _by_id(db, journey_id), first[journey_id]
            if journey and journey.launched_at and began and began < journey.launched_at:
                told = f"launched_at {began.isoformat()}"
                self._note(journey_id, "launch", told, None, db, launched_at=began)

    def _note_gone(
        self,
        first: Mapping[str, datetime | None],
        action: str,
        told: str,
        by: str | None,
        db: sqlite3.Connection,
    ) -> None:
        """Note that rows are gone; whatever was launched here begins then, or where the rows that are left do."""
        # The first of its lines is the launch; those after it tell of earlier rows.
        asked = "SELECT journey_id, at, min(entry) FROM history WHERE action = 'launch' GROUP BY journey_id"
        launches = {journey_id: at for journey_id, at, _ in db.execute(asked)}
        for journey_id, began in first.items():
            launched = {}
            if journey_id in launches:
                at = _EPOCH + timedelta(microseconds=launches[journey_id])
                launched = {"launched_at": min(began or at, at)}
            self._note(journey_id, action, told, by, db, **launched)

    def _note(
        self, journey_id: str, action: str, told: str, by: str | None, db: sqlite3.Connection, **update: Any
    ) -> None:
        """A line in the history of a journey, with what it changes."""
        if journey := _by_id(db, journey_id):
            _put(db, journey.model_copy(update=update), self._now().astimezone(UTC), by, action, told)

    def pause(self, key: str, *, by: str | None = None) -> Journey:
        """Hold a running journey, to edit it or to stop it.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     register = Registry(lambda: sqlite3.connect(f"{folder}/store.sqlite"))
        ...     _ = register.add(Journey.sample("welcome"))
        ...     print(register.pause("welcome").status)
        paused
        """
        return self._change(
            key, "pause", by, lambda before, _: (before.model_copy(update={"status": "paused"}), "")
        )

    def relaunch(self, key: str, changed: Journey | None = None, *, by: str | None = None) -> Journey:
        """Let a paused journey run again; a changed graph is published as its next version.

        Parameters
        ----------
        changed
            The journey with changes that are still to be edited in; see :meth:`edit`.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     register = Registry(lambda: sqlite3.connect(f"{folder}/store.sqlite"))
        ...     journey = register.add(Journey.sample("welcome"))
        ...     first = journey.versions[0].model_copy(update={"version": 3, "note": "As it was"})
        ...     _ = register.pause("welcome")
        ...     changed = journey.model_copy(update={"versions": (*journey.versions, first)})
        ...     journey = register.relaunch("welcome", changed)
        ...     print(journey.status, journey.version().version)
        running 3
        """

        if changed is not None:
            wanted(changed)  # whatever the status is

        def relaunched(before: Journey, at: datetime) -> tuple[Journey, str]:
            after = _edited_as(before, changed, at) if changed else before
            told = _changed(before, after)
            if after.version() is _newest(after):
                return _now_running(after), ", ".join(["no new version", *told])
            after = _published(after, at)
            return _now_running(after), ", ".join([f"version {after.version().version}", *told])

        return self._change(key, "relaunch", by, relaunched)

    def stop(self, key: str, *, confirm: str = "", by: str | None = None) -> Journey:
        """End a journey for good; the title must be typed, for nothing brings it back.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     register = Registry(lambda: sqlite3.connect(f"{folder}/store.sqlite"))
        ...     _ = register.add(Journey.sample("welcome"))
        ...     print(register.stop("welcome", confirm="Welcome series").status)
        finished
        """

        def stopped(before: Journey, at: datetime) -> tuple[Journey, str]:
            if confirm != before.label:
                raise StoreError(
                    f"“{before.label}” was not stopped, for that cannot be undone: "
                    f"to stop it, confirm with its title, {before.label!r}"
                )
            return before.model_copy(update={"status": "finished", "finished_at": at}), ""

        return self._change(key, "stop", by, stopped)

    def archive(self, key: str, *, by: str | None = None) -> Journey:
        """Put a journey away, whatever its status; all that is known of it stays.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     register = Registry(lambda: sqlite3.connect(f"{folder}/store.sqlite"))
        ...     _ = register.add(Journey.sample("welcome"))
        ...     print(register.archive("welcome").status)
        archived
        """
        return self._change(
            key, "archive", by, lambda before, _: (before.model_copy(update={"status": "archived"}), "")
        )

    def clone(self, key: str, title: str | None = None, *, by: str | None = None) -> Journey:
        """A draft with the newest published version of a journey, an id of its own and no past.

        Raises
        ------
        StoreError
            When another journey has the title.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     register = Registry(lambda: sqlite3.connect(f"{folder}/store.sqlite"))
        ...     _ = register.add(Journey.sample("welcome"))
        ...     clone = register.clone("welcome")
        ...     print(clone, clone.status)
        Welcome series (copy): 1 version, 14 points draft
        """
        with self._changing() as (db, at):
            before = _found(db, key)
            only = before.version().model_copy(update={"version": 1, "published_at": None, "note": None})
            new = {
                "journey_id": str(uuid4()),
                "title": _free(db, f"{before.label} (copy)") if title is None else _title(db, title),
                "status": "draft",
                "created_at": at,
                "launched_at": None,
                "finished_at": None,
                "versions": (only,),
            }
            told = f"of “{before.label}”, {before.journey_id}"
            return _put(db, before.model_copy(update=new), at, by, "clone", told)

    def free_title(self, title: str) -> str:
        """The title, numbered where other journeys have it.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     register = Registry(lambda: sqlite3.connect(f"{folder}/store.sqlite"))
        ...     _ = register.add(Journey.sample("welcome"))
        ...     print(register.free_title("Hello"), "·", register.free_title("Welcome series"))
        Hello · Welcome series 2
        """
        with self._database.opened() as db:
            return _free(db, title)

    def rename(self, key: str, title: str, *, by: str | None = None) -> Journey:
        """Give a journey another title; its id stays.

        Raises
        ------
        StoreError
            When another journey has the title.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     register = Registry(lambda: sqlite3.connect(f"{folder}/store.sqlite"))
        ...     before = register.add(Journey.sample("welcome"))
        ...     print(register.rename("welcome", "Hello").journey_id == before.journey_id)
        True
        """

        with self._changing() as (db, at):
            before = _found(db, key)
            after = before.model_copy(update={"title": _title(db, title, before.journey_id)})
            return _put(db, after, at, by, "rename", f"“{before.label}” → “{after.title}”")

    def edit(self, changed: Journey, *, by: str | None = None) -> Journey:
        """Change the design of the journey with that id.

        A draft becomes what ``changed`` is. Of a paused journey what was published stays as it is:
        the newest version of ``changed``, where its graph differs, waits as the next version until
        the journey is relaunched. Where it has a number that is new here, as after releases on the platform, it keeps it,
        and those between are taken over as published. Status and times are the store's in either case.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     register = Registry(lambda: sqlite3.connect(f"{folder}/store.sqlite"))
        ...     _ = register.add(Journey.sample("welcome"))
        ...     paused = register.pause("welcome")
        ...     print(register.edit(paused.model_copy(update={"category": "Growth"})).category)
        Growth
        """

        def edited(before: Journey, at: datetime) -> tuple[Journey, str]:
            after = _edited_as(before, changed, at)
            waits = before.status != "draft" and after.version() is not _newest(after)
            told = [*_changed(before, after), *([f"version {_newest(after).version} waits"] if waits else [])]
            return after, ", ".join(told)

        return self._change(wanted(changed).journey_id, "edit", by, edited)

    # The file

    def _change(
        self,
        key: str,
        verb: str,
        by: str | None,
        change: Change,
    ) -> Journey:
        with self._changing() as (db, at):
            before = _found(db, key)
            if before.status not in VERBS[verb]:
                raise StoreError(
                    f"cannot {verb} “{before.label}”, which is {before.status}; "
                    f"possible from here: {', '.join(verbs(before.status))}"
                )
            after, told = change(before, at)
            moved = f"{before.status} → {after.status}" if before.status != after.status else ""
            return _put(db, after, at, by, verb, ", ".join(filter(None, (moved, told))))

    @contextmanager
    def _changing(self) -> Iterator[tuple[sqlite3.Connection, datetime]]:
        """One change, and its moment: read once the writers before are through."""
        with self._database.opened() as db, transaction(db):
            yield db, self._now().astimezone(UTC)


def _put(
    db: sqlite3.Connection, journey: Journey, at: datetime, by: str | None, action: str, detail: str
) -> Journey:
    """Write a journey and the line of its history."""
    journey = _checked(journey)
    row = {
        "journey_id": journey.journey_id,
        "title": journey.title,
        "status": journey.status,
        "category": journey.category,
        "type": journey.entry_type,
        "tags": json.dumps(journey.tags, ensure_ascii=False),
        "created_at": _micros(journey.created_at),
        "launched_at": _micros(journey.launched_at),
        "finished_at": _micros(journey.finished_at),
        "versions": len(journey.versions),
        "document": journey.to_json(),
    }
    names = list(row)
    updates = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    db.execute(
        f"INSERT INTO journey ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)}) "
        f"ON CONFLICT (journey_id) DO UPDATE SET {updates}",
        row,
    )
    line = (journey.journey_id, _micros(at), who(by), action, detail)
    db.execute("INSERT INTO history (journey_id, at, who, action, detail) VALUES (?, ?, ?, ?, ?)", line)
    return journey


def _by_id(db: sqlite3.Connection, journey_id: str) -> Journey | None:
    """A journey that is one for all who ask: to be handed out as a copy."""
    row = db.execute("SELECT document FROM journey WHERE journey_id = ?", [journey_id]).fetchone()
    return _parsed(row[0], journey_id) if row else None


@lru_cache(maxsize=512)  # a store is asked for the same few again and again
def _parsed(document: str, journey_id: str) -> Journey:
    return Journey.from_json(document, f"the store’s journey {journey_id!r}")


def _found(db: sqlite3.Connection, key: str) -> Journey:
    return _uncopied(db, key).model_copy(deep=True)


def _uncopied(db: sqlite3.Connection, key: object) -> Journey:
    """The journey that a key means: the first way in which it means any must mean one."""
    if not isinstance(key, str):
        own = f": {key.journey_id!r}" if isinstance(key, Journey) else ""
        raise TypeError(
            f"a journey of a store is named by its id or title, not by a {type(key).__name__}{own}"
        )
    labels = _labels(db)
    words = _slug(key)
    ways: tuple[Callable[[str], bool], ...] = (
        lambda journey_id: labels[journey_id] == key,
        lambda journey_id: bool(words) and _slug(labels[journey_id]) == words,
        lambda journey_id: _slug(labels[journey_id]).startswith(f"{words}_"),
    )
    some = (few for way in ways if (few := [i for i in labels if way(i)]))
    meant = [key] if key in labels else next(some, [])
    if len(meant) > 1:
        several = ", ".join(f"{journey_id!r} ({labels[journey_id]})" for journey_id in meant[:10])
        more = f" and {len(meant) - 10} more" if len(meant) > 10 else ""
        raise KeyError(f"{key!r} may be one of {len(meant)} journeys; name it by its id: {several}{more}")
    journey = _by_id(db, meant[0]) if meant else None
    if journey is None:
        hint = near(words, map(_slug, labels.values())) or near(key, labels)
        hint = hint or (
            f"; it has {listed([label[:80] for label in labels.values()])}" if labels else "; add one first"
        )
        raise KeyError(f"the store has no journey {key!r}{hint}")
    return journey


def _labels(db: sqlite3.Connection) -> dict[str, str]:
    """What each journey is called, by its id."""
    return {i: title or i for i, title in db.execute("SELECT journey_id, title FROM journey")}


def _slug(title: str) -> str:
    return re.sub(r"[\W_]+", "_", title.casefold()).strip("_")


# ---------------------------------------------------------------------------------------------------


def _checked(journey: Journey) -> Journey:
    """The journey as its document will be read again; a copy may hold what no document can."""
    return Journey.from_json(wanted(journey).to_json(), f"“{journey.label}”")


def _title(db: sqlite3.Connection, text: str, journey_id: str = "") -> str:
    """The title, if it says something and no other journey would be meant by it too."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError("a title must say something: give one with a letter in it")
    if other := _called(db, text, journey_id):
        label, known = other
        raise StoreError(
            f"there is a journey called “{label}” already ({known}): give this one another title"
        )
    return text


def _called(db: sqlite3.Connection, text: str, but: str = "") -> tuple[str, str] | None:
    """Title and id of another journey that the title means."""
    name, others = _slug(text) or text, _labels(db)
    others.pop(but, None)
    return next(((label, i) for i, label in others.items() if (_slug(label) or label) == name), None)


def _free(db: sqlite3.Connection, title: str) -> str:
    """The title, numbered where other journeys have it."""
    titles = (title if n == 1 else f"{title} {n}" for n in count(1))
    return next(one for one in titles if not _called(db, one))


def _newest(journey: Journey) -> Version:
    return max(journey.versions, key=lambda version: version.version)


def _graph(version: Version) -> object:
    return version.points, version.branches


def _design(journey: Journey) -> object:
    graphs = {version.version: _graph(version) for version in journey.versions}
    return graphs, journey.goals, journey.cancel_events, journey.timezone


def _now_running(journey: Journey, **times: datetime) -> Journey:
    return journey.model_copy(update={"status": "running", **times})


def _published(journey: Journey, at: datetime) -> Journey:
    """The journey with its newest version published at that moment."""
    newest = _newest(journey)
    out = newest.model_copy(update={"published_at": at})
    versions = tuple(out if version is newest else version for version in journey.versions)
    return journey.model_copy(update={"versions": versions})


def _edited_as(before: Journey, changed: Journey, at: datetime) -> Journey:
    """The changed design under the id, the status and the past that the store has."""
    changed = _checked(changed)
    if changed.journey_id != before.journey_id:
        raise StoreError(
            f"the change is of {changed.journey_id!r}, not of “{before.label}” ({before.journey_id}): "
            "give it that journey_id, or add it as a journey of its own"
        )
    kept: dict[str, Any] = {
        name: getattr(before, name) for name in ("status", "created_at", "launched_at", "finished_at")
    }
    if before.status != "draft":
        kept["versions"] = _versions(before, changed, at)
    return changed.model_copy(update=kept)


def _changed(before: Journey, after: Journey) -> list[str]:
    """The fields of the document that differ; of the versions those of a draft, others are published or wait."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    if before.status != "draft":
        old["versions"] = new["versions"]
    return [name for name in {**old, **new} if old.get(name) != new.get(name)]


def _versions(before: Journey, changed: Journey, at: datetime) -> tuple[Version, ...]:
    """What was published, and what comes behind it: the wanted graph as the next version where it is another.

    Where it has a number that is new here, the platform has given it, as those between: by these its rows name it.
    """
    shown, wanted = before.version(), _newest(changed)
    # What ran without a date must be told from what waits.
    dated = shown.model_copy(update={"published_at": shown.published_at or before.launched_at or at})
    past = [dated if version is shown else version for version in before.versions
            if version.version <= shown.version]  # fmt: skip
    newest = _newest(before)
    is_released = wanted.version > newest.version
    is_taken_back = _graph(newest) != _graph(wanted) == _graph(shown)
    still_waits = wanted.version == newest.version > shown.version and not is_taken_back
    if is_released or still_waits:
        between = [version.model_copy(update={"published_at": version.published_at or at})
                   for version in changed.versions if shown.version < version.version < wanted.version]  # fmt: skip
        return (*past, *between, wanted.model_copy(update={"published_at": None}))
    if _graph(wanted) == _graph(shown):
        return tuple(past)
    note = wanted.note if wanted.note != shown.note else None
    update = {"version": shown.version + 1, "published_at": None, "note": note}
    return (*past, wanted.model_copy(update=update))


def _check_known(what: str, values: Sequence[str], known: Sequence[str]) -> None:
    for value in values:
        if value not in known:
            raise ValueError(f"unknown {what} {value!r}{near(value, known)}; there are {', '.join(known)}")


def _several(value: _OneOrMore) -> Sequence[str] | None:
    """The values, in one case."""
    return (
        None if value is None else [one.casefold() for one in ([value] if isinstance(value, str) else value)]
    )


def _frame(rows: list[dict[str, Any]], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    import polars as pl

    stored = {name: pl.Int64() if kind == pl.Datetime else kind for name, kind in schema.items()}
    return pl.DataFrame(rows, schema=stored).cast(pl.Schema(schema))


def _micros(at: datetime | None) -> int | None:
    return None if at is None else (at - _EPOCH) // timedelta(microseconds=1)
