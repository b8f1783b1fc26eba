"""Kernels take other ways with long arrays than with the tables' small samples: the same values."""

import numpy as np
import pytest

import gradcore
import gradcore.nn.functional as own
from gradcore.ops.choosing import at_least, at_most, choose, kept

torch = pytest.importorskip("torch")
theirs = torch.nn.functional

ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0, 3.0, -3.0, 0.5, -0.5]


def long_array(kind="float32", shape=(48, 1024)):
    values = np.random.default_rng(0).normal(size=shape).astype(kind)
    values.reshape(-1)[: len(ODD)] = ODD
    return values * 4


@pytest.mark.parametrize("kind", ["float32", "float64", "float16", "int64"])
@pytest.mark.parametrize(
    "shapes", [((48, 64),) * 3, ((64,), (48, 64), (48, 1)), ((48, 64), (), ())]
)
def test_choosing_by_bits_is_np_where(kind, shapes):
    numbers = np.random.default_rng(1)
    mask = numbers.random(shapes[0]) < 0.5
    one, other = ((numbers.normal(size=shape) * 9).astype(kind) for shape in shapes[1:])
    for first, second in ((one, other), (one, 0), (3, other), (other, one)):
        if np.ndim(first) or np.ndim(second):
            expected = np.where(mask, first, second)
            found = choose(mask, first, second)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


def test_what_is_not_kept_is_zero_even_if_it_is_nan():
    values = np.full(5000, np.nan, np.float32)
    mask = np.arange(5000) % 3 == 0
    found = kept(mask, values)
    assert np.isnan(found[mask]).all()
    assert (found[~mask] == 0).all()


@pytest.mark.parametrize("size", [16384, 16411, 40000])
def test_limits_of_long_arrays_are_numpys(size):
    values = np.resize(long_array(), size)
    np.testing.assert_array_equal(at_least(values, 0.5), np.maximum(values, 0.5))
    np.testing.assert_array_equal(at_most(values, 0.5), np.minimum(values, 0.5))


