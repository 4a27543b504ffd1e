"""pandas: the same work, vectorised, with categoricals and integer codes, as a good analyst would write it.

The log is read and put together once; the tables of any period are taken from what is held in memory.
As in the SQL beside it, rules that a clean log never calls on are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import laps
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

CODED = ["kind", "point_id", "branch", "channel", "goal_id", "reason", "currency"]
IDS = ["run_id", "user_id", "message_id", "device_id"]
OTHERS = ["event_id", "occurred_at", "seq", "version", "due_at", "value", "is_machine"]
MOVES = ["run.entered", "point.entered", "point.completed", "run.exited"]
NUMBERS = (
    "sent", "delivered", "opened", "clicked", "shown", "interacted", "dismissed", "replied", "unsubscribed",
    "failed", "bounced", "skipped",
)  # fmt: skip

AT_POINTS = ["shown", "interacted", "dismissed", "replied"]


class Facts:
    """Runs, visits, waits, messages and goals of a log."""

    def __init__(self, files: list[str], question: dict[str, Any]) -> None:
        self.question = question
        self.names: dict[str, pd.Index] = {}
        rows = self.read(files)
        self.runs = self.entries_and_exits(rows)
        rows = self.ordered(self.with_loose_goals(rows))
        self.runs["last_at"] = rows.groupby("run")["at"].max()
        self.moves = self.moves_of(rows)
        self.visits = self.visits_of(rows)
        self.waits = self.waits_of(rows)
        self.messages = self.messages_of(rows)
        self.goals = self.goals_of(rows)

    def read(self, files: list[str]) -> pd.DataFrame:
        """The log once each, ids as integer codes (-1: none), words as categories."""
        table = pq.read_table(files, columns=OTHERS + CODED + IDS, read_dictionary=CODED + IDS)
        rows = table.to_pandas(self_destruct=True, split_blocks=True)
        del table
        rows = rows[~rows["event_id"].duplicated()].drop(columns="event_id")
        for column in IDS:
            ids = rows.pop(column).cat
            rows[column.removesuffix("_id")], self.names[column] = ids.codes, ids.categories
        rows["rank"] = pd.Categorical(rows["kind"], categories=self.question["kinds"]).codes
        rows["is_machine"] = rows["is_machine"].fillna(False).astype(bool)
        return rows.rename(columns={"occurred_at": "at", "point_id": "point", "goal_id": "goal"})

    def entries_and_exits(self, rows: pd.DataFrame) -> pd.DataFrame:
        """A row a run."""
        entered = rows[rows["kind"] == "run.entered"].set_index("run")[["user", "at", "device", "version"]]
        left = rows[rows["kind"] == "run.exited"].set_index("run")[["at", "reason", "point"]]
        left.columns = ["left_at", "reason", "exit_point"]
        runs = entered.rename(columns={"at": "entered_at"}).join(left)
        order = runs.sort_values(["user", "entered_at"], kind="stable")
        runs["run_no"] = order.groupby("user").cumcount() + 1
        return runs

    def with_loose_goals(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Goals without a run belong to the user's latest run whose window holds them."""
        loose = rows[(rows["kind"] == "goal.reached") & (rows["run"] < 0)][["user", "goal", "at"]]
        found = loose.reset_index().merge(self.runs.reset_index(), on="user")
        until = found["left_at"] + self.window(found["goal"])
        found = found[(found["at"] >= found["entered_at"]) & ~(found["at"] > until)]
        found = found.sort_values("entered_at").drop_duplicates("index", keep="last")
        rows.loc[found["index"], "run"] = found["run"].to_numpy(rows["run"].dtype)
        return rows

    def window(self, goals: pd.Series) -> pd.Series:
        """The conversion window of each goal."""
        return pd.to_timedelta(goals.astype(object).map(dict(self.question["goals"])), unit="D")

    def ordered(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of runs in reading order."""
        rows = rows[rows["run"] >= 0]
        order = np.lexsort((rows["rank"], rows["seq"], rows["at"], rows["run"]))
        rows = rows.iloc[order].reset_index(drop=True)
        rows["pos"] = rows.index
        return rows

    def moves_of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows that move a run, with the one that follows in the same run."""
        moves = rows[rows["kind"].isin(MOVES)]
        moves = moves[["pos", "run", "at", "kind", "point", "branch", "reason", "version"]].reset_index(
            drop=True
        )
        follows = moves["run"].eq(moves["run"].shift(-1))
        for column in ("at", "kind", "branch", "reason", "version"):
            moves[f"end_{column}"] = moves[column].shift(-1).where(follows)
        moves["opens"] = moves["kind"].isin(["run.entered", "point.entered"])
        return moves

    def last_move(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The move of the same run at or before each row."""
        place = np.searchsorted(self.moves["pos"], rows["pos"], side="right") - 1
        return self.moves.iloc[place]

    def visits_of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """A row a visit."""
        visits = self.moves[self.moves["opens"]].copy()
        ended_run = visits["end_kind"] == "run.exited"
        exited = ended_run & visits["end_reason"].isin(self.question["exits"])
        dropped = ended_run & ~exited & (visits["end_reason"] != "completed")
        code = np.select([visits["end_kind"].isna(), exited, dropped], [-1, 1, 2], 0)
        visits["outcome"] = pd.Categorical.from_codes(code, ["completed", "exited", "dropped"])
        completed = visits["end_kind"] == "point.completed"
        visits["key"] = visits["end_branch"].astype(object).fillna("default").where(completed)
        branches = pd.DataFrame(self.question["branches"], columns=["end_version", "point", "key"])
        known = visits[["end_version", "point", "key"]].merge(
            branches.assign(known=True), on=["end_version", "point", "key"], how="left"
        )
        visits["branch"] = visits["key"].where(known["known"].notna().to_numpy()).astype("category")
        skips = self.last_move(rows[rows["kind"] == "point.skipped"])
        visits["skip"] = visits["pos"].isin(skips["pos"])
        runs = self.runs.loc[visits["run"]]
        visits["user"], visits["run_reason"] = runs["user"].to_numpy(), runs["reason"].array
        return visits.rename(columns={"at": "arrived_at", "end_at": "left_at"})

    def waits_of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The waits of each visit."""
        waits = rows[rows["kind"] == "wait.started"]
        waits = waits.assign(visit=self.last_move(waits)["pos"].to_numpy())
        return waits[["visit", "at", "reason", "due_at"]]

    def messages_of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """A row a message, with the places of the first rows of each kind."""
        rows = rows[rows["kind"].astype(object).str.startswith("message.") & (rows["message"] >= 0)]
        self.touches = rows[rows["kind"].isin(self.question["engaged"]) & ~rows["is_machine"]]
        rows = rows.reset_index(drop=True)
        count, message = rows["message"].max() + 1, rows["message"].to_numpy()
        kind, human = rows["kind"], ~rows["is_machine"]

        def first(mask: pd.Series | None = None) -> np.ndarray:
            place = np.arange(len(rows)) if mask is None else np.flatnonzero(mask)
            found = np.full(count, -1)
            found[message[place[::-1]]] = place[::-1]
            return found

        head = first()
        heads = rows.iloc[head]
        failed, skipped = first(kind == "message.failed"), first(kind == "message.skipped")
        shown, told = first(kind == "message.impression"), first(kind == "message.sent")
        in_app = (heads["channel"] == "in_app").to_numpy()
        sent = np.where(in_app, shown, told)
        at, pos, reason = rows["at"].array, rows["pos"].to_numpy(), rows["reason"].array
        engaged = first(kind.isin(self.question["engaged"]) & human)
        place = np.where(sent >= 0, sent, np.where(failed >= 0, failed, skipped))
        is_sent = sent >= 0
        opened = kind.isin(["message.opened", "message.clicked"])
        messages = pd.DataFrame({
            "message": message[head], "first_pos": pos[head], "run": heads["run"].to_numpy(), "point": heads["point"].array,
            "channel": heads["channel"].array, "at": at.take(place, allow_fill=True), "sent": is_sent,
            "failed": ~is_sent & (failed >= 0), "skipped": ~is_sent & (failed < 0) & (skipped >= 0),
            "bounced": is_sent & (failed > sent), "shown": is_sent & in_app,
            "delivered": is_sent & (first(kind == "message.delivered") >= 0),
            "opened": is_sent & (first(opened & human) >= 0), "opened_any": first(opened) >= 0,
            "clicked": is_sent & (first((kind == "message.clicked") & human) >= 0),
            "interacted": is_sent & (first(kind == "message.interacted") >= 0),
            "dismissed": is_sent & (first(kind == "message.dismissed") >= 0),
            "replied": is_sent & (first(kind == "message.replied") >= 0),
            "unsubscribed": is_sent & (first(kind == "message.unsubscribed") >= 0),
            "fail_reason": reason.take(failed, allow_fill=True), "skip_reason": reason.take(skipped, allow_fill=True),
            "sent_pos": np.where(is_sent, pos[sent], -1), "engaged_pos": np.where(engaged >= 0, pos[engaged], -1),
        })  # fmt: skip
        messages["user"] = self.runs["user"].loc[messages["run"]].to_numpy()
        return messages.set_index("message", drop=False)

    def goals_of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """A row a goal inside its run's window, with its credit."""
        goals = rows[rows["kind"] == "goal.reached"][["pos", "run", "goal", "at", "value", "currency"]]
        goals = goals.join(self.runs[["user", "run_no", "left_at"]], on="run")
        goals = goals[~(goals["at"] > goals["left_at"] + self.window(goals["goal"]))].copy()
        sends = self.messages[self.messages["sent"]].sort_values("sent_pos")
        sends = sends[["run", "message", "sent_pos"]].rename(columns={"sent_pos": "pos"})
        direct, indirect = self.last_touch(goals, self.touches), self.last_touch(goals, sends)
        goals["message"] = np.where(direct >= 0, direct, indirect)
        goals["credit"] = np.select([direct >= 0, indirect >= 0], ["direct", "indirect"], "")
        move = self.last_move(goals)
        goals["here"] = move["point"].where(move["opens"]).array
        return goals.sort_values(["at", "run_no", "pos"])

    @staticmethod
    def last_touch(goals: pd.DataFrame, touches: pd.DataFrame) -> np.ndarray:
        """The message of the run's last touch before each goal; -1 for none."""
        place = np.searchsorted(touches["pos"], goals["pos"]) - 1
        same = touches["run"].to_numpy()[place] == goals["run"].to_numpy()
        return np.where((place >= 0) & same, touches["message"].to_numpy()[place], -1)


def distinct(rows: pd.DataFrame, key: str) -> pd.Series:
    """Distinct users by key."""
    return rows[[key, "user"]].drop_duplicates().groupby(key, observed=True).size()


def tally(messages: pd.DataFrame, key: str) -> pd.DataFrame:
    """Messages by key."""
    table = messages.groupby(key, observed=True)[list(NUMBERS)].sum()
    for name in ("sent", "opened", "clicked"):
        table[f"{name}_users"] = distinct(messages[messages[name]], key)
    return table


class Tables:
    """The tables of a period [start, end)."""

    def __init__(self, facts: Facts, start: pd.Timestamp, end: pd.Timestamp) -> None:
        runs, question = facts.runs, facts.question
        self.facts, self.start, self.question = facts, start, question
        self.end = end
        self.came = runs[self.within(runs["entered_at"])]
        left = runs[self.within(runs["left_at"])]
        exited, completed = left["reason"].isin(question["exits"]), left["reason"] == "completed"
        internal = left["reason"].isin(question["internal"])
        self.left = left.assign(
            status=np.select([completed, exited], ["completed", "exited"], "dropped"),
            error=np.where(internal, "internal_error", "send_error"),
        )
        self.dropped = self.left[self.left["status"] == "dropped"]
        self.messages = facts.messages[self.within(facts.messages["at"])]
        self.goals = facts.goals[self.within(facts.goals["at"])]
        firsts = self.goals.drop_duplicates("user")
        origin = facts.messages[["point", "channel"]].reindex(firsts["message"])
        self.credited = pd.DataFrame(
            {"point": origin["point"].array, "channel": origin["channel"].array, "credit": firsts["credit"].array}
        )  # fmt: skip

    def within(self, times: pd.Series) -> pd.Series:
        return (times >= self.start) & (times < self.end)

    def all(self) -> dict[str, pd.DataFrame]:
        """Every table."""
        names = (
            "health", "daily", "audience", "goals_table", "credit", "communications", "messages_table",
            "delivery_issues", "points", "branches", "waiting", "drops",
        )  # fmt: skip
        return {name.removesuffix("_table"): getattr(self, name)() for name in names}

    def health(self) -> pd.DataFrame:
        reports = self.facts.messages.loc[self.facts.messages["opened_any"], "channel"].unique()
        sent, opened = self.messages["sent"], self.messages["opened"]
        reporting = (sent & self.messages["channel"].isin(reports)).sum()
        errors = self.dropped["error"].value_counts()
        return pd.DataFrame([{
            "entrances": len(self.came), "messages_sent": sent.sum(), "messages_opened": opened.sum(),
            "open_rate": opened.sum() / reporting if reporting else None, "drop_offs": len(self.dropped),
            "internal_errors": errors.get("internal_error", 0), "send_errors": errors.get("send_error", 0),
            "goals_reached": len(self.goals.drop_duplicates(["goal", "user"])),
        }])  # fmt: skip

    def day(self, times: pd.Series) -> pd.Series:
        local = times.dt.tz_convert(self.question["timezone"]).dt.tz_localize(None)
        return local.dt.floor("D").rename("date")

    def daily(self) -> pd.DataFrame:
        completed, dropped = (self.left["status"] == status for status in ("completed", "dropped"))
        reached = self.goals.drop_duplicates(["goal", "user"])
        parts = {
            "entrances": self.came["entered_at"],
            "exits": self.left.loc[~dropped, "left_at"],
            "completed": self.left.loc[completed, "left_at"],
            "goals": reached["at"],
        }
        tables = [
            self.day(times).value_counts().rename("count").reset_index().assign(metric=metric, breakdown=None)
            for metric, times in parts.items()
        ]
        errors = self.dropped.groupby([self.day(self.dropped["left_at"]), "error"]).size()
        errors = errors.rename("count").reset_index().rename(columns={"error": "breakdown"})
        tables.append(errors.assign(metric="drop_offs"))
        tables.append(self.sends(self.messages))
        table = pd.concat(tables)
        return table.assign(date=table["date"].dt.strftime("%Y-%m-%d"))

    def sends(self, messages: pd.DataFrame) -> pd.DataFrame:
        """What became of messages, by the day of their sending."""
        named = {name: "impressions" if name == "shown" else name for name in NUMBERS if name != "bounced"}
        sent = messages[list(named)].groupby(self.day(messages["at"])).sum().rename(columns=named)
        return sent.melt(var_name="metric", value_name="count", ignore_index=False).reset_index()

    def audience(self) -> pd.DataFrame:
        runs, status = self.facts.runs, self.left["status"]
        before = (runs["entered_at"] < self.start) & ~(runs["left_at"] < self.start)
        inside = (runs["entered_at"] < self.end) & ~(runs["left_at"] < self.end)
        errors = self.dropped["error"].value_counts()
        return pd.DataFrame([{
            "in_journey_before": before.sum(), "entrances": len(self.came),
            "unique_entrants": self.came["user"].nunique(), "in_journey": inside.sum(),
            "in_journey_users": runs.loc[inside, "user"].nunique(), "exits": (status != "dropped").sum(),
            "completed": (status == "completed").sum(), "internal_errors": errors.get("internal_error", 0),
            "send_errors": errors.get("send_error", 0), "failed_messages": self.messages["failed"].sum(),
        }])  # fmt: skip

    def goals_table(self) -> pd.DataFrame:
        groups = self.goals.groupby("goal", observed=True)
        table = groups.agg(users=("user", "nunique"), runs=("run", "nunique"), events=("pos", "size"))
        entrances, people = len(self.came), self.came["user"].nunique()
        table = table.assign(
            entrances=entrances,
            conversion_rate=table["users"] / entrances,
            user_rate=table["users"] / people,
            run_rate=table["runs"] / entrances,
        )
        paid = self.goals[self.goals["value"].notna()]
        value = paid.groupby(["goal", "currency"], observed=True, dropna=False)["value"].sum().reset_index()
        return table.reset_index().merge(value, on="goal", how="left").rename(columns={"goal": "goal_id"})

    def credit(self) -> pd.DataFrame:
        groups = self.credited.groupby("point", observed=True, dropna=False)["credit"]
        table = groups.agg(
            users="size", direct=lambda c: (c == "direct").sum(), indirect=lambda c: (c == "indirect").sum()
        )
        return table.rename_axis("point_id").reset_index()

    def communications(self) -> pd.DataFrame:
        messages = self.messages
        arrived = messages["delivered"] | messages["opened"] | messages["clicked"]
        reported = messages["delivered"] | messages["bounced"]
        table = tally(messages, "channel")
        groups = pd.DataFrame(
            {"channel": messages["channel"], "arrived": arrived, "reported": reported}
        ).groupby("channel", observed=True)
        more = groups.sum()
        arrivals = more["arrived"].where(more["reported"] * 100 >= table["sent"], table["sent"])
        above = table["clicked"].copy()
        below = table["sent"].copy()
        for channel, (over, under) in {
            "push": ("opened", table["sent"]), "sms": ("delivered", table["sent"]), "whatsapp": ("opened", arrivals),
            "in_app": ("interacted", table["sent"]), "email": ("clicked", arrivals),
        }.items():  # fmt: skip
            if channel in table.index:
                above[channel], below[channel] = table.loc[channel, over], under[channel]
        table["engagement_rate"] = above / below
        credited = self.credited.groupby("channel", observed=True).size()
        table = table.reindex(table.index.union(credited.index))
        table["goal_users"] = credited
        return table.drop(columns=AT_POINTS).reset_index()

    def messages_table(self) -> pd.DataFrame:
        table = tally(self.messages, "point").drop(columns=AT_POINTS)
        latest = self.facts.goals.groupby("run")["pos"].max()
        engaged = self.messages[self.messages["sent"] & (self.messages["engaged_pos"] >= 0)]
        engaged = engaged[engaged["engaged_pos"] < engaged["run"].map(latest)]
        table["goal_after_interaction"] = distinct(engaged, "point")
        credits = self.credited.groupby(["point", "credit"], observed=True).size().unstack(fill_value=0)
        table = table.reindex(table.index.union(credits.index))  # credited later, for what was sent before
        for kind in ("direct", "indirect"):
            table[f"goal_{kind}"] = credits.get(kind, 0)
        table = table.fillna(0)
        return table.assign(
            open_rate=table["opened"] / table["sent"],
            click_rate=table["clicked"] / table["sent"],
            goal_after_interaction_rate=table["goal_after_interaction"] / table["sent_users"],
            goal_users=table["goal_direct"] + table["goal_indirect"],
        ).rename_axis("point_id").reset_index()  # fmt: skip

    def reasons(self, key: str) -> pd.DataFrame:
        """Messages that failed, bounced or were skipped, by key and reason."""
        words = {"failed": "fail_reason", "bounced": "fail_reason", "skipped": "skip_reason"}
        return pd.concat(
            self.messages[self.messages[outcome]].groupby([key, word], observed=True).size()
            .rename("count").rename_axis([key, "reason"]).reset_index().assign(outcome=outcome)
            for outcome, word in words.items()
        )  # fmt: skip

    def delivery_issues(self) -> pd.DataFrame:
        table = self.reasons("channel")
        attempts = self.messages.groupby("channel", observed=True).size()
        return table.assign(rate=table["count"] / table["channel"].map(attempts).astype(float))

    def points(self) -> pd.DataFrame:
        visits, start = self.facts.visits, self.start
        open_ = (visits["arrived_at"] < self.end) & ~(visits["left_at"] < self.end)
        leaves = self.within(visits["left_at"])
        completed, exited = (leaves & (visits["outcome"] == name) for name in ("completed", "exited"))
        flags = pd.DataFrame({
            "point": visits["point"], "waiting_before": (visits["arrived_at"] < start) & ~(visits["left_at"] < start),
            "entered": self.within(visits["arrived_at"]), "completed": completed, "waiting": open_, "exited": exited,
            "dropped": leaves & (visits["outcome"] == "dropped"), "skipped": completed & visits["skip"],
            "exits_goal": exited & (visits["run_reason"] == "goal"),
            "exits_cancel": exited & (visits["run_reason"] == "cancel_event"),
        })  # fmt: skip
        table = flags.groupby("point", observed=True).sum()
        done = visits[completed]
        seconds = (done["left_at"] - done["arrived_at"]).dt.total_seconds()
        quantiles = seconds.groupby(done["point"], observed=True).quantile([0.5, 0.9]).unstack()
        table["seconds_p50"], table["seconds_p90"] = quantiles[0.5], quantiles[0.9]
        first = self.goals.drop_duplicates("run")
        table["goal_here"] = distinct(first[first["here"].notna()], "here")
        table["goal_users"] = self.credited.groupby("point", observed=True).size()
        sent = tally(self.messages, "point")
        counts = [name for name in NUMBERS if name not in ("bounced", "skipped")]
        return table.join(sent[counts]).rename_axis("point_id").reset_index()

    def branches(self) -> pd.DataFrame:
        visits = self.facts.visits
        taken = visits[self.within(visits["left_at"]) & visits["branch"].notna()]
        groups = taken.groupby(["point", "branch"], observed=True)
        table = groups.size().rename("runs").reset_index()
        users = taken[["point", "branch", "user"]].drop_duplicates()
        users = users.groupby(["point", "branch"], observed=True).size().rename("users").reset_index()
        table = table.merge(users, on=["point", "branch"])
        table["share"] = table["runs"] / table.groupby("point", observed=True)["runs"].transform("sum")
        return table.rename(columns={"point": "source"})

    def waiting(self) -> pd.DataFrame:
        visits = self.facts.visits
        stays = visits[(visits["arrived_at"] < self.end) & ~(visits["left_at"] < self.end)]
        waits = self.facts.waits[self.facts.waits["at"] < self.end]
        waits = (
            waits.drop_duplicates("visit", keep="last").set_index("visit").rename(columns={"reason": "cause"})
        )
        stays = stays.join(waits, on="pos")
        stays["since"] = stays["at"].fillna(stays["arrived_at"])
        groups = stays.groupby(["point", "cause"], observed=True, dropna=False)
        table = groups.agg(
            runs=("pos", "size"),
            users=("user", "nunique"),
            oldest_since=("since", "min"),
            next_due=("due_at", "min"),
        ).rename_axis(["point_id", "cause"])
        return micros(table).reset_index()

    def drops(self) -> pd.DataFrame:
        runs = self.dropped.groupby(["exit_point", "error", "reason"], observed=True).size()
        runs = (
            runs.rename_axis(["point_id", "class", "reason"])
            .rename("count")
            .reset_index()
            .assign(grain="run")
        )
        messages = self.reasons("point").rename(columns={"point": "point_id"}).assign(grain="message")
        messages["class"] = np.where(messages.pop("outcome") == "skipped", "skipped", "send_error")
        messages = messages.groupby(["point_id", "grain", "class", "reason"], observed=True)["count"].sum()
        return pd.concat([runs, messages.reset_index()])


class Engine:
    """Answers from facts held in memory."""

    def __init__(self, question: dict[str, Any], folder: Path, mode: str) -> None:
        self.question = question
        self.files = [question["log"]]

    def load(self) -> None:
        self.facts = Facts(self.files, self.question)

    def within(self, period: str) -> Tables:
        bounds = (pd.Timestamp(micros, unit="us", tz="UTC") for micros in self.question["periods"][period])
        return Tables(self.facts, *bounds)

    def tables(self, period: str) -> dict[str, pd.DataFrame]:
        return self.within(period).all()

    def point(self, point: str) -> dict[str, pd.DataFrame]:
        tables = self.within("launch")
        days = tables.sends(tables.messages[tables.messages["point"] == point])
        named = {name: getattr(tables, name)() for name in ("points", "drops", "waiting")}
        here = {name: table[table["point_id"] == point] for name, table in named.items()}
        return {**here, "daily": days.assign(date=days["date"].dt.strftime("%Y-%m-%d"), breakdown=point)}

    def status(self, runs: pd.DataFrame) -> pd.DataFrame:
        """Runs with their status and what their codes stand for."""
        exited, completed = runs["reason"].isin(self.question["exits"]), runs["reason"] == "completed"
        status = np.select(
            [runs["left_at"].isna(), completed, exited], ["in_progress", "completed", "exited"], "dropped"
        )
        names = self.facts.names
        return runs.assign(
            status=status, run_id=names["run_id"][runs.index], user_id=names["user_id"][runs["user"]],
            device_id=names["device_id"].take(runs["device"], allow_fill=True, fill_value=None),
        )  # fmt: skip

    def path(self, user: str) -> dict[str, pd.DataFrame]:
        facts = self.facts
        code = facts.names["user_id"].get_loc(user)
        runs = self.status(facts.runs[facts.runs["user"] == code])
        visits = facts.visits[facts.visits["user"] == code]
        visits = visits.assign(
            step_no=visits.groupby("run").cumcount() + 1, outcome=visits["outcome"].astype(object)
        )
        visits["outcome"] = visits["outcome"].where(visits["left_at"].notna(), "in_progress")
        mine = facts.messages[facts.messages["user"] == code]
        mine = mine.assign(message_id=facts.names["message_id"][mine["message"]]).sort_values("first_pos")
        mine = mine.drop_duplicates(["run", "point"])[["run", "point", "message_id"]]
        goals = facts.goals[facts.goals["user"] == code].sort_values("pos")
        goals = goals.drop_duplicates(["run", "here"])[["run", "here", "goal"]]
        steps = visits.drop(columns="version").join(runs[["run_id", "run_no", "status", "version"]], on="run")
        steps = steps.merge(mine, on=["run", "point"], how="left")
        steps = steps.merge(goals, left_on=["run", "point"], right_on=["run", "here"], how="left")
        steps = steps.rename(columns={"point": "point_id", "goal": "goal_id"})
        columns = (
            "run_id", "run_no", "status", "step_no", "point_id", "arrived_at", "left_at", "branch", "message_id",
            "outcome", "goal_id", "version",
        )  # fmt: skip
        return {"user_path": micros(steps[list(columns)])}

    def page(self, offset: int) -> dict[str, pd.DataFrame]:
        facts = self.facts
        ids = pd.Series(facts.names["run_id"][facts.runs.index], index=facts.runs.index)
        page = ids.sort_values().index[offset : offset + self.question["page_rows"]]
        runs = self.status(facts.runs.loc[page])
        done = facts.visits[facts.visits["run"].isin(page) & (facts.visits["outcome"] == "completed")]
        done = done[done["left_at"].notna()].drop_duplicates("run", keep="last").set_index("run")["point"]
        last = runs["exit_point"].astype(object).fillna(done.astype(object))
        runs = runs.assign(last_point_id=last).rename(columns={"last_at": "updated_at"})
        columns = (
            "user_id", "device_id", "run_id", "run_no", "status", "last_point_id", "entered_at", "updated_at", "left_at",
            "reason",
        )  # fmt: skip
        return {"users": micros(runs[list(columns)])}

    def flow(self) -> dict[str, pd.DataFrame]:
        visits = self.facts.visits[["run", "point"]].astype({"point": object})
        follows = visits["run"].eq(visits["run"].shift(-1))
        pairs = pd.DataFrame({"source": visits["point"], "target": visits["point"].shift(-1)})[follows]
        ways = (
            visits.groupby("run")["point"]
            .agg(" → ".join)
            .value_counts()
            .rename_axis("path")
            .reset_index(name="runs")
        )
        return {
            "arrivals": visits["point"].value_counts().rename_axis("point_id").reset_index(name="entered"),
            "transitions": pairs.value_counts().reset_index(name="runs"),
            "variants": ways.sort_values(["runs", "path"], ascending=[False, True]).head(
                self.question["top"]
            ),
        }

    def append(self, batch: str) -> None:
        self.files.append(batch)
        self.load()

    @staticmethod
    def told(tables: dict[str, pd.DataFrame]) -> laps.Tables:
        return told(tables)


def micros(table: pd.DataFrame) -> pd.DataFrame:
    """Times as µs."""
    times = table.select_dtypes("datetimetz").columns
    plain = {
        column: table[column].astype("datetime64[us, UTC]").astype("int64").where(table[column].notna())
        for column in times
    }
    return table.assign(**plain)


def told(tables: dict[str, pd.DataFrame]) -> dict[str, laps.Rows]:
    """Tables as plain rows."""
    return {
        name: [
            {
                column: None if pd.isna(value) else getattr(value, "item", lambda value=value: value)()
                for column, value in row.items()
            }
            for row in table.to_dict("records")
        ]
        for name, table in tables.items()
    }


if __name__ == "__main__":
    laps.main(Engine)
