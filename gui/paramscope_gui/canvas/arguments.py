"""The strip over an edge of the canvas: the selected node's arguments as fields.

A field shows what the source says and writes it there; empty means that the source leaves
the argument at its default, which the field shows in grey.
"""

from PySide6.QtCore import QEvent, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from paramscope.code.graph import Argument, Node

_HEIGHT = 68


class ArgumentField(QLineEdit):
    """One argument. Enter writes it, Esc takes the text back and returns to the canvas."""

    written = Signal(str, str)
    left = Signal()

    def __init__(self, node: Node, argument: Argument) -> None:
        super().__init__()
        self._argument = argument
        self._given = argument.text if argument.span is not None else ""
        if argument.default is None and not self._given:
            self._given = argument.text
        self.setObjectName(f"argument_{argument.name}")
        self.setAccessibleName(f"{argument.name} of {node.name or node.title}")
        self.setText(self._given)
        self.setPlaceholderText(argument.default or "")
        longest = max(self.text(), self.placeholderText(), key=len)
        self.setFixedWidth(min(240, max(72, self.fontMetrics().horizontalAdvance(longest) + 28)))
        self.editingFinished.connect(self._on_self_editing_finished)

    @property
    def argument(self) -> str:
        """The argument's name."""
        return self._argument.name

    def _on_self_editing_finished(self) -> None:
        text = self.text().strip()
        if text != self._given:
            self._given = text
            self.written.emit(self._argument.name, text)

    # Overrides of Qt

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.setText(self._given)
            self.left.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            super().keyPressEvent(event)
            self.left.emit()
        else:
            super().keyPressEvent(event)


class ArgumentStrip(QScrollArea):
    """The fields of one node, side by side."""

    written = Signal(str, str, str)
    left = Signal()

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("argument_strip")
        self.setAccessibleName("Arguments of the selected node")
        self.setFrameStyle(QFrame.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        self.setFixedHeight(_HEIGHT)
        self._node: Node | None = None
        self._fields: list[ArgumentField] = []
        self.hide()

    @property
    def fields(self) -> list[ArgumentField]:
        """The fields, in the order of the arguments."""
        return self._fields

    def show_node(self, node: Node | None) -> None:
        """Show the arguments of ``node``; without any the strip goes away."""
        if node == self._node:
            return
        had_focus = next((f.argument for f in self._fields if f.hasFocus()), None)
        is_same = node is not None and self._node is not None and node.id == self._node.id
        self._node = node
        self._fields = []
        # A field that is being typed into must outlive the event that replaces it.
        old = self.takeWidget()
        if old is not None:
            old.hide()
            old.deleteLater()
        if node is None or not node.arguments:
            self.hide()
            self.changed.emit()
            return
        row = QWidget()
        row.setObjectName("argument_row")
        layout = QHBoxLayout(row)
        layout.setContentsMargins(16, 8, 16, 8)
        layout.setSpacing(16)
        layout.addWidget(self._heading(node))
        for argument in node.arguments:
            layout.addLayout(self._column(node, argument))
        layout.addStretch(1)
        self.setWidget(row)
        self.show()
        self.raise_()
        self.changed.emit()
        if is_same and had_focus is not None:
            self.focus_field(had_focus)

    def place(self, area: QRect, selected: QRect) -> None:
        """Lie at the lower edge of ``area``, or at the upper one if that covers less of a node."""
        row = self.widget()
        wish = 0 if row is None else row.sizeHint().width() + 4
        width = min(wish, area.width())
        below = QRect(area.left(), area.bottom() - _HEIGHT, width, _HEIGHT)
        above = QRect(area.left(), area.top(), width, _HEIGHT)
        hidden = [place.intersected(selected).height() for place in (below, above)]
        self.setGeometry(above if hidden[1] < hidden[0] else below)

    def focus_field(self, name: str | None = None) -> bool:
        """Go to an argument, by default the first; tells whether there is one."""
        for field in self._fields:
            if name is None or field.argument == name:
                field.setFocus(Qt.FocusReason.ShortcutFocusReason)
                field.selectAll()
                return True
        return False

    def _heading(self, node: Node) -> QWidget:
        heading = QLabel(f"<b>{node.title}</b> {node.path or node.name}")
        heading.setTextFormat(Qt.TextFormat.RichText)
        return heading

    def _column(self, node: Node, argument: Argument) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(2)
        label = QLabel(argument.name)
        label.setProperty("role", "quiet")
        field = ArgumentField(node, argument)
        label.setBuddy(field)
        identifier = node.id
        field.written.connect(lambda name, text: self.written.emit(identifier, name, text))
        field.left.connect(self.left)
        self._fields.append(field)
        column.addWidget(label)
        column.addWidget(field)
        return column
