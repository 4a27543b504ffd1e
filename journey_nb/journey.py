"""The designed graph: a journey, its versions, points, branches and goals; read, write, check."""

from __future__ import annotations

import difflib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from journey_nb.files import whole

if TYPE_CHECKING:
    from journey_nb.discover import ActivityLog

Status = Literal["draft", "running", "paused", "finished", "archived"]
EntryType = Literal["audience", "trigger", "api", "mixed"]
Origin = Literal["designed", "discovered"]
Channel = Literal[
    "push", "web_push", "email", "sms", "in_app", "whatsapp", "line", "kakao", "webhook", "other"
]
PointType = Literal[
    "entry_audience",
    "entry_trigger",
    "entry_api",
    "message",
    "webhook",
    "update_profile",
    "rate_limit",
    "delay",
    "wait_for_trigger",
    "split_condition",
    "split_segment",
    "split_abn",
    "reachability_check",
    "exit",
    "activity",
]

CHANNELS: tuple[str, ...] = get_args(Channel)
POINT_TYPES: tuple[str, ...] = get_args(PointType)
ENTRY_TYPES: tuple[str, ...] = tuple(t for t in POINT_TYPES if t.startswith("entry_"))
WAIT_TYPES: tuple[str, ...] = ("delay", "wait_for_trigger")

# A key ending in ":" stands for every key that begins so (segment:<name>, variant:A).
BRANCH_KEYS: dict[str, tuple[str, ...] | None] = {
    "entry_audience": ("default",),
    "entry_trigger": ("default",),
    "entry_api": ("default",),
    "message": ("default", "opened", "not_opened", "delivered", "not_delivered"),
    "webhook": ("default",),
    "update_profile": ("default",),
    "rate_limit": ("default",),
    "delay": ("default",),
    "wait_for_trigger": ("triggered_1", "triggered_2", "triggered_3", "not_triggered"),
    "split_condition": ("yes", "no"),
    "split_segment": ("segment:", "rest"),
    "split_abn": ("variant:",),
    "reachability_check": ("reachable", "not_reachable"),
    "exit": (),
    "activity": None,
}


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a document: where it is, what it is, and how to mend it."""

    place: str
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem} ({self.mend})"


class JourneyError(Exception):
    """A journey document that does not hold; ``faults`` lists everything wrong with it at once."""

    def __init__(self, faults: Iterable[Fault], source: str = "the journey") -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        lines = [f"{source} has {count} fault{'s' if count != 1 else ''}:"]
        super().__init__("\n".join([*lines, *(f"  - {fault}" for fault in self.faults)]))


class _Document(BaseModel):
    # Unknown keys are kept, so that a document written by a newer program survives a round trip.
    model_config = ConfigDict(extra="allow", frozen=True)

    @model_serializer(mode="wrap")
    def _without_empty_fields(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        return {
            key: value for key, value in serialize(self).items() if value is not None or key not in fields
        }


def zoned(at: datetime) -> datetime:
    """A moment with its offset; one without is UTC."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


Instant = Annotated[
    datetime,
    AfterValidator(zoned),
    Field(description="ISO 8601; without an offset it is UTC"),
]


class Position(_Document):
    """Where a point is pinned on the canvas, in pixels from its top left corner."""

    x: float
    y: float


class Point(_Document):
    """One step of a journey; its ``point_id`` stays the same over all versions."""

    point_id: str = Field(min_length=1)
    type: PointType
    title: str = ""
    channel: Channel | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    position: Position | None = None

    @property
    def label(self) -> str:
        """The title, or the id of a point that has none."""
        return self.title or self.point_id

    @property
    def is_entry(self) -> bool:
        """Whether runs begin here by design."""
        return self.type in ENTRY_TYPES


class Branch(_Document):
    """A way out of a point, told apart by (source, key): two of them may lead to one target."""

    source: str
    target: str
    key: str = "default"
    label: str | None = None
    share: float | None = Field(default=None, description="per cent of the source's runs, 0 to 100")
    control: bool = Field(default=False, description="the control variant of an A/B/n split")


class Goal(_Document):
    """A conversion event and the days after a run's end within which it still counts."""

    goal_id: str = Field(min_length=1)
    title: str = ""
    event: str = ""
    conditions: list[dict[str, Any]] = Field(default_factory=list)
    ends_journey: bool = False
    conversion_days: int = Field(default=30, ge=0, le=90)
    value_field: str | None = None

    @property
    def label(self) -> str:
        """The title, or the id of a goal that has none."""
        return self.title or self.goal_id


