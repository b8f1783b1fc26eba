"""STA01: a buffer that training changes and evaluation uses, kept out of ``state_dict``."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.walk import Place
from paramscope.rules.examples import document
from paramscope.rules.finding import WARNING, Finding
from paramscope.rules.reg11_state_not_saved import changing_states
from paramscope.rules.rule import Rule
from paramscope.rules.scope import lines_of

BAD = document(
    "self.register_buffer('mean', torch.zeros(4), persistent=False)",
    "if self.training:\n    self.mean = 0.9 * self.mean + 0.1 * x.mean(dim=0).detach()\n"
    "h = torch.tanh(self.inner(x - self.mean))",
)
GOOD = BAD.replace(", persistent=False", "")
TRAPS = (
    document(
        "self.register_buffer('mask', torch.ones(4), persistent=False)",
        "h = torch.tanh(self.inner(x)) * self.mask",
    ),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each such buffer."""
    for found in changing_states(evidence, Place.BUFFER_NOT_SAVED):
        yield RULE.finding(
            where=found.path,
            message=(
                f"`{found.path}` is changed by training and used in eval mode, but it was "
                "registered with persistent=False: state_dict() does not save it."
            ),
            cause="Leave out persistent=False.",
            line=lines_of([found], evidence),
        )


RULE = Rule(
    id="STA01",
    severity=WARNING,
    title="Changing buffer that is not saved",
    help=(
        "persistent=False is for tables and masks that can be made again. What training has "
        "changed is lost when the model is loaded."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
