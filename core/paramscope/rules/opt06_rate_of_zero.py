"""OPT06: a group of an optimizer whose learning rate is zero at every step."""

from collections.abc import Iterator

from paramscope.census.census import optimizer_groups
from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import ENOUGH_STEPS

BAD = document(
    optimizer="return torch.optim.SGD([{'params': model.inner.parameters(), 'lr': 1 // 100},\n"
    "        {'params': model.out.parameters()}], lr=0.01)"
)
GOOD = BAD.replace("1 // 100", "1 / 100")
TRAPS = (
    document(
        tail="""calls = []


def train_step(model, optimizer, x, y):
    for group in optimizer.param_groups:
        group["lr"] = 0.01 * min(1.0, len(calls) / 10)
    calls.append(1)
    optimizer.zero_grad()
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    return value"""
    ),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report groups that were stepped several times, and never with a rate above zero."""
    if len(evidence.steps) < ENOUGH_STEPS:
        return
    always = set.intersection(*(set(record.rates) for record in evidence.steps))
    for number, index in sorted(always - evidence.ever_moving):
        group = optimizer_groups(evidence.optimizers[number])[index]
        held = {id(tensor) for tensor in group.get("params", ()) if tensor.requires_grad}
        names = [f.path for f in evidence.walk.tensors if id(f.tensor) in held]
        if not names:
            continue
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield RULE.finding(
            where="optimizer",
            message=(
                f"The learning rate of group {index} (`{names[0]}`{more}) was 0 in all "
                f"{len(evidence.steps)} steps looked at: it does not move."
            ),
            cause="Look at how the rate is calculated (`//` rounds down), or freeze the group.",
            line=evidence.source.function_lines.get("optimizer"),
        )


RULE = Rule(
    id="OPT06",
    severity=WARNING,
    title="Learning rate of zero",
    help=(
        "A rate of zero multiplies every update by nothing. A warm-up may begin at zero for one "
        "step; an integer division or an unfinished schedule keeps it there."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
