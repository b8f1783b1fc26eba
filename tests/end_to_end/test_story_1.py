"""Story 1, the seed in 60 seconds: a forgotten tensor is seen, registered with a click, undone."""

import shutil

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


def test_a_forgotten_tensor_is_found_registered_and_undone(
    qtbot: QtBot, application: Application
) -> None:
    live, workspace, tree = application.live, application.workspace, application.window.tree

    # Lesson "Forgotten tensor", Play: the loss falls only partly.
    click(qtbot, application, QWidget, "welcome_lesson_forgotten_tensor")
    qtbot.waitUntil(lambda: bool(live.rows), timeout=15_000)
    broken = workspace.document.source
    click(qtbot, application, QToolButton, "run_play_button")
    qtbot.waitUntil(lambda: live.step_count > 400, timeout=30_000)
    assert mean_loss(application) > PLATEAU
    assert live.losses.values[0] > mean_loss(application)

    # The tree shows the plain tensor as FORGOTTEN: a gradient, and nobody steps it.
    qtbot.waitUntil(lambda: cell(application, "scale", Column.STATE) == "FORGOTTEN")
    assert live.rows["scale"].stepping is Stepping.NOT_STEPPED
    assert live.rows["scale"].gradient in (Gradient.FLOWS, Gradient.STALE)
    assert cell(application, "scale", Column.STEPPED_BY) == "not stepped"
    place = tree.view.visualRect(tree.model.index_of("scale")).center()
    qtbot.mouseClick(tree.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert application.selection.tensor == "scale"
    assert application.selection.nodes == {"scale"}
    stepped = sum(row.stepping is Stepping.IN_OPTIMIZER for row in live.rows.values())

    # Click Register: the code, the row, the optimizer and the value follow.
    qtbot.waitUntil(lambda: bool(application.window.problems.problems))
    click(qtbot, application, QPushButton, "problem_0_edit_register")
    assert "self.scale = nn.Parameter(torch.ones(1))" in workspace.document.source
    assert "nn.Parameter(torch.ones(1))" in application.window.code.editor.text()
    qtbot.waitUntil(lambda: live.rows["scale"].kind is Kind.PARAMETER, timeout=15_000)
    qtbot.waitUntil(lambda: cell(application, "scale", Column.STATE) == "PARAMETER")
    in_optimizer = sum(row.stepping is Stepping.IN_OPTIMIZER for row in live.rows.values())
    assert in_optimizer == stepped + 1
    qtbot.waitUntil(lambda: mean_loss(application) < LEARNED, timeout=60_000)
    statistics = live.rows["scale"].value_statistics
    assert statistics is not None
    assert statistics.mean > 2
    assert any("scale" in marker.text for marker in live.markers)
    run = application.desktop.lessons.run
    assert run is not None
    qtbot.waitUntil(lambda: application.desktop.lessons.run.is_reached, timeout=10_000)

    # Undo restores all.
    application.window.canvas.view.setFocus()
    qtbot.keyClick(application.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert workspace.document.source == broken
    assert application.window.code.editor.text() == broken
    qtbot.waitUntil(lambda: live.rows["scale"].kind is Kind.FORGOTTEN_TENSOR, timeout=15_000)
    qtbot.waitUntil(lambda: cell(application, "scale", Column.STATE) == "FORGOTTEN")


def has_x_tools() -> bool:
    """Tell whether a real X window can be driven here."""
    return shutil.which("Xvfb") is not None and shutil.which("xdotool") is not None
