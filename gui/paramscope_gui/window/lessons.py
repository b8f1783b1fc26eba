"""Plays lessons: opens the document, follows the run, and ticks off what is reached."""

from PySide6.QtCore import QObject

from paramscope.document.document import Document
from paramscope.lessons.catalog import lessons
from paramscope.lessons.lesson import LessonRun
from paramscope.lessons.progress import KEPT_LOSSES, Progress
from paramscope_gui.panels.lesson import LessonStep
from paramscope_gui.window.documents import Documents
from paramscope_gui.window.main import MainWindow

PALETTE_PAGE, LESSON_PAGE = 0, 1


class LessonPlayer(QObject):
    """At most one lesson at a time; opening another document ends it."""

    def __init__(self, window: MainWindow, documents: Documents) -> None:
        super().__init__(window)
        self._window, self._documents = window, documents
        self._name: str | None = None
        self._run: LessonRun | None = None
        self._is_starting = False
        window.lesson.next_requested.connect(self._on_panel_next_requested)
        window.lesson.restart_requested.connect(self._on_panel_restart_requested)
        window.welcome.lesson_chosen.connect(self.start)
        window.live.snapshot_arrived.connect(self._look)
        window.workspace.document_changed.connect(self._look)
        documents.opened.connect(self._on_documents_opened)

    @property
    def run(self) -> LessonRun | None:
        """The lesson that is played, as far as it has come."""
        return self._run

    def start(self, name: str) -> None:
        """Open a lesson's document and show its steps."""
        lesson = lessons().get(name)
        if lesson is None or not self._documents.may_leave():
            return
        self._is_starting = True
        self._documents.new(Document(lesson.document), f"{name}.py")
        self._is_starting = False
        self._name, self._run = name, LessonRun(lesson)
        self._window.compose_dock.show_page(LESSON_PAGE)
        self._show()

    def _look(self) -> None:
        if self._run is None:
            return
        live, workspace = self._window.live, self._window.workspace
        progress = Progress(
            source=workspace.document.source,
            revision=workspace.revision,
            step=live.step_count,
            phase=live.phase,
            losses=tuple(float(value) for value in live.losses.values[-KEPT_LOSSES:]),
            tensors=tuple(live.rows.values()),
            findings=live.findings,
        )
        after = self._run.after(progress)
        if after != self._run:
            self._run = after
            self._show()

    def _show(self) -> None:
        if self._run is None:
            return
        lesson = self._run.lesson
        steps = [
            LessonStep(step.text, place < self._run.done) for place, step in enumerate(lesson.steps)
        ]
        self._window.lesson.show_lesson(
            lesson.title,
            f"Goal: {lesson.goal}",
            steps,
            conclusion=lesson.conclusion if self._run.is_reached else "",
            has_next=self._next_name() is not None,
        )

    def _next_name(self) -> str | None:
        names = list(lessons())
        if self._name not in names:
            return None
        place = names.index(self._name) + 1
        return names[place] if place < len(names) else None

    def _on_panel_next_requested(self) -> None:
        following = self._next_name()
        if following is not None:
            self.start(following)

    def _on_panel_restart_requested(self) -> None:
        if self._name is not None:
            self.start(self._name)

    def _on_documents_opened(self) -> None:
        if not self._is_starting:
            if self._run is not None:
                self._window.compose_dock.show_page(PALETTE_PAGE)
            self._name = self._run = None
            self._window.lesson.end_lesson()
