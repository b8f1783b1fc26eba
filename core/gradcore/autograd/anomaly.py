"""``detect_anomaly``: backward stops at the first operation whose gradient is nan."""

from gradcore.graph import state


class set_detect_anomaly:
    """Set whether backward looks for nan; as a context manager, for the block only."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = state.anomaly
        state.anomaly = bool(mode) and check_nan

    def __enter__(self) -> None:
        return None

    def __exit__(self, *args: object) -> None:
        state.anomaly = self._before


class detect_anomaly:
    """Let backward look for nan inside the block."""

    def __init__(self, check_nan: bool = True) -> None:
        self._check = check_nan

    def __enter__(self) -> None:
        self._before = state.anomaly
        state.anomaly = self._check

    def __exit__(self, *args: object) -> None:
        state.anomaly = self._before
