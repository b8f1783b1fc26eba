"""``paramscope check``: judge files, prove their fixes, report, and return the exit status."""

import argparse
import ast
import io
import sys
from collections.abc import Sequence

from paramscope.check.client import Checker, ServerError
from paramscope.check.guess import with_guessed_input
from paramscope.check.job import Job
from paramscope.check.json_text import json_report
from paramscope.check.prove import prove
from paramscope.check.report import CLEAN, COULD_NOT_RUN, FOUND, Proof, Report, shown_findings
from paramscope.check.sarif import sarif_report
from paramscope.check.target import (
    Source,
    Target,
    TargetError,
    harness_of,
    is_made_up,
    parse_target,
    read_target,
)
from paramscope.check.text import Paint, text_report, wants_colour
from paramscope.document.document import Document
from paramscope.document.files import FileError, changed_outside, open_file, save_file

ENGINES = ("gradcore", "torch")
STEPS = 5
TIMEOUT = 60.0

_DESCRIPTION = """\
Run Python files with PyTorch models and say which tensors train, and why the others don't.
A file has build(), optimizer(model), batch() and loss(model, x, y); of any other file, name the
class: FILE.py:Name, or FILE.py:'Name(16, classes=3)' where it needs arguments.
"""
_EPILOG = """\
exit status: 0 nothing found, 1 something found, 2 something could not be run.
Each file runs in a process of its own, in bounded time and without the network. It is never
written without --fix, and then only with edits that a run of the edited copy has proved.
A comment `# paramscope: keep REG02` in the source silences that finding there.
"""


def main(arguments: Sequence[str]) -> int:
    """Do what ``paramscope check`` was asked to do; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        targets = [parse_target(written, options.input) for written in options.targets]
    except TargetError as error:
        print(error, file=sys.stderr)
        return COULD_NOT_RUN
    if options.only_documents:
        targets = [target for target in targets if _is_document(target)]
    try:
        with Checker(options.engine, options.network) as checker:
            reports = [_check(target, checker, options) for target in targets]
    except KeyboardInterrupt:
        print("Stopped. No file was left half written.", file=sys.stderr)
        return COULD_NOT_RUN
    _print(reports, options)
    statuses = {report.status for report in reports}
    return next((code for code in (COULD_NOT_RUN, FOUND) if code in statuses), CLEAN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="paramscope check",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("targets", nargs="+", metavar="FILE.py[:Name]", help="what to check")
    add("--input", default="", metavar="CODE", help='a sample input, else guessed: "randn(4, 8)"')
    add("--engine", choices=ENGINES, default=ENGINES[0], help=f"default: {ENGINES[0]}")
    add("--format", choices=("text", "json", "sarif"), default="text", help="default: text")
    add("--fix", action="store_true", help="write the proved edits into the files")
    add("--steps", type=_count, default=STEPS, metavar="N", help=f"default: {STEPS}")
    add("--timeout", type=_seconds, default=TIMEOUT, metavar="S", help="seconds a run may take")
    add("--hints", action="store_true", help="report hints as well")
    add("--tensors", action="store_true", help="print every tensor (text format)")
    add("--network", action="store_true", help="let the files use the network")
    add("--only-documents", action="store_true", help="leave files without build() alone")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("it must be 0 or more")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number <= 1e6:
        raise argparse.ArgumentTypeError("it must be more than 0, and no more than a million")
    return number


def _check(target: Target, checker: Checker, options: argparse.Namespace) -> Report:
    """Run one target, prove its edits and, if asked to, write them."""
    report = Report(target, steps_asked=options.steps)
    try:
        given = read_target(target)
        source = report.source = with_guessed_input(given)
        report.verdict = checker.run(_job(source, source.text, checker, options))
        if source is not given and report.verdict.failure and not report.verdict.steps:
            # Whether the input or the model is wrong is not for a guess to say.
            source = report.source = given
            report.verdict = checker.run(_job(source, source.text, checker, options))
        report.findings = shown_findings(report.verdict, options.hints)
        text = prove(report, lambda edited: checker.run(_job(source, edited, checker, options)))
    except (FileError, TargetError, ServerError) as error:
        report.problem = str(error)
        return report
    finally:
        report.engine = checker.engine_words or options.engine
    if options.fix and text != source.text:
        _write(report, source, text)
    return report


def _job(source: Source, text: str, checker: Checker, options: argparse.Namespace) -> Job:
    harness = harness_of(source.target, text)
    return Job(
        filename=source.filename,
        source=text,
        steps=options.steps,
        timeout=options.timeout,
        trace_path=checker.trace_path,
        harness=harness,
        is_made_up=is_made_up(harness),
        allows_network=options.network,
    )


def _write(report: Report, source: Source, text: str) -> None:
    path = source.target.path
    if changed_outside(path, source.opened.stamp):
        report.problem = (
            f"{path.name} was changed while it was checked.\n  It is {path}.\n"
            "  It was left as it is. Check it again."
        )
        return
    try:
        save_file(path, Document(text), source.opened.has_bom)
    except FileError as error:
        report.problem = str(error)
        return
    for finding, proof in list(report.proofs.items()):
        report.proofs[finding] = Proof(
            proof.label, proof.before, proof.after, proof.words, is_written=True
        )


def _is_document(target: Target) -> bool:
    """Tell whether a file has a ``build`` of its own, without running it."""
    if target.expression:
        return True
    try:
        tree = ast.parse(open_file(target.path).document.source)
    except (FileError, SyntaxError, ValueError, RecursionError, MemoryError):
        return False  # another hook's business
    return any(isinstance(node, ast.FunctionDef) and node.name == "build" for node in tree.body)


def _print(reports: Sequence[Report], options: argparse.Namespace) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if options.format == "json":
        text = json_report(reports)
    elif options.format == "sarif":
        text = sarif_report(reports)
    else:
        text = text_report(reports, Paint(wants_colour(sys.stdout)), options.tensors)
    sys.stdout.write(text)
