"""The tree of tensors: groups, states, filter, selection, menus, and many rows."""

from PySide6.QtCore import QAbstractItemModel, QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QLabel, QMenu, QPushButton
from pytestqt.qtbot import QtBot

from paramscope.census.rows import Gradient, Kind, Statistics, Stepping, TensorRow
from paramscope.code.commands import Register
from paramscope.engine.protocol import Phase, Snapshot
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.panels.tensor_delegate import bar_share
from paramscope_gui.panels.tensor_model import Column, Filter, TensorModel
from paramscope_gui.panels.tree import TreePanel
from paramscope_gui.theme import ThemeModel


def statistics(norm: float) -> Statistics:
    """Return statistics with a norm."""
    return Statistics(norm, 0.0, -norm, norm, 0, 0)


ROWS = (
    TensorRow(
        "hidden.weight",
        Kind.PARAMETER,
        (8, 2),
        "float32",
        True,
        owner="hidden",
        owner_class="Linear",
        gradient=Gradient.FLOWS,
        stepping=Stepping.IN_OPTIMIZER,
        group=0,
        gradient_statistics=statistics(0.5),
    ),
    TensorRow(
        "hidden.bias",
        Kind.PARAMETER,
        (8,),
        "float32",
        True,
        owner="hidden",
        owner_class="Linear",
        gradient=Gradient.UNUSED,
        stepping=Stepping.IN_OPTIMIZER,
        group=0,
    ),
    TensorRow("mask", Kind.BUFFER, (8,), "float32", False, owner_class="Net", line=12),
    TensorRow(
        "scale",
        Kind.FORGOTTEN_TENSOR,
        (8,),
        "float32",
        True,
        owner_class="Net",
        gradient=Gradient.FLOWS,
        stepping=Stepping.NOT_STEPPED,
        line=9,
    ),
)


def texts(model: QAbstractItemModel, parent: QModelIndex) -> list[str]:
    """Return the first column below an index."""
    return [model.index(row, 0, parent).data() for row in range(model.rowCount(parent))]


def test_groups_are_modules_and_forgotten_tensors_stand_on_top(qapp: object) -> None:
    model = TensorModel()
    model.show_rows({row.path: row for row in ROWS})
    assert texts(model, QModelIndex()) == ["Net", "hidden"]
    assert texts(model, model.index(0, 0)) == ["scale", "mask"]
    assert texts(model, model.index(1, 0)) == ["weight", "bias"]


def test_a_row_says_its_states_in_words(qapp: object) -> None:
    model = TensorModel()
    model.show_rows({row.path: row for row in ROWS})
    index = model.index_of("scale")
    words = [index.siblingAtColumn(column).data() for column in Column]
    assert words == ["scale", "FORGOTTEN", "8", "flows", "not stepped"]


def test_the_model_keeps_qts_rules(qapp: object) -> None:
    model = TensorModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Warning)
    model.show_rows({row.path: row for row in ROWS})
    model.set_filter("scale")
    model.show_rows({row.path: row for row in ROWS[:2]})
    assert tester.model() is model


def test_new_numbers_are_no_new_structure(qapp: object) -> None:
    model = TensorModel()
    assert model.show_rows({row.path: row for row in ROWS})
    assert not model.show_rows({row.path: row for row in ROWS})
    assert model.show_rows({row.path: row for row in ROWS[1:]})


def test_the_filter_asks_for_states_and_names() -> None:
    def found(text: str) -> list[str]:
        return [row.path for row in ROWS if Filter(text).matches(row)]

    assert found("state:unused") == ["hidden.bias"]
    assert found("kind:buffer") == ["mask"]
    assert found("state:forgotten") == ["scale"]
    assert found("hidden weight") == ["hidden.weight"]
    assert found("state:notstepped") == ["scale"]
    assert len(found("")) == 4


def test_a_bar_grows_with_the_logarithm_of_the_norm() -> None:
    assert bar_share(0.0) == 0.0
    assert bar_share(float("nan")) == 0.0
    assert bar_share(float("inf")) == 1.0
    assert 0 < bar_share(1e-6) < bar_share(1e-3) < bar_share(1.0) < 1.0


def make_panel(
    qtbot: QtBot, themes: ThemeModel, workspace: Workspace, selection: Selection, live: Live
) -> TreePanel:
    """Return the panel on the screen with the rows shown."""
    panel = TreePanel(themes, workspace, selection, live)
    qtbot.addWidget(panel, before_close_func=lambda _: panel.close_timers())
    panel.resize(416, 360)
    panel.show()
    live.receive(Snapshot(revision=1, step=1, phase=Phase.IDLE, tensors=ROWS))
    qtbot.waitUntil(lambda: panel.model.rowCount() > 0)
    return panel


def test_clicking_a_row_selects_the_tensor_everywhere(
    qtbot: QtBot, themes: ThemeModel, workspace: Workspace, selection: Selection, live: Live
) -> None:
    panel = make_panel(qtbot, themes, workspace, selection, live)
    place = panel.view.visualRect(panel.model.index_of("hidden.weight")).center()
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert selection.tensor == "hidden.weight"
    assert selection.nodes == {"hidden"}


def test_a_tensor_selected_elsewhere_is_shown(
    qtbot: QtBot, themes: ThemeModel, workspace: Workspace, selection: Selection, live: Live
) -> None:
    panel = make_panel(qtbot, themes, workspace, selection, live)
    selection.select_tensor("scale")
    assert panel.model.path_at(panel.view.currentIndex()) == "scale"


