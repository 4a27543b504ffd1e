"""ClickHouse (chdb, in this process): the SQL of ``duckdb_peer.py`` in its dialect.

``parquet`` keeps nothing and answers each question from the log; where a question is about few users, the
log is read for these only. ``mergetree`` keeps log and facts in tables ordered by user, and folds only the
users again that an append touches. Both put their intermediate tables on disk, so that they need little memory.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import laps
from chdb.session import Session

COLUMNS = (
    "ts, seq, kind, user_id, device_id, version, point, branch, channel, message_id, goal, reason, due_at, value,"
    " currency, machine"
)
SOURCE = """
SELECT event_id, assumeNotNull(occurred_at) AS ts, assumeNotNull(seq) AS seq,
       CAST(assumeNotNull(kind) AS Enum8({kinds})) AS kind, run_id, assumeNotNull(user_id) AS user_id, device_id, version,
       CAST(point_id, 'LowCardinality(Nullable(String))') AS point,
       CAST(branch, 'LowCardinality(Nullable(String))') AS branch,
       CAST(channel, 'LowCardinality(Nullable(String))') AS channel, message_id,
       CAST(goal_id, 'LowCardinality(Nullable(String))') AS goal,
       CAST(reason, 'LowCardinality(Nullable(String))') AS reason, due_at, value, currency,
       ifNull(is_machine, false) AS machine
FROM file('{file}', Parquet)
"""

# The id of a goal without a run is kept until its run is found.
RAW = """
DROP TABLE IF EXISTS twice;
CREATE TABLE twice ENGINE = Memory AS
SELECT event_id FROM source WHERE {only} GROUP BY event_id HAVING count() > 1;

DROP TABLE IF EXISTS raw;
CREATE TABLE raw ENGINE = MergeTree ORDER BY tuple() AS
SELECT {columns}, run_id, if(run_id IS NULL, event_id, NULL) AS loose_id FROM (
    SELECT * FROM source WHERE {only} AND event_id NOT IN (SELECT event_id FROM twice)
    UNION ALL SELECT * FROM source WHERE {only} AND event_id IN (SELECT event_id FROM twice) LIMIT 1 BY event_id)
"""

FACTS = """
DROP TABLE IF EXISTS entries;
CREATE TABLE entries ENGINE = MergeTree ORDER BY user_id AS
SELECT assumeNotNull(raw.run_id) AS run_id, anyIf(user_id, kind = 'run.entered') AS user_id,
       anyIf(device_id, kind = 'run.entered') AS device_id, anyIf(version, kind = 'run.entered') AS version,
       minOrNullIf(ts, kind = 'run.entered') AS entered_at, max(ts) AS last_at,
       minOrNullIf(ts, kind = 'run.exited') AS left_at, anyIf(reason, kind = 'run.exited') AS reason,
       anyIf(point, kind = 'run.exited') AS exit_point
FROM raw WHERE raw.run_id IS NOT NULL GROUP BY raw.run_id;

DROP TABLE IF EXISTS loose;
CREATE TABLE loose ENGINE = Memory AS  -- goals without a run: the user's latest run whose window holds them
SELECT g.loose_id AS loose_id, any(g.ts) AS loose_at, argMax(r.run_id, (r.entered_at, r.run_id)) AS run_id
FROM (SELECT loose_id, ts, user_id, goal FROM raw WHERE kind = 'goal.reached' AND run_id IS NULL) g
JOIN main.goal_days d ON g.goal = d.goal JOIN entries r ON g.user_id = r.user_id
WHERE g.ts >= r.entered_at AND (r.left_at IS NULL OR g.ts <= r.left_at + toIntervalDay(d.days))
GROUP BY g.loose_id;

DROP TABLE IF EXISTS runs;
CREATE TABLE runs ENGINE = MergeTree ORDER BY (user_id, run) AS
SELECT {first_run} + row_number() OVER (ORDER BY user_id, run_id) AS run, e.run_id AS run_id, user_id, device_id, version,
       entered_at, left_at, reason, exit_point, greatest(last_at, ifNull(loose_at, last_at)) AS last_at,
       row_number() OVER (PARTITION BY user_id ORDER BY entered_at, run_id) AS run_no
FROM entries e LEFT JOIN (SELECT run_id, max(loose_at) AS loose_at FROM loose GROUP BY run_id) l ON e.run_id = l.run_id;

