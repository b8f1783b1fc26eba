"""The canvas as a widget: breadcrumb, view, minimap, search, name and argument editors.

`app` makes it from the bridge's models; the window puts it in its middle and its actions in
the menus.
"""

from collections.abc import Mapping

from PySide6.QtCore import QEasingCurve, QPoint, QPointF, QRect, Qt, QVariantAnimation
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QMenu,
    QStyle,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from paramscope.document.document import Command, Point
from paramscope.engine.protocol import Phase
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Scope, Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.canvas.actions import CanvasActions
from paramscope_gui.canvas.arguments import ArgumentStrip
from paramscope_gui.canvas.breadcrumb import Breadcrumb
from paramscope_gui.canvas.bubble import Bubble
from paramscope_gui.canvas.desk import Desk, Question, SearchWish
from paramscope_gui.canvas.drawing import TITLE_HEIGHT
from paramscope_gui.canvas.edits import rename, set_argument
from paramscope_gui.canvas.hints import empty_hint, tooltip
from paramscope_gui.canvas.ink import Ink
from paramscope_gui.canvas.legend import GradientLegend
from paramscope_gui.canvas.lights import Lights
from paramscope_gui.canvas.minimap import Minimap
from paramscope_gui.canvas.name_editor import NameEditor
from paramscope_gui.canvas.presenter import Presenter
from paramscope_gui.canvas.press import Interaction
from paramscope_gui.canvas.scene import CanvasScene, Hit
from paramscope_gui.canvas.search import Searcher
from paramscope_gui.canvas.search_popup import Found, SearchPopup
from paramscope_gui.canvas.tools.add import drag_over, drop, free_output
from paramscope_gui.canvas.tools.bundle import BundleTool
from paramscope_gui.canvas.tools.cut import CutTool, KnifeTool, cut
from paramscope_gui.canvas.tools.enter import enter
from paramscope_gui.canvas.tools.move import MoveTool
from paramscope_gui.canvas.tools.pan import PanTool
from paramscope_gui.canvas.tools.problem import ProblemTool
from paramscope_gui.canvas.tools.select import SelectTool
from paramscope_gui.canvas.tools.wire import WireTool
from paramscope_gui.canvas.view import CanvasView
from paramscope_gui.theme import ThemeModel

GLIDE_MILLISECONDS = 220


