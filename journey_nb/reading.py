"""Opening rows where they are kept, in files and object stores, and parsing their cells, without guessing."""

from __future__ import annotations

import codecs
import glob
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial, reduce
from pathlib import Path
from typing import IO, Any, Literal, TypeVar, cast
from urllib.parse import unquote, urlsplit

import polars as pl

from journey_nb.files import is_full
from journey_nb.journey import listed, near

TimeUnit = Literal["s", "ms", "us", "ns"]
TimeUnits = TimeUnit | Mapping[str, TimeUnit | None] | None
Column = TypeVar("Column", pl.Expr, pl.Series)
Paths = str | Path | Sequence[str | Path]


class Address(str):
    """The URL of one object of a store, whatever signs its name holds: no pattern any more.

    ``rows`` says about how many it has, where a list of objects told it.
    """

    rows: int | None = None


# A column of CSV files that must be asked once, null until columns() fills it: polars (2.1) refuses a row of more
# cells than the header only where every column is read, and else gives cells behind a stray separator to other columns.
ODD_WIDTH = "\0odd width"
_PATH = "\0path"  # of the file that a row is of, while its folders are read

Stored = Address | Path  # an object in a store, or a file
Options = dict[str, Any] | None

FORMATS: dict[str, str] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".arrow": "ipc",
    ".ipc": "ipc",
    ".feather": "ipc",
}
STORES = ("s3", "s3a", "gs", "gcs", "az", "azure", "abfs", "abfss", "adl")
_UTC = pl.Datetime("us", "UTC")
_PER_SECOND: dict[str, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# Seconds of 1973 to 2286: with them the ranges of the four units do not touch.
_SAFE = (10**8, 10**10)
_SERIAL_DAYS = (30_000, 60_000)  # of 1982 to 2064
_DIGITS = {"%Y%m%d": (19_000_101, 22_001_231), "%Y%m%d%H%M%S": (19_000_101 * 10**6, 22_001_232 * 10**6)}
# The years 1900 to 2200 (METRICS.md, section 15): beyond them a daily series would have no end.
_SECONDS = (-2_208_988_800, 7_289_654_400)
_WRITTEN = (-62_135_596_800, 253_402_300_800)  # the years 1 to 9999


class LogError(ValueError):
    """A log that cannot be read at all; the message names the file and the fix."""


def scan(paths: Paths, storage_options: Options = None) -> list[pl.LazyFrame]:
    """Open files and objects lazily: one frame for every set of them that share their columns.

    Text formats (CSV, JSON lines) come with every column as text: what the cells mean is decided
    by the reader of the log, not by the first rows of a file. So do the columns that Spark, Hive and
    DuckDB keep in the names of folders (``variant=A/``), where the file has none of that name itself.

    Raises
    ------
    LogError
        When a file is missing, empty, or not what its name says.
    """
    groups: dict[Any, list[Stored]] = {}
    for path in files_of(paths, storage_options):
        kind = _kind(path)
        with readable(path):
            header = _header(path, kind, storage_options) if kind in ("csv", "jsonl") else ""
            separator = _separator(header) if kind == "csv" else ""
            schema = _columns(path, kind, separator, storage_options)
            beside = tuple(sorted(folders(path).keys() - dict(schema)))
            groups.setdefault((kind, separator, beside, *schema), []).append(path)
    return [
        _scan(kind, files, [name for name, _ in schema], separator, storage_options, beside)
        for (kind, separator, beside, *schema), files in groups.items()
    ]


def folders(path: Stored) -> dict[str, str]:
    """What the folders of a file or object say of its rows, ``name=value``, as it is written in them."""
    pairs = (folder.split("=", 1) for folder in str(path).split("/")[:-1] if "=" in folder)
    return {name: value for name, value in pairs if name}


def files_of(paths: Paths, options: Options = None, *, failed: list[LogError] | None = None) -> list[Stored]:
    """The files, or objects, that a path, a glob or a list of them names; what names none goes to ``failed``, if others do."""
    alone = isinstance(paths, str) or not isinstance(paths, Iterable) or hasattr(type(paths), "columns")
    wanted: Sequence[Any] = [paths] if alone else list(cast(Iterable[Any], paths))
    if strange := [type(one).__name__ for one in wanted if not isinstance(one, (str, Path))]:
        raise TypeError(
            f"files are wanted, not a {strange[0]}: from_frame takes frames, append takes frames and logs"
        )
    if not wanted:
        raise LogError("no file to read; name one, such as 'events/*.parquet'")
    found = list[Stored]()
    for path in wanted:
        try:
            found += _meant(path, options)
        except LogError as error:
            if failed is None:
                raise
            failed.append(error)
    if failed and not found:
        raise failed[0]
    # The rows of tables are in Parquet: what is written otherwise lies in such a folder by chance.
    _refuse_tables(file for file in found if isinstance(file, Path) and _format(file) in ("parquet", None))
    return found


# By what is in the folder of a table: what it is, and how it is read.
_TABLES = {
    "_delta_log/*.json": (
        "a Delta table",
        "load it with store.load_delta(…), or give EventLog.from_frame(polars.scan_delta(…))",
    ),
    "metadata/[v0-9]*.metadata.json": (
        "an Iceberg table",
        "give store.append(…) or EventLog.from_frame(…) what polars.scan_iceberg(…) reads of it",
    ),
}


def _refuse_tables(files: Iterable[Path]) -> None:
    """The files of a table hold rows that were deleted or written anew: which of them count it knows alone."""
    # Wherever one stands: "*.parquet" may be said in the folder of a partition.
    parents = {file.parent.resolve() for file in files}
    for folder in dict.fromkeys(above for parent in parents for above in (parent, *parent.parents)):
        for within in _TABLES:
            if any(folder.glob(within)):
                raise _table(folder, within)


def _refuse_stored_table(pattern: str, objects: Sequence[str], options: Options) -> None:
    """The same of objects: looked for where their pattern begins, for each look is a request."""
    log = [path.partition("/_delta_log/")[0] for path in objects if "/_delta_log/" in path]
    folder = log[0] if log else re.split(r"[*?\[]", pattern, maxsplit=1)[0].rpartition("/")[0]
    while "=" in folder.rpartition("/")[2]:
        folder = folder.rpartition("/")[0]
    for within in _TABLES:
        root = folder.removesuffix("/data") if within.startswith("metadata") else folder
        found = pl.DataFrame()
        with suppress(*_UNREADABLE):  # who may not look there may read the objects all the same
            found = pl.scan_lines(f"{root}/{within}", storage_options=options).head(1).collect()
        if found.height:
            raise _table(root, within)


def _table(folder: object, within: str) -> LogError:
    kind, fix = _TABLES[within]
    return LogError(f"{folder} is {kind}, whose files hold rows that were deleted, too; {fix}")


def _meant(path: str | Path, options: Options) -> Sequence[Stored]:
    if isinstance(path, Address):
        return [path]
    return _objects(str(path), options) if is_url(path) else _matches(str(path))


def is_url(path: str | Path) -> bool:
    """Whether a log is named by the URL of an object, and not by the path of a file."""
    return "://" in str(path)


def _matches(path: str) -> list[Path]:
    file = Path(path)
    if file.is_file():
        return [file]
    if file.is_dir():
        _refuse_tables([file / "*"])
        # Where it has folders in it, as partitioned tables are kept, a pattern of its own files would find none.
        deep = "**" if any(file.glob("*/")) else ""
        raise LogError(f"{path} is a folder; name its files, such as '{file / deep / '*.parquet'}'")
    named = map(Path, sorted(glob.glob(path, recursive=True)))  # noqa: PTH207 - a pattern may be absolute
    if found := [name for name in named if name.is_file()]:
        return found
    if file.exists():
        raise LogError(
            f"{path} is a pipe or a device, which can be read but once and whose name tells no format; write it into a file first"
        )
    if file.is_symlink():
        raise LogError(f"{path} is a link to {file.readlink()}, which is not there; check where it leads")
    beside = [other.name for other in file.parent.iterdir()] if file.parent.is_dir() else []
    if beside and glob.has_magic(folder := str(file.parent)):
        raise LogError(
            f"no file {path}: signs of patterns in the name of its folder are letters when they are written in brackets, "
            f"'{glob.escape(folder)}/{file.name}'"
        )
    raise LogError(f"no file {path}{near(file.name, beside)}; check the path")


def _objects(url: str, options: Options) -> list[Address]:
    """The objects of a store that a URL or a pattern names."""
    parts = urlsplit(url)
    if parts.password is not None:
        raise LogError("a URL is no place for a password: it is shown; give it in storage_options")
    if parts.scheme not in STORES:
        raise LogError(
            f"{url}: {parts.scheme}:// is no object store that is known ({', '.join(STORES)}); "
            "download the file and read that"
        )
    if url.endswith("/"):
        raise LogError(f"{url} is a folder; name its files, such as '{url}*.parquet'")
    if not glob.has_magic(url):
        return [Address(url)]
    kind = _kind(url)
    with readable(url):
        listed = _listed(url, _LISTS.get(kind, pl.scan_lines), options)
    if not listed:
        raise LogError(f"{url} cannot be read: there is no such object; check the bucket and the path")
    if kind == "parquet":
        _refuse_stored_table(url, [path for path, _ in listed], options)
    found = []
    for path, rows in listed:
        found.append(Address(path))
        found[-1].rows = rows
    return found


def _listed(url: str, opened: Callable[..., pl.LazyFrame], options: Options) -> list[tuple[str, int]]:
    """The objects behind a pattern, in order, with their rows: polars (2.1) tells the ones beside the others only."""
    if opened is pl.scan_lines:
        return _listed_as_lines(url, options)
    try:
        rows = opened(url, storage_options=options, include_file_paths="path")
        return rows.group_by("path").agg(pl.len()).sort("path").collect(engine="streaming").rows()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        # One that is damaged hides all others: as lines they are read whole, whatever they are, and it is named when it is
        # read by itself.
        if "object-store" in str(error):
            raise
        return _listed_as_lines(url, options)


def _listed_as_lines(url: str, options: Options) -> list[tuple[str, int]]:
    """The same of whatever they are. Polars calls scan_lines unstable (2.1)."""
    rows = pl.scan_lines(url, storage_options=options, include_file_paths="path")
    found: dict[str, int] = {}
    try:
        for some in rows.select("path").collect_batches(maintain_order=True):
            for path, count in some["path"].value_counts().iter_rows():
                found[path] = found.get(path, 0) + count
    except OSError as error:
        # One that is compressed and cut short cannot even be passed over as lines; polars (2.1) does not name it.
        if "end of file" not in str(error):
            raise
        which = f"{last} or the one after it" if (last := max(found, default=None)) else "the first of them"
        raise LogError(
            f"{url} cannot be read: an object is cut short, {which}; write it again, or take it away, for the others to be read"
        ) from None
    return sorted(found.items())


_LISTS: dict[str, Callable[..., pl.LazyFrame]] = {
    "parquet": partial(pl.scan_parquet, missing_columns="insert", extra_columns="ignore"),
    "ipc": pl.scan_ipc,
}


def _format(path: Stored | str) -> str | None:
    """The format that a name tells, if it tells one."""
    name = Path(path)
    return FORMATS.get((name.with_suffix("") if name.suffix == ".gz" else name).suffix.lower())


def _kind(path: Stored | str) -> str:
    """The format by the name; of a file it is checked against the first bytes."""
    if (shown := str(path).encode("utf-8", "replace").decode()) != str(path):
        raise LogError(
            f"{shown}: its name, or a folder's, is not UTF-8 (? stands for such a byte); rename it"
        )
    name, kind = Path(path), _format(path)
    if isinstance(path, Path):
        _check_head(path, kind)
    if kind is None and (fix := _CONVERTED.get(name.suffix.lower())):
        raise LogError(f"{path} cannot be read as it is: {fix}")
    if kind is None:
        raise LogError(f"{path}: unknown kind of file; name it {', '.join(FORMATS)} (or .csv.gz, .jsonl.gz)")
    return kind


_CONVERTED = {
    ".avro": "read it with polars.read_avro and give EventLog.from_frame the frame",
    ".zst": "decompress it first: zstd -d",
    ".bz2": "decompress it first: bunzip2",
    ".xz": "decompress it first: unxz",
}


def _check_head(path: Path, kind: str | None) -> None:
    head = _head(path)
    if not head:
        raise LogError(f"{path} is empty; a log has at least a header")
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise LogError(f"{path} is a spreadsheet or an archive (zip); save it as CSV (UTF-8) and read that")
    if kind in ("parquet", "ipc") and path.suffix == ".gz":
        raise LogError(
            f"{path} is compressed as a whole, and only files of text are read so; decompress it first: gunzip"
        )
    if kind == "parquet" and not head.startswith(b"PAR"):
        raise LogError(f"{path} is no Parquet file; name it after its format")
    if kind == "ipc" and head.startswith(b"\xff\xff\xff\xff"):
        raise LogError(f"{path} is {_STREAM}")
    if kind in ("csv", "jsonl") and head.startswith((b"PAR1", b"ARROW1")):
        raise LogError(f"{path} is a Parquet or Arrow file; name it .parquet or .arrow")


_STREAM = (
    "a stream of Arrow and no file of it; write it in the format of files, or give the frame: "
    "EventLog.from_frame(polars.read_ipc_stream(…))"
)
_HEAD = 65_536


def _head(path: Path) -> bytes:
    with _opened(path) as file:
        return file.read(_HEAD)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """The bytes of a file, decompressed; what is torn may be noticed only as it is read."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield file
    except PermissionError:
        raise LogError(
            f"{path} may not be read: ask its owner, or who runs this machine, for the right"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise LogError(f"{path} cannot be read: {error}; copy or download it again") from None


def _check_text(path: Stored, kind: str, head: bytes) -> None:
    if kind == "jsonl" and head.startswith(codecs.BOM_UTF8):
        raise LogError(
            f"{path} begins with a byte order mark, which JSON has not; save it as UTF-8 without one"
        )
    if kind == "jsonl" and head.lstrip().startswith(b"["):
        raise LogError(
            f"{path} is one JSON array, and JSON lines have one object a line; "
            "write them with: polars.read_json(…).write_ndjson(…), or jq -c '.[]'"
        )
    for begins, told in _ENCODED.items():
        if head.startswith(begins):
            raise LogError(f"{path} is {told}")
    # To polars all of such a file is its header, and it has no rows.
    if b"\r" in re.sub(b'"[^"]*"', b"", head.split(b"\n", 1)[0]).rstrip(b"\r"):
        raise LogError(
            f"{path}: its lines end in a carriage return alone; end them as other files do, with: tr '\\r' '\\n'"
        )
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        cut = len(head) == _HEAD and error.reason == "unexpected end of data"
        if not cut:
            raise LogError(f"{path} is not UTF-8 (byte {error.start}); {_UTF8_FIX}") from None


_ENCODED = {
    b"\xff\xfe": "UTF-16; save it as UTF-8, for instance with: iconv -f utf-16 -t utf-8",
    b"\xfe\xff": "UTF-16; save it as UTF-8, for instance with: iconv -f utf-16 -t utf-8",
    b"\x1f\x8b": "compressed by gzip; name it so, with .gz at the end",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; decompress it first: zstd -d",
}
_UTF8_FIX = "save it as UTF-8, for instance with: iconv -f latin1 -t utf-8"


def _columns(path: Stored, kind: str, separator: str, options: Options) -> tuple[tuple[str, str], ...]:
    """The names (and types, where the format has them): files that agree are scanned as one."""
    match kind:
        case "jsonl":
            # The whole file is looked through: a key may stand for the first time in its last line.
            rows = pl.scan_ndjson(_as_named(path), infer_schema_length=None, storage_options=options)
            try:
                return tuple((name, "text") for name in rows.collect_schema())
            except (pl.exceptions.ComputeError, pl.exceptions.SchemaError):
                # Polars (2.1) knows no type of what is an object here and a list there; as text it reads both.
                if names := _keys(path, options):
                    return tuple((name, "text") for name in names)
                raise
        case _:
            schema = _scan(kind, [path], [], separator, options).collect_schema()
            return tuple((name, str(dtype)) for name, dtype in schema.items())


def _keys(path: Stored, options: Options) -> dict[str, None]:
    """The keys of a file of JSON lines, or the first line that is none."""
    found: dict[str, None] = {}
    for number, line in enumerate(_lines(path, options), 1):
        try:
            row = json.loads(line.strip() or "{}", parse_constant=_no_json)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise LogError(
                f"{path} cannot be read: line {number} is no JSON object, {line[:60]!r}; mend or remove it"
            )
        found.update((key, None) for key in row)
    return found


def _no_json(constant: str) -> None:
    raise ValueError(f"{constant} is written by Python and by nobody else")


def _lines(path: Stored, options: Options) -> Iterator[str]:
    if isinstance(path, Path):
        with _opened(path) as lines:
            yield from (line.decode("utf-8", "replace") for line in lines)
    else:
        for some in pl.scan_lines(path, glob=False, storage_options=options).collect_batches():
            yield from some["line"]


def _scan(
    kind: str,
    files: Sequence[Stored],
    names: Sequence[str],
    separator: str,
    options: Options,
    beside: Sequence[str] = (),
) -> pl.LazyFrame:
    """The files as one frame; they are named one by one, so that a bracket in a name is no pattern."""
    how: dict[str, Any] = {"storage_options": options, "include_file_paths": _PATH if beside else None}
    sources: Any = files
    match kind:
        case "parquet":
            rows = pl.scan_parquet(sources, glob=False, **how)
        case "ipc":
            rows = pl.scan_ipc(sources, glob=False, **how)
        case "csv":
            how["skip_lines"] = int(separator.startswith("sep="))
            rows = pl.scan_csv(sources, glob=False, separator=separator[-1], infer_schema=False, **how)
            rows = rows.with_columns(pl.lit(None).alias(ODD_WIDTH))
        case _:
            lines: Any = [_as_named(path) for path in files]
            rows = pl.scan_ndjson(lines, schema=dict.fromkeys(names, pl.String), **how)
    if not beside:
        return rows
    return rows.with_columns(_folder(name, files).alias(name) for name in beside).drop(_PATH)


def _folder(name: str, files: Sequence[Stored]) -> pl.Expr:
    """A column that the names of folders hold. Polars' own reading of them (2.1) is for Parquet alone, and a column
    of the same name in the file would be lost to it."""
    written = {value: unquote(value) for value in (folders(path)[name] for path in files)}
    written = {value: text for value, text in written.items() if value != text}
    found = pl.col(_PATH).str.extract(f"(?:^|.*/){pl.escape_regex(name)}=([^/]*)/", 1)
    return found.replace({**written, "__HIVE_DEFAULT_PARTITION__": None})


def _as_named(path: Stored) -> Stored | str:
    """A file or object as polars, which cannot be told so for JSON lines (2.1), takes no part of its name for a pattern."""
    if isinstance(path, Path):
        return glob.escape(str(path))
    if glob.has_magic(path):
        raise LogError(
            f"{path}: JSON lines of a store are read only under names without * ? [ ]; copy it to such a one"
        )
    return path


def _separator(header: str) -> str:
    """What stands most often between the names of a CSV file; "sep=" and it where the first line says so."""
    if told := re.match("sep=[^\r]", header):
        return told[0]
    return max(",", ";", "\t", "|", key=re.sub('"[^"]*"', "", header).count)


def _header(path: Stored, kind: str, options: Options) -> str:
    """The first line of a file or object of text, after a look at whether it is one."""
    head = _head(path) if isinstance(path, Path) else _first_line(path, options)
    _check_text(path, kind, head)
    return head.removeprefix(codecs.BOM_UTF8).split(b"\n", 1)[0].decode("utf-8", "replace")


def _first_line(path: Address, options: Options) -> bytes:
    try:
        first = pl.scan_lines(path, glob=False, storage_options=options).head(1).collect()["line"]
    except pl.exceptions.ComputeError:
        # Polars (2.1) gives no bytes of an object; what is no text it reads as a CSV file with signs for what is none.
        how: dict[str, Any] = {"encoding": "utf8-lossy", "separator": "\1", "quote_char": None}
        cells = pl.scan_csv(
            path, glob=False, has_header=False, infer_schema=False, storage_options=options, **how
        )
        if "\0" in "".join(cells.head(1).collect().row(0)):
            return codecs.BOM_UTF16
        raise
    return first[0].encode() if first.len() else b""


@contextmanager
def readable(what: object) -> Iterator[None]:
    """Turn what polars says of a file it cannot read into a LogError that names the fix."""
    try:
        yield
    except LogError:
        raise
    except _UNREADABLE as error:
        if is_full(error):  # what is written meanwhile has no room; nothing is wrong with what is read
            raise
        text = str(error)
        if told := refusal(text):
            raise LogError(f"{what} cannot be read: {told}") from None
        if isinstance(error, (pl.exceptions.PolarsError, OSError)):
            raise LogError(f"{what} cannot be read: {_plain(error)}; {_fix(text)}") from None
        raise


# Beside its own errors polars raises ValueError for options that it does not know, and panics (2.1) at some.
_UNREADABLE = (pl.exceptions.PolarsError, OSError, ValueError, pl.exceptions.PanicException)


# What polars says of a store that gives nothing, and of options that reach none; the first that fits is told.
_REFUSALS = {
    r"^(incomplete mapping .*|conversion from .* failed in column .*|.* operation not supported for dtype .*)": (
        r"an expression that is given for a column failed: \1; mend it, for instance with "
        "replace_strict(…, default=None) or cast(…, strict=False)"
    ),
    r"^invalid value for ('\w+')": r"storage_options has no value of the right type for \1; names and keys are texts",
    r"range\.end as u64 <= self\.size": "it is shorter than when it was written: copy or write it again",  # a panic (2.1)
    r"InvalidUri": "the store's address is none; check the endpoint in storage_options",
    r"expanded paths were empty": "there is no such object; check the bucket and the path",
    r"[Pp]ath \"(.*)\" contained empty path segment": (
        r"the object '\1' has a folder without a name (//), which can be neither read nor passed over: rename it, or name "
        "the other objects by themselves"
    ),
    r"(?s)object-store.*(NoSuchBucket|ContainerNotFound)": "there is no such bucket; check its name",
    r"(?s)object-store.*(code: 40[13]|privileges|169\.254\.169\.254|metadata\.google)": (
        "access is refused; give keys that may read it in storage_options, such as "
        "{'aws_access_key_id': …, 'aws_secret_access_key': …, 'aws_region': …}"
    ),
    r"(?s)object-store.*(code: 404|not found)": "there is no such object; check the bucket and the path",
    r"(?s)object-store.*(code: 301|configured region|AuthorizationHeaderMalformed)": (
        "the bucket is in another region; say it: storage_options={'aws_region': …}"
    ),
    r"object-store.*sending request": (
        "the store cannot be reached; check the network and, where it is your own, its address: "
        "storage_options={'aws_endpoint_url': …}"
    ),
    r"object-store": "the store does not answer as it should; check the path and storage_options",
}


def refusal(text: str) -> str | None:
    """Why a store gives nothing, in own words: what it says itself may hold the keys it was asked with."""
    for words, told in _REFUSALS.items():
        if found := re.search(words, text):
            return found.expand(told)
    return None


def _plain(error: BaseException) -> str:
    text = str(error).strip().split("\n", 1)[0]
    return text if len(text) <= 200 else text[:199] + "…"


def _fix(error: str) -> str:
    words = error.lower()
    if "utf-8" in words or "utf8" in words:
        return _UTF8_FIX
    if "more fields" in words:
        return "a row has more cells than the header: quote cells that hold the separator"
    if "parquet" in words or "out of specification" in words:
        return "the file is cut short or damaged: copy or write it again"
    if "footer" in words:
        return f"it is cut short, or {_STREAM}"
    return "check that it is whole and what its name says"


def columns(
    source: pl.LazyFrame, wanted: Iterable[str], mapping: Mapping[str, str | pl.Expr], what: object
) -> tuple[pl.LazyFrame, list[str]]:
    """The wanted columns under their own names, and the names that the mapping left unused.

    ``mapping`` names the source of a column (or gives an expression, such as a constant);
    a column that is not mapped is taken by its own name where the source has it.

    Raises
    ------
    LogError
        When the mapping names what does not exist; the message names the near miss.
    """
    wanted = list(wanted)
    schema = source.collect_schema()
    names = [name for name in schema if name != ODD_WIDTH]
    odd = [pl.col(ODD_WIDTH)] if ODD_WIDTH in schema else []
    if schema.get(ODD_WIDTH) == pl.Null:
        # No optimizer sees that this is never true: whoever asks it reads every column.
        odd = [pl.struct(names).is_null().alias(ODD_WIDTH)]
        source = source.drop(ODD_WIDTH)  # a mapping's pl.all() does not mean it
    for column, origin in mapping.items():
        if column not in wanted:
            raise LogError(f"{what}: there is no column {column!r} to map to{near(column, wanted)}")
        if isinstance(origin, str):
            if origin not in names:
                raise LogError(
                    f"{what}: no column {origin!r} for {column!r}{near(origin, names)}; it has {listed(names)} "
                    f"(a constant is pl.lit({origin!r}))"
                )
        elif not isinstance(origin, pl.Expr):
            raise LogError(
                f"{what}: {origin!r} for {column!r} is no column's name; a constant is pl.lit({origin!r})"
            )
    taken = {column: mapping.get(column, column) for column in wanted if column in mapping or column in names}
    for column, origin in taken.items():
        if f"{origin}_duplicated_0" in names:  # as polars calls the second of a CSV file
            raise LogError(f"{what}: there are several columns {origin!r} for {column!r}: rename all but one")
    exprs = [(pl.col(origin) if isinstance(origin, str) else origin).alias(c) for c, origin in taken.items()]
    used = {name for origin in taken.values() for name in roots(origin)}
    _check_expressions(source, exprs, what)
    with readable(what):
        found = _spelt(source.select(*exprs, *odd))
    for column, dtype in found.collect_schema().items():
        if dtype == pl.Binary:
            raise LogError(
                f"{what}: what is given for {column!r} is bytes that are no text; make it text in the source: cast it "
                "to text, or to uuid"
            )
    return found, [name for name in names if name not in used]


def _check_expressions(source: pl.LazyFrame, exprs: Sequence[pl.Expr], what: object) -> None:
    """Refuse an expression that does not fit the source; the first in order is told."""
    try:
        source.select(exprs).collect_schema()
    except pl.exceptions.PolarsError as error:
        if len(exprs) > 1:
            for expr in exprs:
                _check_expressions(source, [expr], what)
        lines = "; nested values of JSON lines are texts: pl.col(…).str.json_path_match('$.customer_id')"
        fix = lines if "struct" in str(exprs[0]) else "; mend it in columns="
        raise LogError(
            f"{what}: the expression for {exprs[0].meta.output_name()!r} failed: {_plain(error)}{fix}"
        ) from None


def roots(origin: str | pl.Expr) -> list[str]:
    """The columns of the source that a column of a mapping is made of."""
    return [origin] if isinstance(origin, str) else origin.meta.root_names()


def alike(parts: Sequence[pl.LazyFrame], names: Iterable[str]) -> list[pl.LazyFrame]:
    """The parts of a log, each with a column of nulls for those of the names that only others have."""
    schemas = [part.collect_schema() for part in parts]
    known = {name: schema[name] for name in names for schema in schemas if name in schema}
    return [
        part.with_columns(
            pl.lit(None, dtype).alias(name) for name, dtype in known.items() if name not in schema
        )
        for part, schema in zip(parts, schemas, strict=True)
    ]


# One cell at a time: expressions that give null where a cell cannot be read.


def cell(
    column: str,
    origin: pl.DataType,
    target: pl.DataType,
    zone: str = "UTC",
    unit: TimeUnit | None = None,
    form: str | None = None,
) -> pl.Expr:
    """The expression that reads a column of one type as another; null where a cell cannot be read."""
    value = pl.col(column)
    if origin == pl.Null:
        return value.cast(target)
    if origin == target and not target.is_float() and not isinstance(target, (pl.String, pl.Datetime)):
        return value
    match target:
        case pl.String():
            return _text(value, origin)
        case pl.Datetime():
            return _within(_time(_within(value, origin), origin, zone, unit, form), _UTC)
        case pl.Enum():
            return _text(value, origin).cast(target, strict=False)
        case pl.Boolean():
            return _flag(_text(value, origin))
        case _:
            return _number(_text(value, origin) if not origin.is_numeric() else value, target)


def _text(value: pl.Expr, origin: pl.DataType) -> pl.Expr:
    """Text; blank cells are no value. Numbers lose the zeros that a float or decimal column gives them."""
    if origin == pl.String:
        return pl.when(value.str.len_bytes() > 0).then(value)
    if origin.is_float():
        whole = value.cast(pl.Int64, strict=False)
        return (
            pl.when(value == whole)
            .then(whole.cast(pl.String))
            .when(value.is_not_nan())
            .then(value.cast(pl.String))
        )
    if isinstance(origin, (pl.Date, pl.Datetime)):
        # Polars panics (2.1) where a year has too many digits to be written; its number stands for it.
        written = _between(value, *_WRITTEN).cast(pl.String)
        return pl.coalesce(written, value.to_physical().cast(pl.String))
    text = value.cast(pl.String, strict=False)
    if isinstance(origin, pl.Decimal) and origin.scale:
        text = text.str.strip_chars_end("0").str.strip_chars_end(".")
    return pl.when(text.str.len_bytes() > 0).then(text)


def _number(value: pl.Expr, target: pl.DataType) -> pl.Expr:
    number = value.cast(pl.Float64, strict=False)
    number = pl.when(number.is_finite()).then(number)
    if target.is_integer():
        exact = value.cast(target, strict=False)
        return pl.coalesce(
            pl.when(number == exact).then(exact),
            pl.when(number == number.floor()).then(number.cast(target, strict=False)),
        )
    return number


def _flag(text: pl.Expr) -> pl.Expr:
    word = text.str.to_lowercase()
    truth = pl.when(word.is_in(["true", "t", "1", "1.0", "yes", "y"])).then(True)
    return truth.when(word.is_in(["false", "f", "0", "0.0", "no", "n"])).then(False)


def _within(at: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Times of the years that a log may tell of; what lies outside is a slip and no time."""
    if not isinstance(dtype, (pl.Datetime, pl.Date)):
        return at
    # A zone may move a time by a day; once it is UTC the years are asked again.
    slack = 0 if dtype == _UTC else 86_400
    return _between(at, _SECONDS[0] - slack, _SECONDS[1] + slack)


def _between(at: pl.Expr, first: int, last: int) -> pl.Expr:
    return pl.when(at.dt.epoch("ms").is_between(first * 1000, last * 1000, closed="left")).then(at)


def _time(value: pl.Expr, origin: pl.DataType, zone: str, unit: TimeUnit | None, form: str | None) -> pl.Expr:
    if isinstance(origin, pl.Datetime):
        local = value if origin.time_zone else _placed(value.cast(pl.Datetime("us")), zone)
        return local.dt.convert_time_zone("UTC").cast(_UTC)
    if origin == pl.Date:
        return _begun(value.cast(pl.Datetime("us")), zone)
    if origin.is_numeric():
        # In 32 bits there is no room for microseconds.
        wide = pl.Int64 if origin.is_integer() else pl.Float64
        return _epoch(value if origin.is_decimal() else value.cast(wide, strict=False), unit)
    text = _text(value, origin)
    return text.map_batches(
        lambda cells: _times(cells, zone, unit, form), return_dtype=_UTC, is_elementwise=True
    )


def _placed(local: Column, zone: str) -> Column:
    """A local time in its zone. An hour that comes twice is the earlier one; one that never comes is no time."""
    if zone == "UTC":
        return local.dt.replace_time_zone("UTC")
    return local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone(
        "UTC"
    )


def _begun(day: pl.Expr, zone: str) -> pl.Expr:
    """The first instant of a local day: where the clocks go forward at midnight it has none."""
    return pl.coalesce(_placed(day, zone), _placed(day.dt.offset_by("1h"), zone))


def _epoch(value: pl.Expr, unit: TimeUnit | None) -> pl.Expr:
    per = _PER_SECOND[unit or "s"]
    held = pl.when(value.is_between(_SECONDS[0] * per, _SECONDS[1] * per)).then(value)
    if per > 10**6:
        micros = held.cast(pl.Int64, strict=False) // (per // 10**6)
    else:
        micros = (held * (10**6 // per)).round().cast(pl.Int64, strict=False)
    return micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


_OFFSET_FORMATS = (
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M%#z",
    "%Y%m%d %H%M%S%.f%#z",
)
_LOCAL_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
NUMBER = r"^-?\d+(?:\.\d*)?$"


def _times(cells: pl.Series, zone: str, unit: TimeUnit | None, form: str | None) -> pl.Series:
    """ISO 8601 in its usual spellings, each row by its own offset; numbers are epochs if the unit is known.

    A form that was told goes before all of them.
    """
    attempts: list[Callable[[pl.Series], pl.Series]] = []
    if form is not None:
        own = "UTC" if "%Z" in form else zone  # the name of another zone is refused before
        attempts.append(lambda left: _zoned(left, form) if "%z" in form else _local(left, form, own))
    attempts += [lambda left, f=form: _zoned(left, f) for form in _OFFSET_FORMATS[:2]]  # type: ignore[misc]
    attempts += [lambda left, f=form: _local(left, f, zone) for form in _LOCAL_FORMATS[:2]]  # type: ignore[misc]
    if unit is not None:
        # Whole numbers first: as floats they would lose microseconds.
        attempts += [lambda left, n=number: _epochs(left, n, unit) for number in (pl.Int64, pl.Float64)]  # type: ignore[misc]
    attempts += [lambda left, f=form: _zoned(_tidied(left), f) for form in _OFFSET_FORMATS[1:]]  # type: ignore[misc]
    attempts += [lambda left, f=form: _local(_tidied(left), f, zone) for form in _LOCAL_FORMATS]  # type: ignore[misc]
    parsed = pl.Series([None], dtype=_UTC).new_from_index(0, len(cells))
    for attempt in attempts:
        left = parsed.is_null() & cells.is_not_null()
        count = left.sum()
        if count == 0:
            break
        if count == len(cells):
            parsed = attempt(cells)
        else:
            found = attempt(cells.filter(left))
            if found.null_count() < len(found):
                parsed = parsed.scatter(left.arg_true(), found)
    return parsed.rename(cells.name)


def _zoned(cells: pl.Series, form: str) -> pl.Series:
    return cells.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)


def _local(cells: pl.Series, form: str, zone: str) -> pl.Series:
    local = cells.str.to_datetime(form, time_unit="us", strict=False)
    if re.search(_HOURS, form):
        return _placed(local, zone)
    return local.to_frame("day").select(_begun(pl.col("day"), zone)).to_series()


_HOURS = "%[-_0]?[HIklTRrXcs]"  # what a form has that says more than days


def _tidied(cells: pl.Series) -> pl.Series:
    """Seldom spellings brought to the usual one: lower case, a comma before the fraction, spaces, 'UTC'."""
    plain = cells.str.strip_chars().str.to_uppercase()
    plain = plain.str.replace(r"^(\d{4}-?\d\d-?\d\d)T", "${1} ").str.replace(r"(:\d\d),(\d+)", "${1}.${2}")
    return plain.str.replace(r"\s*(?:UTC|GMT|Z)$", "Z").str.replace(
        r"(:\d\d(?:\.\d+)?)\s+([+-]\d\d)", "${1}${2}"
    )


def _epochs(cells: pl.Series, number: type[pl.Int64 | pl.Float64], unit: TimeUnit) -> pl.Series:
    cells = cells.str.strip_chars()
    numbers = cells.set(~cells.str.contains(NUMBER), None).cast(number, strict=False)
    return numbers.to_frame("n").select(_epoch(pl.col("n"), unit)).to_series()


def epoch_unit(source: pl.LazyFrame, column: str, what: object) -> TimeUnit | None:
    """The unit of a column of epoch numbers, by their size; None where the column holds no numbers.

    Raises
    ------
    LogError
        When the numbers fit no unit, or not all the same one.
    """
    dtype = source.collect_schema()[column]
    if dtype == pl.String:
        text = _text(pl.col(column), dtype).str.strip_chars()
        # A number among dates is a slip of its row; a word among numbers makes them no less numbers.
        numeric = text.str.contains(NUMBER)
        with readable(what):
            ruling = source.select(numeric.sum() * 2 > text.count()).collect(engine="streaming").item()
        if not ruling:
            return None
        number: pl.Expr = pl.when(numeric).then(text.cast(pl.Float64, strict=False))
    elif dtype.is_numeric():
        number = pl.col(column).cast(pl.Float64)
    else:
        return None
    number = pl.when(number.is_finite()).then(number)
    with readable(what):
        low, high = source.select(number.min(), high=number.max()).collect(engine="streaming").row(0)
    if low is None:
        return None
    for unit, per in _PER_SECOND.items():
        if _SAFE[0] * per <= low and high < _SAFE[1] * per:
            return unit  # type: ignore[return-value]
    if _SERIAL_DAYS[0] <= low and high <= _SERIAL_DAYS[1]:
        raise LogError(
            f"{what}: the numbers in {column!r} ({low:.0f} to {high:.0f}) look like the days since 1899-12-30 that "
            f"spreadsheets count; say columns={{{column!r}: pl.datetime(1899, 12, 30) + "
            "pl.duration(seconds=(pl.col(…).cast(pl.Float64) * 86_400).round().cast(pl.Int64))}"
        )
    for form, (first, last) in _DIGITS.items():
        if first <= low and high <= last:
            raise LogError(
                f"{what}: the numbers in {column!r} ({low:.0f} to {high:.0f}) look like dates without separators; as text "
                f"they are read with time_format={form!r}, as numbers with columns={{{column!r}: pl.col(…).cast(pl.Float64)"
                f".cast(pl.Int64).cast(pl.String).str.to_datetime({form!r}, strict=False)}}"
            )
    raise LogError(
        f"{what}: the numbers in {column!r} ({low:.0f} to {high:.0f}) are no epoch of one unit for sure; "
        "say time_unit='s', 'ms', 'us' or 'ns'"
    )


def arrow_frame(obj: object) -> pl.LazyFrame:
    """A lazy frame of any table-like object: polars, or whatever speaks the Arrow stream protocol."""
    if isinstance(obj, pl.LazyFrame):
        return obj
    if isinstance(obj, pl.DataFrame):
        return obj.lazy()
    if hasattr(obj, "__arrow_c_stream__"):
        try:
            return _spelt(pl.DataFrame(map(_held, pl.DataFrame(_indexed(obj)))).lazy()).collect().lazy()
        except (pl.exceptions.PanicException, pl.exceptions.PolarsError) as error:
            if driver := re.search(
                "external error: (.*)", str(error)
            ):  # what a driver says of a query it has begun
                raise LogError(
                    f"the rows could not be had to the end: {driver[1]}; mend the query, or what it asks"
                ) from None
            if isinstance(error, pl.exceptions.DuplicateError):
                raise LogError(
                    f"the table cannot be read: {_plain(error)}; rename one in the source"
                ) from None
            # So polars (2.1) refuses a type that it does not hold.
            raise LogError(
                "a column is of a type that cannot be read, such as an interval; make it text in the source"
            ) from None
        except (
            TypeError,
            ValueError,
        ) as error:  # of pyarrow, which pandas asks: a column holds several kinds
            fix = "make the column text, such as frame.astype({'customer': 'string'})"
            if "non-unique" in str(error):
                fix = "rename one of the two columns of one name, or drop it: frame.loc[:, ~frame.columns.duplicated()]"
            raise LogError(f"the table cannot be read: {_plain(error)}; {fix}") from None
    raise LogError(
        f"no table: {type(obj).__name__}; give a polars frame or an object with __arrow_c_stream__"
    )


def _indexed(table: Any) -> Any:
    """A table whose index is among its columns where it has a name: a frame of pandas hands these alone over."""
    names = getattr(getattr(table, "index", None), "names", ())
    levels = [name for name in names if name is not None and name not in getattr(table, "columns", ())]
    return table.reset_index(levels) if levels else table


def _held(column: pl.Series) -> pl.Series:
    """What a column of an extended type holds: the enums of a database have no type of their own here."""
    return column.ext.storage() if isinstance(column.dtype, pl.BaseExtension) else column


def _spelt(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Bytes as the text that they stand for, words or UUIDs, a column at a time; left where they stand for none."""
    names = [name for name, dtype in rows.collect_schema().items() if dtype == pl.Binary]
    if not names:
        return rows
    # A few UUIDs may be texts by chance, yet no words have their version and variant where these have them.
    coded = {name: pl.col(name).bin.encode("hex") for name in names}
    asked = [
        pl.struct(
            (
                coded[name].str.contains("^.{12}[1-8].{3}[89ab].{15}$").all() & (pl.col(name).count() > 0)
            ).alias("uuids"),
            pl.col(name)
            .map_batches(_words, return_dtype=pl.Boolean, is_elementwise=True)
            .all()
            .alias("words"),
            (pl.col(name).bin.size() == 16).all().alias("long"),
        ).alias(name)
        for name in names
    ]
    spelt = []
    for name, told in rows.select(asked).collect(engine="streaming").row(0, named=True).items():
        if told["uuids"] or (told["long"] and not told["words"]):
            spelt.append(
                coded[name].str.replace("^(.{8})(.{4})(.{4})(.{4})", "${1}-${2}-${3}-${4}-").alias(name)
            )
        elif told["words"]:
            spelt.append(pl.col(name).cast(pl.String))
    return rows.with_columns(spelt)


def _words(cells: pl.Series) -> pl.Series:
    """Whether these bytes are texts; numbers in a database's own writing have zero bytes, words have none."""
    try:
        words = not cells.cast(pl.String).str.contains("\0", literal=True).any()
    except pl.exceptions.ComputeError:
        words = False
    return pl.repeat(words, len(cells), dtype=pl.Boolean, eager=True)


def read_arrow(path: Path) -> pl.DataFrame:
    """A table that this package has written, whatever signs of patterns the names of its folders have."""
    return pl.scan_ipc(path, glob=False).collect()


def any_of(conditions: Iterable[pl.Expr]) -> pl.Expr:
    """True where one of the conditions holds; false where none is given."""
    return reduce(lambda one, other: one | other, conditions, pl.lit(False))


def interned(text: Column) -> Column:
    """Texts as codes: categories of our own are the fastest dictionary of polars, and go when nobody holds them."""
    return text.cast(pl.Categorical(pl.Categories.random()))


def filled(template: str, *columns: pl.Expr | str) -> pl.Expr:
    """The template with each ``{}`` filled from a column; null where a column is.

    Polars' own ``format`` panics (2.1) on a column whose first chunk is empty, as filters leave them.
    """
    parts = template.split("{}")
    pieces = [pl.lit(parts[0])]
    for column, part in zip(columns, parts[1:], strict=True):
        pieces += [pl.col(column) if isinstance(column, str) else column, pl.lit(part)]
    return pl.concat_str(pieces)
