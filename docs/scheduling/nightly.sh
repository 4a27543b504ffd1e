#!/bin/sh
# Every night: load what came, check the store, report on what changed. What fails does not stop the rest; the exit code is the
# last failure's: 3 where more rows than allowed were set aside (they are told, all others count), see journey-nb --help.
cd "${JOURNEYS:-/opt/journeys}" || exit 1
failed=0
.venv/bin/journey-nb import "feed/*.parquet" --store store --max-quarantined 1% --patience 3600 || failed=$?
.venv/bin/journey-nb journeys store || failed=$?  # into the log: how old the last event of each is, and its room on the disk
.venv/bin/journey-nb check store || failed=$?
.venv/bin/journey-nb report campaign --store store --for-each status=running --period 30d --out reports --only-if-changed || failed=$?
exit "$failed"
