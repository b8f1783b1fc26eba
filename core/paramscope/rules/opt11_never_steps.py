"""OPT11: an optimizer whose Parameters get gradients, and that never makes a step."""

from collections.abc import Iterator
from typing import Any

from paramscope.census.census import optimizer_groups
from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import ENOUGH_STEPS

MANY_STEPS = 32  # gradients may be added up over this many batches before a step

BAD = document(
    optimizer="return [torch.optim.SGD(model.inner.parameters(), lr=0.01),\n"
    "        torch.optim.SGD(model.out.parameters(), lr=0.01)]",
    tail="""def train_step(model, optimizers, x, y):
    first, second = optimizers
    first.zero_grad()
    second.zero_grad()
    value = loss(model, x, y)
    value.backward()
    first.step()
    first.step()
    return value""",
)
GOOD = BAD.replace("first.step()\n    first.step()", "first.step()\n    second.step()")
TRAPS = (
    document(
        tail="""calls = []


def train_step(model, optimizer, x, y):
    value = loss(model, x, y)
    (value / 8).backward()
    calls.append(1)
    if len(calls) % 8 == 0:
        optimizer.step()
        optimizer.zero_grad()
    return value"""
    ),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report optimizers that have let gradients be cleared unused, and never used any."""
    for number, optimizer in never_stepping(evidence):
        name = f"optimizer {number + 1}" if len(evidence.optimizers) > 1 else "the optimizer"
        yield RULE.finding(
            where="optimizer",
            message=(
                f"No step of {name} ({type(optimizer).__name__}) was seen, though its Parameters "
                "get gradients: they never move."
            ),
            cause="Call its `step()` after `backward()`; look for another's called twice.",
            line=evidence.source.function_lines.get("train_step")
            or evidence.source.function_lines.get("optimizer"),
        )


def never_stepping(evidence: Evidence) -> list[tuple[int, Any]]:
    """Return the optimizers, with their numbers, that should have made a step by now."""
    found: list[tuple[int, Any]] = []
    if len(evidence.steps) < ENOUGH_STEPS:
        return found
    for number, optimizer in enumerate(evidence.optimizers):
        if number in evidence.ever_stepped or getattr(optimizer, "state", None):
            continue
        held = {id(t) for g in optimizer_groups(optimizer) for t in g.get("params", ())}
        wasted = sum(bool(held & record.wasted) for record in evidence.steps)
        waits = evidence.step >= MANY_STEPS and any(
            (use := evidence.summaries.get(key)) is not None
            and use.had_gradient
            and not use.gradient_always_zero
            and not use.has_moved
            for key in held
        )
        if wasted >= ENOUGH_STEPS - 1 or waits:
            found.append((number, optimizer))
    return found


RULE = Rule(
    id="OPT11",
    severity=ERROR,
    title="Optimizer that never steps",
    help=(
        "With several optimizers it is easy to step one of them twice and another never. Its "
        "Parameters collect gradients, and keep their first values."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
