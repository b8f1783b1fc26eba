"""The window's side of the worker: start it, talk to it, end it when it does not listen.

No Qt in here. `Client.on_event` is called from a reader thread for every event of the worker that
is current; what older workers and older revisions still say is dropped. A spare worker that has
loaded its engine already waits, so that a restart takes no time.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

import msgspec

from paramscope.engine.process import worker_environment
from paramscope.engine.protocol import (
    Event,
    Failed,
    Hello,
    Interrupt,
    Load,
    Output,
    ProtocolError,
    Request,
    RunState,
    Snapshot,
    StateChanged,
    Watch,
)
from paramscope.engine.wire import decode_event, frame_of, read_frame

GRACE = 0.3  # seconds between a Stop and the end of a worker that does not obey
LOAD_PATIENCE = 2.3  # seconds a step may run on before new source replaces it
MAX_LAST_WORDS = 20_000

_BELOW_NORMAL = 0x00004000  # Windows' priority class


@dataclass(frozen=True, slots=True)
class _Stop:
    """Asked of the supervisor: break off what runs."""


@dataclass(frozen=True, slots=True)
class _Restart:
    """Asked of the supervisor: a new process, whatever the old one does."""


@dataclass(frozen=True, slots=True)
class _Close:
    """Asked of the supervisor: the end."""


@dataclass(frozen=True, slots=True)
class _Gone:
    """Told by a reader thread: its worker's stream has ended."""

    process: "WorkerProcess"


@dataclass(frozen=True, slots=True)
class _Ready:
    """Told by a reader thread: its worker has said hello."""

    process: "WorkerProcess"


_Message = Request | _Stop | _Restart | _Close | _Gone | _Ready


class WorkerProcess:
    """One process with its three pipes and the threads that serve them."""

    def __init__(self, engine: str, on_event: Callable[["WorkerProcess", Event], None]) -> None:
        self.hello: Hello | None = None
        self.state = RunState.STARTING
        self.answered = 0.0  # when it last told its state
        self.revision = 0
        self.complaint = ""
        self._on_event = on_event
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._last_words = bytearray()
        command = [sys.executable, "-m", "paramscope.engine.worker", "--engine", engine]
        command += ["--parent", str(os.getpid())]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_with_source_roots(worker_environment(os.environ)),
            start_new_session=True,
            creationflags=_BELOW_NORMAL if sys.platform == "win32" else 0,
        )
        self.pid = self._process.pid
        self._threads = [
            threading.Thread(target=target, name=f"worker {self.pid} {name}", daemon=True)
            for name, target in (
                ("events", self._read_events),
                ("requests", self._write_requests),
                ("errors", self._read_errors),
            )
        ]
        for thread in self._threads:
            thread.start()

    def send(self, request: Request) -> None:
        """Hand a request to the thread that writes."""
        self._outbox.put(frame_of(request))

    def kill(self) -> None:
        """End the process and every process that the user's code has started in it."""
        if self._process.poll() is None or os.name == "posix":
            try:
                if hasattr(os, "killpg"):
                    os.killpg(self.pid, signal.SIGKILL)
                else:
                    self._process.kill()
            except (ProcessLookupError, PermissionError):
                pass  # it is gone already
        self._outbox.put(None)

    def wait(self, timeout: float) -> bool:
        """Wait some seconds for the process and its threads to end; tell whether all have."""
        until = time.monotonic() + timeout
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        self._outbox.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def cause_of_death(self) -> tuple[str, str, str]:
        """Return what ended the process in a word, in a sentence, and its last words."""
        code = self._process.wait()
        words = bytes(self._last_words).decode("utf-8", "replace")
        if self.complaint:
            return "ProtocolError", f"The worker sent nonsense: {self.complaint}", words
        if code >= 0:
            return "SystemExit", f"The code ended the worker process with status {code}.", words
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        meaning = _SIGNALS.get(name, "The worker process was ended by the system.")
        return name, meaning, words

    # The threads

    def _read_events(self) -> None:
        stream = _open(self._process.stdout)
        try:
            while True:
                body = read_frame(stream)
                if body is None:
                    break
                self._on_event(self, decode_event(body))
        except ProtocolError as error:
            self.complaint = str(error)
        except (OSError, ValueError):
            pass  # the pipe is closed: the process is gone
        finally:
            stream.close()
            self._on_event(self, _End())

    def _write_requests(self) -> None:
        stream = _open(self._process.stdin)
        try:
            while True:
                frame = self._outbox.get()
                if frame is None:
                    break
                stream.write(frame)
                stream.flush()
        except (OSError, ValueError):
            pass  # the reader thread sees the end of the process
        finally:
            try:
                stream.close()
            except OSError:
                pass

    def _read_errors(self) -> None:
        stream = _open(self._process.stderr)
        with stream:
            while True:
                data = stream.read1(4096) if hasattr(stream, "read1") else stream.read(4096)
                if not data:
                    return
                self._last_words += data
                del self._last_words[:-MAX_LAST_WORDS]


