"""Every optimizer takes the same steps in each mode, clipped and scheduled ones too."""

from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore import nn, optim
from gradcore.nn import functional as F

# Those that are not listed are tried as they are.
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        {"lr": 0.1},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
        {"lr": 0.01, "maximize": True, "weight_decay": 0.1},
    ],
    "Adam": [
        {"lr": 0.01},
        {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1},
        {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-3, "maximize": True},
    ],
    "AdamW": [{"lr": 0.01}, {"lr": 0.01, "weight_decay": 0.2, "amsgrad": True}],
    "RMSprop": [
        {"lr": 0.01},
        {"lr": 0.01, "momentum": 0.9, "centered": True, "weight_decay": 0.1},
    ],
    "Adagrad": [{"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.1}],
    "Adadelta": [{"lr": 1.0, "weight_decay": 0.1}],
    "Adamax": [{"lr": 0.01}],
    "NAdam": [{"lr": 0.01}, {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}],
    "RAdam": [{"lr": 0.01, "betas": (0.5, 0.6)}],
    "ASGD": [{"lr": 0.05, "weight_decay": 0.1}, {"lr": 0.05, "t0": 2}],
    # Its step asks for the loss again, and branches on it: such a step runs as it is.
    "LBFGS": [{"lr": 0.1, "max_iter": 3}],
}


def optimizers() -> set[str]:
    """Return the names of all optimizers there are."""
    kinds = [getattr(optim, name) for name in optim.__all__]
    classes = {one for one in kinds if isinstance(one, type) and issubclass(one, optim.Optimizer)}
    return {one.__name__ for one in classes - {optim.Optimizer}}


CASES = [
    pytest.param(name, settings, id=f"{name}-{number}")
    for name in sorted(optimizers())
    for number, settings in enumerate(SETTINGS.get(name, [{"lr": 0.01}]))
]
STEPS = 20
# Each step multiplies what rounding did before it.
GROWTH = 50.0


def batches(count: int, kind: Any = np.float32, odd: int = 0) -> list[list[Any]]:
    """Return inputs and targets; the last ``odd`` batches hold an infinity."""
    numbers = np.random.default_rng(1)
    given = []
    for number in range(count):
        x, y = numbers.standard_normal((6, 3)), numbers.standard_normal((6, 2))
        if number >= count - odd:
            x[2, 1] = np.inf
        given.append([gradcore.from_numpy(x.astype(kind)), gradcore.from_numpy(y.astype(kind))])
    return given


def maker(name: str, settings: dict[str, Any], extra: str = "", kind: Any = gradcore.float32):
    """Return what makes a step of a small model with this optimizer."""

    def make():
        model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).to(kind)
        parameters: Any = list(model.parameters())
        if extra == "groups":
            parameters = [{"params": parameters[:2], "lr": 0.02}, {"params": parameters[2:]}]
        optimizer = getattr(optim, name)(parameters, **settings)
        schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)

        def closure():
            optimizer.zero_grad(set_to_none=extra != "zeros")
            loss = F.mse_loss(model(closure.x), closure.y)
            loss.backward()
            return loss

        def searching(x, y):
            closure.x, closure.y = x, y
            return optimizer.step(closure)

        def step(x, y):
            optimizer.zero_grad(set_to_none=extra != "zeros")
            loss = F.mse_loss(model(x), y)
            loss.backward()
            if extra == "clipped by norm":
                nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            if extra == "clipped by value":
                nn.utils.clip_grad_value_(model.parameters(), 0.05)
            optimizer.step()
            if extra == "scheduled":
                schedule.step()
            return loss.item() if extra == "item" else loss

        def look():
            state = [v for p in model.parameters() for v in optimizer.state[p].values()]
            return [*model.parameters(), *(p.grad for p in model.parameters()), *state]

        return searching if name == "LBFGS" else step, look

    return make


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_an_optimizer_steps_the_same_in_each_mode(name, settings, kind, mode, agree) -> None:
    make = maker(name, settings, kind=getattr(gradcore, kind))
    agree(make, batches(STEPS, getattr(np, kind), odd=2), mode, GROWTH)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop"])
@pytest.mark.parametrize(
    "extra", ["groups", "zeros", "clipped by norm", "clipped by value", "scheduled", "item"]
)
def test_what_stands_around_the_step_is_the_same_in_each_mode(name, extra, mode, agree) -> None:
    settings = {"lr": 0.01, "momentum": 0.9} if name == "SGD" else {"lr": 0.01}
    agree(maker(name, settings, extra), batches(STEPS), mode, GROWTH)
