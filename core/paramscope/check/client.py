"""The command's side of the process that runs files: start it, give it jobs, end it in time."""

import importlib.util
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from paramscope.check.guard import guarded_environment
from paramscope.check.job import Job, Ready, Verdict
from paramscope.check.traces import failure_of_exit, failure_of_timeout
from paramscope.check.wire import decode, frame_of, read_body
from paramscope.engine.process import worker_environment

ENGINE_TIMEOUT = 300.0  # seconds that loading an engine may take on a slow disk
GRACE = 3.0  # seconds after which a process that should have answered is ended from here
MAX_OUTPUT = 16_384


class ServerError(RuntimeError):
    """The process that runs files cannot be started; the message says why."""


class Checker:
    """Runs jobs on one engine, one after the other, each in a process of its own."""

    def __init__(self, engine: str, allows_network: bool = False, forks: bool = True) -> None:
        self.engine = engine
        self._forks = forks
        self._does_many = False
        self.engine_words = ""
        base = worker_environment(os.environ)
        self._environment = _with_our_packages(guarded_environment(base, allows_network))
        self._folder = tempfile.TemporaryDirectory(prefix="paramscope-")
        self._server: _Server | None = None
        self._problem = ""
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def trace_path(self) -> str:
        """Where a job has its process write where it stands."""
        return str(Path(self._folder.name) / "trace.txt")

    def start(self) -> None:
        """Start the process and wait until its engine is loaded.

        Raises: ServerError.
        """
        if self._server is not None and self._server.is_running:
            return
        if self._problem:
            raise ServerError(self._problem)
        self._stop()
        self._server = server = _Server(self.engine, self._environment, self._forks)
        body = None if self._is_closed else server.next_answer(ENGINE_TIMEOUT)
        if self._is_closed:
            self._stop()
            raise ServerError("It was closed while it was started.")
        ready: Ready = decode(body, Ready) if body is not None else Ready()
        self.engine_words, self._does_many = ready.engine, ready.does_many
        if not ready.engine:
            said = server.output().strip().splitlines() or ["nothing"]
            self._stop()
            self._problem = ready.error or (
                f"The engine `{self.engine}` cannot be loaded.\n  It says: {said[-1]}\n"
                "  Try the other one with --engine."
            )
            raise ServerError(self._problem)

    def run(self, job: Job) -> Verdict:
        """Run one job; whatever its code does, there is a verdict in about its timeout.

        Raises: ServerError.
        """
        self.start()
        server = self._server
        if server is None:
            raise ServerError("It was closed while it was started.")
        Path(job.trace_path).unlink(missing_ok=True)
        server.send(job)
        body = server.next_answer(job.timeout + GRACE)
        if body is not None:
            verdict: Verdict = decode(body, Verdict)
        elif server.is_running and not server.has_ended:
            verdict = Verdict(failure=failure_of_timeout(job))
        else:
            verdict = Verdict(failure=failure_of_exit(job, server.wait()))
        output = verdict.output or server.output()
        if body is None or not self._does_many:
            self._stop()
        return msgspec.structs.replace(verdict, output=output)

    def close(self) -> None:
        """End the process, from any thread; what runs in it ends with it."""
        self._is_closed = True
        self._stop()
        self._folder.cleanup()

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.end()


class _Server:
    """One such process with the threads that read what it says."""

    def __init__(self, engine: str, environment: dict[str, str], forks: bool) -> None:
        # -P: a file of the user's in this folder must not stand in for a library's.
        command = [sys.executable, "-P", "-m", "paramscope.check.server", engine]
        self._process = subprocess.Popen(
            command if forks else [*command, "--spawn"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._jobs = self._process.stdin
        self._bodies: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._output = bytearray()
        self.has_ended = False
        self._threads = [
            threading.Thread(target=self._read_answers, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_output, args=(self._process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None and not self.has_ended

    def send(self, job: Job) -> None:
        try:
            self._jobs.write(frame_of(job))
            self._jobs.flush()
        except (OSError, ValueError):
            pass  # it has ended: the missing answer says so

    def next_answer(self, seconds: float) -> bytes | None:
        """Return the body of its next answer; None if it ended or said nothing in time."""
        try:
            body = self._bodies.get(timeout=seconds)
        except queue.Empty:
            return None
        self.has_ended = body is None
        return body

    def output(self) -> str:
        return bytes(self._output[-MAX_OUTPUT:]).decode("utf-8", "replace")

    def wait(self) -> int:
        try:
            return self._process.wait(timeout=GRACE)
        except subprocess.TimeoutExpired:
            return 0

    def end(self) -> None:
        """End it at once, with its group."""
        if hasattr(os, "killpg"):
            try:
                os.killpg(self._process.pid, 9)
            except (ProcessLookupError, PermissionError):
                pass  # it is gone already
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(GRACE)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            try:
                if stream is not None:
                    stream.close()
            except OSError:
                pass  # unsent bytes of a pipe that nobody reads

    def _read_answers(self, stream: BinaryIO) -> None:
        while (body := read_body(stream)) is not None:
            self._bodies.put(body)
        self._bodies.put(None)

    def _read_output(self, stream: BinaryIO) -> None:
        while data := os.read(stream.fileno(), 1 << 16):
            self._output += data
            del self._output[:-MAX_OUTPUT]


def _with_our_packages(environment: dict[str, str]) -> dict[str, str]:
    """Let the process import this package where it is not installed, as in a checkout."""
    roots = []
    for package in ("paramscope", "gradcore", "paramscope_assets"):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            root = str(Path(spec.origin).parents[1])
            if "site-packages" not in root and root not in roots:
                roots.append(root)
    known = environment.get("PYTHONPATH", "")
    environment["PYTHONPATH"] = os.pathsep.join([*roots, *([known] if known else [])])
    return environment
