"""Automatic layered layout, left to right: where nodes lie that nobody has placed.

The canvas calls it with the measured sizes of its nodes. The way is Sugiyama's: layers by
longest path, dummy nodes for edges that pass a layer, barycentre sweeps for the order, and
least-squares heights, so that a chain comes out as a straight line.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from paramscope.document.document import Point

COLUMN_GAP = 48.0
ROW_GAP = 32.0
LABEL_MARGIN = 24.0
DUMMY_HEIGHT = 8.0
SWEEPS = 4
# Beyond this many dummies (every layer tied to every other) long edges get none: the layout
# stays linear in the graph and only the prettiness of those edges is lost.
DUMMY_LIMIT = 20_000
ISOLATED_COLUMNS = 4


class Size(NamedTuple):
    """Width and height of a node in scene units."""

    width: float
    height: float


class Edge(NamedTuple):
    """One wire; the offsets say how far below the tops of its nodes it is attached.

    ``label`` is the width of what is written on it: its column's gap makes room for that.
    """

    source: str
    target: str
    source_offset: float = 0.0
    target_offset: float = 0.0
    label: float = 0.0


@dataclass(slots=True)
class _Cell:
    """A node or a dummy in its layer, with its neighbours to the left and to the right."""

    key: str | None
    height: float
    layer: int
    order: float = 0.0
    top: float = 0.0
    left: list[tuple["_Cell", float]] = field(default_factory=list)
    right: list[tuple["_Cell", float]] = field(default_factory=list)


def layered(sizes: Mapping[str, Size], edges: Iterable[Edge]) -> dict[str, Point]:
    """Place every node of ``sizes``; nodes without any edge stand in rows below the others.

    >>> layered({"a": Size(80, 40), "b": Size(80, 40)}, [Edge("a", "b")])
    {'a': Point(x=0.0, y=0.0), 'b': Point(x=128.0, y=0.0)}
    """
    known = [
        edge
        for edge in edges
        if edge.source in sizes and edge.target in sizes and edge.source != edge.target
    ]
    touched = {edge.source for edge in known} | {edge.target for edge in known}
    wired = {key: size for key, size in sizes.items() if key in touched}
    layers = _assign_layers(list(wired), known)
    rows = _make_cells(wired, known, layers)
    for sweep in range(SWEEPS):
        _order_layers(rows, forward=sweep % 2 == 0)
    _assign_tops(rows)
    points = _assign_columns(wired, rows, _gaps(known, layers))
    points.update(_place_isolated(sizes, points))
    return {key: points[key] for key in sizes}


def place_missing(
    sizes: Mapping[str, Size], edges: Sequence[Edge], placed: Mapping[str, Point]
) -> dict[str, Point]:
    """Place the nodes that ``placed`` lacks beside their neighbours, over nothing that lies there.

    What is placed keeps its place; where nothing is placed yet the whole graph is laid out.
    """
    fixed = {key: placed[key] for key in sizes if key in placed}
    if not fixed:
        return layered(sizes, edges)
    missing = [key for key in sizes if key not in fixed]
    order = _assign_layers(list(sizes), edges)
    missing.sort(key=lambda key: order.get(key, 0))
    incoming: dict[str, list[Edge]] = {}
    outgoing: dict[str, list[Edge]] = {}
    for edge in edges:
        incoming.setdefault(edge.target, []).append(edge)
        outgoing.setdefault(edge.source, []).append(edge)
    points = dict(fixed)
    taken = [_Area.of(points[key], sizes[key]) for key in points]
    for key in missing:
        wish = _wish(key, sizes, points, incoming.get(key, []), outgoing.get(key, []))
        area = _free_area(_Area.of(wish, sizes[key]), taken)
        points[key] = Point(area.left, area.top)
        taken.append(area)
    return {key: points[key] for key in sizes}


class _Area(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, point: Point, size: Size) -> "_Area":
        return cls(point.x, point.y, point.x + size.width, point.y + size.height)

    def meets(self, other: "_Area") -> bool:
        gap = ROW_GAP / 2
        return (
            self.left < other.right + gap
            and other.left < self.right + gap
            and self.top < other.bottom + gap
            and other.top < self.bottom + gap
        )


def _wish(
    key: str,
    sizes: Mapping[str, Size],
    points: Mapping[str, Point],
    incoming: Sequence[Edge],
    outgoing: Sequence[Edge],
) -> Point:
    before = [edge for edge in incoming if edge.source in points]
    after = [edge for edge in outgoing if edge.target in points]
    if before:
        x = max(points[e.source].x + sizes[e.source].width for e in before) + COLUMN_GAP
        tops = [points[e.source].y + e.source_offset - e.target_offset for e in before]
        return Point(x, sum(tops) / len(tops))
    if after:
        x = min(points[e.target].x for e in after) - COLUMN_GAP - sizes[key].width
        tops = [points[e.target].y + e.target_offset - e.source_offset for e in after]
        return Point(x, sum(tops) / len(tops))
    left = min(point.x for point in points.values())
    bottom = max(point.y + sizes[name].height for name, point in points.items())
    return Point(left, bottom + ROW_GAP)


def _free_area(area: _Area, taken: Sequence[_Area]) -> _Area:
    height = area.bottom - area.top
    while True:
        in_the_way = [other for other in taken if area.meets(other)]
        if not in_the_way:
            return area
        top = max(other.bottom for other in in_the_way) + ROW_GAP
        area = area._replace(top=top, bottom=top + height)


def _assign_layers(keys: Sequence[str], edges: Iterable[Edge]) -> dict[str, int]:
    """Longest path from the sources; edges that close a circle are left out of account."""
    targets: dict[str, list[str]] = {key: [] for key in keys}
    waiting = dict.fromkeys(keys, 0)
    for edge in edges:
        if edge.source in targets and edge.target in waiting:
            targets[edge.source].append(edge.target)
            waiting[edge.target] += 1
    sources = [key for key in keys if not waiting[key]]
    layers = dict.fromkeys(keys, 0)
    ready = list(sources)
    done: set[str] = set()
    rest = iter(keys)
    while len(done) < len(layers):
        if not ready:
            ready.append(next(key for key in rest if key not in done))
        key = ready.pop()
        if key in done:
            continue
        done.add(key)
        for target in targets[key]:
            if target in done:
                continue
            layers[target] = max(layers[target], layers[key] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for key in sources:
        # A weight that is read late stands beside its reader, not at the far left.
        later = [layers[target] for target in targets[key]]
        if later:
            layers[key] = max(min(later) - 1, 0)
    return layers


def _make_cells(
    sizes: Mapping[str, Size], edges: Sequence[Edge], layers: Mapping[str, int]
) -> list[list[_Cell]]:
    rows: list[list[_Cell]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    cells: dict[str, _Cell] = {}
    for key, size in sizes.items():
        cells[key] = _Cell(key, size.height, layers[key])
        rows[layers[key]].append(cells[key])
    spans = sum(max(layers[edge.target] - layers[edge.source] - 1, 0) for edge in edges)
    with_dummies = spans <= DUMMY_LIMIT
    for edge in edges:
        source, target = cells[edge.source], cells[edge.target]
        if source.layer >= target.layer:
            continue
        last, offset = source, edge.source_offset
        if with_dummies:
            for layer in range(source.layer + 1, target.layer):
                dummy = _Cell(None, DUMMY_HEIGHT, layer)
                rows[layer].append(dummy)
                _join(last, dummy, offset)
                last, offset = dummy, 0.0
        _join(last, target, offset - edge.target_offset)
    for row in rows:
        for index, cell in enumerate(row):
            cell.order = float(index)
    return rows


def _join(left: _Cell, right: _Cell, offset: float) -> None:
    left.right.append((right, -offset))
    right.left.append((left, offset))


def _order_layers(rows: Sequence[list[_Cell]], *, forward: bool) -> None:
    """One barycentre sweep: each cell goes to the mean place of its neighbours."""
    for row in rows if forward else reversed(rows):
        for cell in row:
            near = cell.left if forward else cell.right
            if near:
                cell.order = sum(other.order for other, _ in near) / len(near)
        row.sort(key=lambda cell: cell.order)
        for index, cell in enumerate(row):
            cell.order = float(index)


def _assign_tops(rows: Sequence[list[_Cell]]) -> None:
    for row in rows:
        _stack(row, [cell.order * (cell.height + ROW_GAP) for cell in row])
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for row in rows if forward else reversed(rows):
            wishes = []
            for cell in row:
                near = (cell.left if forward else cell.right) or cell.left or cell.right
                tops = sorted(other.top + offset for other, offset in near)
                # The median keeps a main line straight where a mean would bend it.
                wishes.append(tops[(len(tops) - 1) // 2] if tops else cell.top)
            _stack(row, wishes)


def _stack(row: Sequence[_Cell], wishes: Sequence[float]) -> None:
    """Give each cell its wished top as nearly as the order and the gaps allow.

    Cells that would overlap are merged into blocks that move to the weighted mean of their
    wishes (pool adjacent violators): the least-squares answer. Nodes weigh more than dummies.
    """
    blocks: list[tuple[float, float, int]] = []  # mean of base wishes, weight, cells
    bases = []
    base = 0.0
    for cell, wish in zip(row, wishes, strict=True):
        bases.append(base)
        mean, weight, count = wish - base, 1.0 if cell.key is not None else 0.01, 1
        while blocks and blocks[-1][0] > mean:
            other_mean, other_weight, other_count = blocks.pop()
            mean = (mean * weight + other_mean * other_weight) / (weight + other_weight)
            weight += other_weight
            count += other_count
        blocks.append((mean, weight, count))
        base += cell.height + (ROW_GAP if cell.key is not None else ROW_GAP / 2)
    index = 0
    for mean, _, count in blocks:
        for _ in range(count):
            row[index].top = mean + bases[index]
            index += 1


def _gaps(edges: Iterable[Edge], layers: Mapping[str, int]) -> dict[int, float]:
    """How wide the gap behind each layer must be for what is written on its wires."""
    gaps: dict[int, float] = {}
    for edge in edges:
        layer = layers[edge.source]
        gaps[layer] = max(gaps.get(layer, COLUMN_GAP), edge.label + LABEL_MARGIN)
    return gaps


def _assign_columns(
    sizes: Mapping[str, Size], rows: Sequence[Sequence[_Cell]], gaps: Mapping[int, float]
) -> dict[str, Point]:
    points: dict[str, Point] = {}
    x = 0.0
    for layer, row in enumerate(rows):
        keys = [cell.key for cell in row if cell.key is not None]
        for cell in row:
            if cell.key is not None:
                points[cell.key] = Point(x, cell.top)
        x += max((sizes[key].width for key in keys), default=0.0)
        x += gaps.get(layer, COLUMN_GAP)
    top = min((point.y for point in points.values()), default=0.0)
    return {key: Point(_on_grid(p.x), _on_grid(p.y - top)) for key, p in points.items()}


def _on_grid(value: float) -> float:
    return round(value / 8.0) * 8.0


def _place_isolated(sizes: Mapping[str, Size], points: Mapping[str, Point]) -> dict[str, Point]:
    alone = [key for key in sizes if key not in points]
    bottom = max((p.y + sizes[key].height for key, p in points.items()), default=-2 * ROW_GAP)
    placed: dict[str, Point] = {}
    y = _on_grid(bottom + 2 * ROW_GAP)
    for start in range(0, len(alone), ISOLATED_COLUMNS):
        group = alone[start : start + ISOLATED_COLUMNS]
        x = 0.0
        for key in group:
            placed[key] = Point(x, y)
            x = _on_grid(x + sizes[key].width + ROW_GAP)
        y = _on_grid(y + max(sizes[key].height for key in group) + ROW_GAP)
    return placed
