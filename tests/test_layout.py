"""The layered layout: nothing overlaps, nothing is crossed, always the same, quick."""

from __future__ import annotations

import time
from itertools import combinations, count, pairwise
from typing import Any

import pytest
from fabricate import chain, journey, tangle, welcome
from hypothesis import given, settings
from hypothesis import strategies as st

from journey_nb.journey import Journey, Version
from journey_nb.layout import Box, Layout, _Field, _nearest_room, layout, nearest_in_order, trace

LABEL = (80.0, 24.0)


def labels(version: Version) -> dict[tuple[str, str], tuple[float, float]]:
    return {(branch.source, branch.key): LABEL for branch in version.branches}


def crossed(placed: Layout) -> list[tuple[str, str]]:
    """Branches that run through a card, with the card."""
    found = []
    for edge in placed.edges:
        line = trace(edge.points, edge.sideways)
        for (x, y), (to_x, to_y) in pairwise(line):
            piece = Box(min(x, to_x), min(y, to_y), abs(x - to_x), abs(y - to_y))
            found += [(f"{edge.branch.source}|{edge.branch.key}", name) for name, box in placed.nodes.items()
                      if piece.x < box.right and box.x < piece.right + 1e-9 and piece.y < box.bottom and box.y < piece.bottom
                      and not (piece.w == 0 and piece.x in (box.x, box.right))]  # fmt: skip
    return found


def holds(placed: Layout) -> None:
    boxes = list(placed.nodes.items())
    tags = [edge.label for edge in placed.edges if edge.label.w]
    assert not [(a, b) for (a, one), (b, two) in combinations(boxes, 2) if one.meets(two)]
    assert not [name for name, box in boxes for tag in tags if box.meets(tag)]
    assert not [one for one, two in combinations(tags, 2) if one.meets(two)]
    assert not crossed(placed)
    everything = [box for _, box in boxes] + tags
    assert min(box.x for box in everything) >= placed.x - 0.2
    assert max(box.right for box in everything) <= placed.x + placed.width + 0.2
    assert max(box.bottom for box in everything) <= placed.y + placed.height + 0.2


@pytest.mark.parametrize("size", [1, 2, 5, 15, 50])
def test_nothing_overlaps_and_no_branch_runs_through_a_card(size: int) -> None:
    version = tangle(size, loops=0.2).version()
    holds(layout(version, None, labels(version)))


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(1, 16), seed=st.integers(0, 10_000), loops=st.floats(0, 1), extra=st.floats(0, 2),
    heights=st.lists(st.sampled_from([56.0, 104.0, 200.0]), min_size=16, max_size=16),
)  # fmt: skip
def test_any_graph_holds(size: int, seed: int, loops: float, extra: float, heights: list[float]) -> None:
    version = tangle(size, seed, loops, extra).version()
    sizes = {point.point_id: (240.0, height) for point, height in zip(version.points, heights, strict=False)}
    holds(layout(version, sizes, labels(version)))


def test_branches_flow_down_and_loops_come_in_from_the_top() -> None:
    placed = layout(welcome().version())
    for edge in placed.edges:
        source, target = placed.nodes[edge.branch.source], placed.nodes[edge.branch.target]
        assert edge.points[0][1] == source.bottom
        assert edge.points[-1][1] == target.y
        assert edge.loop == (target.y < source.bottom)
    assert [edge.branch.key for edge in placed.edges if edge.loop] == ["no"]


def test_a_loop_onto_itself_is_drawn_around_its_card() -> None:
    looped = journey(
        [{"point_id": "a", "type": "activity"}],
        [{"source": "a", "target": "a", "key": "a"}],
        origin="discovered",
    )
    placed = layout(looped.version(), None, {("a", "a"): LABEL})
    line = trace(placed.edges[0].points)
    assert max(y for _, y in line) > placed.nodes["a"].bottom
    assert min(y for _, y in line) < placed.nodes["a"].y
    assert not crossed(placed)


def test_parallel_branches_stay_apart() -> None:
    placed = layout(chain(["One"]).version(), None, {("m0", "opened"): LABEL, ("m0", "not_opened"): LABEL})
    first, second = (edge for edge in placed.edges if edge.branch.source == "m0")
    assert not first.label.meets(second.label)
    assert first.points[0] != second.points[0]
    assert first.points[-1] != second.points[-1]


def test_a_chain_stands_upright_and_a_split_over_its_middle() -> None:
    placed = layout(welcome().version())
    assert placed.nodes["pause"].cx == placed.nodes["check"].cx
    assert placed.nodes["in"].cx == placed.nodes["hello"].cx
    middle = [placed.nodes[name] for name in ("mail_a", "mail_b", "mail_c")]
    assert middle[0].x < middle[1].x < middle[2].x, "variants stand in the document's order"
    assert middle[0].y == middle[1].y == middle[2].y


def test_the_same_version_always_looks_the_same() -> None:
    version = tangle(60, seed=3, loops=0.2).version()
    again = Journey.from_json(tangle(60, seed=3, loops=0.2).to_json()).version()
    assert layout(version, None, labels(version)) == layout(again, None, labels(again))