DROP TABLE IF EXISTS log;
CREATE TABLE log ENGINE = MergeTree ORDER BY (user_id, run, pos) AS
SELECT row_number() OVER (PARTITION BY run ORDER BY ts, seq, kind) AS pos, * FROM (
    SELECT r.run AS run, raw.* EXCEPT (run_id, loose_id)
    FROM raw JOIN runs r ON raw.run_id = r.run_id WHERE raw.run_id IS NOT NULL
    UNION ALL SELECT r.run AS run, raw.* EXCEPT (run_id, loose_id)
    FROM raw JOIN loose l ON raw.loose_id = l.loose_id JOIN runs r ON l.run_id = r.run_id WHERE raw.run_id IS NULL);
DROP TABLE raw;

DROP TABLE IF EXISTS moves;
CREATE TABLE moves ENGINE = MergeTree ORDER BY (run, pos) AS
SELECT pos, run, user_id, ts, kind, point,
       lead(toNullable(kind)) OVER w AS end_kind, lead(toNullable(ts)) OVER w AS end_at, lead(branch) OVER w AS end_branch,
       lead(reason) OVER w AS end_reason, lead(version) OVER w AS end_version
FROM log WHERE kind IN ('run.entered', 'point.entered', 'point.completed', 'run.exited')
WINDOW w AS (PARTITION BY run ORDER BY pos);

DROP TABLE IF EXISTS visits;
CREATE TABLE visits ENGINE = MergeTree ORDER BY (user_id, run, pos) AS
SELECT m.pos AS pos, m.run AS run, m.user_id AS user_id, m.point AS point, m.ts AS arrived_at, m.end_at AS left_at,
       CASE WHEN m.end_kind IS NULL THEN NULL
            WHEN m.end_kind = 'run.exited' AND m.end_reason IN ({exits}) THEN 'exited'
            WHEN m.end_kind = 'run.exited' AND m.end_reason <> 'completed' THEN 'dropped'
            ELSE 'completed' END AS outcome,
       b.key AS branch, r.reason AS run_reason, s.run IS NOT NULL AS skipped
FROM (SELECT *, if(end_kind = 'point.completed', ifNull(end_branch, 'default'), NULL) AS taken FROM moves
      WHERE kind IN ('run.entered', 'point.entered')) m
JOIN runs r ON m.run = r.run
LEFT JOIN main.branches b ON b.version = m.end_version AND b.source = m.point AND b.key = m.taken
LEFT JOIN (
    SELECT DISTINCT v.run AS run, v.pos AS pos
    FROM (SELECT run, pos FROM log WHERE kind = 'point.skipped') s
    ASOF JOIN (SELECT run, pos FROM moves) v ON s.run = v.run AND s.pos >= v.pos
) s ON s.run = m.run AND s.pos = m.pos;

DROP TABLE IF EXISTS waits;
CREATE TABLE waits ENGINE = MergeTree ORDER BY (user_id, run, pos) AS
SELECT w.run AS run, v.pos AS pos, w.user_id AS user_id, w.ts AS ts, w.reason AS cause, w.due_at AS due_at
FROM (SELECT run, pos, user_id, ts, reason, due_at FROM log WHERE kind = 'wait.started') w
ASOF JOIN (SELECT run, pos, kind FROM moves) v ON w.run = v.run AND w.pos >= v.pos
WHERE v.kind IN ('run.entered', 'point.entered');

DROP TABLE IF EXISTS messages;
CREATE TABLE messages ENGINE = MergeTree ORDER BY (user_id, run, first_pos) AS
SELECT *, coalesce(sent_at, failed_at, skipped_at) AS ts,
       CASE WHEN sent_at IS NOT NULL THEN 'sent' WHEN failed_at IS NOT NULL THEN 'failed' ELSE 'skipped' END AS fate,
       ifNull(sent_at IS NOT NULL AND failed_pos > sent_pos, false) AS bounced
