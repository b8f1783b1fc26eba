"""Wires the application together and starts it; the only place that knows every part.

The window is shown first. The plots, gradcore's catalogue and the worker come after its first
paint, so that it is visible in half a second and usable in one.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication

from paramscope.document.layout_store import LayoutStore
from paramscope.engine.client import Client
from paramscope.engine.protocol import Event
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.canvas.canvas import Canvas
from paramscope_gui.dress import apply
from paramscope_gui.settings import Settings
from paramscope_gui.theme import ThemeModel
from paramscope_gui.window.demo import Demo
from paramscope_gui.window.desktop import Desktop
from paramscope_gui.window.main import MainWindow

NO_DISPLAY = (
    "There is no display here: neither DISPLAY nor WAYLAND_DISPLAY is set, so no window can be"
    " opened.\n  To see it without a screen:  python3 gui --demo"
)


def has_display() -> bool:
    """Tell whether Qt will find a screen; without one it would abort the process."""
    if sys.platform in ("win32", "darwin"):
        return True
    chosen = os.environ.get("QT_QPA_PLATFORM", "")
    if chosen and not chosen.startswith(("xcb", "wayland")):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def connect_worker(on_event: Callable[[Event], None]) -> Client:
    """Start a worker process with gradcore."""
    client = Client(on_event)
    client.start()
    return client


class Application(QObject):
    """One window with its document and its worker. ``loaded``: everything is there."""

    loaded = Signal()

    def __init__(self, app: QApplication, state_folder: Path | None = None) -> None:
        super().__init__()
        self.settings = Settings(state_folder)
        self.themes = ThemeModel(self.settings.scheme)
        self.themes.set_scale(self.settings.scale)
        apply(app, self.themes)
        self.workspace = Workspace(layouts=LayoutStore(self.settings.folder))
        self.selection = Selection(self.workspace)
        self.live = Live(self.workspace, connect_worker)
        self.window = MainWindow(
            self.settings,
            self.themes,
            self.workspace,
            self.selection,
            self.live,
            Canvas(self.workspace, self.selection, self.live, self.themes),
        )
        self.desktop = Desktop(self.window)

    def open_when_ready(self, path: Path | None = None) -> None:
        """Show the window; load the rest, and the file asked for, after its first paint."""

        def load() -> None:
            self.desktop.finish_loading()
            self.live.start_worker()
            if path is not None:
                self.desktop.documents.open(path)
            self.loaded.emit()

        self.window.first_painted.connect(lambda: QTimer.singleShot(0, load))
        self.window.show()


def main(argv: Sequence[str] | None = None) -> int:
    """Start the window, or play the demo without one; return the exit status."""
    parser = argparse.ArgumentParser(prog="paramscope", description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, help="a Python file to open")
    parser.add_argument("--demo", action="store_true", help="play a lesson without a screen")
    parser.add_argument("--screenshots", type=Path, metavar="DIR", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.demo or given.screenshots is not None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    elif not has_display():
        print(NO_DISPLAY, file=sys.stderr)
        return 1
    app = make_application()
    if given.demo or given.screenshots is not None:
        return show_demo(app, given.screenshots)
    application = Application(app)
    application.open_when_ready(given.file)
    return app.exec()


def make_application() -> QApplication:
    """Return Qt's application object, named."""
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        app = QApplication(sys.argv[:1])
    app.setApplicationName("paramscope")
    app.setApplicationDisplayName("Paramscope")
    return app


def show_demo(app: QApplication, screenshots: Path | None) -> int:
    """Play the demo, or make the pictures of the documentation; return the exit status."""
    with tempfile.TemporaryDirectory(prefix="paramscope-") as state:
        application = Application(app, Path(state))
        application.themes.set_scheme("light")
        application.open_when_ready()
        folder = screenshots if screenshots is not None else demo_folder()
        demo = Demo(application.window, application.desktop, folder)
        status: list[bool] = []

        def play() -> None:
            try:
                status.append(demo.play() if screenshots is None else demo.make_screenshots())
            finally:
                application.window.close()
                app.quit()

        application.loaded.connect(lambda: QTimer.singleShot(0, play))
        app.exec()
    return 0 if status == [True] else 1


def demo_folder() -> Path:
    """Return a folder that can be written to: ``demo`` here, else a temporary one."""
    here = Path.cwd() / "demo"
    try:
        here.mkdir(exist_ok=True)
        (here / "lesson_before_the_fix.png").touch()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="paramscope-demo-"))
    return here
