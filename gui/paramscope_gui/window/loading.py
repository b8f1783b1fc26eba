"""Imports what the first use does not need beside the running window, so that it never waits."""

import importlib
import sys
import threading
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Qt, Signal

SWITCH_SECONDS = 0.0005  # after which the window's thread gets its turn while this one imports


class Loading(QObject):
    """A thread that imports modules one after the other, then calls ``last``; see ``finished``.

    A module that cannot be imported is not reported here: whoever needs it imports it again, and
    that raises where it can be told.
    """

    finished = Signal()
    _ended = Signal()

    def __init__(
        self,
        names: Sequence[str],
        parent: QObject | None = None,
        last: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(parent)
        self._names = tuple(names)
        self._last = last
        self._is_wanted = True
        self._ended.connect(self.finished, Qt.ConnectionType.QueuedConnection)
        # Not a daemon: an interpreter that ends in the middle of an import may crash.
        self._thread = threading.Thread(target=self._load, name="loading")

    def start(self) -> None:
        """Begin; called once."""
        self._thread.start()

    def wait(self) -> None:
        """Wait for the end of the import that runs; no others follow."""
        self._is_wanted = False
        if self._thread.is_alive():
            self._thread.join()

    def _load(self) -> None:
        interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        try:
            for name in self._names:
                if self._is_wanted:
                    importlib.import_module(name)
            if self._is_wanted:
                self._last()
        except Exception:
            pass  # whoever needs the module imports it again, and raises this
        finally:
            sys.setswitchinterval(interval)
        self._ended.emit()
