"""`python3 gui [FILE] [--demo]`: sets up once, then starts the window.

Parses on every Python, so that an old one is told what it needs.
"""

import sys

if __name__ == "__main__":
    from bootstrap.python import require_python

    require_python("gui")

    from pathlib import Path

    from bootstrap.start import start_window

    sys.exit(start_window(Path(__file__).resolve().parent, sys.argv[1:]))
