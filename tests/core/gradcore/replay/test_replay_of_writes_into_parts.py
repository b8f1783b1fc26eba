"""Writes into parts of tensors, and into what kernels lay out, are part of a replayed step."""

from collections.abc import Callable
from typing import Any

import pytest

import gradcore as torch
from gradcore import nn
from gradcore.nn import functional as F

STEPS = 30


def column(h: Any, y: Any) -> Any:
    h[:, 0] = 0
    h[:, 2:4] += 1.0
    h[2] *= 2
    return h


def with_an_older_view(h: Any, y: Any) -> Any:
    row = h[0]
    h[1] = 2.0
    h[2:4, ::2] *= 3
    return h + row


def through_another_shape(h: Any, y: Any) -> Any:
    flat = h.view(-1)
    flat[3:7] = flat[10:14] * 2
    h.t()[0] = h.t()[1]
    return h


def into_zeros(h: Any, y: Any) -> Any:
    out = torch.zeros(8, 10)
    for i in range(8):
        out[i] = h[7 - i]
    out[:, :5] = torch.tanh(h[:, 5:])
    return out


def at_a_moving_place(h: Any, y: Any) -> Any:
    h[y[0]] = h[1].detach()
    return h


def by_a_method(h: Any, y: Any) -> Any:
    h[:, 1].zero_()
    h[:, 2].fill_(3.0)
    h.diagonal().mul_(2)
    h[0] = h.sum()
    return h


WORK = [
    column, with_an_older_view, through_another_shape, into_zeros, at_a_moving_place, by_a_method,
]  # fmt: skip


def parted(work: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    first, last = nn.Linear(6, 10), nn.Linear(10, 3)

    def loss(x: Any, y: Any) -> Any:
        return F.cross_entropy(last(work(first(x) * 1, y)), y)

    return with_optimizer(loss, [first, last])


def with_optimizer(loss: Callable[..., Any], modules: list[Any]) -> Callable[..., Any]:
    parameters = [p for module in modules for p in module.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.02)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        found = loss(x, y)
        found.backward()
        optimizer.step()
        return found.item(), parameters[0].detach().sum().item()

    return step


def in_place_after_convolutions() -> Callable[..., Any]:
    model = nn.Sequential(
        nn.Unflatten(1, (1, 2, 3)),
        nn.Conv2d(1, 4, 2, padding=1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(4, 4, 2),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.LazyLinear(3),
    )
    model(torch.zeros(1, 6))
    return with_optimizer(lambda x, y: F.cross_entropy(model(x), y), [model])


def a_queue() -> Callable[..., Any]:
    model, queue = nn.Linear(6, 3), torch.randn(32, 3)
    place = [0]

    def loss(x: Any, y: Any) -> Any:
        keys = model(x)
        found = F.cross_entropy(keys, y) + (keys @ queue.clone().t()).pow(2).mean() * 0.1
        queue[place[0] : place[0] + 8] = keys.detach()
        return found

    return with_optimizer(loss, [model])


def same_bits(make: Callable[[], Callable[..., Any]]) -> Any:
    seen = []
    for mode in ("eager", "replay"):
        torch.manual_seed(3)
        call = torch.compile(make(), mode=mode)
        data = [(torch.randn(8, 6), torch.randint(0, 3, (8,))) for _ in range(STEPS)]
        seen.append([call(*one) for one in data])
    assert seen[0] == seen[1]
    return call


@pytest.mark.parametrize("work", WORK)
def test_a_part_that_is_written_to_is_part_of_a_replay(work: Any) -> None:
    call = same_bits(lambda: parted(work))
    assert call.replayed >= 15, call.report


@pytest.mark.parametrize("make", [in_place_after_convolutions, a_queue])
def test_activations_in_place_and_queues_are_replayed(make: Any) -> None:
    call = same_bits(make)
    assert call.replayed >= 15, call.report


def test_a_view_from_before_a_write_is_not_taken_for_what_it_was() -> None:
    def stale(h: Any, y: Any) -> Any:
        row = h[1]
        h[1] = 2.0
        return h + row

    call = same_bits(lambda: parted(stale))
    assert "a view that was made before a write" in call.reason
