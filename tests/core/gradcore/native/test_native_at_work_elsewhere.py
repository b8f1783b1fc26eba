"""Spoilt files, full disks and forked processes leave native mode working, or a reason."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("numba")

ROOT = Path(__file__).parents[4]
COMPILE = """
    import numpy as np
    from gradcore.native import basic
    from gradcore.native.machine import address
    x = np.ones(4, np.float32)
    words = np.array([x.__array_interface__["data"][0], 16], np.int64)
    import ctypes
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
    kind(address(basic.clear, np.dtype(np.float32)))(words.ctypes.data, 0)
    print(x.tolist())
"""
FULL = """
    import builtins, errno
    first = builtins.open
    def refuse(file, mode="r", *args, **kwargs):
        if "w" in mode or "x" in mode:
            raise OSError(errno.ENOSPC, "No space left on device")
        return first(file, mode, *args, **kwargs)
    import numba.core.caching as caching
    caching.open = refuse
"""


def run(folder: Path, *parts: str) -> str:
    """Run Python source in a process whose kernels are kept in ``folder``."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(textwrap.dedent(part) for part in parts)],
        env={"PYTHONPATH": str(ROOT / "core"), "PATH": "", "NUMBA_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SPOILT = {
    "cut off": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "something else": lambda content: b"nothing that was ever pickled" * 9,
}


@pytest.mark.parametrize("how", SPOILT)
def test_kernels_on_disk_that_cannot_be_read_are_made_anew(how, tmp_path) -> None:
    assert run(tmp_path, COMPILE) == "[0.0, 0.0, 0.0, 0.0]\n"
    kept = [path for path in tmp_path.rglob("*") if path.suffix in (".nbi", ".nbc")]
    assert kept
    for path in kept:
        path.write_bytes(SPOILT[how](path.read_bytes()))
    assert run(tmp_path, COMPILE) == "[0.0, 0.0, 0.0, 0.0]\n"


def test_a_full_disk_only_means_that_nothing_is_kept(tmp_path) -> None:
    assert run(tmp_path, FULL, COMPILE) == "[0.0, 0.0, 0.0, 0.0]\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_process_forked_while_numba_is_at_work_does_not_wait_for_it(tmp_path) -> None:
    source = """
        import os, threading
        from gradcore.native import loading
        held, end = threading.Event(), threading.Event()

        def work():
            with loading._lock:
                held.set()
                end.wait()

        thread = threading.Thread(target=work)
        thread.start()
        held.wait()
        child = os.fork()
        if not child:
            print(loading.load(), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        end.set()
        thread.join()
    """
    told = run(tmp_path, source)
    assert told == "numba was at work in another thread as this process was forked\n"
