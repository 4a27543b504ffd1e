"""The oracle: METRICS.md in slow, plain Python, one run at a time.

Written from METRICS.md and never from the product, so that the two can disagree. ``read`` turns dirty rows into a
``Reading``; a table is a function of (reading, Query) that gives a list of dicts with exactly the table's columns.

Where its sections leave more than one reading, the oracle takes that of section 15.
"""

from __future__ import annotations

from oracle import tables
from oracle.reading import Reading, read
from oracle.tables import Query

__all__ = ["Query", "Reading", "read", "tables"]
