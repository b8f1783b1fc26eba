"""`torch.testing`: what is close, and what is said of what is not, as on PyTorch."""

import pytest

import gradcore
from gradcore import testing

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

PROGRAMS = """
c(t.ones(2), t.ones(2) + 1e-7)
c(t.ones(2), t.tensor([1.0, 2.0]))
c(t.ones(2, 2), t.tensor([[1.0, 2.0], [1.0, 3.0]]), rtol=0, atol=0.5)
c(t.ones(2), t.ones(3))
c(t.ones(2), t.ones(2, dtype=t.float64))
c(t.ones(2), t.ones(2, dtype=t.float64), check_dtype=False)
c(t.tensor([1, 2]), t.tensor([1, 3]))
c(t.tensor(1.0), t.tensor(2.0))
c(1.0, 2.0)
c(1, 1.0)
c([t.ones(1), t.ones(1)], [t.ones(1), t.zeros(1)])
c({"a": t.ones(1)}, {"a": t.zeros(1)})
c((t.ones(1),), (t.ones(1), t.ones(1)))
c(t.tensor([float("nan")]), t.tensor([float("nan")]))
c(t.tensor([float("nan")]), t.tensor([float("nan")]), equal_nan=True)
c(t.tensor([float("inf")]), t.tensor([float("inf")]))
c(t.ones(2), t.zeros(2), msg="mine")
c(t.ones(2), t.zeros(2), msg=lambda text: "before " + text)
c(t.ones(2), t.ones(2), rtol=1)
c(None, None)
c(t.ones(2, 3).t(), t.ones(3, 2), check_stride=True)
""".strip().splitlines()


def outcome(program, library, compare):
    try:
        eval(program, {"t": library, "c": compare})
    except Exception as error:
        return type(error).__name__, str(error)
    return "close", ""


@pytest.mark.parametrize("program", PROGRAMS)
def test_comparison_ends_as_on_torch(program):
    ours = outcome(program, gradcore, testing.assert_close)
    assert ours == outcome(program, torch, torch.testing.assert_close)


def test_random_tensors_have_the_kind_that_was_asked_for():
    made = testing.make_tensor(2, 3, dtype=gradcore.float64, requires_grad=True)
    assert (made.shape, made.dtype, made.requires_grad) == ((2, 3), gradcore.float64, True)
    assert testing.make_tensor((4,), dtype=gradcore.bool).dtype is gradcore.bool
