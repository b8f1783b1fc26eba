"""A place of the stream of random numbers can be returned to, and says whether any were drawn."""

import numpy as np
import pytest

import gradcore as torch
from gradcore.random import Generator, default_generator


@pytest.mark.parametrize("drawn", [0, 1, 7, 623, 624, 1000])
@pytest.mark.parametrize("then", [1, 3, 16, 700])
def test_what_is_drawn_after_the_return_is_the_same_again(drawn: int, then: int) -> None:
    generator = Generator().manual_seed(5)
    torch.rand(drawn, generator=generator)
    place = generator.place()
    first = torch.randn(then, generator=generator).numpy()
    assert generator.place() != place
    generator.return_to(place)
    assert generator.place() == place
    assert np.array_equal(torch.randn(then, generator=generator).numpy(), first)


def test_a_place_outlives_another_seed() -> None:
    torch.manual_seed(1)
    torch.rand(3)
    place = default_generator.place()
    expected = torch.rand(5).numpy()
    torch.manual_seed(2)
    default_generator.return_to(place)
    assert np.array_equal(torch.rand(5).numpy(), expected)


def test_a_place_is_what_the_state_says() -> None:
    torch.manual_seed(3)
    torch.randn(5)
    place, state = default_generator.place(), torch.get_rng_state()
    torch.randn(50)
    torch.set_rng_state(state)
    assert default_generator.place() == place
