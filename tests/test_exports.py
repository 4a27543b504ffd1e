"""The files of the tables: columns, units, and that they appear whole or not at all."""

from __future__ import annotations

import csv
import zipfile
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from journey_nb import Journey, JourneyStats
from journey_nb.events import COLUMNS
from journey_nb.exports import campaign_statistics, step_users, write_table

# METRICS.md, section 8, to the letter.
HEADER = (
    "Title, Status, Created at, Category, Type, UUID, Total reach, Unique users, Users inside, Drop-off, "
    "Total sends, Average CTR, Goals, Push sends, Push CTR, Email sends, Email CTR, Email clicks, "
    "Email unsubscribes, SMS sends, SMS delivered, WhatsApp sends, WhatsApp opens, In-App shows, "
    "In-App interactions, In-App skips"
).split(", ")

DOCUMENT = {
    "journey_id": "5d0c6f1e-0000-4000-8000-000000000001",
    "title": "All channels",
    "status": "running",
    "category": "Promo",
    "entry_type": "api",
    "created_at": "2026-03-01T09:00:00+01:00",
    "goals": [{"goal_id": "buy"}],
    "versions": [
        {
            "version": 1,
            "published_at": "2026-03-01T00:00:00Z",
            "points": [
                {"point_id": "in", "type": "entry_api"},
                *(
                    {"point_id": channel, "type": "message", "channel": channel}
                    for channel in ("push", "email", "sms", "whatsapp", "in_app")
                ),
                {"point_id": "out", "type": "exit"},
            ],
            "branches": [
                {"source": source, "target": target}
                for source, target in zip(
                    ("in", "push", "email", "sms", "whatsapp", "in_app"),
                    ("push", "email", "sms", "whatsapp", "in_app", "out"),
                    strict=True,
                )
            ],
        }
    ],
}


def log(*rows: tuple[int, str, str, dict[str, object]]) -> pl.DataFrame:
    """Rows of (minute, user, kind, the rest), each user with one run."""
    made = [
        {
            "event_id": f"e{number}",
            "occurred_at": datetime(2026, 3, 2, minute // 60, minute % 60),
            "kind": kind,
            "user_id": user,
            "journey_id": DOCUMENT["journey_id"],
            "version": 1,
            "run_id": f"run-{user}",
            **rest,
        }
        for number, (minute, user, kind, rest) in enumerate(rows)
    ]
    frame = pl.DataFrame(made, infer_schema_length=None).with_columns(
        pl.col("occurred_at").dt.replace_time_zone("UTC")
    )
    return frame.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in COLUMNS.items() if name not in frame
    )


def message(channel: str, user: str, **rest: object) -> dict[str, object]:
    return {"point_id": channel, "channel": channel, "message_id": f"{channel}-{user}", **rest}


@pytest.fixture(scope="module")
def stats() -> JourneyStats:
    entered = {"point_id": "in"}
    return JourneyStats(
        Journey.model_validate(DOCUMENT),
        log(
            # u1 gets everything and reaches the goal.
            (0, "u1", "run.entered", entered),
            (1, "u1", "point.entered", {"point_id": "push"}),
            (2, "u1", "message.sent", message("push", "u1")),
            (3, "u1", "message.clicked", message("push", "u1")),
            (4, "u1", "message.sent", message("email", "u1")),
            (5, "u1", "message.opened", message("email", "u1")),
            (6, "u1", "message.clicked", message("email", "u1")),
            (7, "u1", "message.clicked", message("email", "u1")),
            (8, "u1", "message.sent", message("sms", "u1")),
            (9, "u1", "message.delivered", message("sms", "u1")),
            (10, "u1", "message.sent", message("whatsapp", "u1")),
            (11, "u1", "message.opened", message("whatsapp", "u1")),
            (12, "u1", "message.impression", message("in_app", "u1")),
            (13, "u1", "message.impression", message("in_app", "u1")),
            (14, "u1", "message.interacted", message("in_app", "u1")),
            (15, "u1", "goal.reached", {"goal_id": "buy"}),
            (16, "u1", "run.exited", {"reason": "goal", "reason_detail": "buy"}),
            # u2 is dropped by an error after an email it unsubscribes from.
            (0, "u2", "run.entered", entered),
            (1, "u2", "point.entered", {"point_id": "push"}),
            (2, "u2", "message.sent", message("push", "u2")),
            (4, "u2", "message.sent", message("email", "u2")),
            (5, "u2", "message.unsubscribed", message("email", "u2")),
            (6, "u2", "run.exited", {"reason": "hard_bounce"}),
            # u3 is still inside, and has waved the in-app away.
            (0, "u3", "run.entered", entered),
            (1, "u3", "point.entered", {"point_id": "in_app"}),
            (2, "u3", "message.impression", message("in_app", "u3")),
            (3, "u3", "message.dismissed", message("in_app", "u3")),
        ),
    )


