"""Verdicts on a live model, without any file: `paramscope.census`, `paramscope.assert_trains`."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, overload

from paramscope.census.census import rows_of
from paramscope.census.evidence import Evidence
from paramscope.census.rows import TensorRow
from paramscope.census.walk import walk_model
from paramscope.check.table import census_table
from paramscope.engine.adapters.base import Adapter, SharedAdapter
from paramscope.engine.adapters.open import ENGINES, open_adapter
from paramscope.engine.build_tracer import BuildTracer
from paramscope.engine.observation import Observer
from paramscope.engine.program import Program
from paramscope.engine.training import Trainer
from paramscope.rules.finding import HINT, Finding

STEPS = 5


class Census(Sequence[TensorRow]):
    """The rows of a census; printed, it is a table."""

    def __init__(self, rows: Sequence[TensorRow]) -> None:
        self.rows = tuple(rows)

    @overload
    def __getitem__(self, index: int) -> TensorRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[TensorRow]: ...
    def __getitem__(self, index: int | slice) -> TensorRow | Sequence[TensorRow]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        return census_table(self.rows)

    def __repr__(self) -> str:
        return f"<Census of {len(self.rows)} tensors>"

    def at(self, path: str) -> TensorRow:
        """Return the row of the tensor at a dotted path.

        Raises: KeyError.
        """
        for row in self.rows:
            if row.path == path:
                return row
        near = ", ".join(row.path for row in self.rows[:10])
        raise KeyError(f"The model has no tensor at `{path}`. It has {near}.")


class DoesNotTrainError(AssertionError):
    """A model that should train has something in it that does not; ``findings`` say what."""

    def __init__(self, message: str, findings: tuple[Finding, ...], census: Census) -> None:
        super().__init__(message)
        self.findings = findings
        self.census = census


def census(model: Any, optimizer: Any = None) -> Census:
    """Take the census of a live model of gradcore or PyTorch: every tensor it holds.

    ``optimizer`` may be one, a list of several, or None. Nothing is run and nothing changed:
    what a gradient does is told from the ``grad`` that lies there.
    """
    view = _adapter_of(model)
    walk = walk_model(model, view)
    evidence = Evidence(model, walk, _as_list(optimizer), view)
    if any(f.tensor.is_leaf and f.tensor.grad is not None for f in walk.tensors):
        evidence.backward_calls = 1  # those without a gradient have missed it
    return Census(rows_of(evidence))


def assert_trains(
    model: Any,
    optimizer: Any,
    batch: Any = None,
    loss: Callable[..., Any] | None = None,
    *,
    step: Callable[[], Any] | None = None,
    steps: int = STEPS,
    allow: Sequence[str] = (),
    hints: bool = False,
) -> Census:
    """Train a live model for some steps; raise AssertionError unless all that should train does.

    ``batch`` is a pair (x, y) or a function that returns one, fresh at each call; ``loss`` is
    called as ``loss(model, x, y)``. Instead of both, ``step`` may be a function that does one
    whole training step, ``zero_grad`` and ``optimizer.step()`` included. ``allow`` lists
    rules (``"GRA01"``) or paths that may be found. The model is left trained by these steps.

    Returns: the census after the last step.
    Raises:  DoesNotTrainError, an AssertionError whose message holds each finding.
    """
    __tracebackhide__ = True
    adapter = _adapter_of(model)
    program = _program_of(model, optimizer, batch, loss, step)
    with _active(adapter):
        # Nobody has seen how the model was made: its build is taken to be what it is now.
        observer = Observer(adapter, program, BuildTracer(adapter, program.filename))
        trainer = Trainer(adapter, program)
        for _ in range(steps):
            observer.look_again()
            observer.add_step(trainer.run_traced_step(observer.walk).record)
        observer.look_again()
        found = observer.findings(trainer.step_number)
        rows = Census(observer.rows(trainer.step_number))
    wrong = tuple(f for f in found if (hints or f.severity != HINT) and not _is_allowed(f, allow))
    if wrong:
        raise DoesNotTrainError(_message(model, wrong, steps), wrong, rows)
    return rows


def _message(model: Any, findings: Sequence[Finding], steps: int) -> str:
    count = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    lines = [f"{type(model).__name__} does not train as it should: {count} in {steps} steps."]
    for finding in findings:
        at = f" (line {finding.line})" if finding.line is not None else ""
        lines += [f"  {finding.rule}{at} {finding.message}", f"    {finding.cause}"]
    return "\n".join(lines)


def _is_allowed(finding: Finding, allow: Sequence[str]) -> bool:
    return any(
        name == finding.rule or finding.where == name or finding.where.startswith(f"{name}.")
        for name in allow
    )


def _program_of(
    model: Any,
    optimizer: Any,
    batch: Any,
    loss: Callable[..., Any] | None,
    step: Callable[[], Any] | None,
) -> Program:
    """Make the program that a file with these functions would be."""
    if (step is None) == (loss is None):
        raise TypeError(
            "assert_trains() got both `loss` and `step`, or neither.\n"
            "  It needs to know what one training step is.\n"
            "  Give batch and loss(model, x, y), or step() that does it all."
        )
    filename, source = _source_of(model)
    module = ModuleType("live")
    if step is not None:
        vars(module)["batch"] = lambda: (None, None)
        vars(module)["train_step"] = lambda *_: step()
    else:
        vars(module)["batch"] = batch if callable(batch) else lambda: batch
        vars(module)["loss"] = loss
    return Program(
        filename=filename,
        source=source,
        module=module,
        roots={"": model},
        optimizers=_as_list(optimizer),
        optimizer_argument=optimizer,
    )


def _source_of(model: Any) -> tuple[str, str]:
    """Return the file that holds the model's class, and its text; empty where there is none."""
    try:
        filename = inspect.getsourcefile(type(model)) or ""
        with open(filename, encoding="utf-8") as file:
            return filename, file.read()
    except (OSError, TypeError, UnicodeDecodeError):
        return "<live>", ""


def _as_list(optimizer: Any) -> list[Any]:
    if optimizer is None:
        return []
    if isinstance(optimizer, dict):
        return list(optimizer.values())
    return list(optimizer) if isinstance(optimizer, list | tuple) else [optimizer]


_adapters: dict[str, Adapter] = {}


def _adapter_of(model: Any) -> Adapter:
    """Return the adapter of the engine that a live model was made with."""
    engine = _engine_of(model)
    if engine not in _adapters:
        _adapters[engine] = open_adapter(engine)
    return _adapters[engine]


def _engine_of(model: Any) -> str:
    for cls in type(model).__mro__:
        package = cls.__module__.partition(".")[0]
        if cls.__name__ == "Module" and package in ENGINES:
            return package
    raise TypeError(
        f"{type(model).__name__} is no Module.\n"
        "  It was given as the model.\n"
        "  Give an object of a class that derives from nn.Module, of PyTorch or gradcore."
    )


@contextmanager
def _active(adapter: Adapter) -> Iterator[None]:
    """Have the adapter see each backward; what ``import torch`` means is left alone."""
    assert isinstance(adapter, SharedAdapter)
    adapter.spy_on_backward()
    try:
        yield
    finally:
        adapter.stop_spying()