FROM (
    SELECT *, if(channel = 'in_app', shown_at, told_at) AS sent_at, if(channel = 'in_app', shown_pos, told_pos) AS sent_pos
    FROM (
        SELECT assumeNotNull(log.message_id) AS message_id, any(run) AS run, any(user_id) AS user_id, min(pos) AS first_pos,
               argMin(point, pos) AS point, argMin(channel, pos) AS channel,
               minOrNullIf(log.ts, kind = 'message.sent') AS told_at, minOrNullIf(pos, kind = 'message.sent') AS told_pos,
               minOrNullIf(log.ts, kind = 'message.impression') AS shown_at,
               minOrNullIf(pos, kind = 'message.impression') AS shown_pos,
               minOrNullIf(log.ts, kind = 'message.failed') AS failed_at,
               minOrNullIf(pos, kind = 'message.failed') AS failed_pos,
               minOrNullIf(log.ts, kind = 'message.skipped') AS skipped_at,
               argMinIf(reason, pos, kind = 'message.failed') AS fail_reason,
               argMinIf(reason, pos, kind = 'message.skipped') AS skip_reason,
               max(kind = 'message.delivered') AS delivered,
               max(kind IN ('message.opened', 'message.clicked') AND NOT machine) AS opened,
               max(kind IN ('message.opened', 'message.clicked')) AS opened_any,
               max(kind = 'message.clicked' AND NOT machine) AS clicked,
               max(kind = 'message.interacted') AS interacted,
               max(kind = 'message.dismissed') AS dismissed, max(kind = 'message.replied') AS replied,
               max(kind = 'message.unsubscribed') AS unsubscribed,
               minOrNullIf(pos, kind IN ({engaged}) AND NOT machine) AS engaged_pos
        FROM log WHERE log.message_id IS NOT NULL AND startsWith(toString(kind), 'message.')
        GROUP BY log.message_id));

DROP TABLE IF EXISTS goals;
CREATE TABLE goals ENGINE = MergeTree ORDER BY (user_id, run, pos) AS
SELECT g.pos AS pos, g.run AS run, g.user_id AS user_id, g.run_no AS run_no, g.goal AS goal, g.ts AS ts, g.value AS value,
       g.currency AS currency, coalesce(e.message_id, s.message_id) AS message_id,
       CASE WHEN e.message_id IS NOT NULL THEN 'direct' WHEN s.message_id IS NOT NULL THEN 'indirect' END AS credit,
       if(m.kind IN ('run.entered', 'point.entered'), m.point, NULL) AS here
FROM (
    SELECT g.pos AS pos, g.run AS run, g.user_id AS user_id, r.run_no AS run_no, g.goal AS goal, g.ts AS ts,
           g.value AS value, g.currency AS currency
    FROM (SELECT * FROM log WHERE kind = 'goal.reached') g JOIN runs r ON g.run = r.run
    JOIN main.goal_days d ON g.goal = d.goal WHERE r.left_at IS NULL OR g.ts <= r.left_at + toIntervalDay(d.days)
) g
ASOF LEFT JOIN (SELECT run, pos, message_id FROM log WHERE kind IN ({engaged}) AND NOT machine) e
    ON g.run = e.run AND g.pos > e.pos
ASOF LEFT JOIN (SELECT run, assumeNotNull(sent_pos) AS pos, message_id FROM messages WHERE sent_at IS NOT NULL) s
    ON g.run = s.run AND g.pos > s.pos
ASOF LEFT JOIN (SELECT run, pos, kind, point FROM moves) m ON g.run = m.run AND g.pos > m.pos;
DROP TABLE moves
"""

# Of a period [start, end): all departures before its end are known at it, and no later ones.
PERIOD = """
CREATE OR REPLACE VIEW sent_in AS SELECT * FROM messages WHERE ts >= {start} AND ts < {end};
CREATE OR REPLACE VIEW left_in AS SELECT *,
    CASE WHEN reason = 'completed' THEN 'completed' WHEN reason IN ({exits}) THEN 'exited' ELSE 'dropped' END AS status,
    CASE WHEN reason IN ({internal}) THEN 'internal_error' ELSE 'send_error' END AS class
    FROM runs WHERE left_at >= {start} AND left_at < {end};
CREATE OR REPLACE VIEW came_in AS SELECT * FROM runs WHERE entered_at >= {start} AND entered_at < {end};
CREATE OR REPLACE VIEW reached_in AS SELECT * FROM goals WHERE ts >= {start} AND ts < {end};
DROP TABLE IF EXISTS credited;
CREATE TABLE credited ENGINE = Memory AS
    SELECT f.user_id AS user_id, f.touch.2 AS credit, m.point AS point, m.channel AS channel
    FROM (SELECT user_id, argMin((message_id, credit), (ts, run_no, pos)) AS touch FROM reached_in GROUP BY user_id) f
    LEFT JOIN (SELECT message_id, point, channel FROM messages) m ON f.touch.1 = m.message_id
