"""Optimizers move tensors in flat blocks; whoever replaces or holds a part of one never notices."""

import numpy as np
import pytest

import gradcore

ELEMENTWISE = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "maximize": True}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    ("AdamW", {}),
    ("RMSprop", {"momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    ("RMSprop", {"maximize": True}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    ("Adadelta", {"weight_decay": 0.1}),
    ("Adamax", {"maximize": True}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"betas": (0.5, 0.6), "weight_decay": 0.1}),
    ("Rprop", {"maximize": True}),
    ("ASGD", {"t0": 2, "weight_decay": 0.1}),
]
SHAPES = [(40, 30), (30,), (1,), (7, 5, 3), (), (300, 300)]


def parameters(shapes=SHAPES, kind=np.float32):
    numbers = np.random.default_rng(0)
    return [
        gradcore.nn.Parameter(gradcore.tensor(numbers.standard_normal(s).astype(kind)))
        for s in shapes
    ]


def give_gradients(params, seed):
    numbers = np.random.default_rng(seed)
    for p in params:
        p.grad = gradcore.tensor(numbers.standard_normal(tuple(p.shape)).astype(np.float32))


def bits(tensors):
    return [t.detach().numpy().tobytes() for t in tensors]


@pytest.mark.parametrize(("name", "settings"), ELEMENTWISE)
def test_flat_blocks_move_to_the_same_bits_as_single_tensors(name, settings):
    together, apart = parameters(), parameters()
    kind = getattr(gradcore.optim, name)
    whole = kind(together, **settings)
    single = [kind([p], **settings) for p in apart]
    for seed in range(8):
        give_gradients(together, seed)
        give_gradients(apart, seed)
        whole.step()
        for one in single:
            one.step()
    assert bits(together) == bits(apart)


@pytest.mark.parametrize(("name", "settings"), ELEMENTWISE)
def test_gradients_that_stay_are_read_where_they_are(name, settings):
    kept, fresh = parameters(), parameters()
    optimizers = [getattr(gradcore.optim, name)(params, **settings) for params in (kept, fresh)]
    give_gradients(kept, 0)
    for seed in range(8):
        give_gradients(fresh, seed)
        for p, other in zip(kept, fresh, strict=True):
            p.grad.copy_(other.grad)
        for optimizer in optimizers:
            optimizer.step()
    assert bits(kept) == bits(fresh)


def test_gradients_that_are_added_up_in_place_are_stepped():
    kept, fresh = parameters([(3, 4), (4,)]), parameters([(3, 4), (4,)])
    x = gradcore.tensor(np.random.default_rng(1).standard_normal((5, 3)).astype(np.float32))
    first, second = (gradcore.optim.Adam(params) for params in (kept, fresh))
    for _ in range(6):
        for optimizer, params, to_none in ((first, kept, False), (second, fresh, True)):
            optimizer.zero_grad(set_to_none=to_none)
            (x @ params[0] + params[1]).tanh().sum().backward()
            optimizer.step()
    assert bits(kept) == bits(fresh)


def test_array_of_a_gradient_that_the_user_holds_stays_its_memory():
    params = parameters([(4, 4), (4,)])
    give_gradients(params, 0)
    held = params[0].grad.numpy()
    optimizer = gradcore.optim.SGD(params, lr=1.0)
    for _ in range(4):
        optimizer.step()
    held[...] = 5
    assert params[0].grad.tolist() == np.full((4, 4), 5.0).tolist()


def test_gradient_of_one_value_that_is_replaced_by_an_equal_one_is_followed():
    params = parameters([(1,), (1,)])
    optimizer = gradcore.optim.SGD(params, lr=1.0)
    for p in params:
        p.grad = gradcore.ones(1)
    for _ in range(3):
        optimizer.step()
    params[0].grad = gradcore.ones(1)
    before = params[0].item()
    params[0].grad.fill_(3.0)
    optimizer.step()
    assert params[0].item() == pytest.approx(before - 3.0)


def test_two_parameters_may_have_one_gradient():
    params = parameters([(3,), (3,)])
    before = [p.detach().clone() for p in params]
    params[0].grad = params[1].grad = gradcore.ones(3)
    optimizer = gradcore.optim.SGD(params, lr=1.0)
    for _ in range(3):
        optimizer.step()
    params[0].grad.fill_(0.0)
    optimizer.step()
    for p, was in zip(params, before, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), was.numpy() - 3, rtol=1e-6)


def test_count_of_steps_that_is_replaced_by_an_equal_one_goes_on():
    params = parameters([(3, 3), (3,)])
    optimizer = gradcore.optim.Adam(params)
    for seed in range(3):
        give_gradients(params, seed)
        optimizer.step()
    replaced = optimizer.state[params[0]]["step"] = optimizer.state[params[0]]["step"].clone()
    optimizer.step()
    assert replaced.item() == 4


def test_counts_that_differ_are_each_followed():
    params, alone = parameters([(3, 3), (3,)]), parameters([(3, 3), (3,)])
    optimizer = gradcore.optim.Adam(params)
    single = [gradcore.optim.Adam([p]) for p in alone]
    for seed in range(6):
        give_gradients(params, seed)
        give_gradients(alone, seed)
        if seed < 2:
            params[1].grad = alone[1].grad = None
        optimizer.step()
        for one in single:
            one.step()
    assert [optimizer.state[p]["step"].item() for p in params] == [6, 4]
    assert bits(params) == bits(alone)


def test_parameter_without_values_is_stepped():
    params = parameters([(0, 3), (2,)])
    optimizer = gradcore.optim.Adam(params)
    for seed in range(3):
        give_gradients(params, seed)
        optimizer.step()
    assert optimizer.state[params[0]]["exp_avg"].shape == (0, 3)
