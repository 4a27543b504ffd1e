"""Live views for the notebook: thin, they hold statistics, ask for tables, hand over strings and listen."""

from __future__ import annotations

from journey_nb.widgets.canvas import JourneyCanvas
from journey_nb.widgets.dashboard import Dashboard
from journey_nb.widgets.journeys import JourneyList
from journey_nb.widgets.tracer import PathTracer
from journey_nb.widgets.workspace import Workspace

__all__ = ["Dashboard", "JourneyCanvas", "JourneyList", "PathTracer", "Workspace"]
