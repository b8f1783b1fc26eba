"""What the measured processes have in common."""

import os
from pathlib import Path


def quiet_environ(**more: str) -> dict[str, str]:
    """Return the environment of an ordinary user's process: with byte code kept on disk."""
    away = ("PYTHONDONTWRITEBYTECODE", "COV_CORE_SOURCE", "PARAMSCOPE_ENVIRONMENT_READY")
    kept = {name: value for name, value in os.environ.items() if name not in away}
    return {**kept, **more}


def resident_mebibytes(pid: int) -> float:
    """Return the resident memory of a process (Linux: from /proc)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)