def test_campaign_statistics_count_what_they_say(stats: JourneyStats) -> None:
    row = campaign_statistics(stats).row(0, named=True)
    assert list(row) == HEADER
    assert row == {
        "Title": "All channels",
        "Status": "Active",
        "Created at": "2026-03-01T09:00:00+01:00",
        "Category": "Promo",
        "Type": "ApiBased",
        "UUID": DOCUMENT["journey_id"],
        "Total reach": 3,
        "Unique users": 3,
        "Users inside": 1,
        "Drop-off": 1,
        "Total sends": 8,
        "Average CTR": 0.5,  # 2 of the 4 sends on channels that report clicks
        "Goals": 1,
        "Push sends": 2,
        "Push CTR": 0.5,
        "Email sends": 2,
        "Email CTR": 0.5,
        "Email clicks": 2,
        "Email unsubscribes": 1,
        "SMS sends": 1,
        "SMS delivered": 1,
        "WhatsApp sends": 1,
        "WhatsApp opens": 1,
        "In-App shows": 3,
        "In-App interactions": 1,
        "In-App skips": 1,
    }


def test_several_journeys_make_several_rows_and_rates_can_be_per_cent(stats: JourneyStats) -> None:
    table = campaign_statistics([stats, stats.between("2026-03-03", "2026-03-03")], percent=True)
    assert table.columns == HEADER
    assert table["Push CTR"].to_list() == [50.0, None]
    assert table["Total reach"].to_list() == [3, 0]
    assert table["Users inside"].to_list() == [1, 1]


def test_a_push_source_that_reports_only_opens_counts_those(stats: JourneyStats) -> None:
    only = stats.facts.messages.filter(pl.col("channel") == "push")
    assert only.height == 2
    rows = log(
        (0, "u1", "run.entered", {"point_id": "in"}),
        (1, "u1", "message.sent", message("push", "u1")),
        (2, "u1", "message.opened", message("push", "u1")),
    )
    row = campaign_statistics(JourneyStats(stats.journey, rows)).row(0, named=True)
    assert (row["Push CTR"], row["Average CTR"], row["Email CTR"]) == (1.0, 1.0, None)


def test_agrees_with_the_tables(welcome_stats: JourneyStats) -> None:
    row = campaign_statistics(welcome_stats).row(0, named=True)
    health, audience = (
        table.row(0, named=True) for table in (welcome_stats.health(), welcome_stats.audience())
    )
    sent = dict(welcome_stats.communications().select("channel", "sent").iter_rows())
    assert row["Total reach"] == health["entrances"] == audience["entrances"] > 0
    assert row["Total sends"] == health["messages_sent"] == sum(sent.values())
    assert row["Users inside"] == audience["in_journey_users"]
    assert (row["Push sends"], row["Email sends"]) == (sent["push"], sent["email"])


def test_step_users_are_the_visits_of_a_point(welcome_stats: JourneyStats) -> None:
    points = welcome_stats.points()
    for row in points.filter(pl.col("entered") > 0).iter_rows(named=True):
        users = step_users(welcome_stats, row["point_id"])
        assert users.height == row["entered"] + row["waiting_before"]
        outcomes = dict(users["outcome"].value_counts().iter_rows())
        assert outcomes.get("completed", 0) == row["completed"]
        assert outcomes.get(None, 0) == row["waiting"]
    assert users.columns == ["journey", "point", "user_id", "device_id", "run_id", "entered_at", "left_at",
                             "outcome", "branch", "reason"]  # fmt: skip