class Canvas(QWidget):
    """The whole canvas. `view` and `scene` answer where things lie; `actions` fill menus."""

    def __init__(
        self, workspace: Workspace, selection: Selection, live: Live, themes: ThemeModel
    ) -> None:
        super().__init__()
        self.setObjectName("canvas_panel")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._workspace = workspace
        self._selection = selection
        self._themes = themes
        self.ink = Ink(themes)
        self.scene = CanvasScene(self.ink)
        self.scene.setParent(self)
        self.view = CanvasView(self.scene)
        self.presenter = Presenter(self.scene, workspace, selection, live)
        self.lights = Lights(self.scene, live, self.presenter)
        self._make_parts()
        self.desk = Desk(
            workspace,
            selection,
            self.presenter,
            self.scene,
            self.view,
            self.bubble,
            self.open_search,
            self.ask,
            self.edit_name,
            self.edit_arguments,
            self.glide,
            self.toggle_minimap,
        )
        self._searcher = Searcher(self.desk)
        self._wish = SearchWish(QPointF())
        self._question: Question | None = None
        self.actions_of = CanvasActions(self.desk)
        self.view.set_tools(self._make_tools())
        self._glide_from: Mapping[str, Point] = {}
        self._glide_to: Mapping[str, Point] = {}
        self._make_glide()
        self._is_started, self._minimap_is_wanted = False, True
        self.setFocusProxy(self.view)
        self._connect()
        self._refresh()
        self._dress()

    @property
    def is_still(self) -> bool:
        """Whether nothing moves by itself, as the system's reduced motion asks."""
        return self.lights.is_still

    def set_still(self, still: bool) -> None:
        """Let nothing move by itself, or let it."""
        self.lights.is_still = still

    def close_canvas(self) -> None:
        """Stop everything that moves, before the window goes."""
        self._glide.stop()
        self.lights.stop()
        self.view.stop()

    # What tools ask for

    def open_search(self, wish: SearchWish) -> None:
        """Open the search for a node at the wish's place."""
        self._wish, self._question = wish, None
        place = self.view.mapFromScene(wish.place)
        if not wish.is_placed:
            place.setX((self.view.width() - self.search.width()) // 2)
            place.setY(self.view.height() // 5)
        self.bubble.dismiss()
        self.search.open(place, lambda text: self._searcher.find(text, wish))

    def ask(self, question: Question) -> None:
        """Open the search with another question than what to add."""
        self._question = question
        self.bubble.dismiss()
        place = QPoint((self.view.width() - self.search.width()) // 2, self.view.height() // 5)
        self.search.open(place, question.find, question.prompt, question.nothing)

    def add(self, expression: str) -> None:
        """Add what an expression stands for behind the selected node, as the palette does."""
        self.view.setFocus()
        middle, source = self.view.visible_area.center(), free_output(self.desk)
        self._searcher.add_text(expression, SearchWish(middle, source, is_placed=False))

    def edit_name(self, identifier: str) -> None:
        """Open the editor over a node's title."""
        node = self.scene.nodes_by_id.get(identifier)
        if node is None:
            return
        area = self.scene.node_rect(identifier)
        self.view.reveal(area)
        corner = self.view.mapFromScene(area.topLeft())
        zoom = self.view.zoom_factor
        width, height = round(area.width() * zoom), max(28, round(TITLE_HEIGHT * zoom))
        name = (node.path or node.name or node.title).rpartition(".")[2]
        self.name_editor.open(
            identifier, name, QRect(corner.x(), corner.y(), max(140, width), height)
        )

    def edit_arguments(self, identifier: str) -> None:
        """Go to the node's first argument; without any, say so."""
        if not self.arguments.focus_field():
            place = self.scene.node_rect(identifier).center()
            self.desk.say("This node has no arguments. F2 renames it.", None, place)

    def glide(self, before: Mapping[str, Point]) -> None:
        """Let nodes glide from where they were to where they now lie."""
        after = self.scene.positions()
        if self.is_still or len(after) > 600:
            return
        self._glide_from = {key: point for key, point in before.items() if key in after}
        self._glide_to = after
        self._on_glide_value_changed(0.0)
        self._glide.start()

    def toggle_minimap(self) -> None:
        """Show the minimap or hide it."""
        self._minimap_is_wanted = not self._minimap_is_wanted
        self._show_minimap()

    # Making

    def _make_parts(self) -> None:
        self.breadcrumb = Breadcrumb(self._selection)
        self.banner = QLabel()
        self.banner.setObjectName("canvas_banner")
        self.banner.setAccessibleName("Source error")
        self.banner.setWordWrap(True)
        self.banner.setTextFormat(Qt.TextFormat.PlainText)
        self.arguments = ArgumentStrip(self.view)
        self.minimap = Minimap(self.scene, self.view)
        self.legend = GradientLegend(self.view, self.ink)
        self.bubble = Bubble(self.view)
        self.name_editor = NameEditor(self.view)
        self.search = SearchPopup(self.view, self.ink)
        self.hint = QLabel(self.view)
        self.hint.setObjectName("canvas_hint")
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        rule = QFrame()
        rule.setFrameShape(QFrame.Shape.NoFrame)
        rule.setFixedHeight(1)
        rule.setObjectName("canvas_rule")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.breadcrumb)
        layout.addWidget(rule)
        layout.addWidget(self.banner)
        layout.addWidget(self.view, 1)

    def _make_glide(self) -> None:
        # Nought where the system asks that nothing moves by itself.
        duration = self.style().styleHint(QStyle.StyleHint.SH_Widget_Animation_Duration)
        self.lights.is_still = duration == 0
        self._glide = QVariantAnimation(self)
        self._glide.setDuration(GLIDE_MILLISECONDS)
        self._glide.setStartValue(0.0)
        self._glide.setEndValue(1.0)
        self._glide.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self._glide.valueChanged.connect(self._on_glide_value_changed)

    def _make_tools(self) -> list[Interaction]:
        desk = self.desk
        return [
            PanTool(desk),
            ProblemTool(desk),
            CutTool(desk),
            KnifeTool(desk),
            BundleTool(desk),
            WireTool(desk),
            MoveTool(desk),
            SelectTool(desk),
        ]

    def _connect(self) -> None:
        self.view.moved.connect(self._on_view_moved)
        self.view.hovered.connect(self._on_view_hovered)
        self.view.pressed.connect(self._on_view_pressed)
        self.view.empty_double_clicked.connect(self._on_view_empty_double_clicked)
        self.view.node_double_clicked.connect(self._on_view_node_double_clicked)
        self.view.menu_asked.connect(self._on_view_menu_asked)
        self.view.dropped.connect(lambda text, place: drop(self.desk, text, place))
        self.view.dragged_over.connect(lambda text, place: drag_over(self.desk, text, place))
        self.view.drag_left.connect(lambda: drag_over(self.desk, "", None))
        self.view.key_came.connect(self._on_view_key_came)
        self.presenter.graph_shown.connect(self._on_presenter_graph_shown)
        self.presenter.scope_shown.connect(self.view.show_start)
        self.presenter.settled.connect(self._on_presenter_settled)
        self.scene.wires_chosen.connect(self.actions_of.refresh)
        self._selection.changed.connect(self._on_selection_changed)
        self._selection.scope_changed.connect(self.breadcrumb.refresh)
        self._workspace.document_changed.connect(self._on_workspace_document_changed)
        self._themes.changed.connect(self._dress)
        self.lights.phase_lit.connect(self._on_lights_phase_lit)
        self.breadcrumb.scope_chosen.connect(self._on_breadcrumb_scope_chosen)
        self.bubble.repair_chosen.connect(self._on_bubble_repair_chosen)
        self.name_editor.renamed.connect(self._on_name_editor_renamed)
        self.name_editor.closed.connect(self.view.setFocus)
        self.arguments.written.connect(self._on_arguments_written)
        self.arguments.left.connect(self.view.setFocus)
        self.arguments.changed.connect(self._arrange)
        self.search.chosen.connect(self._on_search_chosen)
        self.search.closed.connect(self.view.setFocus)

    def _dress(self) -> None:
        theme = self._themes.theme
        self.scene.refresh_theme()
        self.minimap.refresh()
        self.view.viewport().update()
        hairline, raised = theme.hairline.name(), theme.raised.name()
        card = f"background: {raised}; border: 1px solid {hairline}; border-radius: 6px;"
        self.setStyleSheet(
            f"#canvas_panel {{ background: {theme.panel.name()}; }}"
            f"#canvas_rule {{ background: {hairline}; }}"
            f"#canvas_banner {{ background: {theme.error_fill.name()};"
            f" color: {theme.text.name()}; padding: 8px 16px; }}"
            f"#canvas_hint {{ color: {theme.quiet.name()}; font-size: {theme.body + 2}px; }}"
            f"#canvas_bubble, #search_popup {{ {card} }}"
            f"#canvas_bubble {{ border-color: {theme.glyphs['vermilion'].name()}; }}"
            f"#canvas_repair {{ background: {theme.accent.name()};"
            f" color: {theme.on_accent.name()}; padding: 4px 12px; }}"
            f"#search_action {{ color: {theme.quiet.name()}; }}"
            f"#argument_strip, #argument_row {{ background: {raised}; }}"
            f"#argument_strip {{ border: 1px solid {hairline}; border-radius: 6px; }}"
            f"QLabel[role='quiet'] {{ color: {theme.quiet.name()};"
            f" font-size: {theme.small}px; }}"
        )

    def _refresh(self) -> None:
        self.actions_of.refresh()
        self.arguments.show_node(self.desk.selected_node)
        self.breadcrumb.refresh()
        self.minimap.refresh()
        self._show_minimap()
        text = empty_hint(self._workspace, self._selection.scope, self.scene.graph)
        self.hint.setText(text)
        self.hint.setVisible(bool(text))
        self._show_error()

    def _show_minimap(self) -> None:
        content, seen = self.scene.content_rect(), self.view.visible_area
        is_needed = not content.isEmpty() and not seen.contains(content)
        self.minimap.setVisible(self._minimap_is_wanted and is_needed)

    def _arrange(self) -> None:
        """Keep what lies over the view in its corner."""
        area = self.view.rect()
        self.minimap.move(
            area.width() - self.minimap.width() - 8, area.height() - self.minimap.height() - 8
        )
        self.hint.setGeometry(area)
        self.legend.move(area.width() - self.legend.width() - 8, 8)
        taken = self.minimap.width() if self.minimap.isVisible() else 0
        node = self.desk.selected_node
        selected = QRect()
        if node is not None:
            selected = self.view.mapFromScene(self.scene.node_rect(node.id)).boundingRect()
        self.arguments.place(area.adjusted(8, 8, -16 - taken, -8), selected)

    def _show_error(self) -> None:
        error = self._workspace.source_error
        self.banner.setVisible(error is not None)
        if error is not None:
            self.banner.setText(
                f"Line {error.span.line}: {error.message}. The canvas shows the last source "
                "that could be read."
            )

    # Following

    def _on_view_moved(self) -> None:
        self._arrange()
        self._show_minimap()
        self.presenter.show_visible(self.view.visible_area)

    def _on_view_hovered(self, place: QPointF) -> None:
        hit = self.view.hit_at(place)
        port = None
        if hit.is_port and hit.node is not None:
            port = (hit.node, hit.side, hit.port)
        self.scene.light_port(port)
        shape = Qt.CursorShape.CrossCursor if port is not None else Qt.CursorShape.ArrowCursor
        if not self.view.is_space_held:
            self.view.viewport().setCursor(shape)
        text = tooltip(hit, self.scene, self.presenter.gatherer.evidence)
        spot = self.view.viewport().mapToGlobal(place.toPoint())
        QToolTip.showText(spot, text, self.view.viewport())

    def _on_view_pressed(self) -> None:
        self.bubble.dismiss()
        self.search.close_popup()
        QToolTip.hideText()

    def _on_view_empty_double_clicked(self, place: QPointF) -> None:
        self.open_search(SearchWish(place))

    def _on_view_node_double_clicked(self, hit: Hit) -> None:
        node = self.scene.nodes_by_id[hit.node or ""]
        if hit.part == "caption":
            self.edit_arguments(node.id)
        elif enter(self.desk, node):
            return
        elif hit.part == "title":
            self.edit_name(node.id)
        elif node.arguments:
            self.edit_arguments(node.id)

    def _on_view_key_came(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.bubble.repair is not None:
            self.bubble.accept()
            event.accept()
        elif event.key() == Qt.Key.Key_Tab:
            self.actions_of.action("add_node").trigger()
            event.accept()
        elif event.key() not in (
            Qt.Key.Key_Shift,
            Qt.Key.Key_Control,
            Qt.Key.Key_Alt,
            Qt.Key.Key_Meta,
        ):
            self.bubble.dismiss()

    def _on_presenter_graph_shown(self) -> None:
        self._glide.stop()
        self.name_editor.dismiss()
        self._refresh()
        if self.view.is_at_start:
            self.view.show_start()

    def _on_presenter_settled(self) -> None:
        if self.view.is_at_start:
            self.view.show_start()
        self.minimap.refresh()

    def _on_lights_phase_lit(self) -> None:
        is_lit = self.lights.phase is Phase.BACKWARD and bool(self.scene.graph.name)
        self.legend.setVisible(is_lit)

    def _on_selection_changed(self) -> None:
        self.actions_of.refresh()
        self.arguments.show_node(self.desk.selected_node)
        if len(self._selection.nodes) == 1 and not self.view.underMouse():
            key = next(iter(self._selection.nodes))
            if key in self.scene.items_by_id:
                self.view.reveal(self.scene.node_rect(key))

    def _on_workspace_document_changed(self) -> None:
        self._show_error()
        self.minimap.refresh()

    def _on_breadcrumb_scope_chosen(self, scope: Scope) -> None:
        self._selection.enter(scope)
        self.view.setFocus()

    def _on_bubble_repair_chosen(self, command: Command) -> None:
        self.desk.perform(command)
        self.view.setFocus()

    def _on_name_editor_renamed(self, identifier: str, name: str) -> None:
        if identifier not in self.scene.items_by_id:
            return  # the node went while it was being renamed
        place = self.scene.node_rect(identifier).center()
        self.desk.perform(rename(self.scene.graph.name, identifier, name), place)

    def _on_arguments_written(self, identifier: str, argument: str, text: str) -> None:
        if identifier not in self.scene.items_by_id:
            return
        place = self.scene.node_rect(identifier).center()
        command = set_argument(self.scene.graph.name, identifier, argument, text)
        if not self.desk.perform(command, place):
            self.arguments.show_node(None)
            self.arguments.show_node(self.desk.selected_node)

    def _on_search_chosen(self, found: Found) -> None:
        self.view.setFocus()
        question, self._question = self._question, None
        if question is not None:
            question.take(found)
        else:
            self._searcher.add(found, self._wish)

    def _on_glide_value_changed(self, value: object) -> None:
        assert isinstance(value, float)
        points = {}
        for key, end in self._glide_to.items():
            start = self._glide_from.get(key, end)
            points[key] = Point(
                start.x + (end.x - start.x) * value, start.y + (end.y - start.y) * value
            )
        self.scene.move_nodes({k: p for k, p in points.items() if k in self.scene.items_by_id})

    def _on_view_menu_asked(self, place: QPointF) -> None:
        hit = self.view.hit_at(place)
        menu = self.menu_for(hit, place)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.view.viewport().mapToGlobal(place.toPoint()))

    def menu_for(self, hit: Hit, place: QPointF) -> QMenu:
        """Return the context menu of what lies at a place of the viewport."""
        menu = QMenu(self)
        names: tuple[str, ...] = ("add_node", "paste", "select_all", "auto_layout", "fit_all")
        if hit.node is not None:
            if hit.node not in self._selection.nodes:
                self._selection.select_nodes({hit.node})
            names = (
                "enter",
                "rename",
                "register",
                "copy",
                "duplicate",
                "delete",
                "delete_and_reconnect",
            )
        elif hit.wire is not None:
            wire = hit.wire
            self.scene.choose_wires([wire])
            spot = self.view.mapToScene(place.toPoint())
            wish = SearchWish(spot, wire.source, wire.target)
            menu.addAction("Insert a node…", lambda: self.open_search(wish))
            menu.addAction("Cut the wire", lambda: cut(self.desk, [wire], spot))
            return menu
        self.actions_of.refresh()
        for name in names:
            action = self.actions_of.action(name)
            if action.isEnabled():
                menu.addAction(action)
        return menu

    # Overrides of Qt

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._is_started:
            self._is_started = True
            self.view.show_start()
            self.view.setFocus(Qt.FocusReason.OtherFocusReason)
