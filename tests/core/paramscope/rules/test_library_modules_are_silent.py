"""Every Module class of the library, trained for some steps: hardly any verdict may be false."""

import ast
import warnings

import pytest

from gradcore.nn.catalog import Input, Sample, all_modules

DRAWS = {
    "signs": "torch.randn{shape}.sign()",
    "positive": "torch.rand{shape} + 0.3",
    "probability": "torch.rand{shape}",
    "distribution": "torch.randn{shape}.softmax(1)",
}
DOCUMENT = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.{call}
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, *given):
        return parts(self.layer(*given), self.gain)


def parts(made, gain):
    if isinstance(made, (tuple, list)):
        return [part for item in made for part in parts(item, gain)]
    is_number = isinstance(made, torch.Tensor) and made.is_floating_point()
    return [made * gain] if is_number else []


def build():
    return Net()


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=1e-3)


def batch():
    return ({inputs},), None


def loss(model, x, y):
    return sum(((part - 0.5) ** 2).mean() for part in model(*x))
"""


def drawn(given: Input) -> str:
    if given.kind == "integers":
        return f"torch.randint(0, {given.high}, {given.shape})"
    return DRAWS.get(given.kind, "torch.randn{shape}").format(shape=f"({given.shape},)")


def call_of(name: str, sample: Sample) -> str | None:
    """Write the sample's call; None if its arguments are no plain values."""
    written = [repr(item) for item in sample.args]
    written += [f"{key}={value!r}" for key, value in sample.kwargs.items()]
    try:
        for item in (*sample.args, *sample.kwargs.values()):
            ast.literal_eval(repr(item))
    except (ValueError, SyntaxError):
        return None
    return f"{name}({', '.join(written)})"


def documents() -> dict[str, str]:
    found = {}
    for name, entry in sorted(all_modules().items()):
        for sample in entry.samples[:1]:
            call = call_of(name, sample)
            if call is not None:
                inputs = ", ".join(map(drawn, sample.inputs))
                found[name] = DOCUMENT.format(call=call, inputs=inputs)
    return found


@pytest.mark.filterwarnings("ignore")  # the library's own, about these samples
def test_library_modules_get_hardly_any_false_verdict(judge) -> None:
    judged, false = [], {}
    for name, source in documents().items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            done = judge.session.load(source, "<document>") and not judge.session.note
            for _ in range(4):
                done = done and judge.session.run_step()
        if not done:
            continue  # this engine cannot train it, for which the library says why
        judge.session.look()
        judged.append(name)
        if judge.session.findings:
            false[name] = [(f.rule, f.where) for f in judge.session.findings]
    assert len(judged) >= 100
    assert len(false) * 20 < len(judged), false
