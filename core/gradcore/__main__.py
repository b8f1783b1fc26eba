"""`python -m gradcore FILE.py [arguments]`: runs a PyTorch script without PyTorch.

Inside the script `import torch` means gradcore. All else is as when Python runs it:
`__main__`, `sys.argv`, the script's folder first on the path, and the exit code. A traceback
shows the script's own lines; with GRADCORE_TRACEBACK=full in the environment it shows
gradcore's too.
"""

import os
import sys
from types import ModuleType, TracebackType

from gradcore import compat

USAGE = """usage: python -m gradcore FILE.py [arguments]

Runs a PyTorch script with `import torch` meaning gradcore.
GRADCORE_TRACEBACK=full shows gradcore's own lines in tracebacks too."""
_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep
_ORIGINAL_HOOK = sys.excepthook


def main(arguments: list[str]) -> int:
    """Run the script that the arguments name."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    path = arguments[0]
    if path.startswith("-"):
        print(f"gradcore: unknown option {path}\n{USAGE}", file=sys.stderr)
        return 2
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        print(f"gradcore: can't open file '{path}': {error}", file=sys.stderr)
        return 2
    sys.excepthook = _show
    sys.argv[:] = arguments
    code = compile(source, path, "exec", dont_inherit=True)
    compat.install()
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    script = ModuleType("__main__")
    script.__file__ = path
    script.__builtins__ = sys.modules["builtins"]  # type: ignore[attr-defined]  # as Python's own
    sys.modules["__main__"] = script
    exec(code, script.__dict__)
    return 0


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an uncaught error without the lines that are not the user's."""
    if os.environ.get("GRADCORE_TRACEBACK") != "full":
        seen: set[int] = set()
        pending: list[BaseException | None] = [error]
        while pending:
            one = pending.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            one.__traceback__ = _trimmed(one.__traceback__)
            pending += [one.__cause__, one.__context__]
    _ORIGINAL_HOOK(kind, error, error.__traceback__)


def _trimmed(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of the runner and of gradcore."""
    kept = []
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith((_OWN_FOLDER, "<frozen runpy", "<frozen importlib")):
            kept.append(trace)
        trace = trace.tb_next
    result: TracebackType | None = None
    for item in reversed(kept):
        result = TracebackType(result, item.tb_frame, item.tb_lasti, item.tb_lineno)
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
