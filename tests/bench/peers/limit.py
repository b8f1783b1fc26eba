"""What the machine allows: the products of a step as NumPy multiplies them, and nothing else.

Every library has to do them; where this column is above a goal, the processor stands before it and
not what surrounds the products. A step of an optimizer has none: there the three blocks that it
writes are copied, and little less can pass through memory.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from peers.peer import Peer, UnfitError
from workloads import Problem, Product, Workload

WRITTEN = 3  # blocks an Adam step writes: the parameters and two moments


class Limit(Peer):
    """NumPy's products of one step, forward and backward, each on contiguous matrices."""

    name = "products alone"

    def make(self, key: str, workload: type[Workload], problem: Problem) -> Callable[[], Any]:
        if workload.products:
            todo = [call for product in workload.products for call in _with_backward(product)]
        elif problem.gradients:
            size = sum(gradient.size for gradient in problem.gradients)
            todo = [(np.copyto, _zeros(size), _zeros(size), None) for _ in range(WRITTEN)]
        else:
            raise UnfitError("its products say nothing about its time")

        def step() -> None:
            for function, left, right, out in todo:
                if out is None:
                    function(left, right)
                else:
                    function(left, right, out)

        return step

    def losses(self, step: Callable[[], Any], count: int) -> list[float]:
        step()
        return []  # it learns nothing


def _with_backward(product: Product) -> list[tuple[Any, ...]]:
    """Return the product with those for the gradients of its two factors."""
    stack, rows, inner, columns, is_first, in_time = product
    shapes = [(stack, rows, inner, columns)]
    if not is_first:
        shapes.append((stack, rows, columns, inner))
    # A recurrent weight's gradient can wait until all steps are there, and be one product.
    shapes.append((1, inner, rows * stack, columns) if in_time else (stack, inner, rows, columns))
    calls: list[tuple[Any, ...]] = []
    for n, m, k, p in shapes:
        if in_time and n > 1:
            one = np.matmul, _zeros(m, k), _zeros(k, p), _zeros(m, p)
            calls += [one] * n
        else:
            calls.append((np.matmul, _zeros(n, m, k), _zeros(n, k, p), _zeros(n, m, p)))
    return calls


def _zeros(*shape: int) -> Any:
    # Written, so that its pages are there; the time of a product does not depend on its numbers.
    return np.full(shape, 0.5, np.float32)
