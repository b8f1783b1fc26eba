"""Opening an engine by its name; the only place that knows both."""

import importlib

from paramscope.engine.adapters.base import Adapter

ENGINES = ("gradcore", "torch")


class EngineMissingError(ImportError):
    """The asked engine is not installed; the message says how to get it."""


def open_adapter(name: str) -> Adapter:
    """Import the engine called ``name`` and return its adapter, not yet activated."""
    if name not in ENGINES:
        raise ValueError(
            f"There is no engine {name!r}.\n"
            "  It was asked for by `--engine`.\n"
            f"  Choose one of: {', '.join(ENGINES)}."
        )
    # By name, so that opening gradcore never imports torch and a missing torch is a message.
    try:
        module = importlib.import_module(f"paramscope.engine.adapters.{name}")
    except ModuleNotFoundError as error:
        if name != "torch" or (error.name or "").partition(".")[0] != "torch":
            raise
        raise EngineMissingError(
            "PyTorch is not installed.\n"
            "  The engine `torch` needs it.\n"
            "  Install it with `pip install torch`, or use the engine `gradcore`."
        ) from error
    adapter: Adapter = getattr(module, f"{name.capitalize()}Adapter")()
    return adapter
