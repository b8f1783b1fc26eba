"""The field over a node's title in which it is renamed, checked as it is typed."""

import keyword

from PySide6.QtCore import QEvent, QRect, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget


class NameEditor(QLineEdit):
    """Enter or a click elsewhere renames, Esc leaves the name as it was."""

    renamed = Signal(str, str)
    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("name_editor")
        self.setAccessibleName("New name")
        self._node = ""
        self._before = ""
        self.textEdited.connect(self._on_self_text_edited)
        self.hide()

    def open(self, node: str, name: str, area: QRect) -> None:
        """Edit ``name`` of ``node`` over its title bar."""
        self._node, self._before = node, name
        self.setText(name)
        self._show_reason("")
        self.setGeometry(area.adjusted(2, 2, -2, -2))
        self.setMinimumWidth(120)
        self.selectAll()
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.PopupFocusReason)

    def dismiss(self) -> None:
        """Close without renaming: what was to be renamed is no longer shown."""
        if self.isVisible():
            self._close()

    def _commit(self) -> None:
        if not self.isVisible():
            return
        text = self.text().strip()
        if why_no_name(text):
            self._show_reason(why_no_name(text))
            return
        self._close()
        if text != self._before:
            self.renamed.emit(self._node, text)

    def _close(self) -> None:
        self.hide()
        self.closed.emit()

    def _on_self_text_edited(self, text: str) -> None:
        self._show_reason(why_no_name(text.strip()))

    def _show_reason(self, reason: str) -> None:
        self.setToolTip(reason)
        self.setProperty("invalid", bool(reason))
        self.style().unpolish(self)
        self.style().polish(self)

    # Overrides of Qt

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride:
            # Letters and Enter belong to the text here, not to the canvas's actions.
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._close()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._commit()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if not self.isVisible():
            return
        if why_no_name(self.text().strip()):
            self._close()
        else:
            self._commit()


def why_no_name(text: str) -> str:
    """Return why ``text`` can be no Python attribute, or an empty string.

    >>> why_no_name("fc1"), why_no_name("class")
    ('', '`class` is a word of Python; choose another name.')
    """
    if not text:
        return "A name is needed."
    if keyword.iskeyword(text):
        return f"`{text}` is a word of Python; choose another name."
    if not text.isidentifier():
        return "Only letters, digits and _ make a name, and no digit comes first."
    return ""
