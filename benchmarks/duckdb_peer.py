"""DuckDB: the same work in SQL, as a good analyst would write it.

The log is deduplicated, ordered and put together into tables of facts (runs, visits, waits, messages,
goals); the tables of any period are then queries over these. Rules of the dictionary that a clean log
never calls on (quarantine, implied goals, derived visits, ties ordered by branches) are left out: the peer
has less to do.

``parquet`` keeps nothing and answers each question from the log; where a question is about few users, the
log is read for these only. ``table`` keeps log and facts in its own file, in the order of users, and folds
only the users again that an append touches.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import laps

# Duplicates are copies of one row, of one instant, and so in one file.
RAW = """
CREATE OR REPLACE TABLE raw AS
WITH twice AS (
    SELECT event_id, min(file_row_number) AS kept FROM read_parquet([{files}], file_row_number = true)
    WHERE {only} GROUP BY event_id HAVING count(*) > 1
)
SELECT occurred_at AS ts, seq, kind::kind AS kind, run_id, user_id, device_id, version, point_id AS point, branch,
       channel, message_id, goal_id AS goal, reason, due_at, value, currency, coalesce(is_machine, false) AS machine
FROM read_parquet([{files}], file_row_number = true) LEFT JOIN twice USING (event_id)
WHERE {only} AND (kept IS NULL OR kept = file_row_number);
"""

FACTS = """
CREATE OR REPLACE TABLE entries AS
SELECT run_id, any_value(user_id) FILTER (kind = 'run.entered') AS user_id,
       any_value(device_id) FILTER (kind = 'run.entered') AS device_id,
       any_value(version) FILTER (kind = 'run.entered') AS version,
       min(ts) FILTER (kind = 'run.entered') AS entered_at, max(ts) AS last_at,
       min(ts) FILTER (kind = 'run.exited') AS left_at,
       any_value(reason) FILTER (kind = 'run.exited') AS reason,
       any_value(point) FILTER (kind = 'run.exited') AS exit_point
FROM raw WHERE run_id IS NOT NULL GROUP BY run_id;

CREATE OR REPLACE TABLE loose AS  -- goals without a run: the user's latest run whose window holds them
SELECT g.rowid AS id, any_value(g.ts) AS ts, arg_max(r.run_id, (r.entered_at, r.run_id)) AS run_id
FROM raw g JOIN entries r ON g.user_id = r.user_id JOIN goal_days USING (goal)
WHERE g.kind = 'goal.reached' AND g.run_id IS NULL AND g.ts >= r.entered_at
  AND (r.left_at IS NULL OR g.ts <= r.left_at + days)
GROUP BY g.rowid;

CREATE OR REPLACE TABLE runs AS
SELECT {first_run} + row_number() OVER (ORDER BY user_id, run_id) AS run, e.* EXCLUDE last_at,
       greatest(last_at, loose_at) AS last_at,
       row_number() OVER (PARTITION BY user_id ORDER BY entered_at, run_id) AS run_no
FROM entries e LEFT JOIN (SELECT run_id, max(ts) AS loose_at FROM loose GROUP BY run_id) USING (run_id){in_order};
DROP TABLE entries;

CREATE OR REPLACE TABLE log AS
SELECT row_number() OVER (ORDER BY run, ts, seq, kind) AS pos, *
FROM (
    SELECT r.run, r.user_id, raw.* EXCLUDE (run_id, user_id)
    FROM raw LEFT JOIN loose ON raw.rowid = loose.id
    JOIN runs r ON coalesce(raw.run_id, loose.run_id) = r.run_id
){in_order};
DROP TABLE raw;

CREATE OR REPLACE TABLE moves AS
SELECT * FROM (
    SELECT pos, run, ts, kind, point, branch, reason, version,
           lead(kind) OVER w AS end_kind, lead(ts) OVER w AS end_at, lead(branch) OVER w AS end_branch,
           lead(reason) OVER w AS end_reason, lead(version) OVER w AS end_version
    FROM log WHERE kind IN ('run.entered', 'point.entered', 'point.completed', 'run.exited')
    WINDOW w AS (PARTITION BY run ORDER BY pos)
);

