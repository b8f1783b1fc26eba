"""What an interaction is: an object with a gesture, and the actions that menus show for it.

The view asks its tools in order which of them takes a press. Every gesture also stands in a
menu as an `ActionSpec`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPointF, Qt

from paramscope_gui.canvas.desk import Desk
from paramscope_gui.canvas.press import Press


class Tool(ABC):
    """One interaction with the mouse. It is made once for a canvas and holds its own drag."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    @abstractmethod
    def takes(self, press: Press) -> bool:
        """Whether this press begins the interaction."""

    @abstractmethod
    def begin(self, press: Press) -> None:
        """Start with the press that was taken."""

    @abstractmethod
    def drag(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Follow the mouse, in scene coordinates."""

    @abstractmethod
    def finish(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """The button is up: do it, as one undo step."""

    @abstractmethod
    def cancel(self) -> None:
        """Esc: leave everything as it was before the press."""


def always(desk: Desk) -> bool:
    """An action that can be used at any time."""
    return True


def has_nodes(desk: Desk) -> bool:
    """An action on the selected nodes."""
    return bool(desk.selection.nodes)


def has_one_node(desk: Desk) -> bool:
    """An action on the one selected node."""
    return len(desk.selection.nodes) == 1


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """An entry for menus and the shortcut sheet.

    ``menu`` is where it stands: ``add``, ``edit``, ``view``, ``select``, ``nudge`` or ``walk``.
    """

    name: str
    text: str
    shortcuts: tuple[str, ...]
    menu: str
    run: Callable[[Desk], None]
    is_enabled: Callable[[Desk], bool] = always
