"""Makes `import torch` mean gradcore, as the runner `python -m gradcore FILE.py` does.

`install()` enters gradcore and its parts under PyTorch's names into `sys.modules`;
`uninstall()` takes them out again. What gradcore lacks is said by name, with what to do
about it.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PARTS = {
    "torch": "gradcore",
    "torch.accelerator": "gradcore.accelerator",
    "torch.amp": "gradcore.amp",
    "torch.autograd": "gradcore.autograd",
    "torch.autograd.functional": "gradcore.autograd.functional",
    "torch.autograd.grad_mode": "gradcore.modes",
    "torch.autograd.graph": "gradcore.autograd.graph",
    "torch.autograd.variable": "gradcore.autograd.variable",
    "torch.autograd.function": "gradcore.autograd.function",
    "torch.backends": "gradcore.backends",
    "torch.backends.cudnn": "gradcore.backends",
    "torch.backends.cuda": "gradcore.backends",
    "torch.backends.mps": "gradcore.backends",
    "torch.cuda": "gradcore.cuda",
    "torch.cuda.amp": "gradcore.amp",
    "torch.distributed": "gradcore.distributed",
    "torch.distributions": "gradcore.distributions",
    "torch.distributions.distribution": "gradcore.distributions.distribution",
    "torch.distributions.kl": "gradcore.distributions.divergence",
    "torch.distributions.bernoulli": "gradcore.distributions",
    "torch.distributions.beta": "gradcore.distributions",
    "torch.distributions.binomial": "gradcore.distributions",
    "torch.distributions.categorical": "gradcore.distributions",
    "torch.distributions.cauchy": "gradcore.distributions",
    "torch.distributions.chi2": "gradcore.distributions",
    "torch.distributions.constraints": "gradcore.distributions.constraints",
    "torch.distributions.dirichlet": "gradcore.distributions",
    "torch.distributions.exponential": "gradcore.distributions",
    "torch.distributions.gamma": "gradcore.distributions",
    "torch.distributions.geometric": "gradcore.distributions",
    "torch.distributions.gumbel": "gradcore.distributions",
    "torch.distributions.half_normal": "gradcore.distributions",
    "torch.distributions.independent": "gradcore.distributions",
    "torch.distributions.laplace": "gradcore.distributions",
    "torch.distributions.log_normal": "gradcore.distributions",
    "torch.distributions.mixture_same_family": "gradcore.distributions",
    "torch.distributions.multinomial": "gradcore.distributions",
    "torch.distributions.multivariate_normal": "gradcore.distributions",
    "torch.distributions.negative_binomial": "gradcore.distributions.rarer",
    "torch.distributions.normal": "gradcore.distributions",
    "torch.distributions.pareto": "gradcore.distributions.rarer",
    "torch.distributions.one_hot_categorical": "gradcore.distributions",
    "torch.distributions.poisson": "gradcore.distributions",
    "torch.distributions.relaxed_bernoulli": "gradcore.distributions",
    "torch.distributions.relaxed_categorical": "gradcore.distributions",
    "torch.distributions.studentT": "gradcore.distributions",
    "torch.distributions.transformed_distribution": "gradcore.distributions",
    "torch.distributions.transforms": "gradcore.distributions",
    "torch.distributions.uniform": "gradcore.distributions",
    "torch.distributions.weibull": "gradcore.distributions",
    "torch.fft": "gradcore.fft",
    "torch.func": "gradcore.func",
    "torch.jit": "gradcore.jit",
    "torch.linalg": "gradcore.linalg",
    "torch.nn": "gradcore.nn",
    "torch.nn.common_types": "gradcore.nn.common_types",
    "torch.nn.functional": "gradcore.nn.functional",
    "torch.nn.init": "gradcore.nn.init",
    "torch.nn.parallel": "gradcore.nn.parallel",
    "torch.nn.parameter": "gradcore.nn.parameter",
    "torch.nn.utils": "gradcore.nn.utils",
    "torch.nn.utils.clip_grad": "gradcore.nn.utils.clip",
    "torch.nn.utils.convert_parameters": "gradcore.nn.utils.clip",
    "torch.nn.utils.parametrizations": "gradcore.nn.utils.parametrizations",
    "torch.nn.utils.parametrize": "gradcore.nn.utils.parametrize",
    "torch.nn.utils.prune": "gradcore.nn.utils.prune",
    "torch.nn.utils.rnn": "gradcore.nn.utils.rnn",
    "torch.nn.utils.spectral_norm": "gradcore.nn.utils.reparametrized",
    "torch.nn.utils.stateless": "gradcore.nn.utils.stateless",
    "torch.nn.utils.weight_norm": "gradcore.nn.utils.reparametrized",
    "torch.nn.modules": "gradcore.nn.modules",
    "torch.nn.modules.padding": "gradcore.nn.vision",
    "torch.nn.modules.upsampling": "gradcore.nn.vision",
    "torch.nn.modules.activation": "gradcore.nn.activation",
    "torch.nn.modules.batchnorm": "gradcore.nn.normalization",
    "torch.nn.modules.container": "gradcore.nn.containers",
    "torch.nn.modules.conv": "gradcore.nn.convolution",
    "torch.nn.modules.dropout": "gradcore.nn.dropout",
    "torch.nn.modules.linear": "gradcore.nn.linear",
    "torch.nn.modules.loss": "gradcore.nn.loss",
    "torch.nn.modules.module": "gradcore.nn.every",
    "torch.nn.modules.normalization": "gradcore.nn.normalization",
    "torch.nn.modules.pooling": "gradcore.nn.pooling",
    "torch.nn.modules.rnn": "gradcore.nn.recurrent",
    "torch.nn.modules.sparse": "gradcore.nn.sparse",
    "torch.nn.modules.transformer": "gradcore.nn.transformer",
    "torch.nn.modules.utils": "gradcore.nn.tuples",
    "torch.optim": "gradcore.optim",
    "torch.optim.adam": "gradcore.optim.adam",
    "torch.optim.lr_scheduler": "gradcore.optim.lr_scheduler",
    "torch.optim.optimizer": "gradcore.optim.optimizer",
    "torch.optim.swa_utils": "gradcore.optim.swa_utils",
    "torch.optim.sgd": "gradcore.optim.sgd",
    "torch.overrides": "gradcore.overrides",
    "torch.random": "gradcore.random",
    "torch.serialization": "gradcore.serialization",
    "torch.special": "gradcore.special",
    "torch.testing": "gradcore.testing",
    "torch.types": "gradcore.types",
    "torch.utils": "gradcore.utils",
    "torch.utils.checkpoint": "gradcore.utils.checkpoint",
    "torch.utils.data": "gradcore.utils.data",
    "torch.utils.data.dataset": "gradcore.utils.data",
    "torch.utils.data.distributed": "gradcore.utils.data.distributed",
    "torch.utils.data.dataloader": "gradcore.utils.data",
    "torch.utils.data.sampler": "gradcore.utils.data",
    "torch.utils.hooks": "gradcore.utils.hooks",
    "torch.version": "gradcore.version",
}
"""Each module of PyTorch that scripts import, and the module of gradcore that stands for it."""

_ALIKE = ("torch.nn.utils.spectral_norm", "torch.nn.utils.weight_norm")
"""Modules that have the name of a function beside them: importing them must not hide it."""

_CURES = {
    "distributed": "Leave it out: gradcore trains in one process.",
    "hub": "Load the model's own code and its weights yourself.",
    "multiprocessing": "Leave it out: gradcore trains in one process.",
    "onnx": "Run the script with PyTorch to export it.",
    "profiler": "Use Python's cProfile.",
    "sparse": "Use dense tensors.",
    "utils.tensorboard": "Keep the numbers in lists, or write them to a file.",
}
_OTHER_CURE = "Do it by other operations, or run the script with PyTorch."

_FINDER: "list[_Finder]" = []
_REPLACED: dict[str, ModuleType] = {}


def install() -> None:
    """Make `import torch` and imports of its parts mean gradcore, in this process."""
    if _FINDER:
        return
    for name in [name for name in sys.modules if name == "torch" or name.startswith("torch.")]:
        _REPLACED[name] = sys.modules.pop(name)
    for name, own in PARTS.items():
        # The others are imported when the script does: few scripts do. But an import puts a module
        # into its package, over a function of that name; what is there already it leaves alone.
        if own in sys.modules or name in _ALIKE:
            sys.modules[name] = importlib.import_module(own)
    finder = _Finder()
    _FINDER.append(finder)
    sys.meta_path.insert(0, finder)


def uninstall() -> None:
    """Undo `install`: `torch` is again whatever it was before."""
    if not _FINDER:
        return
    sys.meta_path.remove(_FINDER.pop())
    for name in [name for name in sys.modules if name == "torch" or name.startswith("torch.")]:
        del sys.modules[name]
    sys.modules.update(_REPLACED)
    _REPLACED.clear()


def is_installed() -> bool:
    """Tell whether `import torch` means gradcore now."""
    return bool(_FINDER)


class _Loader(Loader):
    """Puts gradcore's own module in the place of one of PyTorch's."""

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(PARTS[module.__name__])


class _Finder(MetaPathFinder):
    """Answers for every part of torch: gradcore's own module, or why there is none."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in PARTS:
            return ModuleSpec(fullname, _Loader())
        if not fullname.startswith("torch."):
            return None
        part = fullname.removeprefix("torch.")
        cure = _CURES.get(part) or _CURES.get(part.split(".")[0], _OTHER_CURE)
        raise ModuleNotFoundError(
            f"gradcore has no module '{fullname}'\n  {cure}",
            name=fullname,
        )


def missing(module: str, name: str) -> AttributeError:
    """Return the error to raise where PyTorch has a name that gradcore lacks."""
    if name.startswith("__"):
        return AttributeError(f"module '{module}' has no attribute '{name}'")
    cure = _CURES.get(name, _OTHER_CURE)
    return AttributeError(f"gradcore has no '{module}.{name}'\n  {cure}", name=name)


def give_name(namespace: dict[str, Any], module: str) -> Any:
    """Return a module-level `__getattr__` that says what is missing from `module`."""

    def refuse(name: str) -> Any:
        raise missing(module, name)

    namespace["__getattr__"] = refuse
    return refuse
