"""What looks odd in a log though it loads, or could be read if it were said how."""

from __future__ import annotations

import re
from datetime import datetime

import polars as pl

from journey_nb.events.account import Judged, cut
from journey_nb.events.words import KIND_REASONS, KINDS
from journey_nb.journey import CHANNELS, Journey, near


def oddities(source: Judged, judged: Judged, journey: Journey | None, now: datetime) -> list[str]:
    """What looks odd in the rows of a source, and in what they were judged to be (the same but for activities)."""
    return [
        *_unread_times(source),
        *_hours_that_never_were(source.quarantined),
        *_odd_ids(source.rows),
        *_words_of_nothing(source.quarantined),
        *_warnings(judged, journey, now),
    ]


def _unread_times(judged: Judged) -> list[str]:
    """A hint where no time at all could be read, though some look as if they were times."""
    bad = judged.quarantined
    if judged.rows.height or bad["occurred_at"].null_count() < bad.height:
        return []
    odd = bad["detail"].str.extract(r"occurred_at(?: \(.*\))? '(.*?)'").drop_nulls()
    odd = odd.filter(~odd.str.contains(r"^\d{4}-\d\d-\d\d"))  # written well: of an impossible year or day
    if odd.is_empty():
        return []
    if re.match(_ROUNDED, odd[0]):
        return [
            f"no time can be read, such as {cut(odd[0])!r}, a number that was rounded: export the times as text"
        ]
    form = "%m/%d/%Y %I:%M:%S %p" if odd[0].upper().endswith("M") else "%d/%m/%Y %H:%M"
    return [f"no time can be read, such as {cut(odd[0])!r}: say time_format={form!r}, as they are written"]


def _hours_that_never_were(bad: pl.DataFrame) -> list[str]:
    """Local times that are well written and yet none: the clocks of the zone that was told jump over them."""
    text = pl.col("detail").str.extract(r"_at(?: \(.*?\))? '(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::[\d.]+)?)'")
    plain = text.str.replace("T", " ")
    read = pl.coalesce(
        plain.str.to_datetime(f"%Y-%m-%d %H:%M{rest}", strict=False) for rest in ("", ":%S%.f")
    )
    # Programs write 1900-01-01 for no time, which is too early to be one east of Greenwich.
    jumped = bad.filter(read.dt.year().is_between(1901, 2199)).select(text).to_series()
    if jumped.is_empty():
        return []
    return [
        f"{jumped.len():,} rows have a local time that never was, such as {jumped.min()!r}, for the clocks jump over it there: "
        "see whether timezone is the one that they were written in"
    ]


_ROUNDED = r"\d(?:[.,]\d+)?[eE]\+\d+$"  # a number as programs shorten it

# What programs write where they have nothing to write, in lower case.
_NOTHING = ("null", "none", "nan", "\\n", "undefined", "(not set)", "n/a")


def _odd_ids(rows: pl.DataFrame) -> list[str]:
    """Ids that are many people's: a word for nobody, and numbers that were rounded to be written shorter."""
    ids = rows["user_id"]
    words = [f"{of}{word}" for of in ("", "device:") for word in _NOTHING]
    odd = ids.filter(ids.str.to_lowercase().is_in(words))
    told = []
    for name, count in odd.value_counts(name="rows").sort("user_id").rows():
        column, nobody = "device_id" if ":" in name else "user_id", name.removeprefix("device:")
        told.append(
            f"{column} {nobody!r} stands in {count:,} rows, as if it were one person: where it means nobody, give "
            f"{column} as pl.col(…).replace({nobody!r}, None)"
        )
    rounded = ids.filter(ids.str.contains(f"^(?:device:)?{_ROUNDED}"))
    if rounded.len():
        told.append(
            f"{rounded.len():,} rows have a user_id such as {rounded.min()!r}, a number that was "
            "rounded, maybe to that of several people: export the ids as text"
        )
    return told


def _words_of_nothing(bad: pl.DataFrame) -> list[str]:
    """Cells that could not be read because they say that there is nothing."""
    words = "|".join(map(re.escape, _NOTHING))
    cell = bad["detail"].str.extract_groups(rf"(?i)(\w+)(?: \([^']*\))? '({words})'").struct.unnest()
    found = cell.drop_nulls().group_by("1", "2").len().sort("1", "2")
    return [
        f"{column} {word!r} in {count:,} rows: where it means nothing, give {column} as "
        f"pl.col(…).replace({word!r}, None)"
        for column, word, count in found.rows()
    ]


