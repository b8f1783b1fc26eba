"""Sequences of different lengths in one tensor: `torch.nn.utils.rnn`.

Padded, they are rows of equal length; packed, they lie step by step, each step with as many
rows as there are sequences that have not ended. Recurrent layers take packed ones.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

import numpy as np

from gradcore.creation import full
from gradcore.errors import ShapeError
from gradcore.graph import wrap
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """Sequences, the longest first, that lie step by step in `data`.

    `batch_sizes` says how many rows each step has; `sorted_indices` and `unsorted_indices`
    lead from the order they were given in to that by length, and back.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if batch_sizes is None:
            raise ValueError("batch_sizes should always be given: pack with pack_sequence()")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def __repr__(self) -> str:
        parts = zip(self._fields, self, strict=True)
        return f"PackedSequence({', '.join(f'{name}={value!r}' for name, value in parts)})"

    def with_data(self, data: Tensor) -> "PackedSequence":
        """Return the same places with other values."""
        return PackedSequence(data, self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> "PackedSequence":
        """Return it with its values in another dtype."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else self.with_data(data)

    def double(self) -> "PackedSequence":
        """Return it with its values as float64."""
        return self.with_data(self.data.double())

    def float(self) -> "PackedSequence":
        """Return it with its values as float32."""
        return self.with_data(self.data.float())

    def cpu(self, *_: Any, **__: Any) -> "PackedSequence":
        """Return it: it is on the CPU."""
        return self

    def pin_memory(self) -> "PackedSequence":
        """Return it: there is no other device to copy to."""
        return self

    @property
    def is_cuda(self) -> bool:
        """Never."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the order that undoes another."""
    if permutation is None:
        return None
    places = np.empty_like(permutation._a)
    places[permutation._a] = np.arange(len(places))
    result: Tensor = wrap(places)
    return result


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack rows of equal length, of which each is used up to its own length.

    Shape: (L, N, *), with batch_first (N, L, *).
    """
    counts = np.array(lengths._a if isinstance(lengths, Tensor) else lengths, np.int64)
    order = None
    if not enforce_sorted:
        order = wrap(np.argsort(-counts, kind="stable"))
        counts = counts[order._a]
        input = input.index_select(0 if batch_first else 1, order)
    steps = input.transpose(0, 1) if batch_first else input
    _check_lengths(counts, steps)
    sizes = (np.arange(counts[0])[:, None] < counts).sum(1)
    parts = []
    start = 0
    # Steps with as many rows as the one before are taken together.
    for stop in [*(np.flatnonzero(np.diff(sizes)) + 1).tolist(), len(sizes)]:
        block = steps[start:stop, : int(sizes[start])]
        parts.append(block.reshape(-1, *steps.shape[2:]))
        start = stop
    data = parts[0] if len(parts) == 1 else FUNCTIONS["cat"](parts, 0)
    return PackedSequence(data, wrap(sizes.astype(np.int64)), order, None)


def _check_lengths(counts: Any, steps: Tensor) -> None:
    if counts.ndim != 1 or len(counts) != steps.shape[1]:
        raise ShapeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {counts.size} "
            f"(batch_size={steps.shape[1]})",
            "In `pack_padded_sequence`.",
            "Give one length for each sequence; see batch_first for which axis is the batch.",
        )
    if (np.diff(counts) > 0).any():
        raise ShapeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability.",
            f"The lengths are {counts.tolist()}.",
        )
    if counts[-1] <= 0:
        raise ShapeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0",
            f"The lengths are {counts.tolist()}.",
        )
    if counts[0] > steps.shape[0]:
        raise ShapeError(
            f"Expected lengths of at most {steps.shape[0]}, got {counts[0]}",
            "In `pack_padded_sequence`.",
        )


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Undo `pack_padded_sequence`: return the padded rows and their lengths."""
    sizes = sequence.batch_sizes._a
    longest, count = len(sizes), int(sizes[0])
    if total_length is not None:
        if total_length < longest:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in "
                f"input, but got total_length={total_length} and max sequence length being "
                f"{longest}"
            )
        longest = total_length
    used = np.arange(count) < sizes[:, None]
    tail = tuple(sequence.data.shape[1:])
    padded = full((longest, count, *tail), padding_value, dtype=sequence.data.dtype)
    times, rows = np.nonzero(used)
    padded = padded.index_put((wrap(times), wrap(rows)), sequence.data)
    lengths = wrap(used.sum(0).astype(np.int64))
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices]
    return (padded.transpose(0, 1) if batch_first else padded), lengths


def pad_sequence(
    sequences: Any,
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stack sequences of different lengths, the shorter ones filled up."""
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"padding_side should be either 'right' or 'left'. Got {padding_side}")
    members = list(sequences)
    if not members:
        raise RuntimeError("received an empty list of sequences")
    longest = max(len(item) for item in members)
    tail = tuple(members[0].shape[1:])
    padded = []
    for item in members:
        if tuple(item.shape[1:]) != tail:
            raise ShapeError(
                f"The size of tensor a ({list(tail)}) must match the size of tensor b "
                f"({list(item.shape[1:])}) in all dimensions but the first",
                "In `pad_sequence`.",
            )
        fill = item.new_full((longest - len(item), *tail), padding_value)
        parts = [item, fill] if padding_side == "right" else [fill, item]
        padded.append(FUNCTIONS["cat"](parts, 0) if len(fill) else item)
    result: Tensor = FUNCTIONS["stack"](padded, 0 if batch_first else 1)
    return result


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """Return the sequences of a padded tensor, each in its own length."""
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:count] for row, count in zip(rows, lengths._a.tolist(), strict=True)]


def pack_sequence(sequences: Iterable[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of sequences."""
    members = list(sequences)
    lengths = [len(item) for item in members]
    return pack_padded_sequence(pad_sequence(members), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the list of sequences that were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
