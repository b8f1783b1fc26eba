"""Files: opened without running them, saved on demand, never overwritten in silence."""

import os
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from paramscope.engine.protocol import RunState
from paramscope_gui.app import Application
from paramscope_gui.bridge.presence import Presence
from paramscope_gui.window.documents import CANCEL, DISCARD, SAVE

CANARY = """import torch
from torch import nn

open({path!r}, "w").write("it ran")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def forward(self, x):
        return self.fc(x)


def build():
    return Net()


def batch():
    return torch.randn(4, 2), torch.randn(4, 1)


def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)
"""


@pytest.fixture
def canary(tmp_path: Path) -> tuple[Path, Path]:
    """A file that leaves a trace when it is run, and where the trace would be."""
    trace = tmp_path / "trace"
    path = tmp_path / "model.py"
    path.write_text(CANARY.format(path=str(trace)))
    return path, trace


def click(qtbot: QtBot, application: Application, name: str) -> None:
    """Click the button of this name."""
    found = application.window.findChild(QPushButton, name)
    assert found is not None, name
    qtbot.mouseClick(found, Qt.MouseButton.LeftButton)


def test_an_opened_file_is_drawn_and_runs_only_when_the_user_says_so(
    qtbot: QtBot, application: Application, canary: tuple[Path, Path]
) -> None:
    path, trace = canary
    assert application.desktop.documents.open(path)
    assert "Net" in application.workspace.program.graphs
    qtbot.waitUntil(lambda: application.live.state is RunState.EMPTY, timeout=10_000)
    assert not trace.exists()
    click(qtbot, application, "notice_trust_0")
    qtbot.waitUntil(lambda: bool(application.live.rows), timeout=15_000)
    assert trace.exists()
    assert application.settings.is_trusted(path)
    assert application.window.notices.text_of("trust") is None


def test_what_ran_before_ends_when_a_file_waits_for_consent(
    qtbot: QtBot, application: Application, canary: tuple[Path, Path]
) -> None:
    application.desktop.open_example("xor")
    qtbot.waitUntil(lambda: bool(application.live.rows), timeout=15_000)
    application.live.play()
    qtbot.waitUntil(lambda: application.live.step_count > 3, timeout=15_000)
    application.desktop.documents.open(canary[0])
    qtbot.waitUntil(lambda: application.live.state is RunState.EMPTY, timeout=10_000)
    assert application.live.rows == {}
    assert not canary[1].exists()


def test_pressing_play_is_consent(
    qtbot: QtBot, application: Application, canary: tuple[Path, Path]
) -> None:
    path, trace = canary
    application.desktop.documents.open(path)
    qtbot.keyClick(application.window, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: application.live.step_count > 3, timeout=15_000)
    assert trace.exists()


def test_saving_writes_the_file_and_clears_the_mark(
    qtbot: QtBot, application: Application, tmp_path: Path
) -> None:
    documents, workspace = application.desktop.documents, application.workspace
    application.desktop.new()
    application.window.code.editor.go_to_line(1)
    application.window.code.editor.setFocus()
    qtbot.keyClicks(application.window.code.editor, "  # mine")
    target = tmp_path / "saved.py"
    documents.ask_save = lambda _: str(target)
    assert documents.save()
    assert "  # mine" in target.read_text()
    assert not workspace.is_dirty
    assert "saved.py" in application.window.windowTitle()
    assert documents.recent[0] == target


@pytest.mark.parametrize(("answer", "goes"), [(CANCEL, False), (DISCARD, True), (SAVE, True)])
def test_unsaved_changes_are_asked_for(
    qtbot: QtBot, application: Application, tmp_path: Path, answer: str, goes: bool
) -> None:
    documents = application.desktop.documents
    application.desktop.new()
    application.window.code.editor.setFocus()
    qtbot.keyClicks(application.window.code.editor, "# typed ")
    documents.ask_unsaved = lambda _: answer
    documents.ask_save = lambda _: str(tmp_path / "kept.py")
    assert documents.may_leave() is goes
    assert (tmp_path / "kept.py").exists() is (answer == SAVE)


