"""The palette: everything that can be put on the canvas, by family, with a search.

An entry is a Python expression; dragging it or pressing Enter on it adds that to the graph.
"""

from collections.abc import Sequence

from PySide6.QtCore import QMimeData, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from paramscope_gui.bridge.offers import Offer
from paramscope_gui.theme import GRID, ThemeModel, blend, glyph

TEXT_ROLE = Qt.ItemDataRole.UserRole + 1


class PalettePanel(QWidget):
    """Families that open and close, filtered as one types. ``chosen`` carries Python text."""

    chosen = Signal(str)

    def __init__(self, themes: ThemeModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._offers: tuple[Offer, ...] = ()
        self.search = QLineEdit()
        self.search.setObjectName("palette_search")
        self.search.setAccessibleName("Search the palette")
        self.search.setPlaceholderText("Search layers, operations")
        self.search.setClearButtonEnabled(True)
        self.list = _PaletteTree()
        self.list.setIconSize(QSize(12, 12))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        row = QVBoxLayout()
        row.setContentsMargins(GRID, GRID // 2, GRID, GRID // 2)
        row.addWidget(self.search)
        column.addLayout(row)
        column.addWidget(self.list, 1)
        self.search.textChanged.connect(self._on_search_text_changed)
        self.search.returnPressed.connect(self._on_search_return_pressed)
        self.list.itemActivated.connect(self._on_list_item_activated)
        themes.changed.connect(self._dress)

    def show_offers(self, offers: Sequence[Offer]) -> None:
        """Show what can be added, in the order given."""
        offers = tuple(offers)
        if offers == self._offers:
            return
        self._offers = offers
        opened = {item.text(0) for item in self._families() if item.isExpanded()}
        known = {item.text(0) for item in self._families()}
        self.list.clear()
        families: dict[str, QTreeWidgetItem] = {}
        for offer in offers:
            family = families.get(offer.family)
            if family is None:
                family = families[offer.family] = QTreeWidgetItem([offer.family.capitalize()])
                family.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
                self.list.addTopLevelItem(family)
            item = QTreeWidgetItem(family, [offer.title])
            item.setData(0, TEXT_ROLE, offer.text)
            item.setToolTip(0, f"{offer.summary}\n{offer.text}".strip())
            item.setData(0, Qt.ItemDataRole.AccessibleTextRole, f"{offer.title}: {offer.summary}")
        for place, item in enumerate(self._families()):
            name = item.text(0)
            item.setExpanded(name in opened or (place < 2 and name not in known))
        self._dress()
        self._on_search_text_changed(self.search.text())

    def item_named(self, title: str) -> QTreeWidgetItem | None:
        """The entry with this title, so that a driver can drag it."""
        for family in self._families():
            for item in self._entries(family):
                if item.text(0) == title:
                    return item
        return None

    @staticmethod
    def _entries(family: QTreeWidgetItem) -> list[QTreeWidgetItem]:
        children = [family.child(place) for place in range(family.childCount())]
        return [child for child in children if child is not None]

    def _families(self) -> list[QTreeWidgetItem]:
        found = []
        for place in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(place)
            if item is not None:
                found.append(item)
        return found

    def _dress(self) -> None:
        theme = self._themes.theme
        for family in self._families():
            family.setFont(0, theme.font("small", bold=True))
            family.setForeground(0, theme.quiet)
            for item in self._entries(family):
                item.setIcon(
                    0,
                    glyph(
                        "square", blend(theme.tint(family.text(0).lower()), theme.quiet, 0.6), 12
                    ),
                )
                item.setForeground(0, theme.text)

    def _on_search_text_changed(self, text: str) -> None:
        words = text.lower().split()
        by_title = {offer.title: offer for offer in self._offers}
        for family in self._families():
            visible = 0
            for item in self._entries(family):
                offer = by_title[item.text(0)]
                haystack = " ".join((offer.title, offer.family, *offer.aliases)).lower()
                hidden = not all(word in haystack for word in words)
                item.setHidden(hidden)
                visible += not hidden
            family.setHidden(not visible)
            if words:
                family.setExpanded(True)

    def _on_search_return_pressed(self) -> None:
        """Choose what is called so, else what begins so, else the first that is left."""
        text = self.search.text().strip().lower()
        found = [
            item
            for family in self._families()
            for item in self._entries(family)
            if not item.isHidden()
        ]
        found.sort(
            key=lambda item: (
                item.text(0).lower() != text,
                not item.text(0).lower().startswith(text),
            )
        )
        if found:
            self.chosen.emit(found[0].data(0, TEXT_ROLE))

    def _on_list_item_activated(self, item: QTreeWidgetItem, _: int) -> None:
        text = item.data(0, TEXT_ROLE)
        if text:
            self.chosen.emit(text)
        else:
            item.setExpanded(not item.isExpanded())


class _PaletteTree(QTreeWidget):
    """The list; what is dragged out of it is Python text."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("palette_list")
        self.setAccessibleName("Palette")
        self.setHeaderHidden(True)
        self.header().setObjectName("palette_header")
        self.header().setAccessibleName("Columns of the palette")
        self.setIndentation(2 * GRID)
        self.setUniformRowHeights(True)
        self.setRootIsDecorated(True)
        self.setExpandsOnDoubleClick(False)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        item = self.currentItem()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and item is not None:
            # Some platforms activate by a single click only; Enter works everywhere.
            self.itemActivated.emit(item, 0)
            return
        super().keyPressEvent(event)

    def mimeTypes(self) -> list[str]:
        return ["text/plain"]

    def mimeData(self, items: Sequence[QTreeWidgetItem]) -> QMimeData:
        data = QMimeData()
        data.setText("\n".join(str(item.data(0, TEXT_ROLE) or "") for item in items))
        return data
