"""Story 1, the seed in 60 seconds: a forgotten tensor is seen, registered with a click, undone."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from paramscope.census.rows import Gradient, Kind, Stepping
from paramscope_gui.app import Application
from paramscope_gui.panels.tensor_model import Column

PLATEAU = 1.3  # the broken model's loss never comes lower
LEARNED = 0.1


def click(qtbot: QtBot, application: Application, kind: type[QWidget], name: str) -> None:
    """Click the middle of a widget, as a user does."""
    widget = application.window.findChild(kind, name)
    assert widget is not None, name
    qtbot.waitUntil(widget.isVisible)
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=widget.rect().center())


def mean_loss(application: Application) -> float:
    """Return the mean of the last 20 losses."""
    return float(application.live.losses.values[-20:].mean())


def cell(application: Application, path: str, column: Column) -> str:
    """Return the text that the tree shows in a tensor's row."""
    index = application.window.tree.model.index_of(path)
    return str(index.siblingAtColumn(column).data())


def see_the_forgotten_tensor(qtbot: QtBot, application: Application) -> None:
    """Open the lesson and play: the loss falls only partly, and the tree says why."""
    live, tree = application.live, application.window.tree
    click(qtbot, application, QWidget, "welcome_lesson_forgotten_tensor")
    qtbot.waitUntil(lambda: bool(live.rows), timeout=15_000)
    click(qtbot, application, QToolButton, "run_play_button")
    qtbot.waitUntil(lambda: live.step_count > 400, timeout=30_000)
    assert live.losses.values[0] > mean_loss(application) > PLATEAU
    qtbot.waitUntil(lambda: cell(application, "scale", Column.STATE) == "FORGOTTEN")
    assert live.rows["scale"].stepping is Stepping.NOT_STEPPED
    assert live.rows["scale"].gradient in (Gradient.FLOWS, Gradient.STALE)
    assert cell(application, "scale", Column.STEPPED_BY) == "not stepped"
    place = tree.view.visualRect(tree.model.index_of("scale")).center()
    qtbot.mouseClick(tree.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert application.selection.tensor == "scale"
    assert application.selection.nodes == {"scale"}


def register_it(qtbot: QtBot, application: Application) -> None:
    """Click Register: the code, the row, the optimizer and the value follow."""
    live, window = application.live, application.window
    stepped = count_of_stepped(application)
    qtbot.waitUntil(lambda: bool(window.problems.problems))
    click(qtbot, application, QPushButton, "problem_0_edit_register")
    line = "self.scale = nn.Parameter(torch.ones(1))"
    assert line in application.workspace.document.source
    assert line in window.code.editor.text()
    qtbot.waitUntil(lambda: live.rows["scale"].kind is Kind.PARAMETER, timeout=15_000)
    qtbot.waitUntil(lambda: cell(application, "scale", Column.STATE) == "PARAMETER")
    assert count_of_stepped(application) == stepped + 1
    qtbot.waitUntil(lambda: mean_loss(application) < LEARNED, timeout=60_000)
    qtbot.waitUntil(lambda: value_of_scale(application) > 2, timeout=10_000)
    assert any("scale" in marker.text for marker in live.markers)
    qtbot.waitUntil(lambda: has_reached_the_goal(application), timeout=10_000)


def value_of_scale(application: Application) -> float:
    """Return the value of `scale` in the last snapshot."""
    statistics = application.live.rows["scale"].value_statistics
    return 0.0 if statistics is None else statistics.mean


def count_of_stepped(application: Application) -> int:
    """Return how many tensors the optimizer has."""
    rows = application.live.rows.values()
    return sum(row.stepping is Stepping.IN_OPTIMIZER for row in rows)


def has_reached_the_goal(application: Application) -> bool:
    """Tell whether the lesson says so."""
    run = application.desktop.lessons.run
    return run is not None and run.is_reached


def test_a_forgotten_tensor_is_found_registered_and_undone(
    qtbot: QtBot, application: Application
) -> None:
    see_the_forgotten_tensor(qtbot, application)
    broken = application.workspace.document.source
    assert "self.scale = torch.ones(1, requires_grad=True)" in broken
    register_it(qtbot, application)

    application.window.canvas.view.setFocus()
    qtbot.keyClick(application.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert application.workspace.document.source == broken
    assert application.window.code.editor.text() == broken
    rows = application.live
    qtbot.waitUntil(lambda: rows.rows["scale"].kind is Kind.FORGOTTEN_TENSOR, timeout=15_000)
    qtbot.waitUntil(lambda: cell(application, "scale", Column.STATE) == "FORGOTTEN")
