"""A step may ask, before it moves anything, whether its loss is finite; so does its replay."""

from typing import Any

import numpy as np
import pytest

import gradcore as torch
from gradcore import nn
from gradcore.replay.finite import NotFiniteError, expect_finite


def step_and_model() -> tuple[Any, Any]:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        expect_finite(loss)
        loss.backward()
        optimizer.step()
        return loss

    return torch.compile(step), model


def test_finite_losses_are_replayed() -> None:
    step, _ = step_and_model()
    for _ in range(5):
        step(torch.ones(4, 3))
    assert step.replayed >= 2


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_nothing_moves_after_a_loss_that_is_not_finite(steps: int) -> None:
    step, model = step_and_model()
    for _ in range(steps):
        step(torch.ones(4, 3))
    before = model.weight.detach().numpy().copy()
    with pytest.raises(NotFiniteError) as caught:
        step(torch.full((4, 3), torch.inf))
    assert not np.isfinite(caught.value.value)
    assert np.array_equal(model.weight.detach().numpy(), before)
    assert torch.isfinite(step(torch.ones(4, 3)))
