"""Joins the window with what it works on: canvas entries, documents, lessons, failures."""

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication

from paramscope.code.catalog import modules
from paramscope.code.templates import empty_model, new_model
from paramscope.document.document import Command, Document
from paramscope.engine.protocol import RunState
from paramscope.lessons.catalog import lessons
from paramscope.lessons.examples import example, examples
from paramscope_gui.bridge.offers import offers
from paramscope_gui.panels.welcome import Card
from paramscope_gui.window.documents import Documents
from paramscope_gui.window.furnishing import add_plots
from paramscope_gui.window.help import Help
from paramscope_gui.window.lessons import LessonPlayer
from paramscope_gui.window.loading import Loading
from paramscope_gui.window.main import MainWindow
from paramscope_gui.window.model_chooser import ModelChooser
from paramscope_gui.window.panes import Panes
from paramscope_gui.window.present import Presenter
from paramscope_gui.window.recovery import Rescue

LOG_PAGE = 1
LOADED_LATER = (
    "paramscope_gui.panels.loss",  # brings pyqtgraph
    "paramscope_gui.bridge.cures",
)

HOLE = "`...` stands where an input has no wire: connect it on the canvas, or undo."


class Desktop(QObject):
    """Everything around the window that is no widget."""

    loaded = Signal()

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.documents = Documents(window)
        self.lessons = LessonPlayer(window, self.documents)
        self.chooser = ModelChooser(window, self.documents)
        self._fill_file_menu()
        window.menus.add_canvas(window.canvas.actions_of.menu)
        self.panes = Panes(window)
        self.presenter = Presenter(window)
        self.help = Help(window)
        window.closing.connect(self._on_window_closing)
        window.live.failed.connect(self._on_live_failed)
        window.live.state_changed.connect(self._on_live_state_changed)
        window.workspace.refused.connect(self._on_workspace_refused)
        window.workspace.document_changed.connect(lambda: window.notices.withdraw("refused"))
        window.workspace.program_changed.connect(self._show_offers)
        window.palette_panel.chosen.connect(self.add_to_canvas)
        window.welcome.example_chosen.connect(self.open_example)
        window.welcome.recent_chosen.connect(lambda name: self.documents.open(Path(name)))
        window.welcome.open_requested.connect(self.documents.open_dialog)
        window.welcome.new_requested.connect(self.new)
        self._is_loaded = False
        self._loading = Loading(LOADED_LATER, self, modules)
        self._loading.finished.connect(self._on_loading_finished)

    def show_welcome_cards(self) -> None:
        """Fill the welcome page."""
        window = self._window
        window.welcome.show_lessons(
            [Card(name, one.title, one.summary) for name, one in lessons().items()]
        )
        window.welcome.show_examples([Card(one.name, one.title, one.summary) for one in examples()])

    def load_the_rest(self) -> None:
        """Load the plots and gradcore's catalogue for the palette while the window is used."""
        self._loading.start()

    def _on_loading_finished(self) -> None:
        if not self._window.isVisible():
            return  # it was closed meanwhile
        self._is_loaded = True
        self._show_offers()
        # A turn of its own for each, so that what the user does comes between.
        QTimer.singleShot(0, self._window, self._add_plots)

    def _add_plots(self) -> None:
        add_plots(self._window)
        self.rescue.ask()
        self.loaded.emit()

    def new(self) -> None:
        """Show a small model to begin with."""
        self.documents.new(new_model(), "untitled.py")

    def new_empty(self) -> None:
        """Show a network without layers, to be composed."""
        self.documents.new(empty_model(), "untitled.py")

    def open_example(self, name: str) -> None:
        """Open a copy of a shipped example."""
        found = example(name)
        self.documents.new(Document(found.source), found.filename)

    def add_to_canvas(self, text: str) -> None:
        """Add what the palette chose, where the canvas would put it."""
        self._window.canvas.add(text)

    def _fill_file_menu(self) -> None:
        window, menus, documents = self._window, self._window.menus, self.documents
        add, menu = menus.add, menus.file
        add(menu, "file_new", "New model", self.new, ["Ctrl+N"], sign="new")
        add(menu, "file_new_empty", "New empty model", self.new_empty, ["Ctrl+Shift+N"])
        add(menu, "file_open", "Open...", documents.open_dialog, ["Ctrl+O"], sign="open")
        shipped = menu.addMenu("Open example")
        shipped.setObjectName("menu_examples")
        for one in examples():
            add(
                shipped,
                f"example_{one.name}",
                one.title,
                partial(self.open_example, one.name),
            )
        self._recent_menu = menu.addMenu("Open recent")
        self._recent_menu.setObjectName("menu_recent")
        self._recent_menu.aboutToShow.connect(self._fill_recent_menu)
        self._fill_recent_menu()
        menu.addSeparator()
        add(menu, "file_save", "Save", documents.save, ["Ctrl+S"], sign="save")
        add(menu, "file_save_as", "Save as...", documents.save_as, ["Ctrl+Shift+S"])
        self.rescue = Rescue(window, documents)
        menu.addSeparator()
        add(menu, "file_quit", "Quit", window.close, ["Ctrl+Q"])

    def _fill_recent_menu(self) -> None:
        self._recent_menu.clear()
        for path in self.documents.recent:
            action = self._recent_menu.addAction(str(path))
            action.triggered.connect(partial(self._open_recent, path))
        self._recent_menu.setEnabled(bool(self.documents.recent))

    def _open_recent(self, path: Path, _: bool = False) -> None:
        self.documents.open(path)

    def _show_offers(self) -> None:
        if self._is_loaded:
            self._window.palette_panel.show_offers(offers(self._window.workspace.program))

    def _on_live_failed(self) -> None:
        window = self._window
        failure = window.live.failure
        if failure is None:
            return
        own = [one for one in failure.frames if one.filename == window.workspace.filename]
        line = own[-1].span.line if own else None
        where = f"line {line}: " if line is not None else ""
        text = f"{where}{failure.kind}: {failure.message}".strip()
        if "ellipsis" in text:
            text = f"{text[:300]}\n{HOLE}"
        choices = []
        if failure.kind == "CannotTrainError":
            words = "Choose the model" if self.chooser.is_needed else "Give a sample input"
            choices.append((words, self.chooser.open))
        change = ("Change the sample input", self.chooser.open)
        may_change = bool(window.workspace.harness)
        if may_change and failure.during == "step":
            choices.append(change)
        if line is not None:
            choices.append((f"Go to line {line}", lambda: window.code.go_to_line(line)))
        if may_change and failure.during == "loading":
            choices.append(change)
        if failure.during == "worker":
            choices.append(("Start again", self._start_again))
        choices.append(("Show the log", lambda: window.problems_dock.show_page(LOG_PAGE)))
        window.notices.say("failure", "error", text[:400], choices)

    def _start_again(self) -> None:
        self._window.notices.withdraw("failure")
        self._window.live.run_document()

    def _on_live_state_changed(self) -> None:
        if self._window.live.state in (RunState.READY, RunState.RUNNING):
            if self._window.live.failure is None:
                self._window.notices.withdraw("failure")

    def _on_workspace_refused(self, reason: str, repair: object) -> None:
        window = self._window
        focus = QApplication.focusWidget()
        if focus is not None and window.canvas.isAncestorOf(focus):
            return  # the canvas says it where the user is looking
        choices = []
        if repair is not None:
            command: Command = repair  # type: ignore[assignment]  # signals carry objects
            choices.append((command.label, lambda: self._repair(command)))
        window.notices.say("refused", "warning", reason, choices)

    def _repair(self, command: Command) -> None:
        self._window.notices.withdraw("refused")
        self._window.workspace.execute(command)

    def _on_window_closing(self) -> None:
        self._loading.wait()
        self.chooser.close()
        self.rescue.close()
        self.help.close_all()
        self._window.canvas.close_canvas()