"""

TALLY = """
    countIf(fate = 'sent') AS sent, countIf(fate = 'sent' AND delivered) AS delivered,
    countIf(fate = 'sent' AND opened) AS opened, countIf(fate = 'sent' AND clicked) AS clicked,
    uniqExactIf(user_id, fate = 'sent') AS sent_users, uniqExactIf(user_id, fate = 'sent' AND opened) AS opened_users,
    uniqExactIf(user_id, fate = 'sent' AND clicked) AS clicked_users,
    countIf(fate = 'sent' AND unsubscribed) AS unsubscribed, countIf(fate = 'failed') AS failed,
    countIf(bounced) AS bounced, countIf(fate = 'skipped') AS skipped
"""

SENDS = """
    SELECT date, count.1 AS metric, count.2 AS count FROM (
        SELECT {day_at} AS date, [('sent', countIf(fate = 'sent')), ('delivered', countIf(fate = 'sent' AND delivered)),
               ('opened', countIf(fate = 'sent' AND opened)), ('clicked', countIf(fate = 'sent' AND clicked)),
               ('impressions', countIf(fate = 'sent' AND channel = 'in_app')),
               ('interacted', countIf(fate = 'sent' AND interacted)),
               ('dismissed', countIf(fate = 'sent' AND dismissed)), ('replied', countIf(fate = 'sent' AND replied)),
               ('unsubscribed', countIf(fate = 'sent' AND unsubscribed)), ('failed', countIf(fate = 'failed')),
               ('skipped', countIf(fate = 'skipped'))] AS counts
        FROM sent_in WHERE {which} GROUP BY date) ARRAY JOIN counts AS count
