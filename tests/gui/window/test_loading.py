"""What is loaded beside the running window."""

import sys

from pytestqt.qtbot import QtBot

from paramscope_gui.window.loading import Loading


def test_modules_are_there_when_loading_tells_so(qtbot: QtBot) -> None:
    loading = Loading(["colorsys", "a_module_of_nowhere"])
    before = sys.getswitchinterval()
    with qtbot.waitSignal(loading.finished):
        loading.start()
    loading.wait()
    assert "colorsys" in sys.modules
    assert sys.getswitchinterval() == before


def test_a_loading_that_never_began_can_be_waited_for() -> None:
    Loading(["colorsys"]).wait()
