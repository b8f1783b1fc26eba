"""What the rules say of a document, on either engine."""

import pytest

from paramscope.engine.adapters.base import Adapter
from paramscope.engine.session import Session
from paramscope.rules.finding import Finding


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
