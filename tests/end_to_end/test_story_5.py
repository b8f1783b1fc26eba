"""Story 5, XOR from the keyboard: no mouse, wires and shapes by themselves, the loss under 0.05."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from paramscope.code.graph import NodeKind
from paramscope_gui.app import Application

SECONDS = 10_000


def press(qtbot: QtBot, key: Qt.Key, control: bool = False, shift: bool = False) -> None:
    """Press a key where the focus is, as a keyboard does."""
    modifiers = Qt.KeyboardModifier.NoModifier
    if control:
        modifiers |= Qt.KeyboardModifier.ControlModifier
    if shift:
        modifiers |= Qt.KeyboardModifier.ShiftModifier
    focus = QApplication.focusWidget()
    assert focus is not None
    qtbot.keyClick(focus, key, modifiers)


def type_text(qtbot: QtBot, text: str) -> None:
    """Type into whatever has the focus."""
    focus = QApplication.focusWidget()
    assert focus is not None
    qtbot.keyClicks(focus, text)


def add(qtbot: QtBot, application: Application, wish: str) -> None:
    """Tab, the wish, Enter: on the canvas, behind the selected node."""
    canvas = application.window.canvas
    before = application.workspace.document.source
    press(qtbot, Qt.Key.Key_Tab)
    qtbot.waitUntil(canvas.search.isVisible)
    type_text(qtbot, wish)
    press(qtbot, Qt.Key.Key_Return)
    assert application.workspace.document.source != before, wish


def test_a_wrong_size_is_refused_with_a_repair_by_one_key(
    qtbot: QtBot, application: Application
) -> None:
    application.desktop.new_empty()
    application.window.activateWindow()
    workspace, canvas = application.workspace, application.window.canvas
    canvas.view.setFocus()
    select_the_input(application)
    add(qtbot, application, "linear 8")
    before = workspace.document.source

    press(qtbot, Qt.Key.Key_Tab)
    qtbot.waitUntil(canvas.search.isVisible)
    type_text(qtbot, "Linear(5, 3)")
    press(qtbot, Qt.Key.Key_Return)
    assert workspace.document.source == before
    qtbot.waitUntil(canvas.bubble.isVisible)
    assert canvas.bubble.repair is not None

    press(qtbot, Qt.Key.Key_Return)
    assert "nn.Linear(8, 3)" in workspace.document.source


def select_the_input(application: Application) -> None:
    """Select where the data comes in, as a click on it would."""
    graph = application.workspace.program.graphs["Net"]
    entrance = next(node for node in graph.nodes if node.kind is NodeKind.INPUT)
    application.selection.select_nodes({entrance.id})


def test_xor_is_composed_and_trained_without_a_mouse(
    qtbot: QtBot, application: Application
) -> None:
    window, workspace, live = application.window, application.workspace, application.live
    window.activateWindow()
    qtbot.keyClick(
        window,
        Qt.Key.Key_N,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    canvas = window.canvas
    canvas.view.setFocus()
    select_the_input(application)

    for wish in ("linear 8", "tanh", "linear 1"):
        add(qtbot, application, wish)

    source = workspace.document.source
    assert "nn.Linear(2, 8)" in source
    assert "nn.Linear(8, 1)" in source
    assert workspace.program.problems == ()
    assert workspace.source_error is None

    press(qtbot, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: live.step_count > 0, timeout=SECONDS)
    qtbot.waitUntil(lambda: live.loss is not None and live.loss < 0.05, timeout=SECONDS)
    assert len(live.rows) == 4
    plot = window.findChild(QWidget, "loss_plot")
    assert plot is not None
    qtbot.waitUntil(plot.isVisible)
