"""Every interaction of the canvas as a QAction, for menus, shortcut sheet and command palette.

Single keys act only while the canvas has the focus: each action belongs to the view and is
bound to it.
"""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence

from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.tools import (
    add,
    clipboard,
    delete,
    duplicate,
    enter,
    find,
    freeze,
    join,
    move,
    pan,
    problem,
    register,
    rename,
    select,
    tidy,
    walk,
)
from paramscope_gui.canvas.tools.tool import ActionSpec

SPECS: tuple[ActionSpec, ...] = (
    *add.ACTIONS,
    *join.ACTIONS,
    *clipboard.ACTIONS,
    *duplicate.ACTIONS,
    *delete.ACTIONS,
    *rename.ACTIONS,
    *register.ACTIONS,
    *freeze.ACTIONS,
    *tidy.ACTIONS,
    *select.ACTIONS,
    *find.ACTIONS,
    *move.ACTIONS,
    *problem.ACTIONS,
    *pan.ACTIONS,
    *walk.ACTIONS,
    *enter.ACTIONS,
)


class CanvasActions:
    """The actions of one canvas; ``menu("edit")`` gives those for a menu, in order."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._actions: list[tuple[ActionSpec, QAction]] = []
        for spec in SPECS:
            action = QAction(spec.text, desk.view)
            action.setObjectName(f"action_{spec.name}")
            action.setShortcuts([QKeySequence(text) for text in spec.shortcuts])
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.triggered.connect(_runner(spec, desk))
            desk.view.addAction(action)
            self._actions.append((spec, action))
        self.refresh()

    def menu(self, name: str) -> Sequence[QAction]:
        """Return the actions of a menu, such as ``add``, in their order."""
        return [action for spec, action in self._actions if spec.menu == name]

    def action(self, name: str) -> QAction:
        """Return an action by its name, such as ``delete``."""
        return next(action for spec, action in self._actions if spec.name == name)

    @property
    def all(self) -> Sequence[QAction]:
        """All actions."""
        return [action for _, action in self._actions]

    def refresh(self) -> None:
        """Enable what can be done with the present selection."""
        for spec, action in self._actions:
            action.setEnabled(spec.is_enabled(self._desk))


def _runner(spec: ActionSpec, desk: Desk) -> object:
    def run() -> None:
        spec.run(desk)

    return run
