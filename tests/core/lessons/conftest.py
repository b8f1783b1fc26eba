"""Fixtures of examples and lessons: a session on either engine."""

import importlib
import sys
from collections.abc import Iterator

import pytest

from paramscope.engine.adapters.open import open_adapter
from paramscope.engine.session import Session

ENGINES = ["gradcore", pytest.param("torch", marks=pytest.mark.torch)]


@pytest.fixture(params=ENGINES)
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """An empty session; ``import torch`` in a document means its engine."""
    adapter = open_adapter(request.param)
    main, arguments, path = sys.modules["__main__"], sys.argv, list(sys.path)
    adapter.activate()
    if request.param == "torch":
        # As the worker does: threads that spin for small tensors take ten times as long.
        importlib.import_module("torch").set_num_threads(1)
    yield Session(adapter)
    adapter.deactivate()
    sys.modules["__main__"], sys.argv = main, arguments
    sys.path[:] = path
