"""Every action of the window, and the menus they stand in. An entry that can do nothing is grey.

The actions belong to the window; what they do is asked of it, of the workspace or of the run.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu

from paramscope.engine.protocol import RunState
from paramscope_gui.theme import icon
from paramscope_gui.window.docks import Dock

if TYPE_CHECKING:
    from paramscope_gui.window.main import MainWindow

Shortcuts = Sequence[str]
SCHEMES = (
    ("light", "Light colours"),
    ("dark", "Dark colours"),
    ("system", "Colours of the system"),
)


class Menus:
    """The menus' entries. ``documents`` and the canvas add their entries when they are there."""

    def __init__(self, window: "MainWindow") -> None:
        self._window = window
        self._icons: list[tuple[QAction, str, str]] = []
        self.actions: dict[str, QAction] = {}
        self.file = self._menu("file")
        self.edit = self._menu("edit")
        self.view = self._menu("view")
        self.run = self._menu("run")
        self.help = self._menu("help")
        self._fill_run()
        self._fill_edit()
        self.run_actions: tuple[QAction, ...] = tuple(
            self.actions[name]
            for name in ("run_play", "run_step", "run_phase", "run_reset", "run_stop")
        )
        window.workspace.document_changed.connect(self._show_edit)
        window.live.state_changed.connect(self._show_run)
        window.themes.changed.connect(self._dress)
        self._dress()
        self._show_edit()
        self._show_run()

    def add(
        self,
        menu: QMenu,
        name: str,
        text: str,
        on_trigger: Callable[[], object],
        shortcuts: Shortcuts = (),
        *,
        sign: str = "",
        before: QAction | None = None,
    ) -> QAction:
        """Add an entry to a menu and return its action."""
        action = QAction(text, self._window)
        action.setObjectName(name)
        action.setShortcuts([QKeySequence(keys) for keys in shortcuts])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        plain = text.replace("&", "").rstrip(".")
        action.setToolTip(f"{plain} ({keys})" if keys else plain)
        action.triggered.connect(lambda: on_trigger())
        if before is None:
            menu.addAction(action)
        else:
            menu.insertAction(before, action)
        self._window.addAction(action)
        self.actions[name] = action
        if sign:
            self._icons.append((action, sign, "text"))
        return action

    def add_docks(self, docks: Sequence[Dock]) -> None:
        """Fill the View menu."""
        window = self._window
        problems = window.problems
        self.add(self.view, "next_problem", "Next problem", partial(problems.step, True), ["F4"])
        self.add(
            self.view,
            "previous_problem",
            "Previous problem",
            partial(problems.step, False),
            ["Shift+F4"],
        )
        self.view.addSeparator()
        for dock in docks:
            action = dock.toggleViewAction()
            action.setObjectName(f"view_{dock.objectName()}")
            self.view.addAction(action)
            self.actions[action.objectName()] = action
        code = self.add(self.view, "view_code", "Code", self._toggle_code)
        code.setCheckable(True)
        code.setChecked(True)
        self.add(self.view, "view_reset", "Reset the arrangement", window.reset_arrangement)
        self.add(self.view, "view_welcome", "Welcome page", window.show_welcome)
        self.view.addSeparator()
        group = QActionGroup(window)
        for scheme, text in SCHEMES:
            action = self.add(self.view, f"view_{scheme}", text, partial(self._set_scheme, scheme))
            action.setCheckable(True)
            action.setChecked(window.themes.scheme == scheme)
            group.addAction(action)
        self.view.addSeparator()
        self.add(
            self.view, "view_larger", "Larger type", lambda: self._scale(1.15), ["Ctrl+Shift+="]
        )
        self.add(
            self.view,
            "view_smaller",
            "Smaller type",
            lambda: self._scale(1 / 1.15),
            ["Ctrl+Shift+-"],
        )

    def add_mode(self, explain: Callable[[], None]) -> None:
        """Add the entry that tells of the mode in which steps run."""
        action = self.add(self.run, "run_mode", "Why this mode...", explain)
        action.setToolTip("In which mode steps run, why, and what would change that")
        self._show_mode()
        self._window.live.snapshot_arrived.connect(self._show_mode)
        self._window.live.state_changed.connect(self._show_mode)

    def add_canvas(self, actions: Callable[[str], Sequence[QAction]]) -> None:
        """Add what the canvas can do: its actions by menu name."""
        for name, menu in (("add", self.edit), ("edit", self.edit), ("view", self.view)):
            menu.addSeparator()
            for action in actions(name):
                menu.addAction(action)
                self.actions[action.objectName()] = action
        for name, title, menu in (
            ("select", "Select", self.edit),
            ("nudge", "Nudge", self.edit),
            ("walk", "Go along the wires", self.view),
        ):
            inner = menu.addMenu(title)
            inner.setObjectName(f"menu_{name}")
            for action in actions(name):
                inner.addAction(action)
                self.actions[action.objectName()] = action

    def all(self) -> list[QAction]:
        """Every action of the window, as the command palette offers them."""
        return list(self.actions.values())

    def _menu(self, name: str) -> QMenu:
        menu = self._window.bar.findChild(QMenu, f"menu_{name}")
        assert isinstance(menu, QMenu)  # the window makes all five
        return menu

    def _fill_run(self) -> None:
        live = self._window.live
        add = self.add
        add(self.run, "run_play", "Play", live.toggle, ["F5", "Ctrl+Return"], sign="play")
        add(self.run, "run_step", "Step", live.step, ["F10"], sign="step")
        add(self.run, "run_phase", "Phase", live.step_phase, ["F8"], sign="phase")
        add(self.run, "run_reset", "Reset", live.reset, ["Shift+F5"], sign="reset")
        add(self.run, "run_stop", "Stop", live.stop, ["Ctrl+."], sign="stop")
        self.actions["run_play"].setToolTip("Train, or pause (F5)")
        self.actions["run_step"].setToolTip("One training step (F10)")
        self.actions["run_phase"].setToolTip(
            "One phase of a step: forward, loss, backward, optimizer (F8)"
        )
        self.actions["run_reset"].setToolTip("Build the model anew, at step 0 (Shift+F5)")
        self.actions["run_stop"].setToolTip("End what the worker does, at once (Ctrl+.)")

    def _fill_edit(self) -> None:
        window = self._window
        self.add(self.edit, "edit_undo", "Undo", window.workspace.undo, ["Ctrl+Z"], sign="undo")
        self.add(
            self.edit,
            "edit_redo",
            "Redo",
            window.workspace.redo,
            ["Ctrl+Shift+Z", "Ctrl+Y"],
            sign="redo",
        )
        self.add(
            self.edit,
            "edit_undo_all",
            "Undo everything",
            window.workspace.undo_all,
            ["Ctrl+Alt+Z"],
        )
        self.edit.addSeparator()
        self.add(self.edit, "edit_find", "Find in the code", window.code.find_bar.open)
        self.add(
            self.edit,
            "edit_commands",
            "All commands...",
            lambda: window.command_palette.open(self.all()),
            ["Ctrl+Shift+P"],
            sign="search",
        )

    def _show_edit(self) -> None:
        workspace = self._window.workspace
        for name, verb, label in (
            ("edit_undo", "Undo", workspace.undo_label),
            ("edit_redo", "Redo", workspace.redo_label),
        ):
            action = self.actions[name]
            action.setText(f"{verb} {label}" if label else verb)
            action.setEnabled(label is not None)
        self.actions["edit_undo_all"].setEnabled(workspace.undo_label is not None)

    def _show_run(self) -> None:
        live = self._window.live
        running = live.state is RunState.RUNNING
        play = self.actions["run_play"]
        play.setText("Pause" if running else "Play")
        self._icons = [item for item in self._icons if item[0] is not play]
        self._icons.append((play, "pause" if running else "play", "text"))
        play.setIcon(icon("pause" if running else "play", self._window.themes.theme))
        for name in ("run_step", "run_phase"):
            self.actions[name].setEnabled(not running)
        self.actions["run_stop"].setEnabled(live.is_busy or live.state is RunState.PAUSED)

    def _show_mode(self) -> None:
        self.actions["run_mode"].setEnabled(bool(self._window.live.mode))

    def _dress(self) -> None:
        theme = self._window.themes.theme
        for action, sign, _ in self._icons:
            action.setIcon(icon(sign, theme))

    def _set_scheme(self, scheme: str) -> None:
        self._window.settings.scheme = scheme
        self._window.themes.set_scheme(scheme)

    def _scale(self, factor: float) -> None:
        themes = self._window.themes
        themes.set_scale(themes.scale * factor)
        self._window.settings.scale = themes.scale

    def _toggle_code(self) -> None:
        code = self._window.code
        code.setVisible(not code.isVisible())
        self.actions["view_code"].setChecked(code.isVisible())
