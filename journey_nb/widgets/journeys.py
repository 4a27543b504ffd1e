"""JourneyList: the campaigns of a store with their numbers; filter, tick, export, change, open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl
import traitlets
from ipywidgets import VBox

from journey_nb.exports import campaign_statistics
from journey_nb.journey import Journey
from journey_nb.metrics.health import headline
from journey_nb.render import Html
from journey_nb.render.journeys import (
    NUMBERS,
    ORDERS,
    PAGE,
    filters_html,
    in_order,
    journeys_html,
    selected_told,
)
from journey_nb.render.text import clean
from journey_nb.store import Store, StoreError
from journey_nb.store.registry import FILTERS, status_of
from journey_nb.style import palette, word
from journey_nb.widgets._base import takes
from journey_nb.widgets._export import Files, file_name
from journey_nb.widgets._shown import show
from journey_nb.widgets._status import Managing
from journey_nb.widgets.workspace import Workspace

if TYPE_CHECKING:
    from journey_nb.facts import Facts

_LISTED = (*FILTERS, "order")  # which journeys stand on which page
_SHOWN = (*_LISTED, "page", "selected", "opened")


class JourneyList(Managing, Files):
    """The journeys of a store: what each is, who came, who is inside, which goals were reached.

    ``status``, ``category``, ``type``, ``tag`` and ``title`` narrow the list, ``order`` sorts it, ``selected`` are those that are
    ticked, ``opened`` is the one whose :class:`Workspace` stands under the list: traits, to be read, set and
    watched with ``observe``. A setting that cannot be is refused, and what was shown stays.

    Parameters
    ----------
    store
        The store whose journeys are listed.
    folder
        Where exported files are written; made when the first one is.
    theme
        ``auto`` follows the notebook, or the reader's system outside one; else ``light`` or ``dark``.
    locale
        The language of its words and numbers (en, fr, ko), by default that of ``set_locale``.
    **traits
        What to begin with: status, category, type, tag, title, order, page, selected, opened; the last two by id, title or
        the title's beginning, as the store takes them.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import journey_nb as jn
    >>> with TemporaryDirectory() as folder:
    ...     store = jn.Store(folder)
    ...     for sample in ("welcome", "abandoned_cart"):
    ...         _ = store.add(jn.Journey.sample(sample))
    ...     journeys = jn.JourneyList(store, title="welc")
    ...     journeys.found["title"].to_list()
    ['Welcome series']
    """

    _actions: ClassVar[Mapping[str, str]] = {
        **Managing._actions,
        **Files._actions,
        **dict.fromkeys(("status", "category", "type", "tag", "order"), "_filter"),
        "search": "_search",
        "page": "_turn",
        "tick": "_tick",
        "journey": "_open",
        "look": "_look",
        "dismiss": "_dismiss",
    }

    status = traitlets.Unicode(None, allow_none=True)
    """Only journeys of this status: draft, running, paused, finished or archived."""
    category = traitlets.Unicode(None, allow_none=True)
    """Only journeys of this category."""
    type = traitlets.Unicode(None, allow_none=True)
    """Only journeys that are entered so: audience, trigger, api or mixed."""
    tag = traitlets.Unicode(None, allow_none=True)
    """Only journeys that have this tag."""
    title = traitlets.Unicode(None, allow_none=True)
    """Only journeys with this in their title."""
    order = traitlets.Enum(ORDERS, "newest")
    """In which they stand: newest (made last), oldest, or title."""
    page = traitlets.Int(0, min=0)
    """Which page is shown."""
    selected = traitlets.List(traitlets.Unicode())
    """The ids of the journeys that are ticked; if any is, these alone are exported."""
    opened = traitlets.Unicode(None, allow_none=True)
    """The id of the journey whose workspace is open."""

    # What the browser is handed; drawn here, never set by people.
    panel = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        store: Store,
        *,
        folder: str | Path = "exports",
        theme: palette.Theme = "auto",
        locale: str = "",
        **traits: Any,
    ) -> None:
        takes(type(self), traits, _SHOWN)
        if not isinstance(store, Store):
            raise TypeError(f"a store is wanted, not a {type(store).__name__}: jn.Store(path)")
        self.store, self.folder = store, Path(folder)
        self.workspace: Workspace | None = None
        self._numbers: dict[str, tuple[Facts, dict[str, Any], Sequence[date]]] = {}
        self._drawn: dict[str, Any] = {}
        super().__init__(kind="panel", theme=theme, locale=locale)
        self._box = VBox([self])
        self._draw()
        for name, value in traits.items():
            setattr(self, name, value)

    def watch(self, every: float = 1.0) -> None:
        """Follow the store: numbers that change are replaced, where they stand, in the open workspace too.

        The browser asks, one question at a time, and only while the list can be seen; a journey is read only where
        something was loaded or changed.

        Parameters
        ----------
        every
            Seconds between an answer and the next question; 0 to stop.
        """
        self.every = every

    @property
    def found(self) -> pl.DataFrame:
        """The journeys that meet the filters, as ``store.find()`` tells them, in their order."""
        return self._found({name: getattr(self, name) for name in _LISTED})

    @property
    def alt(self) -> str:
        """What it shows, in a few sentences."""
        return repr(self.figure)

    @property
    def figure(self) -> Html:
        """The static copy: the same without its controls."""
        return self._listed(self._drawn, self.found, live=False)

    # What may be set: it is drawn before it is so, and what cannot be drawn is refused.

    @traitlets.validate(*_SHOWN)
    def _check(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        if value and name == "status":
            value = status_of(value)
        if value is not None and name == "opened":
            value = self.store.get(value).journey_id
        if value and name == "selected":
            known = set(self.store.find()["journey_id"])
            ids = (one if one in known else self.store.get(one).journey_id for one in value)
            value = list(dict.fromkeys(ids))
        if name == "opened" and value and (self.workspace is None or value != self.opened):
            stats = self.store[value]
            self.workspace = Workspace(stats, folder=self.folder, theme=self.theme, locale=self.locale)
            self.workspace.observe(lambda _: self._draw(), "stats")
            self.workspace.head.observe(
                lambda _: self._draw(), "changed"
            )  # a clone is none of its statistics
        first = {"page": 0} if name in _LISTED else {}
        self._draw(**first, **{name: value})
        return value

    @traitlets.observe(*_SHOWN)
    def _follow(self, change: Any) -> None:
        if change["name"] in _LISTED:
            self.page = 0
        if change["name"] == "opened":
            if self.opened is None:
                self.workspace = None
            before, self._box.children = (
                self._box.children[1:],
                (self, self.workspace) if self.workspace else (self,),
            )
            for workspace in before:
                workspace.close()
        if any(self._drawn[name] != getattr(self, name) for name in _SHOWN):
            self._draw()  # traitlets has None not checked

    @traitlets.observe("theme", "locale")
    def _follow_looks(self, change: Any) -> None:
        if self.workspace:
            setattr(self.workspace, change["name"], change["new"])

    def _reword(self) -> None:
        self._draw()

    def _draw(self, **changes: Any) -> None:
        """Draw it, some of its traits being otherwise; where that fails, change nothing and raise."""
        now = {name: changes.get(name, getattr(self, name)) for name in _SHOWN}
        panel = self._listed(now, self._found(now), live=True)
        tools = filters_html(self.store.find(), now, self.locale)
        with self.hold_sync():
            self._drawn, self.panel, self.tools, self.error = now, str(panel), str(tools), ""

    def _found(self, now: Mapping[str, Any]) -> pl.DataFrame:
        return in_order(self.store.find(**{name: now[name] for name in FILTERS}), now["order"])

    def _listed(self, now: Mapping[str, Any], found: pl.DataFrame, *, live: bool) -> Html:
        page = min(now["page"], max(found.height - 1, 0) // PAGE)
        faults, rows = [], []
        for journey_id in found["journey_id"].slice(page * PAGE, PAGE):
            try:
                rows.append({"journey_id": journey_id, **self._counted(journey_id)[1]})
            except StoreError as error:  # one journey's; the others have theirs
                faults.append(str(error))
        schema = {"journey_id": pl.String(), **dict.fromkeys(NUMBERS, pl.Int64())}
        return journeys_html(
            found, pl.DataFrame(rows, schema=schema), page=page, selected=now["selected"], opened=now["opened"],
            faults=faults, live=live, locale=self.locale,
        )  # fmt: skip

    def _counted(self, journey_id: str) -> tuple[Facts, dict[str, Any], Sequence[date]]:
        """A journey's numbers since launch, and their days; counted again only when something was loaded."""
        stats = self.store[journey_id]
        known = self._numbers.get(journey_id)
        if known is None or known[0] is not stats.facts:
            known = self._numbers[journey_id] = (stats.facts, headline(stats.scope), stats.scope.days)
        return known

    # What the browser asks for.

    def _filter(self, request: Mapping[str, Any]) -> None:
        setattr(self, request["action"], request["value"] or None)
        self._say()

    def _search(self, request: Mapping[str, Any]) -> None:
        self.title = str(request["text"]).strip() or None
        self._say()

    def _turn(self, request: Mapping[str, Any]) -> None:
        self.page = int(request["value"])
        self.said = word("page_n", self.locale, page=self.page + 1)

    def _tick(self, request: Mapping[str, Any]) -> None:
        others = [one for one in self.selected if one != request["journey"]]
        self.selected = [*others, request["journey"]] if request["value"] else others
        self.said = selected_told(self.found["journey_id"], self.selected, self.locale)

    def _open(self, request: Mapping[str, Any]) -> None:
        self.opened = None if request["value"] == self.opened else request["value"]
        self.said = ""  # so that the same is heard again
        if self.workspace:
            self.workspace.head.comes = True  # it stands below all rows
            self.said = word("opened_below", self.locale, title=clean(self.workspace.stats.journey.label))

    def _dismiss(self, _: Mapping[str, Any]) -> None:
        """The error goes, as it does after every request that is met."""

    def _look(self, _: Mapping[str, Any]) -> None:
        self._draw()
        self._renew()

    def _renew(self) -> None:
        """Have the open workspace show its journey as it is now."""
        if self.workspace is None or self.workspace.stats.store is None:
            return  # set by hand, under pseudonyms perhaps: they stay as they are
        now, shown = self.store[str(self.opened)], self.workspace.stats
        if now.facts is not shown.facts or now.journey != shown.journey:
            self.workspace.stats = now.like(shown)

    def _say(self) -> None:
        self.said = word("n_journeys", self.locale, count=self.found.height)

    # The status of its journeys.

    @property
    def _registry(self) -> Store:
        return self.store

    def _changed(self, journey: Journey) -> None:
        self._draw()
        if journey.journey_id == self.opened:
            self._renew()

    # The export.

    def _close_export(self, request: Mapping[str, Any]) -> None:
        Files._close_export(self, request)

    @property
    def _exported(self) -> list[str]:
        """Those that meet the filters, and of these the ticked if any is."""
        found = self.found["journey_id"].to_list()
        return [one for one in found if one in set(self.selected)] if self.selected else found

    def _want(self, request: Mapping[str, Any]) -> list[str]:
        if not (wanted := self._exported):
            none = "none of the journeys that are ticked is" if self.selected else "no journey is"
            raise ValueError(f"{none} listed that could be exported: widen the filters, or tick one that is")
        return wanted

    def _title(self) -> str:
        count = word("n_journeys", self.locale, count=len(self._wanted))
        return f"{word('export.campaign', self.locale)}, {count}"

    def _days(self) -> Sequence[date]:
        days = [day for one in self._wanted for day in self._counted(one)[2]]
        return [min(days), max(days)] if days else []

    def _read(self, first: str, last: str) -> tuple[str, pl.DataFrame]:
        stats = (self.store[one].between(first, last) for one in self._wanted)
        return file_name("campaign-statistics", first, last), campaign_statistics(stats)

    def _ipython_display_(self, **_: Any) -> None:
        from IPython.display import display

        views = [self, *self.workspace.views] if self.workspace else [self]
        display(show(self._box, views), raw=True)
