"""`torch.nn.modules.utils`: one number or one for each axis."""

from typing import Any

from gradcore.nn.functional.spatial import ntuple


def _single(value: Any) -> tuple[int, ...]:
    return ntuple(value, 1)


def _pair(value: Any) -> tuple[int, ...]:
    return ntuple(value, 2)


def _triple(value: Any) -> tuple[int, ...]:
    return ntuple(value, 3)


def _quadruple(value: Any) -> tuple[int, ...]:
    return ntuple(value, 4)
