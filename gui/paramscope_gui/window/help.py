"""The sheets of the Help menu: every shortcut, the legend of states, and what this is."""

from collections.abc import Iterable
from importlib.resources import files

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QMenu,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

import paramscope
from paramscope_gui.theme import (
    GRADIENT_LOOKS,
    GRID,
    KIND_LOOKS,
    SHADOWED_LOOK,
    STEPPING_LOOKS,
    TIED_LOOK,
    Look,
    ThemeModel,
)
from paramscope_gui.widgets import GlyphLabel, ThemedLabel, WrappedLabel, button
from paramscope_gui.window.main import MainWindow
from paramscope_gui.window.topics import topic_of

MOUSE = (
    ("Pan", "middle button, Space + drag, scroll"),
    ("Zoom", "wheel"),
    ("Select", "drag on empty; Shift adds, Ctrl toggles"),
    ("Cut a wire", "Alt + click; Ctrl + right drag"),
    ("Move all wires of an output", "Ctrl + drag from it to another"),
    ("Duplicate", "Alt + drag"),
)
ABOUT = """Paramscope shows which tensors of a neural network train, and why the others don't.

It stands on gradcore, its own NumPy autograd with PyTorch's names. Your documents are ordinary
PyTorch files. Nothing is sent anywhere.

Type: Inter and JetBrains Mono, SIL Open Font License 1.1.
Window: Qt for Python, LGPL 3. Plots: pyqtgraph, MIT. Arrays: NumPy, BSD-3-Clause.
Messages: msgspec, BSD-3-Clause. Code colours: Pygments, BSD-2-Clause.
Data: UCI Machine Learning Repository, CC BY 4.0; see the notes beside the data sets."""


