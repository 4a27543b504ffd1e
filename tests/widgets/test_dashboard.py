"""Dashboard from code: its numbers are the tables', what is set is shown or refused, files are what was asked for."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import traitlets
from fabricate import tree

import journey_nb as jn
from journey_nb.exports import EXPORTS
from journey_nb.render.dashboard import PAGE, PARTS, heads_html
from journey_nb.render.panels import cell
from journey_nb.simulate import simulate
from journey_nb.widgets import _export


@pytest.fixture
def widget(welcome_stats: jn.JourneyStats, tmp_path: Path) -> jn.Dashboard:
    return jn.Dashboard(welcome_stats, folder=tmp_path / "files")


def ask(widget: jn.Dashboard, **request: Any) -> None:
    widget._handle_custom_msg(request, [])


class Tables(HTMLParser):
    """The tables of a panel, each a list of rows of texts; the numbers of its cards by key, as often as they stand."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.cards: dict[str, list[str]] = {}
        self._into: list[str] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        key = dict(attrs).get("data-key")
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._into = self.tables[-1][-1]
        elif key and dict(attrs).get("class") == "value":
            self._into = self.cards.setdefault(key, [])
            self._into.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "div"):
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into[-1] += data

    def of(self, heading: str) -> list[list[str]]:
        """The rows of the table that begins with a heading."""
        return next(rows[1:] for rows in self.tables if rows[0][0] == heading)


def column(frame: pl.DataFrame, name: str, locale: str = "en") -> list[str]:
    return [cell(name, row[name], row, locale) for row in frame.iter_rows(named=True)]


# Its numbers


@pytest.mark.parametrize(
    "verb", [lambda s: s, lambda s: s.period("30d").compare(), lambda s: s.clock("cohort")]
)
def test_headlines_and_cards_are_the_tables_numbers(widget: jn.Dashboard, verb: Any) -> None:
    widget.stats = stats = verb(widget.stats)
    health, audience = stats.health(), stats.audience()
    for part, frame in (("health", health), ("audience", audience)):
        widget.opened = part
        shown = Tables(widget.panel).cards
        for name in (n for n in frame.columns if not n.endswith(("_prev", "_change"))):
            assert set(shown[name]) == set(column(frame, name)), name
    widget.opened = None
    shown = Tables(widget.panel).cards
    assert shown["goals_reached"] == column(health, "goals_reached")
    assert shown["in_journey"] == column(audience, "in_journey")
    assert shown["conversion_rate"] == column(stats.goals().head(1), "conversion_rate")
    assert "Conversion to First order" in widget.panel
    assert set(shown["entrances"]) == set(column(health, "entrances"))


def test_goals_say_what_they_ask_for_and_whom_they_credit(widget: jn.Dashboard) -> None:
    stats = widget.stats
    widget.opened = "performance"
    goals = stats.goals()
    rows = Tables(widget.panel).of("Title")
    assert [row[0] for row in rows] == goals["title"].to_list()
    assert [row[1:4] for row in rows] == [
        ["order_placed", "total > 0", "14 days"],
        ["profile_completed", "–", "7 days"],
    ]
    for place, name in enumerate(
        ("users", "runs", "events", "conversion_rate", "user_rate", "run_rate", "value"), start=5
    ):
        assert [row[place] for row in rows] == column(goals, name), name
    titles = {point.point_id: point.title for point in stats.journey.points().values()}
    for goal in (None, "first_order", "profile_completed"):
        widget.goal = goal
        credit = stats.credit(goal)
        rows = Tables(widget.panel).of("Step")
        assert [row[0] for row in rows] == [titles.get(p, "Unattributed") for p in credit["point_id"]]
        for place, name in enumerate(("users", "direct", "indirect"), start=1):
            assert [row[place] for row in rows] == column(credit, name)
        files = re.findall(r'data-action="export"[^>]* aria-label="([^"]*)"', widget.panel)
        told = f"Export as CSV: Goal statistics, {stats.journey.goal(goal).label}" if goal else None
        assert files == ["Export as CSV: Goal statistics", *filter(None, [told])], (
            "each file once, by its name"
        )


