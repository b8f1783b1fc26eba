"""`DataLoader`: batches of a data set, made in this process."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gradcore.creation import as_tensor, empty, tensor
from gradcore.dtypes import float64, int64
from gradcore.graph import wrap
from gradcore.ops.registry import FUNCTIONS
from gradcore.tensor import Tensor
from gradcore.utils.data.dataset import IterableDataset
from gradcore.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler


def default_collate(batch: Sequence[Any]) -> Any:
    """Put items together: tensors and numbers to one tensor, the insides of containers each."""
    first = batch[0]
    if isinstance(first, Tensor):
        return FUNCTIONS["stack"](list(batch), 0)
    if isinstance(first, np.ndarray):
        if first.dtype.kind in "USO":
            raise TypeError(
                "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or "
                f"lists; found {first.dtype}"
            )
        return wrap(np.stack(batch))
    if isinstance(first, np.generic):
        return as_tensor(np.array(batch))
    if isinstance(first, float):
        return tensor(list(batch), dtype=float64)
    if isinstance(first, int):
        return tensor(list(batch))
    if isinstance(first, (str, bytes)):
        return list(batch)
    if isinstance(first, Mapping):
        return {key: default_collate([item[key] for item in batch]) for key in first}
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(part) for part in zip(*batch, strict=True)))
    if isinstance(first, Sequence):
        if any(len(item) != len(first) for item in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        # As torch, where the strings of one field stay the tuple that zip made of them.
        return [
            part if isinstance(part[0], (str, bytes)) else default_collate(part)
            for part in zip(*batch, strict=True)
        ]
    raise TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; "
        f"found {type(first)}"
    )


def default_convert(item: Any) -> Any:
    """Turn what a lone item holds of arrays into tensors; what else it holds stays."""
    if isinstance(item, np.ndarray):
        return item if item.dtype.kind in "USO" else as_tensor(item)
    if isinstance(item, Mapping):
        return {key: default_convert(part) for key, part in item.items()}
    if isinstance(item, tuple) and hasattr(item, "_fields"):
        return type(item)(*(default_convert(part) for part in item))
    if isinstance(item, Sequence) and not isinstance(item, (str, bytes)):
        return [default_convert(part) for part in item]
    return item


def get_worker_info() -> None:
    """Return None: items are loaded in this process."""
    return


class DataLoader:
    """Iterates over a data set in batches.

    Items are loaded in this process: `num_workers` and what belongs to it are accepted, so that
    scripts run unchanged, and make no difference to what is loaded.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Any = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        self.dataset = dataset
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.generator = generator
        self.is_iterable = isinstance(dataset, IterableDataset)
        self._check(shuffle, sampler, batch_sampler, batch_size, drop_last)
        self._check_workers(timeout, prefetch_factor, persistent_workers)
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        if sampler is None and not self.is_iterable:
            sampler = (
                RandomSampler(dataset, generator=generator)
                if shuffle
                else SequentialSampler(dataset)
            )
        if batch_size is not None and batch_sampler is None and not self.is_iterable:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        batched = batch_size is not None or batch_sampler is not None
        self.collate_fn = collate_fn or (default_collate if batched else default_convert)

    def _check(
        self,
        shuffle: bool | None,
        sampler: Any,
        batch_sampler: Any,
        batch_size: int | None,
        drop_last: bool,
    ) -> None:
        """Refuse settings that contradict each other."""
        if self.num_workers < 0:
            raise ValueError(
                "num_workers option should be non-negative; use num_workers=0 to disable "
                "multiprocessing."
            )
        if self.is_iterable and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError(
                "DataLoader with IterableDataset: expected unspecified shuffle, sampler and "
                "batch_sampler options"
            )
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, "
                    "and drop_last"
                )
        elif batch_size is None and drop_last:
            raise ValueError(
                "batch_size=None option disables auto-batching and is mutually exclusive with "
                "drop_last"
            )

    def _check_workers(
        self, timeout: float, prefetch_factor: int | None, persistent_workers: bool
    ) -> None:
        """Refuse settings of workers that cannot be."""
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if self.num_workers == 0 and prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing. let "
                "num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
            )
        if self.num_workers == 0 and persistent_workers:
            raise ValueError("persistent_workers option needs num_workers > 0")

    def __setattr__(self, name: str, value: Any) -> None:
        fixed = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset")
        if name in fixed and "collate_fn" in self.__dict__:
            raise ValueError(f"{name} attribute should not be set after DataLoader is initialized")
        object.__setattr__(self, name, value)

    def __iter__(self) -> Iterator[Any]:
        # As torch, which draws a seed for its workers at the start of each pass.
        empty((), dtype=int64).random_(generator=self.generator)
        if self.is_iterable:
            return self._batches_of(iter(self.dataset))
        if self.batch_sampler is None:
            return (self.collate_fn(self.dataset[index]) for index in self.sampler)
        return (self.collate_fn(self._items(indices)) for indices in self.batch_sampler)

    def _items(self, indices: list[int]) -> Any:
        if hasattr(self.dataset, "__getitems__"):
            return self.dataset.__getitems__(indices)
        return [self.dataset[index] for index in indices]

    def _batches_of(self, items: Iterator[Any]) -> Iterator[Any]:
        if self.batch_size is None:
            yield from map(self.collate_fn, items)
            return
        batch = []
        for item in items:
            batch.append(item)
            if len(batch) == self.batch_size:
                yield self.collate_fn(batch)
                batch = []
        if batch and not self.drop_last:
            yield self.collate_fn(batch)

    def __len__(self) -> int:
        if self.is_iterable:
            count = len(self.dataset)
            if self.batch_size is None:
                return count
            size = self.batch_size
            return count // size if self.drop_last else -(-count // size)
        source = self.sampler if self.batch_sampler is None else self.batch_sampler
        return len(source)
