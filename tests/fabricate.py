"""Small journeys and made-up points() and branches() tables, exactly as METRICS.md 5 has them."""

from __future__ import annotations

import random
from typing import Any

import polars as pl

from journey_nb.journey import Journey, Version

COUNTS = (
    "waiting_before entered completed waiting exited dropped skipped exits_goal exits_cancel goal_here goal_users "
    "sent delivered opened clicked shown interacted dismissed replied failed unsubscribed"
).split()
POINTS: dict[str, Any] = {
    **dict.fromkeys(("point_id", "title", "type", "channel"), pl.String),
    **dict.fromkeys(COUNTS, pl.Int64),
    **dict.fromkeys(("seconds_p50", "seconds_p90"), pl.Float64),
}
BRANCHES: dict[str, Any] = {
    **dict.fromkeys(("source", "branch", "target", "label"), pl.String),
    **dict.fromkeys(("runs", "users"), pl.Int64),
    "share": pl.Float64,
}

HOSTILE = (
    "<script>alert('x')</script> & \"quotes\" ]]> <![CDATA[",
    "첫 구매 고객을 위한 환영 푸시 메시지와 할인 쿠폰 안내",
    "رسالة ترحيب بالعملاء الجدد مع خصم خاص على أول طلب",
    "🎉🎁 Welcome 👨‍👩‍👧‍👦 party 🇫🇷🇰🇷 ✨ with ❤️‍🔥 many emoji 🏳️‍🌈🧑🏽‍💻",
    "W" * 1_000_000,
    "\u202egnirts desrever\u202c \x00\x08\x1f controls",
    "שלום וברוכים הבאים למסע שלנו ⸻ ﷽ 𒐫",
    "Z̷̡̢̛͚̲̈́̓͝a̴̛͙l̸̢̛̗̈g̶̝̈́ǫ̶̑ tower of accents on every letter of the line",
    "新規登録のお客様へのようこそメッセージと特別クーポンのご案内",
    "Добро пожаловать в программу лояльности нашего магазина",
)


def journey(points: list[dict[str, Any]], branches: list[dict[str, Any]], **fields: Any) -> Journey:
    document = {
        "journey_id": "j",
        "title": "A journey",
        "versions": [{"version": 1, "points": points, "branches": branches}],
    }
    return Journey.model_validate({**document, **fields})


def welcome() -> Journey:
    """Every kind of thing a canvas shows, small enough to look at."""

    def point(point_id: str, type_: str, title: str, channel: str | None = None) -> dict[str, Any]:
        return {"point_id": point_id, "type": type_, "title": title, "channel": channel}

    def branch(source: str, target: str, key: str = "default", **more: Any) -> dict[str, Any]:
        return {"source": source, "target": target, "key": key, **more}

    return journey(
        [
            point("in", "entry_trigger", "Signed up"),
            point("hello", "message", "Hello push", "push"),
            point("wait", "wait_for_trigger", "Wait for first order"),
            point("split", "split_abn", "Which incentive works best for new customers?"),
            point("mail_a", "message", "Ten per cent off", "email"),
            point("mail_b", "message", "Free delivery", "email"),
            point("mail_c", "message", "A small gift", "email"),
            point("pause", "delay", "Three days"),
            point("check", "split_condition", "Ordered since?"),
            point("thanks", "message", "Thank you", "in_app"),
            point("out", "exit", "End"),
        ],
        [
            branch("in", "hello"),
            branch("hello", "wait", "opened"),
            branch("hello", "split", "not_opened"),
            branch("wait", "thanks", "triggered_1", label="Ordered"),
            branch("wait", "split", "not_triggered"),
            branch("split", "mail_a", "variant:A", share=34, control=True),
            branch("split", "mail_b", "variant:B", share=33),
            branch("split", "mail_c", "variant:C", share=33),
            branch("mail_a", "pause"),
            branch("mail_b", "pause"),
            branch("mail_c", "pause"),
            branch("pause", "check"),
            branch("check", "thanks", "yes"),
            branch("check", "split", "no", label="Try again"),
            branch("thanks", "out"),
        ],
        journey_id="welcome",
        title="Welcome series",
    )


