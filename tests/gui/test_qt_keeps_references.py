"""An upgrade of PySide6 must not bring back its loss of references to None."""

import sys

from PySide6.QtCore import QObject, QTimer


def test_calls_that_return_none_keep_its_references() -> None:
    timer, receiver = QTimer(), QObject()
    before = sys.getrefcount(None)
    for _ in range(2_000):
        timer.setInterval(10)
        receiver.setObjectName("name")
        receiver.blockSignals(False)
    # One reference lost a call would show as some thousand; the interpreter itself moves a few.
    assert abs(sys.getrefcount(None) - before) < 200
