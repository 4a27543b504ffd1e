"""Live views for the notebook: thin, they hold statistics, ask for tables, hand over strings and listen."""

from __future__ import annotations

from journey_nb.widgets.canvas import JourneyCanvas
from journey_nb.widgets.dashboard import Dashboard
from journey_nb.widgets.tracer import PathTracer

__all__ = ["Dashboard", "JourneyCanvas", "PathTracer"]
