"""Replayed steps use their memory again, but never what somebody else still holds."""

import itertools
import random
from typing import Any

import numpy as np
import pytest

import gradcore as torch
from gradcore import nn
from gradcore.nn import functional as F
from gradcore.replay.memory import Arena, aligned


def make_step() -> tuple[Any, Any]:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, torch.compile(step, mode="replay")


def batch(seed: int) -> tuple[Any, Any]:
    numbers = np.random.default_rng(seed)
    x = torch.from_numpy(numbers.standard_normal((5, 4), np.float32))
    return x, torch.from_numpy(numbers.integers(0, 3, 5))


def test_parts_of_an_arena_that_are_taken_never_meet() -> None:
    numbers = random.Random(4)
    arena, held = Arena(), []
    for _ in range(2000):
        if held and numbers.random() < 0.5:
            arena.give(*held.pop(numbers.randrange(len(held))))
        else:
            size = numbers.randrange(1, 5000)
            held.append((arena.take(size), size))
        spans = sorted((start, start + aligned(size)) for start, size in held)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
        assert not spans or spans[-1][1] <= arena.size


def test_an_arena_that_is_given_back_is_used_again() -> None:
    arena = Arena()
    for _ in range(100):
        parts = [(arena.take(size), size) for size in (100, 2000, 300)]
        for part in parts:
            arena.give(*part)
    assert arena.size == sum(map(aligned, (100, 2000, 300)))


@pytest.mark.parametrize(
    "hold",
    [
        lambda p: p.grad,
        lambda p: p.grad.numpy(),
        lambda p: p.grad[1:],
        lambda p: p.grad.view(-1),
        lambda p: p.grad.detach(),
    ],
    ids=["the tensor", "its array", "a part", "a view", "without history"],
)
def test_what_is_held_of_a_gradient_keeps_its_values(hold: Any) -> None:
    model, step = make_step()
    for seed in range(4):
        step(*batch(seed))
    held = [hold(p) for p in model.parameters() if p.ndim > 1]
    values = [np.array(item) for item in held]
    for p in model.parameters():
        p.grad = None
    for seed in range(5):
        step(*batch(seed))
    assert step.replayed >= 6, step.report
    assert all(np.array_equal(np.array(a), b) for a, b in zip(held, values, strict=True))


def test_gradients_that_nobody_holds_stay_where_they_are() -> None:
    model, step = make_step()
    places = set()
    for seed in range(8):
        step(*batch(seed))
        if step.replayed:
            places.add(model[0].weight.grad.data_ptr())
    assert len(places) == 1


def test_a_step_that_fails_leaves_the_gradients_of_the_last_one() -> None:
    model, step = make_step()
    for seed in range(5):
        step(*batch(seed))
    assert step.replayed >= 2

    x, y = batch(7)
    y[0] = 9
    with pytest.raises(IndexError):
        step(x, y)
    # The step itself took them away before it failed.
    assert all(p.grad is None for p in model.parameters())
    step(*batch(8))
    assert all(torch.isfinite(p.grad).all().item() for p in model.parameters())


def test_a_gradient_changed_between_steps_does_not_come_back() -> None:
    model, step = make_step()
    twin, plain = make_step()
    for seed in range(10):
        for one, function in ((model, step), (twin, plain._function)):
            function(*batch(seed))
            for p in one.parameters():
                p.grad.mul_(3.0)
                p.grad.requires_grad_(False)
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        assert np.array_equal(a.detach().numpy(), b.detach().numpy())
        assert np.array_equal(a.grad.numpy(), b.grad.numpy())


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, -0.0])
def test_odd_values_pass_a_replayed_step_as_they_pass_the_step_itself(odd: float) -> None:
    def make() -> tuple[Any, Any]:
        weight = torch.ones(300).requires_grad_()

        def step(x: Any) -> Any:
            weight.grad = None
            h = F.relu(weight * x) + torch.where(x > 1, weight, x) + F.leaky_relu(weight - x)
            loss = (h.clamp(min=-3.0) * x.mean()).sum()
            loss.backward()
            return loss

        return weight, step

    weight, step = make()
    twin, plain = make()
    compiled = torch.compile(step, mode="replay")
    numbers = np.random.default_rng(1)
    for number in range(6):
        values = numbers.standard_normal(300, np.float32)
        if number > 3:
            values[7] = odd
        x = torch.from_numpy(values)
        expected, found = plain(x).detach().numpy(), compiled(x).detach().numpy()
        assert np.array_equal(expected, found, equal_nan=True)
        assert weight.grad.numpy().tobytes() == twin.grad.numpy().tobytes()
    assert compiled.replayed >= 3, compiled.report


def test_values_that_stand_in_one_block_are_still_tensors_of_their_own() -> None:
    model, step = make_step()
    for seed in range(4):
        step(*batch(seed))
    pointers = {p.untyped_storage().data_ptr() for p in model.parameters()}
    assert len(pointers) == len(list(model.parameters()))
    assert all(
        p.untyped_storage().nbytes() == p.numel() * p.element_size() for p in model.parameters()
    )
    copied = {key: value.clone() for key, value in model.state_dict().items()}
    model.load_state_dict(copied)
    step(*batch(9))
    assert step.mode == "replay", step.report


def test_memory_of_a_parameter_that_somebody_else_sees_is_not_moved() -> None:
    array = np.ones((3, 4), np.float32)
    weight = torch.from_numpy(array).requires_grad_()
    optimizer = torch.optim.SGD([weight], lr=0.5)
    weight.sum().backward()
    optimizer.step()
    assert (array == 0.5).all()
