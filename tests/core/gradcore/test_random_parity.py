"""One seed gives PyTorch's own random numbers."""

import numpy as np
import pytest

import gradcore

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

DRAWS = {
    "rand": lambda lib: lib.rand(7, 3),
    "rand float64": lambda lib: lib.rand(5, dtype=lib.float64),
    "randn below 16": lambda lib: lib.randn(5),
    "randn odd count then again": lambda lib: lib.cat([lib.randn(3), lib.randn(4)]),
    "randn of 16": lambda lib: lib.randn(16),
    "randn of 37": lambda lib: lib.randn(37),
    "randn large": lambda lib: lib.randn(100, 101),
    "randn float64": lambda lib: lib.randn(50, dtype=lib.float64),
    "randn small float64": lambda lib: lib.randn(3, dtype=lib.float64),
    "randint": lambda lib: lib.randint(10, (20,)),
    "randint low high": lambda lib: lib.randint(-5, 1000, (4, 5)),
    "randperm": lambda lib: lib.randperm(25),
    "randperm large": lambda lib: lib.randperm(1000),
    "randperm larger, then more": lambda lib: lib.randperm(40_001) + lib.randint(9, (1,)),
    "randperm of few": lambda lib: lib.cat([lib.randperm(n) for n in (0, 1, 2, 3, 1, 5)]),
    "normal numbers": lambda lib: lib.normal(2.0, 3.0, (20,)),
    "normal numbers few": lambda lib: lib.normal(2.0, 3.0, (4,)),
    "normal tensors": lambda lib: lib.normal(lib.arange(20.0), lib.ones(20) * 2),
    "normal tensors few": lambda lib: lib.normal(lib.arange(3.0), lib.ones(3) * 2),
    "uniform_": lambda lib: lib.empty(4, 4).uniform_(-2, 3),
    "normal_": lambda lib: lib.empty(33).normal_(1, 2),
    "normal_ few": lambda lib: lib.empty(3).normal_(1, 2),
    "bernoulli": lambda lib: lib.bernoulli(lib.full((50,), 0.3)),
    "bernoulli_ number": lambda lib: lib.empty(50).bernoulli_(0.3),
    "bernoulli_ tensor": lambda lib: lib.empty(50).bernoulli_(lib.full((50,), 0.3)),
    "exponential_": lambda lib: lib.empty(20).exponential_(2.0),
    "rrelu": lambda lib: lib.nn.functional.rrelu(lib.randn(20), training=True),
    "random_": lambda lib: lib.empty(10, dtype=lib.int64).random_(0, 7),
    "rand_like": lambda lib: lib.rand_like(lib.ones(5)),
    "randn_like": lambda lib: lib.randn_like(lib.ones(20)),
    "multinomial one": lambda lib: lib.multinomial(lib.tensor([0.1, 0.2, 0.7]), 1),
    "multinomial rows": lambda lib: lib.multinomial(lib.rand(4, 6), 1),
    "multinomial distinct": lambda lib: lib.multinomial(lib.tensor([0.1, 0.2, 0.3, 0.4]), 3),
    "multinomial with replacement": lambda lib: lib.multinomial(
        lib.tensor([0.1, 0.2, 0.3, 0.4]), 20, replacement=True
    ),
    "one after another": lambda lib: lib.cat(
        [lib.rand(3), lib.randn(5), lib.randn(20), lib.rand(2), lib.randn(2)]
    ),
    "complex": lambda lib: lib.view_as_real(lib.randn(20, dtype=lib.complex64)),
}


@pytest.mark.parametrize("seed", [0, 1, 42, 123456789012])
@pytest.mark.parametrize("name", DRAWS)
def test_same_seed_gives_the_numbers_of_torch(name, seed):
    gradcore.manual_seed(seed)
    torch.manual_seed(seed)
    ours, theirs = DRAWS[name](gradcore), DRAWS[name](torch)
    assert str(ours.dtype) == str(theirs.dtype)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=2e-6, atol=1e-6)


def test_state_of_the_stream_can_be_kept_and_restored():
    gradcore.manual_seed(3)
    gradcore.randn(3)
    state = gradcore.get_rng_state()
    first = gradcore.cat([gradcore.randn(2), gradcore.rand(3)])
    gradcore.set_rng_state(state)
    again = gradcore.cat([gradcore.randn(2), gradcore.rand(3)])
    assert first.tolist() == again.tolist()


def test_fork_leaves_the_stream_where_it_was():
    gradcore.manual_seed(3)
    expected = gradcore.rand(2).tolist()
    gradcore.manual_seed(3)
    with gradcore.random.fork_rng():
        gradcore.rand(100)
    assert gradcore.rand(2).tolist() == expected


def test_generator_of_its_own_does_not_touch_the_others():
    generator = gradcore.Generator().manual_seed(5)
    theirs = torch.Generator().manual_seed(5)
    gradcore.manual_seed(1)
    before = gradcore.get_rng_state()
    ours = gradcore.randn(4, 5, generator=generator)
    expected = torch.randn(4, 5, generator=theirs)
    np.testing.assert_allclose(ours.numpy(), expected.numpy(), rtol=1e-6, atol=1e-6)
    assert gradcore.equal(before, gradcore.get_rng_state())
