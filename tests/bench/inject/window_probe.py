"""Watches the window from inside its process: when it is there, how it stalls, how it trains.

Everything is told as one line of JSON on the file that PARAMSCOPE_BENCH names. Times are
seconds of the monotonic clock since the moment that the bench started the process.
"""

import json
import os
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer

BEAT = 0.005
# Usable: from then on the window answers within `ANSWER` for at least `CALM`.
ANSWER, CALM = 0.02, 0.1
GIVE_UP = 60.0


def attach(widgets: ModuleType) -> None:
    """Let `QApplication.exec` start a probe first."""
    execute = widgets.QApplication.exec

    def execute_with_probe(*_: Any) -> int:
        probe = Probe(widgets, json.loads(os.environ["PARAMSCOPE_BENCH"]))
        status = execute()  # Qt's is static; the application calls it on its object
        probe.tell()
        return int(status)

    widgets.QApplication.exec = execute_with_probe


class Probe(QObject):
    """A heart that beats in the window's own loop; a late beat is a stall."""

    def __init__(self, widgets: ModuleType, plan: dict[str, Any]) -> None:
        super().__init__()
        self._app = widgets.QApplication
        self._plan = plan
        self._start: float = plan["start"]
        self._told: dict[str, Any] = {}
        self._stage = self._wait_for_window
        self._calm_since = self._last = time.monotonic()
        self._gaps: list[float] = []
        self._window: Any = None
        self._heart = QTimer(self, timerType=Qt.TimerType.PreciseTimer)
        self._heart.timeout.connect(self._on_heart_timeout)
        self._heart.start(int(BEAT * 1000))
        self._find_window()

    def tell(self) -> None:
        """Write what was seen."""
        Path(self._plan["file"]).write_text(json.dumps(self._told))

    def _find_window(self) -> None:
        for widget in self._app.topLevelWidgets():
            if widget.objectName() == "main_window":
                self._window = widget
                widget.first_painted.connect(self._on_window_first_painted)

    def _on_window_first_painted(self) -> None:
        # At the end of painting; what the application loads next is not counted to it.
        self._note("visible")
        self._calm_since = time.monotonic()
        self._stage = self._wait_for_calm

    def _on_heart_timeout(self) -> None:
        now = time.monotonic()
        gap = now - self._last - BEAT
        self._last = now
        if gap > ANSWER:
            self._calm_since = now
        self._gaps.append(gap)
        try:
            self._stage()
        except Exception as error:  # told to the bench; the window would go on for ever
            self._told["gave_up_in"] = f"{self._stage.__name__}: {error!r}"
            self._finish()
        if now - self._start > GIVE_UP + self._plan["seconds"]:
            self._told["gave_up_in"] = self._stage.__name__
            self._finish()

    def _wait_for_window(self) -> None:
        if self._window is None:
            self._find_window()

    def _wait_for_calm(self) -> None:
        if self._last - self._calm_since >= CALM:
            self._told["usable"] = self._calm_since - self._start
            desktop = next(c for c in self._window.children() if hasattr(c, "open_example"))
            desktop.open_example(self._plan["example"])
            self._window.live.play()
            self._stage = self._wait_for_curve

    def _wait_for_curve(self) -> None:
        if len(self._window.live.losses) >= 2:
            self._note("curve")
            self._calm_since = self._last
            self._stage = self._wait_for_steady_run

    def _wait_for_steady_run(self) -> None:
        """Begin to count a second after the curve moves: what opening cost is told apart."""
        if self._last - self._start > self._told["curve"] + 1.0:
            self._gaps.clear()
            self._told["first_step"], self._told["first_time"] = (
                self._window.live.step_count,
                self._last,
            )
            self._stage = self._watch_run

    def _watch_run(self) -> None:
        if self._last - self._told["first_time"] < self._plan["seconds"]:
            return
        live = self._window.live
        steps = live.step_count - self._told["first_step"]
        self._told["steps_per_second"] = steps / (self._last - self._told["first_time"])
        self._told["gaps"] = sorted(self._gaps)[-20:]
        self._told["beats"] = len(self._gaps)
        self._told["resident"] = _resident_mebibytes()
        self._told["pid"] = os.getpid()
        self._finish()

    def _note(self, name: str) -> None:
        self._told[name] = time.monotonic() - self._start

    def _finish(self) -> None:
        self._heart.stop()
        self._window.may_close = lambda: True
        self._window.close()
        self._app.quit()


def _resident_mebibytes() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
