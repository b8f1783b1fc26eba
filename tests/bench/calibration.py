"""What this machine can do right now: a fixed NumPy kernel and a fixed pure Python loop.

Printed beside every measurement, so that figures of two machines, or of a busy hour and a
quiet one, can be told apart.
"""

import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_info

from figure import Figure

RUNS = 7


def calibrate() -> list[Figure]:
    """Measure both kernels and name the BLAS that NumPy runs on."""
    kernels = ", ".join(
        f"{info['internal_api']} {info['version']} {info.get('architecture', '')}".strip()
        for info in threadpool_info()
        if info["user_api"] == "blas"
    )
    return [
        Figure("calibration: NumPy, 64 small layers", _times(_numpy_kernel), "ms", note=kernels),
        Figure("calibration: Python, 100,000 additions", _times(_python_loop), "ms"),
    ]


def _times(kernel: Callable[[], object]) -> list[float]:
    kernel()
    samples = []
    for _ in range(RUNS):
        start = time.perf_counter()
        kernel()
        samples.append((time.perf_counter() - start) * 1e3)
    return samples


def _numpy_kernel() -> float:
    values = np.linspace(-1, 1, 64 * 128, dtype=np.float32).reshape(64, 128)
    weight = np.eye(128, dtype=np.float32) * np.float32(0.5) + np.float32(0.001)
    for _ in range(64):
        values = np.tanh(values @ weight)
    return float(values.sum())


def _python_loop() -> int:
    total = 0
    for number in range(100_000):
        total += number & 7
    return total
