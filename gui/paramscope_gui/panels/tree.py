"""The tree of tensors: what each one is, what its gradient does and who steps it."""

from PySide6.QtCore import QModelIndex, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QMenu,
    QStackedLayout,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from paramscope.census.rows import Gradient, Kind, TensorRow
from paramscope.code.commands import Freeze, Register, Unfreeze, Unregister
from paramscope.code.commands.freeze import is_frozen
from paramscope.rules.finding import Finding
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.panels.tensor_delegate import GLYPH, TensorDelegate, badge_area
from paramscope_gui.panels.tensor_model import (
    Column,
    Index,
    TensorModel,
    badges_of,
)
from paramscope_gui.theme import GRID, ThemeModel
from paramscope_gui.widgets import EmptyState

TENTH_OF_A_SECOND = 100
PADDING = GRID + GRID // 2  # of a column around its words
MOST_FOR_NAMES = 20 * GRID  # longer names are elided before other columns are left out
# The entries of a tensor's menu that a key stands for; the first that can be used is meant.
KEYS = {
    Qt.Key.Key_R: ("tensor_register", "tensor_unregister"),
    Qt.Key.Key_Z: ("tensor_freeze",),
    Qt.Key.Key_E: ("tensor_show_problem",),
}
BEFORE_BACKWARD = (Gradient.NONE_YET, Gradient.NOT_APPLICABLE, Gradient.FROZEN)
MANY_ROWS = 2000  # above this, groups stay closed until they are opened


