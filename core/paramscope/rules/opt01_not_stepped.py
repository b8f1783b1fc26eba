"""OPT01: registered, gets gradients, and is in no optimizer."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import (
    has_moved,
    lines_of,
    lost_shapes,
    parameters,
    rolled_up,
    stepped_ids,
    values_in,
)

BAD = document(optimizer="return torch.optim.SGD(model.out.parameters(), lr=0.01)")
GOOD = BAD.replace("model.out.parameters()", "model.parameters()")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report Parameters with gradients that no optimizer holds and nothing else moves."""
    if not evidence.optimizers or not evidence.traced_steps:
        return
    stepped = stepped_ids(evidence)
    lost = lost_shapes(evidence)
    faulty = []
    for found in parameters(evidence):
        key = id(found.tensor)
        use = evidence.summary(found.tensor)
        if key in stepped or use is None or not use.had_gradient or has_moved(found, evidence):
            continue
        is_late = key not in evidence.build.first_parameters or key in evidence.build.late
        if is_late or evidence.view.shape(found.tensor) in lost:
            continue  # made after the optimizer, or put in the place of what it holds
        faulty.append(found)
    for path, items in rolled_up(faulty, evidence):
        yield RULE.finding(
            where=path,
            message=(
                f"`{path}` ({values_in(items)}) gets gradients, and no optimizer holds it: "
                "it never learns."
            ),
            cause="Give it to the optimizer, or freeze it with requires_grad_(False).",
            line=evidence.source.function_lines.get("optimizer") or lines_of(items, evidence),
        )


RULE = Rule(
    id="OPT01",
    severity=ERROR,
    title="Parameter in no optimizer",
    help=(
        "An optimizer steps the tensors it was given and no others. A Parameter that is left out "
        "collects gradients and keeps its first value. Several optimizers count together."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