class _End(Event, frozen=True):
    """Inside this module only: the stream of a worker has ended."""


@dataclass(slots=True)
class _Deadline:
    """A worker that must have told its state by then."""

    process: WorkerProcess
    since: float
    at: float
    reload: Load | None = None


@dataclass(slots=True)
class _Known:
    """What reader threads and the supervisor share."""

    current: WorkerProcess | None = None
    spare: WorkerProcess | None = None
    revision: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def connect(on_event: Callable[[Event], None], engine: str = "gradcore") -> "Client":
    """Return a client whose first worker is being started."""
    client = Client(on_event, engine)
    client.start()
    return client


class Client:
    """A worker that is always there: sends go to the current process, a crash is an event.

    All processes are started by one supervisor thread, which lives as long as the client: on
    Linux a worker dies with the thread that started it.
    """

    def __init__(
        self,
        on_event: Callable[[Event], None],
        engine: str = "gradcore",
        grace: float = GRACE,
        with_spare: bool = True,
    ) -> None:
        self._on_event = on_event
        self._engine = engine
        self._grace = grace
        self._with_spare = with_spare
        self._known = _Known()
        self._messages: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._deadline: _Deadline | None = None
        self._watch: Watch | None = None  # told again to every new worker
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    @property
    def pid(self) -> int | None:
        """The current worker's process id, None while there is none."""
        current = self._known.current
        return current.pid if current is not None else None

    def start(self) -> None:
        """Start the first worker; its `Hello` comes as an event."""
        self._supervisor.start()
        self._messages.put(_Restart())

    def send(self, request: Request) -> None:
        """Send a request to the current worker. Never blocks; a dead worker is replaced."""
        if isinstance(request, Load):
            self._known.revision = request.revision
        self._messages.put(request)

    def kill(self) -> None:
        """Break off what runs; a worker that goes on regardless is ended after the grace."""
        self._messages.put(_Stop())

    def restart(self) -> None:
        """End the current worker and put a new one in its place."""
        self._messages.put(_Restart())

    def close(self, timeout: float = 2.0) -> None:
        """End every process; no event comes after this returns.

        It waits for them, ``timeout`` seconds at the most.
        """
        self._messages.put(_Close())
        if self._supervisor.is_alive():
            self._supervisor.join(timeout)

    # In reader threads

    def _take(self, process: WorkerProcess, event: Event) -> None:
        if isinstance(event, _End):
            self._messages.put(_Gone(process))
            return
        if isinstance(event, Hello):
            process.hello = event
            self._messages.put(_Ready(process))
        elif isinstance(event, StateChanged):
            process.state = event.state
            process.answered = time.monotonic()
            process.revision = event.revision
        with self._known.lock:
            if process is not self._known.current or self._is_stale(event):
                return
            self._on_event(event)

    def _is_stale(self, event: Event) -> bool:
        """Tell whether an event speaks of another source than the one last sent."""
        if isinstance(event, Failed) and event.during == "worker":
            return False
        if isinstance(event, StateChanged) and event.state is RunState.EMPTY:
            return False
        if isinstance(event, Snapshot | Failed | StateChanged):
            return event.revision != self._known.revision
        return False

    # In the supervisor thread

    def _supervise(self) -> None:
        while True:
            try:
                timeout = None
                if self._deadline is not None:
                    timeout = max(0.0, self._deadline.at - time.monotonic())
                message = self._messages.get(timeout=timeout)
            except queue.Empty:
                self._enforce_deadline()
                continue
            if isinstance(message, _Close):
                break
            self._do(message)
        self._close_all()

    def _do(self, message: _Message) -> None:
        if isinstance(message, _Gone):
            self._bury(message.process)
        elif isinstance(message, _Ready):
            self._prepare_spare()
        elif isinstance(message, _Restart):
            self._replace()
        elif isinstance(message, _Stop):
            self._interrupt()
        elif isinstance(message, Load):
            self._load(message)
        elif isinstance(message, Watch):
            self._watch = message
            if self._known.current is not None:
                self._known.current.send(message)
        elif self._known.current is not None and not isinstance(
            message, _Stop | _Restart | _Close | _Gone | _Ready
        ):
            self._known.current.send(message)

    def _load(self, request: Load) -> None:
        process = self._known.current or self._replace()
        busy_loading = process.state is RunState.LOADING
        now = time.monotonic()
        process.send(request)
        if process.state not in (RunState.STARTING,):
            patience = self._grace if busy_loading else LOAD_PATIENCE + self._grace
            self._deadline = _Deadline(process, now, now + patience, request)

    def _interrupt(self) -> None:
        process = self._known.current
        if process is None:
            return
        now = time.monotonic()
        process.send(Interrupt())
        self._deadline = _Deadline(process, now, now + self._grace)

    def _enforce_deadline(self) -> None:
        """End the worker that was to answer and has not."""
        deadline, self._deadline = self._deadline, None
        if deadline is None or deadline.process is not self._known.current:
            return
        process = deadline.process
        if process.answered >= deadline.since:
            return
        request = deadline.reload
        message = "The code did not stop when asked to, and its process was ended."
        if request is not None:
            self._replace()
            self._say(Output("note", f"{message} The weights start anew.\n"))
            if self._known.current is not None:
                self._known.current.send(_without_weights(request))
            return
        revision = self._known.revision
        self._retire(process)
        self._say(Failed(revision, "worker", "Stopped", message, (), ""))
        self._say(StateChanged(RunState.STOPPED, revision))

    def _bury(self, process: WorkerProcess) -> None:
        """A process has ended by itself: say why, if it was the one in use."""
        known = self._known
        if process is known.spare:
            known.spare = None
            process.wait(1.0)
            return
        if process is not known.current:
            return
        kind, message, words = process.cause_of_death()
        process.kill()  # what it has started and left behind
        process.wait(1.0)
        with known.lock:
            known.current = None
        revision = known.revision
        self._say(Failed(revision, "worker", kind, message, (), words))
        self._say(StateChanged(RunState.STOPPED, revision))

    def _replace(self) -> WorkerProcess:
        """Put the spare, or else a new process, in the place of the current one."""
        known = self._known
        if known.current is not None:
            self._retire(known.current)
        process = known.spare or WorkerProcess(self._engine, self._take)
        if self._watch is not None:
            process.send(self._watch)
        with known.lock:
            known.spare = None
            known.current = process
            if process.hello is not None:
                self._on_event(process.hello)
                self._on_event(StateChanged(RunState.EMPTY, 0))
        if process.hello is not None:
            self._prepare_spare()
        return process

    def _prepare_spare(self) -> None:
        known = self._known
        ready = known.current is not None and known.current.hello is not None
        if self._with_spare and known.spare is None and ready:
            known.spare = WorkerProcess(self._engine, self._take)

    def _retire(self, process: WorkerProcess) -> None:
        with self._known.lock:
            if process is self._known.current:
                self._known.current = None
        process.kill()
        process.wait(1.0)

    def _say(self, event: Event) -> None:
        with self._known.lock:
            self._on_event(event)

    def _close_all(self) -> None:
        with self._known.lock:
            processes = [p for p in (self._known.current, self._known.spare) if p is not None]
            self._known.current = self._known.spare = None
        for process in processes:
            process.kill()
        for process in processes:
            process.wait(1.0)


def _without_weights(request: Load) -> Load:
    return msgspec.structs.replace(request, keep_weights=False)


def _open(stream: object) -> BinaryIO:
    assert stream is not None
    return stream  # type: ignore[return-value]  # Popen was given PIPE for all three


def _with_source_roots(environment: dict[str, str]) -> dict[str, str]:
    """Let the worker import what this process imports, from a checkout too."""
    roots = [path for path in sys.path if path and os.path.isdir(path)]
    environment["PYTHONPATH"] = os.pathsep.join(roots)
    return environment


_SIGNALS = {
    "SIGSEGV": "The code crashed the worker process (segmentation fault).",
    "SIGABRT": "The code aborted the worker process.",
    "SIGBUS": "The code crashed the worker process (bus error).",
    "SIGFPE": "The code crashed the worker process (arithmetic fault).",
    "SIGILL": "The code crashed the worker process (illegal instruction).",
    "SIGKILL": "The worker process was killed; the machine may be out of memory.",
    "SIGTERM": "The worker process was asked to end by another program.",
}
