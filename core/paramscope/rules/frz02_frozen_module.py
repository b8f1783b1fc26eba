"""FRZ02: ``module.requires_grad = False`` sets an attribute of the Module, and freezes nothing."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule
from paramscope.rules.scope import line_of_module, parameters

BAD = document(build="model = Net()\nmodel.inner.requires_grad = False\nreturn model")
GOOD = BAD.replace("requires_grad = False", "requires_grad_(False)")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each Module that has the attribute, and Parameters that are trained all the same."""
    trained = parameters(evidence)
    for path, module in evidence.walk.modules.items():
        if object.__getattribute__(module, "__dict__").get("requires_grad") is not False:
            continue
        prefix = f"{path}." if path else ""
        if not any(item.path.startswith(prefix) for item in trained):
            continue
        where = path or "model"
        yield RULE.finding(
            where=where,
            message=(
                f"`{where}.requires_grad = False` has no effect: a Module has no such switch, and "
                "its Parameters go on training."
            ),
            cause="Call `.requires_grad_(False)`, which sets it for every Parameter inside.",
            line=evidence.source.attribute_lines.get("requires_grad")
            or line_of_module(path, evidence),
        )


RULE = Rule(
    id="FRZ02",
    severity=ERROR,
    title="requires_grad set on a Module",
    help=(
        "requires_grad belongs to tensors. On a Module it is an attribute like any other. "
        "requires_grad_(False), with an underscore, is the method that freezes all inside."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
)
