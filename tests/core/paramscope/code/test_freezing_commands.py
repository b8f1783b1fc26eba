"""Freeze and unfreeze: one line behind the one that makes it, and nothing else changes."""

import pytest

from paramscope.code.commands import Freeze, Unfreeze
from paramscope.code.commands.freeze import is_frozen
from paramscope.document.document import CommandRefused, Document

SOURCE = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 4), nn.ReLU())  # kept
        self.head = nn.Linear(
            4,
            2,
        )
        self.scale = nn.Parameter(torch.ones(2))
        self.shift = nn.Parameter(torch.zeros(2), requires_grad=False)
        self.register_buffer("mask", torch.ones(2))

    def forward(self, x):
        return self.head(self.encoder(x)) * self.scale + self.shift * self.mask
"""


@pytest.mark.parametrize(
    ("attribute", "line", "behind"),
    [
        ("encoder", "self.encoder.requires_grad_(False)", "nn.ReLU())  # kept\n"),
        ("encoder.0", "self.encoder[0].requires_grad_(False)", "nn.ReLU())  # kept\n"),
        ("head", "self.head.requires_grad_(False)", "            2,\n        )\n"),
        ("head.weight", "self.head.weight.requires_grad_(False)", "            2,\n        )\n"),
        ("scale", "self.scale.requires_grad_(False)", "nn.Parameter(torch.ones(2))\n"),
    ],
)
def test_freezing_writes_one_line_and_unfreezing_takes_it_away(
    attribute: str, line: str, behind: str
) -> None:
    frozen = Freeze("Net", attribute).apply(Document(SOURCE))
    assert frozen.source == SOURCE.replace(behind, f"{behind}        {line}\n")
    assert is_frozen(frozen.source, "Net", attribute)
    assert not is_frozen(SOURCE, "Net", attribute)
    assert Unfreeze("Net", attribute).apply(frozen).source == SOURCE


def test_a_parameter_that_was_made_frozen_is_unfrozen() -> None:
    assert is_frozen(SOURCE, "Net", "shift")
    after = Unfreeze("Net", "shift").apply(Document(SOURCE))
    assert after.source == SOURCE.replace(", requires_grad=False", "")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (Freeze("Net", "mask"), "no Parameter"),
        (Freeze("Net", "shift"), "frozen already"),
        (Freeze("Net", "absent"), "does not make `absent`"),
        (Unfreeze("Net", "head"), "Look for `requires_grad`"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(command: Freeze | Unfreeze, words: str) -> None:
    with pytest.raises(CommandRefused, match=words):
        command.apply(Document(SOURCE))


def test_a_source_that_is_no_python_is_not_frozen() -> None:
    assert not is_frozen("def (", "Net", "head")
