"""The store's one SQLite file: opened, changed whole or not at all, and who may write."""

from __future__ import annotations

import getpass
import logging
import os
import platform
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

FORMAT = 1
_EFFECTIVE = os.access in os.supports_effective_ids
_PATIENCE = 30_000  # milliseconds for which one change waits for another
_HOLDER = "writer.txt"  # says who holds the lock beside it
FILES = (
    _HOLDER,
    *(name + more for name in ("store.sqlite", "writer.lock") for more in ("", "-wal", "-shm", "-journal")),
)
"""What stands in a store beside its layers."""
QUIETLY = 2.0  # seconds to wait for another writer before that is told

_log = logging.getLogger(__name__)

_SCHEMA = {
    "journey": """CREATE TABLE IF NOT EXISTS journey (
        journey_id TEXT PRIMARY KEY, title TEXT NOT NULL, status TEXT NOT NULL, category TEXT, type TEXT NOT NULL,
        tags TEXT NOT NULL, created_at INTEGER, launched_at INTEGER, finished_at INTEGER,
        versions INTEGER NOT NULL, document TEXT NOT NULL)""",
    "history": """CREATE TABLE IF NOT EXISTS history (
        entry INTEGER PRIMARY KEY, journey_id TEXT NOT NULL REFERENCES journey, at INTEGER NOT NULL,
        who TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL)""",
    # What was loaded: known again by the digest of its content, or by the name that the caller gave.
    "batch": """CREATE TABLE IF NOT EXISTS batch (
        digest TEXT PRIMARY KEY, name TEXT NOT NULL, bytes INTEGER, loaded_at TEXT NOT NULL)""",
    # The folders that count; journey_id is empty for rows of journeys that are not here. A retired layer has been
    # replaced. The numbers tell by how much it changes those of the layers before it.
    "layer": """CREATE TABLE IF NOT EXISTS layer (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, journey_id TEXT NOT NULL,
        parts INTEGER NOT NULL, read INTEGER NOT NULL, faulty INTEGER NOT NULL, rows INTEGER NOT NULL,
        quarantined INTEGER NOT NULL, files TEXT NOT NULL, design TEXT NOT NULL, made_at TEXT NOT NULL,
        retired_at TEXT)""",
}

_MENDS = {
    "SQLITE_BUSY": "another program is writing to it; try again when that is done",
    "SQLITE_CANTOPEN": "its folder is gone since it was opened, or is none that may be written: name one that is",
    "SQLITE_FULL": "make room on the disk",
    "SQLITE_IOERR": "see whether the disk is full, or failing",
    "SQLITE_NOTADB": "it was not written by journey_nb; name another folder",
    "SQLITE_READONLY": "ask for the right to write there",
}


class StoreError(Exception):
    """What a store cannot do; the message says what it can."""


def connection(file: Path) -> sqlite3.Connection:
    """Open the file of a store; one whose folder may not be written is there to be read."""
    if not file.exists() or os.access(file.parent, os.W_OK, effective_ids=_EFFECTIVE):
        return sqlite3.connect(file)
    # A writer who has it open (somebody with the right to) keeps files beside it that tell readers what counts. With
    # none SQLite would make them; they are not needed where nobody writes.
    written = file.with_name(f"{file.name}-wal").exists()
    return sqlite3.connect(f"{file.absolute().as_uri()}?{'mode=ro' if written else 'immutable=1'}", uri=True)


class Database:
    """The SQLite file of a store. What is committed survives a kill and a power cut.

    Parameters
    ----------
    connect
        Opens the file; called for every question and every change.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        with self.opened() as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not tables.issuperset(_SCHEMA):
                _log_ahead(db)
                with transaction(db):
                    for statement in _SCHEMA.values():
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {FORMAT}")

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """A connection, closed in the end.

        Raises
        ------
        StoreError
            When the file cannot be used; the message names the mend.
        """
        try:
            with closing(self._connect()) as db:
                db.isolation_level = None  # transactions begin and end where this package says
                for setting in (f"busy_timeout = {_PATIENCE}", "synchronous = FULL", "foreign_keys = ON"):
                    db.execute(f"PRAGMA {setting}")
                if (found := db.execute("PRAGMA user_version").fetchone()[0]) > FORMAT:
                    raise StoreError(
                        f"the store has format {found} and this journey_nb knows {FORMAT}: install a newer one"
                    )
                yield db
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            # By how it begins: SQLITE_READONLY_DIRECTORY is of a kind with SQLITE_READONLY.
            mends = (mend for kind, mend in _MENDS.items() if name.startswith(kind))
            mend = next(mends, "see whether its file is sound")
            raise StoreError(f"the store cannot be used: {error} ({mend})") from error


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; a failure leaves by closing the connection, which undoes what was begun."""
    db.execute("BEGIN IMMEDIATE")
    yield
    db.execute("COMMIT")


def _log_ahead(db: sqlite3.Connection) -> None:
    """Let readers read while one writes.

    When two programs make one file, SQLite refuses the second without the wait that it keeps elsewhere.
    """
    for left in reversed(range(_PATIENCE // 10)):
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or not left:
                raise
            time.sleep(0.01)


@contextmanager
def sole_writer(path: Path, patience: float, what: str) -> Iterator[None]:
    """Wait until no one else writes; the lock goes with the process that holds it, however that ends.

    SQLite locks a file of its own, so nobody waits who only reads, or changes a status. Beside it stands in words who
    holds it, and ``what`` for; who waits longer than a moment says so in the log of the package.

    Raises
    ------
    StoreError
        When another writer is still busy after ``patience`` seconds.
    """
    began, told, words = time.monotonic(), False, path.with_name(_HOLDER)
    try:
        opened = sqlite3.connect(path, timeout=0.05, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise StoreError(f"the store cannot be written: {error}") from error
    with closing(opened) as lock:
        while not _locked(lock):
            waited = time.monotonic() - began
            if waited > patience:
                raise StoreError(
                    f"{path.parent} is being written{_holder(words)}; waited {waited:,.1f} s: try again later, wait longer "
                    "(patience=…, in seconds), or end that process if it hangs (nothing is lost by that)"
                )
            if waited > QUIETLY and not told:
                told = True
                _log.warning(
                    "%s is being written%s; waiting for up to %s s",
                    path.parent,
                    _holder(words),
                    f"{patience:,g}",
                )
        with suppress(OSError):  # a store without these words is as good
            words.unlink(
                missing_ok=True
            )  # what a killed one left may be another's, who alone may write into it
            words.write_text(_myself(what), encoding="utf-8")
        try:
            yield
        finally:
            with suppress(OSError):
                words.unlink()


def _locked(lock: sqlite3.Connection) -> bool:
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_BUSY":
            raise StoreError(f"the store cannot be written: {error}") from error
        return False
    return True


def _myself(what: str) -> str:
    return f"{who()}, process {os.getpid()} on {platform.node()}: {what} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _holder(words: Path) -> str:
    """By whom the lock is held; what others wrote gives the terminal no orders."""
    try:
        told = "".join(filter(str.isprintable, words.read_text(encoding="utf-8", errors="replace")))
    except OSError:
        told = ""
    return f" by {told[:400]}" if told else ", and nothing tells by whom"


def who(by: str | None = None) -> str:
    """The name given, else that of the login, in characters that a file can hold."""
    try:
        name = getpass.getuser() if by is None else by
    except (OSError, KeyError, ImportError):  # a container may know no name for its user
        name = "unknown"
    return name.encode("utf-8", "backslashreplace").decode()
