"""Replay by NumPy promises the very bits of eager steps, native mode does not: it is kept out."""

import pytest


@pytest.fixture(autouse=True)
def _only_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADCORE_NATIVE", "0")
