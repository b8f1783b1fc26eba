"""OPT02: the optimizer holds tensors that the model no longer has."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import ENOUGH_STEPS, lost_tensors, parameters, stepped_ids
from paramscope.rules.strangers import remade_in_steps

BAD = document(
    optimizer="made = torch.optim.SGD(model.parameters(), lr=0.01)\n"
    "model.out = nn.Linear(4, 1)\nreturn made"
)
GOOD = document(
    optimizer="model.out = nn.Linear(4, 1)\nreturn torch.optim.SGD(model.parameters(), lr=0.01)"
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the optimizer if some of its tensors are lost and some of the model's not stepped.

    A tensor of its own that the optimizer steps beside the model (an input that is optimised)
    is meant: then nothing of the model is missing.
    """
    lost = lost_tensors(evidence)
    if not lost:
        return
    stepped = stepped_ids(evidence)
    shapes = {evidence.view.shape(tensor) for tensor in lost}
    remade = {stranger.path for stranger in remade_in_steps(evidence)}
    missing = [
        found
        for found in parameters(evidence)
        if found.path not in remade
        and id(found.tensor) not in stepped
        and evidence.view.shape(found.tensor) in shapes
    ]
    if not missing:
        yield from _of_another_model(lost, evidence)
        return
    names = ", ".join(f"`{found.path}`" for found in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    yield RULE.finding(
        where="optimizer",
        message=(
            f"{_tensors(len(lost))} in the optimizer {_are(len(lost))} not in the model; "
            f"{len(missing)} in the model {_are(len(missing))} stepped by nobody: {names}{more}."
        ),
        cause="A layer was replaced after the optimizer was made. Make the optimizer last.",
        line=evidence.source.function_lines.get("optimizer"),
    )


def _of_another_model(lost: list[Any], evidence: Evidence) -> Iterator[Finding]:
    """Report tensors that no step reads, each as large as one of the model: it was built twice.

    What the program holds under a name of its own may be trained later on.
    """
    if len(evidence.steps) < ENOUGH_STEPS or not evidence.backward_calls:
        return
    shapes = Counter(evidence.view.shape(found.tensor) for found in parameters(evidence))
    if Counter(map(evidence.view.shape, lost)) - shapes:
        return
    met = {id(stranger.tensor) for record in evidence.steps for stranger in record.strangers}
    if any(id(t) in met or id(t) in evidence.outside or t.grad is not None for t in lost):
        return
    yield RULE.finding(
        where="optimizer",
        message=(
            f"{_tensors(len(lost))} in the optimizer {_are(len(lost))} not in the model, and no "
            "step has read them: they are those of another model of the same kind."
        ),
        cause="Build the model once, and make the optimizer from its parameters.",
        line=evidence.source.function_lines.get("optimizer"),
    )


def _tensors(count: int) -> str:
    return "1 tensor" if count == 1 else f"{count} tensors"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


RULE = Rule(
    id="OPT02",
    severity=ERROR,
    title="Optimizer holds tensors the model has lost",
    help=(
        "An optimizer keeps the very tensors it was given. When a layer is replaced afterwards, it "
        "goes on stepping the old one, and the new one never learns."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
