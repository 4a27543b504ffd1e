"""What became of the rows of a load, and of the files that could not be read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import polars as pl

from journey_nb.reading import LogError

if TYPE_CHECKING:
    from journey_nb.store.layers import Layer

# Behind the name of a file that was loaded before.
READ_OTHERWISE = " (read otherwise; a new store can read it so, or this one once it is taken back)"
SHOWN = 10  # of the files that cannot be read, or of which something is odd


@dataclass(frozen=True)
class Loaded:
    """What became of the rows of a load: ``read == loaded + duplicates + quarantined``.

    ``loaded`` and ``quarantined`` tell by how much the store's own numbers changed: a late row may release another
    from quarantine, or put it there. ``skipped`` names what had been loaded before.
    """

    read: int = 0
    loaded: int = 0
    duplicates: int = 0
    quarantined: int = 0
    skipped: tuple[str, ...] = ()

    @classmethod
    def of(cls, layers: Sequence[Layer]) -> Loaded:
        """What these layers brought."""
        read, rows, faulty, quarantined = (
            sum(getattr(layer, name) for layer in layers)
            for name in ("read", "rows", "faulty", "quarantined")
        )
        return cls(read, rows - quarantined, read - rows - faulty, faulty + quarantined)

    @property
    def account(self) -> dict[str, int]:
        """The numbers by their names."""
        return {name: getattr(self, name) for name in ("read", "loaded", "duplicates", "quarantined")}

    def __add__(self, other: Loaded) -> Loaded:
        return Loaded(
            self.read + other.read,
            self.loaded + other.loaded,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
            (*self.skipped, *other.skipped),
        )

    def __str__(self) -> str:
        # Less than none where earlier rows turn out to be bad, or good.
        good, aside = self.loaded, self.quarantined
        told = (
            f"{self.read:,} row{'s' * (self.read != 1)} read = {max(good, 0):,} loaded + {self.duplicates:,} duplicates "
            + (f"+ {aside:,} quarantined" if aside >= 0 else f"- {-aside:,} that were quarantined")
            + (f" - {-good:,} that were loaded" if good < 0 else "")
        )
        odd = [name for name in self.skipped if name.endswith(READ_OTHERWISE)]
        # An import of "events/*.parquet" each night has more and more of the others.
        usual = [name for name in self.skipped if name not in odd]
        named = odd[:SHOWN] + (usual if len(usual) == 1 else [])
        lines = [f"  {name} was loaded before" for name in named]
        if len(odd) > SHOWN:
            lines.append(f"  … and {len(odd) - SHOWN:,} more{READ_OTHERWISE}")
        if len(usual) > 1:
            lines.append(f"  {len(usual):,} files were loaded before")
        return "\n".join([told, *lines])


def failure(failed: Sequence[LogError], told: Loaded, *, stopped: bool) -> LogError:
    """What is said of files that could not be loaded, when all others were."""
    first, *more = failed
    lines = [str(first), *_named(more)]
    if stopped:
        lines.append("no file could be read up to there, and the others were not tried")
    elif told != Loaded():
        lines.append(f"the others: {told}")
    return LogError("\n".join(lines))


def so_far(failed: Sequence[LogError], told: Loaded) -> str:
    """What is said of the files before the one at which a load has to end; nothing where there were none."""
    if not failed and told == Loaded():
        return ""
    return "\n".join([f"before that: {told}", *_named(failed)])


def _named(failed: Sequence[LogError]) -> list[str]:
    """Files that cannot be read, a line each."""
    more = len(failed) - SHOWN
    lines = [f"  {error}" for error in failed[:SHOWN]]
    return [*lines, f"  … and {more:,} more files that cannot be read"] if more > 0 else lines


def named_after(loads: pl.DataFrame, users: Iterable[str]) -> list[str]:
    """The loads with a user's id in their names or in how they were read: ``user_id=u1/``, ``u1.csv``, ``user_id="u1"``."""
    ids, found = {*users}, list[str]()
    for name, how in loads.select("name", "how").iter_rows():
        words = {unquote(word) for word in re.split('[/="]', f"{name}/{how or ''}")}
        if not ids.isdisjoint(words | {Path(word).stem for word in words}):
            found.append(name)
    return found