class TreePanel(QWidget):
    """The tree with its filter. It follows the run at 10 Hz and shares the selection."""

    line_requested = Signal(int)

    def __init__(
        self,
        themes: ThemeModel,
        workspace: Workspace,
        selection: Selection,
        live: Live,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._themes, self._workspace = themes, workspace
        self._selection, self._live = selection, live
        self._findings: tuple[Finding, ...] | None = None
        self.model = TensorModel(self)
        self.filter = QLineEdit()
        self.filter.setObjectName("tensor_filter")
        self.filter.setAccessibleName("Filter tensors")
        self.filter.setPlaceholderText("Filter: name, state:unused, kind:buffer")
        self.filter.setClearButtonEnabled(True)
        self.view = _TensorView(self.model, themes)
        self._empty = EmptyState(
            themes,
            "tensors",
            "Every tensor of the model appears here: what it is, whether a gradient reaches it"
            " and who steps it.",
            "Build the model",
            live.step,
        )
        self._unmatched = EmptyState(
            themes, "tensors_unmatched", "", "Clear the filter", self.filter.clear
        )
        self._arrange()
        self._tick = QTimer(self)
        self._tick.setSingleShot(True)
        self._tick.setInterval(TENTH_OF_A_SECOND)
        self._tick.timeout.connect(self._show_snapshot)
        self.filter.textChanged.connect(self._on_filter_changed)
        self.view.selectionModel().currentChanged.connect(self._on_view_current_changed)
        self.view.badge_pressed.connect(self._on_view_badge_pressed)
        self.view.key_came.connect(self._on_view_key_came)
        self.view.customContextMenuRequested.connect(self._on_view_menu_requested)
        selection.changed.connect(self._follow_selection)
        live.snapshot_arrived.connect(self._on_live_snapshot_arrived)
        themes.changed.connect(self._dress)
        self._dress()
        self._show_snapshot()

    def close_timers(self) -> None:
        """Stop following the run; called once, when the window closes."""
        self._tick.stop()

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        row = QVBoxLayout()
        row.setContentsMargins(GRID, GRID // 2, GRID, GRID // 2)
        row.addWidget(self.filter)
        column.addLayout(row)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.view)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._unmatched)
        column.addLayout(self._stack, 1)

    def _dress(self) -> None:
        self.view.dress()

    def _on_live_snapshot_arrived(self) -> None:
        if not self._tick.isActive():
            self._tick.start()

    def _show_snapshot(self) -> None:
        rows = self._live.rows
        self._read_findings()
        closed = self.view.closed_groups()
        if self.model.show_rows(rows):
            self.view.fit_columns()
            self.view.open_groups(closed)
            self._follow_selection()
        else:
            self.model.signal_rows(self.view.visible_indices())
        self._choose_page()

    def _choose_page(self) -> None:
        """Show the rows, or say why there are none."""
        rows = self._live.rows
        if not rows:
            self._stack.setCurrentWidget(self._empty)
        elif self.model.groups:
            self._stack.setCurrentWidget(self.view)
        else:
            said = f"None of {len(rows):,} tensors matches “{self.filter.text()}”."
            if all(row.gradient in BEFORE_BACKWARD for row in rows.values()):
                said += " What gradients tell is known after the first step."
            self._unmatched.label.setText(said)
            self._stack.setCurrentWidget(self._unmatched)

    def _read_findings(self) -> None:
        """Mark the tensors and Modules that verdicts are about, the worst one each."""
        findings = self._live.findings
        if findings is self._findings:
            return
        self._findings = findings
        self.model.badges = badges_of(findings)
        self.view.viewport().update()

    def _on_view_badge_pressed(self, path: str) -> None:
        finding = self.model.badge_of(path)
        if finding is not None:
            self._selection.show_problem(finding.rule, finding.where)

    def _on_filter_changed(self, text: str) -> None:
        closed = self.view.closed_groups()
        self.model.set_filter(text)
        self.view.open_groups(frozenset() if text else closed)
        self._choose_page()
        self._follow_selection()

    def _on_view_current_changed(self, current: QModelIndex) -> None:
        path = self.model.path_at(current)
        if path is not None and path != self._selection.tensor:
            self._selection.select_tensor(path)

    def _follow_selection(self) -> None:
        path = self._selection.tensor
        current = self.view.currentIndex()
        if path is None:
            self.view.clearSelection()
        elif self.model.path_at(current) != path:
            index = self.model.index_of(path)
            if index.isValid():
                self.view.setCurrentIndex(index)
                self.view.scrollTo(index)

    def _on_view_menu_requested(self, place: QPoint) -> None:
        menu = self.menu_for(self.view.indexAt(place))
        if menu is not None:
            menu.popup(self.view.viewport().mapToGlobal(place))

    def _on_view_key_came(self, key: int) -> None:
        """Do what the canvas does at this key, with the current tensor."""
        menu = self.menu_for(self.view.currentIndex())
        if menu is None:
            return
        actions = {action.objectName(): action for action in menu.actions()}
        for name in KEYS[Qt.Key(key)]:
            if actions[name].isEnabled():
                actions[name].trigger()
                break
        menu.deleteLater()

    def menu_for(self, index: QModelIndex) -> QMenu | None:
        """Return the menu of the tensor at ``index``, or None on a group."""
        row = self.model.row_at(index)
        if row is None:
            return None
        menu = QMenu(self)
        menu.setObjectName("tensor_menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._add_edits(menu, row)
        problem = menu.addAction("Show its problem")
        problem.setObjectName("tensor_show_problem")
        problem.setEnabled(self.model.badge_of(row.path) is not None)
        problem.triggered.connect(lambda: self._on_view_badge_pressed(row.path))
        copy = menu.addAction("Copy path")
        copy.setObjectName("tensor_copy_path")
        copy.triggered.connect(lambda: QGuiApplication.clipboard().setText(row.path))
        go = menu.addAction("Go to line" if row.line is None else f"Go to line {row.line}")
        go.setObjectName("tensor_go_to_line")
        go.setEnabled(row.line is not None)
        go.triggered.connect(lambda: self.line_requested.emit(row.line or 1))
        return menu

    def _add_edits(self, menu: QMenu, row: TensorRow) -> None:
        attribute = row.path[len(row.owner) + 1 :] if row.owner else row.path
        held = bool(row.owner_class) and attribute.isidentifier()
        in_document = row.owner_class in self._workspace.program.graphs
        plain = row.kind in (Kind.TENSOR, Kind.FORGOTTEN_TENSOR, Kind.NON_LEAF)
        registered = row.kind in (Kind.PARAMETER, Kind.BUFFER, Kind.BUFFER_NOT_SAVED)
        register = menu.addAction("Register as Parameter")
        register.setObjectName("tensor_register")
        register.setEnabled(held and in_document and plain)
        register.triggered.connect(
            lambda: self._workspace.execute(Register(row.owner_class, attribute))
        )
        unregister = menu.addAction("Unregister (make it a plain tensor)")
        unregister.setObjectName("tensor_unregister")
        unregister.setEnabled(held and in_document and registered)
        unregister.triggered.connect(
            lambda: self._workspace.execute(Unregister(row.owner_class, attribute))
        )
        source = self._workspace.document.source
        frozen = held and is_frozen(source, row.owner_class, attribute)
        command = (Unfreeze if frozen else Freeze)(row.owner_class, attribute)
        freeze = menu.addAction("Unfreeze" if frozen else "Freeze")
        freeze.setObjectName("tensor_freeze")
        freeze.setEnabled(held and in_document and row.kind is Kind.PARAMETER)
        freeze.triggered.connect(lambda: self._workspace.execute(command))
        menu.addSeparator()


class _TensorView(QTreeView):
    """The view: uniform rows, columns that fit, only visible rows repainted."""

    badge_pressed = Signal(str)
    key_came = Signal(int)

    def __init__(self, model: TensorModel, themes: ThemeModel) -> None:
        super().__init__()
        self._tensors, self._themes = model, themes
        self.setObjectName("tensor_tree")
        self.setAccessibleName("Tensors")
        self.setModel(model)
        self.setUniformRowHeights(True)
        self.setItemDelegate(TensorDelegate(themes, self, self.badge_at))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setIndentation(GRID)
        self.setAllColumnsShowFocus(True)
        self.setMouseTracking(True)
        header = self.header()
        header.setObjectName("tensor_header")
        header.setAccessibleName("Columns of the tensors")
        header.setStretchLastSection(False)
        header.setSectionsMovable(False)
        header.setMinimumSectionSize(3 * GRID)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
        for column in (Column.STATE, Column.SHAPE, Column.GRADIENT, Column.STEPPED_BY):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)

    def dress(self) -> None:
        """Fit columns to the words they hold in the theme's type."""
        theme = self._themes.theme
        bold = QFontMetrics(theme.font("small", bold=True))
        plain = QFontMetrics(theme.font("small"))
        width = bold.horizontalAdvance
        self.header().setFont(theme.font("small"))
        self.setColumnWidth(Column.STATE, width("PARAMETER") + PADDING)
        self.setColumnWidth(Column.SHAPE, plain.horizontalAdvance("16×16×3×3") + PADDING)
        self.setColumnWidth(Column.GRADIENT, plain.horizontalAdvance("vanishing") + PADDING)
        self.setColumnWidth(Column.STEPPED_BY, plain.horizontalAdvance("not stepped") + PADDING)
        self.fit_columns()
        self.scheduleDelayedItemsLayout()

    def fit_columns(self) -> None:
        """Leave columns out where they would leave no room for the names."""
        longest = self._tensors.longest_name
        bold = QFontMetrics(self._themes.theme.font("body", bold=True))
        least = bold.horizontalAdvance(longest) + 2 * GLYPH + 2 * GRID
        plain = QFontMetrics(self._themes.theme.font()).horizontalAdvance("weight_hh_l0")
        least = max(min(least, MOST_FOR_NAMES), round(0.8 * (plain + 3 * GRID)))
        spare = (Column.SHAPE, Column.STEPPED_BY)
        for column in spare:
            self.setColumnHidden(column, False)
        others = [column for column in Column if column != Column.NAME]
        taken = sum(self.columnWidth(column) for column in others)
        for column in spare:
            if self.viewport().width() - taken >= least:
                return
            taken -= self.columnWidth(column)
            self.setColumnHidden(column, True)

    def badge_at(self, path: str) -> Finding | None:
        """The verdict on a tensor or Module, if there is one."""
        return self._tensors.badge_of(path)

    def closed_groups(self) -> frozenset[str]:
        """Paths of the groups that the user closed."""
        groups = self._tensors.groups
        return frozenset(
            group.path
            for position, group in enumerate(groups)
            if not self.isExpanded(self._tensors.index(position, 0))
        )

    def open_groups(self, closed: frozenset[str]) -> None:
        """Open all groups but ``closed``; in a very large model only the first ones."""
        shown = 0
        for position, group in enumerate(self._tensors.groups):
            shown += len(group.rows)
            if shown > MANY_ROWS:
                break
            if group.path not in closed:
                self.setExpanded(self._tensors.index(position, 0), True)

    def visible_indices(self) -> list[QModelIndex]:
        """Indices of the rows that are on the screen."""
        bottom = self.viewport().height()
        found: list[QModelIndex] = []
        index = self.indexAt(QPoint(0, 0))
        while index.isValid() and self.visualRect(index).top() <= bottom:
            if index.parent().isValid():
                found.append(index)
            index = self.indexBelow(index)
        return found

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit_columns()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in KEYS and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            self.key_came.emit(event.key())
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        place = event.position().toPoint()
        path = self._tensors.badge_path(self.indexAt(place).siblingAtColumn(Column.NAME))
        area = badge_area(self.visualRect(self.indexAt(place).siblingAtColumn(Column.NAME)))
        if path and event.button() == Qt.MouseButton.LeftButton and area.contains(place):
            self.badge_pressed.emit(path)

    def drawBranches(self, painter: QPainter, rect: QRect, index: Index) -> None:
        """Draw nothing: the delegate draws the opening sign of a group itself."""
