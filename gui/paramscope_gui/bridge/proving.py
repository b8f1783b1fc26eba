"""Proofs beside the window: an edit runs on a copy, in processes of its own, in bounded time.

One proof at a time. The process that runs the copies stays ready for the next one.
"""

import threading
from collections.abc import Callable
from typing import NamedTuple

from PySide6.QtCore import QObject, Qt, Signal

from paramscope.check.client import Checker, ServerError
from paramscope.check.job import Job, Verdict
from paramscope.check.target import is_made_up
from paramscope.check.trial import STEPS, Trial, try_edit
from paramscope.rules.finding import Finding
from paramscope_gui.bridge.workspace import Workspace

TIMEOUT = 20.0  # seconds that each of the two runs may take


class Wish(NamedTuple):
    """What is to be proved: the edit of a finding, in the source as it was then."""

    finding: Finding
    label: str
    source: str
    edited: str


class Proving(QObject):
    """Runs trials; ``finished`` carries a `Trial`, ``began`` and ``cancelled`` nothing."""

    began = Signal()
    finished = Signal(object)
    cancelled = Signal()
    _came = Signal(int, object)

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._number = 0
        self._checker: Checker | None = None
        self._lock = threading.Lock()
        self.wish: Wish | None = None
        self.is_running = False
        self._came.connect(self._on_came, Qt.ConnectionType.QueuedConnection)

    def prove(self, wish: Wish) -> None:
        """Try an edit; one that is being tried is given up."""
        self._give_up()
        self._number += 1
        self.wish, self.is_running = wish, True
        workspace = self._workspace
        engine = workspace.run_settings.engine
        run = self._runner(self._number, workspace.filename, workspace.harness, engine)
        arguments = (self._number, wish, run)
        threading.Thread(target=self._try, args=arguments, name="proving", daemon=True).start()
        self.began.emit()

    def cancel(self) -> None:
        """Give up what is being tried, at once."""
        if self.is_running:
            self._give_up()
            self.cancelled.emit()

    def close(self) -> None:
        """End the process; called once, when the window closes."""
        self._number += 1
        self.is_running = False
        self._leave_checker()

    def _give_up(self) -> None:
        self._number += 1
        if self.is_running:
            self.is_running = False
            self._leave_checker()

    def _leave_checker(self) -> None:
        with self._lock:
            checker, self._checker = self._checker, None
        if checker is not None:
            # Ending a process may take its time, which the window does not have.
            threading.Thread(target=checker.close, name="leaving", daemon=True).start()

    def _runner(
        self, number: int, filename: str, harness: str, engine: str
    ) -> Callable[[str], Verdict]:
        def run(source: str) -> Verdict:
            checker = self._ready_checker(number, engine)
            return checker.run(
                Job(
                    filename=filename,
                    source=source,
                    steps=STEPS,
                    timeout=TIMEOUT,
                    trace_path=checker.trace_path,
                    harness=harness,
                    is_made_up=is_made_up(harness),
                )
            )

        return run

    def _ready_checker(self, number: int, engine: str) -> Checker:
        with self._lock:
            if number != self._number:
                raise ServerError("It was given up.")
            if self._checker is not None and self._checker.engine != engine:
                self._checker.close()
                self._checker = None
            if self._checker is None:
                self._checker = Checker(engine)
            return self._checker

    def _try(self, number: int, wish: Wish, run: Callable[[str], Verdict]) -> None:
        try:
            trial = try_edit(wish.finding, wish.source, wish.edited, run)
        except ServerError as error:
            trial = Trial(wish.finding, wish.source, wish.edited, str(error))
        except OSError as error:
            trial = Trial(wish.finding, wish.source, wish.edited, f"It cannot be run: {error}")
        try:
            self._came.emit(number, trial)
        except RuntimeError:
            pass  # the window was closed meanwhile

    def _on_came(self, number: int, trial: object) -> None:
        if number == self._number:
            self.is_running = False
            self.finished.emit(trial)
