"""Wires the application together and starts it; the only place that knows every part.

The window is shown first, with little more than its welcome page. The panels and the worker
come after its first paint, and the plots beside what the user does then, so that it is visible
in half a second and usable in one.
"""

import argparse
import importlib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication

from paramscope_gui.dress import apply
from paramscope_gui.garbage import GarbageCollector
from paramscope_gui.settings import Settings
from paramscope_gui.theme import ThemeModel
from paramscope_gui.window.main import MainWindow

if TYPE_CHECKING:
    from paramscope_gui.bridge.live import Live
    from paramscope_gui.bridge.selection import Selection
    from paramscope_gui.bridge.workspace import Workspace
    from paramscope_gui.window.desktop import Desktop

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


class Application(QObject):
    """One window with its document and its worker.

    Everything but the window comes after its first paint. Documents can be opened before the
    plots and the palette's entries are there; ``loaded`` tells when all is.
    """

    loaded = Signal()

    workspace: "Workspace"
    selection: "Selection"
    live: "Live"
    desktop: "Desktop"

    def __init__(self, app: QApplication, state_folder: Path | None = None) -> None:
        super().__init__()
        self.settings = Settings(state_folder)
        self.themes = ThemeModel(self.settings.scheme)
        self.themes.set_scale(self.settings.scale)
        apply(app, self.themes)
        self.window = MainWindow(self.settings, self.themes)
        self._path: Path | None = None

    def open_when_ready(self, path: Path | None = None) -> None:
        """Show the window; load the rest, and the file asked for, after its first paint."""
        self._path = path
        self.window.first_painted.connect(lambda: QTimer.singleShot(0, self._furnish))
        self.window.show()

    def _furnish(self) -> None:
        if not self.window.isVisible():
            return  # it was closed at once
        module = importlib.import_module("paramscope_gui.window.session")
        session = module.Session(self.window)
        self.workspace, self.selection = session.workspace, session.selection
        self.live, self.desktop = session.live, session.desktop
        self.desktop.show_welcome_cards()
        self.desktop.loaded.connect(self.loaded)
        QTimer.singleShot(0, self._open)

    def _open(self) -> None:
        try:
            if self._path is not None:
                self.desktop.documents.open(self._path)
        finally:
            # Whatever the file is: garbage is collected only once the rest is loaded.
            self.desktop.load_the_rest()


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
    garbage = GarbageCollector(application)
    application.loaded.connect(garbage.settle)
    garbage.start()
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
        status: list[bool] = []

        def play() -> None:
            module = importlib.import_module("paramscope_gui.window.demo")
            demo = module.Demo(application.window, application.desktop, folder)
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
