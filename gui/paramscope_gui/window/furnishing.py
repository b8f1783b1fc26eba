"""Brings the canvas and the panels into the window: what is made, where it stands first.

Imported after the window's first paint, since all of this takes longer than showing it.
"""

import importlib

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QSplitter

from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.canvas.canvas import Canvas
from paramscope_gui.panels.code import CodePanel
from paramscope_gui.panels.command_palette import CommandPalette
from paramscope_gui.panels.lesson import LessonPanel
from paramscope_gui.panels.log import LogPanel
from paramscope_gui.panels.palette import PalettePanel
from paramscope_gui.panels.problems import ProblemsPanel
from paramscope_gui.panels.run_bar import RunBar
from paramscope_gui.panels.tensor import TensorPanel
from paramscope_gui.panels.tree import TreePanel
from paramscope_gui.theme import GRID
from paramscope_gui.widgets import EmptyState
from paramscope_gui.window.docks import Dock
from paramscope_gui.window.main import MainWindow
from paramscope_gui.window.menus import Menus


def furnish(window: MainWindow, workspace: Workspace, selection: Selection, live: Live) -> None:
    """Make everything that shows the document and its run, and connect it."""
    window.workspace, window.selection, window.live = workspace, selection, live
    _make_panels(window)
    window.menus = Menus(window)
    _make_work_page(window)
    _make_docks(window)
    window.menus.add_docks(window.docks)
    _connect(window)
    window.be_furnished()


def add_plots(window: MainWindow) -> None:
    """Put the plots in their place; their library takes longest to load."""
    module = importlib.import_module("paramscope_gui.panels.loss")
    window.loss = module.LossPanel(window.themes, window.live)
    window.loss_dock.set_page(0, window.loss)


def _make_panels(window: MainWindow) -> None:
    themes, workspace = window.themes, window.workspace
    selection, live = window.selection, window.live
    window.canvas = Canvas(workspace, selection, live, themes)
    window.code = CodePanel(themes, workspace, selection, live)
    window.tree = TreePanel(themes, workspace, selection, live)
    window.tensor = TensorPanel(themes, selection, live)
    window.problems = ProblemsPanel(themes, workspace, selection, live)
    window.log = LogPanel(themes, workspace, live)
    window.palette_panel = PalettePanel(themes)
    window.lesson = LessonPanel(themes)
    window.loss = EmptyState(themes, "loss_loading", "")
    window.command_palette = CommandPalette(themes, window)


def _make_work_page(window: MainWindow) -> None:
    window.run_bar = RunBar(window.themes, window.live, window.menus.run_actions)
    window.run_bar.hide()
    window.head.addWidget(window.run_bar)
    splitter = window.splitter = QSplitter(Qt.Orientation.Vertical)
    splitter.setObjectName("center_splitter")
    splitter.setHandleWidth(1)
    splitter.setChildrenCollapsible(False)
    splitter.addWidget(window.canvas)
    splitter.addWidget(window.code)
    window.canvas.setMinimumSize(QSize(20 * GRID, 12 * GRID))
    window.code.setMinimumSize(QSize(20 * GRID, 8 * GRID))
    splitter.setStretchFactor(0, 3)
    splitter.setStretchFactor(1, 2)
    window.pages.addWidget(splitter)


def _make_docks(window: MainWindow) -> None:
    themes = window.themes
    wide, narrow = QSize(40 * GRID, 16 * GRID), QSize(20 * GRID, 20 * GRID)
    low = QSize(40 * GRID, 12 * GRID)
    window.compose_dock = Dock(
        themes, "compose", [("Palette", window.palette_panel), ("Lesson", window.lesson)], narrow
    )
    window.tree_dock = Dock(themes, "tensors", [("Tensors", window.tree)], wide)
    window.tensor_dock = Dock(themes, "tensor", [("Selected tensor", window.tensor)], low)
    window.loss_dock = Dock(themes, "loss", [("Loss and metrics", window.loss)], wide)
    window.problems_dock = Dock(
        themes, "problems", [("Problems", window.problems), ("Log", window.log)], wide
    )


def _connect(window: MainWindow) -> None:
    def show_title() -> None:
        window.setWindowTitle(f"{window.workspace.name}[*] – Paramscope")
        window.setWindowModified(window.workspace.is_dirty)

    def show_count(count: int) -> None:
        window.problems_dock.set_title(0, f"Problems {count}" if count else "Problems")

    window.workspace.document_changed.connect(show_title)
    window.workspace.saved.connect(show_title)
    window.problems.count_changed.connect(show_count)
    window.problems.line_shown.connect(window.code.editor.go_to_line)
    window.problems.requested.connect(lambda: window.problems_dock.show_page(0))
    window.selection.changed.connect(window.make_room_for_tensor)
    for panel in (window.tree, window.problems, window.log):
        panel.line_requested.connect(window.code.go_to_line)
    window.run_bar.pace.line_requested.connect(window.code.go_to_line)
    window.menus.add_mode(window.run_bar.pace.explain)
    window.lesson.lessons_requested.connect(window.show_welcome)
