"""A relu before a max pool is done after it when replayed, with the same bits."""

import numpy as np
import pytest

import gradcore
from gradcore import nn
from gradcore.ops.elementwise import relu
from gradcore.ops.pooling import max_pool
from gradcore.replay.commuting import pool_first
from gradcore.replay.program import Call, Program, Returned, Value

F = nn.functional
RELU, POOL = relu.operation.kernel, max_pool.operation.kernel


def plain(x, conv):
    return F.max_pool2d(F.relu(conv(x)), 2).sum()


def overlapping(x, conv):
    return F.max_pool2d(F.relu(conv(x)), 3, stride=2, padding=1).square().sum()


def kept_for_later(x, conv):
    y = F.relu(conv(x))
    return F.max_pool2d(y, 2).sum() + y.sum()


def twice(x, conv):
    return F.max_pool2d(F.relu(F.max_pool2d(F.relu(conv(x)), 2) - 0.5), 2).square().sum()


@pytest.mark.parametrize("odd", [None, np.nan, np.inf, -0.0])
@pytest.mark.parametrize("form", [plain, overlapping, kept_for_later, twice])
def test_steps_give_the_bits_of_eager(form, odd):
    def maker():
        gradcore.manual_seed(0)
        conv = nn.Conv2d(2, 4, 3, padding=1)
        optimizer = gradcore.optim.SGD(conv.parameters(), lr=1e-3)

        def step(x):
            optimizer.zero_grad()
            loss = form(x, conv)
            loss.backward()
            optimizer.step()
            return loss

        return conv, step

    values = np.random.default_rng(0).standard_normal((3, 2, 8, 8)).astype(np.float32)
    inputs = [gradcore.tensor(values * (1 + 0.1 * i)) for i in range(6)]
    if odd is not None:
        inputs[-1][1, :, 2:6, 3] = odd
    eager, one = maker()
    replayed, other = maker()
    other = gradcore.compile(other, mode="replay")
    for x in inputs:
        first, second = one(x), other(x)
        assert first.detach().numpy().tobytes() == second.detach().numpy().tobytes()
    assert other.replayed
    for a, b in zip(eager.parameters(), replayed.parameters(), strict=True):
        assert a.detach().numpy().tobytes() == b.detach().numpy().tobytes()


def small_program(returned):
    x, y, best, chosen = map(Value, range(4))
    settings = ((2, 2), (2, 2), (0, 0), (1, 1), False)
    calls = [Call(RELU, (x,), y), Call(POOL, (y, *settings), (best, chosen))]
    return Program(calls, count=4, returned=Returned(Value(returned), None, 0))


def test_relu_gets_only_what_the_pool_has_chosen():
    program = small_program(returned=2)
    pool_first(program)
    assert [call.function for call in program.calls] == [POOL, RELU]
    assert program.calls[1].results == Value(2)


@pytest.mark.parametrize("returned", [1, 3])
def test_relu_whose_values_are_handed_out_stays_where_it_is(returned):
    program = small_program(returned)
    pool_first(program)
    assert [call.function for call in program.calls] == [RELU, POOL]
