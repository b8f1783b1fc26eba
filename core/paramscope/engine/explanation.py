"""Why the user's code raised: the error as evidence, and what the rules make of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paramscope.census.evidence import Evidence
from paramscope.census.failure import Failure, OperationCall
from paramscope.census.source import map_source
from paramscope.census.walk import Walk
from paramscope.engine.adapters.base import Adapter
from paramscope.engine.autopsy import failure_of
from paramscope.engine.failures import CannotTrainError, Raised
from paramscope.engine.observation import Observer
from paramscope.engine.tracer import StepTracer
from paramscope.rules.catalog import check_failure
from paramscope.rules.failing import NO_LOSS
from paramscope.rules.finding import Finding

_EXPLAINED = (CannotTrainError, SyntaxError)  # they say it all themselves


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the rules say, and the operation whose gradient failed, if it was one."""

    findings: tuple[Finding, ...] = ()
    place: OperationCall | None = None


def explain_loading(raised: Raised, adapter: Adapter) -> Explanation:
    """Explain an error that left no model, or only a part of one."""
    if not _is_to_explain(raised.error):
        return Explanation()
    failure = failure_of(raised, adapter)
    evidence = Evidence(
        model=None,
        walk=failure.roots[0].walk if failure.roots else Walk(),
        optimizers=(),
        view=adapter,
        source=map_source(raised.source),
        failure=failure,
    )
    return _explanation(evidence, failure)


def explain_running(
    raised: Raised,
    adapter: Adapter,
    observer: Observer,
    tracer: StepTracer | None,
    step: int,
    names: Mapping[str, Any],
) -> Explanation:
    """Explain an error of a step, or of ``optimizer()``.

    ``tracer`` has seen it, if given; ``names`` are the globals of the document.
    """
    if not _is_to_explain(raised.error):
        return Explanation()
    trail = tracer.trail if tracer is not None else None
    before = observer.walk
    model = next(iter(before.modules.values()), None)
    failure = failure_of(raised, adapter, model, before, trail, names)
    observer.look_again()
    if tracer is not None:
        tracer.finish()
        observer.add_step(tracer.record, is_finished=False)
    found = observer.evidence(step)
    if not found:
        return Explanation()
    found[0].failure = failure
    return _explanation(found[0], failure, trail.last if trail is not None else None)


def _is_to_explain(error: BaseException) -> bool:
    return isinstance(error, Exception) and not isinstance(error, _EXPLAINED)


def _explanation(
    evidence: Evidence, failure: Failure, last: OperationCall | None = None
) -> Explanation:
    # An error without a line of the user's came from the backward pass of the default step.
    place = None
    if not failure.user_frames and NO_LOSS not in failure.message:
        place = failure.gradient_of or last
    return Explanation(tuple(check_failure(evidence)), place)
