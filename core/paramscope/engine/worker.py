"""The worker process, ``python -m paramscope.engine.worker``: one session that talks to a window.

The main thread runs the user's code, so that a KeyboardInterrupt reaches it. A control thread
reads requests, and a sender thread writes events: the user's code can neither hold up a Stop nor
break a frame in two. Both ends of the protocol lie on file descriptors of their own.
"""

import argparse
import faulthandler
import os
import queue
import signal
import sys
import threading
import time
from _thread import interrupt_main
from typing import BinaryIO

from paramscope.engine.adapters.base import Adapter, SharedAdapter
from paramscope.engine.adapters.open import ENGINES, open_adapter
from paramscope.engine.failures import Raised, describe_failure
from paramscope.engine.output import Capture, flush_python_streams, rewire_python_streams
from paramscope.engine.process import become_polite, end_with_children
from paramscope.engine.protocol import (
    Alive,
    Event,
    Failed,
    Hello,
    Interrupt,
    Load,
    Output,
    Pause,
    Play,
    ProtocolError,
    Request,
    Reset,
    RunState,
    SetLearningRate,
    Shutdown,
    Snapshot,
    StateChanged,
    Step,
    StepPhase,
    Watch,
)
from paramscope.engine.session import Session
from paramscope.engine.thinning import thinned
from paramscope.engine.user_warnings import point_warnings_at_the_user
from paramscope.engine.wire import decode_request, frame_of, read_frame

SLICE = 0.010  # seconds of training between two looks at the mailbox
FRAME = 1 / 30  # seconds between two snapshots
OUTPUT_DELAY = 0.02  # seconds in which prints are gathered into one event
STEP_PATIENCE = 2.0  # seconds a step may still run when the document is loaded anew
STOP_PATIENCE = 0.1  # the same for a Stop
POLL = 0.01  # seconds between two looks whether the main thread has come back
REST = 0.3  # seconds after a load, in which a Play may come, before numba is loaded
HEARTBEAT = 1.0  # seconds after which a worker with nothing to tell says that it lives
MAX_WAITING_FRAMES = 64  # beyond these, the window is not reading: snapshots are left out


