"""Collects Python's cyclic garbage in the window's own thread, and only there.

The automatic collector runs in whichever thread happens to allocate, which may be one that reads
the worker's messages: a widget that dies there takes the process with it. And a full collection
over everything that was made at start takes longer than a frame.
"""

import gc

from PySide6.QtCore import QObject, QTimer

INTERVAL = 0.2
"""Seconds between two looks at how much there is to collect."""


class GarbageCollector(QObject):
    """Takes the place of the automatic collector while it lives in the event loop."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._on_timer_timeout)

    def start(self) -> None:
        """Take over from Python; what is made until `settle` is there to stay."""
        gc.disable()

    def stop(self) -> None:
        """Leave collecting to Python again."""
        self._timer.stop()
        gc.enable()

    def settle(self) -> None:
        """Collect from the event loop from now on, and never look through what is there already."""
        gc.freeze()
        self._timer.start(int(INTERVAL * 1000))

    def _on_timer_timeout(self) -> None:
        """Collect the oldest generation whose count is over Python's own threshold."""
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > gc.get_threshold()[generation]:
                gc.collect(generation)
                return
