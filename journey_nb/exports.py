"""Files of the tables: CSV, Parquet and XLSX, written whole or not at all (METRICS.md, section 8)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import polars.selectors as cs

from journey_nb.files import whole
from journey_nb.journey import near

if TYPE_CHECKING:
    from journey_nb.metrics.scope import Scope
    from journey_nb.stats import JourneyStats

_TEXT, _COUNT, _RATE = pl.String(), pl.Int64(), pl.Float64()

# The columns of the campaign statistics, in their order.
CAMPAIGN: dict[str, pl.DataType] = {
    "Title": _TEXT,
    "Status": _TEXT,
    "Created at": _TEXT,
    "Category": _TEXT,
    "Type": _TEXT,
    "UUID": _TEXT,
    "Total reach": _COUNT,
    "Unique users": _COUNT,
    "Users inside": _COUNT,
    "Drop-off": _COUNT,
    "Total sends": _COUNT,
    "Average CTR": _RATE,
    "Goals": _COUNT,
    "Push sends": _COUNT,
    "Push CTR": _RATE,
    "Email sends": _COUNT,
    "Email CTR": _RATE,
    "Email clicks": _COUNT,
    "Email unsubscribes": _COUNT,
    "SMS sends": _COUNT,
    "SMS delivered": _COUNT,
    "WhatsApp sends": _COUNT,
    "WhatsApp opens": _COUNT,
    "In-App shows": _COUNT,
    "In-App interactions": _COUNT,
    "In-App skips": _COUNT,
}

STATUS_LABELS = {
    "draft": "Draft",
    "running": "Active",
    "paused": "Paused",
    "finished": "Finished",
    "archived": "Archived",
}
TYPE_LABELS = {"audience": "AudienceBased", "trigger": "TriggerBased", "api": "ApiBased", "mixed": "Mixed"}


def campaign_statistics(
    stats: JourneyStats | Iterable[JourneyStats], *, percent: bool = False
) -> pl.DataFrame:
    """The campaign statistics: a row per journey, 26 columns, over each one's own period.

    Parameters
    ----------
    stats
        One journey's stats, or several.
    percent
        Rates as per cent with one decimal (12.3) instead of fractions with six (0.123456).
    """
    from journey_nb.stats import JourneyStats

    several = [stats] if isinstance(stats, JourneyStats) else list(stats)
    table = pl.DataFrame([_campaign_row(one) for one in several], schema=CAMPAIGN)
    return table.with_columns((cs.float() * 100).round(1) if percent else cs.float().round(6))


def step_users(stats: JourneyStats, point_id: str) -> pl.DataFrame:
    """Who came to a point in the period: a row per visit, in order of arrival."""
    if point_id not in (known := stats.journey.points()):
        raise KeyError(f"{stats.journey.label!r} has no point {point_id!r}{near(point_id, known)}")
    scope = stats.scope
    runs = scope.facts.runs.select("run", "run_id", "user_id", "device_id")
    return (
        scope.visits.filter((pl.col("point") == point_id) & (pl.col("arrives") | pl.col("was_open")))
        .join(runs, on="run", how="left")
        .join(scope.runs.select("run", "reason"), on="run", how="left")
        .select(
            journey=pl.lit(stats.journey.label),
            point=pl.col("point").cast(pl.String),
            user_id="user_id",
            device_id="device_id",
            run_id="run_id",
            entered_at=scope.local("arrived_at"),
            left_at=scope.local("left_at"),
            outcome=pl.col("outcome").cast(pl.String),
            branch="branch",
            reason=pl.coalesce(
                pl.col("skip_reason").cast(pl.String),
                pl.when(pl.col("outcome") != "completed").then(pl.col("reason").cast(pl.String)),
            ),
        )
        .sort("entered_at", "run_id", nulls_last=False)
    )


def _campaign_row(stats: JourneyStats) -> dict[str, Any]:
    journey, scope = stats.journey, stats.scope
    runs = scope.runs
    sent = scope.messages.filter(pl.col("fate") == "sent")
    by_channel = {str(key[0]): rows for key, rows in sent.group_by("channel")}
    empty = sent.clear()

    def of(channel: str) -> pl.DataFrame:
        return by_channel.get(channel, empty)

    dropped = runs.filter(
        "leaves",
        (pl.col("status") == "dropped") | ((pl.col("status") == "exited") & (pl.col("reason") != "goal")),
    )
    clicks = {channel: _clicked(scope, channel, rows) for channel, rows in by_channel.items()}
    counted = {channel: count for channel, count in clicks.items() if count is not None}
    email, in_app = of("email"), of("in_app")
    interacted = in_app.filter(pl.col("interacted_at").is_not_null())["user"].unique()
    dismissed = in_app.filter(pl.col("dismissed_at").is_not_null())["user"].unique()
    return {
        "Title": journey.label,
        "Status": STATUS_LABELS[journey.status],
        "Created at": journey.created_at.isoformat() if journey.created_at else None,
        "Category": journey.category,
        "Type": TYPE_LABELS[journey.entry_type],
        "UUID": journey.journey_id,
        "Total reach": runs.filter(scope.within("entered_at")).height,
        "Unique users": sent["user"].n_unique(),
        "Users inside": runs.filter("is_inside")["user"].n_unique(),
        "Drop-off": dropped["user"].n_unique(),
        "Total sends": sent.height,
        "Average CTR": _ratio(sum(counted.values()), sum(by_channel[channel].height for channel in counted)),
        "Goals": scope.goals["user"].n_unique(),
        "Push sends": of("push").height,
        "Push CTR": _ratio(clicks.get("push") or 0, of("push").height),
        "Email sends": email.height,
        "Email CTR": _ratio(clicks.get("email") or 0, email.height),
        "Email clicks": _events(scope, email.filter("clicked"), "message.clicked"),
        "Email unsubscribes": email.filter(pl.col("unsubscribed_at").is_not_null())["user"].n_unique(),
        "SMS sends": of("sms").height,
        "SMS delivered": of("sms")["delivered"].sum(),
        "WhatsApp sends": of("whatsapp").height,
        "WhatsApp opens": of("whatsapp")["opened"].sum(),
        "In-App shows": _events(scope, in_app, "message.impression"),
        "In-App interactions": interacted.len(),
        "In-App skips": dismissed.filter(~dismissed.is_in(interacted.implode())).len(),
    }


def _clicked(scope: Scope, channel: str, sent: pl.DataFrame) -> int | None:
    """Sent messages that were clicked; None on a channel whose source reports no clicks at all.

    A push of a source that reports only opens counts those.
    """
    time = "clicked_any_at" if scope.machine else "clicked_at"
    reported = scope.facts.messages.filter(pl.col("channel") == channel)
    if reported[time].count():
        return int(sent["clicked"].sum())
    if channel == "push" and reported[time.replace("clicked", "opened")].count():
        return int(sent["opened"].sum())
    return None


def _events(scope: Scope, messages: pl.DataFrame, kind: str) -> int:
    """How often something happened to some messages, as far as is seen; once where it is inferred."""
    seen = scope.facts.events.filter(pl.col("kind") == kind, pl.col("at") < scope.horizon)
    times = (
        messages.select("message")
        .join(seen, on="message", how="left")
        .group_by("message")
        .agg(n=pl.col("at").count())
    )
    return int(times["n"].clip(lower_bound=1).sum())


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


# ---------------------------------------------------------------------------------------------------


def write_table(
    table: pl.DataFrame, path: str | Path, *, bom: bool = False, spreadsheet_safe: bool = True
) -> Path:
    """Write a table as CSV, Parquet or XLSX, by the ending of its name; whole or not at all.

    Parameters
    ----------
    bom
        Begin a CSV with a byte order mark, by which Excel knows UTF-8.
    spreadsheet_safe
        In CSV and XLSX give text and headings that a spreadsheet would run (they begin with = + - @,
        a tab or a carriage return) a leading apostrophe. False keeps ids joinable.

    Warns
    -----
    UserWarning
        When a text is longer than a cell of XLSX holds; it ends in an ellipsis there.

    Examples
    --------
    >>> import tempfile
    >>> table = pl.DataFrame({"title": ["=1+1", "Welcome"], "sent": [3, 4]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(write_table(table, f"{folder}/t.csv").read_text())
    title,sent
    '=1+1,3
    Welcome,4
    <BLANKLINE>
    """
    path = Path(path)
    writers: dict[str, Callable[[Path], Any]] = {
        ".csv": lambda part: _spreadsheet(table, spreadsheet_safe).write_csv(part, include_bom=bom),
        ".parquet": lambda part: table.write_parquet(part),
        ".xlsx": lambda part: _write_xlsx(_spreadsheet(table, spreadsheet_safe), part),
    }
    if path.suffix.lower() not in writers:
        raise ValueError(
            f"{path.name}: unknown ending{near(path.suffix, writers)}; use one of {', '.join(writers)}"
        )
    with whole(path) as part:
        writers[path.suffix.lower()](part)
    return path


_RUNS = r"^[=+\-@\t\r]"
_LONGEST = 32_767  # characters in a cell of XLSX
_CREATED = datetime(2000, 1, 1)  # the same table makes the same file


def _spreadsheet(table: pl.DataFrame, safe: bool) -> pl.DataFrame:
    """The table in the types that a spreadsheet knows: times with their offset as text."""
    text = cs.string() | cs.categorical() | cs.enum()
    table = table.with_columns(
        cs.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.f%:z"),
        text.cast(pl.String),
        cs.list().cast(pl.List(pl.String)).list.join(", "),
    )
    if not safe:
        return table
    runs = cs.string().str.contains(_RUNS)
    table = table.with_columns(
        pl.when(runs).then(pl.lit("'") + cs.string()).otherwise(cs.string()).name.keep()
    )
    return table.rename({name: f"'{name}" for name in table.columns if re.match(_RUNS, name)})


def _write_xlsx(table: pl.DataFrame, path: Path) -> None:
    from xlsxwriter import Workbook

    # Texts stay texts: no formulas, no links, whatever they look like.
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with Workbook(str(path), plain) as workbook:
        workbook.set_properties({"created": _CREATED})
        _fitting(table).write_excel(workbook, worksheet="journey", autofit=True)


def _fitting(table: pl.DataFrame) -> pl.DataFrame:
    """The table as the cells of a workbook can hold it."""
    long = table.select(cs.string().str.len_chars() > _LONGEST)
    if cut := long.select(pl.all().sum()).transpose().sum().item() if long.width else 0:
        warnings.warn(f"{cut} texts are longer than a cell of XLSX holds and end in …", stacklevel=4)
    return table.with_columns(
        pl.when(cs.string().str.len_chars() > _LONGEST)
        .then(cs.string().str.head(_LONGEST - 1) + "…")
        .otherwise(cs.string())
        .name.keep(),
        pl.when(cs.float().is_finite()).then(cs.float()).name.keep(),
    )
