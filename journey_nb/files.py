"""Files and folders appear whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex


def fitting(name: str, most: int) -> str:
    """As much of a name as fits into so many bytes, which is what file systems count.

    Examples
    --------
    >>> fitting("환영 캠페인", 10), fitting("welcome", 10)
    ('환영 캠', 'welcome')
    """
    return name.encode()[:most].decode(errors="ignore")


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk has no room left, or that a file or an account may not grow.

    Polars tells the number of such an error in its words alone.

    Examples
    --------
    >>> is_full(OSError(errno.ENOSPC, "")), is_full(FileNotFoundError(errno.ENOENT, ""))
    (True, False)
    """
    return getattr(error, "errno", None) in _FULL or any(f"(os error {code})" in str(error) for code in _FULL)


_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Give a file of one's own beside ``path`` to write; it takes that place once it is complete.

    Whatever fails on the way leaves what stood there, and nothing beside it. Two writers at once never
    mix: the last one to finish stays.

    Raises
    ------
    FileNotFoundError
        When the folder is missing; the message names it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with whole(f"{folder}/a.txt") as part:
    ...         _ = part.write_text("whole")
    ...     print([found.name for found in Path(folder).iterdir()], Path(folder, "a.txt").read_text())
    ['a.txt'] whole
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path.name}: there is no folder {path.parent}; make it first")
    # A short name of its own, for that of the target may leave no room for more.
    part = path.parent / f".part-{token_hex(8)}"
    try:
        with _told_as(path, part):
            part.touch(exist_ok=False)
            yield part
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _told_as(place: Path, part: Path) -> Iterator[None]:
    """An error about what is hidden names the place that it was to take, which people know."""
    try:
        yield
    except OSError as error:
        if error.filename is None or not str(error.filename).startswith(str(part)):
            raise
        named = str(error.filename).replace(str(part), str(place), 1)
        raise OSError(error.errno, error.strerror, named) from None


@contextmanager
def whole_folder(place: str | Path) -> Iterator[Path]:
    """Give a folder of one's own to fill; it takes the place of ``place`` in one step once it is complete.

    Whatever ends the process, even in the midst of that step, ``place`` is as before or as after, never a
    mixture; what fails leaves nothing behind, what is killed a hidden folder that a later call sweeps
    away. Of two writers at once the last one to finish stays.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("a", "b"):
    ...         with whole_folder(f"{folder}/x") as made:
    ...             _ = (made / name).write_text("whole")
    ...     [found.name for found in Path(folder).iterdir()], [found.name for found in Path(folder, "x").iterdir()]
    (['x'], ['b'])
    """
    place = Path(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    _sweep(place.parent)
    made = place.parent / f"{_MAKING}{token_hex(8)}"
    try:
        with _told_as(place, made):
            made.mkdir()
            yield made
            with _alone(place.parent):
                _put(made, place)
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def shared(folder: Path) -> Iterator[Callable[[], bool]]:
    """Stand in a folder, made if there is none, beside others who do; gives what tells whether one is alone in it.

    Who is alone keeps others waiting from then on, and may take the folder away: they make it anew. Where the system or
    its drive cannot tell, nobody is alone.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, shared(Path(folder, "x")) as alone:
    ...     with shared(Path(folder, "x")):
    ...         print(alone(), Path(folder, "x").exists())
    False True
    """
    try:
        import fcntl
    except ImportError:
        folder.mkdir(parents=True, exist_ok=True)
        yield lambda: False
        return
    place = _entered(folder, fcntl.LOCK_SH)

    def alone() -> bool:
        with suppress(OSError):
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    try:
        yield alone
    finally:
        os.close(place)


def _entered(folder: Path, lock: int) -> int:
    """A handle of a folder, locked; of the one that stands there, should another be taken away meanwhile."""
    import fcntl

    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # it went again before it was entered
            place = os.open(folder, os.O_RDONLY)
            with suppress(OSError):  # some network drives know no locks
                fcntl.flock(place, lock)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(place), folder.stat()):
                    return place
            os.close(place)


_MAKING, _ASIDE = ".making-", ".aside-"


def _put(made: Path, place: Path) -> None:
    """Rename a folder to its place; what stood there ends where it was made."""
    if not place.exists():
        made.rename(place)
    elif not _exchanged(made, place):
        # A system that cannot exchange two names: for an instant there is neither, and _sweep knows whose it was.
        aside = place.with_name(_ASIDE + place.name)
        place.rename(aside)
        try:
            made.rename(place)
        except OSError:
            aside.rename(place)
            raise
        aside.rename(made)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange what two names mean, in one step; False where the system or its drive cannot."""
    try:
        system = ctypes.CDLL(None, use_errno=True)
        if hasattr(system, "renameat2"):  # Linux; -100: relative to the working folder, 2: exchange
            return not system.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2)
        return not system.renamex_np(os.fsencode(one), os.fsencode(other), 2)  # macOS; 2: swap
    except (AttributeError, OSError, TypeError):
        return False


def _sweep(folder: Path) -> None:
    """Put back what a killed call had set aside, and remove what it was making, a day later."""
    with _alone(folder):
        for aside in folder.glob(f"{_ASIDE}*"):
            place = folder / aside.name.removeprefix(_ASIDE)
            shutil.rmtree(aside) if place.exists() else aside.rename(place)
    for left in folder.glob(f"{_MAKING}*"):
        with suppress(OSError):
            if left.stat().st_mtime < time.time() - 86_400:
                shutil.rmtree(left)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else puts a folder here; only Unix has the lock for it."""
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
