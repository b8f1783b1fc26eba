"""What makes the worker a good guest: low priority, no orphans, nothing left when it dies."""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping

THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
NICENESS = 10
_PR_SET_PDEATHSIG = 1


def worker_environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker: one thread fewer than cores, so one stays free.

    It must be set before NumPy or PyTorch is loaded. What the user has set is left alone.
    """
    environment = dict(base)
    threads = str(max(1, (os.cpu_count() or 2) - 1))
    for name in THREAD_VARIABLES:
        environment.setdefault(name, threads)
    # A worker has no window: plots of the user's code are drawn nowhere, and stop nothing.
    environment.setdefault("MPLBACKEND", "agg")
    environment["PYTHONIOENCODING"] = "utf-8"
    environment["PYTHONUNBUFFERED"] = "1"
    return environment


def become_polite(parent: int) -> None:
    """Lower this process's priority, and have it die with ``parent`` even while stopped."""
    if hasattr(os, "nice"):
        try:
            os.nice(NICENESS)
        except OSError:
            pass  # a sandbox may forbid it; the training then only has the usual priority
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent and os.getppid() != parent:
        os._exit(0)  # it died before the line above
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("500")  # out of memory, this process goes before the window
    except OSError:
        pass


def end_with_children() -> None:
    """End this process at once, with every process that the user's code has started."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)
