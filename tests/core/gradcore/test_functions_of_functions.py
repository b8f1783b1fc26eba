"""`torch.func`: gradients, Jacobians and batches of functions, as on PyTorch."""

import numpy as np
import pytest

import gradcore
from gradcore import func as own

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)


def model_of(library):
    library.manual_seed(0)
    return library.nn.Linear(3, 1)


def per_sample(t, f):
    model = model_of(t)
    values = dict(model.named_parameters())

    def loss(p, x, y):
        return ((f.functional_call(model, p, (x,)) - y) ** 2).sum()

    inputs = t.arange(12.0).reshape(4, 3), t.ones(4, 1)
    found = f.vmap(f.grad(loss), in_dims=(None, 0, 0))(values, *inputs)
    return [found["weight"], found["bias"]]


def ensemble(t, f):
    t.manual_seed(1)
    models = [t.nn.Linear(2, 1) for _ in range(3)]
    parameters, buffers = f.stack_module_state(models)

    def call(p, b, x):
        return f.functional_call(models[0], (p, b), (x,))

    return f.vmap(call, in_dims=(0, 0, None))(parameters, buffers, t.ones(5, 2))


PROGRAMS = {
    "grad": lambda t, f: f.grad(lambda x: (x**3).sum())(t.arange(3.0)),
    "grad of grad": lambda t, f: f.grad(f.grad(lambda x: x.sin()))(t.tensor(1.0)),
    "grad of two": lambda t, f: list(
        f.grad(lambda x, y: (x * y * y).sum(), argnums=(0, 1))(t.ones(2), t.arange(2.0))
    ),
    "grad and value": lambda t, f: list(f.grad_and_value(lambda x: x.exp().sum())(t.ones(2))),
    "aux": lambda t, f: list(f.grad(lambda x: (x.sum(), x * 2), has_aux=True)(t.ones(2))),
    "jacrev": lambda t, f: f.jacrev(lambda x: x**2)(t.arange(3.0)),
    "jacfwd": lambda t, f: f.jacfwd(lambda x: x[:2] * x[2])(t.arange(3.0)),
    "hessian": lambda t, f: f.hessian(lambda x: (x**3).prod())(t.arange(1.0, 4.0)),
    "vjp": lambda t, f: list(f.vjp(lambda x: x.sin(), t.arange(3.0))[1](t.ones(3))),
    "jvp": lambda t, f: list(f.jvp(lambda x: x.sin(), (t.arange(3.0),), (t.ones(3),))),
    "vmap": lambda t, f: f.vmap(t.dot)(t.ones(3, 4), t.arange(12.0).reshape(3, 4)),
    "vmap one side": lambda t, f: f.vmap(lambda a, b: a @ b, in_dims=(0, None))(
        t.ones(2, 3), t.eye(3)
    ),
    "vmap out": lambda t, f: f.vmap(lambda a: a * 2, in_dims=1, out_dims=1)(t.ones(2, 3)),
    "vmap nested": lambda t, f: f.vmap(f.vmap(lambda a: a.sum()))(t.ones(2, 3, 4)),
    "vmap of dict": lambda t, f: f.vmap(lambda d: d["a"] + 1)({"a": t.arange(3.0)}),
    "per sample gradients": per_sample,
    "ensemble": ensemble,
}


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_gives_what_it_gives_on_torch(name):
    ours = PROGRAMS[name](gradcore, own)
    theirs = PROGRAMS[name](torch, torch.func)
    pairs = zip(ours, theirs, strict=True) if isinstance(ours, list) else [(ours, theirs)]
    for a, b in pairs:
        assert tuple(a.shape) == tuple(b.shape)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_gradient_of_several_values_is_refused():
    with pytest.raises(RuntimeError, match="to return a scalar tensor, got tensor with 1 dims"):
        own.grad(lambda x: x * 2)(gradcore.ones(2))


def test_batches_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match=r"same size in the mapped dimension, got sizes \[2, 3\]"):
        own.vmap(gradcore.add)(gradcore.ones(2), gradcore.ones(3))


def test_a_call_without_state_leaves_the_model_as_it_was():
    model = gradcore.nn.Linear(2, 1)
    before = model.weight
    own.functional_call(model, {"weight": gradcore.zeros(1, 2)}, (gradcore.ones(1, 2),))
    assert model.weight is before
