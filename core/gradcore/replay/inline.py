"""Replaces calls of kernels and gradient functions by the NumPy calls that they make.

Each function is run once more on stand-ins for its arrays, which note what is done with them. A
function that does what stand-ins cannot follow (it branches on values, or hands an array to C code)
stays one call. So does one whose noted calls do not give the very same bits.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcore.graph import TensorBase
from gradcore.replay.commuting import pool_first
from gradcore.replay.program import Call, Program, Value, members

_METHODS = {
    "astype", "copy", "dot", "max", "mean", "min", "prod", "ravel", "repeat", "reshape", "squeeze",
    "sum", "swapaxes", "take", "transpose", "conj", "view",
}  # fmt: skip
_FACTS = {"shape", "ndim", "dtype", "size", "itemsize", "strides", "flags", "nbytes"}
_FUNCTIONS = {
    np.where, np.concatenate, np.stack, np.broadcast_to, np.dot, np.empty_like, np.zeros_like,
    np.ones_like, np.full_like, np.moveaxis, np.swapaxes, np.transpose, np.squeeze,
    np.expand_dims, np.tensordot, np.einsum, np.take_along_axis, np.clip, np.take, np.sum, np.mean,
    np.reshape, np.ravel, np.flip, np.tril, np.triu, np.repeat, np.split, np.cumsum, np.amax,
}  # fmt: skip
_WRITING = {np.copyto, np.put_along_axis}


class UntraceableError(Exception):
    """A function does something with its arrays that cannot be noted."""


def expect(value: Any, found: bool) -> None:
    """Refuse to go on where a value leads another way than in the recording."""
    if bool(value) is not found:
        raise UntraceableError


class _Trace:
    """The calls noted so far, and the numbers of new values."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.calls: list[Call] = []
        self.made: dict[Value, Any] = {}

    def note(
        self, function: Callable[..., Any], args: Any, options: Any, writes: Any = None
    ) -> Any:
        """Do and note one call; return its results as stand-ins."""
        result = function(*_arrays(args), **_arrays(options))
        given, named = self._values(args), self._values(options)
        if writes is not None:
            self.calls.append(Call(function, given, None, writes._value, named))
            return writes
        stand_in = self.stand_in(result)
        self.calls.append(Call(function, given, self._values(stand_in), None, named))
        return stand_in

    def stand_in(self, result: Any) -> Any:
        """Return stand-ins for new arrays."""
        if isinstance(result, (np.ndarray, np.generic)):
            value = Value(self.program.count)
            self.program.count += 1
            self.made[value] = result
            return StandIn(self, result, value)
        if type(result) in (tuple, list) and result:
            return tuple([self.stand_in(item) for item in result])
        raise UntraceableError

    def _values(self, item: Any) -> Any:
        if type(item) is StandIn:
            return item._value
        if type(item) in (tuple, list):
            return type(item)([self._values(part) for part in item])
        if type(item) is dict:
            return {key: self._values(part) for key, part in item.items()}
        if type(item) is slice and any(type(one) is StandIn for one in (item.start, item.stop)):
            raise UntraceableError
        return item


def _arrays(item: Any) -> Any:
    if type(item) is StandIn:
        return item._array
    if type(item) in (tuple, list):
        return type(item)([_arrays(part) for part in item])
    if type(item) is dict:
        return {key: _arrays(part) for key, part in item.items()}
    return item


class StandIn(np.lib.mixins.NDArrayOperatorsMixin):
    """What a traced function gets for an array: it does all an array does, or refuses."""

    def __init__(self, trace: _Trace, array: Any, value: Value) -> None:
        self._trace = trace
        self._array = array
        self._value = value

    @property  # type: ignore[misc]  # object's own can be set
    def __class__(self) -> Any:
        # Functions ask whether they were given an array; a stand-in counts as one.
        return np.ndarray

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method not in ("__call__", "reduce"):
            raise UntraceableError
        function = ufunc if method == "__call__" else ufunc.reduce
        out = options.get("out")
        if out is None or out[0] is None:
            return self._trace.note(function, inputs, options)
        if len(out) != 1 or type(out[0]) is not StandIn:
            raise UntraceableError
        return self._trace.note(function, inputs, {**options, "out": out[0]}, out[0])

    def __array_function__(self, function: Any, kinds: Any, args: Any, options: Any) -> Any:
        if function in _WRITING and type(args[0]) is StandIn:
            self._trace.note(function, args, options, args[0])
            return None
        if function is np.result_type:
            return function(*_arrays(args), **_arrays(options))
        if function not in _FUNCTIONS or "out" in options:
            raise UntraceableError
        return self._trace.note(function, args, options)

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise UntraceableError

    def __getitem__(self, key: Any) -> Any:
        return self._trace.note(operator.getitem, (self, key), {})

    def __setitem__(self, key: Any, value: Any) -> None:
        self._trace.note(operator.setitem, (self, key, value), {}, self)

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Any:
        raise UntraceableError

    def __bool__(self) -> bool:
        # A branch on a value: the replayed step takes it again, or is given up.
        found = bool(self._array)
        self._trace.calls.append(Call(expect, (self._value, found), None))
        return found

    def __float__(self) -> float:
        raise UntraceableError

    __int__ = __index__ = __complex__ = __float__

    def __getattr__(self, name: str) -> Any:
        if name in _FACTS:
            return getattr(self._array, name)
        if name == "T":
            return self._trace.note(np.ndarray.transpose, (self,), {})
        if name in _METHODS and type(self._array) is np.ndarray:
            function = getattr(np.ndarray, name)
            return lambda *args, **options: self._method(function, args, options)
        raise UntraceableError

    def follow(self, function: Any, args: Any) -> Any:
        """Note a call of a function of gradcore's that is worth a call of its own."""
        return self._trace.note(function, args, {})

    def _method(self, function: Any, args: Any, options: Any) -> Any:
        if "out" in options:
            raise UntraceableError
        return self._trace.note(function, (self, *args), options)


