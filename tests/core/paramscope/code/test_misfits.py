"""Layers that do not fit are found in the source, with the edit that mends them."""

import pytest

from paramscope.code.misfits import misfits
from paramscope.code.parse import parse
from paramscope.document.document import Document

SOURCE = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.fc1 = nn.Linear(8, width)
        self.fc2 = nn.Linear({size}, 3)

    def forward(self, x):
        h = torch.relu(self.fc1(x))
        return self.fc2(h)


def build():
    return Net()


def batch():
    return {batch}
"""
KNOWN = "torch.randn(4, 8), torch.randn(4, 3)"


def source_of(size: str, batch: str = KNOWN) -> str:
    """The model with a size of its last layer and a batch."""
    return SOURCE.format(size=size, batch=batch)


def test_a_layer_that_does_not_fit_is_named_with_its_line_and_its_mend() -> None:
    source = source_of("12").replace("width=16", "width: int = 16").replace("8, width", "8, 16")
    (found,) = misfits(parse(source), source)
    assert found.node == "fc2"
    assert "12" in found.message and "16" in found.message
    assert found.span.line == 13
    assert found.repair is not None
    assert found.repair.label == "Set in_features=16"
    after = found.repair.apply(Document(source)).source
    assert after == source.replace("nn.Linear(12, 3)", "nn.Linear(16, 3)")
    assert misfits(parse(after), after) == ()


@pytest.mark.parametrize(
    ("size", "batch"),
    [("16", KNOWN), ("width", KNOWN), ("12", "load(), None"), ("12", "torch.randn(n, d), None")],
    ids=["it fits", "one size", "unknown data", "unknown sizes"],
)
def test_nothing_is_said_where_it_fits_or_is_not_known(size: str, batch: str) -> None:
    source = source_of(size, batch)
    assert misfits(parse(source), source) == ()


def test_a_wrong_input_is_found_at_the_first_layer_alone() -> None:
    source = source_of("12", "torch.randn(4, 5), torch.randn(4, 3)")
    assert [one.node for one in misfits(parse(source), source)] == ["fc1"]
