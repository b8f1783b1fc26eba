"""Plays the application by itself, without a screen: the first lesson, then real digits.

It drives the same window, document and worker as a user does, says what it finds, and leaves
pictures. The README's pictures are made here too.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer

from paramscope.engine.protocol import Play, RunState
from paramscope.lessons.catalog import lessons
from paramscope_gui.theme import FORGOTTEN
from paramscope_gui.widgets import number, shape_text
from paramscope_gui.window.desktop import Desktop
from paramscope_gui.window.main import MainWindow

LESSON = "forgotten_tensor"
DIGITS = "digits_mlp"
ACCURACY = 0.95  # what the digits run must reach on images it has not trained on
PATIENCE = 120.0
SIZES = ((1280, 800), (1920, 1080))


class Demo:
    """One showing. ``say`` gets each line; pictures go to ``folder``."""

    def __init__(
        self, window: MainWindow, desktop: Desktop, folder: Path, say: Callable[[str], None] = print
    ) -> None:
        self._window, self._desktop = window, desktop
        self._live, self._workspace = window.live, window.workspace
        self._folder, self._say = folder, say
        window.may_close = lambda: True
        desktop.documents.ask_unsaved = lambda _: "discard"

    def play(self) -> bool:
        """Play the lesson and the digits; tell whether both came out as promised."""
        self._window.resize(*SIZES[0])
        learned = self._play_lesson()
        read = self._play_digits()
        self._say(f"Pictures are in {self._folder}")
        return learned and read

    def make_screenshots(self) -> bool:
        """Leave a picture of the lesson before and after the fix in each size and scheme."""
        before, after = self._lesson_parts()
        self._start_lesson()
        self._run_script(before)
        self._pause()
        self._window.selection.select_tensor("scale")
        self._shoot_all("forgotten_tensor_before")
        self._run_script(after)
        self._pause()
        self._window.selection.select_tensor("scale")
        self._shoot_all("forgotten_tensor_after")
        self._say(f"Pictures are in {self._folder}")
        return self._is_lesson_reached()

    # The lesson

    def _play_lesson(self) -> bool:
        before, after = self._lesson_parts()
        self._start_lesson()
        lesson = lessons()[LESSON]
        self._say(f"Lesson: {lesson.title}. {lesson.goal}")
        self._run_script(before)
        self._pause()
        self._say_run("before the fix")
        self._window.selection.select_tensor("scale")
        self._shoot("lesson_before_the_fix")
        self._run_script(after)
        self._pause()
        self._say(f"Fixed: {self._workspace.last_label}.")
        self._say_run("after the fix")
        self._shoot("lesson_after_the_fix")
        reached = self._is_lesson_reached()
        self._say("The goal is reached." if reached else "The goal is NOT reached.")
        return reached

    def _lesson_parts(self) -> tuple[tuple[object, ...], tuple[object, ...]]:
        script = lessons()[LESSON].script
        return script[:1], script[1:]

    def _start_lesson(self) -> None:
        self._desktop.lessons.start(LESSON)
        self._wait(lambda: bool(self._live.rows))

    def _run_script(self, script: tuple[object, ...]) -> None:
        for entry in script:
            if isinstance(entry, Play):
                self._live.play()
                self._wait(partial(self._has_reached, self._live.step_count + (entry.steps or 0)))
            else:
                self._workspace.execute(entry)  # type: ignore[arg-type]  # a script's only other
                self._wait(lambda: not any(r.kind in FORGOTTEN for r in self._live.rows.values()))

    def _has_reached(self, step: int) -> bool:
        return self._live.step_count >= step

    def _is_lesson_reached(self) -> bool:
        run = self._desktop.lessons.run
        return run is not None and run.is_reached

    # The digits

    def _play_digits(self) -> bool:
        self._desktop.open_example(DIGITS)
        self._wait(lambda: bool(self._live.rows))
        self._say("Digits: 1,797 images of handwritten digits, 8 x 8 pixels.")
        self._live.play()
        self._wait(lambda: self._best_accuracy() >= ACCURACY)
        rows = self._live.rows
        self._window.selection.select_tensor(next(iter(rows), None))
        self._wait(lambda: bool(self._live.watched), 5.0)
        self._pause()
        self._say_run("digits")
        for name, curve in self._live.metrics.items():
            if len(curve):
                value = number(float(curve.values[-1]))
                self._say(f"  {name.replace('_', ' ')}: {value}")
        self._shoot("digits")
        return self._best_accuracy() >= ACCURACY

    def _best_accuracy(self) -> float:
        best = 0.0
        for name, curve in self._live.metrics.items():
            if len(curve) and "accuracy" in name:
                best = max(best, float(curve.values.max()))
        return best

    # Saying and showing

    def _say_run(self, when: str) -> None:
        live = self._live
        loss = "none" if live.loss is None else number(live.loss)
        self._say(f"  {when}: step {live.step_count:,}, loss {loss}")
        for row in live.rows.values():
            states = [str(one) for one in (row.kind, row.gradient, row.stepping) if one]
            self._say(f"    {row.path:<16} {shape_text(row.shape):>10}  {' · '.join(states)}")
        for finding in live.findings:
            line = f" (line {finding.line})" if finding.line is not None else ""
            self._say(f"    {finding.rule} {finding.where}{line}: {finding.message}")

    def _pause(self) -> None:
        if self._live.state is RunState.RUNNING:
            self._live.pause()
            self._wait(lambda: self._live.state is not RunState.RUNNING)
        self._rest(0.4)  # the views follow at 10 Hz

    def _shoot(self, name: str) -> None:
        self._rest(0.2)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{name}.png"
        self._window.grab().save(str(path))
        self._say(f"  picture: {path.name}")

    def _shoot_all(self, name: str) -> None:
        for width, height in SIZES:
            self._window.resize(width, height)
            self._window.fit_docks()
            for scheme in ("light", "dark"):
                self._window.themes.set_scheme(scheme)
                self._rest(0.3)
                self._shoot(f"{name}_{scheme}_{width}x{height}")

    def _wait(self, is_so: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Let the window live until something is so."""
        until = time.monotonic() + seconds
        while not is_so() and time.monotonic() < until:
            if self._live.state in (RunState.FAILED, RunState.STOPPED):
                return
            self._rest(0.02)

    def _rest(self, seconds: float) -> None:
        loop = QEventLoop()
        QTimer.singleShot(round(1000 * seconds), loop.quit)
        loop.exec()
