"""DuckDB: the same work in SQL, as a good analyst would write it.

The log is deduplicated, ordered and put together once into temporary tables (runs, visits, waits,
messages, goals); the tables of any period are then queries over these. Rules of the dictionary that
a clean log never calls on (quarantine, implied goals, derived visits, ties ordered by branches) are left
out: the peer has less to do.
"""

from __future__ import annotations

from typing import Any

import duckdb
import laps

# Kinds in the order in which equal times are read.
FACTS = """
CREATE TYPE kind AS ENUM ({kinds});

CREATE TEMP TABLE raw AS
WITH twice AS (
    SELECT event_id, min(file_row_number) AS kept FROM read_parquet('{log}', file_row_number = true)
    GROUP BY event_id HAVING count(*) > 1
)
SELECT occurred_at AS ts, seq, kind::kind AS kind, run_id, user_id, version, point_id AS point, branch, channel,
       message_id, goal_id AS goal, reason, due_at, value, currency, coalesce(is_machine, false) AS machine
FROM read_parquet('{log}', file_row_number = true) LEFT JOIN twice USING (event_id)
WHERE kept IS NULL OR kept = file_row_number;

CREATE TEMP TABLE runs AS
SELECT row_number() OVER (ORDER BY run_id) AS run, *,
       row_number() OVER (PARTITION BY user_id ORDER BY entered_at, run_id) AS run_no
FROM (
    SELECT run_id, any_value(user_id) FILTER (kind = 'run.entered') AS user_id,
           min(ts) FILTER (kind = 'run.entered') AS entered_at,
           min(ts) FILTER (kind = 'run.exited') AS left_at,
           any_value(reason) FILTER (kind = 'run.exited') AS reason,
           any_value(point) FILTER (kind = 'run.exited') AS exit_point
    FROM raw WHERE run_id IS NOT NULL GROUP BY run_id
);

CREATE TEMP TABLE loose AS  -- goals without a run: the user's latest run whose window holds them
SELECT g.rowid AS id, arg_max(r.run_id, (r.entered_at, r.run_id)) AS run_id
FROM raw g JOIN runs r ON g.user_id = r.user_id JOIN goal_days USING (goal)
WHERE g.kind = 'goal.reached' AND g.run_id IS NULL AND g.ts >= r.entered_at
  AND (r.left_at IS NULL OR g.ts <= r.left_at + days)
GROUP BY g.rowid;

CREATE TEMP TABLE log AS
SELECT row_number() OVER (ORDER BY run, ts, seq, kind) AS pos, *
FROM (
    SELECT r.run, raw.* EXCLUDE (run_id, user_id)
    FROM raw LEFT JOIN loose ON raw.rowid = loose.id
    JOIN runs r ON coalesce(raw.run_id, loose.run_id) = r.run_id
);
DROP TABLE raw;

CREATE TEMP TABLE moves AS
SELECT * FROM (
    SELECT pos, run, ts, kind, point, branch, reason, version,
           lag(kind) OVER w AS kind_before, lag(point) OVER w AS point_before,
           lead(kind) OVER w AS end_kind, lead(ts) OVER w AS end_at, lead(branch) OVER w AS end_branch,
           lead(reason) OVER w AS end_reason, lead(version) OVER w AS end_version
    FROM log WHERE kind IN ('run.entered', 'point.entered', 'point.completed', 'run.exited')
      -- An entry at the point where the run has just been entered is the same visit.
    WINDOW w AS (PARTITION BY run ORDER BY pos)
);

CREATE TEMP TABLE visits AS
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
WHERE m.kind IN ('run.entered', 'point.entered');

CREATE TEMP TABLE waits AS
SELECT v.pos, arg_max(w.ts, w.pos) AS ts, arg_max(w.reason, w.pos) AS cause, arg_max(w.due_at, w.pos) AS due_at
FROM (SELECT run, pos, ts, reason, due_at FROM log WHERE kind = 'wait.started') w
ASOF JOIN moves v ON w.run = v.run AND w.pos >= v.pos
WHERE v.kind IN ('run.entered', 'point.entered')
GROUP BY v.pos;

CREATE TEMP TABLE messages AS
SELECT *, coalesce(sent_at, failed_at, skipped_at) AS ts,
       CASE WHEN sent_at IS NOT NULL THEN 'sent' WHEN failed_at IS NOT NULL THEN 'failed' ELSE 'skipped' END AS fate,
       sent_at IS NOT NULL AND failed_pos > sent_pos AS bounced
FROM (
    SELECT *, if(channel = 'in_app', shown_at, told_at) AS sent_at, if(channel = 'in_app', shown_pos, told_pos) AS sent_pos
    FROM (
        SELECT message_id, any_value(run) AS run, any_value(user_id) AS user_id,
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
               bool_or(kind = 'message.unsubscribed') AS unsubscribed,
               min(pos) FILTER (kind IN ({engaged}) AND NOT machine) AS engaged_pos
        FROM log l JOIN (SELECT run, user_id FROM runs) USING (run) WHERE message_id IS NOT NULL AND kind::VARCHAR LIKE 'message.%'
        GROUP BY message_id
    )
);

CREATE TEMP TABLE goals AS
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
DROP TABLE log;
"""

