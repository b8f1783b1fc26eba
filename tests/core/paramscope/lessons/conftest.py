"""Fixtures of examples and lessons: a session on either engine."""

import importlib

import pytest

from paramscope.engine.adapters.base import Adapter
from paramscope.engine.session import Session


@pytest.fixture
def session(adapter: Adapter) -> Session:
    """An empty session; ``import torch`` in a document means its engine."""
    if adapter.name == "torch":
        # As the worker does: threads that spin for small tensors take ten times as long.
        importlib.import_module("torch").set_num_threads(1)
    return Session(adapter)
