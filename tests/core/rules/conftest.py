"""Both engines, for the rules: each rule must say the same on either."""

from collections.abc import Iterator

import pytest

from paramscope.engine.adapters.base import Adapter
from paramscope.engine.adapters.open import open_adapter
from paramscope.engine.session import Session
from paramscope.rules.finding import Finding


@pytest.fixture(params=["gradcore", pytest.param("torch", marks=pytest.mark.torch)])
def adapter(request: pytest.FixtureRequest) -> Iterator[Adapter]:
    """One engine, active: ``import torch`` in a document means it."""
    opened = open_adapter(request.param)
    opened.activate()
    yield opened
    opened.deactivate()


class Judge:
    """Runs a document for a few steps and returns what the rules say."""

    def __init__(self, adapter: Adapter) -> None:
        self.session = Session(adapter)

    def __call__(self, source: str, steps: int = 5) -> list[Finding]:
        done = self.session.load(source, "<document>")
        for _ in range(steps):
            if done and not self.session.note:
                done = self.session.run_step()
        failure = self.session.failure
        if failure is not None:
            # An error must be one that the rules explain, or are told to keep still about.
            assert failure.findings or "# paramscope: keep" in source, failure
        else:
            self.session.look()
        return list(self.session.findings)


@pytest.fixture
def judge(adapter: Adapter) -> Judge:
    return Judge(adapter)
