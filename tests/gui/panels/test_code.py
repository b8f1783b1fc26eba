"""The code view and the document are one text; nothing typed is lost."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from paramscope.code.commands import Register
from paramscope.code.graph import Span
from paramscope.document.document import Document
from paramscope.engine.protocol import Failed, Phase, Snapshot, TracebackLine
from paramscope.rules.finding import Finding
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.panels import code_lexer
from paramscope_gui.panels.code import CodePanel, editor_text, with_line_ends
from paramscope_gui.panels.code_lexer import ROOT, LineLexer
from paramscope_gui.theme import ThemeModel


@pytest.fixture
def panel(
    qtbot: QtBot, themes: ThemeModel, workspace: Workspace, selection: Selection, live: Live
) -> CodePanel:
    """The code view of the workspace, on the screen and focused."""
    made = CodePanel(themes, workspace, selection, live)
    qtbot.addWidget(made, before_close_func=lambda _: made.close_timers())
    made.resize(640, 400)
    made.show()
    made.editor.setFocus()
    return made


def test_typing_becomes_a_command(qtbot: QtBot, panel: CodePanel, workspace: Workspace) -> None:
    panel.editor.go_to_line(1)
    qtbot.keyClicks(panel.editor, "  # first")
    qtbot.waitUntil(lambda: workspace.document.source.startswith("import torch  # first\n"))
    assert workspace.undo_label is not None
    workspace.undo()
    assert panel.editor.text().startswith("import torch\n")


def test_a_burst_of_typing_is_one_undo_step(
    qtbot: QtBot, panel: CodePanel, workspace: Workspace
) -> None:
    before = workspace.document.source
    panel.editor.go_to_line(1)
    for text in ("  #", " a", "b"):
        qtbot.keyClicks(panel.editor, text)
        panel.flush()
    workspace.undo()
    assert workspace.document.source == before


def test_a_syntax_error_keeps_the_graph_and_the_text(
    qtbot: QtBot, panel: CodePanel, workspace: Workspace
) -> None:
    graphs = workspace.program.graphs
    panel.editor.go_to_line(8)
    qtbot.keyClicks(panel.editor, " + (")
    panel.flush()
    assert workspace.program.graphs == graphs
    assert "self.hidden = nn.Linear(2, 8) + (" in panel.editor.text()
    error = workspace.source_error
    assert error is not None
    assert panel.editor.marks[error.span.line].role == "vermilion"


def test_what_is_typed_last_is_in_the_document_before_another_command(
    qtbot: QtBot, panel: CodePanel, workspace: Workspace
) -> None:
    panel.editor.go_to_line(1)
    qtbot.keyClicks(panel.editor, "  # kept")
    workspace.execute(Register("Net", "scale"))
    assert workspace.document.source.startswith("import torch  # kept\n")
    assert "nn.Parameter(torch.ones(8))" in panel.editor.text()


def test_a_command_changes_only_the_lines_that_differ(
    panel: CodePanel, workspace: Workspace
) -> None:
    panel.editor.go_to_line(3)
    workspace.execute(Register("Net", "scale"))
    assert panel.editor.textCursor().blockNumber() == 2
    assert panel.editor.text() == workspace.document.source


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_the_file_stay_as_they_are(end: str) -> None:
    source = end.join(["a = 1", "b = 2", "c = 3", ""])
    shown = editor_text(source)
    assert shown == "a = 1\nb = 2\nc = 3\n"
    typed = shown.replace("b = 2\n", "b = 2\nx = 5\n")
    assert with_line_ends(source, typed) == end.join(["a = 1", "b = 2", "x = 5", "c = 3", ""])
    assert with_line_ends(source, shown) == source


def test_mixed_line_ends_stay_where_nothing_was_typed() -> None:
    source = "a\r\nb\nc\r\n"
    assert with_line_ends(source, "a\nb!\nc\n") == "a\r\nb!\r\nc\r\n"


def test_unusual_characters_survive(panel: CodePanel, workspace: Workspace) -> None:
    source = "x = 'a\u00a0b'  # \U0001f600 caf\u00e9\n"
    workspace.new(Document(source))
    assert panel.editor.text() == source
    panel.flush()
    assert workspace.document.source == source


def test_an_exception_is_marked_at_its_line(
    qtbot: QtBot, panel: CodePanel, workspace: Workspace, live: Live
) -> None:
    live.run_document()
    frame = TracebackLine(workspace.filename, "forward", Span(13, 8, 13, 30), "h = ...")
    live.receive(Failed(1, "forward", "RuntimeError", "sizes differ", (frame,), "Traceback"))
    qtbot.waitUntil(lambda: 13 in panel.editor.marks)
    assert panel.editor.marks[13].message == "RuntimeError: sizes differ"


def test_moving_the_cursor_selects_the_node(
    qtbot: QtBot, panel: CodePanel, selection: Selection
) -> None:
    qtbot.waitUntil(panel.editor.hasFocus)
    panel.editor.go_to_line(8)
    assert selection.nodes == {"hidden"}


def test_return_keeps_the_indentation(qtbot: QtBot, panel: CodePanel) -> None:
    panel.editor.go_to_line(6)
    qtbot.keyClick(panel.editor, Qt.Key.Key_Return)
    qtbot.keyClicks(panel.editor, "x = 1")
    qtbot.keyClick(panel.editor, Qt.Key.Key_Return)
    qtbot.keyClicks(panel.editor, "y = 2")
    assert "    def __init__(self):\n        x = 1\n        y = 2\n" in panel.editor.text()


def test_find_goes_through_the_places_and_starts_over(qtbot: QtBot, panel: CodePanel) -> None:
    panel.find_bar.open()
    qtbot.keyClicks(panel.find_bar.field, "return")
    lines = []
    for _ in range(5):
        qtbot.keyClick(panel.find_bar.field, Qt.Key.Key_Return)
        lines.append(panel.editor.textCursor().blockNumber() + 1)
    assert lines[0] == lines[4] or len(set(lines)) >= 4
    qtbot.keyClick(panel.find_bar.field, Qt.Key.Key_Escape)
    assert not panel.find_bar.isVisible()


def test_the_worst_finding_of_a_line_is_the_one_at_its_margin(
    qtbot: QtBot, panel: CodePanel, live: Live
) -> None:
    found = (
        Finding("REG01", "scale", "E", "`scale` never learns.", line=9),
        Finding("REG02", "scale", "H", "Perhaps.", line=9),
        Finding("REG05", "hidden", "H", "Perhaps.", line=8),
    )
    live.receive(Snapshot(revision=1, step=1, phase=Phase.IDLE, findings=found))
    qtbot.waitUntil(lambda: 9 in panel.editor.marks)
    assert panel.editor.marks[9].message == "scale never learns."
    assert panel.editor.marks[9].role == "vermilion"
    assert panel.editor.marks[8].role == "blue"


def test_the_short_cut_of_the_lexer_colours_as_pygments_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lexer = LineLexer()
    folder = Path(code_lexer.__file__).parents[1]
    stack = whole_stack = ROOT
    for line in "\n".join(file.read_text() for file in folder.glob("*/*.py")).split("\n"):
        pieces, stack = lexer.read(line, stack)
        with monkeypatch.context() as patch:
            patch.setattr(code_lexer, "_PLAIN", lambda *_: None)
            patch.setattr(code_lexer, "_NAME", lambda *_: None)
            whole, whole_stack = lexer.read(line, whole_stack)
        assert (pieces, stack) == (whole, whole_stack), line
