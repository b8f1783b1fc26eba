"""INP02: what the backward pass still needed was overwritten in place; both lines are named."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.failure import Failure, OperationCall
from paramscope.rules.examples import document
from paramscope.rules.failing import (
    failure_like,
    last_frame,
    last_line,
    path_of,
    where_of,
    where_of_line,
)
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(forward="h = torch.tanh(self.inner(x))\nh += 1.0")
GOOD = BAD.replace("h += 1.0", "h = h + 1.0")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the write, and the operation whose gradient needed the old value."""
    failure = failure_like(
        evidence,
        "needed for gradient computation has been modified by an inplace operation",
        "modified by an inplace operation",
    )
    if failure is None:
        return
    write, needed = failure.written_by, failure.gradient_of
    line = write.span.line if write is not None and write.span is not None else None
    needing = _named(needed, "the backward pass")
    is_step = write is not None and write.operation.endswith(".step")
    yield RULE.finding(
        where=_where(failure, evidence),
        message=(
            f"{_named(write, 'An operation in place')} overwrites what the gradient of "
            f"{needing} still needs."
        ),
        cause=_cause(is_step, needed),
        line=line or last_line(failure) or _line_of(needed),
    )


def _where(failure: Failure, evidence: Evidence) -> str:
    write = failure.written_by or failure.gradient_of
    if write is None or write.span is None:
        return where_of(failure, last_frame(failure))
    if write is failure.written_by and write.tensor is not None:
        path = path_of(failure, write.tensor, evidence)
        if path is not None:
            return path
    return where_of_line(failure, evidence, write.module, write.span.line)


def _named(place: OperationCall | None, otherwise: str) -> str:
    if place is None:
        return otherwise
    at = f" in line {place.span.line}" if place.span is not None else ""
    return f"`{place.operation}`{at}"


def _line_of(place: OperationCall | None) -> int | None:
    return place.span.line if place is not None and place.span is not None else None


def _cause(is_step: bool, needed: OperationCall | None) -> str:
    if is_step:
        return "Call every backward() that uses these values before step(), or run forward again."
    made = f"`{needed.operation}`" if needed is not None else "An operation"
    return (
        f"{made} keeps that value for its gradient. Make a new tensor: `x = x + ...` instead of "
        "`x += ...`, no trailing underscore, no `inplace=True`; or write to a clone()."
    )


RULE = Rule(
    id="INP02",
    severity=ERROR,
    title="Value overwritten that backward needs",
    help=(
        "Many operations keep what they were given, or what they made, to calculate their "
        "gradient. Writing to it in place before backward() makes that gradient impossible."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    explains_errors=True,
)
