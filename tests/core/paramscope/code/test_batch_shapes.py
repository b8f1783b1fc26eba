"""Shapes of the data before anything has run."""

from paramscope.code.batch_shapes import batch_shapes


def test_literal_data_has_its_shape() -> None:
    source = "def batch():\n    return torch.tensor([[0.0, 1.0], [1.0, -1.0]]), torch.zeros(2, 1)\n"
    assert batch_shapes(source) == ((2, 2), (2, 1))


def test_names_of_the_file_and_plain_arithmetic_are_followed() -> None:
    source = """X = torch.rand(8, 3)
def batch():
    x = 2 * X - 1
    y = torch.randint(0, 10, (8,))
    return x.float(), y, torch.sin(x) + torch.zeros(3)
"""
    assert batch_shapes(source) == ((8, 3), (8,), (8, 3))


def test_what_is_not_written_out_is_unknown() -> None:
    source = "def batch():\n    x, y = load()\n    return x, y[:8]\n"
    assert batch_shapes(source) == (None, None)


def test_file_without_batch_and_broken_source_give_nothing() -> None:
    assert batch_shapes("x = 1\n") == ()
    assert batch_shapes("def batch(:\n") == ()
