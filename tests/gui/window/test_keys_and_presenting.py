"""F6 reaches every panel, and F11 shows the window to an audience and puts it back."""

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialog, QLabel
from pytestqt.qtbot import QtBot

from paramscope.code.commands import ReplaceText
from paramscope_gui.app import Application


def owner_of_focus(application: Application) -> str:
    """The panel that has the focus, by its object name."""
    window, focus = application.window, QApplication.focusWidget()
    panels = {
        "canvas": window.canvas,
        "code": window.code,
        "tensors": window.tree,
        "loss": window.loss,
        "problems": window.problems,
        "run bar": window.run_bar,
        "palette": window.palette_panel,
    }
    for name, panel in panels.items():
        if focus is not None and (panel is focus or panel.isAncestorOf(focus)):
            return name
    return ""


def test_f6_goes_from_panel_to_panel_and_back(qtbot: QtBot, application: Application) -> None:
    application.desktop.new()
    window = application.window
    window.canvas.view.setFocus()
    seen = [owner_of_focus(application)]
    for _ in range(9):
        qtbot.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_F6)
        seen.append(owner_of_focus(application))
    assert seen[:3] == ["canvas", "code", "tensors"]
    assert {"run bar", "palette"} <= set(seen)
    assert seen.index("canvas", 1) > 3  # round once
    window.canvas.view.setFocus()
    qtbot.keyClick(
        QApplication.focusWidget() or window, Qt.Key.Key_F6, Qt.KeyboardModifier.ShiftModifier
    )
    assert owner_of_focus(application) == "palette"


def test_presenting_enlarges_and_leaves_everything_as_it_was(
    qtbot: QtBot, application: Application
) -> None:
    application.desktop.new()
    window = application.window
    scale, heights = window.themes.scale, window.splitter.sizes()
    qtbot.keyClick(window, Qt.Key.Key_F11)
    assert window.themes.scale > scale
    assert window.isFullScreen()
    assert not window.compose_dock.isVisible()
    assert not window.bar.isVisible()
    assert window.tree_dock.isVisible()
    assert application.settings.scale == scale  # nothing of it is remembered
    qtbot.keyClick(window, Qt.Key.Key_F11)
    assert window.themes.scale == scale
    assert not window.isFullScreen()
    assert window.compose_dock.isVisible()
    assert window.bar.isVisible()
    qtbot.waitUntil(lambda: window.splitter.sizes() == heights)


def test_presenting_the_welcome_page_shows_no_panels(
    qtbot: QtBot, application: Application
) -> None:
    window = application.window
    qtbot.keyClick(window, Qt.Key.Key_F11)
    assert window.is_welcoming
    assert not window.tree_dock.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_F11)
    assert window.is_welcoming
    assert not window.tree_dock.isVisible()


def test_a_lesson_that_is_left_gives_its_place_to_the_palette(application: Application) -> None:
    application.desktop.lessons.start("forgotten_tensor")
    assert application.window.compose_dock.tabs.currentIndex() == 1
    application.desktop.open_example("xor")
    assert application.window.compose_dock.tabs.currentIndex() == 0


def test_an_unrun_file_is_not_called_sound(
    qtbot: QtBot, application: Application, tmp_path: Path
) -> None:
    label = application.window.problems.findChild(object, "problems_empty_label")
    path = tmp_path / "model.py"
    path.write_text("import torch\n\n\ndef build():\n    return torch.nn.Linear(2, 1)\n")
    application.desktop.documents.open(path)
    assert "Nothing is judged yet" in label.text()
    application.desktop.open_example("xor")
    qtbot.waitUntil(lambda: "No problems found so far" in label.text(), timeout=15_000)


def help_text(application: Application) -> str:
    """What the page of help says, its title first."""
    sheet = application.window.findChild(QDialog, "sheet_topic")
    assert sheet is not None
    assert sheet.isVisible()
    return "\n".join([sheet.windowTitle(), *(one.text() for one in sheet.findChildren(QLabel))])


def test_f1_tells_of_the_selected_layer(qtbot: QtBot, application: Application) -> None:
    application.desktop.open_example("xor")
    application.selection.select_nodes({"fc1"})
    qtbot.keyClick(application.window, Qt.Key.Key_F1)
    text = help_text(application)
    assert text.startswith("Linear fc1")
    assert "x @ weight.T + bias" in text
    assert "in_features" in text
    assert "True (default)" in text


def test_f1_tells_of_the_states_of_the_selected_tensor_and_its_problem(
    qtbot: QtBot, application: Application
) -> None:
    application.desktop.lessons.start("forgotten_tensor")
    qtbot.waitUntil(lambda: bool(application.live.findings), timeout=15_000)
    application.selection.select_tensor("scale")
    qtbot.keyClick(application.window, Qt.Key.Key_F1)
    text = help_text(application)
    assert text.startswith("scale")
    assert "FORGOTTEN" in text
    assert "NOT STEPPED" in text
    assert "requires_grad=True" in text


def test_f1_without_a_selection_is_the_legend(qtbot: QtBot, application: Application) -> None:
    qtbot.keyClick(application.window, Qt.Key.Key_F1)
    sheet = application.window.findChild(QDialog, "sheet_legend")
    assert sheet is not None
    assert sheet.isVisible()


def test_everything_is_undone_at_once_and_redone_step_by_step(
    qtbot: QtBot, application: Application
) -> None:
    application.desktop.new()
    workspace = application.workspace
    before = workspace.document
    for name in ("one", "two", "three"):
        workspace.execute(ReplaceText(f"{workspace.document.source}# {name}\n"))
    changed = workspace.document
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    qtbot.keyClick(application.window, Qt.Key.Key_Z, keys)
    assert workspace.document == before
    assert not application.window.menus.actions["edit_undo_all"].isEnabled()
    for _ in range(3):
        workspace.redo()
    assert workspace.document == changed
