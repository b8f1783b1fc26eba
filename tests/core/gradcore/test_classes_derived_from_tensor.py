"""A class derived from Tensor keeps its class through operations, and may answer for them."""

import subprocess
import sys
from pathlib import Path

CORE = Path(__file__).parents[3] / "core"

SCRIPT = """
import {library} as torch
from {library} import nn

class Marked(torch.Tensor):
    pass

class Counting(torch.Tensor):
    names = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.names.append(func.__name__)
        return super().__torch_function__(func, types, args, kwargs or {{}})

a = torch.ones(2).as_subclass(Marked)
made = [a + 1, 2 * a, torch.ones(2) * a, a[0], a.T, torch.cat([a, a]), nn.functional.relu(a)]
print([type(x).__name__ for x in made], type(a.max(0)).__name__, type(a.max(0)[0]).__name__)
print(a, type(torch.ones(2) + 1).__name__, type(nn.Parameter(torch.ones(1)) * 2).__name__)

x = torch.ones(2, requires_grad=True)
(x.as_subclass(Marked) * 3).sum().backward()
print(x.grad)

c = torch.ones(2).as_subclass(Counting)
torch.add(c, 1)
c.sum()
print(Counting.names)

class Other:
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return func.__name__

print(torch.mean(Other()), torch.overrides.has_torch_function((Other(),)))
"""
EXPECTED = """\
['Marked', 'Marked', 'Marked', 'Marked', 'Marked', 'Marked', 'Marked'] max Marked
Marked([1., 1.]) Tensor Tensor
tensor([3., 3.])
['add', 'sum']
mean True
"""


def test_derived_class_is_kept_and_asked():
    # In a process of its own: the first derived class changes the public functions.
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(library="gradcore")],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(CORE)},
        timeout=60,
        check=False,
    )
    assert done.stdout == EXPECTED, done.stderr
