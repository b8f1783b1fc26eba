"""`python3 tests/bench [WHAT ...] [--json FILE]`: how fast, beside what this machine can do.

Parses on every Python, so that an old one is told what it needs.
"""

import os
import sys

if __name__ == "__main__":
    HERE = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "gui"))

    from bootstrap.python import require_python

    require_python("tests/bench")

    from pathlib import Path

    from run_bench import main

    sys.exit(main(Path(HERE), sys.argv[1:]))
