"""``python -m paramscope``: the same as the command ``paramscope``."""

from paramscope.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