# Of a period [start, end) that ends just after the last event: all departures are known at its end.
PERIOD = """
CREATE OR REPLACE TEMP VIEW sent_in AS SELECT * FROM messages WHERE ts >= {start};
CREATE OR REPLACE TEMP VIEW left_in AS SELECT *,
    CASE WHEN reason = 'completed' THEN 'completed' WHEN reason IN ({exits}) THEN 'exited' ELSE 'dropped' END AS status,
    CASE WHEN reason IN ({internal}) THEN 'internal_error' ELSE 'send_error' END AS class
    FROM runs WHERE left_at >= {start};
CREATE OR REPLACE TEMP VIEW reached_in AS SELECT * FROM goals WHERE ts >= {start};
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
        SELECT (SELECT count(*) FROM runs WHERE entered_at >= {start}) AS entrances, m.*,
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
                count(*) FILTER (fate = 'sent' AND unsubscribed) AS unsubscribed,
                count(*) FILTER (fate = 'failed') AS failed, count(*) FILTER (fate = 'skipped') AS skipped
            FROM sent_in GROUP BY ALL)
        SELECT {day_entered} AS date, 'entrances' AS metric, NULL AS breakdown, count(*) AS count
            FROM runs WHERE entered_at >= {start} GROUP BY ALL
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
                    count(*) FILTER (entered_at >= {start}) AS entrances,
                    count(DISTINCT user_id) FILTER (entered_at >= {start}) AS unique_entrants,
                    count(*) FILTER (left_at IS NULL) AS in_journey,
                    count(DISTINCT user_id) FILTER (left_at IS NULL) AS in_journey_users FROM runs),
            (SELECT count(*) FILTER (status <> 'dropped') AS exits, count(*) FILTER (status = 'completed') AS completed,
                    count(*) FILTER (status = 'dropped' AND class = 'internal_error') AS internal_errors,
                    count(*) FILTER (status = 'dropped' AND class = 'send_error') AS send_errors FROM left_in),
            (SELECT count(*) FILTER (fate = 'failed') AS failed_messages FROM sent_in)
    """,
    "goals": """
        WITH came AS (SELECT count(*) AS entrances, count(DISTINCT user_id) AS people FROM runs WHERE entered_at >= {start}),
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
        SELECT t.* EXCLUDE (arrived, reports, interacted), coalesce(c.goal_users, 0) AS goal_users,
               CASE channel WHEN 'push' THEN opened WHEN 'sms' THEN delivered WHEN 'whatsapp' THEN opened
                    WHEN 'in_app' THEN interacted ELSE clicked END
               / nullif(CASE WHEN channel IN ('email', 'whatsapp') AND reports THEN arrived ELSE sent END, 0) AS engagement_rate
        FROM t LEFT JOIN (SELECT channel, count(*) AS goal_users FROM credited GROUP BY channel) c USING (channel)
    """,
    "messages": """
        WITH latest AS (SELECT run, max(pos) AS pos FROM goals GROUP BY run),
        after AS (SELECT m.point, count(DISTINCT m.user_id) AS goal_after_interaction
                  FROM sent_in m JOIN latest l USING (run) WHERE m.fate = 'sent' AND m.engaged_pos < l.pos GROUP BY m.point),
        c AS (SELECT point, count(*) AS goal_users, count(*) FILTER (credit = 'direct') AS goal_direct,
                     count(*) FILTER (credit = 'indirect') AS goal_indirect FROM credited WHERE point IS NOT NULL GROUP BY point)
        SELECT t.point AS point_id, t.* EXCLUDE point, opened / nullif(sent, 0) AS open_rate,
               clicked / nullif(sent, 0) AS click_rate, coalesce(goal_after_interaction, 0) AS goal_after_interaction,
               coalesce(goal_after_interaction, 0) / nullif(sent_users, 0) AS goal_after_interaction_rate,
               coalesce(goal_users, 0) AS goal_users, coalesce(goal_direct, 0) AS goal_direct,
               coalesce(goal_indirect, 0) AS goal_indirect
        FROM (SELECT point, {tally} FROM sent_in GROUP BY point) t LEFT JOIN after USING (point) LEFT JOIN c USING (point)
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
                count(*) FILTER (arrived_at >= {start}) AS entered,
                count(*) FILTER (left_at >= {start} AND outcome = 'completed') AS completed,
                count(*) FILTER (left_at IS NULL) AS waiting,
                count(*) FILTER (left_at >= {start} AND outcome = 'exited') AS exited,
                count(*) FILTER (left_at >= {start} AND outcome = 'dropped') AS dropped,
                count(*) FILTER (left_at >= {start} AND outcome = 'completed' AND skipped) AS skipped,
                count(*) FILTER (left_at >= {start} AND outcome = 'exited' AND run_reason = 'goal') AS exits_goal,
                count(*) FILTER (left_at >= {start} AND outcome = 'exited' AND run_reason = 'cancel_event') AS exits_cancel,
                quantile_cont((epoch_us(left_at) - epoch_us(arrived_at)) / 1e6, [0.5, 0.9])
                    FILTER (left_at >= {start} AND outcome = 'completed') AS seconds
            FROM visits GROUP BY point),
        here AS (SELECT here AS point, count(DISTINCT user_id) AS goal_here FROM (
                SELECT any_value(user_id) AS user_id, arg_min(coalesce(here, ''), (ts, run_no, pos)) AS here
                FROM reached_in GROUP BY run) WHERE here <> '' GROUP BY here),
        c AS (SELECT point, count(*) AS goal_users FROM credited WHERE point IS NOT NULL GROUP BY point),
        m AS (SELECT point, {tally}, count(*) FILTER (fate = 'sent' AND channel = 'in_app') AS shown,
                     count(*) FILTER (fate = 'sent' AND interacted) AS interacted FROM sent_in GROUP BY point)
        SELECT point AS point_id, v.* EXCLUDE (point, seconds), coalesce(goal_here, 0) AS goal_here,
               coalesce(goal_users, 0) AS goal_users, m.sent, m.delivered, m.opened, m.clicked, m.shown, m.interacted,
               m.failed, m.unsubscribed, seconds[1] AS seconds_p50, seconds[2] AS seconds_p90
        FROM v LEFT JOIN here USING (point) LEFT JOIN c USING (point) LEFT JOIN m USING (point)
    """,
    "branches": """
        SELECT point AS source, branch, count(*) AS runs, count(DISTINCT user_id) AS users,
               count(*) / sum(count(*)) OVER (PARTITION BY point) AS share
        FROM visits WHERE left_at >= {start} AND branch IS NOT NULL GROUP BY point, branch
    """,
    "waiting": """
        SELECT v.point AS point_id, cause, count(*) AS runs, count(DISTINCT user_id) AS users,
               epoch_us(min(coalesce(w.ts, v.arrived_at))) AS oldest_since, epoch_us(min(due_at)) AS next_due
        FROM visits v LEFT JOIN waits w USING (pos) WHERE left_at IS NULL GROUP BY ALL
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


def engine(lap: laps.Laps, log: str, question: dict[str, Any]) -> dict[str, dict[str, laps.Rows]]:
    """The facts as temporary tables, the tables since launch, then those of 30 days."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
    words = {
        name: ", ".join(f"'{word}'" for word in question[name])
        for name in ("kinds", "exits", "internal", "engaged")
    }
    database.execute("CREATE TEMP TABLE goal_days (goal VARCHAR, days INTERVAL)")
    database.executemany(
        "INSERT INTO goal_days VALUES (?, to_days(?))", [list(goal) for goal in question["goals"]]
    )
    database.execute("CREATE TEMP TABLE branches (version INT, source VARCHAR, key VARCHAR)")
    database.executemany("INSERT INTO branches VALUES (?, ?, ?)", question["branches"])
    lap("facts", lambda: database.execute(FACTS.format(log=log, **words)))
    zone = question["timezone"]
    days = {f"day_{name}": f"(timezone('{zone}', {name}_at))::DATE::VARCHAR" for name in ("entered", "left")}
    days["day_at"] = f"(timezone('{zone}', ts))::DATE::VARCHAR"

    def asked(period: str) -> dict[str, laps.Rows]:
        start = f"make_timestamptz({question['starts'][period]})"
        told = {"start": start, "tally": TALLY, **words, **days}
        database.execute(PERIOD.format(**told))
        return {name: rows(database.execute(query.format(**told))) for name, query in TABLES.items()}

    return {"launch": lap("cold", lambda: asked("launch")), "30d": lap("second", lambda: asked("30d"))}


def rows(result: duckdb.DuckDBPyConnection) -> laps.Rows:
    """The rows of a result, by column name."""
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


if __name__ == "__main__":
    laps.main(engine)
