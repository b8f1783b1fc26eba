"""The process that runs files: it loads an engine once, then gives each file a fresh fork.

``python -m paramscope.check.server ENGINE [--spawn]`` reads jobs from its standard input and
answers on its standard output. Where processes cannot be forked with their libraries loaded,
or with ``--spawn``, it does one job itself and ends, and the next job gets a new one.
"""

import ctypes
import os
import select
import signal
import sys
import time
from typing import BinaryIO

import msgspec

from paramscope.check.guard import silence_forks
from paramscope.check.job import Job, Ready, Verdict
from paramscope.check.run import run_job
from paramscope.check.traces import failure_of_exit, failure_of_ours, failure_of_timeout
from paramscope.check.wire import body_in, decode, frame_of, read_body
from paramscope.engine.adapters.base import Adapter, SharedAdapter
from paramscope.engine.adapters.open import EngineMissingError, open_adapter
from paramscope.rules.catalog import all_rules

CAN_FORK = sys.platform.startswith("linux") and hasattr(os, "pidfd_open")
GRACE = 1.0  # seconds beyond the job's own timeout, in which it may still answer
MAX_OUTPUT = 16_384  # bytes of the file's own output that are kept: its end
CHUNK = 1 << 16
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main(arguments: list[str]) -> int:
    """Load the engine, say so, and do jobs until the input ends."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever prints from now on cannot stand among the answers
    try:
        adapter = open_adapter(arguments[0])
    except EngineMissingError as error:
        answers.write(frame_of(Ready(error=str(error))))
        return 1
    _warm_up(adapter)
    forks = CAN_FORK and "--spawn" not in arguments
    answers.write(frame_of(Ready(f"{adapter.name} {adapter.version}", forks)))
    jobs = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if forks:
        _set_process_control(_PR_SET_CHILD_SUBREAPER, 1)
    while (body := read_body(jobs)) is not None:
        job: Job = decode(body, Job)
        if not forks:
            _answer(job, adapter, answers)
            os._exit(0)  # as in a fork
        answers.write(frame_of(_run_in_fork(job, adapter, (answers.fileno(), jobs.fileno()))))
    return 0


def _warm_up(adapter: Adapter) -> None:
    """Load once, before any fork, what is loaded late: the rules, and PyTorch's optimizers."""
    all_rules()
    if isinstance(adapter, SharedAdapter):
        adapter.torch.optim.SGD([adapter.torch.zeros(1)], lr=0.0)


def _run_in_fork(job: Job, adapter: Adapter, own: tuple[int, ...]) -> Verdict:
    """Do one job in a fork of this process, and end with it whatever it has started."""
    answer_end, answer_start = os.pipe()
    output_end, output_start = os.pipe()
    server = os.getpid()
    process = os.fork()
    if process == 0:
        for descriptor in (answer_end, output_end, *own):
            os.close(descriptor)
        _become_job(job, adapter, server, answer_start, output_start)
    os.close(answer_start)
    os.close(output_start)
    try:
        return _wait_for(job, process, answer_end, output_end)
    finally:
        _end_all(process)
        os.close(answer_end)
        os.close(output_end)


def _become_job(
    job: Job, adapter: Adapter, server: int, answer_start: int, output_start: int
) -> None:
    os.setpgid(0, 0)
    _set_process_control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)  # it died before the line above
    os.dup2(output_start, 1)
    os.dup2(output_start, 2)
    os.close(output_start)
    with os.fdopen(answer_start, "wb", buffering=0) as answers:
        _answer(job, adapter, answers)
    os._exit(0)  # threads and exit handlers of the file's own code are not waited for


def _answer(job: Job, adapter: Adapter, answers: BinaryIO) -> None:
    """Do a job in this very process. What the file forks must never answer for it."""
    silence_forks(answers.close)
    with open(job.trace_path, "w", encoding="utf-8") as trace:
        try:
            verdict = run_job(job, adapter, trace)
        except Exception as error:  # a fault of ours: the user's errors are in the verdict
            verdict = Verdict(failure=failure_of_ours(error))
    answers.write(frame_of(verdict))


def _wait_for(job: Job, process: int, answer_end: int, output_end: int) -> Verdict:
    """Read the job's answer and its output until it has answered, has died, or is out of time."""
    answer, output = bytearray(), bytearray()
    exit_end = os.pidfd_open(process)
    waiting = select.poll()
    for descriptor in (answer_end, output_end, exit_end):
        waiting.register(descriptor, select.POLLIN | select.POLLHUP)
    deadline = time.monotonic() + job.timeout + GRACE
    is_over = False
    try:
        while body_in(answer) is None and not is_over:
            left = deadline - time.monotonic()
            ready = {descriptor for descriptor, _ in waiting.poll(max(0.0, left) * 1000)}
            if answer_end in ready and not _read_into(answer, answer_end):
                waiting.unregister(answer_end)
            if output_end in ready:
                if not _read_into(output, output_end):
                    waiting.unregister(output_end)
                del output[:-MAX_OUTPUT]
            # A process that has died may have left an answer, which is read first.
            is_over = left <= 0 or (exit_end in ready and answer_end not in ready)
    finally:
        os.close(exit_end)
    if _has_data(output_end):
        _read_into(output, output_end)
    text = bytes(output[-MAX_OUTPUT:]).decode("utf-8", "replace")
    body = body_in(answer)
    if body is not None:
        verdict: Verdict = decode(body, Verdict)
    elif _is_running(process):
        verdict = Verdict(failure=failure_of_timeout(job))
    else:
        verdict = Verdict(failure=failure_of_exit(job, _status_of(process)))
    return msgspec.structs.replace(verdict, output=text)


def _read_into(buffer: bytearray, descriptor: int) -> bool:
    """Read what is there; False at the end of the stream."""
    data = os.read(descriptor, CHUNK)
    buffer += data
    return bool(data)


def _has_data(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


def _is_running(process: int) -> bool:
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _status_of(process: int) -> int:
    """Return the exit status of a process that has ended; minus the signal that ended it."""
    ended = os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    if ended is None:
        return 0
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _end_all(process: int) -> None:
    """End a job's process, its group, and whatever has left the group: this process inherits it."""
    for end, target in ((os.killpg, process), (os.kill, process)):
        try:
            end(target, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it is gone already
    os.waitpid(process, 0)
    for _ in range(100):  # a child's children become ours when it dies
        children = _children()
        if not children:
            return
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
            try:
                os.waitpid(child, 0)
            except ChildProcessError:
                pass


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return [int(number) for number in file.read().split()]
    except OSError:
        return []


def _set_process_control(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
