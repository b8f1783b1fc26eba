"""The automatic layout: left to right, straight where it can be, never one node over another."""

from hypothesis import given, settings
from hypothesis import strategies as st

from paramscope.code.layout import COLUMN_GAP, Edge, Size, layered, place_missing
from paramscope.document.document import Point

SIZE = Size(160, 80)


def _overlap(points: dict[str, Point], sizes: dict[str, Size]) -> list[tuple[str, str]]:
    keys = list(points)
    return [
        (a, b)
        for index, a in enumerate(keys)
        for b in keys[index + 1 :]
        if points[a].x < points[b].x + sizes[b].width
        and points[b].x < points[a].x + sizes[a].width
        and points[a].y < points[b].y + sizes[b].height
        and points[b].y < points[a].y + sizes[a].height
    ]


def test_chain_is_a_straight_line() -> None:
    sizes = dict.fromkeys("abcd", SIZE)
    points = layered(sizes, [Edge("a", "b"), Edge("b", "c"), Edge("c", "d")])
    assert [points[name] for name in "abcd"] == [
        Point(index * (160 + COLUMN_GAP), 0) for index in range(4)
    ]


def test_ports_of_a_chain_are_level_though_the_nodes_differ() -> None:
    sizes = {"a": Size(160, 40), "b": Size(160, 120)}
    points = layered(sizes, [Edge("a", "b", source_offset=16, target_offset=72)])
    assert points["a"].y + 16 == points["b"].y + 72


def test_skip_leaves_the_main_line_straight_and_room_beside_it() -> None:
    sizes = dict.fromkeys("abcd", SIZE)
    points = layered(sizes, [Edge("a", "b"), Edge("b", "c"), Edge("c", "d"), Edge("a", "d")])
    assert {points[name].y for name in "abcd"} == {points["a"].y}


def test_weight_read_late_stands_beside_its_reader() -> None:
    sizes = dict.fromkeys(("x", "a", "b", "weight", "mul"), SIZE)
    edges = [Edge("x", "a"), Edge("a", "b"), Edge("b", "mul"), Edge("weight", "mul")]
    points = layered(sizes, edges)
    assert points["weight"].x == points["b"].x


def test_circle_is_laid_out_all_the_same() -> None:
    sizes = dict.fromkeys("abc", SIZE)
    points = layered(sizes, [Edge("a", "b"), Edge("b", "a"), Edge("c", "c")])
    assert not _overlap(points, sizes)


def test_empty_graph_has_no_places() -> None:
    assert layered({}, []) == {}


def test_placed_nodes_stay_and_the_new_one_stands_right_of_its_source() -> None:
    sizes = dict.fromkeys("abc", SIZE)
    placed = {"a": Point(10, 20), "b": Point(300, 20)}
    points = place_missing(sizes, [Edge("a", "b"), Edge("a", "c")], placed)
    assert points["a"] == Point(10, 20)
    assert points["b"] == Point(300, 20)
    assert points["c"].x == 10 + 160 + COLUMN_GAP
    assert not _overlap(points, sizes)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=50))
def test_no_graph_makes_nodes_overlap(pairs: list[tuple[int, int]]) -> None:
    sizes = {f"n{i}": Size(80 + 8 * (i % 5), 40 + 24 * (i % 4)) for i in range(20)}
    edges = [Edge(f"n{a}", f"n{b}") for a, b in pairs]
    points = layered(sizes, edges)
    assert list(points) == list(sizes)
    assert not _overlap(points, sizes)
    some = {key: points[key] for key in list(points)[:7]}
    assert not _overlap(place_missing(sizes, edges, some), sizes)


def test_gap_makes_room_for_what_is_written_on_the_wire() -> None:
    sizes = dict.fromkeys("abc", SIZE)
    points = layered(sizes, [Edge("a", "b", label=120.0), Edge("b", "c", label=8.0)])
    assert points["b"].x - (points["a"].x + SIZE.width) >= 120.0
    assert points["c"].x - (points["b"].x + SIZE.width) == COLUMN_GAP
