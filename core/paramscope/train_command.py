"""``paramscope train FILE``: train a document without a window, and print its census.

It is the session that the window's worker runs, in this process and without anything between:
the same numbers, then the census as text. Naming a file is consent to run it.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from paramscope.census.rows import TensorRow
from paramscope.document.files import FileError, open_file
from paramscope.engine.adapters.open import ENGINES, EngineMissingError, open_adapter
from paramscope.engine.session import News, Session

REPORTS = 10  # lines of losses in a run


def main(arguments: Sequence[str]) -> int:
    """Do what ``paramscope train`` was asked to do; return the exit status."""
    return _train(_train_parser().parse_args(arguments))


def _train_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="paramscope train", description="Train a document and print what its tensors did."
    )
    parser.add_argument("file", type=Path, help="the document: build, optimizer, batch, loss")
    parser.add_argument("--steps", type=int, default=100, metavar="N", help="default: 100")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    return parser


def _train(options: argparse.Namespace) -> int:
    try:
        source = open_file(options.file).document.source
        adapter = open_adapter(options.engine)
    except (FileError, EngineMissingError) as error:
        print(error, file=sys.stderr)
        return 1
    adapter.activate()
    session = Session(adapter)
    if not session.load(source, str(options.file.resolve()), seed=options.seed):
        return _tell_failure(session)
    news = session.take_news()
    if session.note:
        print(session.note, file=sys.stderr)
        _print_census(news.rows or (), session)
        return 1
    print(f"{adapter.name} {adapter.version}, {session.optimizer_words or 'no optimizer'}")
    rows = news.rows or ()
    stride = max(1, options.steps // REPORTS)
    while session.step < options.steps:
        rows = _train_on(session, min(session.step + stride, options.steps), options.steps) or rows
        if session.failure is not None:
            return _tell_failure(session)
    _print_census(rows, session)
    return 0


def _train_on(session: Session, step: int, last_step: int) -> tuple[TensorRow, ...]:
    """Train until ``step`` is done and print where that is; return the census if one was taken."""
    if step == last_step:
        # The census of the end is that of the last step.
        session.run_slice(math.inf, step - 1)
        session.request_look()
    if session.failure is None and session.run_slice(math.inf, step):
        session.measure()
    news = session.take_news()
    if session.failure is None:
        _print_progress(news)
    return news.rows or ()


def _tell_failure(session: Session) -> int:
    failure = session.failure
    if failure is not None:
        text = failure.text or f"{failure.kind}: {failure.message}\n"
        print(text, end="", file=sys.stderr)
        for finding in failure.findings:
            at = f" (line {finding.line})" if finding.line is not None else ""
            print(f"\n{finding.rule}{at}: {finding.message}\n  {finding.cause}", file=sys.stderr)
    return 1


def _print_progress(news: News) -> None:
    step, loss = news.losses[-1]
    metrics = "".join(f"  {name} {pairs[-1][1]:.4g}" for name, pairs in news.metrics.items())
    print(f"step {step:>6}  loss {loss:.6g}{metrics}")


def _print_census(rows: Sequence[TensorRow], session: Session) -> None:
    """Print one line for each tensor, and then what is wrong."""
    table = [("tensor", "what it is", "gradient", "who steps it", "shape")]
    for row in rows:
        shape = "x".join(str(size) for size in row.shape) or "scalar"
        table.append((row.path, row.kind, row.gradient, row.stepping, shape))
    widths = [max(len(line[column]) for line in table) for column in range(4)]
    print()
    for line in table:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        print("  ".join([*cells, line[4]]).rstrip())
    for finding in session.findings:
        at = f"line {finding.line}: " if finding.line else ""
        print(f"\n{finding.rule} {at}{finding.message}\n  {finding.cause}")
        for edit in finding.edits:
            print(f"  - {edit.label}")
