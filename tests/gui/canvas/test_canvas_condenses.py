"""Far out the texts of a node keep a size that can be read, and what has no room gives way."""

from PySide6.QtCore import QRect

from paramscope_gui.canvas.canvas import Canvas
from paramscope_gui.canvas.condensed import condensed, scaled_font
from paramscope_gui.canvas.drawing import PORT_RADIUS, TITLE_HEIGHT, Face, draw_up
from paramscope_gui.canvas.node_item import ROW_DETAIL
from paramscope_gui.canvas.wire_layer import label_of


def texts(canvas: Canvas, node: str, detail: float) -> list[str]:
    return [item.text.text() for item in condensed(canvas.scene.drawing_of(node), detail)]


def test_every_text_is_ten_pixels_high_or_more_down_to_the_smallest_rows(canvas: Canvas) -> None:
    for node in canvas.scene.nodes_by_id:
        for item in condensed(canvas.scene.drawing_of(node), ROW_DETAIL):
            assert item.font.pixelSize() * ROW_DETAIL >= 9.5, item.text.text()


def test_no_text_leaves_its_node(canvas: Canvas) -> None:
    for detail in (0.45, 0.5, 0.6, 0.75, 0.89):
        for node in canvas.scene.nodes_by_id:
            drawing = canvas.scene.drawing_of(node)
            for item in condensed(drawing, detail):
                right = item.place.x() + item.text.size().width()
                assert right <= drawing.size.width() + 1.0, (node, detail, item.text.text())


def test_a_name_without_room_in_the_title_stands_before_the_arguments(canvas: Canvas) -> None:
    assert texts(canvas, "hidden", 0.89)[:2] == ["Linear", "hidden"]
    small = texts(canvas, "hidden", 0.5)
    assert small[0] == "Linear" and "hidden" in small


def test_tensors_and_their_names_stay_when_the_canvas_is_small(canvas: Canvas) -> None:
    small = texts(canvas, "hidden", 0.55)
    assert "weight" in small and "bias" in small


def test_a_shape_on_a_short_wire_is_written_closer(hand) -> None:
    canvas = hand.canvas
    wire = hand.wire("hidden", "tanh")
    path, text = canvas.scene.paths[wire], "N × 8"
    wide, narrow = label_of(path, text, 1.0), label_of(path, text, 0.5)
    assert wide is not None and wide[0] == "N × 8"
    assert narrow is not None and narrow[0] == "N×8"
    assert label_of(path, "N × 1,024 × 1,024", 0.5) is None
    assert scaled_font(Face.SHAPE, 0.5)[0].pixelSize() == 20


def test_a_measured_face_is_as_wide_as_its_title_needs_far_out(canvas: Canvas) -> None:
    drawing = draw_up(canvas.scene.drawing_of("output").face)
    assert next(item.text.text() for item in condensed(drawing, 0.55)) == "output"


def test_fit_leaves_the_same_margin_on_both_sides(hand) -> None:
    view, scene = hand.view, hand.canvas.scene
    hand.canvas.resize(655, 330)
    view.fit_all()
    shown = view.mapFromScene(scene.content_rect()).boundingRect()
    left, right = shown.left(), view.viewport().width() - shown.right()
    assert abs(left - right) <= 3 and left >= 12


def test_the_strip_of_arguments_does_not_lie_on_the_selected_node(hand) -> None:
    canvas, view = hand.canvas, hand.view
    canvas.resize(655, 330)
    view.fit_all()
    hand.click_node("hidden")
    strip = canvas.arguments
    assert strip.isVisible()
    for shift in (-60.0, 60.0):
        view.fit_all()
        view.pan_by(0.0, shift / view.zoom_factor)
        area = canvas.scene.node_rect("hidden")
        node = view.mapFromScene(area).boundingRect().intersected(QRect(view.rect()))
        assert not strip.geometry().intersects(node)


def test_a_title_keeps_clear_of_the_port_beside_it(canvas: Canvas) -> None:
    for detail in (0.6, 0.75, 0.89):
        for node in ("tanh", "hidden", "output"):
            drawing = canvas.scene.drawing_of(node)
            assert drawing.inputs[0].y() < TITLE_HEIGHT
            assert condensed(drawing, detail)[0].place.x() > PORT_RADIUS + 2.0


def test_every_node_says_its_name_down_to_the_smallest_rows(canvas: Canvas) -> None:
    for node in canvas.scene.nodes_by_id:
        assert condensed(canvas.scene.drawing_of(node), ROW_DETAIL)[0].text.text() != ""