CREATE OR REPLACE TABLE visits AS
SELECT m.pos, m.run, r.user_id, m.point, m.ts AS arrived_at, end_at AS left_at,
       CASE WHEN end_kind IS NULL THEN NULL
            WHEN end_kind = 'run.exited' AND end_reason IN ({exits}) THEN 'exited'
            WHEN end_kind = 'run.exited' AND end_reason <> 'completed' THEN 'dropped'
            ELSE 'completed' END AS outcome,
       b.key AS branch, r.reason AS run_reason, s.run IS NOT NULL AS skipped
FROM moves m JOIN runs r USING (run)
LEFT JOIN branches b ON m.end_kind = 'point.completed' AND b.version = m.end_version AND b.source = m.point
     AND b.key = coalesce(m.end_branch, 'default')
LEFT JOIN (
    SELECT DISTINCT m.run, m.pos
    FROM (SELECT run, pos FROM log WHERE kind = 'point.skipped') s
    ASOF JOIN moves m ON s.run = m.run AND s.pos >= m.pos
) s ON s.run = m.run AND s.pos = m.pos
WHERE m.kind IN ('run.entered', 'point.entered'){in_order};

CREATE OR REPLACE TABLE waits AS
SELECT w.run, v.pos, w.user_id, w.ts, w.reason AS cause, w.due_at
FROM (SELECT run, pos, user_id, ts, reason, due_at FROM log WHERE kind = 'wait.started') w
ASOF JOIN moves v ON w.run = v.run AND w.pos >= v.pos
WHERE v.kind IN ('run.entered', 'point.entered');

CREATE OR REPLACE TABLE messages AS
SELECT *, coalesce(sent_at, failed_at, skipped_at) AS ts,
       CASE WHEN sent_at IS NOT NULL THEN 'sent' WHEN failed_at IS NOT NULL THEN 'failed' ELSE 'skipped' END AS fate,
       sent_at IS NOT NULL AND failed_pos > sent_pos AS bounced
FROM (
    SELECT *, if(channel = 'in_app', shown_at, told_at) AS sent_at, if(channel = 'in_app', shown_pos, told_pos) AS sent_pos
    FROM (
        SELECT message_id, any_value(run) AS run, any_value(user_id) AS user_id, min(pos) AS first_pos,
               arg_min(point, pos) AS point, arg_min(channel, pos) AS channel,
               min(l.ts) FILTER (kind = 'message.sent') AS told_at,
               min(pos) FILTER (kind = 'message.sent') AS told_pos,
               min(l.ts) FILTER (kind = 'message.impression') AS shown_at,
               min(pos) FILTER (kind = 'message.impression') AS shown_pos,
               min(l.ts) FILTER (kind = 'message.failed') AS failed_at,
               min(pos) FILTER (kind = 'message.failed') AS failed_pos,
               min(l.ts) FILTER (kind = 'message.skipped') AS skipped_at,
               arg_min(reason, pos) FILTER (kind = 'message.failed') AS fail_reason,
               arg_min(reason, pos) FILTER (kind = 'message.skipped') AS skip_reason,
               bool_or(kind = 'message.delivered') AS delivered,
               bool_or(kind IN ('message.opened', 'message.clicked') AND NOT machine) AS opened,
               bool_or(kind IN ('message.opened', 'message.clicked')) AS opened_any,
               bool_or(kind = 'message.clicked' AND NOT machine) AS clicked,
               bool_or(kind = 'message.interacted') AS interacted,
               bool_or(kind = 'message.dismissed') AS dismissed, bool_or(kind = 'message.replied') AS replied,
               bool_or(kind = 'message.unsubscribed') AS unsubscribed,
               min(pos) FILTER (kind IN ({engaged}) AND NOT machine) AS engaged_pos
        FROM log l WHERE message_id IS NOT NULL AND kind::VARCHAR LIKE 'message.%'
        GROUP BY message_id
    )
){in_order};

