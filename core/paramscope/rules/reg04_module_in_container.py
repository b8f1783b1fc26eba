"""REG04: a Module in a list, tuple or dict, where its owner does not register it."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.walk import HiddenModule, Place, join_path
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import values_in

BAD = document(
    "self.hidden = [nn.Linear(4, 4), nn.Linear(4, 4)]",
    "h = self.inner(x)\nfor layer in self.hidden:\n    h = torch.tanh(layer(h))",
)
GOOD = BAD.replace("[nn.Linear(4, 4), nn.Linear(4, 4)]", "nn.ModuleList([nn.Linear(4, 4)])")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each attribute that hides Modules with something to train in a container."""
    kept: dict[str, list[HiddenModule]] = {}
    for hidden in evidence.walk.hidden:
        if hidden.place is Place.CONTAINER:
            path = join_path(hidden.owner_path, hidden.attribute)
            kept.setdefault(path, []).append(hidden)
    for path, modules in kept.items():
        paths = {hidden.path for hidden in modules}
        trained = [
            found
            for found in evidence.walk.tensors
            if found.hidden_in in paths
            and found.registered_as is Place.PARAMETER
            and found.tensor.requires_grad
        ]
        if not trained:
            continue
        first = modules[0]
        made = evidence.source.assignment(type(first.owner).__mro__, first.attribute)
        what = f"{len(modules)} Modules" if len(modules) > 1 else type(first.module).__name__
        them = "them" if len(modules) > 1 else "it"
        yield RULE.finding(
            where=path,
            message=(
                f"`{path}` is a Python {first.container}. The {what} in it ({values_in(trained)}) "
                f"{'are' if len(modules) > 1 else 'is'} no part of the model: no optimizer sees "
                f"{them}, and .to() and state_dict() skip {them}."
            ),
            cause="Use nn.ModuleList or nn.ModuleDict, which register what they hold.",
            line=made.line if made is not None else None,
        )


RULE = Rule(
    id="REG04",
    severity=ERROR,
    title="Module in a list, tuple or dict",
    help=(
        "A Module looks at its attributes, not into the containers among them. Layers in a plain "
        "list run in forward and get gradients, and no optimizer ever steps them. A Module whose "
        "Parameters are all frozen may be hidden on purpose, and is left alone."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
