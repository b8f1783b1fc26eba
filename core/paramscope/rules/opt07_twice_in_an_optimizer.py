"""OPT07: a Parameter that stands twice in one optimizer."""

from collections import Counter
from collections.abc import Iterator

from paramscope.census.census import optimizer_groups
from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import Finding
from paramscope.rules.registry import WARNING, Rule

# Added behind the optimizer's back, as by code that extends a group: no warning is given.
BAD = document(
    optimizer="made = torch.optim.SGD(model.parameters(), lr=0.01)\n"
    "made.param_groups[0]['params'].append(model.out.weight)\nreturn made"
)
GOOD = BAD.replace("made.param_groups[0]['params'].append(model.out.weight)\n    ", "")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each optimizer that holds a tensor more than once."""
    names = {id(found.tensor): found.path for found in reversed(evidence.walk.tensors)}
    for optimizer in evidence.optimizers:
        groups = optimizer_groups(optimizer)
        counts = Counter(id(tensor) for group in groups for tensor in group.get("params", ()))
        twice = [names.get(key, "a tensor") for key, count in counts.items() if count > 1]
        if not twice:
            continue
        more = f" and {len(twice) - 1} more" if len(twice) > 1 else ""
        yield Finding(
            rule=RULE.id,
            where="optimizer",
            severity=WARNING,
            message=(
                f"`{twice[0]}`{more} stands more than once in {type(optimizer).__name__}: each "
                "step moves it more than once."
            ),
            cause="Use `model.parameters()`, which lists a shared Parameter once.",
            line=evidence.source.function_lines.get("optimizer"),
        )


RULE = Rule(
    id="OPT07",
    severity=WARNING,
    title="Parameter twice in an optimizer",
    help=(
        "Lists of Parameters that are put together by hand often name a shared weight twice. Each "
        "step then moves it twice, and momentum counts double."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
