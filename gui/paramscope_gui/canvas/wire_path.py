"""The way of a wire from port to port: a curve, led around the nodes that stand between.

A wire that ran behind a node would seem to end there, so a wire over more than a column looks
for the nearest lane that is free all along.
"""

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from math import hypot

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath

LANE_GAP = 12.0
CLEARANCE = 16.0
APPROACH = 56.0
_SAMPLES = 12

_Wall = tuple[float, float, float, float]
# A cubic: start, two handles, end, each as x and y.
_Piece = tuple[float, float, float, float, float, float, float, float]


class WirePath:
    """A wire's curve, its area, and points along it for picking and for lights that run."""

    def __init__(self, pieces: Sequence[_Piece]) -> None:
        self._pieces = tuple(pieces)
        self.path = QPainterPath(QPointF(pieces[0][0], pieces[0][1]))
        for piece in pieces:
            self.path.cubicTo(*piece[2:])
        # A level wire has no height, and an area without height meets nothing: hence the margin.
        self.bounds = self.path.controlPointRect().adjusted(-8.0, -8.0, 8.0, 8.0)
        self.start = QPointF(pieces[0][0], pieces[0][1])
        self.end = QPointF(pieces[-1][6], pieces[-1][7])

    @cached_property
    def points(self) -> tuple[QPointF, ...]:
        """Points along the wire, near enough to take the lines between them for it."""
        points = [self.start]
        for piece in self._pieces:
            points.extend(
                QPointF(*_at(piece, index / _SAMPLES)) for index in range(1, _SAMPLES + 1)
            )
        return tuple(points)

    @property
    def middle(self) -> QPointF:
        """The point half way, in the level stretch where there is one."""
        return QPointF(*_at(self._pieces[len(self._pieces) // 2], 0.5))

    def distance(self, place: QPointF) -> float:
        """Return how far ``place`` is from the wire."""
        x, y = place.x(), place.y()
        best = float("inf")
        last = self.points[0]
        for point in self.points[1:]:
            best = min(best, _to_segment(x, y, last, point))
            last = point
        return best


def direct(start: QPointF, end: QPointF) -> WirePath:
    """Return the plain curve between two points, as for a wire that is being dragged."""
    return WirePath([_curve(start.x(), start.y(), end.x(), end.y())])


class Router:
    """Finds ways for all wires of a graph among the areas of its nodes."""

    def __init__(self, areas: Sequence[QRectF]) -> None:
        self._areas = sorted(
            ((a.left(), a.right(), a.top(), a.bottom()) for a in areas), key=lambda a: a[0]
        )
        self._lefts = [area[0] for area in self._areas]
        self._widest = max((area[1] - area[0] for area in self._areas), default=0.0)
        self._taken: dict[int, list[tuple[float, float]]] = {}

    def route(self, start: QPointF, end: QPointF) -> WirePath:
        """Return the way of one wire; wires that take the same lane lie side by side."""
        x1, x2 = start.x(), end.x()
        if x2 > x1 and x2 - x1 < 3 * APPROACH:
            return direct(start, end)
        if x2 > x1:
            walls = self._walls(x1 + 4.0, x2 - 4.0)
            if not _blocked(walls, start, end):
                return direct(start, end)
            lane = self._free_lane(walls, (start.y() + end.y()) / 2, x1, x2)
            return _along(start, end, lane)
        # A wire that goes back passes below or above both of its nodes.
        walls = self._walls(x2 - APPROACH, x1 + APPROACH)
        lane = self._free_lane(walls, (start.y() + end.y()) / 2, x2 - APPROACH, x1 + APPROACH)
        return _along(start, end, lane)

    def _walls(self, left: float, right: float) -> list[_Wall]:
        first = bisect_left(self._lefts, left - self._widest)
        last = bisect_left(self._lefts, right)
        return [area for area in self._areas[first:last] if area[1] > left]

    def _free_lane(
        self,
        walls: Sequence[_Wall],
        wish: float,
        left: float,
        right: float,
    ) -> float:
        """The height nearest to ``wish`` where no wall stands from left to right."""
        spans = sorted((top - CLEARANCE, bottom + CLEARANCE) for _, _, top, bottom in walls)
        merged: list[list[float]] = []
        for top, bottom in spans:
            if merged and top <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], bottom)
            else:
                merged.append([top, bottom])
        options = [(abs(y - wish), y, side) for s, e in merged for y, side in ((s, -1), (e, 1))]
        if not options:
            return wish
        _, lane, side = min(options)
        for _ in range(64):
            key = round(lane / LANE_GAP)
            if all(right <= a or b <= left for a, b in self._taken.get(key, ())):
                break
            lane += side * LANE_GAP
        self._taken.setdefault(round(lane / LANE_GAP), []).append((left, right))
        return lane


def _blocked(walls: Sequence[_Wall], start: QPointF, end: QPointF) -> bool:
    """Whether the plain curve would run behind a node."""
    if not walls:
        return False
    piece = _curve(start.x(), start.y(), end.x(), end.y())
    for index in range(1, 16):
        x, y = _at(piece, index / 16)
        for left, right, top, bottom in walls:
            if left - 4.0 < x < right + 4.0 and top - 4.0 < y < bottom + 4.0:
                return True
    return False


def _curve(x1: float, y1: float, x2: float, y2: float) -> _Piece:
    dx = x2 - x1
    bend = max(min(abs(dx) / 2, 160.0), 32.0 if dx > 0 else 96.0)
    return (x1, y1, x1 + bend, y1, x2 - bend, y2, x2, y2)


def _along(start: QPointF, end: QPointF, lane: float) -> WirePath:
    x1, y1, x2, y2 = start.x(), start.y(), end.x(), end.y()
    if x2 > x1:
        reach = min(APPROACH, (x2 - x1) / 3)
        enter, leave = x1 + reach, x2 - reach
        return WirePath(
            [_ease(x1, y1, enter, lane), _line(enter, leave, lane), _ease(leave, lane, x2, y2)]
        )
    out, back = x1 + APPROACH, x2 - APPROACH
    return WirePath(
        [
            (x1, y1, out, y1, out, lane, x1, lane),
            _line(x1, x2, lane),
            (x2, lane, back, lane, back, y2, x2, y2),
        ]
    )


def _ease(x1: float, y1: float, x2: float, y2: float) -> _Piece:
    middle = (x1 + x2) / 2
    return (x1, y1, middle, y1, middle, y2, x2, y2)


def _line(x1: float, x2: float, y: float) -> _Piece:
    third = (x2 - x1) / 3
    return (x1, y, x1 + third, y, x2 - third, y, x2, y)


def _at(piece: _Piece, part: float) -> tuple[float, float]:
    rest = 1.0 - part
    a, b = rest * rest * rest, 3.0 * rest * rest * part
    c, d = 3.0 * rest * part * part, part * part * part
    x0, y0, x1, y1, x2, y2, x3, y3 = piece
    return a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3


def _to_segment(x: float, y: float, a: QPointF, b: QPointF) -> float:
    ax, ay, bx, by = a.x(), a.y(), b.x(), b.y()
    dx, dy = bx - ax, by - ay
    length = dx * dx + dy * dy
    part = 0.0 if length == 0.0 else max(0.0, min(1.0, ((x - ax) * dx + (y - ay) * dy) / length))
    return hypot(x - ax - part * dx, y - ay - part * dy)
