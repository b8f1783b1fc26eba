"""GRA03: a gradient arrives at every step, and every value of it is exactly zero."""

from collections.abc import Iterator

from paramscope.census.evidence import Dead, Evidence
from paramscope.census.walk import FoundTensor
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import (
    ENOUGH_STEPS,
    lines_of,
    parameters,
    rolled_up,
    values_in,
)

BAD = document("nn.init.constant_(self.inner.bias, -1000.0)", "h = x + torch.relu(self.inner(x))")
GOOD = BAD.replace("-1000.0", "0.0")
TRAPS = (document("self.cell = nn.RNNCell(4, 4)", "h = self.cell(self.inner(x))"),)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report whole Modules first: what is zero because of them is a consequence."""
    if evidence.traced_steps < ENOUGH_STEPS or evidence.build.unfilled:
        return  # too few, or numbers that were never set: GRA10
    zero = [found for found in parameters(evidence) if _is_always_zero(found, evidence)]
    alive = {
        found.owner_path
        for found in parameters(evidence)
        if len(evidence.view.shape(found.tensor)) > 1 and found not in zero
    }
    # A bias that is subtracted again later (before a norm or a softmax) is no fault, nor is
    # the weight that a cell of the library has for a state which is still zero.
    zero = [f for f in zero if not (f.owner_path in alive and _is_minor(f))]
    dead = _first_dead(zero, evidence)
    if dead is not None:
        yield _dead_finding(*dead, evidence)
        return
    gathered = rolled_up(zero, evidence)
    whole = [pair for pair in gathered if pair[0] in evidence.walk.modules or pair[0] == "model"]
    for path, items in whole or gathered:
        yield RULE.finding(
            where=path,
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


def _first_dead(
    zero: list[FoundTensor], evidence: Evidence
) -> tuple[Dead, list[FoundTensor]] | None:
    """Return the first operation that let nothing through in any step, and what feeds it.

    All else without a gradient lies before it, or gets nothing from it.
    """
    by_id = {id(found.tensor): found for found in zero}
    always = [{dead.cut for dead in record.dead} for record in evidence.steps]
    for dead in evidence.steps[-1].dead if evidence.steps else ():
        if (
            dead.feeders
            and dead.feeders <= by_id.keys()
            and all(dead.cut in cuts for cuts in always)
        ):
            return dead, [by_id[key] for key in dead.feeders]
    return None


def _dead_finding(dead: Dead, feeders: list[FoundTensor], evidence: Evidence) -> Finding:
    at = f" in line {dead.cut.span.line}" if dead.cut.span is not None else ""
    if dead.cut.operation == "softmax":
        what = f"`softmax`{at} has one value to choose from, so it gives 1 whatever it is"
        cause = "Look at its `dim=`: that axis has size 1."
    else:
        what = f"`{dead.cut.operation}`{at} gave nothing but zeros"
        cause = "Its units never open: begin with smaller biases, or scale what comes in."
    path = _widest(feeders, evidence)
    return RULE.finding(
        where=path,
        message=(
            f"The gradient of `{path}` was exactly zero in all {evidence.traced_steps} batches "
            f"looked at: {what}."
        ),
        cause=cause,
        line=lines_of(feeders, evidence) or (dead.cut.span.line if dead.cut.span else None),
    )


def _widest(feeders: list[FoundTensor], evidence: Evidence) -> str:
    """Return the path of the largest Module, short of the whole, that is zero with them."""
    zero = [found for found in parameters(evidence) if _is_always_zero(found, evidence)]
    ids = {id(found.tensor) for found in zero}
    parts = feeders[0].path.split(".")
    for count in range(1, len(parts)):
        path = ".".join(parts[:count])
        inside = [f for f in parameters(evidence) if f.path.startswith(f"{path}.")]
        if path in evidence.walk.modules and all(id(f.tensor) in ids for f in inside):
            return path
    return feeders[0].path


def _is_minor(found: FoundTensor) -> bool:
    library = type(found.owner).__module__.partition(".")[0]
    return found.attribute == "bias" or library in ("torch", "gradcore")


def _is_always_zero(found: FoundTensor, evidence: Evidence) -> bool:
    use = evidence.summary(found.tensor)
    if use is None or not use.had_gradient or not use.gradient_always_zero:
        return False
    # Taken times zero on purpose, as an extra term may be; or through a step, which GRA08 tells.
    return not use.zero_factors and not use.flats


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