@pytest.mark.parametrize("channel", ["push", "email", "in_app"])
@pytest.mark.parametrize("goal", [None, "first_order"])
def test_a_channel_s_tab_has_its_numbers_messages_and_issues(
    widget: jn.Dashboard, channel: str, goal: str | None
) -> None:
    stats = widget.stats
    widget.opened, widget.channel, widget.goal = "communications", channel, goal
    shown = Tables(widget.panel)
    row = stats.communications().filter(pl.col("channel") == channel)
    for name in ("engagement_rate", "failed", "bounced", "skipped", "goal_users"):
        assert shown.cards[name] == column(row, name), name
    assert shown.cards["shown" if channel == "in_app" else "sent"] == column(row, "sent")
    messages = stats.messages(channel, goal)
    rows = shown.of("Title")
    headings = next(table[0] for table in shown.tables if table[0][0] == "Title")
    assert [row[0] for row in rows] == messages["title"].to_list()
    for name, heading in (
        ("failed", "Failed"),
        ("goal_after_interaction", "Goal after interaction"),
        ("goal_users", "Goal users"),
        ("goal_indirect", "Goal, indirect"),
    ):
        assert [row[headings.index(heading)] for row in rows] == column(messages, name), name
    issues = stats.delivery_issues(channel).sort("count", descending=True, maintain_order=True)
    rows = shown.of("Outcome")
    for place, name in enumerate(("outcome", "reason", "count", "rate")):
        assert [row[place] for row in rows] == column(issues, name)


def test_the_pages_of_users_are_the_whole_list(widget: jn.Dashboard) -> None:
    widget.opened = "audience"
    found: list[str] = []
    while True:
        rows = Tables(widget.panel).of("User")
        found += [row[0] for row in rows]
        if len(rows) < PAGE:
            break
        ask(widget, action="page", value=str(widget.page + 1))
    users = widget.stats.users()
    assert found == users["user_id"].to_list()
    widget.page = 2
    rows = Tables(widget.panel).of("User")
    page = users.slice(2 * PAGE, PAGE)
    assert [row[1] for row in rows] == column(page, "status")
    assert [row[2] for row in rows] == column(page, "last_step")
    assert [row[3] for row in rows] == column(page, "entered_at")


def test_a_search_begins_with_its_first_page(widget: jn.Dashboard) -> None:
    widget.opened, widget.page = "audience", 3
    ask(widget, action="search", text="U00002")
    assert (widget.search, widget.page) == ("U00002", 0)
    rows = Tables(widget.panel).of("User")
    assert [row[0] for row in rows] == widget.stats.users("u00002", limit=PAGE)["user_id"].to_list()
    ask(widget, action="search", text="nobody <b>")
    assert "Nobody found for “nobody &lt;b&gt;”." in widget.panel


def test_a_cancel_event_is_said_in_the_reader_s_words(welcome: jn.Journey, welcome_log: pl.DataFrame) -> None:
    user = welcome_log["user_id"][0]
    theirs = welcome_log.filter(pl.col("user_id") == user, pl.col("kind") == "run.entered").head(1)
    first = theirs.row(0, named=True)
    left = {
        **first,
        "event_id": "x",
        "kind": "run.exited",
        "reason": "cancel_event",
        "reason_detail": "refund",
    }
    left |= {"occurred_at": welcome_log["occurred_at"].max()}
    log = pl.concat([theirs, pl.DataFrame([left], schema=welcome_log.schema)])
    stats = jn.JourneyStats(welcome, log)
    assert stats.users()["last_step"].item() == "Exited by cancel event: refund"
    panel = jn.Dashboard(stats, opened="audience", locale="fr").panel
    assert "Sorti par événement d’annulation : refund" in panel
    assert "Exited" not in panel


# What is set


def test_period_clock_and_stats_are_one(widget: jn.Dashboard, welcome_stats: jn.JourneyStats) -> None:
    widget.period, widget.clock = "7d", "cohort"
    assert (widget.stats.chosen, widget.stats.scope.clock) == ("7d", "cohort")
    assert Tables(widget.panel).cards["in_journey"] == column(
        welcome_stats.period("7d").clock("cohort").audience(), "in_journey"
    )
    widget.stats = welcome_stats.between("2026-03-01", "2026-03-31")
    assert (widget.period, widget.clock) == ("2026-03-01..2026-03-31", "activity")


