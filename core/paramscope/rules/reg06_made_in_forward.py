"""REG06: a Parameter or a layer that ``forward`` makes anew: each lives for one step."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence, Stranger
from paramscope.census.walk import Place
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import lines_of, rolled_up
from paramscope.rules.strangers import remade_in_steps

BAD = document(
    forward="self.mix = nn.Linear(4, 4)\nh = torch.tanh(self.mix(self.inner(x)))",
)
GOOD = document("self.mix = nn.Linear(4, 4)", "h = torch.tanh(self.mix(self.inner(x)))")
TRAPS = (
    document(
        forward="x = x.clone().requires_grad_(True)\nh = torch.tanh(self.inner(x))",
    ),
    document(
        forward="noise = torch.zeros_like(x, requires_grad=True)\n"
        "h = torch.tanh(self.inner(x + noise))",
    ),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each attribute, or else each ``forward``, that gets new leaves at every step."""
    remade = remade_in_steps(evidence)
    paths = {stranger.path for stranger in remade if stranger.path}
    held = [found for found in evidence.walk.tensors if found.path in paths]
    registered = [found for found in held if found.place is Place.PARAMETER]
    for path, items in rolled_up(registered, evidence):
        yield _finding(items[0].path if path == "model" else path, lines_of(items, evidence))
    for found in held:
        if found.place is not Place.PARAMETER:
            yield _finding(found.path, lines_of([found], evidence))
    told = set()
    for stranger in remade:
        where = _place_of(stranger, evidence)
        if not stranger.path and where not in told:
            told.add(where)
            yield _finding(where, stranger.span.line if stranger.span is not None else None)


def _place_of(stranger: Stranger, evidence: Evidence) -> str:
    if stranger.in_forward or stranger.module is not None:
        return stranger.module or "forward"
    return "train_step" if "train_step" in evidence.source.function_lines else "loss"


def _finding(where: str, line: int | None) -> Finding:
    return RULE.finding(
        where=where,
        message=(
            f"`{where}` makes new weights at every step: they get a gradient, and are thrown "
            "away before any optimizer has seen them."
        ),
        cause="Make it once in __init__, as an attribute, and use that in forward.",
        line=line,
    )


RULE = Rule(
    id="REG06",
    severity=ERROR,
    title="Weights made inside forward",
    help=(
        "Each call of forward makes the layer or Parameter again, with new random values. The "
        "optimizer holds none of them, so nothing is learnt; what the loss sees is noise."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
