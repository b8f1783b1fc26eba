"""One edit tried on a copy: what both runs have shown, and why an edit is not offered."""

from collections.abc import Callable

import pytest

from paramscope.check.client import Checker
from paramscope.check.job import Job, Verdict
from paramscope.check.trial import STEPS, try_edit
from paramscope.rules.finding import Finding

SOURCE = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 8)
        self.scale = torch.ones(8, requires_grad=True)
        self.out = nn.Linear(8, 1)

    def forward(self, x):
        return self.out(torch.tanh(self.fc(x)) * self.scale)


def build():
    return Net()


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


def batch():
    x = torch.randn(16, 2)
    return x, x[:, :1]


def loss(model, x, y):
    return nn.functional.mse_loss(model(x), y)
"""
FINDING = Finding("REG01", "scale", "E", "It never learns.", line=9)
FORGOTTEN = "torch.ones(8, requires_grad=True)"
Run = Callable[[str], Verdict]


@pytest.fixture
def run(gradcore_checker: Checker) -> Run:
    """Runs a source for the steps of a trial, in a process of its own."""
    checker = gradcore_checker
    return lambda source: checker.run(Job("net.py", source, STEPS, 20.0, checker.trace_path))


def test_a_proved_edit_tells_what_moves_and_how_the_loss_fares(run: Run) -> None:
    trial = try_edit(FINDING, SOURCE, SOURCE.replace(FORGOTTEN, "nn.Parameter(torch.ones(8))"), run)
    assert trial.is_proved
    told = {fact.name: (fact.before, fact.after) for fact in trial.facts}
    assert told["REG01"] == ("found", "gone")
    assert told["scale"][0] == "FORGOTTEN TENSOR, rests"
    assert told["scale"][1].startswith("PARAMETER, moves by ")
    assert told["moving tensors"] == ("4", "5")
    assert [len(losses) for losses in trial.losses] == [STEPS, STEPS]


@pytest.mark.parametrize(
    ("edited", "words"),
    [
        (SOURCE.replace(FORGOTTEN, "torch.ones(1, 8, requires_grad=True)"), "still found"),
        (SOURCE.replace(FORGOTTEN, "nn.Parameter(torch.ones(7))"), "copy stops in line 13"),
        (SOURCE.replace(FORGOTTEN, "nn.Parameter(torch.ones(8)).double().float()"), "REG05"),
        (SOURCE.replace("def batch", "def other"), "cannot be trained"),
    ],
)
def test_a_refusal_says_why(run: Run, edited: str, words: str) -> None:
    trial = try_edit(FINDING, SOURCE, edited, run)
    assert not trial.is_proved
    assert words in trial.refusal


def test_a_finding_that_is_not_seen_cannot_be_compared(run: Run) -> None:
    absent = Finding("OPT09", "optimizer", "E", "Never cleared.")
    trial = try_edit(absent, SOURCE, SOURCE + "\n", run)
    assert trial.refusal == (
        f"A fresh run of {STEPS} steps does not show OPT09 at `optimizer`,"
        " so there is nothing to compare with."
    )


def test_a_source_that_stops_by_itself_is_named_first(run: Run) -> None:
    broken = SOURCE.replace("    x = torch.randn(16, 2)\n", "    raise ValueError('no data')\n")
    trial = try_edit(FINDING, broken, broken + "\n", run)
    assert trial.refusal == (
        "The source and the copy both stop: ValueError: no data. Mend that first."
    )
    late = Finding("GRA01", "out", "W", "Unused.")
    trial = try_edit(late, broken, broken + "\n", run)
    assert "The source itself stops before GRA01 can be seen: ValueError: no data" in trial.refusal
