"""The tensors of the model as the tracer looks them up: by id, by bit, by memory."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paramscope.census.evidence import TensorUse
from paramscope.census.states import VANISHING_BELOW, mean_size
from paramscope.census.walk import FoundTensor, Walk
from paramscope.engine.adapters.base import Adapter

MAX_COPIED_VALUES = 50_000_000


class KnownTensors:
    """What one walk has found, each tensor once. ``bits`` has its bit in a mask of many."""

    def __init__(self, walk: Walk, adapter: Adapter) -> None:
        self.by_id: dict[int, FoundTensor] = {}
        self.bits: dict[int, int] = {}
        self._adapter = adapter
        self._storages: dict[int, int] | None = None  # read when something is written to
        for found in walk.tensors:
            key = id(found.tensor)
            if key not in self.by_id:
                self.by_id[key] = found
                self.bits[key] = 1 << len(self.bits)

    def with_memory_of(self, tensor: Any) -> int | None:
        """Return the id of the model's tensor whose memory this is, or is a view of."""
        if self._storages is None:
            held = self.by_id.items()
            self._storages = {self._adapter.storage(found.tensor): key for key, found in held}
        return self._storages.get(self._adapter.storage(tensor))

    def copies(self) -> dict[int, NDArray[Any]]:
        """Copy what a step may move, so that the size of the update can be told."""
        left = MAX_COPIED_VALUES
        copies = {}
        for key, found in self.by_id.items():
            if not found.tensor.is_leaf or not self._adapter.is_floating(found.tensor):
                continue
            array = self._adapter.array(found.tensor)
            if array is None or array.size > left:
                continue
            left -= array.size
            copies[key] = array.copy()
        return copies

    def keep_upstream(self, uses: Mapping[int, TensorUse]) -> None:
        """Keep the masks that can matter: of tensors whose gradient is next to nothing."""
        sizes = {
            key: mean_size(use.gradient, self._adapter.shape(self.by_id[key].tensor))
            for key, use in uses.items()
            if use.gradient is not None and not use.gradient.non_finite
        }
        limit = VANISHING_BELOW * max(sizes.values(), default=0.0)
        for key, use in uses.items():
            if not 0 < sizes.get(key, 0.0) < limit:
                use.upstream = 0


def is_distribution(values: NDArray[Any] | None) -> bool:
    """Tell whether values over two classes or more are shares of 1, however they were made."""
    if values is None or values.ndim == 0 or values.size == 0:
        return False
    axis = min(1, values.ndim - 1)
    if values.shape[axis] < 2 or not (values >= 0).all():
        return False
    return bool(np.allclose(values.sum(axis), 1, atol=1e-3))
