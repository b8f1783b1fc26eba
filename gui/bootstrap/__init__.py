"""What `python3 gui` and `python3 tests` need before anything is installed.

Standard library only. `python` must parse on any Python, the others on the oldest supported.
"""
