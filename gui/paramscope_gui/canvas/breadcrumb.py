"""The way from the program to the canvas shown: ``Program > Net > encoder``; each goes back."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from paramscope_gui.bridge.selection import Scope, Selection


class Breadcrumb(QWidget):
    """A row of flat buttons; the last one is the canvas shown."""

    scope_chosen = Signal(object)

    def __init__(self, selection: Selection) -> None:
        super().__init__()
        self.setObjectName("breadcrumb")
        self._selection = selection
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(8, 0, 8, 0)
        self._layout.setSpacing(0)
        self._shown: tuple[Scope, ...] = ()
        self.buttons: list[QToolButton] = []
        self.refresh()

    def refresh(self) -> None:
        """Show the trail as it is now."""
        trail = self._selection.trail
        if trail == self._shown:
            return
        self._shown = trail
        while (item := self._layout.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.buttons = []
        for index, scope in enumerate(trail):
            if index:
                separator = QLabel("›")
                separator.setProperty("role", "quiet")
                self._layout.addWidget(separator)
            self.buttons.append(self._button(index, scope, index == len(trail) - 1))
            self._layout.addWidget(self.buttons[-1])
        self._layout.addStretch(1)

    def _button(self, index: int, scope: Scope, is_last: bool) -> QToolButton:
        button = QToolButton()
        text = scope_name(scope)
        button.setText(text)
        button.setObjectName(f"breadcrumb_{index}")
        button.setAccessibleName(f"Show {text}")
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if is_last:
            font = button.font()
            font.setBold(True)
            button.setFont(font)
        button.clicked.connect(lambda: self.scope_chosen.emit(scope))
        return button


def scope_name(scope: Scope) -> str:
    """Return what a scope is called: the attribute and its class, or the class alone."""
    if not scope.graph:
        return "Program"
    last = scope.instance.rpartition(".")[2]
    if last.isdigit():
        last = ".".join(scope.instance.split(".")[-2:])
    return f"{last} ({scope.graph})" if last else scope.graph
