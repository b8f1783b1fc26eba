"""A worker that the system has stopped is told of, and is back when it goes on."""

import os
import signal
import sys
import time
from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from paramscope.engine.client import Client
from paramscope.engine.protocol import Event, RunState
from paramscope_gui.bridge.live import SILENCE, Live
from paramscope_gui.bridge.workspace import Workspace


class _Hurried:
    """A clock that can be put forward, so that no test waits for silence."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be stopped there")
def test_a_stopped_worker_is_silent_until_it_goes_on(qtbot: QtBot, workspace: Workspace) -> None:
    def connect(on_event: Callable[[Event], None], engine: str) -> Client:
        client = Client(on_event, engine, with_spare=False)
        client.start()
        return client

    clock = _Hurried()
    live = Live(workspace, connect, clock=clock)
    try:
        live.run_document()
        qtbot.waitUntil(lambda: live.state is RunState.READY, timeout=60_000)
        live.play()
        qtbot.waitUntil(lambda: live.step_count > 10, timeout=60_000)
        live.feel_pulse()
        assert not live.is_silent
        assert live.worker_pid is not None
        os.kill(live.worker_pid, signal.SIGSTOP)
        # What it had told before may still be on its way.
        stopped = live.step_count
        qtbot.wait_signal(live.snapshot_arrived, timeout=500, raising=False).wait()
        clock.ahead = SILENCE + 1
        live.feel_pulse()
        assert live.is_silent
        os.kill(live.worker_pid, signal.SIGCONT)
        qtbot.waitUntil(lambda: live.step_count > stopped, timeout=60_000)
        live.feel_pulse()
        assert not live.is_silent
    finally:
        live.close()
