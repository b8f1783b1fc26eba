"""Work that a crash has left unsaved: it is found, shown and restored, or given up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QPushButton
from pytestqt.qtbot import QtBot

from paramscope.document.journal import Journal
from paramscope_gui.app import Application
from paramscope_gui.bridge.recovery import Recovery
from paramscope_gui.bridge.workspace import Workspace

SAVED = "import torch\nfrom torch import nn\n"
UNSAVED = SAVED + "width = 8\n"


@contextmanager
def window(qapp: QApplication, qtbot: QtBot, state: Path) -> Iterator[Application]:
    """The window, loaded; it closes without a question."""
    made = Application(qapp, state)
    made.themes.set_scheme("light")
    with qtbot.waitSignal(made.loaded, timeout=10_000):
        made.open_when_ready()
    yield made
    made.window.may_close = lambda: True
    made.window.close()
    made.window.deleteLater()
    made.deleteLater()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder."""
    return tmp_path / "state"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file that was changed, and the change not saved."""
    path = tmp_path / "model.py"
    path.write_text(SAVED)
    return path


@pytest.fixture
def left(state: Path, model: Path) -> Path:
    """The journal that a window which died has left."""
    journal = Journal(state / "journals" / "1-dead.journal", model, model.name, SAVED)
    journal.note(UNSAVED)
    journal.close()
    return journal.file


def press(qtbot: QtBot, application: Application, name: str) -> None:
    """Click a button of the dialog."""
    dialog = application.desktop.rescue.dialog
    assert dialog is not None
    found = dialog.findChild(QPushButton, name)
    assert found is not None, name
    assert found.isVisible()
    qtbot.mouseClick(found, Qt.MouseButton.LeftButton)


def test_what_was_left_is_shown_and_restored_as_one_step(
    qapp: QApplication, qtbot: QtBot, state: Path, model: Path, left: Path
) -> None:
    with window(qapp, qtbot, state) as application:
        dialog = application.desktop.rescue.dialog
        assert dialog is not None
        shown = dialog.findChild(QPlainTextEdit, "recovery_difference")
        assert shown is not None
        assert shown.toPlainText() == "+width = 8"
        assert application.workspace.document.source == ""  # nothing is opened by itself
        press(qtbot, application, "recovery_restore")
        workspace = application.workspace
        assert workspace.document.source == UNSAVED
        assert workspace.path == model
        assert workspace.is_dirty
        assert model.read_text() == SAVED
        assert not left.exists()
        assert application.desktop.rescue.dialog is None
        # A second crash now would lose nothing: it is noted anew.
        assert len(list((state / "journals").glob("*.journal"))) == 1
        workspace.undo()
        assert workspace.document.source == SAVED


def test_the_file_is_kept_and_not_asked_again(
    qapp: QApplication, qtbot: QtBot, state: Path, model: Path, left: Path
) -> None:
    with window(qapp, qtbot, state) as application:
        press(qtbot, application, "recovery_keep")
        assert application.desktop.rescue.dialog is None
        assert not application.window.menus.actions["file_recover"].isEnabled()
    assert model.read_text() == SAVED
    assert not left.exists()


def test_both_are_kept_by_a_copy(
    qapp: QApplication, qtbot: QtBot, state: Path, model: Path, left: Path
) -> None:
    with window(qapp, qtbot, state) as application:
        press(qtbot, application, "recovery_both")
        assert application.workspace.path is None
        assert application.workspace.name == "model (restored).py"
        assert application.workspace.document.source == UNSAVED
    assert model.read_text() == SAVED


def test_later_asks_again_from_the_menu_and_at_the_next_start(
    qapp: QApplication, qtbot: QtBot, state: Path, left: Path
) -> None:
    with window(qapp, qtbot, state) as application:
        press(qtbot, application, "recovery_later")
        entry = application.window.menus.actions["file_recover"]
        assert entry.isEnabled()
        entry.trigger()
        assert application.desktop.rescue.dialog is not None
    assert left.exists()
    with window(qapp, qtbot, state) as application:
        assert application.desktop.rescue.dialog is not None


def test_a_journal_whose_text_the_file_holds_is_cleared_away(
    qapp: QApplication, qtbot: QtBot, state: Path, model: Path, left: Path
) -> None:
    model.write_text(UNSAVED)
    with window(qapp, qtbot, state) as application:
        assert application.desktop.rescue.dialog is None
    assert not left.exists()


def test_the_journal_of_a_window_that_lives_is_not_offered(
    qapp: QApplication, qtbot: QtBot, state: Path, tmp_path: Path
) -> None:
    workspace = Workspace()
    other = Recovery(workspace, state)
    workspace.new(workspace.document, "other.py")
    with window(qapp, qtbot, state) as application:
        application.desktop.new()
        application.window.code.editor.setFocus()
        qtbot.keyClicks(application.window.code.editor, "# typed ")
        application.desktop.documents.recovery.note()
        assert list((state / "journals").glob("*.journal"))
        assert other.left_behind() == ()
    assert list((state / "journals").glob("*")) == []  # closed by its user's answer
    other.close()


def test_saving_ends_the_journal(
    qapp: QApplication, qtbot: QtBot, state: Path, tmp_path: Path
) -> None:
    with window(qapp, qtbot, state) as application:
        application.desktop.new()
        application.window.code.editor.setFocus()
        qtbot.keyClicks(application.window.code.editor, "# typed ")
        folder = state / "journals"
        qtbot.waitUntil(lambda: bool(list(folder.glob("*.journal"))))
        application.desktop.documents.ask_save = lambda _: str(tmp_path / "saved.py")
        assert application.desktop.documents.save()
        assert list(folder.glob("*.journal")) == []


def test_a_state_folder_that_cannot_be_written_is_told(
    qapp: QApplication, qtbot: QtBot, state: Path
) -> None:
    with window(qapp, qtbot, state) as application:
        (state / "journals").write_text("a file where a folder should be")
        application.desktop.new()
        application.window.code.editor.setFocus()
        qtbot.keyClicks(application.window.code.editor, "# typed ")
        notices = application.window.notices
        qtbot.waitUntil(lambda: notices.text_of("journal") is not None)
        assert "save often" in (notices.text_of("journal") or "")
