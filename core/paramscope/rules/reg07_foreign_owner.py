"""REG07: a Parameter owned by an object that is no Module."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.walk import FoundTensor, Place, join_path
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import stepped_ids, values_in

_CLASS = """\
class Scale:
    def __init__(self):
        self.weight = nn.Parameter(torch.ones(4))


class Net(nn.Module):"""

BAD = document("self.scale = Scale()", "h = torch.tanh(self.inner(x)) * self.scale.weight").replace(
    "class Net(nn.Module):", _CLASS
)
GOOD = BAD.replace("class Scale:", "class Scale(nn.Module):").replace(
    "        self.weight", "        super().__init__()\n        self.weight"
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each attribute whose object holds something to train, and is no Module."""
    stepped = stepped_ids(evidence)
    hidden = {h.path for h in evidence.walk.hidden if h.place is Place.FOREIGN}
    owned: dict[str, list[FoundTensor]] = {}
    for found in evidence.walk.tensors:
        tensor = found.tensor
        in_module = found.hidden_in in hidden and found.registered_as is Place.PARAMETER
        if found.place is not Place.FOREIGN and not in_module:
            continue
        if tensor.requires_grad and tensor.is_leaf and id(tensor) not in stepped:
            owned.setdefault(join_path(found.owner_path, found.attribute), []).append(found)
    for path, items in owned.items():
        made = evidence.source.assignment(type(items[0].owner).__mro__, items[0].attribute)
        yield RULE.finding(
            where=path,
            message=(
                f"`{path}` is a {items[0].container}, which is no Module. Its {values_in(items)} "
                "to be trained are no part of the model, and no optimizer steps them."
            ),
            cause="Derive its class from nn.Module, and call super().__init__() first.",
            line=made.line if made is not None else None,
        )


RULE = Rule(
    id="REG07",
    severity=ERROR,
    title="Parameter owned by an object that is no Module",
    help=(
        "A Module registers Parameters and Modules that are assigned to its attributes. An object "
        "of any other class is just a value to it, and what that object owns stays unknown."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
