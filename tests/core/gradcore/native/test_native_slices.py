"""Many native steps in one call do what single ones do, and stop where one must be called."""

import numpy as np
import pytest

import gradcore
from gradcore import nn
from gradcore.statistics import GRADIENT, NORM, SUM, UPDATE, VALUE

pytest.importorskip("numba")


def batches(one, count: int, first: int = 100) -> list:
    return [one.batch(first + i) for i in range(count)]


def test_many_steps_in_one_call_leave_what_single_ones_leave(pair, assert_close) -> None:
    native, eager = pair
    native.train()
    eager.train()
    losses = native.step.run(batches(native, 20))
    assert native.step.mode == "native"
    assert_close(losses, eager.train(20, first=100))
    assert_close(native.values(), eager.values())
    weights = [next(one.model.parameters()) for one in pair]
    assert_close([weights[0].grad.numpy()], [weights[1].grad.numpy()])
    assert weights[0]._version == weights[1]._version


def test_it_ends_before_a_step_that_cannot_be_done(trainer, assert_close) -> None:
    def build():
        # No bias before the norm: its gradient is nothing but rounding, which Adam makes a step of.
        return nn.Sequential(nn.Linear(5, 6, bias=False), nn.BatchNorm1d(6), nn.Linear(6, 3))

    native, eager = (trainer(mode, build) for mode in ("native", "eager"))
    native.train()
    eager.train()
    given = batches(native, 6)
    given[4][1][0] = 7
    assert len(native.step.run(given)) == 4
    eager.train(4, first=100)
    assert_close(native.values(), eager.values())


def test_batches_of_another_shape_are_left_to_single_steps(pair) -> None:
    native, _ = pair
    native.train()
    given = [native.batch(1), native.batch(2), native.batch(3, rows=4)]
    assert len(native.step.run(given)) == 2


def test_nothing_is_done_before_the_step_is_native(pair) -> None:
    native, eager = pair
    assert len(native.step.run(batches(native, 2))) == 0
    assert len(eager.step.run(batches(eager, 2))) == 0
    assert len(native.step.run([])) == 0


def test_statistics_are_those_of_what_the_optimizer_moved(pair) -> None:
    native, _ = pair
    native.train()
    native.step.statistics(True)
    before = [p.detach().numpy().copy() for p in native.model.parameters()]
    given = native.batch(70)
    native.step(*given)
    tensors, rows = native.step.table(*given)
    assert [id(t) for t in tensors] == [id(p) for p in native.model.parameters()]
    for t, row, old in zip(tensors, rows, before, strict=True):
        value, gradient = t.detach().numpy(), t.grad.numpy()
        np.testing.assert_allclose(row[GRADIENT + NORM], np.linalg.norm(gradient), rtol=1e-5)
        np.testing.assert_allclose(row[VALUE + SUM], value.sum(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(row[UPDATE], np.linalg.norm(value - old), rtol=1e-3)


def test_no_statistics_are_there_unless_they_were_asked_for(pair) -> None:
    native, _ = pair
    native.train()
    assert native.step.table(*native.batch(0))[0] == []


def test_draws_for_many_steps_keep_the_order_of_the_stream(assert_close) -> None:
    def training(mode: str):
        gradcore.manual_seed(0)
        data, classes = gradcore.randn(50, 5), gradcore.randint(0, 3, (50,))
        model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
        optimizer = gradcore.optim.SGD(model.parameters(), lr=0.05)

        def step():
            picked = gradcore.randint(0, 50, (6,))
            x = data[picked] + gradcore.randn(6, 5) * 0.1
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), classes[picked])
            loss.backward()
            optimizer.step()
            return loss

        gradcore.manual_seed(1)
        return gradcore.compile(step, mode=mode), model

    (native, model), (eager, _) = training("native"), training("eager")
    gradcore.manual_seed(1)
    found = [float(native().detach()) for _ in range(8)]
    found += [*native.run([()] * 20), float(native().detach())]
    assert native.mode == "native", native.report
    end = gradcore.get_rng_state()
    gradcore.manual_seed(1)
    assert_close(found, [float(eager().detach()) for _ in range(29)])
    np.testing.assert_array_equal(end.numpy(), gradcore.get_rng_state().numpy())
    assert model.training
