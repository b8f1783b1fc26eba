"""REG03: a Parameter in a list, tuple or dict, where no Module registers it."""

from collections.abc import Iterator

from paramscope.census.census import line_of
from paramscope.census.evidence import Evidence
from paramscope.census.walk import FoundTensor, Place, join_path
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import stepped_ids, values_in

BAD = document(
    "self.gains = [nn.Parameter(torch.ones(4)) for _ in range(2)]",
    "h = torch.tanh(self.inner(x)) * self.gains[0] + self.gains[1]",
)
GOOD = BAD.replace("[nn.Parameter(", "nn.ParameterList([nn.Parameter(").replace(
    "range(2)]", "range(2)])"
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each attribute that keeps trained leaves in a container, once."""
    stepped = stepped_ids(evidence)
    batch = evidence.last_step.batch_ids if evidence.last_step else frozenset()
    kept: dict[str, list[FoundTensor]] = {}
    for found in evidence.walk.tensors:
        tensor = found.tensor
        if found.place is not Place.CONTAINER or not tensor.requires_grad or not tensor.is_leaf:
            continue
        if id(tensor) not in stepped and id(tensor) not in batch:
            kept.setdefault(join_path(found.owner_path, found.attribute), []).append(found)
    for path, items in kept.items():
        what = "a Parameter" if len(items) == 1 else f"{len(items)} Parameters"
        yield RULE.finding(
            where=path,
            message=(
                f"`{path}` is a Python {items[0].container} with {what} ({values_in(items)}): "
                "no optimizer sees them, and state_dict() and .to() skip them."
            ),
            cause=(
                "Only an attribute that is a Parameter is registered. Use nn.ParameterList or "
                "nn.ParameterDict."
            ),
            line=line_of(items[0], evidence),
        )


RULE = Rule(
    id="REG03",
    severity=ERROR,
    title="Parameter in a list, tuple or dict",
    help=(
        "A Module looks at its attributes, not into the containers among them. Parameters in a "
        "list are in no parameters(), so no optimizer steps them. nn.ParameterList and "
        "nn.ParameterDict register what they hold."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