"""

TABLES = {
    "health": """
        SELECT (SELECT count() FROM came_in) AS entrances, m.messages_sent AS messages_sent,
               m.messages_opened AS messages_opened, messages_opened / nullIf(reporting, 0) AS open_rate, l.*,
               (SELECT uniqExact(goal, user_id) FROM reached_in) AS goals_reached
        FROM (SELECT countIf(fate = 'sent') AS messages_sent, countIf(fate = 'sent' AND opened) AS messages_opened,
                     countIf(fate = 'sent' AND channel IN (SELECT channel FROM messages WHERE opened_any)) AS reporting
              FROM sent_in) m,
             (SELECT count() AS drop_offs, countIf(class = 'internal_error') AS internal_errors,
                     countIf(class = 'send_error') AS send_errors FROM left_in WHERE status = 'dropped') l
    """,
    "daily": """
        SELECT {day_entered} AS date, 'entrances' AS metric, NULL AS breakdown, count() AS count FROM came_in GROUP BY date
        UNION ALL SELECT {day_left} AS date, 'exits', NULL, count() FROM left_in WHERE status <> 'dropped' GROUP BY date
        UNION ALL SELECT {day_left} AS date, 'completed', NULL, count() FROM left_in WHERE status = 'completed' GROUP BY date
        UNION ALL SELECT {day_left} AS date, 'drop_offs', class, count() FROM left_in WHERE status = 'dropped'
            GROUP BY date, class
        UNION ALL SELECT date, metric, NULL, count FROM ({sends})
        UNION ALL SELECT {day_at} AS date, 'goals', NULL, count()
            FROM (SELECT min(reached_in.ts) AS ts FROM reached_in GROUP BY goal, user_id) GROUP BY date
    """,
    "audience": """
        SELECT * FROM
            (SELECT countIf(entered_at < {start} AND (left_at IS NULL OR left_at >= {start})) AS in_journey_before,
                    countIf(entered_at >= {start} AND entered_at < {end}) AS entrances,
                    uniqExactIf(user_id, entered_at >= {start} AND entered_at < {end}) AS unique_entrants,
                    countIf(entered_at < {end} AND (left_at IS NULL OR left_at >= {end})) AS in_journey,
                    uniqExactIf(user_id, entered_at < {end} AND (left_at IS NULL OR left_at >= {end})) AS in_journey_users
             FROM runs) r,
            (SELECT countIf(status <> 'dropped') AS exits, countIf(status = 'completed') AS completed,
                    countIf(status = 'dropped' AND class = 'internal_error') AS internal_errors,
                    countIf(status = 'dropped' AND class = 'send_error') AS send_errors FROM left_in) l,
            (SELECT countIf(fate = 'failed') AS failed_messages FROM sent_in) m
    """,
    "goals": """
        WITH (SELECT (count(), uniqExact(user_id)) FROM came_in) AS came
        SELECT t.goal AS goal_id, users, runs, events, came.1 AS entrances, users / nullIf(came.1, 0) AS conversion_rate,
               users / nullIf(came.2, 0) AS user_rate, runs / nullIf(came.1, 0) AS run_rate, value, currency
        FROM (SELECT goal, uniqExact(user_id) AS users, uniqExact(run) AS runs, count() AS events
              FROM reached_in GROUP BY goal) t
        LEFT JOIN (SELECT goal, currency, sum(reached_in.value) AS value FROM reached_in WHERE reached_in.value IS NOT NULL
                   GROUP BY goal, currency) w ON t.goal = w.goal
    """,
    "credit": """
        SELECT point AS point_id, count() AS users, countIf(credit = 'direct') AS direct,
               countIf(credit = 'indirect') AS indirect FROM credited GROUP BY point
    """,
    "communications": """
        SELECT ifNull(t.channel, c.channel) AS channel, t.* EXCEPT (channel, arrived, reports, interacted), ifNull(c.goal_users, 0) AS goal_users,
               CASE channel WHEN 'push' THEN opened WHEN 'sms' THEN delivered WHEN 'whatsapp' THEN opened
                    WHEN 'in_app' THEN interacted ELSE clicked END
               / nullIf(if(channel IN ('email', 'whatsapp') AND reports, arrived, sent), 0) AS engagement_rate
        FROM (SELECT channel, {tally}, countIf(fate = 'sent' AND (sent_in.delivered OR sent_in.opened OR sent_in.clicked)) AS arrived,
                     countIf(fate = 'sent' AND (sent_in.delivered OR sent_in.bounced)) * 100 >= countIf(fate = 'sent') AS reports,
                     countIf(fate = 'sent' AND sent_in.interacted) AS interacted FROM sent_in GROUP BY channel) t
        FULL JOIN (SELECT channel, count() AS goal_users FROM credited WHERE channel IS NOT NULL GROUP BY channel) c ON t.channel = c.channel
    """,
    "messages": """
        SELECT ifNull(t.point, c.point) AS point_id, t.* EXCEPT point, opened / nullIf(sent, 0) AS open_rate,
               clicked / nullIf(sent, 0) AS click_rate, ifNull(after_users, 0) AS goal_after_interaction,
               ifNull(after_users, 0) / nullIf(sent_users, 0) AS goal_after_interaction_rate,
               ifNull(c.goal_users, 0) AS goal_users, ifNull(c.goal_direct, 0) AS goal_direct,
               ifNull(c.goal_indirect, 0) AS goal_indirect
        FROM (SELECT point, {tally} FROM sent_in GROUP BY point) t
        LEFT JOIN (SELECT m.point AS point, uniqExact(m.user_id) AS after_users
                   FROM (SELECT point, user_id, run, engaged_pos FROM sent_in WHERE fate = 'sent' AND engaged_pos IS NOT NULL) m
                   JOIN (SELECT run, max(goals.pos) AS pos FROM goals GROUP BY run) l ON m.run = l.run
                   WHERE m.engaged_pos < l.pos GROUP BY m.point) a ON t.point = a.point
        FULL JOIN (SELECT point, count() AS goal_users, countIf(credit = 'direct') AS goal_direct,
                          countIf(credit = 'indirect') AS goal_indirect FROM credited WHERE point IS NOT NULL GROUP BY point) c ON t.point = c.point
    """,
    "delivery_issues": """
        SELECT i.channel AS channel, outcome, reason, count, count / attempts AS rate
        FROM (SELECT channel, 'failed' AS outcome, fail_reason AS reason, count() AS count
                  FROM sent_in WHERE fate = 'failed' GROUP BY channel, fail_reason
              UNION ALL SELECT channel, 'bounced', fail_reason, count() FROM sent_in WHERE bounced GROUP BY channel, fail_reason
              UNION ALL SELECT channel, 'skipped', skip_reason, count() FROM sent_in WHERE fate = 'skipped'
                  GROUP BY channel, skip_reason) i
        JOIN (SELECT channel, count() AS attempts FROM sent_in GROUP BY channel) a ON i.channel = a.channel
    """,
    "points": """
        SELECT v.point AS point_id, v.* EXCEPT (point, seconds, passed), v.passed AS skipped, ifNull(h.goal_here, 0) AS goal_here,
               ifNull(c.goal_users, 0) AS goal_users, m.sent AS sent, m.delivered AS delivered, m.opened AS opened,
               m.clicked AS clicked, m.shown AS shown, m.interacted AS interacted, m.dismissed AS dismissed,
               m.replied AS replied, m.failed AS failed, m.unsubscribed AS unsubscribed, seconds[1] AS seconds_p50, seconds[2] AS seconds_p90
        FROM (SELECT point, countIf(arrived_at < {start} AND (left_at IS NULL OR left_at >= {start})) AS waiting_before,
                     countIf(arrived_at >= {start} AND arrived_at < {end}) AS entered,
                     countIf(left_at >= {start} AND left_at < {end} AND outcome = 'completed') AS completed,
                     countIf(arrived_at < {end} AND (left_at IS NULL OR left_at >= {end})) AS waiting,
                     countIf(left_at >= {start} AND left_at < {end} AND outcome = 'exited') AS exited,
                     countIf(left_at >= {start} AND left_at < {end} AND outcome = 'dropped') AS dropped,
                     countIf(left_at >= {start} AND left_at < {end} AND outcome = 'completed' AND skipped) AS passed,
                     countIf(left_at >= {start} AND left_at < {end} AND outcome = 'exited' AND run_reason = 'goal') AS exits_goal,
                     countIf(left_at >= {start} AND left_at < {end} AND outcome = 'exited'
                             AND run_reason = 'cancel_event') AS exits_cancel,
                     quantilesExactInclusiveIf(0.5, 0.9)(dateDiff('microsecond', arrived_at, left_at) / 1e6,
                         left_at >= {start} AND left_at < {end} AND outcome = 'completed') AS seconds
              FROM visits GROUP BY point) v
        LEFT JOIN (SELECT here, uniqExact(user_id) AS goal_here FROM (
                       SELECT any(reached_in.user_id) AS user_id, argMin(ifNull(reached_in.here, ''), (ts, run_no, pos)) AS here
                       FROM reached_in GROUP BY run) WHERE here <> '' GROUP BY here) h ON v.point = h.here
        LEFT JOIN (SELECT point, count() AS goal_users FROM credited GROUP BY point) c ON v.point = c.point
        LEFT JOIN (SELECT point, {tally}, countIf(fate = 'sent' AND channel = 'in_app') AS shown,
                          countIf(fate = 'sent' AND sent_in.interacted) AS interacted,
                          countIf(fate = 'sent' AND sent_in.dismissed) AS dismissed,
                          countIf(fate = 'sent' AND sent_in.replied) AS replied FROM sent_in GROUP BY point) m
            ON v.point = m.point
    """,
    "branches": """
        SELECT point AS source, branch, count() AS runs, uniqExact(user_id) AS users,
               runs / sum(count()) OVER (PARTITION BY point) AS share
        FROM visits WHERE left_at >= {start} AND left_at < {end} AND branch IS NOT NULL GROUP BY point, branch
    """,
    "waiting": """
        SELECT v.point AS point_id, w.last.2 AS cause, count() AS runs, uniqExact(v.user_id) AS users,
               toUnixTimestamp64Micro(min(if(w.run IS NULL, v.arrived_at, w.last.1))) AS oldest_since,
               toUnixTimestamp64Micro(min(w.last.3)) AS next_due
        FROM (SELECT run, pos, point, user_id, arrived_at FROM visits
              WHERE arrived_at < {end} AND (left_at IS NULL OR left_at >= {end})) v
        LEFT JOIN (SELECT toNullable(waits.run) AS run, waits.pos AS pos, argMax((ts, cause, due_at), ts) AS last
                   FROM waits WHERE ts < {end} GROUP BY waits.run, waits.pos) w ON v.run = w.run AND v.pos = w.pos
        GROUP BY v.point, cause
    """,
    "drops": """
        SELECT exit_point AS point_id, 'run' AS grain, class, reason, count() AS count
            FROM left_in WHERE status = 'dropped' GROUP BY exit_point, class, reason
        UNION ALL SELECT point, 'message', 'send_error', fail_reason, count()
            FROM sent_in WHERE fate = 'failed' OR bounced GROUP BY point, fail_reason
        UNION ALL SELECT point, 'message', 'skipped', skip_reason, count()
            FROM sent_in WHERE fate = 'skipped' GROUP BY point, skip_reason
    """,
}

POINT = {
    "points": f"SELECT * FROM ({TABLES['points']}) WHERE point_id = {{point}}",
    "drops": f"SELECT * FROM ({TABLES['drops']}) WHERE point_id = {{point}}",
    "waiting": f"SELECT * FROM ({TABLES['waiting']}) WHERE point_id = {{point}}",
    "daily": "SELECT *, {point} AS breakdown FROM ({sends})",
}

STATUS = """
    CASE WHEN r.left_at IS NULL THEN 'in_progress' WHEN r.reason = 'completed' THEN 'completed'
         WHEN r.reason IN ({exits}) THEN 'exited' ELSE 'dropped' END AS status
