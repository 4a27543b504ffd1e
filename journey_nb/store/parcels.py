"""Layers on their way from other machines: as rows of a table, which any storage holds, and as folders again."""

from __future__ import annotations

import glob
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from journey_nb.reading import is_url, readable
from journey_nb.store.database import StoreError
from journey_nb.store.layers import NUMBERS, Layer

# A row is a layer's description, or a piece of one of its files and where in the file it belongs.
ROWS: dict[str, pl.DataType] = {
    "layer": pl.String(),
    "told": pl.String(),
    "file": pl.String(),
    "at": pl.Int64(),
    "bytes": pl.Binary(),
}
PIECE = 4 * 2**20  # bytes: whole files would not fit into a row everywhere
# Names become paths: of what comes from elsewhere, only those are taken that a layer may have.
_LAYER, _FILE = re.compile(r"\d+-\d+"), re.compile(r"(\d+/)?[\w-]+\.(arrow|parquet|json|u64)")


def packed(layer: Layer, journey_id: str, of: int) -> Iterator[tuple[Any, ...]]:
    """A layer as rows; ``of`` is how many there will be in all."""
    numbers = {name: getattr(layer, name) for name in NUMBERS}
    told = {"journey_id": journey_id, "of": of, **numbers, "files": layer.files, "design": layer.design}
    yield layer.token, json.dumps(told), None, None, None
    for name, (size, _) in layer.files.items():
        with (layer.folder / name).open("rb") as file:
            for at in range(0, size or 1, PIECE):  # an empty file must be there too
                yield layer.token, None, name, at, file.read(PIECE)


class Parcel:
    """The packed layers that a folder of Parquet files holds.

    Parameters
    ----------
    path
        The folder: a path, or a URL that polars reads.
    storage_options
        As polars takes them.
    """

    def __init__(self, path: str | Path, storage_options: dict[str, Any] | None = None) -> None:
        self.name, self._options = str(path).rstrip("/"), storage_options
        if not is_url(self.name) and not any(Path(self.name).glob("*.parquet")):
            raise StoreError(
                f"{self.name} holds no Parquet files: check the path; what an interrupted fold has left is of no use: "
                "remove it, and fold again"
            )
        with readable(self.name):
            strange = ROWS.keys() - set(self._rows().collect_schema())
        if strange:
            raise StoreError(
                f"{self.name} was not written by fold_on_spark: a log itself is loaded with load"
            )
        with readable(self.name):
            empty = self._rows().head(1).select("layer").collect().is_empty()  # a log without rows was folded
            rows = self._rows().filter(pl.col("told").is_not_null()).select("layer", "told").sort("layer")
            found = rows.collect(engine="streaming").rows()
        self.told: dict[str, dict[str, Any]] = {layer: json.loads(told) for layer, told in found}
        if not empty and {told["of"] for told in self.told.values()} != {len(found)}:
            raise StoreError(
                f"{self.name} holds {len(found)} layers where it should hold {_of(self.told)}: it was not written to "
                "the end, or files of it are missing; fold again, or copy it again"
            )

    @property
    def digest(self) -> str:
        """What tells its content."""
        return hashlib.sha256(json.dumps(self.told, sort_keys=True).encode()).hexdigest()

    @property
    def designs(self) -> dict[str, dict[str, Any]]:
        """For which design of each journey it was folded."""
        return {told["journey_id"]: told["design"] for told in self.told.values()}

    def unpacked(self, folder: Path) -> dict[str, list[Layer]]:
        """Lay the files into a folder: the layers of each journey, but for those that read nothing."""
        with readable(self.name):
            paths = self._rows("path").select(pl.col("path").unique().sort()).collect()["path"]
            for path in paths:  # one at a time: each holds what one machine has folded
                rows = pl.scan_parquet(path, storage_options=self._options, glob=False)
                pieces = rows.filter(pl.col("told").is_null()).select("layer", "file", "at", "bytes")
                for piece in pieces.collect().iter_rows():
                    _lay(folder, *piece)
        layers: dict[str, list[Layer]] = {}
        for name, told in self.told.items():
            if not told["read"]:
                continue
            files = {file: (size, digest) for file, (size, digest) in told["files"].items()}
            numbers = {number: told[number] for number in NUMBERS}
            layer = Layer(folder / name, **numbers, files=files, design=told["design"])
            if damaged := layer.damaged():
                raise StoreError(f"{self.name}: {name}/{damaged[0]} is damaged; copy it again, or fold again")
            layers.setdefault(told["journey_id"], []).append(layer)
        return layers

    def _rows(self, path_column: str | None = None) -> pl.LazyFrame:
        folder = self.name if is_url(self.name) else glob.escape(self.name)
        files = f"{folder}/*.parquet"
        return pl.scan_parquet(files, storage_options=self._options, include_file_paths=path_column)


def _of(told: dict[str, dict[str, Any]]) -> int:
    return max((one["of"] for one in told.values()), default=1)


def _lay(folder: Path, layer: str, name: str, at: int, piece: bytes) -> None:
    """Write a piece of a file where it belongs; pieces come in any order."""
    if not (_LAYER.fullmatch(layer) and _FILE.fullmatch(name)):
        raise StoreError(f"{layer}/{name} is no file of a layer: this was not written by fold_on_spark")
    path = folder / layer / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with path.open("r+b") as file:
        file.seek(at)
        file.write(piece)
