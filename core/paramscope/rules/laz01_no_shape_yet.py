"""LAZ01: a lazy layer is asked for values before its first batch has given it a shape."""

from collections.abc import Iterator

from paramscope.census.evidence import Evidence
from paramscope.census.failure import FailedFrame, Failure
from paramscope.census.walk import FoundTensor
from paramscope.rules.examples import document
from paramscope.rules.failing import failure_like, last_frame
from paramscope.rules.finding import ERROR, Finding
from paramscope.rules.rule import Rule

BAD = document(
    "self.wide = nn.LazyLinear(4)",
    "h = torch.tanh(self.wide(self.inner(x)))",
    build='model = Net()\nprint(sum(p.numel() for p in model.parameters()), "values")\n'
    "return model",
)
GOOD = BAD.replace("model = Net()\n", "model = Net()\n    model(torch.zeros(1, 4))\n")


def check(evidence: Evidence) -> Iterator[Finding]:
    """Report the lazy layer that was asked, or all there are."""
    failure = failure_like(
        evidence,
        "Attempted to use an uninitialized parameter",
        "of an uninitialized parameter or buffer",
        "while it is not initialized",
    )
    if failure is None:
        return
    frame = last_frame(failure)
    lazy = _lazy(failure, evidence)
    asked = next((f for f in lazy if frame is not None and _is_asked(f, failure)), None)
    layers = list(dict.fromkeys(found.owner_path or found.path for found in lazy))
    where = asked.path if asked is not None else layers[0] if len(layers) == 1 else "model"
    names = ", ".join(f"`{name}`" for name in layers[:6]) or "a lazy layer"
    yield RULE.finding(
        where=where,
        message=(
            f"{names} {'is' if len(layers) < 2 else 'are'} lazy: the shape is unknown until a "
            "first batch has gone through, and it is asked for here."
        ),
        cause="Run one batch first: `model(torch.zeros(...))` in build(), before this line.",
        line=frame.span.line if frame is not None else None,
    )


def _lazy(failure: Failure, evidence: Evidence) -> list[FoundTensor]:
    seen = set()
    found = []
    for root in failure.roots:
        for item in root.walk.tensors:
            if evidence.view.is_uninitialized(item.tensor) and id(item.tensor) not in seen:
                seen.add(id(item.tensor))
                found.append(item)
    return found


def _is_asked(found: FoundTensor, failure: Failure) -> bool:
    """Tell whether a call on the way to the error had the tensor, or its layer, in hand."""
    return any(_holds(frame, found) for frame in failure.frames[::-1])


def _holds(frame: FailedFrame, found: FoundTensor) -> bool:
    local = getattr(frame.names, "maps", [frame.names])[0]
    return any(value is found.tensor for value in local.values())


RULE = Rule(
    id="LAZ01",
    severity=ERROR,
    title="Lazy layer used before its first batch",
    help=(
        "A lazy layer learns its input size from the first batch. Until then its tensors have no "
        "shape and no values: run one batch before counting, initialising or copying them."
    ),
    check=check,
    bad=BAD,
    good=GOOD,
    explains_errors=True,
)