ACTIVATIONS = {
    "leaky_relu": {}, "elu": {"alpha": 0.7}, "selu": {}, "celu": {"alpha": 0.7}, "silu": {},
    "softplus": {"beta": 2.0, "threshold": 3.0}, "mish": {}, "logsigmoid": {}, "hardswish": {},
    "threshold": {"threshold": 0.2, "value": -1.0}, "softshrink": {}, "hardshrink": {},
    "relu": {}, "relu6": {}, "hardsigmoid": {},
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_of_a_long_array_is_torchs(name):
    results = []
    for library, functions in ((torch, theirs), (gradcore, own)):
        x = library.from_numpy(long_array()).requires_grad_()
        y = getattr(functions, name)(x, **ACTIVATIONS[name])
        y.backward(library.from_numpy(long_array()[::-1].copy()))
        finite = np.isfinite(x.detach().numpy())
        results.append((y.detach().numpy()[finite], x.grad.numpy()[finite]))
    for found, expected in zip(results[1], results[0], strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


def with_ties(shape=(6, 300)):
    return np.random.default_rng(2).integers(-40, 40, shape).astype("float32") / 8


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("kind", ["distinct", "ties", "nan"])
def test_equal_values_keep_their_order_in_long_rows(dim, largest, kind):
    a = long_array(shape=(300, 300)) if kind == "distinct" else with_ties((300, 300))
    a[np.isnan(a)] = 1e5
    if kind == "nan":
        a[::7, ::5] = np.nan
    # torch's stable sort puts nan first where the largest come first.
    expected = torch.sort(torch.from_numpy(a), dim=dim, descending=largest, stable=True)
    values, indices = gradcore.sort(gradcore.from_numpy(a), dim, largest)
    np.testing.assert_array_equal(indices.numpy(), expected[1].numpy())
    np.testing.assert_array_equal(values.numpy(), expected[0].numpy())
    for k in (1, 5, 200):
        values, indices = gradcore.from_numpy(a).topk(k, dim, largest)
        cut = (slice(None),) * dim + (slice(0, k),)
        np.testing.assert_array_equal(indices.numpy(), expected[1].numpy()[cut])
        np.testing.assert_array_equal(values.numpy(), expected[0].numpy()[cut])


@pytest.mark.parametrize("kind", ["int64", "int32", "uint8"])
def test_distinct_whole_numbers_that_lie_close_are_counted(kind):
    a = np.random.default_rng(3).integers(3, 90, (30, 40)).astype(kind)
    expected = torch.unique(torch.from_numpy(a), return_inverse=True, return_counts=True)
    found = gradcore.unique(gradcore.from_numpy(a), return_inverse=True, return_counts=True)
    for one, other in zip(found, expected, strict=True):
        assert str(one.dtype) == str(other.dtype)
        np.testing.assert_array_equal(one.numpy(), other.numpy())


PLACES = np.random.default_rng(4).integers(-7, 7, (40, 5))


@pytest.mark.parametrize(
    ("shape", "index"),
    [
        ((7, 30), (PLACES[:, 0],)),
        ((7, 2), (PLACES,)),
        ((7,), (PLACES,)),
        ((7, 7), (PLACES[:, 0], PLACES[:, 1])),
        ((7, 7, 6), (PLACES, PLACES[:, ::-1])),
        ((3, 7), (slice(None), PLACES)),
        ((3, 7, 4), (slice(None), PLACES[:, 2])),
        ((2, 7, 7), (slice(None), PLACES[:, 0], PLACES[:, :1])),
        ((7, 3, 7), (PLACES[:, 0], slice(None), PLACES[:, 1])),
        ((40, 5), (PLACES > 2,)),
    ],
)
def test_gradients_of_picked_places_add_up_where_places_repeat(shape, index):
    results = []
    for library in (torch, gradcore):
        x = library.from_numpy(np.random.default_rng(5).normal(size=shape)).requires_grad_()
        key = tuple(
            library.from_numpy(part.copy()) if isinstance(part, np.ndarray) else part
            for part in index
        )
        y = x[key]
        y.backward(library.from_numpy(np.random.default_rng(6).normal(size=tuple(y.shape))))
        results.append((y.detach().numpy(), x.grad.numpy()))
    for found, expected in zip(results[1], results[0], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(3000, 100), (200, 2000), (2, 40000)])
def test_rows_normalised_and_softmaxed_block_by_block_are_torchs(shape):
    results = []
    for library, functions in ((torch, theirs), (gradcore, own)):
        numbers = np.random.default_rng(7)
        x, weight, bias, g = (
            library.from_numpy(numbers.normal(size=size).astype("float32")).requires_grad_()
            for size in (shape, shape[1:], shape[1:], shape)
        )
        y = functions.layer_norm(x, shape[1:], weight, bias)
        p = functions.softmax(x, -1)
        (y * g.detach() + p * g.detach()).sum().backward()
        results.append([t.detach().numpy() for t in (y, p, x.grad, weight.grad, bias.grad)])
    for found, expected in zip(results[1], results[0], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", ["remainder", "fmod", "floor_divide"])
@pytest.mark.parametrize("huge", [False, True])
def test_what_divisions_leave_is_exact_in_long_arrays(name, huge):
    numbers = np.random.default_rng(8)
    x = (numbers.normal(size=4000) * (1e12 if huge else 50)).astype("float32")
    y = (numbers.choice([-1, 1], 4000) * numbers.uniform(0.1, 9, 4000)).astype("float32")
    x[:500] = np.round(x[:500]) * y[:500]
    for other in (y, 3.0, -0.7):
        theirs_ = other if isinstance(other, float) else torch.from_numpy(other)
        ours = other if isinstance(other, float) else gradcore.from_numpy(other)
        expected = getattr(torch, name)(torch.from_numpy(x), theirs_).numpy()
        found = getattr(gradcore, name)(gradcore.from_numpy(x), ours).numpy()
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["remainder", "fmod", "floor_divide"])
def test_divisions_of_long_arrays_with_nan_and_infinity_are_torchs(name):
    x, y = long_array(), long_array()[::-1].copy()
    y[y == 0] = 1
    y.reshape(-1)[:9], x.reshape(-1)[-9:] = 2.0, 5.0
    y.reshape(-1)[20:23] = [np.nan, np.inf, -np.inf]
    expected = getattr(torch, name)(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    found = getattr(gradcore, name)(gradcore.from_numpy(x), gradcore.from_numpy(y)).numpy()
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    usual = np.isfinite(expected)
    np.testing.assert_array_equal(found[usual], expected[usual])


def both(function, *shapes, low=None):
    """Return value and gradients of a function on both libraries."""
    results = []
    for library in (torch, gradcore):
        numbers = np.random.default_rng(9)
        inputs = []
        for shape in shapes:
            a = numbers.normal(size=shape) if low is None else numbers.uniform(low, 1.2, shape)
            inputs.append(library.from_numpy(a.astype("float32")).requires_grad_())
        y = function(library, *inputs)
        y.backward(library.from_numpy(numbers.normal(size=tuple(y.shape)).astype("float32")))
        results.append([y.detach().numpy(), *(x.grad.numpy() for x in inputs)])
    return results


FUNCTIONS = {
    "erf": lambda t, x: t.erf(x),
    "cumsum": lambda t, x: x.cumsum(0),
    "cumsum behind": lambda t, x: x.cumsum(1),
    "repeat": lambda t, x: x.repeat_interleave(3, 0),
    "repeat last": lambda t, x: x.repeat_interleave(3, -1),
    "pow 3": lambda t, x: x**3,
    "pow -2": lambda t, x: (x.abs() + 0.5) ** -2,
    "clamp": lambda t, x: x.clamp(-0.5, 0.7),
    "huber": lambda t, x: t.nn.functional.huber_loss(x, t.ones(80, 90), "none", 0.6),
    "smooth_l1": lambda t, x: t.nn.functional.smooth_l1_loss(
        x, t.ones(80, 90), reduction="none", beta=0.6
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_of_a_long_array_is_torchs(name):
    expected, found = both(FUNCTIONS[name], (80, 90))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("zeros", [0, 1, 2])
@pytest.mark.parametrize("name", ["prod", "prod along", "cumprod"])
def test_gradients_of_products_are_exact_with_and_without_zeros(name, zeros):
    ways = {
        "prod": lambda x: x.prod(),
        "prod along": lambda x: x.prod(1),
        "cumprod": lambda x: x.cumprod(1),
    }

    def function(library, x):
        mask = library.ones(4, 6)
        mask[1, 2] = 0.0 if zeros else 1.0
        mask[1, 4] = 0.0 if zeros > 1 else 1.0
        return ways[name](x * mask)

    expected, found = both(function, (4, 6), low=0.5)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)


def test_distances_through_products_are_torchs_also_of_equal_rows():
    expected, found = both(lambda t, x, y: t.cdist(x, t.cat([y, x[:3].detach()])), (40, 5), (30, 5))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-3)


IMAGES = {
    "tiles": ((2, 3, 16, 12), lambda f, x: f.avg_pool2d(x, (2, 4))),
    "tiles in a row": ((2, 3, 24), lambda f, x: f.avg_pool1d(x, 6)),
    "tiles in space": ((2, 3, 4, 6, 8), lambda f, x: f.avg_pool3d(x, (2, 3, 4))),
    "tiles by another divisor": (
        (2, 3, 8, 8),
        lambda f, x: f.avg_pool2d(x, 4, divisor_override=5),
    ),
    "adaptive tiles": ((2, 3, 12, 12), lambda f, x: f.adaptive_avg_pool2d(x, 3)),
    "reflect": ((2, 3, 9, 8), lambda f, x: f.pad(x, (3, 1, 0, 2), mode="reflect")),
    "replicate": ((2, 3, 9, 8), lambda f, x: f.pad(x, (3, 1, 0, 2), mode="replicate")),
    "circular": ((2, 3, 9, 8), lambda f, x: f.pad(x, (3, 8, 0, 2), mode="circular")),
    "reflect and cut": ((2, 3, 9, 8), lambda f, x: f.pad(x, (-2, 1, 3, -1), mode="reflect")),
    "nearest": ((2, 3, 8, 8), lambda f, x: f.interpolate(x, scale_factor=3)),
    "nearest uneven": ((2, 3, 8, 8), lambda f, x: f.interpolate(x, size=(13, 5))),
    "unfold": ((2, 3, 9, 8), lambda f, x: f.unfold(x, 3, padding=1, stride=2)),
}


@pytest.mark.parametrize("name", IMAGES)
def test_function_of_images_is_torchs(name):
    shape, function = IMAGES[name]
    expected, found = both(lambda library, x: function(library.nn.functional, x), shape)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("turned", [True, False])
def test_convolution_from_or_to_a_single_place_is_torchs(bias, turned):
    shapes = [(5, 6, 1, 1), (6, 4, 4, 4)] if turned else [(5, 6, 4, 4), (4, 6, 4, 4)]

    def function(library, x, weight, *more):
        f = library.nn.functional
        return (f.conv_transpose2d if turned else f.conv2d)(x, weight, *more)

    expected, found = both(function, *shapes, *([(4,)] if bias else []))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_of_small_images_is_torchs(stride):
    expected, found = both(
        lambda t, x, w: t.nn.functional.conv2d(x, w, padding=1, stride=stride),
        (7, 6, 5, 4),
        (8, 6, 3, 3),
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)


NORMS = {
    "batch_norm": ((40, 30), lambda f, x, w, b: f.batch_norm(x, None, None, w, b, True)),
    "batch_norm alone": (
        (40, 30),
        lambda f, x, w, b: f.batch_norm(x, None, None, None, None, True),
    ),
    "batch_norm by statistics": (
        (4, 30, 5, 6),
        lambda f, x, w, b: f.batch_norm(x, w.detach(), b.detach().abs() + 1, w, b),
    ),
    "batch_norm by statistics, large": (
        (20, 30, 9, 8),
        lambda f, x, w, b: f.batch_norm(x, w.detach(), b.detach().abs() + 1, w, b),
    ),
    "group_norm": ((4, 30, 9, 8), lambda f, x, w, b: f.group_norm(x, 5, w, b)),
    "group_norm, large": ((20, 30, 9, 8), lambda f, x, w, b: f.group_norm(x, 5, w, b)),
    "group_norm of a turned tensor": (
        (9, 30, 20, 8),
        lambda f, x, w, b: f.group_norm(x.transpose(0, 2), 5, w, b).transpose(0, 2),
    ),
    "instance_norm": ((4, 30, 70), lambda f, x, w, b: f.instance_norm(x, weight=w, bias=b)),
}


@pytest.mark.parametrize("name", NORMS)
def test_norm_of_columns_groups_and_channels_is_torchs(name):
    shape, function = NORMS[name]
    results = []
    for library, functions in ((torch, theirs), (gradcore, own)):
        numbers = np.random.default_rng(7)
        x, weight, bias, g = (
            library.from_numpy(numbers.normal(size=size).astype("float32")).requires_grad_()
            for size in (shape, 30, 30, shape)
        )
        y = function(functions, x, weight, bias)
        (y * g.detach()).sum().backward()
        gradients = [p.grad for p in (x, weight, bias) if p.grad is not None]
        results.append([t.detach().numpy() for t in (y, *gradients)])
    for found, expected in zip(results[1], results[0], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=3e-5)
