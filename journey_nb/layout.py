"""Where points stand on the canvas: a layered layout, from the top down.

The classic four steps (Sugiyama): turn loops round, put points into layers, order each layer so
that few branches cross, and give every point its place. Between two layers of cards lies a row
for the branches' labels; a branch that spans several layers gets a free lane in each, so no
branch runs through a card and no label covers one. Loops leave their point at the bottom, climb in a
lane of their own and come in from the top, so that time always flows downwards.

Everything is decided by the document's own order: the same version always looks the same.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from journey_nb.journey import Branch, Point, Version

XY = tuple[float, float]
Size = tuple[float, float]

CARD: Size = (240.0, 96.0)
GAP = 32.0  # between two cards side by side
LANE = 16.0  # between anything else side by side
BAND = 24.0  # the least height in which branches change lanes
TURN = 12.0  # half the width of a loop's turn
STUB = 12.0  # what a route has upright at a card, when it turns there
SWEEPS = 12


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its top left corner."""

    x: float
    y: float
    w: float
    h: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.w

    @property
    def bottom(self) -> float:
        """The bottom edge."""
        return self.y + self.h

    @property
    def cx(self) -> float:
        """The middle, across."""
        return self.x + self.w / 2

    def meets(self, other: Box, margin: float = 0.0) -> bool:
        """Whether two rectangles overlap, or come nearer than the margin."""
        return (
            self.x < other.right + margin
            and other.x < self.right + margin
            and self.y < other.bottom + margin
            and other.y < self.bottom + margin
        )


@dataclass(frozen=True, slots=True)
class Route:
    """How a branch runs: its corner points from card to card, and the place of its label.

    Between two points one above the other it runs straight; between others it swings from one
    upright to the next, and at equal heights it turns round.
    """

    branch: Branch
    points: tuple[XY, ...]
    label: Box
    loop: bool = False
    sideways: bool = False
    """Drawn from left to right: its straight pieces are level and its turns stand on end."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of a version's points and branches, in pixels; ``x``, ``y`` is the top left corner."""

    nodes: Mapping[str, Box]
    edges: tuple[Route, ...]
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0


def layout(
    version: Version,
    sizes: Mapping[str, Size] | None = None,
    labels: Mapping[tuple[str, str], Size] | None = None,
) -> Layout:
    """Place the points and branches of a version.

    Parameters
    ----------
    version
        What to place. Points with a position stay exactly there; the others find room around them.
    sizes
        Width and height of each card, by point id.
    labels
        Width and height of each branch's label, by (source, key).

    Examples
    --------
    >>> from journey_nb.journey import Version
    >>> version = Version.model_validate({"version": 1,
    ...     "points": [{"point_id": "in", "type": "entry_api"}, {"point_id": "out", "type": "exit"}],
    ...     "branches": [{"source": "in", "target": "out"}]})
    >>> placed = layout(version)
    >>> placed.nodes["in"].bottom < placed.nodes["out"].y
    True
    """
    sizes, labels = sizes or {}, labels or {}
    grid = _Grid(version, sizes, labels)
    grid.order_rows()
    grid.place_across()
    free = grid.result()
    if any(point.position for point in version.points):
        return _around_pins(version, free, labels)
    return free


# -- Layers


def _layers(n: int, edges: Sequence[tuple[int, int]], roots: Iterable[int]) -> tuple[list[int], set[int]]:
    """The layer of each point, and which edges run backwards (each on a loop)."""
    out: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for number, (source, target) in enumerate(edges):
        out[source].append((number, target))
    back: set[int] = set()
    state = [0] * n  # 0 not seen, 1 on the way, 2 done
    finished: list[int] = []
    for root in roots:
        if state[root]:
            continue
        state[root] = 1
        stack = [(root, iter(out[root]))]
        while stack:
            node, ways = stack[-1]
            for number, target in ways:
                if state[target] == 1:
                    back.add(number)
                elif state[target] == 0:
                    state[target] = 1
                    stack.append((target, iter(out[target])))
                    break
            else:
                state[node] = 2
                finished.append(stack.pop()[0])
    layer = [0] * n
    ahead: list[list[int]] = [[target for number, target in ways if number not in back] for ways in out]
    degree_in = [0] * n
    for node in reversed(finished):
        for target in ahead[node]:
            layer[target] = max(layer[target], layer[node] + 1)
            degree_in[target] += 1
    for node in finished:  # a point with more ways out than in moves down to what follows it
        if len(ahead[node]) > degree_in[node]:
            layer[node] = min(layer[target] for target in ahead[node]) - 1
    return layer, back


