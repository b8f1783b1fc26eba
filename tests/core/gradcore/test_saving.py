"""`torch.save` and `torch.load`: PyTorch's own format, read without running anything."""

import importlib.util
import io
import pickle

import numpy as np
import pytest

import gradcore
from gradcore import nn
from gradcore.serialization import safe_globals

HAS_TORCH = importlib.util.find_spec("torch") is not None


class Plain:
    """A class of the user's."""


def checkpoint(library):
    library.manual_seed(0)
    model = library.nn.Sequential(library.nn.Linear(2, 3), library.nn.BatchNorm1d(3))
    optimizer = library.optim.Adam(model.parameters(), lr=0.01)
    model(library.randn(4, 2)).pow(2).sum().backward()
    optimizer.step()
    wide = library.arange(12.0).reshape(3, 4)
    return {
        "epoch": 3,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "turned": wide.t(),
        "column": wide[1:, 2],
        "expanded": library.ones(1).expand(3),
        "none": library.empty(0, 3),
        "half": library.ones(2).half(),
        "flags": library.tensor([True, False]),
        "complex": library.tensor([1 + 2j]),
        "parameter": model[0].weight,
        "shape": wide.shape,
        "dtype": wide.dtype,
        "device": wide.device,
        "names": {"a", "b"},
    }


def written(library, obj) -> io.BytesIO:
    file = io.BytesIO()
    library.save(obj, file)
    file.seek(0)
    return file


def same(a, b) -> None:
    if isinstance(b, dict):
        assert list(a) == list(b)
        for key in b:
            same(a[key], b[key])
    elif hasattr(b, "stride"):
        assert type(a).__name__ == type(b).__name__
        assert (tuple(a.shape), str(a.dtype)) == (tuple(b.shape), str(b.dtype))
        assert tuple(a.stride()) == tuple(b.stride())
        assert a.requires_grad == b.requires_grad
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    elif isinstance(b, (list, tuple)):
        assert repr(a) == repr(b)
    else:
        assert str(a) == str(b) or a == b


def test_checkpoint_comes_back_as_it_was(tmp_path):
    kept = checkpoint(gradcore)
    gradcore.save(kept, tmp_path / "run.pt")
    same(gradcore.load(tmp_path / "run.pt"), kept)


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
def test_torch_reads_what_gradcore_writes():
    torch = pytest.importorskip("torch")
    kept = checkpoint(gradcore)
    same(torch.load(written(gradcore, kept)), kept)


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
def test_gradcore_reads_what_torch_writes():
    torch = pytest.importorskip("torch")
    kept = checkpoint(torch)
    same(gradcore.load(written(torch, kept)), kept)


@pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
def test_bfloat16_is_read_as_float32():
    torch = pytest.importorskip("torch")
    read = gradcore.load(written(torch, torch.tensor([1.5, -2.0]).bfloat16()))
    assert read.dtype is gradcore.float32
    assert read.tolist() == [1.5, -2.0]


def test_tensors_that_share_memory_share_it_after_loading():
    whole = gradcore.zeros(2, 3)
    first, second = gradcore.load(written(gradcore, (whole, whole[1])))
    second[0] = 7
    assert first[1, 0] == 7


def test_whole_model_is_read_only_where_the_file_is_trusted():
    file = written(gradcore, nn.Linear(2, 3))
    with pytest.raises(pickle.UnpicklingError, match=r"torch\.nn\.Linear was not an allowed"):
        gradcore.load(file)
    file.seek(0)
    assert repr(gradcore.load(file, weights_only=False)) == repr(nn.Linear(2, 3))


def test_class_of_the_users_can_be_allowed():
    file = written(gradcore, Plain())
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        gradcore.load(file)
    file.seek(0)
    with safe_globals([Plain]):
        assert isinstance(gradcore.load(file), Plain)


def test_file_that_calls_something_is_refused():
    class Calls:
        def __reduce__(self):
            return print, ("called",)

    with pytest.raises(pickle.UnpicklingError, match=r"builtins?\.print|__builtin__\.print"):
        gradcore.load(written(gradcore, [Calls()]))


def test_file_of_another_kind_is_named():
    with pytest.raises(RuntimeError, match=r"no archive that torch\.save wrote"):
        gradcore.load(io.BytesIO(b"something else"))


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(RuntimeError, match=r"Parent directory .* does not exist"):
        gradcore.save(1, tmp_path / "none" / "file.pt")
