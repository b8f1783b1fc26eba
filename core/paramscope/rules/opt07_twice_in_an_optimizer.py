"""OPT07: a Parameter that stands twice in one optimizer."""

from collections import Counter
from collections.abc import Iterator, Sized

from paramscope.census.census import optimizer_groups
from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.failing import failure_like, last_line
from paramscope.rules.finding import ERROR, WARNING, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import ENOUGH_STEPS, parameters

# Added behind the optimizer's back, as by code that extends a group: no warning is given.
BAD = document(
    optimizer="made = torch.optim.SGD(model.parameters(), lr=0.01)\n"
    "made.param_groups[0]['params'].append(model.out.weight)\nreturn made"
)
GOOD = BAD.replace("made.param_groups[0]['params'].append(model.out.weight)\n    ", "")


TRAPS = (
    # One after the other, as Adam first and then something finer.
    document(
        optimizer="return [torch.optim.SGD(model.parameters(), lr=0.01),\n"
        "        torch.optim.Adam(model.parameters(), lr=0.01)]",
        tail="""calls = []


def train_step(model, optimizers, x, y):
    calls.append(1)
    optimizer = optimizers[len(calls) > 3]
    optimizer.zero_grad()
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    return value""",
    ),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each optimizer that holds a tensor more than once, and two that step the same."""
    failure = failure_like(evidence, "appear in more than one parameter group")
    if failure is not None:
        yield _refused(last_line(failure))
        return
    yield from _in_one(evidence)
    both = stepped_by_two(evidence)
    if both:
        names = [found.path for found in parameters(evidence) if id(found.tensor) in both]
        yield RULE.finding(
            where="optimizer",
            message=(
                f"`{names[0] if names else 'A tensor'}`{_more(both)} is stepped by two "
                "optimizers in the same step."
            ),
            cause="Give each optimizer the Parameters of its own part.",
            line=evidence.source.function_lines.get("optimizer"),
        )


def stepped_by_two(evidence: Evidence) -> set[int]:
    """Return the ids of tensors that two optimizers have moved in each of the last steps."""
    if len(evidence.steps) < ENOUGH_STEPS:
        return set()
    always = set.intersection(*(record.stepped for record in evidence.steps))
    counts: Counter[int] = Counter()
    for number in always:
        if number < len(evidence.optimizers):
            groups = optimizer_groups(evidence.optimizers[number])
            counts.update({id(t) for group in groups for t in group.get("params", ())})
    return {
        key
        for key, count in counts.items()
        if count > 1 and (use := evidence.summaries.get(key)) is not None and use.had_gradient
    }


def _refused(line: int | None) -> Finding:
    return RULE.finding(
        where="optimizer",
        severity=ERROR,
        message="A Parameter stands in two groups of one optimizer, which would step it twice.",
        cause="Name each Parameter in one group only; a layer's are in the model's as well.",
        line=line,
    )


def _more(ids: Sized) -> str:
    return f" and {len(ids) - 1} more" if len(ids) > 1 else ""


def _in_one(evidence: Evidence) -> Iterator[Finding]:
    names = {id(found.tensor): found.path for found in reversed(evidence.walk.tensors)}
    for optimizer in evidence.optimizers:
        groups = optimizer_groups(optimizer)
        counts = Counter(id(tensor) for group in groups for tensor in group.get("params", ()))
        twice = [names.get(key, "a tensor") for key, count in counts.items() if count > 1]
        if not twice:
            continue
        yield RULE.finding(
            where="optimizer",
            message=(
                f"`{twice[0]}`{_more(twice)} stands more than once in "
                f"{type(optimizer).__name__}: each step moves it more than once."
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
    traps=TRAPS,
    explains_errors=True,
)
