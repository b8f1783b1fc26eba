"""What is drawn: nodes, tensors with their states, shapes on wires, errors, empty canvases."""

import pytest
from PySide6.QtCore import QPoint, QRectF

from paramscope.census.rows import Gradient, Kind, Statistics, Stepping, TensorRow
from paramscope.code.commands import ReplaceText
from paramscope.document.document import Document
from paramscope.engine.protocol import OperationRecord, Phase, RunState, Snapshot, StateChanged
from paramscope.rules.finding import Finding
from paramscope_gui.canvas.canvas import Canvas
from paramscope_gui.canvas.faces import gradient_level


def _row(path: str, kind: Kind, shape: tuple[int, ...], norm: float | None, **more) -> TensorRow:
    statistics = None if norm is None else Statistics(norm, 0.0, 0.0, 0.0, 0, 0)
    owner = path.rpartition(".")[0]
    return TensorRow(
        path, kind, shape, "float32", True, owner, gradient_statistics=statistics, **more
    )


def _snapshot(canvas: Canvas, phase: Phase = Phase.IDLE, norm: float = 0.5) -> Snapshot:
    flows = {"gradient": Gradient.FLOWS, "stepping": Stepping.IN_OPTIMIZER}
    lost = {"gradient": Gradient.FLOWS, "stepping": Stepping.NOT_STEPPED}
    shapes = {"hidden": (16, 8), "tanh": (16, 8), "mul": (16, 8), "out": (16, 1)}
    graph = canvas.scene.graph
    return Snapshot(
        1,
        3,
        phase,
        tensors=(
            _row("hidden.weight", Kind.PARAMETER, (8, 2), norm, **flows),
            _row("hidden.bias", Kind.PARAMETER, (8,), norm, **flows),
            _row("scale", Kind.FORGOTTEN_TENSOR, (8,), norm, **lost),
            _row("out.weight", Kind.PARAMETER, (1, 8), None, **flows),
        ),
        operations=tuple(
            OperationRecord(node.span, "", node.id, shapes[node.id], "float32", True, 0.1)
            for node in graph.nodes
            if node.id in shapes and node.span is not None
        ),
        findings=(Finding("REG02", "scale", "warning", "`scale` is stepped by nobody."),),
    )


def test_model_is_shown_from_left_to_right_and_nothing_overlaps(canvas: Canvas) -> None:
    areas = {key: canvas.scene.node_rect(key) for key in canvas.scene.nodes_by_id}
    order = ["x", "hidden", "tanh", "mul", "out", "output"]
    lefts = [areas[key].left() for key in order]
    assert lefts == sorted(lefts)
    keys = list(areas)
    assert not [
        (a, b) for i, a in enumerate(keys) for b in keys[i + 1 :] if areas[a].intersects(areas[b])
    ]


def test_whole_model_is_in_view_at_first(canvas: Canvas) -> None:
    assert canvas.view.visible_area.contains(canvas.scene.content_rect())


def test_forgotten_tensor_is_said_in_word_colour_and_problem(
    canvas: Canvas, live, hand, themes
) -> None:
    assert not hand.has_color("scale", themes.theme.glyphs["vermilion"])
    live.receive(_snapshot(canvas))
    hand.wait(lambda: bool(canvas.scene.drawing_of("scale").face.problem))
    texts = [text.text for text in canvas.scene.drawing_of("scale").texts]
    assert "FORGOTTEN" in texts
    assert "`scale` is stepped by nobody." in canvas.scene.drawing_of("scale").face.problem
    assert hand.has_color("scale", themes.theme.glyphs["vermilion"])


def test_tensors_of_a_module_are_rows_with_shape_and_gradient(canvas: Canvas, live, hand) -> None:
    live.receive(_snapshot(canvas))
    assert len(canvas.scene.drawing_of("hidden").rows) == 2  # planned before anything has run
    hand.wait(lambda: len(canvas.scene.drawing_of("hidden").bars) == 2)
    drawing = canvas.scene.drawing_of("hidden")
    texts = [text.text for text in drawing.texts]
    assert texts.index("weight") and "8 × 2" in texts
    assert [bar.level for bar in drawing.bars] == [gradient_level(0.5)] * 2
    assert [bar.level for bar in canvas.scene.drawing_of("out").bars] == [None]


def test_wires_say_the_live_shape_with_n_for_the_batch(canvas: Canvas, live, hand) -> None:
    live.receive(_snapshot(canvas))
    wire = hand.wire("hidden", "tanh")
    assert canvas.scene.wire_faces[wire].text == "N × 8"  # known before anything has run
    hand.wait(lambda: canvas.scene.wire_faces[wire].tooltip == "16 × 8")
    assert canvas.scene.wire_faces[wire].text == "N × 8"


