"""One pass of a copy of the model in eval mode: what is random in it, what it reads and changes.

Nothing of the running model is touched: the pass has a copy of it and of its inputs, prints
nothing, and gives the random numbers back. Where the model cannot be copied or called again,
there is simply no such evidence.
"""

import copy
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paramscope.census.evidence import Cut, EvalRecord
from paramscope.census.walk import FoundTensor, Place, Walk, walk_model
from paramscope.engine.adapters.base import Adapter
from paramscope.engine.frames import find_site
from paramscope.engine.operation_names import DROPOUTS

MAX_COPIED_VALUES = 50_000_000
MAX_STATE_VALUES = 1_000_000
_STATES = (Place.ATTRIBUTE, Place.BUFFER_NOT_SAVED)


@dataclass(slots=True)
class Call:
    """How the step has called the model."""

    arguments: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    is_made: bool = False


@contextmanager
def noting_call(model: Any) -> Iterator[Call]:
    """Note the arguments of the last call of ``model`` inside the ``with`` block."""
    call = Call()

    def note(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        call.arguments, call.named, call.is_made = arguments, named, True

    if "_forward_pre_hooks" not in vars(model):
        yield call  # its __init__ never ran: it cannot be called, nor hooked
        return
    handle = model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield call
    finally:
        handle.remove()


def states_of(walk: Walk, adapter: Adapter) -> dict[str, NDArray[Any]]:
    """Copy the values of all plain tensors and unsaved buffers that no gradient reaches."""
    states = {}
    for found in walk.tensors:
        if found.place in _STATES and found.tensor.is_leaf and not found.tensor.requires_grad:
            array = adapter.array(found.tensor)
            if array is not None and array.size <= MAX_STATE_VALUES:
                states[found.path] = array.copy()
    return states


def changed_between(
    first: Mapping[str, NDArray[Any]], second: Mapping[str, NDArray[Any]]
) -> frozenset[str]:
    """Return the paths of the states whose values are not the same in both."""
    return frozenset(
        path
        for path, old in first.items()
        if path in second
        and not np.array_equal(old, second[path], equal_nan=old.dtype.kind in "fc")
    )


def evaluate(
    adapter: Adapter, model: Any, walk: Walk, call: Call, filename: str
) -> EvalRecord | None:
    """Call a copy of ``model`` in eval mode as the step has called it."""
    total = sum(f.tensor.numel() for f in walk.tensors if not adapter.is_uninitialized(f.tensor))
    if not call.is_made or total > MAX_COPIED_VALUES:
        return None
    random_state = adapter.random_state()
    try:
        with (
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
            adapter.no_grad(),
        ):
            warnings.simplefilter("ignore")
            return _run_copy(adapter, model, walk, call, filename)
    except Exception:
        return None  # it cannot be copied, or does not run in eval mode
    finally:
        adapter.restore_random_state(random_state)


def _run_copy(
    adapter: Adapter, model: Any, walk: Walk, call: Call, filename: str
) -> EvalRecord | None:
    # What is no leaf cannot be copied by the engine; its values can.
    memo = {id(f.tensor): f.tensor.detach().clone() for f in walk.tensors if not f.tensor.is_leaf}
    copied = copy.deepcopy(model, memo)
    copied.eval()
    inner = walk_model(copied, adapter)
    for hidden in inner.hidden:
        # The model cannot tell it, which is a mistake of its own; what it does then is none.
        if any(tensor.requires_grad for tensor in hidden.module.parameters()):
            hidden.module.eval()
    before = states_of(inner, adapter)
    listener = _Listener(adapter, inner, filename)

    def fresh(value: Any) -> Any:
        return value.detach().clone() if adapter.is_tensor(value) else value

    arguments = [_mapped(value, fresh) for value in call.arguments]
    named = {name: _mapped(value, fresh) for name, value in call.named.items()}
    with adapter.record(listener):
        copied(*arguments, **named)
    after = states_of(walk_model(copied, adapter), adapter)
    appeared = frozenset(path for path in before if path not in after)
    return EvalRecord(
        read=frozenset(listener.read),
        changed=changed_between(before, after) | appeared,
        dropouts=tuple(listener.dropouts),
    )


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_mapped(item, change) for item in value)
    return change(value)


class _Listener:
    """Notes which tensors of the copy are read, and which dropouts take random numbers."""

    def __init__(self, adapter: Adapter, walk: Walk, filename: str) -> None:
        self.read: set[str] = set()
        self.dropouts: list[tuple[str, Cut]] = []
        self._adapter = adapter
        self._modules = walk.module_paths
        self._filename = filename
        self._known: dict[int, FoundTensor] = {id(f.tensor): f for f in walk.tensors}
        self._random = self._random_bytes()

    def operation(self, name: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        """Note what one operation reads, and whether it is a dropout at work."""
        self.read |= {self._known[id(t)].path for t in inputs if id(t) in self._known}
        if name.startswith("rand") or name in DROPOUTS or name.endswith("_"):
            random = self._random_bytes()
            if name in DROPOUTS and random != self._random:
                site = find_site(self._filename, self._modules, self._adapter.is_module, skip=3)
                self.dropouts.append((site.module or "", Cut(name, site.span)))
            self._random = random

    def _random_bytes(self) -> bytes:
        state = self._adapter.array(self._adapter.torch.get_rng_state())
        return b"" if state is None else state.tobytes()
