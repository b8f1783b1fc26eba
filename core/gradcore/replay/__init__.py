"""Replay: a training step recorded once and run again without its Python.

``compiled`` decides what runs and guards it; ``captured`` lists what a step reads from outside;
``recording`` makes a ``program`` of a real step, and ``generate`` a function of a program.
"""

from gradcore.replay.compiled import Compiled, compile

__all__ = ["Compiled", "compile"]