class Inliner:
    """Runs a program call by call, on given arrays, and rewrites it as it goes."""

    def __init__(self, program: Program, inputs: Sequence[Any]) -> None:
        self.program = program
        self.arrays: dict[Value, Any] = dict(program.constants)
        self._aliases: dict[Value, Value] = {}
        written = {call.writes for call in program.calls}
        for value, number in program.inputs.items():
            given = inputs[number]
            a = given._a if isinstance(given, TensorBase) else given
            self.arrays[value] = a.copy() if value in written else a
        for value, t in program.captured.items():
            # What is captured and written must not be written twice for one step.
            self.arrays[value] = t._a.copy() if value in written else t._a

    def run(self) -> None:
        """Rewrite the program."""
        pool_first(self.program)
        calls: list[Call] = []
        for call in self.program.calls:
            renamed = self._renamed(call)
            calls += self._as_arrays(renamed)
            calls += self._inlined(renamed)
        self.program.calls = calls
        self.program.layouts = {
            value: (array.shape, array.dtype, array.flags.c_contiguous)
            for value, array in self.arrays.items()
            if type(array) is np.ndarray
        }
        self.program.strides = {
            value: array.strides
            for value, array in self.arrays.items()
            if type(array) is np.ndarray
        }
        self.program.roots = _roots(self.arrays)
        for one in self.program.gradients:
            one.value = self._aliases.get(one.value, one.value)
        self.program.rename(self._aliases)

    def _renamed(self, call: Call) -> Call:
        arguments = self._replace(call.arguments, self._aliases)
        return Call(call.function, arguments, call.results, call.writes, call.options)

    def _as_arrays(self, call: Call) -> list[Call]:
        """Let a function get arrays without axes where NumPy made numbers of them.

        An operation's result is a tensor's array, whatever NumPy returned; only ufuncs do not mind.
        """
        made: list[Call] = []
        if isinstance(call.function, np.ufunc) or call.function is expect:
            return made
        for value in members(call.arguments):
            if isinstance(self.arrays[value], np.generic):
                array = Value(self.program.count)
                self.program.count += 1
                made.append(Call(np.asarray, (value,), array))
                self.arrays[array] = np.asarray(self.arrays[value])
                call.arguments = self._replace(call.arguments, {value: array})
        return made

    def _replace(self, item: Any, by: dict[Value, Any]) -> Any:
        if isinstance(item, Value):
            return by.get(item, item)
        if type(item) in (tuple, list):
            return type(item)([self._replace(part, by) for part in item])
        return item

    def _inlined(self, call: Call) -> list[Call]:
        if getattr(call.function, "is_question", False):
            # The values to ask of are those of the step, of which some have been moved since.
            self._keep(call.results, None)
            return [call]
        arguments = self._replace(call.arguments, self.arrays)
        if call.writes is not None:
            call.function(*arguments, **call.options)
            return [call]
        direct = call.function(*arguments, **call.options)
        calls = self._traced(call, direct)
        if calls is None:
            self._keep(call.results, direct)
            return [call]
        return calls

    def _keep(self, results: Any, arrays: Any) -> None:
        if isinstance(results, Value):
            self.arrays[results] = arrays
        elif results:
            for value, array in zip(results, arrays, strict=True):
                if value is not None:
                    self.arrays[value] = array

    def _traced(self, call: Call, direct: Any) -> list[Call] | None:
        """Return the calls that a function makes; None where it cannot be followed."""
        trace = _Trace(self.program)
        count = self.program.count
        stands = {
            value: StandIn(trace, array, value)
            for value in members(call.arguments)
            if isinstance(array := self.arrays[value], (np.ndarray, np.generic))
        }
        try:
            result = call.function(*self._replace(call.arguments, stands), **call.options)
        except Exception:
            # Whatever a stand-in made go wrong: the call itself has just gone well.
            result = None
        single = isinstance(call.results, Value)
        wanted = [call.results] if single else list(call.results)
        found = [result] if single else list(result) if type(result) in (tuple, list) else []
        plain = [direct] if single else list(direct)
        if len(wanted) != len(found) or len(trace.calls) > 200:
            self.program.count = count
            return None
        pairs = [one for one in zip(wanted, found, plain, strict=True) if one[0] is not None]
        if not all(type(new) is StandIn and _alike(new._array, old) for _, new, old in pairs):
            self.program.count = count
            return None
        for value, new, _ in pairs:
            self._aliases[value] = new._value
        self.arrays.update(trace.made)
        return trace.calls


def _roots(arrays: dict[Value, Any]) -> dict[Value, int]:
    """Return a number for each array: the same where two share memory."""
    spans = sorted(
        (*np.lib.array_utils.byte_bounds(array), value.index)
        for value, array in arrays.items()
        if type(array) is np.ndarray
    )
    roots: dict[Value, int] = {}
    number = end = 0
    for low, high, index in spans:
        if low >= end:
            number += 1
        end = max(end, high)
        roots[Value(index)] = number
    return roots


def _alike(a: Any, b: Any) -> bool:
    """Tell whether two results have the same bits in the same layout."""
    if isinstance(b, TensorBase) or type(a) is not type(b):
        return False
    same = a.shape == b.shape and a.dtype == b.dtype and a.strides == b.strides
    return bool(same and a.tobytes() == b.tobytes())
