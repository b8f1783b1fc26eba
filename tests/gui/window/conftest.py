"""The whole window with a real worker behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from paramscope_gui.app import Application


@pytest.fixture
def application(qapp: QApplication, qtbot: QtBot, tmp_path: Path) -> Iterator[Application]:
    """The window offscreen at its first size, loaded, on the welcome page."""
    made = Application(qapp, tmp_path / "state")
    made.themes.set_scheme("light")
    with qtbot.waitSignal(made.loaded, timeout=10_000):
        made.open_when_ready()
    made.window.activateWindow()
    qtbot.waitUntil(made.window.isActiveWindow)
    yield made
    made.window.may_close = lambda: True
    made.window.close()
    made.window.deleteLater()
    made.deleteLater()