CREATE OR REPLACE TABLE goals AS
WITH reached AS (
    SELECT g.pos, g.run, r.user_id, r.run_no, g.goal, g.ts, g.value, g.currency
    FROM log g JOIN runs r USING (run) JOIN goal_days USING (goal)
    WHERE g.kind = 'goal.reached' AND (r.left_at IS NULL OR g.ts <= r.left_at + days)
), engaged AS (
    SELECT run, pos, message_id FROM log WHERE kind IN ({engaged}) AND NOT machine
), sent AS (
    SELECT run, sent_pos AS pos, message_id FROM messages WHERE sent_at IS NOT NULL
)
SELECT g.*, coalesce(e.message_id, s.message_id) AS message_id,
       CASE WHEN e.message_id IS NOT NULL THEN 'direct' WHEN s.message_id IS NOT NULL THEN 'indirect' END AS credit,
       CASE WHEN m.kind IN ('run.entered', 'point.entered') THEN m.point END AS here
FROM reached g
ASOF LEFT JOIN engaged e ON g.run = e.run AND g.pos > e.pos
ASOF LEFT JOIN sent s ON g.run = s.run AND g.pos > s.pos
ASOF LEFT JOIN moves m ON g.run = m.run AND g.pos > m.pos;
DROP TABLE moves;
"""

# Of a period [start, end): all departures before its end are known at it, and no later ones.
PERIOD = """
CREATE OR REPLACE TEMP VIEW sent_in AS SELECT * FROM messages WHERE ts >= {start} AND ts < {end};
CREATE OR REPLACE TEMP VIEW left_in AS SELECT *,
    CASE WHEN reason = 'completed' THEN 'completed' WHEN reason IN ({exits}) THEN 'exited' ELSE 'dropped' END AS status,
    CASE WHEN reason IN ({internal}) THEN 'internal_error' ELSE 'send_error' END AS class
    FROM runs WHERE left_at >= {start} AND left_at < {end};
CREATE OR REPLACE TEMP VIEW came_in AS SELECT * FROM runs WHERE entered_at >= {start} AND entered_at < {end};
CREATE OR REPLACE TEMP VIEW reached_in AS SELECT * FROM goals WHERE ts >= {start} AND ts < {end};
CREATE OR REPLACE TEMP TABLE firsts AS
    SELECT user_id, arg_min_null(message_id, (ts, run_no, pos)) AS message_id, arg_min_null(credit, (ts, run_no, pos)) AS credit
    FROM reached_in GROUP BY user_id;
CREATE OR REPLACE TEMP TABLE credited AS
    SELECT f.user_id, f.credit, m.point, m.channel FROM firsts f LEFT JOIN messages m USING (message_id);
"""

TALLY = """
    count(*) FILTER (fate = 'sent') AS sent, count(*) FILTER (fate = 'sent' AND delivered) AS delivered,
    count(*) FILTER (fate = 'sent' AND opened) AS opened, count(*) FILTER (fate = 'sent' AND clicked) AS clicked,
    count(DISTINCT user_id) FILTER (fate = 'sent') AS sent_users,
    count(DISTINCT user_id) FILTER (fate = 'sent' AND opened) AS opened_users,
    count(DISTINCT user_id) FILTER (fate = 'sent' AND clicked) AS clicked_users,
    count(*) FILTER (fate = 'sent' AND unsubscribed) AS unsubscribed, count(*) FILTER (fate = 'failed') AS failed,
    count(*) FILTER (bounced) AS bounced, count(*) FILTER (fate = 'skipped') AS skipped
