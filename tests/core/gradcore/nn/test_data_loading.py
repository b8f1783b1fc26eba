"""Data sets, samplers and the loader."""

import numpy as np
import pytest

import gradcore as torch
from gradcore.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    random_split,
)


class Squares(Dataset):
    def __getitem__(self, index):
        return {"x": index, "y": float(index) ** 2, "name": str(index)}

    def __len__(self):
        return 5


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(5))


def test_batches_are_stacked_by_what_they_hold():
    first, second, last = DataLoader(Squares(), batch_size=2)
    assert first["x"].tolist() == [0, 1]
    assert second["y"].dtype is torch.float64
    assert last["name"] == ["4"]


def test_last_incomplete_batch_can_be_dropped():
    loader = DataLoader(Squares(), batch_size=2, drop_last=True)
    assert len(loader) == 2
    assert len(list(loader)) == 2


def test_arrays_and_tensors_are_stacked():
    items = [(torch.ones(2), np.zeros(3, np.float32), 1) for _ in range(4)]
    tensors, arrays, numbers = next(iter(DataLoader(items, batch_size=4)))
    assert tensors.shape == (4, 2)
    assert arrays.dtype is torch.float32
    assert numbers.tolist() == [1, 1, 1, 1]


def test_streams_are_cut_into_batches():
    assert [batch.tolist() for batch in DataLoader(Stream(), batch_size=3)] == [[0, 1, 2], [3, 4]]


def test_shuffling_takes_each_item_once_and_follows_the_seed():
    data = TensorDataset(torch.arange(10))

    def order():
        torch.manual_seed(3)
        return [x.item() for (x,) in DataLoader(data, shuffle=True)]

    assert sorted(order()) == list(range(10))
    assert order() == order()


def test_split_parts_are_disjoint_and_follow_fractions():
    parts = random_split(range(10), [0.7, 0.3], generator=torch.Generator().manual_seed(1))
    assert [len(part) for part in parts] == [7, 3]
    assert sorted(item for part in parts for item in part) == list(range(10))


def test_sets_can_be_joined_and_cut():
    joined = ConcatDataset([range(3), range(10, 12)])
    assert [joined[i] for i in range(len(joined))] == [0, 1, 2, 10, 11]
    assert [Subset(joined, [4, 0])[i] for i in range(2)] == [11, 0]


def test_weights_decide_what_is_drawn():
    assert set(WeightedRandomSampler([0.0, 1.0, 0.0], 20)) == {1}


def test_batch_sampler_groups_indices():
    assert list(BatchSampler(SequentialSampler(range(5)), 2, False)) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_workers": -1}, "num_workers option should be non-negative"),
        ({"sampler": [0], "shuffle": True}, "sampler option is mutually exclusive with shuffle"),
        ({"batch_size": 0}, "batch_size should be a positive integer value, but got batch_size=0"),
    ],
)
def test_contradicting_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DataLoader(range(3), **settings)


@pytest.mark.torch
def test_order_is_that_of_torch():
    real = pytest.importorskip("torch", reason="PyTorch is not installed")
    from torch.utils.data import DataLoader as RealLoader

    def order(library, loader):
        library.manual_seed(11)
        return [batch.tolist() for batch in loader(range(12), batch_size=5, shuffle=True)]

    assert order(torch, DataLoader) == order(real, RealLoader)
