"""A native step leaves what the step itself leaves, whatever happens between two steps."""

import copy
from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore import nn

pytest.importorskip("numba")

MODELS = {
    "tanh and relu": lambda: nn.Sequential(
        nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3)
    ),
    "layer norm, gelu": lambda: nn.Sequential(
        nn.Linear(5, 12), nn.LayerNorm(12), nn.GELU(), nn.Linear(12, 3)
    ),
    "batch norm, silu": lambda: nn.Sequential(
        nn.Linear(5, 12, bias=False), nn.BatchNorm1d(12), nn.SiLU(), nn.Linear(12, 3)
    ),
    "dropout": lambda: nn.Sequential(nn.Linear(5, 12), nn.Dropout(0.3), nn.Linear(12, 3)),
    "sigmoid, softplus, elu": lambda: nn.Sequential(
        nn.Linear(5, 12), nn.Sigmoid(), nn.Linear(12, 6), nn.Softplus(), nn.Linear(6, 6), nn.ELU(),
        nn.Linear(6, 3),
    ),
    "double precision": lambda: _Double(),
}  # fmt: skip
OPTIMIZERS = {
    "sgd": lambda own: gradcore.optim.SGD(own, lr=0.05),
    "momentum": lambda own: gradcore.optim.SGD(own, lr=0.02, momentum=0.9, nesterov=True),
    "adamw": lambda own: gradcore.optim.AdamW(own, lr=0.01),
    "rmsprop": lambda own: gradcore.optim.RMSprop(own, lr=0.01),
    "adagrad": lambda own: gradcore.optim.Adagrad(own, lr=0.05),
}


class _Double(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double()

    def forward(self, x: Any) -> Any:
        return self.inner(x.double())


@pytest.mark.parametrize("name", MODELS)
def test_a_model_trains_natively_as_it_does_by_itself(name, trainer, assert_close) -> None:
    native, eager = (trainer(mode, MODELS[name]) for mode in ("native", "eager"))
    assert_close(native.train(), eager.train())
    assert native.step.mode == "native", native.step.report
    assert_close(native.values(), eager.values())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_steps_natively_as_it_does_by_itself(name, trainer, assert_close) -> None:
    native, eager = (trainer(mode, optimizer=OPTIMIZERS[name]) for mode in ("native", "eager"))
    assert_close(native.train(), eager.train())
    assert native.step.mode == "native", native.step.report
    assert_close(native.values(), eager.values())


def test_a_gradient_that_is_kept_is_never_written_again(pair) -> None:
    native, _ = pair
    native.train()
    weight = next(native.model.parameters())
    kept = [weight.grad, weight.grad.detach(), weight.grad.numpy()[:1]]
    before = [np.array(kept[0].numpy()), np.array(kept[1].numpy()), kept[2].copy()]
    native.train(3, first=50)
    assert native.step.mode == "native"
    for found, expected in zip(kept, before, strict=True):
        np.testing.assert_array_equal(np.asarray(found), expected)
    assert weight.grad is not kept[0]


def test_a_gradient_that_nobody_keeps_stays_where_it_is(pair) -> None:
    native, _ = pair
    native.train()
    weight = next(native.model.parameters())
    first = weight.grad.data_ptr()
    native.train(2)
    assert weight.grad.data_ptr() == first


def test_an_optimizer_loaded_between_steps_is_stepped_from_there(pair, assert_close) -> None:
    saved: list[Any] = []
    for one in pair:
        one.train()
        saved.append(copy.deepcopy(one.optimizer.state_dict()))
        one.train(4, first=30)
        one.optimizer.load_state_dict(saved[-1])
        one.train(6, first=60)
    assert_close(pair[0].values(), pair[1].values())


def test_a_learning_rate_set_between_steps_counts_from_the_next_on(pair, assert_close) -> None:
    for one in pair:
        one.train()
        one.optimizer.param_groups[0]["lr"] = 0.2
        one.train(4, first=30)
    assert pair[0].step.mode == "native"
    assert_close(pair[0].values(), pair[1].values())


def test_weights_loaded_between_steps_are_trained_on(pair, assert_close) -> None:
    for one in pair:
        state = copy.deepcopy(one.model.state_dict())
        one.train()
        one.model.load_state_dict(state)
        one.train(4, first=30)
    assert_close(pair[0].values(), pair[1].values())


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_pass_as_by_themselves(odd, pair) -> None:
    for one in pair:
        one.train()
        x, y = one.batch(40)
        x[2, 1] = odd
        one.step(x, y)
    assert pair[0].step.mode == "native"
    for a, b in zip(pair[0].values(), pair[1].values(), strict=True):
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6)


def test_a_class_out_of_range_raises_and_leaves_nothing_behind(pair) -> None:
    native, _ = pair
    native.train()
    before = native.values()
    x, y = native.batch(40)
    y[3] = 9
    with pytest.raises(IndexError, match="out of bounds"):
        native.step(x, y)
    for found, expected in zip(native.values(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_writes_are_counted_as_by_the_step_itself(pair) -> None:
    for one in pair:
        one.train()
    versions = [[p._version for p in one.model.parameters()] for one in pair]
    assert versions[0] == versions[1]


def test_a_batch_of_another_size_has_a_native_step_of_its_own(pair, assert_close) -> None:
    for one in pair:
        for i in range(16):
            one.step(*one.batch(i, rows=7 if i % 4 else 3))
    assert pair[0].step.mode == "native"
    assert_close(pair[0].values(), pair[1].values())


def test_gradient_that_is_mere_rounding_keeps_no_step_from_native_mode() -> None:
    # What a batch norm takes away is the bias in front of it: its true gradient is 0.
    gradcore.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(1152, 3),
    )
    optimizer = gradcore.optim.SGD(model.parameters(), lr=0.01)
    images, kinds = gradcore.randn(16, 1, 12, 12), gradcore.randint(0, 3, (16,))

    def step() -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), kinds)
        loss.backward()
        optimizer.step()
        return loss

    compiled = gradcore.compile(step, mode="native")
    for _ in range(6):
        compiled()
    assert compiled.mode == "native", compiled.report
