"""The oracle: METRICS.md in slow, plain Python, one run at a time.

Written from METRICS.md and never from the product, so that the two can disagree. ``read`` turns dirty rows into a
``Reading``; a table is a function of (reading, Query) that gives a list of dicts with exactly the table's columns.

Readings
--------
Where METRICS.md is silent, the oracle reads it so (section in brackets):

- [2] The canonical columns of a row, which are hashed and compared, hold ``device:<id>`` for a missing user.
- [2] Of the copies of one event_id those of equal content are one row and its duplicates; of the contents the one
  with the smallest hash stays and every other is one conflict.
- [2, 14.2] A goal.reached that states no run takes part in the ties of the run that the windows give it like any other
  row: its missing seq undoes the seq of the others, and it may be the first event of a truncated run. (The windows
  themselves come from a reading without such goals.) No rule of order bars it.
- [2, 14.8b] The path over tied points follows the branches of one version, that of the tie's first run, point or
  wait row by rank.
  A run that stood nowhere may start at any tied point. Rows that are quarantined later still take part in the tie.
- [2] A derived completion at a point without branches is a traversal by an unknown branch.
- [2, 14.5] "Its message had a row before the exit" looks at the rows of the same run, in reading order.
- [2] point.skipped and wait.started belong to the open visit, if it is at their point.
- [14.4] A foreign reason goes before a reason_detail that is there already: "word: detail".
- [6, 14.8] A goal without run_id that the windows give to a run counts as reached before its exit.
  The implied goal stands before an exit that is itself seen as an arrival, so where the run stood is the point before.
- [14.9] The latest-entered run is the one with the latest entry (of a truncated run its first row); of equal entries
  the one with the higher run_no. In run_no, truncated runs of one instant go by run_id.
- [14.6] A run whose first row is a goal without version takes it from the next row that has one.
- [14.10] A fate is told as known at as_of: a failure seen by then, whose sending comes later, is failed until then.
  "After the sending" is by the run's reading order, so a failure ranked before an inferred send counts nowhere.
- [14.11] An in_app message with neither impression, interaction nor dismissal is not sent, whatever else it has.
- [5] opened_at is the earlier of the first open and the first click.
- [5] The share of sends with a receipt or failure is (delivered or bounced) / sent; an opened or clicked message
  counts as delivered in denominators by the opens and clicks that the query counts.
- [14.14] A channel reports opens if a message of it has an open or click, of a machine or not, by as_of, in any run.
- [5] goals().runs counts runs with a reaching in the period.
- [5] goal_users of points and communications is of the first reaching of any goal; 0 where there are no messages.
- [5] points().exits_goal and exits_cancel are parts of exited; seconds include zero-length visits.
- [5] "Something to count" is any count column above 0.
- [5] users().status, last_step, left_at and reason are those at the state instant, as updated_at is.
- [5] daily() has a row for every local day of [start, end), also those after as_of; with place="event" outcomes are
  still those of the messages sent in the period, and those after its last day stand on no row.
- [5] goal_after_interaction looks at reachings up to as_of of messages sent in the period.
- [5] A title is the point's title, else its id; a branch's label is as designed, null where it has none.
- [14.19] The target of a branch that the shown version lacks is that of the newest version that has it.
- [14.20] oldest_since ignores visits whose begin is not known.
- [3] .version(n): a visit is of the version of the row that opened it, a traversal of the row that closed it, a
  message of its first row, a reaching of its run. Only points, messages, branches and waiting are narrowed by it.
- [5] time_to_goal follows the runs that entered (or arrived at the point) in the period, until as_of or the end of
  the window, in whole days of 24 hours; bounds are log-log, none at 0 or 1; a row for every day followed.
  The median stands beside the table.
- [6] credit() has a row for `unattributed` also when it is 0, and none for points without credit.
- [5] cohorts() counts ages in calendar periods; a cell is immature while its age is not over.
- [5] incremental() follows users from the first message sent to them, or first skip with reason control_group, in the
  period on either clock (of a point: the first skip of a visit); users who had both are crossed and stand on neither side.
- [7] variants() is of the period's assignments on either clock. Its rows are the split's branches in the shown version
  (else the newest that has it), then others assigned.
- [7] A conversion in another run of the user is later if its time is, ranks telling equal times apart.
  immature counts the units whose window is open: that of the run of their first assignment.
- [11] Runs of several users that a device finds, equal in entry and number, go by run_id.
- [11] user_path() has a row per visit, with its first message and its first goal;
  the outcome of an open one is in_progress. A run without a visit has one row, without a step.
- [11] paths() are of the runs that entered in the period; converted: reached any goal, as the clock counts.
"""

from __future__ import annotations

from oracle import tables
from oracle.reading import Reading, read
from oracle.tables import Query

__all__ = ["Query", "Reading", "read", "tables"]