def pinned(places: dict[str, tuple[float, float]]) -> Version:
    version = welcome().version().model_dump()
    for point in version["points"]:
        if point["point_id"] in places:
            point["position"] = dict(zip("xy", places[point["point_id"]], strict=True))
    return Version.model_validate(version)


@pytest.mark.parametrize(
    "places",
    [
        {"in": (40.0, 16.0)},
        {"in": (1000.0, 0.0), "hello": (1000.0, 400.0), "out": (-300.0, 2000.0)},
        {"in": (0.0, 0.0), "hello": (400.0, 0.0), "wait": (800.0, 0.0), "split": (1200.0, 160.0)},
    ],
)
def test_pinned_points_stay_where_they_are(places: dict[str, tuple[float, float]]) -> None:
    version = pinned(places)
    placed = layout(version, None, labels(version))
    for name, place in places.items():
        assert (placed.nodes[name].x, placed.nodes[name].y) == place
    boxes = list(placed.nodes.values())
    assert not [one for one, two in combinations(boxes, 2) if one.meets(two)]
    tags = [edge.label for edge in placed.edges]
    assert not [tag for tag in tags for box in boxes if box.meets(tag)]
    assert not [one for one, two in combinations(tags, 2) if one.meets(two)]


def test_pins_from_left_to_right_are_routed_sideways() -> None:
    version = pinned({"in": (0.0, 0.0), "hello": (400.0, 0.0), "wait": (800.0, 0.0)})
    edge = layout(version).edges[0]
    assert edge.sideways
    assert edge.points[0][0] == 240.0
    assert edge.points[-1][0] == 400.0


def nearest_room_ring_by_ring(box: Box, taken: list[Box], step: float) -> Box:
    for ring in count():
        for down in range(ring + 1):
            for side in sorted({ring - down, down - ring}):
                moved = Box(box.x + side * step, box.y + down * step, box.w, box.h)
                if not any(moved.meets(other, step) for other in taken):
                    return moved
    raise AssertionError


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.builds(Box, *2 * [st.floats(-300, 300) | st.integers(-40, 40).map(lambda n: n * 8.0)],
                       *2 * [st.sampled_from([24.0, 60.0, 96.0, 240.5])]), max_size=25),
    st.builds(Box, *2 * [st.floats(-100, 100)], *2 * [st.sampled_from([24.0, 64.0])]),
    st.sampled_from([8.0, 32.0]),
)  # fmt: skip
def test_the_nearest_room_is_the_one_that_every_place_tried_in_turn_gives(
    taken: list[Box], box: Box, step: float
) -> None:
    assert _nearest_room(box, _Field(taken), step) == nearest_room_ring_by_ring(box, taken, step)


def test_room_beside_much_is_found_without_trying_every_place(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Box] = []
    met = _Field.met
    monkeypatch.setattr(_Field, "met", lambda field, *box: asked.append(box[0]) or met(field, *box))
    room = _nearest_room(Box(0, 0, 60, 24), _Field([Box(-1_000, -1_000, 2_000, 2_000)]), 8.0)
    assert room == Box(1_008, 0, 60, 24)
    assert len(asked) < 20, "15,876 places lie nearer than that"


def test_pins_far_apart_are_no_more_work_than_near_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    near = _Field._near

    def counted(*span: Any) -> list[tuple[int, int]]:
        nonlocal looked
        squares = list(near(*span))
        looked += len(squares)
        return squares

    monkeypatch.setattr(_Field, "_near", counted)
    places = {
        p.point_id: (i * 7 % 11 * 64_000.0, i * 64_000.0) for i, p in enumerate(welcome().version().points)
    }
    layout(pinned(places))
    assert looked < 10_000, "of the 256 px that one branch passes there are more"


def test_an_unreachable_point_and_an_empty_version_are_placed_too() -> None:
    lonely = journey([{"point_id": name, "type": "exit"} for name in "abc"], [])
    assert len(layout(lonely.version()).nodes) == 3
    empty = layout(Version(version=1))
    assert (empty.width, empty.height, dict(empty.nodes), empty.edges) == (0, 0, {}, ())


@pytest.mark.slow  # of a busy machine's clock nothing follows
def test_five_hundred_points_are_quick() -> None:
    version = tangle(500).version()
    start = time.process_time()
    placed = layout(version, None, labels(version))
    assert time.process_time() - start < 1.0
    assert len(placed.nodes) == 500


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(0.01, 100), st.floats(0, 300)), max_size=12))
def test_nearest_in_order_keeps_order_and_distances(items: list[tuple[float, float, float]]) -> None:
    wishes, weights, apart = ([item[at] for item in items] for at in range(3))
    places = nearest_in_order(wishes, weights, apart)
    assert len(places) == len(items)
    for distance, (left, right) in zip(apart[1:], pairwise(places), strict=True):
        assert right - left >= distance - 1e-6
