"""The affine maps, tables of vectors, and one-hot codes of `torch.nn.functional`."""

from typing import Any

import numpy as np

from gradcore.dtypes import Array
from gradcore.errors import DtypeError
from gradcore.graph import work_out, written
from gradcore.ops import embedding as rows
from gradcore.ops.linear import linear as _linear
from gradcore.tensor import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return `input @ weight.T + bias`."""
    result: Tensor = _linear(input, weight, bias)
    return result


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return `input1 @ weight[k] @ input2 + bias[k]` for every output k."""
    # (..., i) x (k, i, j) -> (..., k, j), then the sum over j with the second input.
    outputs, first, second = weight.shape
    flat = input1 @ weight.permute(1, 0, 2).reshape(first, outputs * second)
    table = flat.reshape(*input1.shape[:-1], outputs, second)
    result: Tensor = (table * input2.unsqueeze(-2)).sum(-1)
    return result if bias is None else result + bias


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Return the rows of `weight` with these numbers."""
    place = _padding_place(padding_idx, weight)
    if max_norm is not None:
        _renormalise(weight, input, max_norm, norm_type)
    result: Tensor = rows.embedding(weight, input, place, scale_grad_by_freq)
    return result


def _padding_place(padding_idx: int | None, weight: Tensor) -> int:
    if padding_idx is None:
        return -1
    count = weight.size(0)
    if not -count <= padding_idx < count:
        raise AssertionError("Padding_idx must be within num_embeddings")
    result: int = padding_idx % count
    return result


def _renormalise(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    """Shrink, in place, the rows about to be looked up that are longer than `max_norm`."""
    used = np.unique(indices._a)
    table = weight._a[used]
    norms = np.linalg.norm(table, norm_type, axis=1, keepdims=True)
    long = norms > max_norm
    if long.any():
        weight._a[used] = np.where(long, table * (max_norm / (norms + 1e-7)), table)
        written(weight, "embedding_renorm_", False)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Return the sum, mean or maximum of the rows of each bag."""
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}')."
        )
    _check_bags(input, offsets)
    numbers = input.reshape(-1)
    values = embedding(numbers, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    if per_sample_weights is not None:
        values = values * per_sample_weights.reshape(-1, 1)
    place = None if padding_idx is None else padding_idx % weight.size(0)
    if mode == "max":
        return _bag_maxima(values, input, offsets, include_last_offset, place)
    is_mean, dtype = mode == "mean", values._a.dtype
    if offsets is None and place is None and input._a.size:
        # Bags of one length need no matrix of who is in which.
        rows = values.reshape(*input.shape, -1)
        pooled: Tensor = rows.mean(1) if is_mean else rows.sum(1)
        return pooled
    bags = work_out(_members, input, offsets, include_last_offset, place, is_mean, dtype)
    result: Tensor = bags @ values
    return result


def _kept(numbers: Array, place: int | None) -> Any:
    """Tell for each number whether it counts: padding does not."""
    flat = numbers.reshape(-1)
    return np.ones(flat.size, bool) if place is None else flat != place


def _starts(numbers: Array, offsets: Array | None, include_last_offset: bool) -> Any:
    if offsets is None:
        return np.arange(numbers.shape[0]) * numbers.shape[1]
    return offsets[:-1] if include_last_offset else offsets


def _members(
    numbers: Array,
    offsets: Array | None,
    include_last_offset: bool,
    place: int | None,
    is_mean: bool,
    dtype: Any,
) -> Array:
    """Return a matrix of bags and numbers: 1 (or its share in the mean) where one is in a bag."""
    kept, starts = _kept(numbers, place), _starts(numbers, offsets, include_last_offset)
    ends = np.append(starts[1:], len(kept))
    members = np.zeros((len(starts), len(kept)), dtype)
    for bag, (start, end) in enumerate(zip(starts, ends, strict=True)):
        members[bag, start:end] = kept[start:end]
    if is_mean:
        members /= np.maximum(members.sum(1, keepdims=True), 1)
    return members


def _check_bags(input: Tensor, offsets: Tensor | None) -> None:
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                "of fixed length sequences."
            )
        return
    if input.dim() != 1:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}"
        )
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")


def _bag_maxima(values: Tensor, *bags: Any) -> Tensor:
    """Return the largest values in each bag; those of an empty one are 0."""
    places = work_out(_places, *bags)
    if not values._a.shape[0]:
        nothing: Tensor = values.new_zeros(places._a.shape[0], values.size(1))
        return nothing
    none = work_out(_lacking, places)
    rows = values[work_out(_found, places)].masked_fill(none.unsqueeze(2), -np.inf)
    result: Tensor = rows.max(1)[0].masked_fill(none[:, :1], 0.0)
    return result


def _places(
    numbers: Array, offsets: Array | None, include_last_offset: bool, place: int | None
) -> Array:
    """Return which numbers are in each bag, one row a bag, with -1 behind them."""
    kept, starts = _kept(numbers, place), _starts(numbers, offsets, include_last_offset)
    ends = np.append(starts[1:], len(kept))
    bags = [np.flatnonzero(kept[a:b]) + a for a, b in zip(starts, ends, strict=True)]
    places = np.full((len(bags), max([1, *map(len, bags)])), -1)
    for row, bag in zip(places, bags, strict=True):
        row[: len(bag)] = bag
    return places


def _lacking(places: Array) -> Any:
    return places < 0


def _found(places: Array) -> Any:
    return np.maximum(places, 0)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return, for each class number, a vector with a 1 at that place."""
    numbers = tensor._a
    if numbers.dtype.kind != "i" or numbers.dtype.itemsize != 8:
        raise DtypeError(
            "one_hot is only applicable to index tensor of type LongTensor.",
            f"It got {tensor.dtype}.",
            "Convert the tensor with .long().",
        )
    result: Tensor = work_out(_one_hot, tensor, num_classes)
    return result


def _one_hot(numbers: Array, num_classes: int) -> Any:
    if numbers.size and numbers.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    if num_classes < 0:
        if not numbers.size:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        num_classes = int(numbers.max()) + 1
    elif numbers.size and numbers.max() >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    out = np.zeros((*numbers.shape, num_classes), np.int64)
    out.reshape(-1)[np.arange(numbers.size) * num_classes + numbers.reshape(-1)] = 1
    return out
