"""STA02: ``load_state_dict(..., strict=False)`` that has loaded nothing."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.rules.examples import document
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(
    build="model = Net()\n"
    "saved = {'module.' + name: t for name, t in Net().state_dict().items()}\n"
    "model.load_state_dict(saved, strict=False)\nreturn model"
)
GOOD = BAD.replace("'module.' + name: t", "name: t")
TRAPS = (
    document(
        build="model = Net()\n"
        "saved = {n: t for n, t in Net().state_dict().items() if n.startswith('inner')}\n"
        "model.load_state_dict(saved, strict=False)\nreturn model"
    ),
    document(build="model = Net()\nmodel.load_state_dict({}, strict=False)\nreturn model"),
)


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report each load of a file of which the Module knew no name."""
    for load in evidence.build.loads:
        path = evidence.walk.module_paths.get(id(load.module))
        if load.strict or load.matched or not load.given or path is None:
            continue
        given, own = load.example
        where = path or "model"
        yield RULE.finding(
            where=where,
            message=(
                f"None of the {load.given} names in the file is known to `{where}`: nothing was "
                f"loaded, and strict=False hides it. The file has `{given}`, the model `{own}`."
            ),
            cause="Strip or add the prefix, such as `module.` or `model.`.",
            line=load.line,
        )


RULE = Rule(
    id="STA02",
    severity=ERROR,
    title="Nothing was loaded",
    help=(
        "strict=False accepts any file, even one whose names all have another prefix. The model "
        "then keeps its random values."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    traps=TRAPS,
)