# -- The grid: cards, labels and lanes in rows


class _Grid:
    """Rows of items: cards in odd rows, labels in even ones, lanes in both.

    An item is a number; its links lead to items of the rows just above and below only.
    """

    def __init__(
        self, version: Version, sizes: Mapping[str, Size], labels: Mapping[tuple[str, str], Size]
    ) -> None:
        points = version.points
        self.version = version
        self.index = {point.point_id: number for number, point in enumerate(points)}
        self.size: list[Size] = [sizes.get(point.point_id, CARD) for point in points]
        self.cards = len(points)
        ends = [(self.index[branch.source], self.index[branch.target]) for branch in version.branches]
        layer, self.back = _layers(self.cards, ends, _roots(points, ends))
        self.row = [2 * depth + 1 for depth in layer]
        self.up: list[list[int]] = [[] for _ in points]
        self.down: list[list[int]] = [[] for _ in points]
        self.chains: list[list[int]] = []  # per branch: label first, then lanes as the branch passes them
        for number, branch in enumerate(version.branches):
            label = labels.get((branch.source, branch.key), (0.0, 0.0))
            self.chains.append(self._chain(*ends[number], label, number in self.back))
        self.x = [0.0] * len(self.row)
        self.rows: list[list[int]] = [[] for _ in range(max(self.row, default=0) + 2)]

    def _item(self, row: int, size: Size = (0.0, 0.0)) -> int:
        self.row.append(row)
        self.size.append(size)
        self.up.append([])
        self.down.append([])
        return len(self.row) - 1

    def _link(self, above: int, below: int) -> None:
        self.down[above].append(below)
        self.up[below].append(above)

    def _chain(self, source: int, target: int, label: Size, back: bool) -> list[int]:
        start, end = self.row[source], self.row[target]
        if not back:
            chain = [self._item(start + 1, label), *(self._item(row) for row in range(start + 2, end))]
            for above, below in zip([source, *chain], [*chain, target], strict=True):
                self._link(above, below)
            return chain
        turn = self._item(start + 1, (max(label[0], 4 * TURN), label[1]))
        chain = [turn, *(self._item(row) for row in range(start, end - 2, -1))]
        self._link(source, turn)
        for below, above in pairwise(chain):
            self._link(above, below)
        self._link(chain[-1], target)
        return chain

    # Order within rows

    def order_rows(self) -> None:
        """Order each row so that few links cross: medians of neighbours, then swaps of neighbours."""
        self._first_order()
        best, least, idle = [list(row) for row in self.rows], self._crossings(), 0
        for sweep in range(2 * SWEEPS):
            self._sweep(downwards=sweep % 2 == 0)
            crossings = self._crossings()
            idle = 0 if crossings < least else idle + 1
            if crossings < least:
                best, least = [list(row) for row in self.rows], crossings
            if not least or idle > 5:
                break
        self.rows = best
        if least and len(self.row) <= 2_000:
            self._swap()

    def _first_order(self) -> None:
        """As a depth-first walk meets the items: the document's first branch stands leftmost."""
        seen = [False] * len(self.row)
        starts = _roots(self.version.points, [(s, t) for s, ts in enumerate(self.down) for t in ts])
        for start in starts:
            todo = [start]
            while todo:
                item = todo.pop()
                if not seen[item]:
                    seen[item] = True
                    self.rows[self.row[item]].append(item)
                    todo.extend(reversed([*self.down[item], *self.up[item]]))

    def _places(self) -> list[int]:
        places = [0] * len(self.row)
        for row in self.rows:
            for place, item in enumerate(row):
                places[item] = place
        return places

    def _sweep(self, downwards: bool) -> None:
        places = self._places()
        links = self.up if downwards else self.down
        for row in self.rows if downwards else reversed(self.rows):
            keys = {item: _median([places[other] for other in links[item]]) for item in row if links[item]}
            moving = iter(sorted(keys, key=keys.__getitem__))
            row[:] = [next(moving) if item in keys else item for item in row]
            for place, item in enumerate(row):
                places[item] = place

    def _crossings(self) -> int:
        places, count = self._places(), 0
        for row in self.rows:
            seen: list[int] = []
            for item in row:
                ends = sorted(places[other] for other in self.down[item])
                count += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
        return count

    def _swap(self) -> None:
        places = self._places()

        def crossed(left: int, right: int) -> int:
            return sum(
                places[a] > places[b]
                for links in (self.up, self.down)
                for a in links[left]
                for b in links[right]
            )

        for _ in range(8):
            better = False
            for row in self.rows:
                for at in range(len(row) - 1):
                    left, right = row[at], row[at + 1]
                    if crossed(left, right) > crossed(right, left):
                        row[at], row[at + 1] = right, left
                        places[left], places[right] = places[right], places[left]
                        better = True
            if not better:
                return

    # Places across

    def place_across(self) -> None:
        """Draw items towards their neighbours, each row as near to its wishes as its order allows."""
        for row in self.rows:
            at = 0.0
            for left, item in zip([-1, *row], row, strict=False):
                at += self._apart(left, item) if left >= 0 else 0.0
                self.x[item] = at
        for sweep in range(2 * SWEEPS):
            downwards = sweep % 2 == 0
            both = sweep >= 2 * SWEEPS - 6
            for row in self.rows if downwards else reversed(self.rows):
                self._settle(
                    row, self.up if downwards or both else None, self.down if not downwards or both else None
                )
        runs = self._runs()
        for again in range(6):  # a run that moves makes room for its neighbours, hence twice and more
            self._straighten(runs)
            if again in (1, 2):
                for row in self.rows:
                    self._settle(row, self.up, self.down)

    def _apart(self, left: int, right: int) -> float:
        gap = GAP if left < self.cards and right < self.cards else LANE
        return (self.size[left][0] + self.size[right][0]) / 2 + gap

    def _settle(self, row: list[int], up: list[list[int]] | None, down: list[list[int]] | None) -> None:
        wishes, weights, apart = [], [], []
        for place, item in enumerate(row):
            total = weight = 0.0
            for links in (up, down):
                for other in links[item] if links else ():
                    pull = 8.0 if item >= self.cards and other >= self.cards else 2.0
                    total += pull * self.x[other]
                    weight += pull
            wishes.append(total / weight if weight else self.x[item])
            weights.append(weight or 0.01)
            apart.append(self._apart(row[place - 1], item) if place else 0.0)
        for item, x in zip(row, nearest_in_order(wishes, weights, apart), strict=True):
            self.x[item] = x

    def _runs(self) -> list[list[int]]:
        """What should stand on one upright: items that follow each other and nothing else."""
        follows = {
            item: below[0]
            for item, below in enumerate(self.down)
            if len(below) == 1 and len(self.up[below[0]]) == 1
        }
        heads = follows.keys() - set(follows.values())
        runs = []
        for item in sorted(heads):
            run = [item]
            while run[-1] in follows:
                run.append(follows[run[-1]])
            runs.append(run)
        return sorted(runs, key=len, reverse=True)

    def _straighten(self, runs: list[list[int]]) -> None:
        """Put each run on one upright, or on as few as its neighbours leave room for."""
        places = self._places()
        for run in runs:
            part: list[int] = []
            low, high = float("-inf"), float("inf")
            for item in [*run, -1]:
                left, right = self._room(item, places) if item >= 0 else (float("inf"), float("-inf"))
                if part and max(low, left) > min(high, right) + 1e-6:
                    wish = _median([self.x[member] for member in part])
                    for member in part:
                        self.x[member] = min(max(wish, low), high)
                    part, low, high = [], float("-inf"), float("inf")
                part.append(item)
                low, high = max(low, left), min(high, right)

    def _room(self, item: int, places: list[int]) -> tuple[float, float]:
        row, place = self.rows[self.row[item]], places[item]
        low = self.x[row[place - 1]] + self._apart(row[place - 1], item) if place else float("-inf")
        high = (
            self.x[row[place + 1]] - self._apart(item, row[place + 1])
            if place + 1 < len(row)
            else float("inf")
        )
        return low, high

    # The result

    def result(self) -> Layout:
        """Boxes and routes, the top left corner at 0, 0."""
        left = min((self.x[item] - size[0] / 2 for item, size in enumerate(self.size)), default=0.0)
        self.x = [round(x - left, 1) for x in self.x]
        right = max((self.x[item] + size[0] / 2 for item, size in enumerate(self.size)), default=0.0)
        tops, bottoms = self._heights()
        nodes = {
            point.point_id: Box(self.x[item] - self.size[item][0] / 2, tops[self.row[item]], *self.size[item])
            for item, point in enumerate(self.version.points)
        }
        leaves, arrives = self._ports()
        edges = []
        for number, branch in enumerate(self.version.branches):
            chain, back = self.chains[number], number in self.back
            start = (leaves[number], nodes[branch.source].bottom)
            end = (arrives[number], nodes[branch.target].y)
            points = [start, (start[0], bottoms[self.row[self.index[branch.source]]])]
            if back:
                points += self._loop(chain, start[0], tops, bottoms)
            else:
                points += [
                    (self.x[item], y)
                    for item in chain
                    for y in (tops[self.row[item]], bottoms[self.row[item]])
                ]
            points += [(end[0], tops[self.row[self.index[branch.target]]]), end]
            label, row = self.size[chain[0]], self.row[chain[0]]
            height = label[1]
            box = Box(
                self.x[chain[0]] - label[0] / 2, (tops[row] + bottoms[row] - height) / 2, label[0], height
            )
            edges.append(Route(branch, _tidy(points), box, back))
        return Layout(nodes, tuple(edges), right, bottoms[-1] if nodes else 0.0)

    def _loop(self, chain: list[int], start: float, tops: list[float], bottoms: list[float]) -> list[XY]:
        turn, lanes = chain[0], chain[1:-1]
        top = tops[self.row[turn]]  # the turn itself hides behind the label
        side = TURN if self.x[lanes[0]] >= start else -TURN
        points = [(self.x[turn] - side, top), (self.x[turn] + side, top)]
        return points + [
            (self.x[item], y) for item in lanes for y in (bottoms[self.row[item]], tops[self.row[item]])
        ]

    def _heights(self) -> tuple[list[float], list[float]]:
        """The top and bottom of each row; the wider the swings between two rows, the further apart."""
        used = [False] * len(self.rows)
        heights = [0.0] * len(self.rows)
        for item, (_, height) in enumerate(self.size):
            heights[self.row[item]] = max(heights[self.row[item]], height)
            used[self.row[item]] = True
        tops, bottoms, y = [], [], 0.0
        for number, row in enumerate(self.rows):
            if number and used[number] and used[number - 1]:
                swing = max(
                    (abs(self.x[item] - self.x[other]) for item in row for other in self.up[item]),
                    default=0.0,
                )
                y += min(8 * round((BAND + swing / 12) / 8), 4 * BAND)
            tops.append(y)
            y += heights[number]
            bottoms.append(y)
        return tops, bottoms

    def _ports(self) -> tuple[list[float], list[float]]:
        """Where each branch leaves and reaches its cards: side by side, as their lanes stand."""
        leaves, arrives = [0.0] * len(self.chains), [0.0] * len(self.chains)
        groups: dict[tuple[int, bool], list[tuple[float, int]]] = {}
        for number, branch in enumerate(self.version.branches):
            chain = self.chains[number]
            groups.setdefault((self.index[branch.source], True), []).append((self.x[chain[0]], number))
            before = chain[-2] if number in self.back else chain[-1]
            groups.setdefault((self.index[branch.target], False), []).append((self.x[before], number))
        for (card, leaving), members in groups.items():
            step = min(24.0, (self.size[card][0] - 48) / max(len(members) - 1, 1))
            for place, (_, number) in enumerate(sorted(members)):
                port = self.x[card] + (place - (len(members) - 1) / 2) * step
                (leaves if leaving else arrives)[number] = round(port, 1)
        return leaves, arrives