"""

PATH = """
    SELECT r.run_id AS run_id, r.run_no AS run_no, {status}, v.step_no AS step_no, v.point AS point_id,
           toUnixTimestamp64Micro(v.arrived_at) AS arrived_at, toUnixTimestamp64Micro(v.left_at) AS left_at,
           v.branch AS branch, m.message_id AS message_id, ifNull(v.outcome, 'in_progress') AS outcome,
           g.goal_id AS goal_id, r.version AS version
    FROM (SELECT *, row_number() OVER (PARTITION BY run ORDER BY pos) AS step_no FROM visits WHERE user_id = {user}) v
    JOIN (SELECT * FROM runs WHERE user_id = {user}) r ON v.run = r.run
    LEFT JOIN (SELECT run, point, argMin(toNullable(messages.message_id), first_pos) AS message_id FROM messages
               WHERE user_id = {user} GROUP BY run, point) m ON m.run = v.run AND m.point = v.point
    LEFT JOIN (SELECT run, here, argMin(goal, pos) AS goal_id FROM goals
               WHERE user_id = {user} GROUP BY run, here) g ON g.run = v.run AND g.here = v.point
"""

# All runs since launch, in the order of their ids.
PAGE = """
    WITH page AS (SELECT * FROM runs WHERE {page} ORDER BY run_id LIMIT {limit} OFFSET {offset})
    SELECT r.user_id AS user_id, r.device_id AS device_id, r.run_id AS run_id, r.run_no AS run_no, {status},
           coalesce(r.exit_point, d.point) AS last_point_id, toUnixTimestamp64Micro(r.entered_at) AS entered_at,
           toUnixTimestamp64Micro(r.last_at) AS updated_at, toUnixTimestamp64Micro(r.left_at) AS left_at, r.reason AS reason
    FROM page r
    LEFT JOIN (SELECT run, argMax(visits.point, pos) AS point FROM visits
               WHERE outcome = 'completed' AND user_id IN (SELECT user_id FROM page) GROUP BY run) d ON r.run = d.run