def test_what_is_done_can_be_watched(widget: jn.Dashboard) -> None:
    seen: list[tuple[str, Any]] = []
    widget.observe(lambda change: seen.append((change["name"], change["new"])),
                   ["opened", "channel", "goal", "search", "page", "user", "selected"])  # fmt: skip
    user = widget.stats.users(limit=1)["user_id"].item()
    for request in (
        {"action": "part", "value": "audience"},
        {"action": "page", "value": "1"},
        {"action": "user", "value": user},
        {"action": "part", "value": "communications"},
        {"action": "channel", "value": "email"},
        {"action": "goal", "value": "first_order"},
        {"action": "point", "value": "email_tips"},
        {"action": "point", "value": "email_tips"},
        {"action": "goal", "value": ""},
    ):
        ask(widget, **request)
    assert widget.error == ""
    assert seen == [
        ("opened", "audience"), ("page", 1), ("user", user), ("page", 0), ("opened", "communications"),
        ("channel", "email"), ("goal", "first_order"), ("selected", "email_tips"), ("selected", None), ("goal", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("opened", "audienc", "did you mean 'audience'"),
        ("channel", "emial", "did you mean 'email'"),
        ("goal", "first_ordr", "did you mean 'first_order'"),
        ("selected", "hello_pus", "did you mean 'hello_push'"),
        ("user", "nobody", "is not in this journey"),
        ("period", "7days", "use one of launch"),
        ("page", -1, "less than 0"),
    ],
)
def test_what_cannot_be_is_refused_with_its_mend(
    widget: jn.Dashboard, name: str, value: Any, mend: str
) -> None:
    before = {trait: getattr(widget, trait) for trait in (name, "panel", "tools", "stats")}
    with pytest.raises((KeyError, ValueError, traitlets.TraitError), match=mend):
        setattr(widget, name, value)
    assert {trait: getattr(widget, trait) for trait in before} == before


def test_an_unknown_option_names_the_near_one(welcome_stats: jn.JourneyStats) -> None:
    with pytest.raises(TypeError, match="did you mean 'opened'"):
        jn.Dashboard(welcome_stats, open="audience")


def test_stats_of_another_journey_leave_nothing_of_the_last(widget: jn.Dashboard) -> None:
    widget.opened, widget.channel, widget.goal, widget.selected = (
        "communications",
        "in_app",
        "first_order",
        "hello_push",
    )
    widget.user = widget.stats.users(limit=1)["user_id"].item()
    cart = jn.Journey.sample("abandoned_cart")
    others = simulate(cart, users=30).with_columns(user_id="other-" + pl.col("user_id"))
    widget.stats = stats = jn.JourneyStats(cart, others)
    known = stats.communications()["channel"].to_list()
    assert widget.channel is None or widget.channel in known
    assert (widget.opened, widget.selected, widget.user) == ("communications", None, None)
    assert widget.goal in (None, *(goal.goal_id for goal in cart.goals))
    assert Tables(widget.panel).cards["messages_sent"] == column(stats.health(), "messages_sent")


def test_a_journey_without_goals_or_messages_says_so() -> None:
    from fabricate import journey

    points = [{"point_id": "a", "type": "entry_api"}, {"point_id": "b", "type": "exit"}]
    bare = journey(points, [{"source": "a", "target": "b", "key": "default"}])
    widget = jn.Dashboard(jn.JourneyStats(bare, simulate(bare, users=5)), opened="performance")
    assert "This journey has no goal." in widget.panel
    widget.opened = "communications"
    assert "This journey has no messages." in widget.panel


@pytest.mark.parametrize("part", PARTS)
def test_nothing_at_all_is_shown_too(welcome_stats: jn.JourneyStats, part: str) -> None:
    for stats in (
        welcome_stats.between("2020-01-01", "2020-01-02").compare(),
        welcome_stats.where(users=[]).clock("cohort"),
        jn.JourneyStats(welcome_stats.journey, simulate(welcome_stats.journey, users=5).clear()),
    ):
        widget = jn.Dashboard(stats, opened=part)
        assert Tables(widget.panel).cards["messages_sent"][0] == "0"
        assert widget.figure.html