def test_a_file_changed_outside_is_offered_not_taken(
    qtbot: QtBot, application: Application, canary: tuple[Path, Path]
) -> None:
    path, _ = canary
    application.desktop.documents.open(path)
    path.write_text(path.read_text().replace("Linear(2, 1)", "Linear(2, 1, bias=False)"))
    notices = application.window.notices
    qtbot.waitUntil(lambda: notices.text_of("outside") is not None)
    assert "bias=False" not in application.workspace.document.source
    click(qtbot, application, "notice_outside_0")
    assert "bias=False" in application.workspace.document.source


def change_code(qtbot: QtBot, application: Application, line: int, text: str) -> None:
    """Type at the beginning of a line."""
    editor = application.window.code.editor
    editor.go_to_line(line)
    editor.setFocus()
    qtbot.keyClick(editor, Qt.Key.Key_Home)
    qtbot.keyClicks(editor, text)
    application.workspace.flush()


def test_a_change_from_outside_is_merged_with_mine_and_undo_takes_it_back(
    qtbot: QtBot, application: Application, canary: tuple[Path, Path]
) -> None:
    path, _ = canary
    application.desktop.documents.open(path)
    change_code(qtbot, application, 1, "# mine ")
    mine = application.workspace.document.source
    path.write_text(path.read_text().replace("lr=0.1", "lr=0.2"))
    notices = application.window.notices
    qtbot.waitUntil(lambda: notices.text_of("outside") is not None)
    click(qtbot, application, "notice_outside_0")
    source = application.workspace.document.source
    assert "# mine import torch" in source
    assert "lr=0.2" in source
    assert application.workspace.is_dirty
    application.workspace.undo()
    assert application.workspace.document.source == mine
    application.workspace.redo()
    assert application.desktop.documents.save()
    assert path.read_text() == source


def test_a_reload_over_my_changes_of_the_same_line_can_be_undone(
    qtbot: QtBot, application: Application, canary: tuple[Path, Path]
) -> None:
    path, _ = canary
    application.desktop.documents.open(path)
    change_code(qtbot, application, 1, "# mine ")
    theirs = path.read_text().replace("import torch\n", "import torch  # theirs\n", 1)
    path.write_text(theirs)
    notices = application.window.notices
    qtbot.waitUntil(lambda: notices.text_of("outside") is not None)
    assert "same lines" in (notices.text_of("outside") or "")
    click(qtbot, application, "notice_outside_0")
    assert application.workspace.document.source == theirs
    assert not application.workspace.is_dirty
    application.workspace.undo()
    assert "# mine" in application.workspace.document.source


def test_saving_never_overwrites_what_another_program_wrote(
    qtbot: QtBot, application: Application, canary: tuple[Path, Path]
) -> None:
    path, _ = canary
    application.desktop.documents.open(path)
    change_code(qtbot, application, 1, "# mine ")
    path.write_text("theirs = 1\n")
    assert not application.desktop.documents.save()
    assert path.read_text() == "theirs = 1\n"
    click(qtbot, application, "notice_outside_1")  # keep mine
    assert application.desktop.documents.save()
    assert "# mine" in path.read_text()


def test_a_second_window_on_one_file_is_told(
    qtbot: QtBot, application: Application, canary: tuple[Path, Path]
) -> None:
    path, _ = canary
    other = Presence(application.settings.folder)
    assert other.claim(path) is None
    application.desktop.documents.open(path)
    assert "another window" in (application.window.notices.text_of("elsewhere") or "")
    other.release()
    application.desktop.documents.open(path)
    assert application.window.notices.text_of("elsewhere") is None
    assert other.claim(path) == os.getpid()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x = '\xe9'\n", "not UTF-8"),
        (b"\x00\x01\x02", "NUL"),
        (b"# " + b"x" * 100_000_000, "100.0 MB"),
    ],
    ids=["latin-1", "binary", "100 MB"],
)
def test_a_file_that_cannot_be_opened_is_a_clear_message(
    application: Application, tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "odd.py"
    path.write_bytes(content)
    before = application.workspace.document
    assert not application.desktop.documents.open(path)
    text = application.window.notices.text_of("file")
    assert text is not None
    assert words in text
    assert application.workspace.document == before


def test_a_file_that_is_no_python_opens_as_text(application: Application, tmp_path: Path) -> None:
    path = tmp_path / "notes.py"
    path.write_text("These are notes, not code.\n")
    assert application.desktop.documents.open(path)
    assert application.window.code.editor.text() == "These are notes, not code.\n"
    assert application.workspace.source_error is not None
    assert isinstance(application.window.findChild(QWidget, "problem_0"), QWidget)
