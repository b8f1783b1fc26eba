"""REG12: a buffer that requires a gradient, or (a hint) a Parameter that is a constant."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.walk import FoundTensor, Place
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, HINT, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import lines_of, stepped_ids

BAD = document(
    "self.register_buffer('scale', torch.ones(4, requires_grad=True))",
    "h = torch.tanh(self.inner(x)) * self.scale",
)
GOOD = BAD.replace(
    "self.register_buffer('scale', torch.ones(4, requires_grad=True))",
    "self.scale = nn.Parameter(torch.ones(4))",
)
TRAPS = (document("self.inner.requires_grad_(False)"),)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report buffers with gradients; of frozen Parameters only those that stand alone."""
    stepped = stepped_ids(evidence)
    seen = set()
    for found in evidence.walk.tensors:
        key = id(found.tensor)
        if found.place not in (Place.BUFFER, Place.BUFFER_NOT_SAVED) or key in seen:
            continue
        seen.add(key)
        if found.tensor.requires_grad and found.tensor.is_leaf and key not in stepped:
            yield RULE.finding(
                where=found.path,
                message=(
                    f"`{found.path}` is a buffer that requires a gradient: it gets one at each "
                    "backward(), and no optimizer steps it, since parameters() leaves it out."
                ),
                cause="Make it an nn.Parameter, or leave out requires_grad=True.",
                line=lines_of([found], evidence),
            )
    for found in _constants(evidence):
        yield RULE.finding(
            where=found.path,
            severity=HINT,
            message=(
                f"`{found.path}` is a Parameter that never learns. A later "
                "`requires_grad_(True)` of the model would train it."
            ),
            cause="A constant is better a buffer: use register_buffer.",
            line=lines_of([found], evidence),
        )


def _constants(evidence: Evidence) -> list[FoundTensor]:
    """Return frozen Parameters made by the document itself, beside others that are trained."""
    frozen = [
        f
        for f in evidence.walk.tensors
        if f.place is Place.PARAMETER and not f.tensor.requires_grad
    ]
    made = [
        f
        for f in frozen
        if evidence.source.assignment(type(f.owner).__mro__, f.attribute) is not None
        and f.tensor._version == 0
    ]
    trained = {f.owner_path for f in evidence.walk.tensors if f.tensor.requires_grad}
    is_alone = len(made) == len(frozen)
    return [f for f in made if is_alone and f.owner_path in trained]


RULE = Rule(
    id="REG12",
    severity=ERROR,
    title="Buffer that requires a gradient",
    help=(
        "A buffer is saved and moved with the model, but it is not among its Parameters. What is "
        "to learn must be an nn.Parameter."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
