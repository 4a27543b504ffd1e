"""Delta tables, as deltalake opens them and polars reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from journey_nb.reading import LogError, is_url, refusal

if TYPE_CHECKING:
    from deltalake import DeltaTable


def opened(table: str | Path, version: int | None, storage_options: dict[str, str] | None) -> DeltaTable:
    """A version of a table, the latest by default; what is none is told."""
    try:
        import deltalake
        from deltalake.exceptions import DeltaError
    except ImportError:
        raise LogError("Delta tables need deltalake: pip install 'journey-nb[delta]'") from None

    class Table(deltalake.DeltaTable):  # type: ignore[misc]
        def file_uris(self, *some: Any, **how: Any) -> list[str]:
            """Its files as they are called: deltalake (1.6) tells the folder as a URL, which polars (2.1) reads as a path."""
            folder = self.table_uri.removeprefix("file://")
            return [
                unquote(folder) + uri.removeprefix(folder) if uri.startswith(folder) else uri
                for uri in super().file_uris(*some, **how)
            ]

    if is_url(table) and set("?#") & set(str(table)):
        raise LogError(
            f"{table}: what follows ? or # in a URL is no part of the folder's name; rename the folder"
        )
    try:
        found = Table(table, storage_options=storage_options)
        if version is not None:
            # Checked here: deltalake (1.6) takes none below 0, and seeks one far ahead without an end.
            if not 0 <= version <= found.version():
                raise LogError(
                    f"{table} has no version {version}: name one from 0 to {found.version()}, or none for the last"
                )
            found.load_as_version(version)
    except DeltaError as error:
        told, *_ = re.split(r"\n +0: ", str(error), maxsplit=1)  # behind it stand calls inside of deltalake
        raise LogError(f"{table} is no Delta table of that version: {told}; check the path") from error
    except OSError as error:  # why, stands in its last line, in colours
        why = re.sub(r"\x1b\[\d+m", "", " ".join(str(error).split()))
        if is_url(table):
            raise LogError(f"{table} cannot be read: {refusal('object-store ' + why)}") from None
        raise LogError(
            f"{table} cannot be read: {why.split('↳ ')[-1]}; check the path, and that you may read it"
        ) from None
    # Polars finds the rows that are deleted by the names that deltalake tells.
    if "%" in found.table_uri and "deletionVectors" in (found.protocol().reader_features or ()):
        raise LogError(
            f"{table} has deletion vectors, which are not found under a name with spaces or letters beyond ASCII; "
            "rename the folder"
        )
    return found


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Tell what stops the reading of a version, with its mend."""
    from deltalake.exceptions import DeltaProtocolError

    try:
        yield
    except DeltaProtocolError as error:  # polars' own, for what it cannot read (2.1)
        told = str(error).split("\n", 1)[0]
        raise LogError(
            f"{name} cannot be read: {told}; write its rows into a plain table (create table … as select …), or fold "
            "them on Spark: fold_on_spark(spark.read.format('delta').load(…), …)"
        ) from None
    except LogError as error:
        if re.search("cannot be read: (No such file|there is no such object)", str(error)):
            raise LogError(
                f"{name}: files of it are not there any more, as after a vacuum; load a later version"
            ) from None
        raise
