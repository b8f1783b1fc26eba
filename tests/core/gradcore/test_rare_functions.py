"""Functions, methods and switches that few programs use."""

import numpy as np
import pytest

import gradcore

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

PROGRAMS = """
t.histogram(t.tensor([1.0, 2.0, 1.0]), bins=4, range=(0.0, 3.0))
t.histogram(t.arange(5.0), 2, weight=t.arange(5.0), density=True)
t.frombuffer(bytearray(b"abcd"), dtype=t.uint8)
t.empty_strided((2, 3), (1, 2)).stride()
t.ones(2).new_empty_strided((2, 3), (1, 2)).stride()
t.tensor([1.0, -2.0]).view(t.int32)
t.arange(4, dtype=t.int32).view(t.int64)
t.ones(2, 3).resize_(2, 2)
t.ones(2).resize_(0).shape
t.is_signed(t.ones(2, dtype=t.uint8))
t.zeros(3).index_reduce(0, t.tensor([0, 0, 2]), t.tensor([1.0, 2.0, 3.0]), "amax")
t.zeros(2, 3).index_reduce_(1, t.tensor([0, 2]), t.ones(2, 2), "mean", include_self=False)
t.ones(2, 3, 4).dim_order()
t.tensor([0.5]).polygamma(1)
t.tensor([1.0]).is_nonzero()
t.get_default_device().type
t.conv1d(t.ones(1, 1, 4), t.ones(1, 1, 2))
t.layer_norm(t.arange(4.0), (4,))
t.pixel_shuffle(t.ones(1, 4, 2, 2), 2).shape
t.dropout(t.ones(3), 0.5, False)
t.utils.checkpoint.checkpoint(t.sin, t.ones(2), use_reentrant=False)
t.accelerator.is_available()
t.amp.GradScaler("cpu", enabled=False).scale(t.ones(1))
""".strip().splitlines()


def close(ours, theirs) -> None:
    if isinstance(theirs, (tuple, list)):
        for a, b in zip(ours, theirs, strict=True):
            close(a, b)
    elif hasattr(theirs, "detach"):
        assert tuple(ours.shape) == tuple(theirs.shape)
        assert str(ours.dtype) == str(theirs.dtype)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)
    else:
        assert ours == theirs


@pytest.mark.filterwarnings("ignore:index_reduce")
@pytest.mark.parametrize("program", PROGRAMS)
def test_program_gives_what_it_gives_on_torch(program):
    ours, theirs = (eval(program, {"t": library}) for library in (gradcore, torch))
    close(ours, theirs)


def test_range_has_its_end():
    assert gradcore.range(1, 4).tolist() == [1, 2, 3, 4]


def test_other_reading_of_memory_shares_it():
    values = gradcore.zeros(2)
    values.view(gradcore.int32)[0] = 1065353216
    assert values.tolist() == [1.0, 0.0]


def test_nothing_is_compiled():
    def double(x):
        return x * 2

    assert gradcore.jit.script(double) is double
    assert gradcore.jit.trace(double, gradcore.ones(1)) is double
    assert not gradcore.jit.is_scripting()


def test_default_tensor_type_sets_the_default_dtype():
    gradcore.set_default_tensor_type("torch.DoubleTensor")
    try:
        assert gradcore.ones(1).dtype is gradcore.float64
    finally:
        gradcore.set_default_tensor_type(gradcore.FloatTensor)
    assert gradcore.ones(1).dtype is gradcore.float32


def test_product_under_the_name_for_sparse_matrices_takes_dense_ones():
    adjacency, features = gradcore.eye(3), gradcore.arange(6.0).view(3, 2)
    assert gradcore.spmm(adjacency, features).tolist() == features.tolist()
