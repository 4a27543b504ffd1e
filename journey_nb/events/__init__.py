"""The event log: its words, loading, judging row by row, dedupe and quarantine.

From a source to what the fold takes: ``canonical`` reads any columns as the canonical ones, ``activities`` makes runs of
plain activities, ``rules`` judges every row by itself, ``settle`` keeps each event once, ``account`` tells what became of
every row, ``oddities`` what looks odd in them, and ``log`` puts them together.
"""

from journey_nb.events.account import Judged, Report
from journey_nb.events.log import EventLog
from journey_nb.events.settle import Settled, settled
from journey_nb.events.words import COLUMNS, KINDS
from journey_nb.reading import LogError

__all__ = ["COLUMNS", "KINDS", "EventLog", "Judged", "LogError", "Report", "Settled", "settled"]
