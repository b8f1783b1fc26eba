"""`DistributedSampler`: the share of a data set that one of several processes takes."""

import math
from collections.abc import Iterator, Sized

from gradcore.creation import randperm
from gradcore.distributed import get_rank, get_world_size
from gradcore.random import Generator
from gradcore.utils.data.sampler import Sampler


class DistributedSampler(Sampler[int]):
    """Takes every ``num_replicas``-th item, beginning at ``rank``; all shares are equally long.

    The order is drawn from ``seed`` and the epoch alone, so that all processes agree on it.
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        self.num_replicas = get_world_size() if num_replicas is None else num_replicas
        self.rank = get_rank() if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {self.num_replicas - 1}]"
            )
        self.dataset = dataset
        self.epoch = 0
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        share = len(dataset) / self.num_replicas
        self.num_samples = math.floor(share) if drop_last else math.ceil(share)
        self.total_size = self.num_samples * self.num_replicas

    def __iter__(self) -> Iterator[int]:
        order = list(range(len(self.dataset)))
        if self.shuffle:
            drawn = Generator().manual_seed(self.seed + self.epoch)
            order = randperm(len(self.dataset), generator=drawn).tolist()
        while len(order) < self.total_size:
            order += order[: self.total_size - len(order)]
        return iter(order[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Set what the order is drawn from, so that each epoch has another one."""
        self.epoch = epoch
