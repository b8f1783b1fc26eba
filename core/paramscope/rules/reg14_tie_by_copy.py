"""REG14: two Parameters that began as copies of one another, as if they were to be one."""

from collections.abc import Iterator
from typing import Any

from paramscope.census.evidence import Evidence
from paramscope.census.walk import FoundTensor
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import lines_of, parameters, stepped_ids

BAD = document(
    "self.decoder = nn.Linear(4, 4)\nself.decoder.weight = nn.Parameter(self.inner.weight.clone())",
    "h = self.decoder(torch.tanh(self.inner(x)))",
)
GOOD = BAD.replace("nn.Parameter(self.inner.weight.clone())", "self.inner.weight")
TRAPS = (
    document(
        "import copy\nself.teacher = copy.deepcopy(self.inner).requires_grad_(False)",
        "h = torch.tanh(self.inner(x)) + self.teacher(x)",
    ),
    document(
        "import copy\nself.twin = copy.deepcopy(self.inner)",
        "h = torch.tanh(self.inner(x)) * self.twin(x)",
    ),
    document(
        "self.a = nn.Linear(4, 4)\nself.b = nn.Linear(4, 4)\nnn.init.eye_(self.a.weight)\n"
        "nn.init.eye_(self.b.weight)",
        "h = torch.tanh(self.inner(x)) + self.a(x) * self.b(x)",
    ),
    document(
        "layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)\n"
        "self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)",
        "h = self.blocks(self.inner(x)[:, None])[:, 0]",
    ),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report pairs that both are trained, and are no parts of Modules copied whole."""
    stepped = stepped_ids(evidence)
    by_id = {id(found.tensor): found for found in parameters(evidence)}
    for first, second in evidence.build.alike:
        one, other = by_id.get(id(first)), by_id.get(id(second))
        if one is None or other is None or not {id(first), id(second)} <= stepped:
            continue
        if _is_copied_whole(one, other, evidence):
            continue
        yield RULE.finding(
            where=other.path,
            message=(
                f"`{other.path}` began as a copy of `{one.path}`, but they are two Parameters: "
                "each is trained on its own, and they drift apart."
            ),
            cause="To tie them, assign the Parameter itself, without clone() or .data.",
            line=lines_of([other], evidence),
        )


def _is_copied_whole(one: FoundTensor, other: FoundTensor, evidence: Evidence) -> bool:
    """Tell whether the Modules around two equal tensors are copies in all else as well."""
    if type(one.owner) is not type(other.owner) or one.attribute != other.attribute:
        return False
    pairs = {frozenset(map(id, pair)) for pair in evidence.build.alike}
    mine, theirs = _own(one, evidence), _own(other, evidence)
    rest = [name for name in mine if name != one.attribute and name in theirs]
    if rest:
        return all(_is_equal(mine[name], theirs[name], pairs, evidence) for name in rest)
    # Its only tensor: look at the name, since blocks that are copied use one name each.
    return one.path.rpartition(".")[0].rpartition(".")[2] == _last_name(other)


def _last_name(found: FoundTensor) -> str:
    return found.path.rpartition(".")[0].rpartition(".")[2]


def _own(found: FoundTensor, evidence: Evidence) -> dict[str, Any]:
    return {
        item.attribute: item.tensor
        for item in parameters(evidence)
        if item.owner_path == found.owner_path
    }


def _is_equal(first: Any, second: Any, pairs: set[frozenset[int]], evidence: Evidence) -> bool:
    """Tell whether two tensors were alike at the start: noted as such, or too plain to be."""
    if first is second or frozenset((id(first), id(second))) in pairs:
        return True
    values = [evidence.build.first_biases.get(id(tensor)) for tensor in (first, second)]
    return values[0] is not None and values[0] == values[1]


RULE = Rule(
    id="REG14",
    severity=WARNING,
    title="Weights tied by a copy",
    help=(
        "Two layers share a weight only if they hold the same Parameter. A clone, or the same "
        ".data in another Parameter, starts equal and drifts apart with the first step."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
