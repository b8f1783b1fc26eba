"""What the worker says reaches the window gathered, in order, and never faster than a frame."""

import threading
from collections.abc import Callable

import numpy as np
from pytestqt.qtbot import QtBot

from paramscope.code.commands import ReplaceText
from paramscope.document.run_settings import RunSettings, SetRun
from paramscope.engine.protocol import (
    Event,
    Hello,
    Load,
    Output,
    Phase,
    Request,
    RunState,
    Snapshot,
    StateChanged,
)
from paramscope_gui.bridge.curve import Curve, Marker
from paramscope_gui.bridge.live import Live
from paramscope_gui.bridge.workspace import Workspace


def _snapshot(step: int, loss: float) -> Snapshot:
    return Snapshot(revision=1, step=step, phase=Phase.IDLE, losses=((step, loss),))


def test_snapshots_from_another_thread_arrive_gathered(qtbot: QtBot, live: Live) -> None:
    told: list[int] = []
    live.snapshot_arrived.connect(lambda: told.append(live.step_count))

    def talk() -> None:
        for step in range(1, 1001):
            live.receive(_snapshot(step, 1.0 / step))

    thread = threading.Thread(target=talk)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: live.step_count == 1000)
    assert len(told) < 10
    assert len(live.losses) == 1000
    assert live.loss == 1.0 / 1000


def test_state_and_output_are_told(qtbot: QtBot, live: Live) -> None:
    said: list[tuple[str, str]] = []
    live.output_arrived.connect(lambda stream, text: said.append((stream, text)))
    with qtbot.waitSignal(live.state_changed):
        live.receive(Output("stdout", "one "))
        live.receive(Output("stdout", "two"))
        live.receive(StateChanged(RunState.RUNNING, 1))
    assert live.state is RunState.RUNNING
    assert said == [("stdout", "one two")]


def test_a_step_before_the_end_of_the_curve_takes_back_what_came_after() -> None:
    curve = Curve()
    curve.extend(tuple((step, float(step)) for step in range(2000)))
    curve.extend(((10, 99.0),))
    assert len(curve) == 11
    np.testing.assert_array_equal(curve.values[-2:], [9.0, 99.0])


def test_a_dragged_learning_rate_leaves_one_marker(live: Live) -> None:
    live.lr = 0.1
    live.set_learning_rate(0.2)
    live.set_learning_rate(0.3)
    assert [marker.text for marker in live.markers] == ["lr 0.1 → 0.3"]


def test_the_marker_of_an_edit_stands_where_the_worker_took_it_over(
    qtbot: QtBot, live: Live, workspace: Workspace
) -> None:
    live.run_document()
    live.receive(_snapshot(10, 0.5))
    qtbot.waitUntil(lambda: live.step_count == 10)
    workspace.execute(ReplaceText(workspace.document.source + "\n", "Edit code"))
    qtbot.waitUntil(lambda: len(live.markers) == 1)
    live.receive(StateChanged(RunState.LOADING, workspace.revision, 25))
    qtbot.waitUntil(lambda: live.markers[0].step == 25)
    live.receive(StateChanged(RunState.LOADING, workspace.revision, 40))
    with qtbot.waitSignal(live.state_changed):
        live.receive(StateChanged(RunState.READY, workspace.revision, 40))
    assert live.markers == (Marker(25, "Edit code"),)


def test_nothing_of_an_untrusted_document_runs(qtbot: QtBot, live: Live) -> None:
    live.set_trusted(False)
    with qtbot.waitSignal(live.trust_needed):
        live.play()
    assert live.state is RunState.EMPTY


class NotedClient:
    """The far end of a wire to one engine."""

    def __init__(self, receive: Callable[[Event], None], engine: str) -> None:
        self.receive, self.engine = receive, engine
        self.requests: list[Request] = []

    def send(self, request: Request) -> None:
        self.requests.append(request)

    def kill(self) -> None:
        """Nothing runs here that could be stopped."""

    def restart(self) -> None:
        """Nothing runs here that could be replaced."""

    def close(self) -> None:
        """Nothing runs here that could be ended."""


def test_another_engine_gets_a_worker_of_its_own(qtbot: QtBot, workspace: Workspace) -> None:
    clients: list[NotedClient] = []

    def connect(receive: Callable[[Event], None], engine: str) -> NotedClient:
        clients.append(NotedClient(receive, engine))
        return clients[-1]

    live = Live(workspace, connect)
    live.run_document()
    workspace.execute(SetRun(RunSettings(engine="torch")))
    qtbot.waitUntil(lambda: [one.engine for one in clients] == ["gradcore", "torch"])
    loaded = clients[1].requests[-1]
    assert isinstance(loaded, Load)
    assert not loaded.keep_weights
    clients[0].receive(Hello(1, "gradcore 0"))
    clients[1].receive(Hello(2, "torch 9"))
    qtbot.waitUntil(lambda: live.engine_name == "torch 9")
    assert live.worker_pid == 2
    live.close()
