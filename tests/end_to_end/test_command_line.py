"""The command line: training without a window, and clear words where it cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

GAIN = """\
import torch
from torch import nn


class Gain(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.scale = torch.ones(3, requires_grad=True)

    def forward(self, x):
        return self.linear(x) * self.scale


def build():
    return Gain()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)


def batch():
    x = torch.randn(8, 3)
    return x, 4 * x


def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()
"""


def paramscope(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m paramscope`` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "paramscope", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "gain.py"
    path.write_text(GAIN)
    return path


@pytest.mark.parametrize("engine", ["gradcore", pytest.param("torch", marks=pytest.mark.torch)])
def test_train_prints_losses_census_and_findings(document: Path, engine: str) -> None:
    done = paramscope("train", str(document), "--steps", "20", "--engine", engine)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{engine} ")
    assert lines[0].endswith(", Adam, 1 group")
    assert lines[1].startswith("step      2  loss ")
    assert lines[10].startswith("step     20  loss ")
    table = {line.split()[0]: line for line in lines[12:16]}
    assert "PARAMETER" in table["linear.weight"]
    assert "IN OPTIMIZER" in table["linear.weight"]
    assert "FORGOTTEN TENSOR" in table["scale"]
    assert "REG01 line 9: `scale` is a plain tensor of 3 values" in done.stdout
    assert "  - Register as Parameter" in lines


@pytest.mark.torch
def test_both_engines_print_the_same_losses(document: Path) -> None:
    losses = [
        [
            float(line.split()[3])
            for line in paramscope("train", str(document), "--engine", engine).stdout.splitlines()
            if line.startswith("step")
        ]
        for engine in ("gradcore", "torch")
    ]
    assert len(losses[0]) == 10
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_document_is_left_as_it_was(document: Path) -> None:
    paramscope("train", str(document), "--steps", "1")
    assert document.read_text() == GAIN


def test_missing_file_is_a_message(tmp_path: Path) -> None:
    done = paramscope("train", str(tmp_path / "none.py"))
    assert done.returncode == 1
    assert "none.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_exception_shows_the_users_frames_only(document: Path) -> None:
    document.write_text(GAIN.replace("* self.scale", "* self.scal"))
    done = paramscope("train", str(document))
    assert done.returncode == 1
    assert "line 12, in forward" in done.stderr
    assert "session.py" not in done.stderr


def test_script_without_build_is_listed_and_told_what_is_missing(document: Path) -> None:
    document.write_text(GAIN[: GAIN.index("def build")] + "model = Gain()\n")
    done = paramscope("train", str(document))
    assert done.returncode == 1
    assert "This file defines the class Gain, but no build()." in done.stderr
    assert "model.scale" in done.stdout
