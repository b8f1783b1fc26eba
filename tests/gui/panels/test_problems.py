"""The list of problems: what is wrong, where it is, and the button that mends it."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from paramscope.document.document import Document
from paramscope.engine.protocol import Failed, Phase, Snapshot
from paramscope.rules.finding import Finding, OfferedEdit
from paramscope_gui.bridge.cures import help_of, keep_command
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.panels.problem_card import ProblemCard
from paramscope_gui.panels.problems import MOST_CARDS, ProblemsPanel
from paramscope_gui.theme import ThemeModel
from paramscope_gui.widgets import WrappedLabel

REGISTER = OfferedEdit("Register as Parameter", "register", "Net", "scale", 9)
FORGOTTEN = Finding(
    "REG01", "scale", "E", "`scale` never learns.", "A plain tensor.", 9, (REGISTER,)
)
WARNING = Finding("REG02", "hidden.weight", "W", "Perhaps wrong.", line=8)


@pytest.fixture
def panel(
    qtbot: QtBot, themes: ThemeModel, workspace: Workspace, selection: Selection, live: Live
) -> ProblemsPanel:
    """The list on the screen, without a problem yet."""
    made = ProblemsPanel(themes, workspace, selection, live)
    qtbot.addWidget(made)
    made.resize(480, 240)
    made.show()
    return made


def report(qtbot: QtBot, panel: ProblemsPanel, live: Live, *findings: Finding) -> None:
    """Let the worker report findings."""
    with qtbot.waitSignal(panel.count_changed):
        live.receive(Snapshot(revision=1, step=1, phase=Phase.IDLE, findings=findings))


def test_the_worst_stands_first_and_the_title_counts(
    qtbot: QtBot, panel: ProblemsPanel, live: Live
) -> None:
    with qtbot.waitSignal(panel.count_changed) as told:
        live.receive(Snapshot(revision=1, step=1, phase=Phase.IDLE, findings=(WARNING, FORGOTTEN)))
    assert told.args == [2]
    assert [problem.rule for problem in panel.problems] == ["REG01", "REG02"]


def test_a_click_on_register_makes_the_command(
    qtbot: QtBot, panel: ProblemsPanel, live: Live, workspace: Workspace
) -> None:
    report(qtbot, panel, live, FORGOTTEN)
    edit = panel.findChild(QPushButton, "problem_0_edit_register")
    assert edit is not None
    qtbot.mouseClick(edit, Qt.MouseButton.LeftButton)
    assert "self.scale = nn.Parameter(torch.ones(8))" in workspace.document.source


def test_a_click_on_a_problem_shows_its_line(
    qtbot: QtBot, panel: ProblemsPanel, live: Live
) -> None:
    report(qtbot, panel, live, FORGOTTEN)
    card = panel.findChild(QWidget, "problem_0")
    assert card is not None
    with qtbot.waitSignal(panel.line_requested) as told:
        qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    assert told.args == [9]
    with qtbot.waitSignal(panel.line_requested):
        qtbot.keyClick(card, Qt.Key.Key_Return)


def test_a_syntax_error_and_a_hole_are_listed(
    qtbot: QtBot, panel: ProblemsPanel, workspace: Workspace
) -> None:
    workspace.new(Document(workspace.document.source.replace("h * self.scale", "...")))
    assert [problem.rule for problem in panel.problems] == ["HOLE"]
    workspace.new(Document("def f(:\n"))
    assert [problem.rule for problem in panel.problems] == ["SYNTAX"]
    assert panel.problems[0].line == 1


def test_the_cause_of_a_workers_end_is_kept(qtbot: QtBot, panel: ProblemsPanel, live: Live) -> None:
    live.receive(Failed(0, "worker", "MemoryError", "out of memory", (), "Traceback ..."))
    live.receive(Failed(1, "worker", "SystemExit", "status 1", (), ""))
    qtbot.waitUntil(lambda: bool(panel.problems))
    assert [problem.rule for problem in panel.problems] == ["MemoryError"]


def test_hundreds_of_problems_show_the_first_ones(
    qtbot: QtBot, panel: ProblemsPanel, live: Live
) -> None:
    many = tuple(Finding("REG01", f"m{i}", "E", "Wrong.") for i in range(500))
    report(qtbot, panel, live, *many)
    assert len(panel.problems) == 500
    last = f"problem_{MOST_CARDS - 1}"
    qtbot.waitUntil(lambda: panel.findChild(QWidget, last) is not None, timeout=20_000)
    assert panel.findChild(QWidget, f"problem_{MOST_CARDS}") is None


def test_the_same_findings_again_leave_the_cards_alone(
    qtbot: QtBot, panel: ProblemsPanel, live: Live
) -> None:
    report(qtbot, panel, live, FORGOTTEN)
    card = panel.findChild(QWidget, "problem_0")
    live.receive(Snapshot(revision=1, step=2, phase=Phase.IDLE, findings=(FORGOTTEN,)))
    qtbot.waitUntil(lambda: live.step_count == 2)
    assert panel.findChild(QWidget, "problem_0") is card


def test_keep_writes_its_comment_and_can_be_undone(
    qtbot: QtBot, panel: ProblemsPanel, live: Live, workspace: Workspace
) -> None:
    before = workspace.document.source
    report(qtbot, panel, live, FORGOTTEN)
    keep = panel.findChild(QPushButton, "problem_0_edit_keep")
    assert keep is not None
    qtbot.mouseClick(keep, Qt.MouseButton.LeftButton)
    line = workspace.document.source.splitlines()[8]
    assert line.endswith("requires_grad=True)  # paramscope: keep REG01")
    assert workspace.undo_label == "Keep REG01"
    workspace.undo()
    assert workspace.document.source == before


def test_a_second_kept_rule_joins_the_first() -> None:
    source = "class Net:\n    def __init__(self):\n        self.a = f(\n            1)  # one\n"
    finding = Finding("REG01", "a", "E", "Wrong.", line=3)
    first = keep_command(finding, source)
    assert first is not None
    kept = first.apply(Document(source)).source
    assert kept.splitlines()[3] == "            1)  # one  # paramscope: keep REG01"
    second = keep_command(Finding("REG02", "a", "E", "Wrong.", line=3), kept)
    assert second is not None
    assert second.apply(Document(kept)).source.splitlines()[3].endswith("keep REG01 REG02")


def test_nothing_is_kept_where_the_comment_would_not_count() -> None:
    broken = Finding("REG01", "a", "E", "Wrong.", line=1)
    assert keep_command(broken, "def f(:\n") is None
    assert keep_command(Finding("REG01", "a", "E", "Wrong.", line=99), "a = 1\n") is None


def test_the_edit_of_a_rule_is_offered_and_made(
    qtbot: QtBot, panel: ProblemsPanel, live: Live, workspace: Workspace
) -> None:
    source = workspace.document.source.replace(
        "nn.Linear(2, 8)", "[nn.Linear(2, 8), nn.Linear(8, 8)]"
    )
    workspace.new(Document(source))
    report(qtbot, panel, live, Finding("REG04", "hidden", "E", "A list hides them.", line=8))
    edit = panel.findChild(QPushButton, "problem_0_edit_use_nn_modulelist")
    assert edit is not None
    qtbot.mouseClick(edit, Qt.MouseButton.LeftButton)
    assert "self.hidden = nn.ModuleList([nn.Linear(2, 8), nn.Linear(8, 8)])" in (
        workspace.document.source
    )


def test_a_rule_without_an_edit_shows_its_cure_in_words(
    qtbot: QtBot, panel: ProblemsPanel, live: Live
) -> None:
    report(qtbot, panel, live, Finding("GRA01", "nowhere", "W", "It never gets a gradient."))
    said = [label.text() for label in panel.findChildren(WrappedLabel)]
    assert help_of("GRA01") in said
    assert len(help_of("GRA01")) > 20


def test_more_than_a_few_are_grouped_and_filtered(
    qtbot: QtBot, panel: ProblemsPanel, live: Live
) -> None:
    many = [Finding("REG01", f"block.{i}.scale", "E", "Wrong.") for i in range(4)]
    report(qtbot, panel, live, *many, WARNING)

    def shown() -> set[str]:
        return {label.text() for label in panel.findChildren(QLabel) if label.isVisible()}

    qtbot.waitUntil(lambda: {"Errors 4", "Warnings 1"} <= shown())
    assert panel.filter.isVisible()
    qtbot.keyClicks(panel.filter, "block.2")

    def cards() -> list[str]:
        found = [one for one in panel.findChildren(ProblemCard) if one.isVisible()]
        return [card.accessibleName() for card in found]

    qtbot.waitUntil(lambda: cards() == ["REG01 block.2.scale: Wrong."])
    assert panel.findChild(QLabel, "problems_count").text() == "1 of 5"
    qtbot.keyClicks(panel.filter, " nonsense")
    qtbot.waitUntil(lambda: not cards())


def test_a_layer_that_will_not_fit_is_listed_before_anything_runs_and_mended(
    qtbot: QtBot, panel: ProblemsPanel, workspace: Workspace
) -> None:
    source = workspace.document.source
    workspace.new(Document(source.replace("nn.Linear(2, 8)", "nn.Linear(3, 8)")))
    (problem,) = panel.problems
    assert (problem.severity, problem.rule, problem.where) == ("W", "SHAPE", "hidden")
    assert problem.line == 13
    mend = panel.findChild(QPushButton, "problem_0_edit_repair")
    assert mend is not None
    assert mend.text() == "Set in_features=2"
    qtbot.mouseClick(mend, Qt.MouseButton.LeftButton)
    assert workspace.document.source == source
    assert panel.problems == ()