def chain(titles: list[str]) -> Journey:
    """Messages one after the other, each with two branches that carry the title too."""
    points = [{"point_id": "in", "type": "entry_api", "title": "Start"}]
    branches = [{"source": "in", "target": "m0"}]
    for number, title in enumerate(titles):
        following = f"m{number + 1}" if number + 1 < len(titles) else "out"
        points.append({"point_id": f"m{number}", "type": "message", "channel": "email", "title": title})
        branches.append({"source": f"m{number}", "target": following, "key": "opened", "label": title})
        branches.append({"source": f"m{number}", "target": following, "key": "not_opened", "label": title})
    points.append({"point_id": "out", "type": "exit", "title": titles[-1] if titles else ""})
    return journey(points, branches, title=titles[0] if titles else "")


def tangle(points: int, seed: int = 0, loops: float = 0.05, extra: float = 0.2) -> Journey:
    """A discovered journey of that many points, with leaps and loops."""
    chance = random.Random(seed)
    ways: dict[tuple[int, int], None] = {
        (max(0, at - chance.randint(1, 4)), at): None for at in range(1, points)
    }
    for _ in range(int(points * extra)):
        start = chance.randrange(points)
        ways[start, min(points - 1, start + chance.randint(1, 8))] = None
    for _ in range(int(points * loops)):
        start = chance.randrange(points)
        ways[start, max(0, start - chance.randint(0, 5))] = None
    return journey(
        [{"point_id": f"p{at}", "type": "activity", "title": f"Activity {at}"} for at in range(points)],
        [{"source": f"p{a}", "target": f"p{b}", "key": f"p{b}"} for a, b in ways],
        origin="discovered",
        title=f"{points} activities",
    )


def tables(journey: Journey, runs: int = 12_345, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """points() and branches() whose accounts add up."""
    chance = random.Random(seed)
    version: Version = journey.version()
    points, branches = [], []
    for point in version.points:
        entered = runs - chance.randrange(runs // 3 + 1)
        waiting = entered // 9 if point.type in ("delay", "wait_for_trigger") else 0
        dropped = entered // 70 if point.channel else 0
        row: dict[str, Any] = dict.fromkeys(POINTS, None)
        row.update(dict.fromkeys(COUNTS[:10], 0))
        row.update(point_id=point.point_id, title=_plain(point.label), type=point.type, channel=point.channel)
        row.update(entered=entered, waiting=waiting, dropped=dropped, completed=entered - waiting - dropped)
        row.update(goal_here=0, seconds_p50=3_600.0 * chance.random(), seconds_p90=90_000.0 * chance.random())
        if point.type == "message":
            sent = entered - entered // 50
            row.update(
                sent=sent,
                delivered=sent - sent // 40,
                opened=sent // 4,
                clicked=sent // 31,
                failed=entered // 50,
            )
            row.update(
                shown=sent - sent // 10,
                interacted=sent // 8,
                dismissed=sent // 3,
                replied=sent // 200,
                unsubscribed=sent // 900,
                goal_users=sent // 17,
            )
        points.append(row)
        ways = version.outgoing(point.point_id)
        left = row["completed"]
        for place, branch in enumerate(ways):
            taken = left if place + 1 == len(ways) else int(left * chance.random())
            left -= taken
            share = taken / row["completed"] if row["completed"] else None
            branches.append(
                {"source": branch.source, "branch": branch.key, "target": branch.target, "label": _plain(branch.label or ""),
                 "runs": taken, "users": taken, "share": share}
            )  # fmt: skip
    return pl.DataFrame(points, schema=POINTS), pl.DataFrame(branches, schema=BRANCHES)


def _plain(text: str) -> str:
    """Without lone surrogates, which polars refuses."""
    return text.encode("utf-8", "replace").decode()


def tree(size: int) -> Journey:
    """A designed journey of so many points: an entry, splits that fork, and messages at the ends."""
    points: list[dict[str, Any]] = [{"point_id": "p0", "type": "entry_api", "title": "Start"}]
    branches = [{"source": "p0", "key": "default", "target": "p1"}]
    for at in range(1, size):
        fork = 2 * at + 1 < size
        kind = {"type": "split_condition"} if fork else {"type": "message", "channel": "email"}
        points.append({"point_id": f"p{at}", "title": f"{'Question' if fork else 'Letter'} {at}", **kind})
        if fork:
            branches += [{"source": f"p{at}", "key": key, "target": f"p{2 * at + more}"} for more, key in enumerate(("yes", "no"))]  # fmt: skip
    return journey(points, branches, title=f"{size} points")