"""

TABLES = {
    "health": """
        SELECT (SELECT count(*) FROM came_in) AS entrances, m.* EXCLUDE reporting,
               messages_opened / nullif(reporting, 0) AS open_rate, l.*,
               (SELECT count(DISTINCT (goal, user_id)) FROM reached_in) AS goals_reached
        FROM (SELECT count(*) FILTER (fate = 'sent') AS messages_sent,
                     count(*) FILTER (fate = 'sent' AND opened) AS messages_opened,
                     count(*) FILTER (fate = 'sent' AND channel IN
                         (SELECT DISTINCT channel FROM messages WHERE opened_any)) AS reporting FROM sent_in) m,
             (SELECT count(*) AS drop_offs, count(*) FILTER (class = 'internal_error') AS internal_errors,
                     count(*) FILTER (class = 'send_error') AS send_errors FROM left_in WHERE status = 'dropped') l
    """,
    "daily": """
        WITH sent AS (SELECT {day_at} AS date, count(*) FILTER (fate = 'sent') AS sent,
                count(*) FILTER (fate = 'sent' AND delivered) AS delivered,
                count(*) FILTER (fate = 'sent' AND opened) AS opened,
                count(*) FILTER (fate = 'sent' AND clicked) AS clicked,
                count(*) FILTER (fate = 'sent' AND channel = 'in_app') AS impressions,
                count(*) FILTER (fate = 'sent' AND interacted) AS interacted,
                count(*) FILTER (fate = 'sent' AND dismissed) AS dismissed,
                count(*) FILTER (fate = 'sent' AND replied) AS replied,
                count(*) FILTER (fate = 'sent' AND unsubscribed) AS unsubscribed,
                count(*) FILTER (fate = 'failed') AS failed, count(*) FILTER (fate = 'skipped') AS skipped
            FROM sent_in GROUP BY ALL)
        SELECT {day_entered} AS date, 'entrances' AS metric, NULL AS breakdown, count(*) AS count
            FROM came_in GROUP BY ALL
        UNION ALL SELECT {day_left}, 'exits', NULL, count(*) FROM left_in WHERE status <> 'dropped' GROUP BY ALL
        UNION ALL SELECT {day_left}, 'completed', NULL, count(*) FROM left_in WHERE status = 'completed' GROUP BY ALL
        UNION ALL SELECT {day_left}, 'drop_offs', class, count(*) FROM left_in WHERE status = 'dropped' GROUP BY ALL
        UNION ALL SELECT date, metric, NULL, count FROM (UNPIVOT sent ON COLUMNS(* EXCLUDE date) INTO NAME metric VALUE count)
        UNION ALL SELECT {day_at}, 'goals', NULL, count(*)
            FROM (SELECT min(ts) AS ts FROM reached_in GROUP BY goal, user_id) GROUP BY ALL
    """,
    "audience": """
        SELECT * FROM
            (SELECT count(*) FILTER (entered_at < {start} AND (left_at IS NULL OR left_at >= {start})) AS in_journey_before,
                    count(*) FILTER (entered_at >= {start} AND entered_at < {end}) AS entrances,
                    count(DISTINCT user_id) FILTER (entered_at >= {start} AND entered_at < {end}) AS unique_entrants,
                    count(*) FILTER (entered_at < {end} AND (left_at IS NULL OR left_at >= {end})) AS in_journey,
                    count(DISTINCT user_id) FILTER (entered_at < {end} AND (left_at IS NULL OR left_at >= {end})) AS in_journey_users FROM runs),
            (SELECT count(*) FILTER (status <> 'dropped') AS exits, count(*) FILTER (status = 'completed') AS completed,
                    count(*) FILTER (status = 'dropped' AND class = 'internal_error') AS internal_errors,
                    count(*) FILTER (status = 'dropped' AND class = 'send_error') AS send_errors FROM left_in),
            (SELECT count(*) FILTER (fate = 'failed') AS failed_messages FROM sent_in)
    """,
    "goals": """
        WITH came AS (SELECT count(*) AS entrances, count(DISTINCT user_id) AS people FROM came_in),
        totals AS (SELECT goal, count(DISTINCT user_id) AS users, count(DISTINCT run) AS runs, count(*) AS events
                   FROM reached_in GROUP BY goal),
        worth AS (SELECT goal, currency, sum(value) AS value FROM reached_in WHERE value IS NOT NULL GROUP BY ALL)
        SELECT goal AS goal_id, users, runs, events, entrances, users / nullif(entrances, 0) AS conversion_rate,
               users / nullif(people, 0) AS user_rate, runs / nullif(entrances, 0) AS run_rate, value, currency
        FROM totals LEFT JOIN worth USING (goal), came
    """,
    "credit": """
        SELECT point AS point_id, count(*) AS users, count(*) FILTER (credit = 'direct') AS direct,
               count(*) FILTER (credit = 'indirect') AS indirect FROM credited GROUP BY ALL
    """,
    "communications": """
        WITH t AS (SELECT channel, {tally}, count(*) FILTER (fate = 'sent' AND (delivered OR opened OR clicked)) AS arrived,
                   count(*) FILTER (fate = 'sent' AND (delivered OR bounced)) * 100 >= count(*) FILTER (fate = 'sent') AS reports,
                   count(*) FILTER (fate = 'sent' AND interacted) AS interacted FROM sent_in GROUP BY channel)
        SELECT channel, t.* EXCLUDE (channel, arrived, reports, interacted), coalesce(c.goal_users, 0) AS goal_users,
               CASE channel WHEN 'push' THEN opened WHEN 'sms' THEN delivered WHEN 'whatsapp' THEN opened
                    WHEN 'in_app' THEN interacted ELSE clicked END
               / nullif(CASE WHEN channel IN ('email', 'whatsapp') AND reports THEN arrived ELSE sent END, 0) AS engagement_rate
        FROM t FULL JOIN (SELECT channel, count(*) AS goal_users FROM credited WHERE channel IS NOT NULL GROUP BY channel) c USING (channel)
    """,
    "messages": """
        WITH latest AS (SELECT run, max(pos) AS pos FROM goals GROUP BY run),
        after AS (SELECT m.point, count(DISTINCT m.user_id) AS goal_after_interaction
                  FROM sent_in m JOIN latest l USING (run) WHERE m.fate = 'sent' AND m.engaged_pos < l.pos GROUP BY m.point),
        c AS (SELECT point, count(*) AS goal_users, count(*) FILTER (credit = 'direct') AS goal_direct,
                     count(*) FILTER (credit = 'indirect') AS goal_indirect FROM credited WHERE point IS NOT NULL GROUP BY point)
        SELECT point AS point_id, t.* EXCLUDE point, opened / nullif(sent, 0) AS open_rate,
               clicked / nullif(sent, 0) AS click_rate, coalesce(goal_after_interaction, 0) AS goal_after_interaction,
               coalesce(goal_after_interaction, 0) / nullif(sent_users, 0) AS goal_after_interaction_rate,
               coalesce(goal_users, 0) AS goal_users, coalesce(goal_direct, 0) AS goal_direct,
               coalesce(goal_indirect, 0) AS goal_indirect
        FROM (SELECT point, {tally} FROM sent_in GROUP BY point) t LEFT JOIN after USING (point) FULL JOIN c USING (point)
    """,
    "delivery_issues": """
        WITH a AS (SELECT *, count(*) OVER (PARTITION BY channel) AS attempts FROM sent_in)
        SELECT channel, outcome, reason, count(*) AS count, count(*) / attempts AS rate FROM (
            SELECT channel, attempts, 'failed' AS outcome, fail_reason AS reason FROM a WHERE fate = 'failed'
            UNION ALL SELECT channel, attempts, 'bounced', fail_reason FROM a WHERE bounced
            UNION ALL SELECT channel, attempts, 'skipped', skip_reason FROM a WHERE fate = 'skipped')
        GROUP BY channel, outcome, reason, attempts
    """,
    "points": """
        WITH v AS (SELECT point, count(*) FILTER (arrived_at < {start} AND (left_at IS NULL OR left_at >= {start})) AS waiting_before,
                count(*) FILTER (arrived_at >= {start} AND arrived_at < {end}) AS entered,
                count(*) FILTER (left_at >= {start} AND left_at < {end} AND outcome = 'completed') AS completed,
                count(*) FILTER (arrived_at < {end} AND (left_at IS NULL OR left_at >= {end})) AS waiting,
                count(*) FILTER (left_at >= {start} AND left_at < {end} AND outcome = 'exited') AS exited,
                count(*) FILTER (left_at >= {start} AND left_at < {end} AND outcome = 'dropped') AS dropped,
                count(*) FILTER (left_at >= {start} AND left_at < {end} AND outcome = 'completed' AND skipped) AS skipped,
                count(*) FILTER (left_at >= {start} AND left_at < {end} AND outcome = 'exited' AND run_reason = 'goal') AS exits_goal,
                count(*) FILTER (left_at >= {start} AND left_at < {end} AND outcome = 'exited' AND run_reason = 'cancel_event') AS exits_cancel,
                quantile_cont((epoch_us(left_at) - epoch_us(arrived_at)) / 1e6, [0.5, 0.9])
                    FILTER (left_at >= {start} AND left_at < {end} AND outcome = 'completed') AS seconds
            FROM visits GROUP BY point),
        here AS (SELECT here AS point, count(DISTINCT user_id) AS goal_here FROM (
                SELECT any_value(user_id) AS user_id, arg_min(coalesce(here, ''), (ts, run_no, pos)) AS here
                FROM reached_in GROUP BY run) WHERE here <> '' GROUP BY here),
        c AS (SELECT point, count(*) AS goal_users FROM credited WHERE point IS NOT NULL GROUP BY point),
        m AS (SELECT point, {tally}, count(*) FILTER (fate = 'sent' AND channel = 'in_app') AS shown,
                     count(*) FILTER (fate = 'sent' AND interacted) AS interacted,
                     count(*) FILTER (fate = 'sent' AND dismissed) AS dismissed,
                     count(*) FILTER (fate = 'sent' AND replied) AS replied FROM sent_in GROUP BY point)
        SELECT point AS point_id, v.* EXCLUDE (point, seconds), coalesce(goal_here, 0) AS goal_here,
               coalesce(goal_users, 0) AS goal_users, m.sent, m.delivered, m.opened, m.clicked, m.shown, m.interacted,
               m.dismissed, m.replied, m.failed, m.unsubscribed, seconds[1] AS seconds_p50, seconds[2] AS seconds_p90
        FROM v LEFT JOIN here USING (point) LEFT JOIN c USING (point) LEFT JOIN m USING (point)
    """,
    "branches": """
        SELECT point AS source, branch, count(*) AS runs, count(DISTINCT user_id) AS users,
               count(*) / sum(count(*)) OVER (PARTITION BY point) AS share
        FROM visits WHERE left_at >= {start} AND left_at < {end} AND branch IS NOT NULL GROUP BY point, branch
    """,
    "waiting": """
        WITH stays AS (SELECT * FROM visits WHERE arrived_at < {end} AND (left_at IS NULL OR left_at >= {end})),
        w AS (SELECT run, pos, arg_max_null(cause, ts) AS cause, max(ts) AS ts, arg_max_null(due_at, ts) AS due_at
              FROM waits WHERE ts < {end} AND (run, pos) IN (SELECT (run, pos) FROM stays) GROUP BY run, pos)
        SELECT v.point AS point_id, cause, count(*) AS runs, count(DISTINCT user_id) AS users,
               epoch_us(min(coalesce(w.ts, v.arrived_at))) AS oldest_since, epoch_us(min(due_at)) AS next_due
        FROM stays v LEFT JOIN w USING (run, pos) GROUP BY ALL
    """,
    "drops": """
        SELECT exit_point AS point_id, 'run' AS grain, class, reason, count(*) AS count
            FROM left_in WHERE status = 'dropped' GROUP BY ALL
        UNION ALL SELECT point, 'message', 'send_error', fail_reason, count(*)
            FROM sent_in WHERE fate = 'failed' OR bounced GROUP BY ALL
        UNION ALL SELECT point, 'message', 'skipped', skip_reason, count(*)
            FROM sent_in WHERE fate = 'skipped' GROUP BY ALL
    """,
}


POINT = {
    "points": f"SELECT * FROM ({TABLES['points']}) WHERE point_id = {{point}}",
    "drops": f"SELECT * FROM ({TABLES['drops']}) WHERE point_id = {{point}}",
    "waiting": f"SELECT * FROM ({TABLES['waiting']}) WHERE point_id = {{point}}",
    "daily": """
        WITH sent AS (SELECT {day_at} AS date, count(*) FILTER (fate = 'sent') AS sent,
                count(*) FILTER (fate = 'sent' AND delivered) AS delivered,
                count(*) FILTER (fate = 'sent' AND opened) AS opened,
                count(*) FILTER (fate = 'sent' AND clicked) AS clicked,
                count(*) FILTER (fate = 'sent' AND channel = 'in_app') AS impressions,
                count(*) FILTER (fate = 'sent' AND interacted) AS interacted,
                count(*) FILTER (fate = 'sent' AND dismissed) AS dismissed,
                count(*) FILTER (fate = 'sent' AND replied) AS replied,
                count(*) FILTER (fate = 'sent' AND unsubscribed) AS unsubscribed,
                count(*) FILTER (fate = 'failed') AS failed, count(*) FILTER (fate = 'skipped') AS skipped
            FROM sent_in WHERE point = {point} GROUP BY ALL)
        SELECT date, metric, {point} AS breakdown, count
        FROM (UNPIVOT sent ON COLUMNS(* EXCLUDE date) INTO NAME metric VALUE count)
    """,
}

STATUS = """
    CASE WHEN r.left_at IS NULL THEN 'in_progress' WHEN r.reason = 'completed' THEN 'completed'
         WHEN r.reason IN ({exits}) THEN 'exited' ELSE 'dropped' END AS status
