"""The ways of wires: straight where they can be, around the nodes where they must."""

from PySide6.QtCore import QPointF, QRectF

from paramscope_gui.canvas.wire_path import LANE_GAP, Router, WirePath, direct


def _crosses(path: WirePath, area: QRectF) -> bool:
    return any(area.contains(point) for point in path.points)


def test_level_wire_between_neighbours_is_a_straight_line() -> None:
    path = Router([]).route(QPointF(0, 0), QPointF(80, 0))
    assert {point.y() for point in path.points} == {0.0}
    assert path.bounds.height() > 0


def test_wire_over_a_column_goes_around_the_node_between() -> None:
    wall = QRectF(120, -40, 160, 80)
    path = Router([wall]).route(QPointF(0, 0), QPointF(400, 0))
    assert _crosses(direct(QPointF(0, 0), QPointF(400, 0)), wall)
    assert not _crosses(path, wall)
    assert path.start == QPointF(0, 0)
    assert path.end == QPointF(400, 0)


def test_wire_takes_the_gap_between_two_rows() -> None:
    walls = [QRectF(120, -200, 160, 160), QRectF(120, 60, 160, 160)]
    path = Router(walls).route(QPointF(0, -100), QPointF(400, -100))
    assert not any(_crosses(path, wall) for wall in walls)
    assert -40 < path.middle.y() < 60


def test_wires_in_one_lane_lie_side_by_side() -> None:
    wall = QRectF(120, -40, 160, 80)
    router = Router([wall])
    first = router.route(QPointF(0, 0), QPointF(400, 0))
    second = router.route(QPointF(0, 0), QPointF(400, 0))
    assert abs(first.middle.y() - second.middle.y()) >= LANE_GAP


def test_wire_back_to_the_left_passes_around_both_nodes() -> None:
    walls = [QRectF(0, 0, 160, 80), QRectF(300, 0, 160, 80)]
    path = Router(walls).route(QPointF(460, 16), QPointF(0, 16))
    inner = [wall.adjusted(4, 4, -4, -4) for wall in walls]
    assert not any(_crosses(path, wall) for wall in inner)


def test_distance_is_that_to_the_nearest_point_of_the_curve() -> None:
    path = direct(QPointF(0, 0), QPointF(100, 0))
    assert abs(path.distance(QPointF(50, 7)) - 7) < 0.5
    assert path.distance(QPointF(-30, 0)) == 30
