"""Packed sequences, padded ones, and the recurrent layers that take them."""

import numpy as np
import pytest

import gradcore
from gradcore import nn
from gradcore.nn.utils import rnn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no parity to check")
LENGTHS = [3, 5, 1, 3]


def padded(library, batch_first: bool):
    values = np.random.default_rng(0).standard_normal((5, 4, 3)).astype(np.float32)
    made = library.tensor(values.swapaxes(0, 1) if batch_first else values)
    return made.requires_grad_()


def of_torch():
    return torch.nn.utils.rnn


def run(library, utils, kind: str, batch_first: bool, **options):
    library.manual_seed(1)
    layer = getattr(library.nn, kind)(3, 4, batch_first=batch_first, **options)
    x = padded(library, batch_first)
    packed = utils.pack_padded_sequence(x, LENGTHS, batch_first, enforce_sorted=False)
    out, state = layer(packed)
    rows, lengths = utils.pad_packed_sequence(out, batch_first, total_length=6)
    states = state if isinstance(state, tuple) else (state,)
    sum((item * (n + 1)).sin().sum() for n, item in enumerate((rows, *states))).backward()
    gradients = [x.grad, *(p.grad for p in layer.parameters())]
    return [rows, lengths, *states, *gradients]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}])
@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_recurrent_layer_treats_packed_sequences_as_torch(kind, options, batch_first):
    ours = run(gradcore, rnn, kind, batch_first, **options)
    theirs = run(torch, of_torch(), kind, batch_first, **options)
    for a, b in zip(ours, theirs, strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_packing_lays_sequences_step_by_step():
    packed = rnn.pack_sequence([gradcore.tensor([1, 2, 3]), gradcore.tensor([4])])
    assert packed.data.tolist() == [1, 4, 2, 3]
    assert packed.batch_sizes.tolist() == [2, 1, 1]
    assert [item.tolist() for item in rnn.unpack_sequence(packed)] == [[1, 2, 3], [4]]


def test_packed_sequence_prints_its_fields():
    packed = rnn.pack_sequence([gradcore.tensor([1, 2])])
    assert repr(packed) == (
        "PackedSequence(data=tensor([1, 2]), batch_sizes=tensor([1, 1]), sorted_indices=None, "
        "unsorted_indices=None)"
    )


def test_padding_fills_the_side_it_is_told():
    made = rnn.pad_sequence(
        [gradcore.ones(1), gradcore.ones(2)], batch_first=True, padding_side="left"
    )
    assert made.tolist() == [[0, 1], [1, 1]]


def test_unsorted_lengths_are_refused_with_the_cure():
    with pytest.raises(RuntimeError, match="enforce_sorted=False"):
        rnn.pack_padded_sequence(gradcore.ones(3, 2), [1, 3])


def test_lengths_must_be_as_many_as_sequences():
    with pytest.raises(RuntimeError, match="Expected `len\\(lengths\\)` to be equal to batch_size"):
        rnn.pack_padded_sequence(gradcore.ones(3, 2), [3])


def test_lazy_layers_learn_their_channels_from_the_first_input():
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2))
    assert repr(model[0].weight) == "<UninitializedParameter>"
    assert model(gradcore.ones(2, 3, 5, 5)).shape == (2, 2)
    assert [type(item) for item in model] == [nn.Conv2d, nn.BatchNorm2d, nn.Flatten, nn.Linear]
    assert model[0].weight.shape == (4, 3, 3, 3)
    assert type(model[1].running_mean) is gradcore.Tensor


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("LazyConv1d", (4, 3), (2, 3, 6)),
        ("LazyConv3d", (4, 2), (1, 2, 3, 3, 3)),
        ("LazyConvTranspose2d", (2, 3, 2), (1, 3, 4, 4)),
        ("LazyBatchNorm1d", (), (4, 3)),
        ("LazyInstanceNorm2d", (), (2, 3, 4, 4)),
    ],
)
def test_lazy_layer_draws_the_weights_of_torch(name, arguments, shape):
    found = []
    for library in (gradcore, torch):
        library.manual_seed(3)
        layer = getattr(library.nn, name)(*arguments)
        before = repr(layer)
        values = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
        found.append((before, layer(library.tensor(values)).detach().numpy(), repr(layer)))
    assert found[0][0] == found[1][0]
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-4, atol=1e-5)
    assert found[0][2] == found[1][2]
