"""Turns a relu before a max pool into one after it, where there are fewer values.

Of a window, the largest value is the same whether the negative ones are set to zero before or
afterwards; and where nothing in it is positive, no gradient passes, whichever place was chosen. So
the bits stay the same. It works on the calls of operations, before they are inlined.
"""

from collections import defaultdict

from gradcore.ops.elementwise import relu
from gradcore.ops.pooling import max_pool
from gradcore.replay.program import Call, Program, Value, members, returned_values

_RELU, _POOL = relu.operation.kernel, max_pool.operation.kernel
_RELU_BACK, _POOL_BACK = relu.operation.gradients["input"], max_pool.operation.joint


def pool_first(program: Program) -> None:
    """Let pools come before the relus whose values nobody else looks at."""
    users: dict[Value, list[Call]] = defaultdict(list)
    for call in program.calls:
        for value in {*members((call.arguments, *call.options.values())), call.writes}:
            if value is not None:
                users[value].append(call)
    kept = {one.value for one in program.gradients} | {*returned_values(program.returned)}
    for call in list(program.calls):
        if call.function is _RELU and not call.options and isinstance(call.results, Value):
            _turn(program, call, users, kept)


def _turn(program: Program, before: Call, users: dict[Value, list[Call]], kept: set[Value]) -> None:
    """Move one relu behind its pool, and its gradient before that of the pool."""
    y = before.results
    pools = [one for one in users[y] if one.function is _POOL and one.arguments[0] == y]
    backs = [one for one in users[y] if one.function is _RELU_BACK and one.arguments[1] == y]
    if len(pools) != 1 or len(backs) > 1 or len(users[y]) != 1 + len(backs) or y in kept:
        return
    pool = pools[0]
    best, chosen = pool.results
    if chosen in kept or best is None:
        return
    unpools = users[chosen] if chosen is not None else []
    if any(one.function is not _POOL_BACK for one in unpools) or len(unpools) != len(backs):
        return
    if backs:
        unpool, back = unpools[0], backs[0]
        inner = unpool.results[0]
        if back.arguments[0] != inner or len(users[inner]) != 1 or inner in kept:
            return
        masked = _new(program)
        into, *others = unpool.arguments[0]
        at = _place_of(unpool, program.calls)
        program.calls.insert(at, Call(_RELU_BACK, (into, best), masked))
        unpool.arguments = ([masked, *others], *unpool.arguments[1:])
        unpool.results = (back.results,)
        del program.calls[_place_of(back, program.calls)]
    largest = _new(program)
    pool.arguments = (before.arguments[0], *pool.arguments[1:])
    pool.results = (largest, chosen)
    program.calls.insert(_place_of(pool, program.calls) + 1, Call(_RELU, (largest,), best))
    del program.calls[_place_of(before, program.calls)]


def _new(program: Program) -> Value:
    program.count += 1
    return Value(program.count - 1)


def _place_of(call: Call, calls: list[Call]) -> int:
    # Equal ones may be others; and what they hold cannot always be compared.
    return next(place for place, one in enumerate(calls) if one is call)