class Version(_Document):
    """One published state of the graph."""

    version: int = Field(ge=1, lt=2**31)  # as events carry it
    published_at: Instant | None = None
    note: str | None = None
    points: tuple[Point, ...] = ()
    branches: tuple[Branch, ...] = ()

    def __contains__(self, point_id: object) -> bool:
        return any(point.point_id == point_id for point in self.points)

    def point(self, point_id: str) -> Point:
        """The point of that id.

        Raises
        ------
        KeyError
            When this version has no such point; the message names the nearest id.
        """
        for point in self.points:
            if point.point_id == point_id:
                return point
        known = [point.point_id for point in self.points]
        raise KeyError(f"version {self.version} has no point {point_id!r}{near(point_id, known)}")

    def outgoing(self, point_id: str) -> tuple[Branch, ...]:
        """The branches that leave a point, in the document's order."""
        return tuple(branch for branch in self.branches if branch.source == point_id)

    def incoming(self, point_id: str) -> tuple[Branch, ...]:
        """The branches that lead to a point, in the document's order."""
        return tuple(branch for branch in self.branches if branch.target == point_id)


class _JourneyFields(_Document):
    format: Literal["journey/1"] = "journey/1"
    journey_id: str = Field(min_length=1)
    title: str = ""
    status: Status = "draft"
    category: str | None = None
    entry_type: EntryType = "audience"
    created_at: Instant | None = None
    launched_at: Instant | None = None
    finished_at: Instant | None = None
    timezone: str = "UTC"
    goals: tuple[Goal, ...] = ()
    cancel_events: tuple[str, ...] = ()
    versions: tuple[Version, ...]
    tags: tuple[str, ...] = ()
    origin: Origin = "designed"