def test_gradient_bar_grows_with_the_gradient(canvas: Canvas, live, hand) -> None:
    live.receive(_snapshot(canvas, norm=1e-4))
    hand.wait(lambda: bool(canvas.scene.drawing_of("hidden").bars))
    before = canvas.scene.drawing_of("hidden").bars[0].level
    live.receive(_snapshot(canvas, norm=1.0))
    hand.wait(lambda: canvas.scene.drawing_of("hidden").bars[0].level != before)
    assert canvas.scene.drawing_of("hidden").bars[0].level > before


def test_nodes_out_of_view_are_left_alone(canvas: Canvas, live, hand, qtbot) -> None:
    canvas.presenter.show_visible(QRectF(100_000, 100_000, 10, 10))
    before = canvas.scene.drawing_of("hidden")
    with qtbot.waitSignal(live.snapshot_arrived):
        live.receive(_snapshot(canvas))
    assert canvas.scene.drawing_of("hidden") is before


def test_phases_light_the_wires_and_running_does_not(canvas: Canvas, live, hand) -> None:
    live.receive(StateChanged(RunState.PAUSED, 1, 3, Phase.FORWARD))
    hand.wait(lambda: len(canvas.scene.marks.lit) == len(hand.wires))
    live.receive(StateChanged(RunState.RUNNING, 1, 4, Phase.FORWARD))
    hand.wait(lambda: not canvas.scene.marks.lit)


def test_light_runs_forward_wire_by_wire(canvas: Canvas, live, hand) -> None:
    canvas.set_still(False)
    live.receive(StateChanged(RunState.PAUSED, 1, 3, Phase.FORWARD))
    hand.wait(lambda: 0 < len(canvas.scene.marks.lit) < len(hand.wires))
    first = canvas.scene.marks.lit[0]
    assert first.path is canvas.scene.paths[hand.wire("x", "hidden")]
    hand.wait(lambda: len(canvas.scene.marks.lit) == len(hand.wires))


def test_source_error_keeps_the_graph_and_names_the_line(canvas: Canvas, hand, workspace) -> None:
    nodes = hand.nodes
    broken = hand.source.replace("return Net()", "return Net(")
    workspace.execute(ReplaceText(broken))
    assert hand.nodes == nodes
    assert canvas.banner.isVisible()
    line = workspace.source_error.span.line
    assert canvas.banner.text().startswith(f"Line {line}: ")
    workspace.undo()
    assert not canvas.banner.isVisible()


def test_empty_canvas_says_what_to_do(canvas: Canvas, hand, workspace) -> None:
    workspace.new(Document(""))
    assert canvas.hint.isVisible()
    assert "Press Tab to add a layer, or open an example" in canvas.hint.text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_canvas_wears_the_theme(canvas: Canvas, themes, scheme: str) -> None:
    themes.set_scheme(scheme)
    image = canvas.view.viewport().grab().toImage()
    ground = image.pixelColor(QPoint(3, 3))
    assert ground.rgb() in (themes.theme.canvas.rgb(), themes.theme.canvas_grid.rgb())


def test_far_out_nodes_are_one_layer(canvas: Canvas, themes, hand) -> None:
    canvas.view.zoom_to(0.1)
    assert not canvas.scene.items_by_id["hidden"].isVisible()
    image = canvas.view.viewport().grab().toImage()
    spot = canvas.view.mapFromScene(canvas.scene.node_rect("hidden").center())
    assert image.pixelColor(spot).rgb() != themes.theme.canvas.rgb()
    canvas.view.zoom_to(1.0)
    assert canvas.scene.items_by_id["hidden"].isVisible()


def test_program_shows_the_facts_of_the_run(canvas: Canvas, live, hand) -> None:
    live.receive(_snapshot(canvas))
    hand.wait(lambda: bool(live.rows))
    canvas.breadcrumb.findChild(object, "breadcrumb_0").click()
    facts = dict(canvas.scene.drawing_of("model").face.facts)
    assert facts["Parameters"] == "3"
    assert facts["FORGOTTEN"] == "1"


def test_legend_is_there_while_gradients_are_on_the_wires(canvas: Canvas, live, hand) -> None:
    live.receive(StateChanged(RunState.PAUSED, 1, 3, Phase.BACKWARD))
    hand.wait(lambda: canvas.legend.isVisible())
    live.receive(StateChanged(RunState.PAUSED, 1, 4, Phase.IDLE))
    hand.wait(lambda: not canvas.legend.isVisible())
    assert not canvas.scene.marks.lit


def test_a_node_that_will_not_fit_is_marked_before_anything_runs(canvas: Canvas, workspace) -> None:
    assert canvas.scene.drawing_of("hidden").face.badge is None
    source = workspace.document.source
    workspace.execute(ReplaceText(source.replace("nn.Linear(2, 8)", "nn.Linear(3, 8)")))
    badge = canvas.scene.drawing_of("hidden").face.badge
    assert badge is not None
    assert (badge.severity, badge.rule, badge.where) == ("W", "SHAPE", "hidden")
    assert "3" in badge.message
