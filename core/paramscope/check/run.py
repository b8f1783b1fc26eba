"""Running one job in the process that was made for it: load, some steps, a last look."""

import faulthandler
import gc
import sys
import threading
import time
from typing import IO

from paramscope.check.guard import refuse_network
from paramscope.check.job import Job, Verdict
from paramscope.check.judgement import judged, placed
from paramscope.engine.adapters.base import Adapter
from paramscope.engine.session import Session

COLLECT_EVERY = 50_000  # objects made
PATIENCE = 0.6  # seconds that the lock of the interpreter is waited for; less than the server is


def run_job(job: Job, adapter: Adapter, trace: IO[str]) -> Verdict:
    """Run ``job`` on an engine and return what it has shown. The process is spent afterwards."""
    faulthandler.enable(trace, all_threads=False)
    is_done = _watched(job.timeout, trace)
    if not job.allows_network:
        refuse_network()
    # The process ends with the job: cycles need not be looked for among all that it holds.
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)
    start = time.perf_counter()
    adapter.activate()
    session = Session(adapter, mode="eager", is_quiet=True)
    if session.load(job.source + job.harness, job.filename, seed=job.seed) and not session.note:
        for _ in range(job.steps):
            if not session.run_step():
                break
    if session.failure is None:
        session.look()
    is_done.set()
    faulthandler.cancel_dump_traceback_later()
    news = session.take_news()
    return Verdict(
        findings=judged(session.findings, job.source, is_made_up=job.is_made_up),
        tensors=placed(news.rows or (), job.source),
        failure=session.failure,
        note=session.note,
        has_model=bool(session.walk.modules),
        steps=session.step,
        losses=() if job.is_made_up else tuple(loss for _, loss in news.losses),
        seconds=time.perf_counter() - start,
    )


def _watched(timeout: float, trace: IO[str]) -> threading.Event:
    """Have it written down where this thread stands after ``timeout``, unless the event is set.

    Another thread looks first: the interpreter's own dump reads frames while they run, which
    may crash. It follows for code that never lets go of the interpreter's lock.
    """
    is_done = threading.Event()
    watched = threading.get_ident()

    def watch() -> None:
        if is_done.wait(timeout):
            return
        frame = sys._current_frames().get(watched)
        faulthandler.cancel_dump_traceback_later()
        lines = ["Thread (most recent call first):"]
        while frame is not None:
            code = frame.f_code
            lines.append(f'  File "{code.co_filename}", line {frame.f_lineno} in {code.co_name}')
            frame = frame.f_back
        trace.write("\n".join([*lines, ""]))
        trace.flush()

    faulthandler.dump_traceback_later(timeout + PATIENCE, file=trace)
    threading.Thread(target=watch, name="paramscope-watch", daemon=True).start()
    return is_done