class Sender:
    """Writes frames from a thread of its own, with what was printed in between.

    When there is nothing to write it says now and then that the process runs.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._captures: list[Capture] = []
        self._done = threading.Event()
        threading.Thread(target=self._run, name="sender", daemon=True).start()

    def send(self, event: Event) -> None:
        """Hand an event to the thread that writes."""
        self._queue.put(frame_of(event))

    @property
    def is_behind(self) -> bool:
        """Tell whether the window reads more slowly than the worker writes."""
        return self._queue.qsize() > MAX_WAITING_FRAMES

    def capture_output(self) -> None:
        """Catch file descriptors 1 and 2 from now on."""
        for descriptor, stream in ((1, "stdout"), (2, "stderr")):
            self._captures.append(Capture(descriptor, stream, self._wake))

    def close(self, timeout: float) -> None:
        """Write what is waiting and stop; give up after ``timeout`` seconds."""
        self._queue.put(b"")
        self._done.wait(timeout)

    def _wake(self) -> None:
        self._queue.put(None)

    def _run(self) -> None:
        try:
            while True:
                frame = self._next()
                if frame:
                    self._stream.write(frame)
                elif frame is None:
                    time.sleep(OUTPUT_DELAY)
                self._write_output()
                self._stream.flush()
                if frame == b"":
                    break
        except (OSError, ValueError):
            end_with_children()  # nobody reads any more
        self._done.set()

    def _next(self) -> bytes | None:
        try:
            return self._queue.get(timeout=HEARTBEAT)
        except queue.Empty:
            return frame_of(Alive())

    def _write_output(self) -> None:
        for capture in self._captures:
            text = capture.take()
            if text:
                self._stream.write(frame_of(Output(capture.stream, text)))


class Worker:
    """The main loop: one request after the other, and training in slices between them."""

    def __init__(self, session: Session, sender: Sender, mailbox: "Mailbox") -> None:
        self._session = session
        self._sender = sender
        self._mailbox = mailbox
        self._state = RunState.EMPTY
        self._until: float = 0
        self._watched: tuple[str, ...] = ()
        self._next_frame = 0.0
        self._pid = os.getpid()
        self._is_prepared = False

    def run(self) -> None:
        """Serve until told to shut down."""
        while True:
            try:
                if not self._serve():
                    return
            except KeyboardInterrupt:
                # It came too late, when the user's code was already left.
                self._pause()
            if os.getpid() != self._pid:
                os._exit(0)  # a fork of the user's code has strayed into this loop

    def _serve(self) -> bool:
        is_running = self._state is RunState.RUNNING
        request = self._mailbox.next(wait=not is_running)
        if isinstance(request, Shutdown):
            return False
        if request is not None:
            self._handle(request)
        elif is_running:
            self._train()
        return True

    def _handle(self, request: Request) -> None:
        match request:
            case Load():
                self._load(request)
            case Reset():
                self._reset(request)
            case Play():
                self._play(request.steps)
            case Pause() | Interrupt():
                self._pause()
            case Step():
                self._step()
            case StepPhase():
                self._step_phase()
            case SetLearningRate():
                self._session.set_learning_rate(request.lr)
                self._send_snapshot()
            case Watch():
                self._watched = request.paths
                self._send_snapshot()

    # Requests

    def _load(self, request: Load) -> None:
        was_running = self._state is RunState.RUNNING
        self._session.revision = request.revision
        self._set_state(RunState.LOADING)
        with self._mailbox.busy(0.0):
            done = self._session.load(
                request.source,
                request.filename,
                request.revision,
                request.seed,
                request.keep_weights,
            )
        self._show_loaded(done)
        if was_running and done and request.keep_weights and not self._session.note:
            self._set_state(RunState.RUNNING)

    def _reset(self, request: Reset) -> None:
        self._set_state(RunState.LOADING)
        with self._mailbox.busy(0.0):
            done = self._session.reset(request.seed)
        self._show_loaded(done)

    def _show_loaded(self, done: bool) -> None:
        flush_python_streams()
        if self._session.note and done:
            self._sender.send(Output("note", self._session.note + "\n"))
        if done:
            self._session.measure()
        self._send_snapshot()
        if done and self._session.failure is None:
            self._set_state(RunState.READY)
            self._prepare()
        else:
            self._report_failure()

    def _prepare(self) -> None:
        """Have the engine load what makes it faster, once, after what the user waits for."""
        if not self._is_prepared:
            self._is_prepared = True
            timer = threading.Timer(REST, self._session.adapter.prepare)
            timer.daemon = True
            timer.start()

    def _play(self, steps: int | None) -> None:
        session = self._session
        session.clear_failure()
        self._until = float("inf") if steps is None else session.step + steps
        session.pause_clock()
        self._set_state(RunState.RUNNING)

    def _train(self) -> None:
        session = self._session
        with self._mailbox.busy(STEP_PATIENCE):
            going = session.run_slice(time.perf_counter() + SLICE, self._until)
        if not going:
            flush_python_streams()
            self._send_snapshot()
            self._report_failure()
        elif session.step >= self._until:
            self._pause()
        elif time.perf_counter() >= self._next_frame and not self._sender.is_behind:
            self._send_snapshot()

    def _pause(self) -> None:
        was_running = self._state is RunState.RUNNING
        if was_running:
            self._session.look()
            self._session.measure()
        self._session.pause_clock()
        flush_python_streams()
        self._send_snapshot()
        at_rest = self._state not in (RunState.RUNNING, RunState.LOADING)
        self._set_state(self._state if at_rest else RunState.PAUSED)

    def _step(self) -> None:
        session = self._session
        session.clear_failure()
        session.request_look()
        with self._mailbox.busy(STEP_PATIENCE):
            done = session.run_step()
        if done:
            session.measure()
        self._show_step(done)

    def _step_phase(self) -> None:
        self._session.clear_failure()
        with self._mailbox.busy(STEP_PATIENCE):
            done = self._session.run_phase()
        self._show_step(done)

    def _show_step(self, done: bool) -> None:
        flush_python_streams()
        self._send_snapshot()
        if done and self._session.failure is None:
            self._set_state(RunState.PAUSED)
        else:
            self._report_failure()

    # Events

    def _set_state(self, state: RunState) -> None:
        self._state = state
        session = self._session
        self._sender.send(StateChanged(state, session.revision, session.step, session.phase))

    def _report_failure(self) -> None:
        failure = self._session.failure
        if failure is not None:
            self._sender.send(failure)
        # A step that the user stopped may be followed by others; code that was stopped may not.
        is_stop = failure is not None and failure.kind == "KeyboardInterrupt"
        is_loaded = failure is not None and failure.during != "loading" and self._session.step
        self._set_state(RunState.PAUSED if is_stop and is_loaded else RunState.FAILED)

    def _send_snapshot(self) -> None:
        session = self._session
        self._next_frame = time.perf_counter() + FRAME
        news = session.take_news()
        self._sender.send(
            Snapshot(
                revision=session.revision,
                step=session.step,
                phase=session.phase,
                steps_per_second=session.steps_per_second,
                mode=session.mode,
                mode_reason=session.mode_reason,
                losses=thinned(news.losses),
                metrics={name: tuple(pairs) for name, pairs in news.metrics.items()},
                lr=session.learning_rate,
                optimizer=session.optimizer_words,
                tensors=news.rows or (),
                operations=news.operations or (),
                findings=news.findings,
                watched=session.values(self._watched),
            )
        )


class Mailbox:
    """Requests as they arrive, read by a thread that can break off what the main thread runs."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._queue: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._arrived = 0
        self._taken = 0
        self._is_busy = False
        self._patience = 0.0

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, name="control", daemon=True).start()

    def next(self, wait: bool) -> Request | None:
        """Return the next request; without ``wait`` None if there is none."""
        if not wait and self._queue.empty():
            return None
        while True:
            try:
                # On Windows a wait without end cannot be interrupted.
                request = self._queue.get(timeout=3600)
            except queue.Empty:
                continue
            self._taken += 1
            return request

    def busy(self, patience: float) -> "Mailbox":
        """Return the ``with`` block of user's code that may be broken off after so many seconds."""
        self._patience = patience
        return self

    def __enter__(self) -> None:
        self._is_busy = True

    def __exit__(self, *_: object) -> None:
        self._is_busy = False

    def _read(self) -> None:
        try:
            while True:
                body = read_frame(self._stream)
                if body is None:
                    break
                request = decode_request(body)
                self._arrived += 1
                self._queue.put(request)
                if isinstance(request, Interrupt | Load | Reset | Shutdown):
                    threading.Thread(
                        target=self._break_off,
                        args=(self._arrived, isinstance(request, Interrupt | Shutdown)),
                        name="stop",
                        daemon=True,
                    ).start()
        except (ProtocolError, OSError, ValueError):
            pass  # a parent that talks nonsense is as good as none
        end_with_children()

    def _break_off(self, number: int, is_stop: bool) -> None:
        """Interrupt the user's code until the main thread comes to take request ``number``."""
        began = time.monotonic()
        while self._taken < number:
            patience = STOP_PATIENCE if is_stop else max(self._patience, STOP_PATIENCE)
            if self._is_busy and time.monotonic() - began > patience:
                interrupt_main()
                began = time.monotonic()
            time.sleep(POLL)