def _warnings(judged: Judged, journey: Journey | None, now: datetime) -> list[str]:
    """What looks odd, the words that were meant perhaps first."""
    rows = judged.rows
    told = _near_misses(judged.quarantined, journey)
    late = rows.filter(pl.col("occurred_at") > now)["occurred_at"].sort()
    if late.len():
        last = f"{late[-1]:%Y-%m-%d %H:%M} UTC"
        told.append(f"{late.len():,} rows lie in the future, up to {last}: check clock and time_unit")
    if devices := rows["user_id"].str.starts_with("device:").sum():
        told.append(f"{devices:,} rows have no user_id; their device stands for the user (device:…)")
    told += _nowhere(rows)
    unknown = [unknown for _, unknown in KIND_REASONS.values()]
    foreign = rows.filter(pl.col("reason").is_in(unknown))["reason_detail"].drop_nulls()
    if foreign.len():
        words = ", ".join(repr(cut(word)) for word in foreign.unique().sort().head(5))
        told.append(
            f"{foreign.len():,} rows give a reason that is not on the list, such as {words}: read as …_unknown"
        )
    return told


def _nowhere(rows: pl.DataFrame) -> list[str]:
    """Waits and skips at points at which no run is ever said to arrive: they belong to a visit, and there is none."""
    arrived = rows.filter(pl.col("kind").is_in(["run.entered", "point.entered"]))["point_id"].unique()
    standing = rows.filter(pl.col("kind").is_in(["wait.started", "point.skipped"]))
    lost = standing.filter(~pl.col("point_id").is_in(arrived.implode()))["point_id"].cast(pl.String)
    if lost.is_empty():
        return []
    points = ", ".join(repr(cut(point)) for point in lost.unique().sort().head(5))
    return [
        f"{lost.len():,} rows of wait.started or point.skipped are at points that no row arrives at (point.entered), "
        f"such as {points}: they count for no visit"
    ]


def _near_misses(bad: pl.DataFrame, journey: Journey | None) -> list[str]:
    known: dict[str, tuple[str, list[str]]] = {
        "unknown_kind": ("kind", list(KINDS)),
        "unknown_channel": ("channel", list(CHANNELS)),
    }
    if journey is not None:
        known["unknown_journey"] = ("journey_id", [journey.journey_id])
        known["unknown_point"] = ("point_id", list(journey.points()))
        known["unknown_goal"] = ("goal_id", [goal.goal_id for goal in journey.goals])
        keys = dict.fromkeys(branch.key for version in journey.versions for branch in version.branches)
        known["unknown_branch"] = ("branch", list(keys))
        known["unknown_version"] = ("version", [str(version.version) for version in journey.versions])
    told = []
    for rule, (column, words) in known.items():
        word = pl.col("detail").str.extract(r"'(.*)'", 1) if column in ("kind", "channel") else pl.col(column)
        found = (
            bad.filter(pl.col("rule") == rule)
            .select(word.cast(pl.String))
            .to_series()
            .drop_nulls()
            .value_counts(sort=True, name="rows")
        )
        for value in found.sort("rows", found.columns[0], descending=[True, False])[found.columns[0]].head(5):
            if value.lower() in _NOTHING:
                continue
            if hint := _nearest(value, words):
                told.append(f"{column} {cut(value)!r} is unknown{hint}")
            elif rule in ("unknown_channel", "unknown_version"):
                told.append(f"{column} {cut(value)!r} is unknown; it is one of {', '.join(words[:20])}")
            elif rule == "unknown_journey":
                told.append(
                    f"journey_id {cut(value)!r} is not that of the document, {words[0]!r}: "
                    "one of the two must be that of the other, for these rows to count"
                )
    commas = bad["detail"].str.extract(r"value '(-?\d+,\d+)'").drop_nulls()
    if commas.len():
        told.append(
            f"value {commas[0]!r} has a decimal comma, as {commas.len():,} rows have: say "
            "columns={'value': pl.col(…).str.replace(',', '.')}"
        )
    return told


def _nearest(word: str, known: list[str]) -> str:
    """A hint that names the word in another case, or the variant that is called so, or else what is near."""
    same = [other for other in known if word.lower() in (other.lower(), other.lower().rpartition(":")[2])]
    return f"; did you mean {same[0]!r}?" if same else near(word, known)
