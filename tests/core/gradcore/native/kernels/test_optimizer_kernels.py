"""Native optimizers against their own steps in NumPy, and the statistics of what they move."""

import ctypes
from typing import Any

import numpy as np
import pytest

import gradcore as torch
from gradcore.native import machine
from gradcore.native.kernels.optimizers import OPTIMIZERS

CASES = [
    ("SGD", {}),
    ("SGD", {"weight_decay": 0.1, "maximize": True}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"weight_decay": 0.1, "betas": (0.8, 0.9), "eps": 1e-4}),
    ("Adam", {"amsgrad": True, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"amsgrad": True, "weight_decay": 0.3}),
    ("Adamax", {}),
    ("Adamax", {"weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {}),
    ("RAdam", {"weight_decay": 0.1, "betas": (0.9, 0.99)}),
    ("RMSprop", {}),
    ("RMSprop", {"centered": True, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("RMSprop", {"momentum": 0.5, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("Adadelta", {}),
    ("Adadelta", {"weight_decay": 0.1, "rho": 0.5}),
]
SIZES = (1, 7, 1024, 2500)
CALL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


def place(array: Any) -> int:
    return int(array.ctypes.data)


def native_step(name: str, optimizer: Any, statistics: Any = None) -> None:
    """Move the tensors of the first group by the kernel."""
    stepper, group = OPTIMIZERS[name], optimizer.param_groups[0]
    settings = np.array(stepper.settings(group))
    words = [len(group["params"]), place(settings), 0 if statistics is None else place(statistics)]
    for p in group["params"]:
        state = optimizer.state[p]
        words += [place(p._a), place(p.grad._a), place(state["step"]._a) if stepper.counts else 0]
        words += [place(state[key]._a) if key in state else 0 for key in stepper.state]
        words.append(p.numel())
    kind = group["params"][0]._a.dtype
    table, unused = np.array(words), np.zeros(1, kind)
    CALL(machine.address(stepper.kernel, kind))(place(table), place(unused))


def pair(name: str, options: Any, real: Any, numbers: Any, sizes: Any = SIZES) -> Any:
    """Return two equal optimizers that have done two steps, and a function that sets gradients."""
    made = []
    start = [numbers(size, real) for size in sizes]
    for _ in range(2):
        parameters = [torch.nn.Parameter(torch.tensor(values)) for values in start]
        made.append(getattr(torch.optim, name)(parameters, **options))

    def set_gradients(scale: float = 1.0) -> None:
        values = [numbers(size, real) * real(scale) for size in sizes]
        for optimizer in made:
            for p, g in zip(optimizer.param_groups[0]["params"], values, strict=True):
                p.grad = torch.tensor(g)

    for _ in range(2):
        set_gradients()
        for optimizer in made:
            optimizer.step()
    return made[0], made[1], set_gradients


@pytest.mark.parametrize(("name", "options"), CASES)
def test_steps_equal_the_optimizers_own(name: str, options: Any, real: Any, numbers: Any) -> None:
    eager, native, set_gradients = pair(name, options, real, numbers)
    near = 2e-5 if real is np.float32 else 1e-12
    for _ in range(6):
        set_gradients()
        eager.step()
        native_step(name, native)
        groups = eager.param_groups[0]["params"], native.param_groups[0]["params"]
        for expected, found in zip(*groups, strict=True):
            np.testing.assert_allclose(found._a, expected._a, rtol=near, atol=near)
            for key, value in eager.state[expected].items():
                ours = native.state[found][key]._a
                np.testing.assert_allclose(ours, value._a, rtol=near, atol=near, err_msg=key)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_nan_and_infinite_gradients_do_as_in_numpy(name: str, real: Any, numbers: Any) -> None:
    eager, native, set_gradients = pair(name, {}, real, numbers, (40,))
    set_gradients()
    for optimizer in (eager, native):
        optimizer.param_groups[0]["params"][0].grad._a[3:6] = np.nan, np.inf, -np.inf
    with np.errstate(all="ignore"):
        eager.step()
    native_step(name, native)
    expected, found = (one.param_groups[0]["params"][0]._a for one in (eager, native))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_statistics_are_those_of_gradient_value_and_step(
    name: str, real: Any, numbers: Any
) -> None:
    _, native, set_gradients = pair(name, {}, real, numbers)
    set_gradients()
    parameters = native.param_groups[0]["params"]
    parameters[2].grad._a[5:9] = 0
    before = [p._a.copy() for p in parameters]
    table = np.full((len(SIZES), 16), np.nan)
    native_step(name, native, table)
    for p, old, row in zip(parameters, before, table, strict=True):
        for x, found in ((p.grad._a, row[:6]), (p._a, row[6:12])):
            exact = x.astype(np.float64)
            norm, zeros = np.sqrt((exact**2).sum()), (x == 0).sum()
            expected = [exact.sum(), norm, exact.min(), exact.max(), zeros, 0]
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
        step = np.sqrt(((p._a - old).astype(np.float64) ** 2).sum())
        np.testing.assert_allclose(row[12], step, rtol=1e-3)


def test_statistics_of_tiny_and_huge_gradients_are_not_zero_or_infinite(numbers: Any) -> None:
    for scale in (1e-25, 1e25):
        _, native, set_gradients = pair("SGD", {}, np.float32, numbers, (50,))
        set_gradients(scale)
        table = np.zeros((1, 16))
        native_step("SGD", native, table)
        gradient = native.param_groups[0]["params"][0].grad._a.astype(np.float64)
        np.testing.assert_allclose(table[0, 1], np.linalg.norm(gradient), rtol=1e-5)


def test_statistics_count_what_is_not_finite(numbers: Any, real: Any) -> None:
    _, native, set_gradients = pair("SGD", {}, real, numbers, (50,))
    set_gradients()
    native.param_groups[0]["params"][0].grad._a[[1, 7, 30]] = np.nan, np.inf, -np.inf
    table = np.zeros((1, 16))
    native_step("SGD", native, table)
    assert table[0, 5] == 3
    assert table[0, 11] == 3


def test_there_are_kernels_only_of_optimizers_that_there_are() -> None:
    for name in OPTIMIZERS:
        assert issubclass(getattr(torch.optim, name), torch.optim.Optimizer)
