"""Native mode: a recorded step run as machine code, where numba is installed.

Nothing here is imported by ``import gradcore``; ``replay`` loads it when a step asks for it. This
file and ``upgrade`` do without numba; all others are loaded by ``load()``.
"""

from gradcore.native.loading import is_loaded, is_wanted, load, start
from gradcore.native.upgrade import Upgrade

__all__ = ["Upgrade", "is_loaded", "is_wanted", "load", "start"]