class Journey(_JourneyFields):
    """A campaign: what was designed, in all its versions.

    Definitions: METRICS.md, section 1. A document that does not hold is refused with all its
    faults at once (:class:`JourneyError`).

    Examples
    --------
    >>> from journey_nb import Journey
    >>> journey = Journey.model_validate({
    ...     "journey_id": "welcome", "title": "Welcome",
    ...     "versions": [{"version": 1,
    ...         "points": [{"point_id": "in", "type": "entry_api"}, {"point_id": "out", "type": "exit"}],
    ...         "branches": [{"source": "in", "target": "out"}]}]})
    >>> journey.version().outgoing("in")[0].target
    'out'
    """

    @model_validator(mode="before")
    @classmethod
    def _list_all_faults(cls, data: Any) -> Any:
        # Before the fields: so that graph faults are told together with malformed fields.
        if isinstance(data, Mapping) and [*_text_faults(data), *_graph_faults(data)]:
            raise JourneyError(_faults(data))
        return data

    @classmethod
    def from_json(cls, text: str | bytes, source: str = "the journey") -> Journey:
        """Parse a journey document.

        Raises
        ------
        JourneyError
            Listing every fault of the document at once.
        """
        try:
            data = json.loads(text)
        except RecursionError:
            raise JourneyError(
                [Fault("document", "not JSON: nested too deep", "leave out lists within lists")], source
            ) from None
        except ValueError as error:
            raise JourneyError(
                [Fault("document", f"not JSON: {error}", "save it as UTF-8 JSON")], source
            ) from None
        if not isinstance(data, dict):
            raise JourneyError(
                [Fault("document", "not an object", 'begin with {"format": "journey/1"}')], source
            )
        try:
            return cls.model_validate(data)
        except (JourneyError, ValidationError):
            raise JourneyError(_faults(data), source) from None

    @classmethod
    def read(cls, path: str | Path) -> Journey:
        """Read a ``*.journey.json`` file (UTF-8).

        Raises
        ------
        JourneyError
            Listing every fault of the document at once.
        """
        return cls.from_json(Path(path).read_bytes(), source=str(path))

    @classmethod
    def discover(
        cls,
        log: ActivityLog,
        *,
        min_share: float = 0.05,
        title: str = "",
        timezone: str = "UTC",
    ) -> Journey:
        """Build a graph from an activity log; see :func:`journey_nb.discover.discover`."""
        from journey_nb.discover import discover

        return discover(log, min_share=min_share, title=title, timezone=timezone)

    @staticmethod
    def sample(name: str) -> Journey:
        """One of the journeys that ship with the package: welcome, abandoned_cart, win_back.

        Examples
        --------
        >>> from journey_nb import Journey
        >>> Journey.sample("welcome").version().version
        2
        """
        folder = Path(__file__).with_name("samples")
        names = sorted(path.name.removesuffix(".journey.json") for path in folder.glob("*.journey.json"))
        if name not in names:
            raise KeyError(f"no sample journey {name!r}{near(name, names)}; there are {', '.join(names)}")
        return Journey.read(folder / f"{name}.journey.json")

    def to_json(self) -> str:
        """The document as indented JSON; reading it back gives an equal journey."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"

    def write(self, path: str | Path) -> Path:
        """Write the document whole or not at all, and return its path."""
        with whole(path) as part:
            part.write_text(self.to_json(), encoding="utf-8")
        return Path(path)

    def version(self, number: int | None = None) -> Version:
        """A version by its number; by default the newest published one (else the newest).

        Raises
        ------
        KeyError
            When there is no such version; the message lists those there are.
        """
        if number is None:
            published = [version for version in self.versions if version.published_at is not None]
            return max(published or self.versions, key=lambda version: version.version)
        for version in self.versions:
            if version.version == number:
                return version
        known = ", ".join(str(version.version) for version in self.versions)
        raise KeyError(f"{self.label!r} has no version {number}; there are {known}")

    def by_precedence(self, version: int | None = None) -> list[Version]:
        """The shown version, then the others, the newest first: what several have is told of the first of them."""
        shown = self.version(version)
        rest = sorted(self.versions, key=lambda other: -other.version)
        return [shown, *(other for other in rest if other is not shown)]

    def points(self, version: int | None = None) -> dict[str, Point]:
        """All points by id: the shown version's first, in its order, then those of other versions.

        A point of several versions is given as the shown version has it, else as the newest has it.
        """
        points: dict[str, Point] = {}
        for other in self.by_precedence(version):
            for point in other.points:
                points.setdefault(point.point_id, point)
        return points

    def goal(self, goal_id: str) -> Goal:
        """The goal of that id.

        Raises
        ------
        KeyError
            When the journey has no such goal; the message names the nearest id.
        """
        for goal in self.goals:
            if goal.goal_id == goal_id:
                return goal
        hint = _named(goal_id, [goal.goal_id for goal in self.goals])
        raise KeyError(f"{self.label!r} has no goal {goal_id!r}{hint}")

    def point(self, point_id: str) -> Point:
        """The point of that id, as :meth:`points` has it.

        Raises
        ------
        KeyError
            When no version has such a point; the message names the nearest id.
        """
        points = self.points()
        if point_id in points:
            return points[point_id]
        raise KeyError(f"{self.label!r} has no point {point_id!r}{_named(point_id, list(points))}")

    @property
    def label(self) -> str:
        """The title, or the id of a journey that has none."""
        return self.title or self.journey_id

    def __repr__(self) -> str:
        counts = {"version": len(self.versions), "point": len(self.points())}
        told = (f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items())
        return f"{self.label}: {', '.join(told)}"

    __str__ = __repr__

    def warnings(self) -> list[Fault]:
        """What is allowed but seldom meant: points that nothing leads to, versions without an entry."""
        return list(_oddities(self))


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a journey document, as it is published in :data:`SCHEMA`."""
    return {"title": "journey/1", **{k: v for k, v in Journey.model_json_schema().items() if k != "title"}}


SCHEMA = Path(__file__).with_name("journey.schema.json")


