"""The search over the canvas: type, see what it will do, press Enter. No mouse is needed.

It adds nodes, finds them, and wires one to another.

Arguments are typed behind the name (``linear 16``); what they leave open is completed from
what the new node will be wired to.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from paramscope_gui.canvas.ink import Ink

WIDTH = 400
ROW = 40
MOST_ROWS = 7
ADD_PROMPT = "Layer or operation, with arguments: linear 16"
ADD_NOTHING = "Nothing fits. Try a layer's name, such as linear or relu."
_FRAME = 128  # what the field, the explanation and the margins take
_ENTRY = int(Qt.ItemDataRole.UserRole)


class Found(NamedTuple):
    """One answer of the search: what is added, as Python, and what it is."""

    title: str
    summary: str
    expression: str
    family: str
    action: str


class SearchPopup(QFrame):
    """A field and its answers over the canvas. `find` is asked at each keystroke."""

    chosen = Signal(object)
    closed = Signal()

    def __init__(self, parent: QWidget, ink: Ink) -> None:
        super().__init__(parent)
        self.setObjectName("search_popup")
        self.setProperty("role", "popup")
        self._find: Callable[[str], Sequence[Found]] = lambda _: ()
        self._nothing = ADD_NOTHING
        self._found: Sequence[Found] = ()
        self._area = parent
        self._field = _Field()
        self._field.textEdited.connect(self._on_field_text_edited)
        self._field.key_came.connect(self._on_field_key_came)
        self._field.left.connect(self.close_popup)
        self._list = QListWidget()
        self._list.setObjectName("search_answers")
        self._list.setAccessibleName("Answers")
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setUniformItemSizes(True)
        self._list.setItemDelegate(_Painter(ink, self._list))
        self._list.currentRowChanged.connect(self._on_list_current_row_changed)
        self._list.itemClicked.connect(self._on_list_item_clicked)
        self._action = QLabel()
        self._action.setObjectName("search_action")
        self._action.setWordWrap(True)
        self._action.setTextFormat(Qt.TextFormat.PlainText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        for widget in (self._field, self._list, self._action):
            layout.addWidget(widget)
        self.setFixedWidth(WIDTH)
        self.hide()

    @property
    def field(self) -> QLineEdit:
        """The field that is typed into."""
        return self._field

    @property
    def answers(self) -> Sequence[Found]:
        """What was found, best first."""
        return self._found

    @property
    def action_text(self) -> str:
        """What Enter will do, in words."""
        return self._action.text()

    def open(
        self,
        place: QPoint,
        find: Callable[[str], Sequence[Found]],
        prompt: str = ADD_PROMPT,
        nothing: str = ADD_NOTHING,
    ) -> None:
        """Ask at ``place`` of the parent; answers come from ``find``."""
        self._find, self._nothing = find, nothing
        self._field.setPlaceholderText(prompt)
        self._field.setAccessibleName(prompt)
        self._field.clear()
        self._refresh()
        area = self._area.rect()
        x = min(max(8, place.x()), area.width() - WIDTH - 8)
        y = min(max(8, place.y()), area.height() - self.height() - 8)
        self.move(max(8, x), max(8, y))
        self.show()
        self.raise_()
        self._field.setFocus(Qt.FocusReason.PopupFocusReason)

    def close_popup(self) -> None:
        """Close without adding anything."""
        if self.isVisible():
            self.hide()
            self.closed.emit()

    def _refresh(self) -> None:
        self._found = self._find(self._field.text().strip())
        self._list.clear()
        for found in self._found:
            item = QListWidgetItem(found.title)
            item.setData(_ENTRY, found)
            item.setSizeHint(QSize(WIDTH - 40, ROW))
            self._list.addItem(item)
        room = (self._area.height() - _FRAME) // ROW
        rows = min(MOST_ROWS, max(2, room), max(1, len(self._found)))
        self._list.setFixedHeight(ROW * rows + 2)
        if self._found:
            self._list.setCurrentRow(0)
        else:
            self._action.setText(self._nothing)
        self.adjustSize()

    def _take(self, row: int) -> None:
        if 0 <= row < len(self._found):
            found = self._found[row]
            self.hide()
            self.chosen.emit(found)

    def _on_field_text_edited(self, text: str) -> None:
        self._refresh()

    def _on_field_key_came(self, key: int) -> None:
        row = self._list.currentRow()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._take(row)
        elif key == Qt.Key.Key_Escape:
            self.close_popup()
        elif self._found:
            step = {
                Qt.Key.Key_Up: -1,
                Qt.Key.Key_Down: 1,
                Qt.Key.Key_PageUp: -MOST_ROWS,
                Qt.Key.Key_PageDown: MOST_ROWS,
            }[Qt.Key(key)]
            self._list.setCurrentRow(min(len(self._found) - 1, max(0, row + step)))

    def _on_list_current_row_changed(self, row: int) -> None:
        if 0 <= row < len(self._found):
            self._action.setText(self._found[row].action)

    def _on_list_item_clicked(self, item: QListWidgetItem) -> None:
        self._take(self._list.row(item))


class _Field(QLineEdit):
    """The field; keys that move or choose go to the answers."""

    key_came = Signal(int)
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("search_field")
        self.setAccessibleName(ADD_PROMPT)

    # Overrides of Qt

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Tab:
            self.key_came.emit(int(Qt.Key.Key_Down))
        elif event.key() in (
            Qt.Key.Key_Return,
            Qt.Key.Key_Enter,
            Qt.Key.Key_Escape,
            Qt.Key.Key_Up,
            Qt.Key.Key_Down,
            Qt.Key.Key_PageUp,
            Qt.Key.Key_PageDown,
        ):
            self.key_came.emit(int(event.key()))
        else:
            super().keyPressEvent(event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        return False

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.ActiveWindowFocusReason:
            self.left.emit()


class _Painter(QStyledItemDelegate):
    """Paints an answer: the family's colour, the name, what it is, and the Python it becomes."""

    def __init__(self, ink: Ink, parent: QWidget) -> None:
        super().__init__(parent)
        self._ink = ink

    # Overrides of Qt

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: object) -> None:
        found: Found = index.data(_ENTRY)  # type: ignore[attr-defined]  # QModelIndex
        ink, theme = self._ink, self._ink.theme
        area: QRect = option.rect
        state = option.state
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, ink.brush("selection"))
        painter.fillRect(
            area.left(), area.top(), 4, area.height(), ink.brush(f"tint:{found.family}")
        )
        inner = area.adjusted(16, 2, -8, -2)
        upper = QRect(inner.left(), inner.top(), inner.width(), inner.height() // 2)
        lower = upper.translated(0, upper.height())
        painter.setPen(ink.pen("text"))
        painter.setFont(theme.font("body", bold=True))
        painter.drawText(upper, int(Qt.AlignmentFlag.AlignVCenter), found.title)
        used = painter.fontMetrics().horizontalAdvance(found.title) + 16
        painter.setFont(theme.font("small", mono=True))
        painter.setPen(ink.pen("quiet"))
        code = painter.fontMetrics().elidedText(
            found.expression, Qt.TextElideMode.ElideMiddle, max(0, upper.width() - used)
        )
        right = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)
        painter.drawText(upper, right, code)
        painter.setFont(theme.font("small"))
        summary = painter.fontMetrics().elidedText(
            found.summary, Qt.TextElideMode.ElideRight, lower.width()
        )
        painter.drawText(lower, int(Qt.AlignmentFlag.AlignVCenter), summary)
        painter.restore()
