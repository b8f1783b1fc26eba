"""Trains an example in a process of its own, unwatched; prints the steps per second.

The neighbour of the figure with the window open: same engine, same number of threads.
"""

import os
import sys
import time

from paramscope.engine.process import NICENESS, worker_environment


def main(name: str, seconds: float) -> None:
    """Train the example ``name``; the first second is left out."""
    # Imported after the number of threads is set, which NumPy reads once.
    os.environ.update(worker_environment(os.environ))
    from paramscope.engine.adapters.open import open_adapter
    from paramscope.engine.session import Session
    from paramscope.lessons.examples import example

    os.nice(NICENESS)
    adapter = open_adapter("gradcore")
    adapter.activate()
    session = Session(adapter, time.monotonic, observed=False, mode="auto")
    found = example(name)
    if not session.load(found.source, found.filename):
        sys.exit(f"{name} does not load: {session.failure}")
    session.run_slice(time.monotonic() + 1.0)
    first, start = session.step, time.monotonic()
    while time.monotonic() < start + seconds:
        session.run_slice(time.monotonic() + 0.01)
        session.take_news()
    print((session.step - first) / (time.monotonic() - start))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