"""

PATH = """
    WITH r AS (SELECT * FROM runs WHERE user_id = {user}),
    v AS (SELECT v.*, row_number() OVER (PARTITION BY run ORDER BY pos) AS step_no FROM visits v WHERE user_id = {user}),
    m AS (SELECT run, point, arg_min(message_id, first_pos) AS message_id FROM messages WHERE user_id = {user} GROUP BY ALL),
    g AS (SELECT run, here AS point, arg_min(goal, pos) AS goal_id FROM goals WHERE user_id = {user} GROUP BY ALL)
    SELECT run_id, run_no, {status}, step_no, v.point AS point_id, epoch_us(arrived_at) AS arrived_at,
           epoch_us(v.left_at) AS left_at, v.branch, message_id, coalesce(outcome, 'in_progress') AS outcome, goal_id, r.version
    FROM v JOIN r USING (run) LEFT JOIN m ON m.run = v.run AND m.point = v.point
    LEFT JOIN g ON g.run = v.run AND g.point = v.point
"""

# All runs since launch, in the order of their ids.
PAGE = """
    WITH page AS (SELECT * FROM runs WHERE {page} ORDER BY run_id LIMIT {limit} OFFSET {offset}),
    done AS (SELECT run, arg_max(point, pos) AS point FROM visits
             WHERE outcome = 'completed' AND run IN (SELECT run FROM page) GROUP BY run)
    SELECT user_id, device_id, run_id, run_no, {status}, coalesce(exit_point, done.point) AS last_point_id,
           epoch_us(entered_at) AS entered_at, epoch_us(last_at) AS updated_at, epoch_us(left_at) AS left_at, reason
    FROM page r LEFT JOIN done USING (run)
