"""What the tests of the window share: the theme, a workspace, and a run to look at."""

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtWidgets import QApplication

from paramscope.document.document import Document
from paramscope.engine.protocol import Event, Request
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.selection import Selection
from paramscope_gui.bridge.workspace import Workspace
from paramscope_gui.dress import apply
from paramscope_gui.theme import ThemeModel

SOURCE = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(2, 8)
        self.scale = torch.ones(8, requires_grad=True)
        self.out = nn.Linear(8, 1)

    def forward(self, x):
        h = torch.tanh(self.hidden(x))
        return self.out(h * self.scale)


def build():
    return Net()


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


def batch():
    x = torch.randn(16, 2)
    return x, x[:, :1] * x[:, 1:]


def loss(model, x, y):
    return nn.functional.mse_loss(model(x), y)
"""


class RecordedClient:
    """The far end of the wire, in the worker's place: keeps the requests, says what it is told."""

    def __init__(self, receive: Callable[[Event], None], engine: str) -> None:
        self.receive, self.engine = receive, engine
        self.requests: list[Request] = []
        self.is_closed = False

    def send(self, request: Request) -> None:
        self.requests.append(request)

    def kill(self) -> None:
        """Nothing runs here that could be stopped."""

    def restart(self) -> None:
        self.requests.clear()

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def themes(qapp: QApplication) -> Iterator[ThemeModel]:
    """The light theme, worn by the application."""
    model = ThemeModel("light")
    apply(qapp, model)
    yield model
    model.deleteLater()


@pytest.fixture
def workspace(qapp: QApplication) -> Workspace:
    """A document with one forgotten tensor."""
    return Workspace(Document(SOURCE))


@pytest.fixture
def selection(workspace: Workspace) -> Selection:
    """The selection over the workspace."""
    return Selection(workspace)


@pytest.fixture
def live(workspace: Workspace) -> Iterator[Live]:
    """A run whose far end is recorded: `live.receive(event)` says what a worker would."""
    model = Live(workspace, RecordedClient)
    yield model
    model.close()
