"""Finds every lesson of this package by listing its folder."""

import importlib
import pkgutil
from functools import cache

import paramscope.lessons
from paramscope.lessons.lesson import Lesson

FIRST = ("forgotten_tensor", "plain_bias", "bad_model", "four_phases", "two_layers")
"""The order for a newcomer; any other lesson follows by name."""


@cache
def lessons() -> dict[str, Lesson]:
    """Return every lesson by the name of its file, the first for a newcomer first.

    >>> next(iter(lessons().values())).title
    'Forgotten tensor'
    """
    found: dict[str, Lesson] = {}
    for entry in pkgutil.iter_modules(paramscope.lessons.__path__):
        module = importlib.import_module(f"paramscope.lessons.{entry.name}")
        if isinstance(lesson := getattr(module, "LESSON", None), Lesson):
            found[entry.name] = lesson
    order = {name: place for place, name in enumerate(FIRST)}
    names = sorted(found, key=lambda name: (order.get(name, len(FIRST)), name))
    return {name: found[name] for name in names}
