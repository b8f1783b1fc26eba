"""GRA03: a gradient arrives at every step, and every value of it is exactly zero."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.walk import FoundTensor
from paramscope.rules.examples import document
from paramscope.rules.finding import Finding
from paramscope.rules.registry import WARNING, Rule
from paramscope.rules.scope import (
    ENOUGH_STEPS,
    lines_of,
    parameters,
    rolled_up,
    values_in,
)

BAD = document(forward="h = x + torch.relu(self.inner(x) - 1000.0)")
GOOD = BAD.replace(" - 1000.0", "")
TRAPS = (document("self.cell = nn.RNNCell(4, 4)", "h = self.cell(self.inner(x))"),)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report whole Modules first: what is zero because of them is a consequence."""
    if evidence.traced_steps < ENOUGH_STEPS:
        return
    zero = [found for found in parameters(evidence) if _is_always_zero(found, evidence)]
    alive = {
        found.owner_path
        for found in parameters(evidence)
        if len(evidence.view.shape(found.tensor)) > 1 and found not in zero
    }
    # A bias that is subtracted again later (before a norm or a softmax) is no fault, nor is
    # the weight that a cell of the library has for a state which is still zero.
    zero = [f for f in zero if not (f.owner_path in alive and _is_minor(f))]
    gathered = rolled_up(zero, evidence)
    whole = [pair for pair in gathered if pair[0] in evidence.walk.modules or pair[0] == "model"]
    for path, items in whole or gathered:
        yield Finding(
            rule=RULE.id,
            where=path,
            severity=WARNING,
            message=(
                f"The gradient of `{path}` ({values_in(items)}) was exactly zero in all "
                f"{evidence.traced_steps} batches looked at: it cannot learn."
            ),
            cause=(
                "Usual causes: units that never open (ReLU far below zero), a softmax over one "
                "value, two factors that are both zero."
            ),
            line=lines_of(items, evidence),
        )


def _is_minor(found: FoundTensor) -> bool:
    library = type(found.owner).__module__.partition(".")[0]
    return found.attribute == "bias" or library in ("torch", "gradcore")


def _is_always_zero(found: FoundTensor, evidence: Evidence) -> bool:
    use = evidence.summary(found.tensor)
    if use is None or not use.had_gradient or not use.gradient_always_zero:
        return False
    return not use.zero_factors  # taken times zero on purpose, as an extra term may be


RULE = Rule(
    id="GRA03",
    severity=WARNING,
    title="Gradient that is always zero",
    help=(
        "A gradient of zero is not a missing one: the Parameter is used, but no change of it "
        "would change the loss. A first step with zeros is normal where a factor starts at zero."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
