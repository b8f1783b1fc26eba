"""One process with an engine for all tests of a file, as `paramscope check` starts it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paramscope.check.client import Checker
from paramscope.check.job import Job, Verdict
from paramscope.check.target import Source, harness_of, is_made_up, parse_target, read_target

NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.linear = nn.Linear(3, width)
        # what each output is worth
        self.scale = torch.ones(width, requires_grad=True)  # one for each

    def forward(self, x):
        return self.linear(x) * self.scale
"""

TRAINING = """

def build():
    return Net()


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.01)


def batch():
    x = torch.randn(16, 3)
    return x, 2 * x


def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()
"""

Run = Callable[..., Verdict]


@pytest.fixture
def net() -> str:
    """A class with a plain tensor that should be a Parameter."""
    return NET


@pytest.fixture
def training() -> str:
    """The functions that train it."""
    return TRAINING


@pytest.fixture
def good() -> str:
    """The whole document without its mistake."""
    wrong, right = "torch.ones(width, requires_grad=True)", "nn.Parameter(torch.ones(width))"
    return (NET + TRAINING).replace(wrong, right)


@pytest.fixture(scope="module")
def gradcore_checker() -> Iterator[Checker]:
    """A running process with gradcore loaded."""
    with Checker("gradcore") as checker:
        checker.start()
        yield checker


@pytest.fixture
def run(gradcore_checker: Checker, tmp_path: Path) -> Run:
    """Run a source as a file of its own and return the verdict."""

    def run_source(source: str, name: str = "", sample: str = "", timeout: float = 30.0) -> Verdict:
        path = tmp_path / "model.py"
        path.write_text(source, encoding="utf-8")
        target = parse_target(f"{path}:{name}" if name else str(path), sample)
        return gradcore_checker.run(make_job(read_target(target), gradcore_checker, timeout))

    return run_source


@pytest.fixture
def job_of() -> Callable[..., Job]:
    """Return what makes a job of a source that was read, as the command does."""
    return make_job


def make_job(source: Source, checker: Checker, timeout: float = 30.0) -> Job:
    """Return the job that the command makes of a target."""
    harness = harness_of(source.target, source.text)
    return Job(
        filename=source.filename,
        source=source.text,
        steps=5,
        timeout=timeout,
        trace_path=checker.trace_path,
        harness=harness,
        is_made_up=is_made_up(harness),
    )