"""

FLOW = {
    "arrivals": "SELECT point AS point_id, count() AS entered FROM visits GROUP BY point",
    "transitions": """
        SELECT point AS source, target, count() AS runs
        FROM (SELECT point, lead(point) OVER (PARTITION BY run ORDER BY pos
                    ) AS target FROM visits)
        WHERE target IS NOT NULL GROUP BY point, target
    """,
    "variants": """
        SELECT path, count() AS runs
        FROM (SELECT arrayStringConcat(arrayMap(v -> v.2, arraySort(groupArray((pos, ifNull(point, ''))))), ' → ') AS path
              FROM visits GROUP BY run)
        GROUP BY path ORDER BY runs DESC, path LIMIT {top}
    """,
}


class Engine:
    """Answers from tables of facts; these are made for each question, or kept."""

    def __init__(self, question: dict[str, Any], folder: Path, mode: str) -> None:
        self.question, self.kept = question, mode == "mergetree"
        self.files = [question["log"]]
        self.session = Session(str(folder / "clickhouse"))
        self.words = {name: words(question[name]) for name in ("kinds", "exits", "internal", "engaged")}
        zone = question["timezone"]
        self.days = {
            f"day_{name}": f"toString(toDate({column}, '{zone}'))"
            for name, column in {"entered": "entered_at", "left": "left_at", "at": "ts"}.items()
        }
        goals = ", ".join(f"('{goal}', {days})" for goal, days in question["goals"])
        branches = ", ".join(f"({version}, '{at}', '{key}')" for version, at, key in question["branches"])
        self.run(f"""
            SET max_memory_usage = {question["memory"]}, join_use_nulls = 1, prefer_column_name_to_alias = 1, output_format_json_quote_64bit_integers = 0;
            CREATE DATABASE main; CREATE DATABASE fresh; USE main;
            CREATE TABLE goal_days (goal String, days Int32) ENGINE = Memory; INSERT INTO goal_days VALUES {goals};
            CREATE TABLE branches (version Int32, source String, key Nullable(String)) ENGINE = Memory;
            INSERT INTO branches VALUES {branches}
        """)

    def run(self, script: str) -> None:
        """Some statements, one after the other."""
        for statement in script.split(";"):
            if statement.strip():
                self.session.query(statement)

    def rows(self, query: str, **told: Any) -> laps.Rows:
        """The rows of a query, by column name."""
        result = self.session.query(query.format(**told), "JSONEachRow").bytes()
        return [json.loads(line) for line in result.splitlines()]

    def load(self) -> None:
        """The facts, if they are kept."""
        if self.kept:
            self.fold()

    def fold(self, only: str = "true") -> None:
        """The facts of all users, or of some, from the log."""
        self.raw(self.files, only)
        self.facts()

    def raw(self, files: list[str], only: str = "true") -> None:
        source = " UNION ALL ".join(SOURCE.format(file=file, **self.words) for file in files)
        self.run(f"CREATE OR REPLACE VIEW source AS {source};" + RAW.format(only=only, columns=COLUMNS))

    def facts(self, first_run: int = 0) -> None:
        self.run(FACTS.format(**self.words, first_run=first_run))
        if not self.kept:
            self.run("DROP TABLE log")

    def within(self, period: str) -> dict[str, str]:
        """What the queries of a period are filled with, once its views stand."""
        start, end = (
            f"fromUnixTimestamp64Micro(toInt64({micros}), 'UTC')"
            for micros in self.question["periods"][period]
        )
        told = {"start": start, "end": end, "tally": TALLY, **self.words, **self.days}
        self.run(PERIOD.format(**told))
        return {**told, "sends": SENDS.format(which="true", **told)}

    def tables(self, period: str) -> laps.Tables:
        if not self.kept:
            self.fold()
        told = self.within(period)
        return {name: self.rows(query, **told) for name, query in TABLES.items()}

    def point(self, point: str) -> laps.Tables:
        if not self.kept:
            self.fold()
        told = {**self.within("launch"), "point": f"'{point}'"}
        told["sends"] = SENDS.format(which=f"point = '{point}'", **told)
        return {name: self.rows(query, **told) for name, query in POINT.items()}

    def path(self, user: str) -> laps.Tables:
        if not self.kept:
            self.fold(f"user_id = '{user}'")
        status = STATUS.format(**self.words)
        return {"user_path": self.rows(PATH, user=f"'{user}'", status=status)}

    def page(self, offset: int) -> laps.Tables:
        limit, page = self.question["page_rows"], "true"
        if not self.kept:  # the users on the page, and then only these
            source = " UNION ALL ".join(SOURCE.format(file=file, **self.words) for file in self.files)
            found = self.rows(
                f"SELECT run_id, user_id FROM ({source}) WHERE kind = 'run.entered' "
                f"GROUP BY run_id, user_id ORDER BY run_id LIMIT {limit} OFFSET {offset}"
            )
            runs, users = ({row[name] for row in found} for name in ("run_id", "user_id"))
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
        # The users of the batch are folded again from their rows, in a database of their own.
        self.run("USE fresh")
        self.raw([batch])
        self.run(f"""
            DROP TABLE IF EXISTS touched;
            CREATE TABLE touched ENGINE = Memory AS SELECT DISTINCT user_id FROM raw;
            INSERT INTO raw ({COLUMNS}, run_id) SELECT {COLUMNS}, r.run_id
            FROM (SELECT * FROM main.log WHERE user_id IN (SELECT user_id FROM touched)) l
            JOIN (SELECT run, run_id FROM main.runs WHERE user_id IN (SELECT user_id FROM touched)) r ON l.run = r.run
        """)
        self.facts(self.rows("SELECT max(run) AS last FROM main.runs")[0]["last"])
        for table in ("runs", "log", "visits", "waits", "messages", "goals"):
            self.run(f"""
                DELETE FROM main.{table} WHERE user_id IN (SELECT user_id FROM fresh.touched);
                INSERT INTO main.{table} SELECT * FROM fresh.{table}
            """)
        self.run("USE main")


def words(texts: Any) -> str:
    """Texts as a list of SQL literals."""
    return ", ".join(f"'{text}'" for text in texts)


if __name__ == "__main__":
    laps.main(Engine)
