"""`python3 tests [--torch] [--long] [pytest arguments]`: sets up once, then runs every test.

Parses on every Python, so that an old one is told what it needs.
"""

import os
import sys

if __name__ == "__main__":
    HERE = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), "gui"))

    from bootstrap.python import require_python

    require_python("tests")

    from pathlib import Path

    from bootstrap.suite import start_tests

    sys.exit(start_tests(Path(HERE), sys.argv[1:]))