def near(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known words, whatever their case, or nothing when none is near.

    Examples
    --------
    >>> from journey_nb.journey import near
    >>> near("emial", ["email", "push"]), near("user_id", ["EVENT", "USER_ID"])
    ("; did you mean 'email'?", "; did you mean 'USER_ID'?")
    """
    spelt = dict.fromkeys(map(str, known))
    lower = difflib.get_close_matches(
        str(word)[:200].lower(), {name.lower() for name in spelt}, n=2, cutoff=0.6
    )
    close = [repr(name) for word in lower for name in spelt if name.lower() == word]
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _named(word: str, known: list[str]) -> str:
    """A hint that names the nearest known words, or the first of them when none is near."""
    return near(word, known) or (f"; there are {listed(known)}" if known else "; it has none")


def _faults(data: Mapping[str, Any]) -> list[Fault]:
    """Everything that is wrong with a document."""
    return [*_text_faults(data), *_field_faults(data), *_graph_faults(data)]


_DEEPEST = 100


def _text_faults(data: Any) -> Iterator[Fault]:
    """What no file could hold: half of a pair of surrogates, which is no character, or endless nesting."""
    todo = [("document", data, 0)]
    while todo:
        place, item, depth = todo.pop()
        if isinstance(item, str):
            try:
                item.encode()
            except UnicodeEncodeError as error:
                mend = f"remove character {error.start + 1}"
                yield Fault(_clean(place), f"{_clean(_shown(item))} cannot be encoded", mend)
        elif depth > _DEEPEST and isinstance(item, (Mapping, list, tuple)):
            yield Fault(_clean(place)[:80] + "…", "nested too deep", "leave out lists within lists")
        elif isinstance(item, Mapping):
            todo += [(f"{place}, a key", key, depth + 1) for key in item]
            within = [(f"{place}.{key}".removeprefix("document."), item[key], depth + 1) for key in item]
            todo += reversed(within)
        elif isinstance(item, (list, tuple)):
            within = [(f"{place}.{number}", value, depth + 1) for number, value in enumerate(item)]
            todo += reversed(within)


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _field_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with single fields, in the document's own order."""
    try:
        _JourneyFields.model_validate(data)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            if item["type"] == "string_unicode":
                continue  # told with the texts
            place = ".".join(str(part) for part in item["loc"]) or "document"
            expected = str(item.get("ctx", {}).get("expected", ""))
            value = item["input"]
            if item["type"] == "literal_error":
                choices = [choice.strip("' ") for choice in expected.replace(" or ", ", ").split(", ")]
                yield Fault(
                    place,
                    f"unknown value {_shown(value)}{near(str(value), choices)}",
                    f"use one of {', '.join(choices)}",
                )
            elif item["type"] == "missing":
                yield Fault(place, "missing", "add it")
            else:
                yield Fault(place, f"{item['msg'].lower()}, got {_shown(value)}", "mend the value")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _graph_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with the document as a whole; tolerant of malformed fields, which are told elsewhere."""
    discovered = data.get("origin") == "discovered"
    if (zone := data.get("timezone")) is not None and not _is_zone(zone):
        yield Fault("timezone", f"unknown time zone {_shown(zone)}", "use an IANA name such as Europe/Paris")
    yield from _twice("goals", (_get(goal, "goal_id") for goal in _items(data, "goals")), "goal id")
    versions = _items(data, "versions")
    if not versions:
        yield Fault("versions", "no version", "add one with points and branches")
    yield from _twice("versions", (_get(version, "version") for version in versions), "version number")
    for number, version in enumerate(versions):
        yield from _version_faults(version, f"versions.{number}", discovered)


def _version_faults(version: Any, place: str, discovered: bool) -> Iterator[Fault]:
    points, branches = _items(version, "points"), _items(version, "branches")
    types = {_get(point, "point_id"): _get(point, "type") for point in points}
    yield from _twice(f"{place}.points", (_get(point, "point_id") for point in points), "point id")
    edges = ((_get(b, "source"), _get(b, "key", "default")) for b in branches)
    yield from _twice(f"{place}.branches", edges, "(source, key)")
    for number, point in enumerate(points):
        if _get(point, "type") == "message" and _get(point, "channel") is None:
            yield Fault(
                f"{place}.points.{number}",
                f"message {_get(point, 'point_id')!r} has no channel",
                "add a channel such as email",
            )
    for number, branch in enumerate(branches):
        for end in ("source", "target"):
            if (point_id := _get(branch, end)) is not None and point_id not in types:
                hint = near(str(point_id), [str(t) for t in types])
                yield Fault(
                    f"{place}.branches.{number}.{end}",
                    f"no point {_shown(point_id)}{hint}",
                    "name an existing point or add it",
                )
        yield from _key_faults(branch, types.get(_get(branch, "source")), f"{place}.branches.{number}")
    if not discovered:
        yield from _share_faults(points, branches, place)
        yield from _cycle_faults(branches, types, place)


def _key_faults(branch: Any, source_type: Any, place: str) -> Iterator[Fault]:
    allowed, key = BRANCH_KEYS.get(source_type), _get(branch, "key", "default")
    if allowed is None or not isinstance(key, str):
        return
    if not any(
        key != word and key.startswith(word) if word.endswith(":") else key == word for word in allowed
    ):
        choices = ", ".join(word + "<name>" if word.endswith(":") else word for word in allowed)
        mend = f"use one of {choices}" if allowed else "remove the branch"
        yield Fault(f"{place}.key", f"{_shown(key)} is no branch of {source_type}{near(key, allowed)}", mend)


def _share_faults(points: list[Any], branches: list[Any], place: str) -> Iterator[Fault]:
    """Shares stand at the branches of a split or, where none has one, in its settings."""
    for number, point in enumerate(points):
        if _get(point, "type") != "split_abn":
            continue
        source, told = _get(point, "point_id"), _settings(point).get("shares")
        values, at = [_get(b, "share") for b in branches if _get(b, "source") == source], f"{place}.branches"
        if all(value is None for value in values):
            if told is None:
                continue
            at = f"{place}.points.{number}.settings.shares"
            values = list(told.values()) if isinstance(told, Mapping) else [told]
        if not all(isinstance(value, (int, float)) and value >= 0 for value in values):
            mend = "give every branch a share of 0 to 100, or none"
            yield Fault(at, f"split {source!r}: a branch has no share", mend)
        elif round(abs(fsum(values) - 100), 6) > 0.1:  # three thirds of 33.3 are 99.9, which is not outside
            yield Fault(at, f"split {source!r}: shares add up to {sum(values):g}", "make them 100")


def _cycle_faults(branches: list[Any], types: Mapping[Any, Any], place: str) -> Iterator[Fault]:
    """A way round on which nobody ever waits would send without end."""
    before: dict[Any, list[Any]] = defaultdict(list)
    for branch in branches:
        source, target = _get(branch, "source"), _get(branch, "target")
        if source in types and target in types and not {types[source], types[target]} & set(WAIT_TYPES):
            before[target].append(source)
    while True:
        try:
            TopologicalSorter(before).prepare()
            return
        except CycleError as error:
            loop = error.args[1]
            told = " → ".join(map(str, loop))
            yield Fault(f"{place}.branches", f"a cycle without a wait: {told}", "put a delay into it")
            for point in loop:  # the next is one that has no point of it
                before.pop(point, None)


def _oddities(journey: Journey) -> Iterator[Fault]:
    for number, version in enumerate(journey.versions):
        place = f"versions.{number}"
        entries = [point.point_id for point in version.points if point.is_entry]
        if version.points and not entries and journey.origin == "designed":
            yield Fault(place, "no entry point", "add an entry_audience, entry_trigger or entry_api")
            continue
        reached, todo = set(entries), list(entries)
        while todo:
            for branch in version.outgoing(todo.pop()):
                if branch.target not in reached:
                    reached.add(branch.target)
                    todo.append(branch.target)
        for point in version.points:
            if entries and point.point_id not in reached:
                yield Fault(place, f"nothing leads to {point.point_id!r}", "connect it or remove it")


def _twice(place: str, keys: Iterable[Any], what: str) -> Iterator[Fault]:
    for key, count in Counter(repr(key) for key in keys).items():
        if count > 1:
            yield Fault(place, f"{what} {key} stands {count} times", "make each one unique")


def _items(data: Any, name: str) -> list[Any]:
    value = _raw(data, name)
    return list(value) if isinstance(value, (list, tuple)) else []


def _get(item: Any, name: str, default: Any = None) -> Any:
    """A hashable field of a mapping or a model; what is malformed is told by the field check."""
    value = _raw(item, name, default)
    return value if isinstance(value, (str, int, float, type(None))) else default


def _settings(point: Any) -> Mapping[str, Any]:
    settings = _raw(point, "settings")
    return settings if isinstance(settings, Mapping) else {}


def _raw(item: Any, name: str, default: Any = None) -> Any:
    return item.get(name, default) if isinstance(item, Mapping) else getattr(item, name, default)


def _is_zone(name: Any) -> bool:
    """Whether both Python and polars, which know different lists, know the zone."""
    import polars as pl  # only where a document is checked: the command line's help starts without it

    try:
        ZoneInfo(name)
        pl.Series([], dtype=pl.Datetime("us", "UTC")).dt.convert_time_zone(name)
    except (KeyError, ValueError, TypeError, OSError, pl.exceptions.PolarsError):
        return False
    return True


def wanted(journey: object) -> Journey:
    """The journey, if it is one.

    Raises
    ------
    TypeError
        When it is something else; the message says how a journey is had.

    Examples
    --------
    >>> wanted("welcome.journey.json")
    Traceback (most recent call last):
    TypeError: a journey is wanted, not a str: Journey.read(path) reads a document, Journey.discover(log) draws one
    """
    if not isinstance(journey, Journey):
        raise TypeError(
            f"a journey is wanted, not a {type(journey).__name__}: Journey.read(path) reads a document, "
            "Journey.discover(log) draws one"
        )
    return journey


def listed(names: Sequence[str]) -> str:
    """Names in a message: so many as are read, and how many more there are."""
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
