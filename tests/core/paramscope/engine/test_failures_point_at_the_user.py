"""Tracebacks as the user sees them: their own lines, and one for an error in the backward pass."""

from paramscope.engine.session import Session

SOURCE = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(4, 1)

    def forward(self, x):
{forward}


def build():
    return Net()


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


def batch():
    return torch.ones(2, 4), torch.ones(2, 1)


def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()
"""


def fail(adapter, forward: str, steps: int = 1):
    """Run a document whose ``forward`` has these lines until it fails."""
    body = "\n".join(f"        {line}" for line in forward.splitlines())
    session = Session(adapter)
    assert session.load(SOURCE.format(forward=body), "<document>")
    while session.run_step():
        steps -= 1
        assert steps > 0
    return session


def test_error_in_the_backward_pass_shows_the_line_of_its_operation(adapter) -> None:
    failure = fail(adapter, "h = torch.tanh(self.out(x))\nh += 1.0\nreturn h").failure
    assert [frame.text.strip() for frame in failure.frames] == ["h = torch.tanh(self.out(x))"]
    assert failure.frames[0].function == "forward"
    assert "in forward\n    h = torch.tanh(self.out(x))" in failure.text


def test_error_in_a_step_that_nobody_watched_is_placed_as_well(adapter) -> None:
    forward = "global steps\nsteps += 1\nh = torch.tanh(self.out(x))\n"
    forward += "if steps > 40:\n    h += 1.0\nreturn h"
    session = Session(adapter, observed=False)
    body = "\n".join(f"        {line}" for line in forward.splitlines())
    assert session.load(SOURCE.format(forward=body) + "\n\nsteps = 0\n", "<document>")
    while session.run_step():
        assert session.step < 50
    assert session.step == 40
    assert session.failure.frames[-1].text.strip() == "h = torch.tanh(self.out(x))"
    assert [finding.rule for finding in session.failure.findings] == ["INP02"]


def test_traceback_leaves_out_the_frames_of_the_engine(adapter) -> None:
    failure = fail(adapter, "return self.out(x.reshape(3, 3))").failure
    files = {line.split('"')[1] for line in failure.text.splitlines() if '  File "' in line}
    assert files == {"<document>"}
    assert failure.text.startswith("Traceback (most recent call last)")


def test_findings_travel_with_the_failure_and_with_the_news(adapter) -> None:
    session = fail(adapter, "h = torch.tanh(self.out(x))\nh += 1.0\nreturn h")
    assert [finding.rule for finding in session.failure.findings] == ["INP02"]
    assert session.findings == session.failure.findings
    assert session.take_news().findings == session.findings


def test_error_that_no_rule_knows_has_no_finding(adapter) -> None:
    assert fail(adapter, "return self.out(x[:, :3])").findings == ()


def test_exception_whose_text_cannot_be_made_is_still_told(adapter) -> None:
    forward = "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\nraise Odd"
    failure = fail(adapter, forward).failure
    assert failure.kind == "Odd"
