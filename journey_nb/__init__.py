"""journey_nb: customer journeys in the notebook.

The public names; each is loaded when first used, so that ``import journey_nb`` costs nothing.

>>> import journey_nb as jn
>>> jn.Journey.sample("welcome").entry_type
'trigger'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from journey_nb.events import EventLog as EventLog
    from journey_nb.events import LogError as LogError
    from journey_nb.exports import campaign_statistics as campaign_statistics
    from journey_nb.journey import Journey as Journey
    from journey_nb.journey import JourneyError as JourneyError
    from journey_nb.render import Canvas as Canvas
    from journey_nb.render import canvas as canvas  # type: ignore[no-redef]  # the function, not its module's namesake
    from journey_nb.reports import run_report as run_report
    from journey_nb.stats import JourneyStats as JourneyStats
    from journey_nb.store import Store as Store
    from journey_nb.store import StoreError as StoreError
    from journey_nb.style import set_locale as set_locale
    from journey_nb.subject import ReportError as ReportError
    from journey_nb.widgets import Dashboard as Dashboard
    from journey_nb.widgets import JourneyCanvas as JourneyCanvas
    from journey_nb.widgets import JourneyList as JourneyList
    from journey_nb.widgets import PathTracer as PathTracer
    from journey_nb.widgets import Workspace as Workspace

__version__ = "0.1.0"

_HOMES = {
    "Canvas": "render",
    "Dashboard": "widgets",
    "EventLog": "events",
    "Journey": "journey",
    "JourneyCanvas": "widgets",
    "JourneyError": "journey",
    "JourneyList": "widgets",
    "JourneyStats": "stats",
    "LogError": "events",
    "PathTracer": "widgets",
    "ReportError": "subject",
    "Store": "store",
    "StoreError": "store",
    "Workspace": "widgets",
    "campaign_statistics": "exports",
    "canvas": "render",
    "run_report": "reports",
    "set_locale": "style",
}

__all__ = ["Canvas", "Dashboard", "EventLog", "Journey", "JourneyCanvas", "JourneyError", "JourneyList", "JourneyStats",
           "LogError", "PathTracer", "ReportError", "Store", "StoreError", "Workspace", "campaign_statistics", "canvas",
           "run_report", "set_locale"]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        from journey_nb.journey import near

        raise AttributeError(f"journey_nb has no {name!r}{near(name, _HOMES)}")
    value = getattr(import_module(f"journey_nb.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
