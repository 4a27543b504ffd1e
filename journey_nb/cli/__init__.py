"""The command line: ``journey-nb demo | new | check | import | simulate | export | report | freeze | journeys | status | history | loads | undo | erase | rebuild``."""

from journey_nb.cli import logs, reports, stores, tables
from journey_nb.cli.group import main

__all__ = ["logs", "main", "reports", "stores", "tables"]
