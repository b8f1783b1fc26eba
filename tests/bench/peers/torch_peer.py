"""PyTorch: eager, eager with its fused Adam, and compiled."""

import importlib
import os
import shutil
from collections.abc import Callable
from typing import Any

from peers.peer import MissingError, Peer, UnfitError
from workloads import AdamAlone, DemoMLP, Problem, Trained, Workload


class Torch(Peer):
    """The eager step, to which all are related."""

    name = "torch"

    def __init__(self) -> None:
        try:
            self.torch = importlib.import_module("torch")
        except ImportError:
            raise MissingError("torch is not installed") from None
        self.torch.set_num_threads(1)

    def make(self, key: str, workload: type[Workload], problem: Problem) -> Callable[[], Any]:
        self.made = workload(self.torch)
        return self.made.update

    def number(self, loss: Any) -> float:
        return self.made.number(loss)


class FusedTorch(Torch):
    """The same with ``Adam(fused=True)``, which walks over all parameters in one kernel."""

    name = "torch fused Adam"

    def make(self, key: str, workload: type[Workload], problem: Problem) -> Callable[[], Any]:
        if not issubclass(workload, (DemoMLP, AdamAlone)):
            raise UnfitError("a baseline for the rows where the optimizer weighs")
        self.made = workload(self.torch, fused=True)
        return self.made.update


class CompiledTorch(Torch):
    """``torch.compile`` of the loss; backward and optimizer are called as usual."""

    name = "torch.compile"

    def __init__(self) -> None:
        super().__init__()
        compiler = os.environ.get("CXX", "g++")
        if not shutil.which(compiler):
            raise MissingError(f"torch.compile needs a C++ compiler; there is no {compiler}")
        # One compiler at a time: no pool of processes beside what is measured.
        importlib.import_module("torch._inductor.config").compile_threads = 1

    def make(self, key: str, workload: type[Workload], problem: Problem) -> Callable[[], Any]:
        if issubclass(workload, AdamAlone):
            raise UnfitError("the optimizer is not compiled")
        self.torch.compiler.reset()
        self.made = workload(self.torch)
        if isinstance(self.made, Trained):
            self.made.loss = self.torch.compile(self.made.loss)  # type: ignore[method-assign] # one object's own
            return self.made.update
        return self.torch.compile(self.made.update)  # type: ignore[no-any-return] # untyped
