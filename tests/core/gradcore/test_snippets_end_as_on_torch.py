"""Snippets in the manner of PyTorch's own tests end the same here: values, dtypes, text, refusals.

Each file of `snippets/` begins with what all of its snippets may use, up to a line `#####`. After
that a blank line parts the snippets; in `lines_*.txt` every line is one. What counts of a snippet
is the value of its last expression and what it printed, or the class of its error and the first
words of the message.
"""

import ast
import contextlib
import io
import math
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import gradcore
from gradcore.graph import TensorBase

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)


def snippets():
    for path in sorted((Path(__file__).parent / "snippets").glob("*.txt")):
        head, _, body = path.read_text(encoding="utf-8").partition("#####\n")
        apart = r"\n" if path.stem.startswith("lines_") else r"\n\s*\n"
        for text in re.split(apart, body):
            if text.strip():
                title = " ".join(text.split())
                yield pytest.param(head, text.strip("\n"), id=f"{path.stem}: {title[:70]}")


def plain(value):
    """Return a value as numbers, texts and lists that can be compared between the libraries."""
    if isinstance(value, (torch.Tensor, TensorBase)):
        kind, needs = str(value.dtype), value.requires_grad
        return [type(value).__name__, kind, tuple(value.shape), needs, value.detach().tolist()]
    if isinstance(value, (torch.nn.Module, gradcore.nn.Module)):
        return repr(value)
    if isinstance(value, dict):
        return [type(value).__name__, [[key, plain(item)] for key, item in value.items()]]
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, [plain(item) for item in value]]
    if isinstance(value, np.ndarray):
        return [str(value.dtype), value.tolist()]
    if value is None or isinstance(value, (bool, int, float, complex, str)):
        return value
    return re.sub(r"0x[0-9a-f]+", "0x", repr(value)).replace("gradcore.", "torch.")


def is_close(a, b):
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(is_close, a, b))
    if isinstance(a, complex) and isinstance(b, complex):
        return is_close([a.real, a.imag], [b.real, b.imag])
    if isinstance(a, float) and isinstance(b, float) and not (math.isnan(a) or math.isinf(a)):
        return math.isclose(a, b, rel_tol=2e-4, abs_tol=1e-6)
    return a == b or (a != a and b != b)


def outcome(lib, head, text):
    """Return what a snippet came to: its value and what it printed, or its error."""
    names = {"torch": lib, "T": lib, "nn": lib.nn, "F": lib.nn.functional, "math": math, "np": np}
    names["__name__"] = "snippet"
    lib.manual_seed(0)
    printed = io.StringIO()
    value = None
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
            warnings.simplefilter("ignore")
            exec(compile(head, "<head>", "exec"), names)
            tree = ast.parse(text)
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, "<snippet>", "exec"), names)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), "<snippet>", "eval"), names)
            return ("value", plain(value), printed.getvalue())
    except Exception as error:
        first = str(error).partition("\n")[0]
        return ("error", type(error), re.findall(r"[A-Za-z_]+", first)[:3])
    finally:
        lib.set_default_dtype(lib.float32)
        lib.set_printoptions(profile="default")
        lib.set_grad_enabled(True)


@pytest.mark.parametrize(("head", "text"), list(snippets()))
def test_snippet_ends_as_on_torch(head, text):
    kind, wanted, more = outcome(torch, head, text)
    found_kind, found, found_more = outcome(gradcore, head, text)
    assert found_kind == kind, (found, found_more)
    if kind == "error":
        assert wanted.__name__ in [kind.__name__ for kind in found.__mro__]
        assert found_more == more
    else:
        assert is_close(wanted, found), f"{wanted}\n{found}"
        assert re.sub(r"0x[0-9a-f]+", "0x", found_more) == re.sub(r"0x[0-9a-f]+", "0x", more)
