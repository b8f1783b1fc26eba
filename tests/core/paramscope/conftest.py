"""Both engines, each with the name ``torch`` for itself: all must say the same on either."""

import os
import sys
from collections.abc import Iterator

import pytest

from paramscope.engine.adapters.base import Adapter
from paramscope.engine.adapters.open import open_adapter

ENGINES = ["gradcore", pytest.param("torch", marks=pytest.mark.torch)]


@pytest.fixture(params=ENGINES)
def adapter(request: pytest.FixtureRequest) -> Iterator[Adapter]:
    """One engine, active: ``import torch`` in a document means it."""
    opened = open_adapter(request.param)
    main, arguments, path = sys.modules["__main__"], sys.argv, list(sys.path)
    folder = os.getcwd()
    opened.activate()
    yield opened
    opened.deactivate()
    os.chdir(folder)
    sys.modules["__main__"], sys.argv = main, arguments
    sys.path[:] = path
