"""A step that was run for a look leaves no trace: what follows is the same to the last bit."""

from typing import Any

import numpy as np
import pytest

import gradcore as torch
from gradcore import nn
from gradcore.replay.trial import taken_back

OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "AdamW amsgrad": lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5),
    "Adadelta": lambda p: torch.optim.Adadelta(p, lr=0.5),
}


def build(optimizer: str) -> tuple[Any, Any, Any]:
    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Dropout(0.2), nn.Linear(6, 1))
    chosen = OPTIMIZERS[optimizer](model.parameters())

    def step() -> Any:
        x = torch.randn(8, 3)
        chosen.zero_grad()
        loss = ((model(x) - x.sum(1, keepdim=True)) ** 2).mean()
        loss.backward()
        chosen.step()
        return loss

    return model, chosen, step


def arrays(model: Any, optimizer: Any) -> list[Any]:
    found = [t.detach().numpy().copy() for t in (*model.parameters(), *model.buffers())]
    found += [p.grad.numpy().copy() for p in model.parameters() if p.grad is not None]
    for entry in optimizer.state.values():
        found += [t.numpy().copy() for t in entry.values() if isinstance(t, torch.Tensor)]
    return found


@pytest.mark.parametrize("replayed", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_trial_between_steps_changes_nothing(optimizer: str, replayed: bool) -> None:
    runs = []
    for looks in (False, True):
        model, chosen, step = build(optimizer)
        run = torch.compile(step) if replayed else step
        losses = []
        for number in range(20):
            if looks and number > 5:
                with taken_back(step):
                    seen = step().item()
            losses.append(run().item())
            if looks and number > 5:
                assert seen == pytest.approx(losses[-1], rel=1e-5)
        runs.append((losses, arrays(model, chosen)))
    (losses, plain), (watched_losses, watched) = runs
    assert losses == watched_losses
    assert all(np.array_equal(a, b) for a, b in zip(plain, watched, strict=True))


def test_an_error_inside_takes_back_as_well() -> None:
    model, chosen, step = build("Adam")
    for _ in range(3):
        step()
    before = arrays(model, chosen)

    def fails() -> None:
        step()
        raise ValueError("as asked")

    with pytest.raises(ValueError, match="as asked"), taken_back(step):
        fails()
    assert all(np.array_equal(a, b) for a, b in zip(before, arrays(model, chosen), strict=True))


def test_gradients_stay_the_tensors_they_are() -> None:
    model, _, step = build("SGD")
    step()
    held = [p.grad for p in model.parameters()]
    values = [g.numpy().copy() for g in held]
    with taken_back(step):
        step()
    for p, g, value in zip(model.parameters(), held, values, strict=True):
        assert p.grad is g
        assert np.array_equal(g.numpy(), value)
