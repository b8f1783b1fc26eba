"""A document with its worker in a furnished window: what the application loads second."""

from collections.abc import Callable

from paramscope.document.layout_store import LayoutStore
from paramscope.engine.client import Client
from paramscope.engine.protocol import Event
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.window.desktop import Desktop
from paramscope_gui.window.furnishing import furnish
from paramscope_gui.window.main import MainWindow


def connect_worker(on_event: Callable[[Event], None], engine: str) -> Client:
    """Start a worker process with an engine."""
    client = Client(on_event, engine)
    client.start()
    return client


class Session:
    """The open document, what is selected of it, its run, and everything around them."""

    def __init__(self, window: MainWindow) -> None:
        self.workspace = Workspace(layouts=LayoutStore(window.settings.folder))
        self.selection = Selection(self.workspace)
        self.live = Live(self.workspace, connect_worker)
        self.live.start_worker()
        furnish(window, self.workspace, self.selection, self.live)
        self.desktop = Desktop(window)