def test_out_of_a_store_it_is_the_same(welcome_store: jn.Store, welcome_stats: jn.JourneyStats) -> None:
    stored = jn.Dashboard(welcome_store["welcome"])
    plain = jn.Dashboard(welcome_stats)
    for part in PARTS:
        stored.opened = plain.opened = part
        assert stored.panel == plain.panel
    stored.watch(1)
    ask(stored, action="look")
    assert stored.error == ""
    assert stored.panel == plain.panel


# Files


OPTIONS: dict[str, dict[str, str]] = {
    "goal": {"goal": "first_order"},
    "channel": {"channel": "email", "goal": "first_order"},
    "point": {"point": "hello_push"},
    "point-users": {"point": "hello_push"},
    "step-users": {"point": "settle"},
}


@pytest.mark.parametrize("what", EXPORTS)
def test_a_file_is_the_export_of_its_dates(
    widget: jn.Dashboard, monkeypatch: pytest.MonkeyPatch, what: str, tmp_path: Path
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(widget, "send", lambda content, buffers=(): sent.append((content, buffers)))
    widget.clock = "cohort"
    options = OPTIONS.get(what, {})
    ask(widget, action="export", what=what, **options)
    assert 'value="2026-02-23"' in widget.export
    ask(widget, action="write", first="2026-03-01", last="2026-03-31")
    (path,) = (tmp_path / "files").iterdir()
    stats = widget.stats.between("2026-03-01", "2026-03-31")
    given = {"point_id" if name == "point" else name: value for name, value in options.items()}
    expected = _export.write_table(EXPORTS[what](stats, **given), tmp_path / "expected.csv")
    assert path.read_bytes() == expected.read_bytes()
    rows = pl.read_csv(path, infer_schema=False).height
    assert f"{rows:,} rows written" in widget.export
    assert str(path) in widget.export
    assert [buffers for content, buffers in sent if content.get("save") == path.name] == [[path.read_bytes()]]
    assert widget.period == "launch", "what is shown keeps its dates"
    ask(widget, action="export-again")
    assert 'data-action="write"' in widget.export
    ask(widget, action="export-close")
    assert widget.export == ""


def test_a_large_file_is_told_by_its_path_alone(
    widget: jn.Dashboard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(widget, "send", lambda content, buffers=(): sent.append(content))
    monkeypatch.setattr(_export, "LARGEST", 100)
    ask(widget, action="export", what="users")
    ask(widget, action="write", first="2026-03-01", last="2026-03-31")
    assert "too large for the browser" in widget.export
    assert str(next((tmp_path / "files").iterdir())) in widget.export
    assert not [content for content in sent if "save" in content]


def test_the_window_says_how_far_a_file_is(widget: jn.Dashboard) -> None:
    shown: list[str] = []
    widget.observe(lambda change: shown.append(change["new"]), "export")
    ask(widget, action="export", what="users")
    with pl.Config():
        pl.Config.set_streaming_chunk_size(20)
        ask(widget, action="write", first="2026-03-01", last="2026-04-30")
    shares = [float(share) for text in shown for share in re.findall(r'<progress value="([\d.]+)"', text)]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert 5 < len(shares) <= _export.STEPS
    assert "100%" in shown[-2]
    assert "rows written" in shown[-1]


def test_what_fails_is_told_in_the_window_and_leaves_no_file(widget: jn.Dashboard, tmp_path: Path) -> None:
    ask(widget, action="export", what="users")
    ask(widget, action="write", first="2026-03-31", last="2026-03-01")
    assert "swap the two" in widget.export
    assert 'data-action="write"' in widget.export
    assert not (tmp_path / "files").exists()
    for odd, mend in (
        ({"what": "user"}, "did you mean 'users'"),
        ({"what": "point", "point": "hello_pus"}, "hello_pus"),
        ({"what": "goal", "goal": "x"}, "no goal"),
    ):
        ask(widget, action="export", **odd)
        assert mend.replace("'", "&#39;") in widget.error


# What a notebook keeps, and how much travels


@pytest.mark.parametrize("part", [None, *PARTS])
def test_a_notebook_keeps_the_same_without_its_controls(
    widget: jn.Dashboard, part: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget.opened = part
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    widget._ipython_display_()
    live, copy = shown
    assert "application/vnd.jupyter.widget-view+json" in live
    assert live["text/plain"] == copy["text/plain"] == widget.alt
    assert "Audience: In journey now 22 · Entrances 541" in widget.alt
    assert (
        re.findall(r"<(?:button|form|input|select|nav|svg)|data-action|role=\"tab", copy["text/html"]) == []
    )
    assert "<strong>Welcome series</strong> · 23 Feb 2026 – 23 May 2026" in copy["text/html"]
    now, kept = Tables(widget.panel), Tables(copy["text/html"])
    assert kept.cards == now.cards
    assert [len(table) for table in kept.tables] == [len(table) for table in now.tables]


@pytest.mark.parametrize("part", PARTS)
def test_little_travels(part: str, tmp_path: Path) -> None:
    """Of 200 points, two and a half years of days, as many users as there are."""
    journey = tree(200)
    stats = jn.JourneyStats(journey, simulate(journey, users=400, seed=3))
    last = stats.scope.days[-1]
    widget = jn.Dashboard(
        stats.between(last.replace(year=last.year - 2, month=1, day=1), last), folder=tmp_path, opened=part
    )
    state = {name: value for name, value in widget.get_state().items() if not name.startswith("_")}
    assert sum(len(value) for value in state.values() if isinstance(value, (str, bytes))) < 200_000


def test_replies_are_of_the_channel_that_is_open() -> None:
    """A point's messages may go by several channels; its window is that of the one that most went by."""
    journey = jn.Journey.sample("welcome")
    log = simulate(journey, users=100, seed=3)
    sends = log.filter(point_id="hello_push", kind="message.sent")["message_id"].to_list()
    channel = pl.col("message_id").replace_strict(
        dict.fromkeys(sends[:60], "kakao") | dict.fromkeys(sends[60:80], "sms"), default=pl.col("channel")
    )
    log = log.with_columns(channel=channel.cast(log.schema["channel"]))
    answers = log.filter(pl.col("message_id").is_in(sends[:60]), pl.col("kind") == "message.sent")
    answers = answers.with_columns(
        kind=pl.lit("message.replied", log.schema["kind"]),
        event_id=pl.lit("r") + pl.col("event_id"),
        occurred_at=pl.col("occurred_at") + pl.duration(minutes=1),
    )
    stats = jn.JourneyStats(journey, pl.concat([log, answers]))
    told = {}
    for channel in ("sms", "kakao"):
        panel = jn.Dashboard(stats, opened="communications", channel=channel).panel
        (messages,) = (table for table in Tables(panel).tables if table[0][0] == "Title")
        (row,) = (row for row in messages if row[0].strip() == "Welcome push")
        told[channel] = row[messages[0].index("Replied")]
    assert told == {"sms": "0", "kakao": "60"}
    canvas = jn.JourneyCanvas(stats)
    canvas.opened = "hello_push"
    assert 'data-key="replied">60<' in canvas.detail
    canvas.full = True
    assert 'data-key="replied">60<' in canvas.detail


def test_a_user_can_be_let_go_together_with_another_period(welcome_stats: jn.JourneyStats) -> None:
    user = welcome_stats.users()["user_id"][0]
    run = welcome_stats.user_runs(user)["run_id"][0]
    widget = jn.Dashboard(welcome_stats, opened="audience", user=user, run=run)
    with widget.hold_trait_notifications():
        widget.stats, widget.user = welcome_stats.period("7d"), None
    assert (widget.user, widget.run) == (None, None)


def test_files_have_names_that_file_systems_take() -> None:
    name = _export.file_name(*["환영 캠페인 첫 번째 단계의 메시지를 받은 사용자" * 2] * 5)
    assert len(name.encode()) < 255


def test_an_open_rate_says_of_which_channels_it_is_not(
    welcome: jn.Journey, welcome_log: pl.DataFrame
) -> None:
    email = (pl.col("channel") == "email").fill_null(False)
    answers = pl.col("kind").cast(pl.String).is_in(["message.opened", "message.clicked"])
    silent = jn.JourneyStats(welcome, welcome_log.filter(~(email & answers)))
    for stats, told in ((silent, True), (jn.JourneyStats(welcome, welcome_log), False)):
        head = heads_html(stats, "fr")["communications"]
        assert ("Taux d’ouverture sans E-mail" in str(head)) == ("sans E-mail" in head.text) == told
