"""Finds every data set of this package by listing its folder."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import paramscope.data
from paramscope.data.description import DataInfo, Rows


@dataclass(frozen=True, slots=True)
class DataSet:
    """One data set: what it says of itself, and its rows.

    ``name`` is the module a document imports: ``from paramscope.data import digits``.
    """

    name: str
    info: DataInfo
    train: Callable[[], Rows]
    test: Callable[[], Rows]
    preview: Callable[[int], Rows]


def data_sets() -> tuple[DataSet, ...]:
    """Return every data set in the order of the names; nothing is read from disk yet.

    >>> [one.info.title for one in data_sets() if one.name == "xor"]
    ['XOR']
    """
    found = []
    for entry in pkgutil.iter_modules(paramscope.data.__path__):
        module = importlib.import_module(f"paramscope.data.{entry.name}")
        if isinstance(info := getattr(module, "INFO", None), DataInfo):
            found.append(DataSet(entry.name, info, module.train, module.test, module.preview))
    return tuple(found)
