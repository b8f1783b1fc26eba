"""The command palette: every action of the menus by its name, from the keyboard."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from paramscope_gui.theme import GRID, RADIUS, ThemeModel

ACTION_ROLE = Qt.ItemDataRole.UserRole + 1
MOST_ROWS = 12


class CommandPalette(QWidget):
    """A field and a list over the window; Enter runs, Esc goes away."""

    def __init__(self, themes: ThemeModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._window = parent
        self._themes = themes
        self._actions: Sequence[QAction] = ()
        self.setObjectName("command_palette")
        self.field = QLineEdit()
        self.field.setObjectName("command_palette_field")
        self.field.setAccessibleName("Search all actions")
        self.field.setPlaceholderText("What would you like to do?")
        self.list = QListWidget()
        self.list.setObjectName("command_palette_list")
        self.list.setAccessibleName("Actions")
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        column.addWidget(self.field)
        column.addWidget(self.list)
        self.field.textChanged.connect(self._on_field_text_changed)
        self.field.installEventFilter(self)
        self.list.itemActivated.connect(self._run)
        self.hide()

    def open(self, actions: Sequence[QAction]) -> None:
        """Show itself over the window with these actions."""
        self._actions = [action for action in actions if action.text() and action.isEnabled()]
        parent = self._window
        width = min(72 * GRID, parent.width() - 4 * GRID)
        self.setGeometry((parent.width() - width) // 2, 8 * GRID, width, 48 * GRID)
        self.field.clear()
        self._on_field_text_changed("")
        self.show()
        self.raise_()
        self.field.setFocus()

    def _on_field_text_changed(self, text: str) -> None:
        self.list.clear()
        found = [(score, action) for action in self._actions if (score := match(text, action))]
        found.sort(key=lambda pair: -pair[0])
        for _, action in found:
            keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            words = words_of(action)
            item = QListWidgetItem(f"{words}    {keys}" if keys else words)
            item.setData(ACTION_ROLE, action)
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def _run(self, item: QListWidgetItem | None) -> None:
        self.hide()
        action = None if item is None else item.data(ACTION_ROLE)
        if isinstance(action, QAction):
            action.trigger()

    # Overrides of Qt methods

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() == Qt.Key.Key_Escape:
                self.hide()
                return True
            if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                step = 1 if event.key() == Qt.Key.Key_Down else -1
                count = max(1, self.list.count())
                self.list.setCurrentRow((self.list.currentRow() + step) % count)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run(self.list.currentItem())
                return True
        if event.type() == QEvent.Type.FocusOut and not self.list.hasFocus():
            self.hide()
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._themes.theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(theme.hairline)
        painter.setBrush(theme.raised)
        painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), RADIUS, RADIUS)


def words_of(action: QAction) -> str:
    """Return what choosing an action does; in a menu, a tick says that a panel is shown."""
    words = action.text().replace("&", "")
    if action.isCheckable() and action.actionGroup() is None:
        return f"{'Hide' if action.isChecked() else 'Show'}: {words}"
    return words


def match(text: str, action: QAction) -> int:
    """Return how well an action's name answers what is typed; 0 is not at all."""
    name = words_of(action).lower()
    words = text.lower().split()
    if not words:
        return 1
    if not all(word in name for word in words):
        return 0
    return 3 if name.startswith(words[0]) else 2