def nearest_in_order(
    wishes: Sequence[float], weights: Sequence[float], apart: Sequence[float]
) -> list[float]:
    """The places nearest to the wishes (least squares) that keep the order and the distances.

    ``apart[i]`` is the least distance of place i from place i - 1. This is an isotonic regression:
    neighbours that want to pass each other are pooled at their common mean.

    Examples
    --------
    >>> nearest_in_order([5, 5, 100], [1, 1, 1], [0, 10, 10])
    [0.0, 10.0, 100.0]
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    offset, offsets = 0.0, []
    for wish, weight, distance in zip(wishes, weights, apart, strict=True):
        offset += distance
        offsets.append(offset)
        mean, total, members = wish - offset, weight, 1
        while pools and pools[-1][0] > mean:
            before, heavy, count = pools.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, members = heavy + total, members + count
        pools.append((mean, total, members))
    means = [mean for mean, _, members in pools for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _roots(points: Sequence[Point], ends: Iterable[tuple[int, int]]) -> list[int]:
    """Where to begin: entries, then points nothing leads to, then all others."""
    led_to = {target for source, target in ends if source != target}
    rank: Callable[[int], int] = lambda at: 0 if points[at].is_entry else 1 if at not in led_to else 2  # noqa: E731
    return sorted(range(len(points)), key=rank)


def _median(values: list[float] | list[int]) -> float:
    ordered, middle = sorted(values), len(values) // 2
    return float(ordered[middle]) if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _tidy(points: Iterable[XY]) -> tuple[XY, ...]:
    """Without doubled points and without stops on one upright."""
    kept: list[XY] = []
    for point in points:
        point = (round(point[0], 1), round(point[1], 1))
        if kept and kept[-1] == point:
            continue
        if (
            len(kept) > 1
            and kept[-2][0] == kept[-1][0] == point[0]
            and (kept[-1][1] > kept[-2][1]) == (point[1] > kept[-1][1])
        ):
            kept.pop()
        kept.append(point)
    return tuple(kept)


# -- Curves


def bends(points: Sequence[XY], sideways: bool = False) -> list[tuple[XY, XY, XY] | XY]:
    """A route as pieces: where a straight piece ends, or the two handles and the end of a curve.

    Examples
    --------
    >>> bends([(0, 0), (0, 10), (20, 30)])
    [(0, 10), ((0, 20.0), (20, 20.0), (20, 30))]
    """
    if sideways:
        turned = bends([_turned(point) for point in points])
        return [_turned(p) if len(p) == 2 else (_turned(p[0]), _turned(p[1]), _turned(p[2])) for p in turned]
    pieces: list[tuple[XY, XY, XY] | XY] = []
    falling = True
    for (x, y), (to_x, to_y) in pairwise(points):
        if x == to_x:
            pieces.append((to_x, to_y))
        else:
            # At equal heights a turn: as deep as the band allows, so it stays clear of the next row.
            middle = (y + to_y) / 2 if y != to_y else y + (BAND if falling else -BAND)
            pieces.append(((x, middle), (to_x, middle), (to_x, to_y)))
        falling = to_y > y if y != to_y else not falling
    return pieces


def trace(points: Sequence[XY], sideways: bool = False) -> list[XY]:
    """The corner points of a route with its curves cut into short straight pieces."""
    traced = list(points[:1])
    for piece in bends(points, sideways):
        traced += _cut(traced[-1], piece)
    return traced


_STEPS = 12  # straight pieces that read as a curve


def _cut(start: XY, piece: tuple[XY, XY, XY] | XY) -> list[XY]:
    """The ends of the straight pieces that a piece of a route is cut into."""
    if len(piece) == 2:
        return [piece]
    (x, y), (x1, y1), (x2, y2), (x3, y3) = start, *piece
    ends = []
    for step in range(1, _STEPS + 1):
        t = step / _STEPS
        a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
        ends.append((a * x + b * x1 + c * x2 + d * x3, a * y + b * y1 + c * y2 + d * y3))
    return ends


def _turned(point: XY) -> XY:
    return point[1], point[0]


def _turned_box(box: Box) -> Box:
    return Box(box.y, box.x, box.h, box.w)


# -- Pinned points


def _around_pins(version: Version, free: Layout, labels: Mapping[tuple[str, str], Size]) -> Layout:
    """Pinned points exactly where they are, the others in the nearest room, branches around all of them.

    Where the pins run from left to right, all is done with the two directions exchanged.
    """
    pins = {
        p.point_id: Box(p.position.x, p.position.y, free.nodes[p.point_id].w, free.nodes[p.point_id].h)
        for p in version.points
        if p.position
    }
    leaps = [
        (pins[b.source], pins[b.target]) for b in version.branches if b.source in pins and b.target in pins
    ]
    sideways = sum(to.x - box.x for box, to in leaps) > sum(to.y - box.y for box, to in leaps)
    turn: Callable[[Box], Box] = _turned_box if sideways else lambda box: box
    nodes = {point_id: turn(box) for point_id, box in pins.items()}
    taken = _Field(nodes.values())
    for point_id, box in sorted(free.nodes.items(), key=lambda item: (item[1].y, item[1].x)):
        if point_id not in nodes:
            box = turn(box)
            before = [
                nodes[b.source]
                for b in version.incoming(point_id)
                if b.source in nodes and b.source != point_id
            ]
            if before:
                across = sum(other.cx for other in before) / len(before) - box.w / 2
                box = Box(round(across), max(other.bottom for other in before) + 3 * BAND, box.w, box.h)
            nodes[point_id] = _nearest_room(box, taken)
            taken.add(nodes[point_id])
    sizes = {name: size[::-1] if sideways else size for name, size in labels.items()}
    edges = _routes(version, {point.point_id: nodes[point.point_id] for point in version.points}, sizes)
    if sideways:
        edges = [
            Route(e.branch, tuple(map(_turned, e.points)), _turned_box(e.label), e.loop, sideways)
            for e in edges
        ]
    placed = {point.point_id: turn(nodes[point.point_id]) for point in version.points}
    boxes = [*placed.values(), *(edge.label for edge in edges)]
    corners = [point for edge in edges for point in trace(edge.points, sideways)]
    left = min([box.x for box in boxes] + [x for x, _ in corners])
    top = min([box.y for box in boxes] + [y for _, y in corners])
    right = max([box.right for box in boxes] + [x for x, _ in corners])
    bottom = max([box.bottom for box in boxes] + [y for _, y in corners])
    return Layout(placed, tuple(edges), right - left, bottom - top, left, top)


class _Field:
    """Boxes by the squares of a coarse grid they lie in, so that only what is near is looked at."""

    SQUARE = 256.0

    def __init__(self, boxes: Iterable[Box] = ()) -> None:
        # Boxes that lie on one another are kept once: a pile of pins is met as one card.
        self.squares: dict[tuple[int, int], dict[Box, None]] = {}
        for box in boxes:
            self.add(box)

    def add(self, box: Box) -> None:
        left, right, top, bottom = self._span(box, 0.0)
        for square in ((x, y) for x in range(left, right + 1) for y in range(top, bottom + 1)):
            self.squares.setdefault(square, {})[box] = None

    def met(self, box: Box, margin: float = 0.0) -> Box | None:
        """A box that this one overlaps or comes too near to, if there is one."""
        for square in self._near(*self._span(box, margin)):
            for other in self.squares.get(square, ()):
                if box.meets(other, margin):
                    return other
        return None

    def _near(self, left: int, right: int, top: int, bottom: int) -> Iterable[tuple[int, int]]:
        """The squares of a span, or where they are fewer (it may be a long branch's) those in use there."""
        if (right - left + 1) * (bottom - top + 1) > len(self.squares):
            return [(x, y) for x, y in self.squares if left <= x <= right and top <= y <= bottom]
        return ((x, y) for x in range(left, right + 1) for y in range(top, bottom + 1))

    def _span(self, box: Box, margin: float) -> tuple[int, int, int, int]:
        return (
            int((box.x - margin) // self.SQUARE), int((box.right + margin) // self.SQUARE),
            int((box.y - margin) // self.SQUARE), int((box.bottom + margin) // self.SQUARE),
        )  # fmt: skip


def _nearest_room(box: Box, taken: _Field, step: float = GAP) -> Box:
    """The box itself, or moved the least number of steps aside or down until nothing is in its way."""
    found, least, down = box, math.inf, 0
    while down < least:
        row = Box(box.x, box.y + down * step, box.w, box.h)
        clear = math.inf  # above this the next rows are as full as this one
        for way in (-1, 1):
            aside, bottom = _steps_aside(row, taken, step, way, least - down)
            clear = min(clear, bottom)
            if aside is not None:
                found, least = Box(row.x + way * aside * step, row.y, box.w, box.h), down + aside
        down = max(down + 1, _steps_past(clear - box.y, step)) if clear < math.inf else down + 1
    return found


def _steps_aside(
    box: Box, taken: _Field, step: float, way: int, fewer_than: float
) -> tuple[int | None, float]:
    """How many steps to the left (-1) or right (1) a box has room, and the highest bottom of what it is moved past."""
    steps, bottom = 0, math.inf
    while steps < fewer_than:
        other = taken.met(Box(box.x + way * steps * step, box.y, box.w, box.h), step)
        if other is None:
            return steps, bottom
        bottom = min(bottom, other.bottom)
        steps = max(steps + 1, _steps_past(other.right - box.x if way > 0 else box.right - other.x, step))
    return None, bottom


def _steps_past(distance: float, step: float) -> int:
    """Steps over a distance and the margin of one step; rather one too few, for what is met is asked again."""
    return math.ceil(distance / step + 1 - 1e-6)


def _routes(
    version: Version, nodes: Mapping[str, Box], labels: Mapping[tuple[str, str], Size]
) -> list[Route]:
    cards, taken = _Field(nodes.values()), _Field(nodes.values())
    sides = sorted({x for box in nodes.values() for side in (box.x - BAND, box.right + BAND)
                    for x in (side - LANE, side, side + LANE)})  # fmt: skip
    leaves = _fan(version.branches, nodes, leaving=True)
    arrives = _fan(version.branches, nodes, leaving=False)
    lanes: dict[int, list[tuple[float, float]]] = {}
    routes = []
    for number, branch in enumerate(version.branches):
        start = (leaves[number], nodes[branch.source].bottom)
        end = (arrives[number], nodes[branch.target].y)
        points = _way(start, end, cards, lanes, sides)
        for x, low, high in _uprights(points):
            lanes.setdefault(int(x // LANE), []).append((low, high))
        size = labels.get((branch.source, branch.key), (0.0, 0.0))
        label = _label(points, size, taken)
        if size[0]:
            taken.add(label)
        routes.append(Route(branch, points, label, loop=end[1] < start[1]))
    return routes


def _fan(branches: Sequence[Branch], nodes: Mapping[str, Box], leaving: bool) -> list[float]:
    """Where branches leave (or reach) their cards: side by side, in the order of their other ends."""
    ports = [0.0] * len(branches)
    groups: dict[str, list[tuple[float, int]]] = {}
    for number, branch in enumerate(branches):
        here, there = (branch.source, branch.target) if leaving else (branch.target, branch.source)
        groups.setdefault(here, []).append((nodes[there].cx, number))
    for here, members in groups.items():
        step = min(24.0, (nodes[here].w - 48) / max(len(members) - 1, 1))
        for place, (_, number) in enumerate(sorted(members)):
            ports[number] = nodes[here].cx + (place - (len(members) - 1) / 2) * step
    return ports


def _way(
    start: XY, end: XY, cards: _Field, lanes: Mapping[int, list[tuple[float, float]]], sides: Sequence[float]
) -> tuple[XY, ...]:
    """The plainest route that runs through no card and in no other route's lane; else the least bad."""
    best: tuple[XY, ...] = ()
    least = float("inf")
    for way in _ways(start, end, sides):
        faults = (
            sum(
                low < other_high and other_low < high
                for x, low, high in _uprights(way)
                for other_low, other_high in lanes.get(int(x // LANE), ())
            )
            / 8
        )
        if faults < least:  # cards are asked last, and no longer than this may be the best: they cost most
            faults += _hits(way, cards, least - faults)
        if faults < least:
            best, least = way, faults
        if not faults:
            break
    return best


def _ways(start: XY, end: XY, sides: Sequence[float]) -> Iterator[tuple[XY, ...]]:
    """Routes to try: straight on, then round by lanes beside cards, the nearest first."""
    falling = end[1] - start[1] >= 2 * BAND
    if falling:
        yield start, end
    near = {x for at in (start[0], end[0]) for x in sides[max(bisect_right(sides, at) - 32, 0) :][:64]}
    for x in sorted(near, key=lambda x: (abs(x - start[0]) + abs(x - end[0]), x)):
        if falling:
            yield _tidy([start, (x, start[1] + BAND), (x, end[1] - BAND), end])
        else:
            low, high = start[1] + STUB, end[1] - STUB
            yield _tidy([start, (start[0], low), (x, low), (x, high), (end[0], high), end])


def _uprights(points: Sequence[XY]) -> list[tuple[float, float, float]]:
    return [(x, min(y, to_y), max(y, to_y)) for (x, y), (to_x, to_y) in pairwise(points) if x == to_x]


def _hits(way: Sequence[XY], cards: _Field, most: float) -> int:
    """How many short pieces of a route run through a card, counted up to a number that is too many."""
    hits, start = 0, way[0]
    for piece in bends(way):
        corners = [start, piece] if len(piece) == 2 else [start, *piece]
        if cards.met(_around(corners)):  # no curve leaves the box around its handles
            for ends in pairwise([start, *_cut(start, piece)]):
                hits += cards.met(_around(ends)) is not None
                if hits >= most:
                    return hits
        start = corners[-1]
    return hits


def _around(corners: Sequence[XY]) -> Box:
    x, y = min(x for x, _ in corners), min(y for _, y in corners)
    return Box(x, y, max(x for x, _ in corners) - x, max(y for _, y in corners) - y)


def _label(points: Sequence[XY], size: Size, taken: _Field) -> Box:
    """A place on the route, near its start, where the label covers nothing."""
    spots: list[tuple[float, Box]] = []
    gone = 0.0
    for (x, y), (to_x, to_y) in pairwise(trace(points)):
        long = abs(to_x - x) + abs(to_y - y)
        for t in (step / 8 for step in range(1, 9)):
            at = x + (to_x - x) * t - size[0] / 2, y + (to_y - y) * t - size[1] / 2
            spots.append((gone + long * t, Box(*at, *size)))
        gone += long
    wish = min(gone / 2, 2 * BAND + size[1] / 2)
    spots.sort(key=lambda spot: abs(spot[0] - wish))
    found = next((box for _, box in spots if not taken.met(box, 4.0)), None)
    return found or _nearest_room(spots[0][1], taken, step=8.0)