def test_typing_a_filter_leaves_what_matches(
    qtbot: QtBot, themes: ThemeModel, workspace: Workspace, selection: Selection, live: Live
) -> None:
    panel = make_panel(qtbot, themes, workspace, selection, live)
    qtbot.keyClicks(panel.filter, "state:unused")
    assert texts(panel.model, QModelIndex()) == ["hidden"]
    assert texts(panel.model, panel.model.index(0, 0)) == ["bias"]
    panel.filter.clear()
    assert panel.model.rowCount() == 2


def test_a_filter_that_nothing_matches_says_so_and_can_be_cleared(
    qtbot: QtBot, themes: ThemeModel, workspace: Workspace, selection: Selection, live: Live
) -> None:
    panel = make_panel(qtbot, themes, workspace, selection, live)
    qtbot.keyClicks(panel.filter, "state:exploding")
    label = panel.findChild(QLabel, "tensors_unmatched_empty_label")
    assert label is not None
    assert label.isVisible()
    assert "matches “state:exploding”." in label.text()
    clear = panel.findChild(QPushButton, "tensors_unmatched_empty_button")
    assert clear is not None
    qtbot.mouseClick(clear, Qt.MouseButton.LeftButton)
    assert panel.filter.text() == ""
    assert panel.view.isVisible()


def test_the_menu_registers_a_forgotten_tensor(
    qtbot: QtBot, themes: ThemeModel, workspace: Workspace, selection: Selection, live: Live
) -> None:
    panel = make_panel(qtbot, themes, workspace, selection, live)
    menu = panel.menu_for(panel.model.index_of("scale"))
    assert isinstance(menu, QMenu)
    actions = {action.objectName(): action for action in menu.actions()}
    assert not actions["tensor_unregister"].isEnabled()
    actions["tensor_register"].trigger()
    assert "self.scale = nn.Parameter(torch.ones(8))" in workspace.document.source
    with qtbot.waitSignal(panel.line_requested) as told:
        actions["tensor_go_to_line"].trigger()
    assert told.args == [9]
    menu.close()


def test_only_visible_rows_are_repainted_in_a_tree_of_thousands(
    qtbot: QtBot, themes: ThemeModel, workspace: Workspace, selection: Selection, live: Live
) -> None:
    panel = make_panel(qtbot, themes, workspace, selection, live)
    rows = tuple(
        TensorRow(f"m{i // 4}.p{i}", Kind.PARAMETER, (2,), "float32", True, owner=f"m{i // 4}")
        for i in range(20_000)
    )
    live.receive(Snapshot(revision=1, step=2, phase=Phase.IDLE, tensors=rows))
    qtbot.waitUntil(lambda: panel.model.rowCount() == 5_000)
    assert 0 < len(panel.view.visible_indices()) < 30


def test_what_a_list_holds_stands_in_groups_of_its_own(qapp: object) -> None:
    rows = [
        TensorRow(path, Kind.FORGOTTEN_PARAMETER, (4,), "float32", True, owner_class="Net")
        for path in ("blocks.0.norm.weight", "blocks.0.norm.bias", "blocks.1.norm.weight")
    ]
    model = TensorModel()
    model.show_rows({row.path: row for row in rows})
    assert texts(model, QModelIndex()) == ["blocks.0.norm", "blocks.1.norm"]
    assert texts(model, model.index(0, 0)) == ["weight", "bias"]
    assert model.longest_name == "weight"


def test_the_menu_freezes_a_parameter_and_lets_it_train_again(
    qtbot: QtBot, themes: ThemeModel, workspace: Workspace, selection: Selection, live: Live
) -> None:
    panel = make_panel(qtbot, themes, workspace, selection, live)
    workspace.execute(Register("Net", "scale"))
    registered = workspace.document.source
    row = TensorRow("scale", Kind.PARAMETER, (8,), "float32", True, owner_class="Net", line=9)
    live.receive(Snapshot(revision=1, step=2, phase=Phase.IDLE, tensors=(row,)))
    qtbot.waitUntil(lambda: panel.model.row_at(panel.model.index_of("scale")) == row)
    for words, is_written in (("Freeze", True), ("Unfreeze", False)):
        menu = panel.menu_for(panel.model.index_of("scale"))
        assert isinstance(menu, QMenu)
        action = {one.objectName(): one for one in menu.actions()}["tensor_freeze"]
        assert action.text() == words
        action.trigger()
        assert ("self.scale.requires_grad_(False)" in workspace.document.source) is is_written
        menu.close()
    assert workspace.document.source == registered


def test_keys_do_in_the_tree_what_they_do_on_the_canvas(
    qtbot: QtBot, themes: ThemeModel, workspace: Workspace, selection: Selection, live: Live
) -> None:
    panel = make_panel(qtbot, themes, workspace, selection, live)
    selection.select_tensor("scale")
    qtbot.keyClick(panel.view, Qt.Key.Key_R)
    assert "self.scale = nn.Parameter(torch.ones(8))" in workspace.document.source
    before = workspace.document.source
    row = TensorRow("scale", Kind.PARAMETER, (8,), "float32", True, owner_class="Net", line=9)
    live.receive(Snapshot(revision=1, step=2, phase=Phase.IDLE, tensors=(row,)))
    qtbot.waitUntil(lambda: panel.model.row_at(panel.model.index_of("scale")) == row)
    panel.view.setCurrentIndex(panel.model.index_of("scale"))
    qtbot.keyClick(panel.view, Qt.Key.Key_Z)
    assert "self.scale.requires_grad_(False)" in workspace.document.source
    qtbot.keyClick(panel.view, Qt.Key.Key_Z)
    assert workspace.document.source == before
