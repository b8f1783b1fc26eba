"""A press of the mouse, and what the view asks of whoever takes it."""

from typing import NamedTuple, Protocol

from PySide6.QtCore import QPoint, QPointF, Qt

from paramscope_gui.canvas.scene import Hit


class Press(NamedTuple):
    """A mouse button going down: where in the scene and in the viewport, and on what."""

    scene: QPointF
    view: QPoint
    button: Qt.MouseButton
    modifiers: Qt.KeyboardModifier
    hit: Hit

    def has(self, modifier: Qt.KeyboardModifier) -> bool:
        """Whether a modifier key is held."""
        return bool(self.modifiers & modifier)


class Interaction(Protocol):
    """Takes the mouse from a press until the button is up or Esc is pressed."""

    def takes(self, press: Press) -> bool:
        """Whether this press begins the interaction."""

    def begin(self, press: Press) -> None:
        """Start with the press that was taken."""

    def drag(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Follow the mouse, in scene coordinates."""

    def finish(self, place: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """The button is up: do it, as one undo step."""

    def cancel(self) -> None:
        """Esc: leave everything as it was before the press."""
