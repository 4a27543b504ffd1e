"""The canvas: a version of a journey as one SVG, with its numbers.

Strings in, strings out. Layout, text and numbers are settled here, once; the notebook, the page,
the PNG and the live widget all show this picture. Each card carries ``data-point``, each branch
``data-branch="source|key"``, each number ``data-key`` (such as ``points.welcome.sent``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from journey_nb.journey import CHANNELS, POINT_TYPES, Branch, Journey, Point, Version
from journey_nb.layout import Layout, Route, bends, layout
from journey_nb.metrics.definitions import TABLES
from journey_nb.metrics.small import added
from journey_nb.render.card import SPACE, WIDTH, Card, Note, balance, card, draw, step_notes
from journey_nb.render.heat import heat as heat_map
from journey_nb.render.icons import drawn, icon, shapes
from journey_nb.render.panels import explained, is_branch_word
from journey_nb.render.text import clean, fit, key, squeeze, width, wrap, xml
from journey_nb.style import column, format, palette, word

MARGIN = 32.0
HEADER = 72.0
COVERS = 16.0  # each further line of what the numbers cover
NOTE = 24.0
LEAST_WIDTH = 480.0
LABEL = 11.5  # font size on branches
LABEL_ROOM = 152.0

_CSS = """
.jnb{font-family:%FONT%;font-size:13px}
.jnb text{fill:$text}
.jnb tspan{unicode-bidi:isolate}
.jnb .s{font-size:.01px}
.jnb .g{fill:$ground}
.jnb .c{fill:$surface;stroke:$line}
.jnb .away .c{stroke-dasharray:5 4}
.jnb .h{fill:none;stroke:$line}
.jnb .d{font-size:13px}
.jnb .r{fill:inherit}
.jnb .t{font-weight:600}
.jnb .n{font-weight:600;font-variant-numeric:tabular-nums}
.jnb .m,.jnb .m .n{font-size:11px;fill:$muted}
.jnb .l{fill:$muted;font-size:11px;font-weight:400}
.jnb use{stroke-width:1.67;stroke-linecap:round;stroke-linejoin:round}
.jnb .f-entry{color:$entry;fill:$entry_soft}
.jnb .f-message{color:$message;fill:$message_soft}
.jnb .f-wait{color:$wait;fill:$wait_soft}
.jnb .f-split{color:$split;fill:$split_soft}
.jnb .f-other{color:$other;fill:$other_soft}
.jnb .e{fill:none;stroke:$edge;stroke-width:1.5;marker-end:url(#jnb-tip)}
.jnb .e.none{stroke-dasharray:4 4}
.jnb .p{fill:$surface;stroke:$line}
.jnb .b{font-size:11.5px;text-anchor:middle;fill:$muted}
.jnb .b .n{fill:$text}
.jnb .best .p{stroke:$good;stroke-width:1.5;fill:$good_soft}
.jnb .best{color:$good}
.jnb .note text{font-size:11.5px;font-weight:600}
.jnb .warn{color:$warn;fill:$warn_soft}
.jnb .warn text{fill:$warn}
.jnb .winner{color:$good;fill:$good_soft}
.jnb .winner text{fill:$good}
.jnb .info{color:$other;fill:$other_soft}
.jnb .info text{fill:$other}
.jnb .dim{opacity:.35}
.jnb .pill.dim{opacity:1}
.jnb .pill.dim text,.jnb .pill.dim use{opacity:.4}
.jnb .tint{fill:$accent;fill-opacity:.05}
.jnb .t2{fill-opacity:.1}
.jnb .t3{fill-opacity:.15}
.jnb .t4{fill-opacity:.2}
.jnb .on .c{stroke:$accent;stroke-width:2}
.jnb .e.on{stroke:$accent;stroke-width:3;marker-end:url(#jnb-tip-on)}
.jnb .step rect{fill:$accent}
.jnb .step text{fill:$surface;font-size:12px;font-weight:600;text-anchor:middle}
.jnb .tip{fill:$edge}
.jnb .tip-on{fill:$accent}
.jnb .title{font-size:18px;font-weight:600}
.jnb .sub{fill:$muted;font-size:12px}
""".replace("%FONT%", palette.FONT)

# What elements are where these rules are not understood, by their first class that stands here: LibreOffice matches
# none of those above that are further in than the title, and would fill all shapes with black. Elsewhere the rules win.
_PLAIN = {
    "g": 'fill="$ground"',
    "c": 'fill="$surface" stroke="$line"',
    "p": 'fill="$surface" stroke="$line"',
    "d": 'font-size="11"',
    "r": 'fill="$ground"',
    "h": 'fill="none"',
    "tint": 'fill="none"',
    "tip": 'fill="$edge"',
    "tip-on": 'fill="$accent"',
    "edges": 'fill="none" stroke="$edge" stroke-width="1.5" marker-end="url(#jnb-tip)"',
    "card": 'fill="$text"',
    "pills": 'fill="$text" font-size="11.5" text-anchor="middle"',
    "best": 'color="$good"',
    "step": 'fill="$accent" text-anchor="middle"',
    "warn": 'fill="$warn" color="$warn"',
    "winner": 'fill="$good" color="$good"',
    "info": 'fill="$other" color="$other"',
    **{
        f"f-{name}": f'fill="${name}_soft" color="${name}"'
        for name in ("entry", "message", "wait", "split", "other")
    },
}
_CLASSED = re.compile(r'<\w+ class="([^"]*)"')  # texts of the data have no such tags, being escaped


@dataclass(frozen=True)
class _Pill:
    """What stands on a branch: its label, its count and its share."""

    label: str
    count: str
    share: str
    best: bool = False

    @property
    def size(self) -> tuple[float, float]:
        texts = [(self.label, not self.count), (self.count, True), (self.share, False)]
        wide = [width(text, LABEL, bold) + 6 for text, bold in texts if text]
        return (math.ceil((sum(wide) + 14 + 20 * self.best) / 8) * 8.0, 24.0) if wide else (0.0, 0.0)


@dataclass(frozen=True)
class _Path:
    """A way through the canvas: the steps of each point, and the branches between them."""

    steps: Mapping[str, list[int]]
    branches: frozenset[tuple[str, str]]


def canvas_svg(
    journey: Journey,
    version: Version | int | None = None,
    points: pl.DataFrame | None = None,
    branches: pl.DataFrame | None = None,
    *,
    messages: pl.DataFrame | None = None,
    variants: Mapping[str, str] | None = None,
    path: Sequence[str] | pl.DataFrame | None = None,
    events: pl.DataFrame | None = None,
    heat: str | None = None,
    subtitle: str = "",
    notes: Sequence[str] = (),
    theme: palette.Theme = "auto",
    locale: str = "",
) -> str:
    """Draw a version of a journey.

    Parameters
    ----------
    journey
        What was designed.
    version
        The version to draw, or its number; by default the newest published.
    points, branches
        The tables of those names (METRICS.md 5); without them the bare design is drawn.
    messages
        The table of that name: gives message cards their drop-offs (failed + bounced + skipped).
    variants
        By point id, the verdict of the experiment at a split.
    path
        A way to highlight: point ids in order, or rows of user_path(); all else is dimmed.
    events
        The rows of user_events() of that path: tells on the cards when and what.
    heat
        A measure to tint the cards by, one of :data:`~journey_nb.render.heat.MEASURES`.
    subtitle
        What the numbers cover, such as the period.
    notes
        Sentences below it, such as why a part is missing.
    theme
        ``light``, ``dark``, or ``auto`` to follow the reader's system.

    Examples
    --------
    >>> from journey_nb.journey import Journey
    >>> svg = canvas_svg(Journey.sample("welcome"))
    >>> svg.startswith("<svg") and 'data-point="hello_push"' in svg
    True
    """
    shown = version if isinstance(version, Version) else journey.version(version)
    rows = _rows(points, messages)
    flows = _Flows.of(branches)
    verdicts = variants or {}
    way = _path(path, shown) if path is not None else None
    entrances = _sum(
        (rows[p.point_id] for p in journey.points().values() if p.is_entry and p.point_id in rows), "entered"
    )
    told: dict[str, list[Note]] = {}
    if isinstance(path, pl.DataFrame) and events is not None:
        told = step_notes(path, events, {goal.goal_id: goal.label for goal in journey.goals}, locale)
    tints = heat_map(rows, heat, entrances, locale) if heat else {}
    cards = {
        point.point_id: card(point, rows.get(point.point_id) if points is not None else None,
                             [*told.get(point.point_id, ()), *_notes(point, shown, flows, verdicts, locale)],
                             locale, tints.get(point.point_id))
        for point in shown.points
    }  # fmt: skip
    lit = way.steps if way else {}
    away = [
        card(point, rows.get(point.point_id), told.get(point.point_id, ()), locale)
        for point in _away(
            journey, shown, rows | {step: {"point_id": step} for step in lit if step not in rows}
        )
    ]
    pills = {(b.source, b.key): _pill(b, shown, flows, verdicts, locale) for b in shown.branches}
    placed = layout(
        shown, {name: c.size for name, c in cards.items()}, {name: p.size for name, p in pills.items()}
    )
    picture = _Picture(placed, cards, pills, away, flows, way)
    alt = canvas_alt(journey, shown, points, path=path, locale=locale)
    head = (
        clean(journey.label),
        " · ".join(filter(None, [word("version_n", locale, version=shown.version), clean(subtitle)])),
    )
    return picture.svg(head, [clean(note, 400) for note in notes], alt, theme, locale)


def canvas_alt(
    journey: Journey,
    version: Version | int | None = None,
    points: pl.DataFrame | None = None,
    *,
    path: Sequence[str] | pl.DataFrame | None = None,
    locale: str = "",
) -> str:
    """What the canvas shows, in a few sentences."""
    shown = version if isinstance(version, Version) else journey.version(version)

    def count(number: float) -> str:
        return format.count(number, locale)

    said = [
        word("canvas_alt", locale, title=fit(clean(journey.label), 400, 10), version=shown.version,
             points=count(len(shown.points)), branches=count(len(shown.branches)))
    ]  # fmt: skip
    if points is None:
        said.append(word("canvas_bare", locale))
    else:
        rows = list(_rows(points, None).values())
        entries = {point.point_id for point in shown.points if point.is_entry}
        if entries:
            said.append(
                word(
                    "canvas_entered",
                    locale,
                    count=count(_sum((r for r in rows if r["point_id"] in entries), "entered")),
                )
            )
        said += [
            word(f"canvas_{name}", locale, count=count(total))
            for name in ("waiting", "dropped")
            if (total := _sum(rows, name))
        ]
        busiest = max(
            (r for r in rows if r["point_id"] not in entries),
            key=lambda r: r.get("entered") or 0,
            default=None,
        )
        if busiest and busiest.get("entered"):
            title = fit(clean(busiest.get("title") or busiest["point_id"]), 400, 10)
            said.append(word("canvas_busiest", locale, title=title, count=count(busiest["entered"])))
        if gaps := sum(bool(balance(row)) for row in rows):
            said.append(word("canvas_gaps", locale, count=count(gaps)))
    if path is not None:
        titles = {point.point_id: point.label for point in shown.points}
        steps = [fit(clean(titles.get(step, step)), 200, 10) for step in _steps(path)]
        more = ["…"] if len(steps) > 12 else []
        said.append(word("canvas_path", locale, count=count(len(steps)), path=" → ".join(steps[:12] + more)))
    return " ".join(said)


def meanings(locale: str = "") -> dict[str, str]:
    """What the numbers of the canvas count, and those of the paths beside it, by the two ends of their ``data-key``.

    Examples
    --------
    >>> meanings()["branches.runs"]
    'Runs: Traversals. Each event at its own time; on the cohort clock those of the runs that entered, up to as_of.'
    """
    told = {
        f"{name}.{counted}": f"{column(counted, locale)}: {said}"
        for name in ("points", "branches", "paths")
        for counted in TABLES[name].columns
        if (said := explained(f"{name}.{counted}", locale))
    }
    rates = {
        f"points.{name}_rate": told[f"points.{name}"]
        for name in ("delivered", "opened", "clicked", "interacted")
    }
    return told | rates | {"points.drop_offs": f"{column('drop_offs', locale)}: {word('lost_here', locale)}"}


# -- What the tables say


def _rows(points: pl.DataFrame | None, messages: pl.DataFrame | None) -> dict[str, dict[str, Any]]:
    rows = {} if points is None else {row["point_id"]: row for row in points.iter_rows(named=True)}
    for row in () if messages is None else messages.iter_rows(named=True):
        if row["point_id"] in rows:
            lost = added([row["failed"], row["skipped"], row["bounced"]])
            rows[row["point_id"]] |= {
                "drop_offs": lost if row.get("drop_offs") is None else row["drop_offs"],
                "tried_in_vain": added([row["failed"], row["skipped"]]),  # bounced messages were sent
            }
    return rows


def _sum(rows: Iterable[Mapping[str, Any]], name: str) -> int:
    return added(row.get(name) for row in rows)


@dataclass(frozen=True)
class _Flows:
    """The traversals of each branch, by source and key; key None are those by an unknown branch."""

    rows: Mapping[str, Mapping[str | None, Mapping[str, Any]]]
    most: int = 0

    @classmethod
    def of(cls, branches: pl.DataFrame | None) -> _Flows | None:
        if branches is None:
            return None
        rows: dict[str, dict[str | None, Mapping[str, Any]]] = {}
        for row in branches.iter_rows(named=True):
            rows.setdefault(row["source"], {})[row["branch"]] = row
        return cls(rows, max([1, *branches["runs"].drop_nulls()]))

    def row(self, branch: Branch) -> Mapping[str, Any]:
        return self.rows.get(branch.source, {}).get(branch.key, {})

    def runs(self, branch: Branch) -> int:
        return self.row(branch).get("runs") or 0

    def undrawn(self, point: Point, version: Version) -> tuple[int, int]:
        """Runs that left a point by an unknown branch, and by one that this version does not have."""
        drawn = {branch.key for branch in version.outgoing(point.point_id)}
        left = {
            key: row["runs"] or 0
            for key, row in self.rows.get(point.point_id, {}).items()
            if key not in drawn
        }
        unknown = left.pop(None, 0)
        return unknown, added(left.values())


def _winner(verdict: str) -> str:
    return verdict.removeprefix("winner ").removeprefix("variant:") if verdict.startswith("winner ") else ""


def _notes(
    point: Point,
    version: Version,
    flows: _Flows | None,
    verdicts: Mapping[str, str],
    locale: str,
) -> list[Note]:
    notes = []
    unknown, others = flows.undrawn(point, version) if flows else (0, 0)
    for kind, name, count in (("warn", "by_unknown", unknown), ("info", "by_others", others)):
        if count:
            text = word(name, locale, count=format.count(count, locale, short=True))
            notes.append(Note(kind, text, f"points.{point.point_id}.{name}"))
    if verdict := verdicts.get(point.point_id):
        if winner := _winner(verdict):
            notes.append(Note("winner", word("winner", locale, variant=clean(winner))))
        else:
            known = {
                "no difference yet": "no_difference",
                "too few": "too_few",
                "unequal split": "unequal_split",
                "too early": "too_early",
            }
            notes.append(Note("info", word(known[verdict], locale) if verdict in known else clean(verdict)))
    return notes


def _pill(
    branch: Branch,
    version: Version,
    flows: _Flows | None,
    verdicts: Mapping[str, str],
    locale: str,
) -> _Pill:
    several = len(version.outgoing(branch.source)) > 1
    label = branch_label(branch, version, locale)
    if flows is None:
        return _Pill(fit(label, LABEL_ROOM, LABEL), "", "")
    count = format.count(flows.runs(branch), locale, short=True)
    part = flows.row(branch).get("share")
    share = format.percent(part, locale) if several and part is not None else ""
    winner = _winner(verdicts.get(branch.source, ""))
    best = bool(winner) and branch.key.removeprefix("variant:") == winner
    return _Pill(fit(label, LABEL_ROOM, LABEL), count, share, best)


def branch_label(branch: Branch, version: Version, locale: str = "") -> str:
    """What a branch is called: its label, else its key in words; nothing where it is the only way on.

    Examples
    --------
    >>> from journey_nb.journey import Branch, Version
    >>> version = Version(version=1)
    >>> branch_label(Branch(source="a", target="b", key="variant:A"), version)
    'A'
    """
    if branch.label and not (
        branch.key == branch.target and version.point(branch.target).label == branch.label
    ):
        return clean(branch.label)
    if branch.key in ("default", branch.target):
        return ""
    for start in ("variant:", "segment:"):
        if branch.key.startswith(start):
            return clean(branch.key.removeprefix(start))
    return word(branch.key, locale) if is_branch_word(branch.key) else clean(branch.key)


def _away(journey: Journey, version: Version, rows: Mapping[str, Mapping[str, Any]]) -> list[Point]:
    """Points of other versions that have something to count here."""
    known = journey.points(version.version)
    return [known.get(at) or _unknown(row) for at, row in rows.items() if at not in version]


def _unknown(row: Mapping[str, Any]) -> Point:
    """A point that no version has, as the table knows it."""
    kind, channel = row.get("type"), row.get("channel")
    return Point(
        point_id=row["point_id"],
        type=kind if kind in POINT_TYPES else "activity",
        title=row.get("title") or "",
        channel=channel if channel in CHANNELS else None,
    )


def _steps(path: Sequence[str] | pl.DataFrame) -> list[str]:
    return (
        path["point_id"].cast(pl.String).drop_nulls().to_list()
        if isinstance(path, pl.DataFrame)
        else [str(step) for step in path]
    )


def _path(path: Sequence[str] | pl.DataFrame, version: Version) -> _Path:
    ids = _steps(path)
    taken: list[str | None] = [None] * len(ids)
    if isinstance(path, pl.DataFrame) and "branch" in path.columns:
        taken = path.filter(pl.col("point_id").is_not_null())["branch"].cast(pl.String).to_list()
    steps: dict[str, list[int]] = {}
    for number, point_id in enumerate(ids, 1):
        steps.setdefault(point_id, []).append(number)
    ways = set()
    for here, there, stated in zip(ids, ids[1:], taken, strict=False):
        between = [branch.key for branch in version.outgoing(here) if branch.target == there]
        if between:
            ways.add((here, stated if stated in between else between[0]))
    return _Path(steps, frozenset(ways))


# -- The picture


@dataclass(frozen=True)
class _Picture:
    layout: Layout
    cards: Mapping[str, Card]
    pills: Mapping[tuple[str, str], _Pill]
    away: Sequence[Card]
    flows: _Flows | None
    path: _Path | None

    def svg(
        self, head: tuple[str, str], notes: Sequence[str], alt: str, theme: palette.Theme, locale: str
    ) -> str:
        """The whole picture; ``head`` is its title and what it covers."""
        inner = max(self.layout.width, LEAST_WIDTH - 2 * MARGIN)
        left = MARGIN + (inner - self.layout.width) / 2 - self.layout.x
        total = math.ceil(inner + 2 * MARGIN)
        covers = _lines(head[1], total - 2 * MARGIN)
        below = HEADER + COVERS * (len(covers) - 1)
        header = below + NOTE * len(notes)
        top = header + 24 - self.layout.y
        foot, away = self._away(header + 24 + self.layout.height, inner, locale)
        height = math.ceil(foot + MARGIN)
        empty = (
            ""
            if self.cards
            else f'<text class="sub" x="{MARGIN:g}" y="{header + 24:g}">{xml(word("no_points", locale))}</text>'
        )
        drawn = [*(c for c in self.cards.values()), *self.away]
        used = {icon(c.point) for c in drawn} | {note.kind for c in drawn for note in c.notes}
        used |= {"warn"} if notes else set()
        used |= {"winner"} if any(pill.best for pill in self.pills.values()) else set()
        picture = "".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" class="jnb" role="img" aria-label="{xml(head[0])}" '
                f'width="{total}" height="{height}" viewBox="0 0 {total} {height}">',
                f"<title>{xml(head[0])}</title><desc>{_long(alt)}</desc>",
                f"<style>{_css(theme)}</style><defs>{_TIPS}{shapes(used)}</defs>",
                f'<rect class="g" width="{total}" height="{height}" rx="16"/>',
                self._head(head[0], covers, total),
                *(self._note(text, below + NOTE * place, total) for place, text in enumerate(notes)),
                empty,
                f'<g transform="translate({_short(left)} {_short(top)})">',
                '<g class="edges">',
                *(self._edge(route) for route in self.layout.edges),
                '</g><g class="pills">',
                *(self._label(route) for route in self.layout.edges),
                "</g>",
                *(self._card(self.cards[name], box.x, box.y) for name, box in self.layout.nodes.items()),
                "</g>",
                away,
                "</svg>",
            ]
        )
        return _plain(picture, theme)

    def _head(self, title: str, covers: Sequence[str], total: float) -> str:
        title = fit(title, total - 2 * MARGIN, 18, bold=True)
        return (
            f'<text class="title" x="{MARGIN:g}" y="40"{squeeze(title, 18, bold=True)}>{xml(title)}</text>'
        ) + "".join(
            f'<text class="sub" x="{MARGIN:g}" y="{62 + COVERS * place:g}"{squeeze(line, 12)}>{xml(line)}</text>'
            for place, line in enumerate(covers)
        )

    def _note(self, text: str, top: float, total: float) -> str:
        shown = fit(text, total - 2 * MARGIN - 24, 11.5, bold=True)
        return (
            f'<g class="note warn">{drawn("warn", MARGIN, top, 16)}'
            f'<text x="{MARGIN + 24:g}" y="{top + 12:g}"{squeeze(shown, 11.5, bold=True)}>{xml(shown)}</text></g>'
        )

    def _edge(self, route: Route) -> str:
        branch = route.branch
        name = (branch.source, branch.key)
        classes, style = "e", ""
        if self.path:
            classes += " on" if name in self.path.branches else " dim"
        elif self.flows:
            runs = self.flows.runs(branch)
            classes += "" if runs else " none"
            style = (
                f' style="stroke-width:{_short(1.5 + 3 * math.sqrt(max(runs, 0) / self.flows.most))}"'
                if runs
                else ""
            )
        return f'<path class="{classes}" data-branch="{key("|".join(name))}" d="{path_data(_short_of_card(route), route.sideways)}"{style}/>'

    def _label(self, route: Route) -> str:
        branch, box = route.branch, route.label
        pill = self.pills[branch.source, branch.key]
        if not box.w:
            return ""
        name = "|".join((branch.source, branch.key))
        wide, high = pill.size
        x, y = box.cx - wide / 2, box.y
        dim = " dim" if self.path and (branch.source, branch.key) not in self.path.branches else ""
        strong = "" if pill.count else ' class="n"'
        label = f"<tspan{strong}>{xml(pill.label)}</tspan>" if pill.label else ""
        count = (
            f'<tspan class="n"{_dx(label)} data-key="branches.{key(name)}.runs">{xml(pill.count)}</tspan>'
            if pill.count
            else ""
        )
        share = (
            f'<tspan dx="5" data-key="branches.{key(name)}.share">{xml(pill.share)}</tspan>'
            if pill.share
            else ""
        )
        texts = SPACE.join(text for text in (label, count, share) if text)
        mark = drawn("winner", x + 8, y + 4, 16) if pill.best else ""
        return (
            f'<g class="pill{" best" if pill.best else ""}{dim}">'
            f'<rect class="p" x="{_short(x)}" y="{_short(y)}" width="{wide:g}" height="{high:g}" rx="12"/>{mark}'
            f'<text class="b" x="{_short(box.cx + 9 * pill.best)}" y="{_short(y + 16)}">{texts}</text></g>'
        )

    def _card(self, card: Card, x: float, y: float, classes: str = "") -> str:
        if not self.path:
            return draw(card, x, y, classes)
        steps = self.path.steps.get(card.point.point_id, [])
        numbers = "·".join(map(str, steps[:3])) + ("…" if len(steps) > 3 else "")
        return draw(card, x, y, classes + (" on" if steps else " dim"), numbers)

    def _away(self, top: float, inner: float, locale: str) -> tuple[float, str]:
        """Cards of points that this version does not have, in rows at the foot."""
        if not self.away:
            return top, ""
        columns = max(1, int((inner + 32) // (WIDTH + 32)))
        y = top + 48
        parts = [
            f'<path class="h" d="M{MARGIN:g} {_short(top + 16)}h{_short(inner)}"/>',
            f'<text class="t" x="{MARGIN:g}" y="{_short(y)}">{xml(word("elsewhere", locale))}</text>',
        ]
        y += 16
        for start in range(0, len(self.away), columns):
            row = self.away[start : start + columns]
            parts += [self._card(c, MARGIN + place * (WIDTH + 32), y, " away") for place, c in enumerate(row)]
            y += max(c.size[1] for c in row) + 24
        return y - 24, "".join(parts)


def _lines(covers: str, room: float) -> list[str]:
    """What the numbers cover, to its end, where the period is; broken between what it tells, where that will do."""
    lines: list[str] = []
    for told in covers.split(" · "):
        if lines and width(longer := f"{lines[-1]} · {told}", 12) <= room:
            lines[-1] = longer
        else:
            lines += wrap(told, room, 12, lines=4)
    return lines


_TIPS = "".join(
    f'<marker id="jnb-{name}" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="10" markerHeight="10" '
    f'markerUnits="userSpaceOnUse" orient="auto"><path class="{name}" d="M0 0 8 4 0 8Z"/></marker>'
    for name in ("tip", "tip-on")
)


def path_data(points: Sequence[tuple[float, float]], sideways: bool = False) -> str:
    """A route as the data of an SVG path.

    Examples
    --------
    >>> path_data([(0, 0), (0, 10), (20, 30)])
    'M0 0V10C0 20 20 20 20 30'
    """
    parts = [f"M{_short(points[0][0])} {_short(points[0][1])}"]
    for piece in bends(points, sideways):
        if len(piece) == 2:
            parts.append(f"H{_short(piece[0])}" if sideways else f"V{_short(piece[1])}")
        else:
            parts.append("C" + " ".join(f"{_short(x)} {_short(y)}" for x, y in piece))
    return "".join(parts)


def _short_of_card(route: Route) -> list[tuple[float, float]]:
    """The route without its last stretch, which is the arrow's."""
    along = 0 if route.sideways else 1
    end = route.points[-1][along]
    last = []
    for point in route.points[-2:]:
        moved = end - 9 if point[along] == end else point[along]
        last.append((moved, point[1]) if route.sideways else (point[0], moved))
    return [*route.points[:-2], *last]


def _css(theme: palette.Theme) -> str:
    return palette.resolve(_CSS.replace("\n", ""), theme, root=".jnb")


def _plain(svg: str, theme: palette.Theme) -> str:
    """The picture whose elements say what they are without its rules, too."""
    told = {
        name: palette.resolve(said, "dark" if theme == "dark" else "light") for name, said in _PLAIN.items()
    }

    def tell(tag: re.Match[str]) -> str:
        said = next((told[name] for name in tag[1].split() if name in told), "")
        return f"{tag[0]} {said}" if said else tag[0]

    return _CLASSED.sub(tell, svg)


def _dx(before: str) -> str:
    return ' dx="5"' if before else ""


def _short(value: float) -> str:
    return f"{round(value, 1):g}" if abs(value) < 100_000 else f"{value:.0f}"


def _long(text: str) -> str:
    """The alt text whole: its parts have been cut already."""
    from html import escape

    return escape(text, quote=True)
