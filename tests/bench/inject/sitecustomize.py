"""Lets `python3 gui` start as always, with a probe beside its event loop.

Python imports a module of this name from PYTHONPATH at start; only `window.py` of the bench puts
this folder there. When Qt's widgets are imported, `QApplication.exec` is given the probe.
"""

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import ModuleType


class ProbeFinder(importlib.abc.MetaPathFinder):
    """Finds Qt's widgets as always, and adds the probe once they are loaded."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the ordinary spec of PySide6.QtWidgets with a loader that adds the probe."""
        if name != "PySide6.QtWidgets":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_probe(module: ModuleType) -> None:
                execute(module)
                import window_probe  # needs Qt

                window_probe.attach(module)

            spec.loader.exec_module = execute_and_probe  # type: ignore[method-assign]  # this one only
        return spec


if os.environ.get("PARAMSCOPE_BENCH"):
    sys.meta_path.insert(0, ProbeFinder())