def test_step_users_of_an_unknown_point_name_the_near_one(stats: JourneyStats) -> None:
    with pytest.raises(KeyError, match="did you mean 'email'"):
        step_users(stats, "emial")


HOSTILE = pl.DataFrame(
    {"text": ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "plain", "a=1", "", None], "n": range(-5, 5)}
)


def test_text_that_a_spreadsheet_would_run_is_shown(tmp_path: Path) -> None:
    write_table(HOSTILE, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        cells = [row["text"] for row in csv.DictReader(file)]
    assert cells == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "plain", "a=1", "", ""]
    assert pl.read_csv(tmp_path / "t.csv")["n"].to_list() == list(range(-5, 5))  # numbers stay numbers


def test_spreadsheet_safety_can_be_left_out_and_is_never_in_parquet(tmp_path: Path) -> None:
    write_table(HOSTILE, tmp_path / "t.csv", spreadsheet_safe=False)
    assert pl.read_csv(tmp_path / "t.csv")["text"][0] == "=1+1"
    assert_frame_equal(pl.read_parquet(write_table(HOSTILE, tmp_path / "t.parquet")), HOSTILE)


def test_xlsx_holds_texts_not_formulas(tmp_path: Path) -> None:
    links = pl.DataFrame({"text": ["=1+1", "https://example.org", "mailto:a@b.c"]})
    path = write_table(links, tmp_path / "t.xlsx", spreadsheet_safe=False)
    parts = zipfile.ZipFile(path)
    sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    assert "=1+1" in parts.read("xl/sharedStrings.xml").decode()


def test_times_carry_their_offset_and_the_mark_is_there_on_request(tmp_path: Path) -> None:
    times = pl.Series([datetime(2026, 3, 29, 0, 30), datetime(2026, 3, 29, 1, 30, 0, 5)])
    table = pl.DataFrame({"at": times.dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Paris")})
    path = write_table(table, tmp_path / "t.csv", bom=True)
    assert path.read_bytes() == (
        b"\xef\xbb\xbfat\n2026-03-29T01:30:00+01:00\n2026-03-29T03:30:00.000005+02:00\n"
    )


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")
    with pytest.raises(Exception, match="nested"):
        write_table(pl.DataFrame({"a": [{"b": 1}]}), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_ending_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"did you mean '.csv'"):
        write_table(HOSTILE, tmp_path / "t.cvs")


def sheet_texts(path: Path) -> str:
    return zipfile.ZipFile(path).read("xl/sharedStrings.xml").decode()


def test_headings_that_a_spreadsheet_would_run_are_shown(tmp_path: Path) -> None:
    table = pl.DataFrame({"=cmd()": [1], "plain": [2]})
    assert write_table(table, tmp_path / "t.csv").read_text().splitlines()[0] == "'=cmd(),plain"
    assert ">'=cmd()<" in sheet_texts(write_table(table, tmp_path / "t.xlsx"))
    assert write_table(table, tmp_path / "o.csv", spreadsheet_safe=False).read_text()[0] == "="


def test_a_text_too_long_for_a_cell_is_marked_and_told(tmp_path: Path) -> None:
    table = pl.DataFrame({"fits": ["y" * 32_767], "long": ["x" * 40_000]})
    with pytest.warns(UserWarning, match="1 texts are longer"):
        write_table(table, tmp_path / "t.xlsx")
    texts = sheet_texts(tmp_path / "t.xlsx")
    assert "x" * 32_766 + "…<" in texts
    assert "y" * 32_767 + "<" in texts


def test_a_workbook_holds_no_endless_number(tmp_path: Path) -> None:
    table = pl.DataFrame({"rate": [0.5, float("nan"), float("inf"), None]})
    sheet = zipfile.ZipFile(write_table(table, tmp_path / "t.xlsx")).read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<v>0.5</v>") == 1
    assert "#NUM" not in sheet


def test_the_same_table_makes_the_same_workbook(tmp_path: Path) -> None:
    made = write_table(pl.DataFrame({"a": ["x"]}), tmp_path / "one.xlsx")
    created = zipfile.ZipFile(made).read("docProps/core.xml").decode()
    assert created.count("2000-01-01T00:00:00Z") == 2
