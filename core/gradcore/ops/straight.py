"""The gradients of a node by one function without branches, written out once for each plan.

A small network spends most of its backward pass in Python, between the calls of NumPy. What
``unpack`` and ``Operation.vjp`` would find out anew at each node follows from the plan: which saved
values are tensors, and which of them each gradient function takes. Plans that agree in that share
one text. The engine calls the function when it passes arrays on; whatever is rare goes the long
way, through ``unpack``, and so does every error.
"""

import functools
from collections.abc import Callable
from typing import Any

from gradcore.graph import FREED, Node, TensorBase
from gradcore.ops.unpacking import unpack, unpack_tuple

Gradients = Callable[[Node, Any], tuple[Any, ...]]
OUTPUT, TENSOR, INPUT, OTHER = "output", "tensor", "input", "other"
"""Kinds of saved values: an output, an input that is a tensor for sure, one that may be a number,
None or a list of tensors, and whatever is no tensor."""

_UNPACK = {
    OUTPUT: """
    counter = {s}.vc
    if counter is not None and counter.stamp > seq: unpack(node, False)
    {s} = {s}.array""",
    TENSOR: """
    counter = {s}._vc
    if counter is not None and counter.stamp > seq: unpack(node, False)
    {s} = {s}._a""",
    INPUT: """
    if isinstance({s}, TensorBase):
        counter = {s}._vc
        if counter is not None and counter.stamp > seq: unpack(node, False)
        {s} = {s}._a
    elif type({s}) is tuple:
        {s} = unpack_tuple(node, {s}, False)""",
    OTHER: "",
}


def straight_joint(
    function: Callable[..., Any], wants: tuple[int, ...], kinds: tuple[str, ...]
) -> Gradients:
    """Return the same for one function that gives the gradients of all inputs at once."""
    made: Gradients = _maker((wants,), kinds, True)(function)
    return made


def straight(
    functions: tuple[Callable[..., Any], ...],
    wants: tuple[tuple[int, ...], ...],
    kinds: tuple[str, ...],
) -> Gradients:
    """Return ``gradients(node, g)``, which calls each function with the saved values it wants.

    ``wants`` are their places among the saved values, ``kinds`` what those are.
    """
    made: Gradients = _maker(wants, kinds)(*functions)
    return made


@functools.cache
def _maker(
    wants: tuple[tuple[int, ...], ...], kinds: tuple[str, ...], is_joint: bool = False
) -> Callable[..., Any]:
    names = [f"f{i}" for i in range(len(wants))]
    text = "def gradients(node, g):"
    if kinds:
        # A single saved value is kept twice: see ``Operation._place_saved``.
        saved = ", ".join(f"s{i}" for i in range(len(kinds))) if len(kinds) > 1 else "s0, _"
        text += f"""
    saved = node.saved
    if saved is FREED or node.poison: unpack(node, False)
    {saved} = saved
    seq = node.seq"""
        text += "".join(_UNPACK[kind].format(s=f"s{i}") for i, kind in enumerate(kinds))
    given = ["g", "tuple([edge is not None for edge in node.edges])"] if is_joint else ["g"]
    calls = [
        f"{name}({', '.join([*given, *(f's{i}' for i in places)])})"
        for name, places in zip(names, wants, strict=True)
    ]
    text += f"\n    return {', '.join(calls)}" + ("" if is_joint else ",")
    text = f"def make({', '.join(names)}):\n" + text.replace("\n", "\n ").join([" ", "\n"])
    text += " return gradients"
    space: dict[str, Any] = {
        "FREED": FREED, "TensorBase": TensorBase, "unpack": unpack, "unpack_tuple": unpack_tuple,
    }  # fmt: skip
    exec(compile(text, "<gradients>", "exec"), space)
    made: Callable[..., Any] = space["make"]
    return made
