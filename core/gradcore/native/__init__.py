"""Native mode: a recorded step run as machine code, where numba is installed.

Nothing here is imported by ``import gradcore``; ``replay`` loads it when a step asks for it.
"""
