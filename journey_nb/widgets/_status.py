"""What is done with a journey of a store out of a live view: launch, pause, rename, stop, …"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import traitlets

from journey_nb.journey import Journey
from journey_nb.render.journeys import change_html
from journey_nb.render.text import clean
from journey_nb.store import Store, StoreError
from journey_nb.store.registry import VERBS
from journey_nb.style import word
from journey_nb.style.words import value as worded
from journey_nb.widgets._base import View

# What each verb takes of what was typed.
_TYPED = {"rename": "title", "clone": "title", "stop": "confirm"}


class Managing(View):
    """A view that changes journeys of a store, after it has asked."""

    _actions: ClassVar[Mapping[str, str]] = {
        "manage": "_ask_change",
        "change": "_change",
        "export-close": "_close_export",
    }

    changed = traitlets.Any(None, allow_none=True)
    """The journey that was changed or cloned here last, as it is now."""

    @property
    @abstractmethod
    def _registry(self) -> Store | None:
        """The store that keeps the journeys, if one does."""

    @abstractmethod
    def _changed(self, journey: Journey) -> None:
        """What is to be shown anew once a journey is as it is now, or there."""

    def _ask_change(self, request: Mapping[str, Any]) -> None:
        verb, store = self._meant(request)
        journey = store.get(request["journey"])
        copy = store.free_title(word("copy_of", self.locale, title=journey.label)) if verb == "clone" else ""
        self.export = change_html(verb, journey, copy=copy, locale=self.locale)

    def _change(self, request: Mapping[str, Any]) -> None:
        verb, store = self._meant(request)
        typed = {_TYPED[verb]: str(request.get("text", ""))} if verb in _TYPED else {}
        try:
            journey = getattr(store, verb)(request["journey"], **typed)
        except Exception as error:
            before = store.get(request["journey"])
            is_plain = isinstance(error, (StoreError, ValueError))
            failed = clean(error, 400) if is_plain else self._told(error)
            self.export = change_html(
                verb, before, text=request.get("text"), failed=failed, locale=self.locale
            )
            return
        self.export = ""
        self._changed(journey)
        self.changed = journey
        status = worded(journey.status, self.locale)
        self.said = word("now_status", self.locale, title=clean(journey.label), status=status)

    def _meant(self, request: Mapping[str, Any]) -> tuple[str, Store]:
        verb = request.get("what")
        if verb not in VERBS or verb == "edit":
            raise ValueError(f"a journey cannot be changed by {verb!r}; there are {', '.join(VERBS)}")
        if self._registry is None:
            raise ValueError("these statistics come from no store: their journey has no status to change")
        return verb, self._registry

    def _close_export(self, _: Mapping[str, Any]) -> None:
        self.export = ""
