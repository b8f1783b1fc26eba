"""Running one job in the process that was made for it: load, some steps, a last look."""

import faulthandler
import time
from typing import IO

import msgspec

from paramscope.census.rows import TensorRow
from paramscope.check.guard import refuse_network
from paramscope.check.job import Job, Verdict
from paramscope.engine.adapters.base import Adapter
from paramscope.engine.session import Session
from paramscope.rules.finding import Finding

# Of files whose loss and optimizer are made up, verdicts about these mean nothing.
_ABOUT_TRAINING = ("OPT", "LOS", "MOD", "GRA03", "GRA04", "GRA05", "GRA06", "GRA09")


def run_job(job: Job, adapter: Adapter, trace: IO[str]) -> Verdict:
    """Run ``job`` on an engine and return what it has shown. The process is spent afterwards."""
    faulthandler.enable(trace, all_threads=False)
    faulthandler.dump_traceback_later(job.timeout, file=trace)
    if not job.allows_network:
        refuse_network()
    start = time.perf_counter()
    adapter.activate()
    session = Session(adapter)
    if session.load(job.source + job.harness, job.filename, seed=job.seed) and not session.note:
        for _ in range(job.steps):
            if not session.run_step():
                break
    if session.failure is None:
        session.look()
    faulthandler.cancel_dump_traceback_later()
    news = session.take_news()
    last_line = job.source.count("\n") + 1
    return Verdict(
        findings=tuple(_judged(session.findings, job, last_line)),
        tensors=tuple(_placed(row, last_line) for row in news.rows or ()),
        failure=session.failure,
        note=session.note,
        has_model=bool(session.walk.modules),
        steps=session.step,
        seconds=time.perf_counter() - start,
    )


def _judged(findings: tuple[Finding, ...], job: Job, last_line: int) -> list[Finding]:
    """Leave out what a made-up training cannot tell, and places behind the end of the file."""
    kept = []
    for finding in findings:
        if job.is_made_up and finding.rule.startswith(_ABOUT_TRAINING):
            continue
        if finding.line is not None and finding.line > last_line:
            finding = msgspec.structs.replace(finding, line=None)
        kept.append(finding)
    return kept


def _placed(row: TensorRow, last_line: int) -> TensorRow:
    if row.line is not None and row.line > last_line:
        return msgspec.structs.replace(row, line=None)
    return row
