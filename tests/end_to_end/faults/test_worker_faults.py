"""Whatever the user's code does to its process, the window's side stays alive and says so."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paramscope.engine.client import GRACE, Client
from paramscope.engine.protocol import (
    Event,
    Failed,
    Hello,
    Load,
    Output,
    Pause,
    Play,
    RunState,
    Snapshot,
    StateChanged,
    Step,
    Watch,
)

PATIENCE = 60.0  # how long a hang is waited for: a worker is nice, and a busy machine slow to it
FINE = """\
import torch
from torch import nn


def build():
    return nn.Linear(2, 1)


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.01)


def batch():
    x = torch.ones(4, 2)
    return x, x.sum(dim=1, keepdim=True)


def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()
"""

DEAF = """\
print("deaf", flush=True)
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""
STOPPED = """\
import os, signal, time
os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(1e6)
"""
CLOSES_PIPES = """\
import os
for n in range(3, 64):
    try:
        os.close(n)
    except OSError:
        pass
"""
WRITES_NONSENSE = """\
import os
for n in range(3, 64):
    try:
        os.write(n, bytes([255]) * 64)
    except OSError:
        pass
"""

posix = pytest.mark.skipif(os.name != "posix", reason="signals and fork are POSIX's")


class Listener:
    """Gathers the events of a client and waits for the one that is asked for."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.condition = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self.condition:
            self.events.append(event)
            self.condition.notify_all()

    def wait(self, is_it: Callable[[Event], bool], timeout: float = PATIENCE) -> Event:
        """Return the next event that ``is_it`` accepts, and forget those before it."""
        with self.condition:
            deadline = time.monotonic() + timeout
            while True:
                while self.events:
                    event = self.events.pop(0)
                    if is_it(event):
                        return event
                left = deadline - time.monotonic()
                assert left > 0, f"not within {timeout} s"
                self.condition.wait(left)

    def wait_state(self, *states: RunState, timeout: float = PATIENCE) -> StateChanged:
        event = self.wait(lambda e: isinstance(e, StateChanged) and e.state in states, timeout)
        assert isinstance(event, StateChanged)
        return event

    def wait_failure(self, timeout: float = PATIENCE) -> Failed:
        event = self.wait(lambda e: isinstance(e, Failed), timeout)
        assert isinstance(event, Failed)
        return event


class Desk:
    """A client with its listener, as the window would hold them."""

    def __init__(
        self, with_spare: bool = False, grace: float = GRACE, engine: str = "gradcore"
    ) -> None:
        self.heard = Listener()
        self.client = Client(self.heard, engine=engine, grace=grace, with_spare=with_spare)
        self.revision = 0
        self.client.start()
        self.heard.wait_state(RunState.EMPTY)

    def load(self, source: str, keep_weights: bool = False) -> None:
        self.revision += 1
        self.client.send(Load(self.revision, source, "<document>", keep_weights=keep_weights))


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.client.close()


def in_step(body: str, header: str = "") -> str:
    """Return a document that does ``body`` when its second batch is asked for."""
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    return header + FINE.replace(
        "def batch():\n",
        f"calls = []\n\n\ndef batch():\n    calls.append(1)\n    if len(calls) == 2:\n{lines}\n",
    )


def test_run_reaches_its_steps_and_says_so(desk: Desk) -> None:
    desk.load(FINE)
    desk.heard.wait_state(RunState.READY)
    desk.client.send(Play(steps=50))
    assert desk.heard.wait_state(RunState.PAUSED).step == 50


@posix
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os.abort()", "SIGABRT"),
        ("import os; os._exit(3)", "SystemExit"),
    ],
)
def test_death_of_the_process_is_told_with_its_cause(desk: Desk, body: str, kind: str) -> None:
    desk.load(in_step(body))
    desk.heard.wait_state(RunState.READY)
    desk.client.send(Play())
    failure = desk.heard.wait_failure()
    assert (failure.during, failure.kind) == ("worker", kind)
    if kind == "SIGSEGV":
        assert "in batch" in failure.text
    desk.heard.wait_state(RunState.STOPPED)
    desk.load(FINE)
    desk.heard.wait_state(RunState.READY)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("raise MemoryError('no more')", "MemoryError"),
        ("import sys; sys.exit(4)", "SystemExit"),
        ("def down(n):\n    return down(n + 1)\ndown(0)", "RecursionError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_exceptions_leave_the_worker_as_it_is(desk: Desk, body: str, kind: str) -> None:
    desk.load(in_step(body))
    desk.heard.wait_state(RunState.READY)
    before = desk.client.pid
    desk.client.send(Play())
    failure = desk.heard.wait_failure()
    assert failure.kind == kind
    assert failure.frames[0].function == "batch"
    assert desk.heard.wait_state(RunState.FAILED, RunState.PAUSED).step == 1
    assert desk.client.pid == before
    desk.client.send(Play(steps=1))
    assert desk.heard.wait_state(RunState.PAUSED).step == 2


@pytest.fixture
def patient_desk() -> Iterator[Desk]:
    """A desk whose client waits: on a busy machine a low priority is late to obey."""
    made = Desk(grace=PATIENCE)
    yield made
    made.client.close()


def test_endless_loop_is_broken_off_and_the_worker_stays(patient_desk: Desk) -> None:
    desk = patient_desk
    desk.load(in_step("while True:\n    pass"))
    desk.heard.wait_state(RunState.READY)
    before = desk.client.pid
    desk.client.send(Step())
    desk.heard.wait_state(RunState.PAUSED)
    desk.client.send(Step())
    desk.client.kill()
    assert desk.heard.wait_failure().kind == "KeyboardInterrupt"
    assert desk.heard.wait_state(RunState.PAUSED).step == 1
    assert desk.client.pid == before


def wait_until_deaf(desk: Desk) -> None:
    desk.heard.wait(lambda e: isinstance(e, Output) and "deaf" in e.text)


def wait_until_stopped(desk: Desk) -> None:
    """Look at the process itself: it may be stopped before it has said that it runs."""
    deadline = time.monotonic() + PATIENCE
    while process_state(desk.client.pid or 0) != "T":
        assert time.monotonic() < deadline, "the process did not stop"
        threading.Event().wait(0.02)


@pytest.mark.parametrize(
    ("body", "wait_until_it_is_so"),
    [(DEAF, wait_until_deaf), pytest.param(STOPPED, wait_until_stopped, marks=posix)],
    ids=["interrupt ignored", "stopped process"],
)
def test_worker_that_does_not_listen_is_ended_after_the_grace(
    desk: Desk, body: str, wait_until_it_is_so: Callable[[Desk], None]
) -> None:
    header = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    desk.load(in_step(body, header))
    desk.heard.wait_state(RunState.READY)
    desk.client.send(Play())
    wait_until_it_is_so(desk)
    start = time.monotonic()
    desk.client.kill()
    assert desk.heard.wait_failure().kind == "Stopped"
    desk.heard.wait_state(RunState.STOPPED)
    assert time.monotonic() - start < 1.0
    desk.load(FINE)
    desk.heard.wait_state(RunState.READY)


def test_endless_loop_while_loading_gives_way_to_the_next_source(desk: Desk) -> None:
    desk.load("while True:\n    pass\n")
    desk.heard.wait_state(RunState.LOADING)
    desk.load(FINE)
    assert desk.heard.wait_state(RunState.READY).revision == 2


def test_flood_of_output_is_cut_and_harms_nothing(desk: Desk) -> None:
    body = "import os\nfor _ in range(500):\n    os.write(1, b'x' * 100_000)"
    desk.load(in_step(body))
    desk.heard.wait_state(RunState.READY)
    desk.client.send(Play(steps=3))
    desk.heard.wait_state(RunState.RUNNING)
    texts = []

    def is_done(event: Event) -> bool:
        if isinstance(event, Output):
            texts.append(len(event.text))
        return isinstance(event, StateChanged) and event.state is RunState.PAUSED

    desk.heard.wait(is_done)
    assert sum(texts) < 10_000_000


def test_print_and_c_output_cannot_break_the_protocol(desk: Desk) -> None:
    body = (
        "import os, sys\nprint('from print')\nos.write(1, bytes(range(256)))\n"
        "sys.stderr.write('from stderr\\n')\nos.system('echo from a child')"
    )
    desk.load(in_step(body))
    desk.heard.wait_state(RunState.READY)
    desk.client.send(Play(steps=2))
    heard: dict[str, str] = {}

    def has_all(event: Event) -> bool:
        if isinstance(event, Output):
            heard[event.stream] = heard.get(event.stream, "") + event.text
        text = "".join(heard.values())
        return all(part in text for part in ("from print", "from stderr", "from a child"))

    desk.heard.wait(has_all)
    assert "from stderr" in heard["stderr"]


@pytest.mark.torch
def test_warning_of_a_library_names_the_users_line() -> None:
    source = FINE.replace("x.sum(dim=1, keepdim=True)", "x.sum(dim=1)")
    source = source.replace("((model(x) - y) ** 2).mean()", "nn.functional.mse_loss(model(x), y)")
    desk = Desk(engine="torch")
    try:
        desk.load(source)
        desk.heard.wait_state(RunState.READY)
        desk.client.send(Play(steps=3))
        text = ""

        def is_done(event: Event) -> bool:
            nonlocal text
            text += event.text if isinstance(event, Output) else ""
            return isinstance(event, StateChanged) and event.state is RunState.PAUSED

        desk.heard.wait(is_done)
    finally:
        desk.client.close()
    assert text.count("Using a target size") == 1
    assert "<document>:19: UserWarning" in text


@posix
def test_fork_of_the_users_code_does_not_talk_to_the_window(desk: Desk) -> None:
    desk.load(in_step("import os\nos.fork()"))
    desk.heard.wait_state(RunState.READY)
    desk.client.send(Play(steps=20))
    assert desk.heard.wait_state(RunState.PAUSED).step == 20
    desk.client.send(Play(steps=5))
    assert desk.heard.wait_state(RunState.PAUSED).step == 25


@posix
@pytest.mark.parametrize(
    "body", [CLOSES_PIPES, WRITES_NONSENSE], ids=["closed pipes", "nonsense frames"]
)
def test_worker_without_its_pipes_is_replaced(desk: Desk, body: str) -> None:
    desk.load(in_step(body))
    desk.heard.wait_state(RunState.READY)
    desk.client.send(Play())
    assert desk.heard.wait_failure().during == "worker"
    desk.heard.wait_state(RunState.STOPPED)
    desk.load(FINE)
    desk.heard.wait_state(RunState.READY)


@posix
@pytest.mark.parametrize("ending", ["close", "death"])
def test_children_of_the_users_code_end_with_the_worker(ending: str) -> None:
    desk = Desk()
    body = (
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '1000'])\n"
        "print('child', child.pid, flush=True)"
    )
    if ending == "death":
        body += "\nimport os, time\nos.write(1, b'')\ntime.sleep(0.5)\nos.abort()"
    try:
        desk.load(in_step(body))
        desk.heard.wait_state(RunState.READY)
        desk.client.send(Play(steps=2))
        printed = desk.heard.wait(lambda e: isinstance(e, Output) and "child" in e.text)
        assert isinstance(printed, Output)
        child = int(printed.text.split()[1])
        assert is_alive(child)
        if ending == "death":
            desk.heard.wait_state(RunState.STOPPED)
    finally:
        desk.client.close()
    wait_for_end(child)


def test_nan_loss_pauses_before_the_weights_are_ruined(desk: Desk) -> None:
    desk.load(in_step("return torch.full((4, 2), float('nan')), torch.ones(4, 1)"))
    desk.heard.wait_state(RunState.READY)
    desk.client.send(Play())
    failure = desk.heard.wait_failure()
    assert failure.kind == "NonFiniteLossError"
    desk.client.send(Step())
    event = desk.heard.wait(lambda e: isinstance(e, Snapshot) and bool(e.tensors))
    assert isinstance(event, Snapshot)
    assert all(row.value_statistics.non_finite == 0 for row in event.tensors)


def test_spare_worker_takes_over(desk: Desk) -> None:
    desk.client.close()
    other = Desk(with_spare=True)
    try:
        first = other.client.pid
        other.client.restart()
        hello = other.heard.wait(lambda e: isinstance(e, Hello) and e.pid != first)
        assert isinstance(hello, Hello)
        other.load(FINE)
        other.heard.wait_state(RunState.READY)
    finally:
        other.client.close()


def test_watched_tensor_is_sent_by_the_next_worker_as_well(desk: Desk) -> None:
    desk.load(FINE)
    desk.heard.wait_state(RunState.READY)
    desk.client.send(Watch(("weight",)))
    first = desk.heard.wait(lambda e: isinstance(e, Snapshot) and bool(e.watched))
    assert isinstance(first, Snapshot)
    assert (first.watched[0].path, first.watched[0].shape) == ("weight", (1, 2))
    assert len(first.watched[0].values) == 8
    desk.client.restart()
    desk.load(FINE)
    desk.heard.wait(lambda e: isinstance(e, Snapshot) and bool(e.watched))


def test_pause_is_heard_while_training(desk: Desk) -> None:
    desk.load(FINE)
    desk.heard.wait_state(RunState.READY)
    desk.client.send(Play())
    desk.heard.wait(lambda e: isinstance(e, Snapshot) and e.step > 10)
    desk.client.send(Pause())
    desk.heard.wait_state(RunState.PAUSED, timeout=2.0)


PARENT = """
import sys, time
from paramscope.engine.client import GRACE, Client
from paramscope.engine.protocol import Load, Play
def on_event(event):
    print(type(event).__name__, getattr(event, "pid", ""), getattr(event, "state", ""), flush=True)
client = Client(on_event, engine=sys.argv[1])
client.start()
client.send(Load(1, sys.argv[2], "<document>"))
client.send(Play())
time.sleep(60)
"""


@posix
@pytest.mark.parametrize("is_stopped", [False, True], ids=["training", "stopped"])
def test_worker_is_gone_two_seconds_after_its_window_was_killed(is_stopped: bool) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, "gradcore", FINE],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert parent.stdout is not None
        pid = 0
        for line in parent.stdout:
            if line.startswith("Hello"):
                pid = int(line.split()[1])
            if "running" in line:
                break
        assert pid, "no worker said Hello"  # a signal to 0 would stop the tests themselves
        if is_stopped:
            os.kill(pid, signal.SIGSTOP)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    wait_for_end(pid)


def wait_for_end(pid: int) -> None:
    """Wait the two seconds within which a process must be gone."""
    deadline = time.monotonic() + 2.0
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} outlives its window"
        threading.Event().wait(0.02)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that is only waiting to be reaped does not."""
    return process_state(pid) not in ("", "Z", "X")


def process_state(pid: int) -> str:
    """Return the letter by which Linux names the state of a process, nothing if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return ""
    return text.rpartition(")")[2].split()[0]
