"""FRZ05: frozen, and an optimizer moves it all the same: by momentum, decay or an old gradient."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.walk import Place
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import lines_of, rolled_up, stepped_ids, values_in

BAD = document(
    tail="""def train_step(model, optimizer, x, y):
    model.inner.requires_grad_(False)
    optimizer.zero_grad(set_to_none=False)
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    return value""",
    build="model = Net()\n((model(torch.ones(2, 4)) - 1) ** 2).mean().backward()\nreturn model",
    optimizer="return torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=0.1)",
)
GOOD = BAD.replace("set_to_none=False", "set_to_none=True")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report frozen Parameters of an optimizer that the last step has moved."""
    step = evidence.last_step
    if step is None:
        return
    stepped = stepped_ids(evidence)
    frozen = [
        f
        for f in evidence.walk.tensors
        if f.place is Place.PARAMETER and not f.tensor.requires_grad
    ]
    moving = [
        f
        for f in frozen
        if id(f.tensor) in stepped
        and step.update_norms.get(id(f.tensor))
        and f.tensor.grad is not None
        and not _is_written(id(f.tensor), evidence)
    ]
    everything = [f for f in evidence.walk.tensors if f.place is Place.PARAMETER]
    for path, items in rolled_up(moving, evidence, everything):
        yield RULE.finding(
            where=path,
            message=(
                f"`{path}` ({values_in(items)}) is frozen, and the optimizer moves it all the "
                "same: it still has a gradient, to which momentum and weight decay are added."
            ),
            cause="Set `p.grad = None` when freezing, or make the optimizer anew.",
            line=lines_of(items, evidence),
        )


def _is_written(key: int, evidence: Evidence) -> bool:
    use = evidence.summaries.get(key)
    return use is not None and use.is_written


RULE = Rule(
    id="FRZ05",
    severity=ERROR,
    title="Frozen, yet moving",
    help=(
        "requires_grad=False stops new gradients. An optimizer skips only what has no gradient at "
        "all: one of zeros still brings weight decay and momentum."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