def main(arguments: list[str] | None = None) -> None:
    """Set the process up, say hello, serve."""
    parser = argparse.ArgumentParser(prog="python -m paramscope.engine.worker")
    parser.add_argument("--engine", choices=ENGINES, default="gradcore")
    parser.add_argument("--parent", type=int, default=0)
    options = parser.parse_args(arguments)
    become_polite(options.parent)
    requests, events = _take_standard_streams()
    sender = Sender(events)
    mailbox = Mailbox(requests)
    mailbox.start()
    try:
        adapter = open_adapter(options.engine)
        adapter.activate()
        _warm_up(adapter)
    except Exception as error:
        sender.send(describe_failure(Raised(error, "worker"), 0))
        sender.close(1.0)
        os._exit(1)
    session = Session(adapter, mode="auto")
    sender.capture_output()
    point_warnings_at_the_user()
    sender.send(Hello(os.getpid(), f"{adapter.name} {adapter.version}", HEARTBEAT))
    sender.send(StateChanged(RunState.EMPTY, 0))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    worker = Worker(session, sender, mailbox)
    try:
        worker.run()
    except BaseException as error:
        sender.send(_worker_failure(error))
        sender.close(1.0)
        os._exit(1)
    sender.close(1.0)
    end_with_children()


def _warm_up(adapter: Adapter) -> None:
    """Load before the hello what PyTorch loads with its first optimizer: it takes a second."""
    if isinstance(adapter, SharedAdapter):
        adapter.torch.optim.SGD([adapter.torch.zeros(1)], lr=0.0)


def _worker_failure(error: BaseException) -> Failed:
    return describe_failure(Raised(error, "worker"), 0)


def _take_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """Move the protocol away from descriptors 0 and 1, where the user's code would meet it."""
    if sys.platform == "win32":
        import msvcrt  # only there

        for descriptor in (0, 1):
            msvcrt.setmode(descriptor, os.O_BINARY)
    requests = os.fdopen(os.dup(0), "rb")
    events = os.fdopen(os.dup(1), "wb")
    last_words = os.dup(2)
    faulthandler.enable(os.fdopen(last_words, "w"), all_threads=False)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    rewire_python_streams()
    if hasattr(os, "register_at_fork"):
        # A child that the user's code forks must not hold the pipes open, nor write to them.
        os.register_at_fork(after_in_child=lambda: _close_quietly(requests, events))
    return requests, events


def _close_quietly(*streams: BinaryIO) -> None:
    for stream in streams:
        try:
            os.close(stream.fileno())
        except (OSError, ValueError):
            continue


if __name__ == "__main__":
    main()