class Help:
    """Fills the Help menu; each sheet stays open beside the work."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._sheets: dict[str, Sheet] = {}
        add = window.menus.add
        add(window.menus.help, "help_shortcuts", "Shortcuts", self.show_shortcuts, ["?", "Ctrl+F1"])
        add(window.menus.help, "help_topic", "What is selected", self.show_topic, ["F1"])
        add(window.menus.help, "help_legend", "Legend of states", self.show_legend, ["Shift+F1"])
        add(window.menus.help, "help_about", "About and licences", self.show_about)

    def show_shortcuts(self) -> None:
        """Show every action that has a key, menu by menu."""
        menus = self._window.menus
        sheet = self._sheet("shortcuts", "Shortcuts")
        for menu in (menus.file, menus.edit, menus.view, menus.run, menus.help):
            sheet.add_keys(menu)
        sheet.add_pairs("Mouse on the canvas", MOUSE)
        sheet.show_over(self._window)

    def show_topic(self) -> None:
        """Show what there is to say of the selected tensor or node; else the legend."""
        topic = topic_of(self._window)
        if topic is None:
            self.show_legend()
            return
        sheet = self._sheet("topic", topic.title)
        sheet.add_heading(topic.title)
        if topic.looks:
            sheet.add_looks("Its states", topic.looks)
        for text in topic.texts:
            sheet.add_prose(text)
        if topic.pairs:
            sheet.add_pairs("Arguments", topic.pairs)
        sheet.show_over(self._window)

    def show_legend(self) -> None:
        """Show every state with its glyph, word and meaning."""
        sheet = self._sheet("legend", "Legend of states")
        sheet.add_looks("What it is", [*KIND_LOOKS.values(), TIED_LOOK, SHADOWED_LOOK])
        sheet.add_looks("Its gradient", GRADIENT_LOOKS.values())
        sheet.add_looks("Who steps it", STEPPING_LOOKS.values())
        sheet.show_over(self._window)

    def show_about(self) -> None:
        """Show what this is and whose work it stands on."""
        sheet = self._sheet("about", "About Paramscope")
        version = getattr(paramscope, "__version__", "")
        sheet.add_text(f"Version {version}\n\n{ABOUT}" if version else ABOUT)
        for name in ("Inter-LICENSE.txt", "JetBrainsMono-LICENSE.txt"):
            text = (files("paramscope_assets") / "fonts" / name).read_text(encoding="utf-8")
            sheet.add_text(text)
        sheet.show_over(self._window)

    def close_all(self) -> None:
        """Close every sheet."""
        for sheet in self._sheets.values():
            sheet.close()
            sheet.deleteLater()
        self._sheets = {}

    def _sheet(self, name: str, title: str) -> "Sheet":
        old = self._sheets.pop(name, None)
        if old is not None:
            old.close()
            old.deleteLater()
        sheet = Sheet(self._window.themes, name, title, self._window)
        self._sheets[name] = sheet
        return sheet


class Sheet(QDialog):
    """A page of two or three columns that scrolls; not modal."""

    def __init__(self, themes: ThemeModel, name: str, title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._themes = themes
        self.setObjectName(f"sheet_{name}")
        self.setAccessibleName(title)
        self.setWindowTitle(title)
        self._page = QWidget()
        self._page.setObjectName(f"sheet_{name}_page")
        self._column = QVBoxLayout(self._page)
        self._column.setContentsMargins(3 * GRID, 2 * GRID, 3 * GRID, 2 * GRID)
        self._column.setSpacing(GRID)
        area = QScrollArea()
        area.setObjectName(f"sheet_{name}_area")
        area.setAccessibleName(title)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self._page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, GRID)
        outer.addWidget(area, 1)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(button("Close", f"sheet_{name}_close", self.close))
        row.addSpacing(2 * GRID)
        outer.addLayout(row)

    def add_heading(self, text: str) -> None:
        """Add the name of what the page is about."""
        self._column.addWidget(ThemedLabel(self._themes, text, bold=True))

    def add_keys(self, menu: QMenu) -> None:
        """Add the entries of a menu that have keys."""
        pairs = []
        for action in menu.actions():
            keys = ", ".join(
                sequence.toString(QKeySequence.SequenceFormat.NativeText)
                for sequence in action.shortcuts()
            )
            if keys:
                pairs.append((action.text().replace("&", ""), keys))
        if pairs:
            self.add_pairs(menu.title().replace("&", ""), pairs)

    def add_pairs(self, title: str, pairs: Iterable[tuple[str, str]]) -> None:
        """Add lines of two columns below a heading."""
        self._column.addWidget(ThemedLabel(self._themes, title, "quiet", "small", bold=True))
        grid = QGridLayout()
        grid.setHorizontalSpacing(3 * GRID)
        grid.setVerticalSpacing(GRID // 2)
        grid.setColumnStretch(0, 1)
        grid.setColumnMinimumWidth(1, 24 * GRID)
        for place, (what, keys) in enumerate(pairs):
            grid.addWidget(ThemedLabel(self._themes, what), place, 0)
            grid.addWidget(ThemedLabel(self._themes, keys, "text", bold=True), place, 1)
        self._column.addLayout(grid)
        self._column.addSpacing(GRID)

    def add_looks(self, title: str, looks: Iterable[Look]) -> None:
        """Add a line for each state."""
        self._column.addWidget(ThemedLabel(self._themes, title, "quiet", "small", bold=True))
        grid = QGridLayout()
        grid.setHorizontalSpacing(GRID)
        grid.setVerticalSpacing(GRID // 2)
        grid.setColumnStretch(2, 1)
        for place, look in enumerate(look for look in looks if look.word):
            grid.addWidget(GlyphLabel(self._themes, look.glyph, look.role), place, 0)
            grid.addWidget(ThemedLabel(self._themes, look.word, look.role, bold=True), place, 1)
            meaning = ThemedLabel(self._themes, look.meaning)
            meaning.setWordWrap(True)
            grid.addWidget(meaning, place, 2)
        self._column.addLayout(grid)
        self._column.addSpacing(GRID)

    def add_text(self, text: str) -> None:
        """Add a paragraph."""
        label = ThemedLabel(self._themes, text)
        label.setWordWrap(True)
        self._column.addWidget(label)
        self._column.addSpacing(GRID)

    def add_prose(self, text: str) -> None:
        """Add a paragraph in which what stands between backticks is code."""
        self._column.addWidget(WrappedLabel(self._themes, text))
        self._column.addSpacing(GRID)

    def show_over(self, window: QWidget) -> None:
        """Show the sheet as high as the window allows."""
        self._column.addStretch(1)
        self.resize(min(70 * GRID, window.width()), min(90 * GRID, window.height() - 8 * GRID))
        self.show()
        self.activateWindow()