"""

FLOW = {
    "arrivals": "SELECT point AS point_id, count(*) AS entered FROM visits GROUP BY point",
    "transitions": """
        SELECT point AS source, target, count(*) AS runs
        FROM (SELECT point, lead(point) OVER (PARTITION BY run ORDER BY pos) AS target FROM visits)
        WHERE target IS NOT NULL GROUP BY ALL
    """,
    "variants": """
        SELECT path, count(*) AS runs
        FROM (SELECT string_agg(point, ' → ' ORDER BY pos) AS path FROM visits GROUP BY run)
        GROUP BY path ORDER BY runs DESC, path LIMIT {top}
    """,
}


class Engine:
    """Answers from tables of facts; these are made for each question, or kept."""

    def __init__(self, question: dict[str, Any], folder: Path, mode: str) -> None:
        self.question, self.kept = question, mode == "table"
        self.files = [question["log"]]
        self.sql = duckdb.connect(folder / "facts.duckdb" if self.kept else ":memory:")
        self.sql.execute(
            f"SET TimeZone = 'UTC'; SET preserve_insertion_order = {str(self.kept).lower()};"
            f"SET temp_directory = '{folder / 'spilled'}'; SET memory_limit = '{question['memory']}B'"
        )
        self.words = {name: words(question[name]) for name in ("kinds", "exits", "internal", "engaged")}
        zone = question["timezone"]
        self.days = {
            f"day_{name}": f"(timezone('{zone}', {column}))::DATE::VARCHAR"
            for name, column in {"entered": "entered_at", "left": "left_at", "at": "ts"}.items()
        }

        self.sql.execute(f"CREATE TYPE kind AS ENUM ({self.words['kinds']})")
        self.sql.execute("CREATE TABLE goal_days (goal VARCHAR, days INTERVAL)")
        goals = [list(goal) for goal in self.question["goals"]]
        self.sql.executemany("INSERT INTO goal_days VALUES (?, to_days(?))", goals)
        self.sql.execute("CREATE TABLE branches (version INT, source VARCHAR, key VARCHAR)")
        self.sql.executemany("INSERT INTO branches VALUES (?, ?, ?)", self.question["branches"])

    def load(self) -> None:
        """The facts, if they are kept."""
        if self.kept:
            self.fold()

    def fold(self, only: str = "true") -> None:
        """The facts of all users, or of some, from the log."""
        self.sql.execute(RAW.format(files=words(self.files), only=only))
        self.facts()

    def facts(self, first_run: int = 0) -> None:
        in_order = "\nORDER BY user_id" if self.kept else ""
        self.sql.execute(FACTS.format(**self.words, first_run=first_run, in_order=in_order))
        if not self.kept:
            self.sql.execute("DROP TABLE log")

    def within(self, period: str) -> dict[str, str]:
        """What the queries of a period are filled with, once its views stand."""
        start, end = (f"make_timestamptz({micros})" for micros in self.question["periods"][period])
        told = {"start": start, "end": end, "tally": TALLY, **self.words, **self.days}
        self.sql.execute(PERIOD.format(**told))
        return told

    def rows(self, query: str, **told: Any) -> laps.Rows:
        """The rows of a query, by column name."""
        result = self.sql.execute(query.format(**told))
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def tables(self, period: str) -> laps.Tables:
        if not self.kept:
            self.fold()
        told = self.within(period)
        return {name: self.rows(query, **told) for name, query in TABLES.items()}

    def point(self, point: str) -> laps.Tables:
        if not self.kept:
            self.fold()
        told = {**self.within("launch"), "point": f"'{point}'"}
        return {name: self.rows(query, **told) for name, query in POINT.items()}

    def path(self, user: str) -> laps.Tables:
        if not self.kept:
            self.fold(f"user_id = '{user}'")
        status = STATUS.format(**self.words)
        return {"user_path": self.rows(PATH, user=f"'{user}'", status=status)}

    def page(self, offset: int) -> laps.Tables:
        limit, page = self.question["page_rows"], "true"
        if not self.kept:  # the users on the page, and then only these
            found = self.sql.execute(
                f"SELECT run_id, user_id FROM read_parquet([{words(self.files)}]) WHERE kind = 'run.entered' "
                f"GROUP BY ALL ORDER BY run_id LIMIT {limit} OFFSET {offset}"
            ).fetchall()
            runs, users = ({row[place] for row in found} for place in (0, 1))
            self.fold(f"user_id IN ({words(users)})")
            page, offset = f"run_id IN ({words(runs)})", 0
        status = STATUS.format(**self.words)
        return {"users": self.rows(PAGE, page=page, limit=limit, offset=offset, status=status)}

    def flow(self) -> laps.Tables:
        if not self.kept:
            self.fold()
        return {name: self.rows(query, top=self.question["top"]) for name, query in FLOW.items()}

    def append(self, batch: str) -> None:
        self.files.append(batch)
        if not self.kept:
            return
        # The users of the batch are folded again from their rows, in a schema of their own.
        self.sql.execute("CREATE SCHEMA IF NOT EXISTS fresh; SET search_path = 'fresh,main'")
        self.sql.execute(RAW.format(files=words([batch]), only="true"))
        self.sql.execute(
            "CREATE OR REPLACE TABLE touched AS SELECT DISTINCT user_id FROM raw;"
            "INSERT INTO raw BY NAME SELECT log.* EXCLUDE (run, pos), run_id FROM main.log log"
            " JOIN main.runs USING (run, user_id) WHERE user_id IN (FROM touched)"
        )
        last = self.sql.execute("SELECT max(run) FROM main.runs").fetchall()[0][0]
        self.facts(last)
        for table in ("runs", "log", "visits", "waits", "messages", "goals"):
            self.sql.execute(
                f"DELETE FROM main.{table} WHERE user_id IN (FROM fresh.touched);"
                f"INSERT INTO main.{table} BY NAME FROM fresh.{table}"
            )
        self.sql.execute("SET search_path = 'main'")


def words(texts: Any) -> str:
    """Texts as a list of SQL literals."""
    return ", ".join(f"'{text}'" for text in texts)


if __name__ == "__main__":
    laps.main(Engine)
