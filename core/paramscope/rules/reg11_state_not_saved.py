"""REG11: a plain tensor that training changes and evaluation uses: it is not saved."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.walk import FoundTensor, Place
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import lines_of

BAD = document(
    "self.mean = torch.zeros(4)",
    "if self.training:\n    self.mean = 0.9 * self.mean + 0.1 * x.mean(dim=0).detach()\n"
    "h = torch.tanh(self.inner(x - self.mean))",
)
GOOD = BAD.replace("self.mean = torch.zeros(4)", "self.register_buffer('mean', torch.zeros(4))")
TRAPS = (
    document(
        "self.state = torch.zeros(16, 4)",
        "h = torch.tanh(self.inner(x) + self.state)\nself.state = h.detach()",
    ),
    document(
        "self.average = torch.zeros(4)",
        "h = torch.tanh(self.inner(x))\n"
        "if self.training:\n    self.average = 0.9 * self.average + 0.1 * h.mean(0).detach()",
    ),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each such tensor once."""
    for found in changing_states(evidence, Place.ATTRIBUTE):
        yield RULE.finding(
            where=found.path,
            message=(
                f"`{found.path}` is changed by training and used in eval mode, but it is a plain "
                "tensor: state_dict() does not save it, and .to() does not move it."
            ),
            cause="Register it with register_buffer.",
            line=lines_of([found], evidence),
        )


def changing_states(evidence: Evidence, place: Place) -> list[FoundTensor]:
    """Return what training changes, and evaluation reads and leaves as it is."""
    evaluation = evidence.evaluation
    if evaluation is None:
        return []
    wanted = (evidence.changing & evaluation.read) - evaluation.changed
    return [f for f in evidence.walk.tensors if f.place is place and f.path in wanted]


RULE = Rule(
    id="REG11",
    severity=WARNING,
    title="State in a plain tensor",
    help=(
        "Running averages and counts that forward keeps for evaluation belong in a buffer. A "
        "plain tensor is lost when the model is saved and loaded."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
