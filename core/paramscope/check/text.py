"""The report for people: each finding with its place in the source, its cause and its edit."""

import difflib
import os
import shlex
from collections.abc import Sequence
from typing import TextIO

from paramscope.check.report import SEVERITIES, Proof, Report
from paramscope.check.table import census_table
from paramscope.code.model_choice import choices
from paramscope.engine.protocol import Failed
from paramscope.rules.finding import Finding

_CODES = {
    "error": "1;31",
    "warning": "1;33",
    "hint": "1;36",
    "good": "32",
    "bad": "31",
    "bold": "1",
    "dim": "2",
    "caret": "1;34",
}
_MAX_OFFERS = 3
_MAX_OUTPUT_LINES = 12
_LACKING = ("AttributeError", "ImportError", "ModuleNotFoundError", "NotImplementedError")


class Paint:
    """Colours for a terminal; none where they are not wanted."""

    def __init__(self, is_on: bool) -> None:
        self.is_on = is_on

    def __call__(self, text: str, role: str) -> str:
        return f"\x1b[{_CODES[role]}m{text}\x1b[0m" if self.is_on and text else text


def wants_colour(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal that should be painted (https://no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def text_report(reports: Sequence[Report], paint: Paint, with_tensors: bool = False) -> str:
    """Return everything that is to be printed, with a line of totals at the end."""
    parts = [_one(report, paint, with_tensors) for report in reports]
    return "\n".join([*parts, _totals(reports, paint), ""])


def _one(report: Report, paint: Paint, with_tensors: bool) -> str:
    lines: list[str] = []
    for finding in report.findings:
        lines += _finding(finding, report, paint)
        lines.append("")
    if report.problem:
        lines += [f"{paint(report.name, 'bold')}: {paint('could not run', 'error')}"]
        lines += [f"  {line}" for line in report.problem.splitlines()] + [""]
    elif report.verdict.failure is not None:
        lines += _failure(report.verdict.failure, report, paint) + [""]
    elif not report.findings and report.verdict.has_model:
        lines.append(f"{paint(report.name, 'bold')}: {paint('clean', 'good')}, {_seen(report)}")
    if report.verdict.note and not report.problem:
        lines += _note(report, paint)
    elif report.guessed_input:
        note = f"--input {shlex.quote(report.guessed_input)} was guessed from the code."
        lines += [f"  {paint('note:', 'bold')} {note}", ""]
    if with_tensors and report.tensors:
        lines += [census_table(report.tensors), ""]
    return "\n".join(lines)


def _finding(finding: Finding, report: Report, paint: Paint) -> list[str]:
    word = SEVERITIES[finding.severity]
    text = report.source.text if report.source is not None else ""
    place = excerpt(text, finding)
    at = f"{report.file}:{finding.line}" if finding.line else report.file
    if place is not None:
        at += f":{place[1] + 1}"
    head = f"{paint(at, 'bold')}: {paint(word, word)} {paint(finding.rule, 'bold')}"
    lines = [f"{head} {finding.message}"]
    if place is not None:
        line, column, width = place
        number = str(finding.line)
        margin = " " * len(number)
        lines += [
            f"  {paint(number + ' |', 'dim')} {line}",
            f"  {margin} {paint('|', 'dim')} {_blank(line, column)}{paint('^' * width, 'caret')}",
        ]
    if finding.cause:
        lines.append(f"  {paint('why:', 'bold')} {finding.cause}")
    proof = report.proofs.get(finding)
    if proof is not None:
        lines += _proof(proof, paint)
    for edit in finding.edits[1:] if proof is not None else ():
        lines.append(f"  {paint('or:', 'bold')}  {edit.label}")
    return lines


def excerpt(text: str, finding: Finding) -> tuple[str, int, int] | None:
    """Return a finding's source line, and where in it (from 0) how many carets belong.

    They stand under the attribute that the finding names, if the line holds it, else under
    the first statement of the line.
    """
    lines = text.splitlines()
    if finding.line is None or not 1 <= finding.line <= len(lines):
        return None
    line = lines[finding.line - 1].rstrip()
    bare = line.expandtabs(1)
    for part in reversed(finding.where.split(".")):
        for written in (f"self.{part}", f".{part}", part):
            column = bare.find(written)
            ends = column + len(written)
            if part and column >= 0 and not (bare[ends : ends + 1].isidentifier()):
                return line, column, len(written)
    code = bare.split("  #")[0].rstrip() or bare
    column = len(code) - len(code.lstrip())
    return line, column, max(1, len(code) - column)


def _blank(line: str, column: int) -> str:
    return "".join("\t" if letter == "\t" else " " for letter in line[:column])


def _proof(proof: Proof, paint: Paint) -> list[str]:
    state = "fixed" if proof.is_written else "fix"
    mark = paint("proved", "good")
    lines = [f"  {paint(state + ':', 'bold')} {proof.label} ({mark}: {proof.words})"]
    for line in changed_lines(proof.before, proof.after):
        lines.append(f"    {paint(line, 'good' if line.startswith('+') else 'bad')}")
    return lines


def changed_lines(before: str, after: str) -> list[str]:
    """Return the lines that an edit takes away (``- ``) and brings (``+ ``)."""
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [
        f"{line[0]} {line[1:].rstrip()}"
        for line in found
        if line[:1] in "+-" and not line.startswith(("+++", "---"))
    ]


def _failure(failure: Failed, report: Report, paint: Paint) -> list[str]:
    explained = "stopped here" if report.is_explained else "could not run"
    lines = [f"{paint(report.name, 'bold')}: {paint(explained, 'error')}"]
    if failure.step:
        lines[0] += f" after {failure.step} step{'s' if failure.step > 1 else ''}"
    lines += [f"  {line}" for line in user_traceback(failure).splitlines()]
    if report.is_explained:
        return lines
    if report.engine.startswith("gradcore") and _may_lack(failure):
        lines.append(f"  {paint('note:', 'bold')} It ran on gradcore; PyTorch is --engine torch.")
    said = report.verdict.output.strip().splitlines()[-_MAX_OUTPUT_LINES:]
    if said:
        lines += [f"  {paint('it printed:', 'dim')}", *(f"  {paint(x[:200], 'dim')}" for x in said)]
    return lines


def _may_lack(failure: Failed) -> bool:
    """Tell whether a failure may be for something that gradcore lacks and PyTorch has."""
    return "gradcore" in failure.message or failure.kind in _LACKING


def user_traceback(failure: Failed) -> str:
    """Return a traceback with the frames of the user's own files alone."""
    lines = ["Traceback (most recent call last):"] if failure.frames else []
    for frame in failure.frames:
        inside = f", in {frame.function}" if frame.function else ""
        lines.append(f'  File "{frame.filename}", line {frame.span.line}{inside}')
        if frame.text.strip():
            lines.append(f"    {frame.text.strip()}")
    return "\n".join([*lines, f"{failure.kind}: {failure.message}"])


def _note(report: Report, paint: Paint) -> list[str]:
    if not report.verdict.has_model:
        note = f"{paint(report.name, 'bold')}: {paint('nothing to check', 'error')}"
        lines = [note, *(f"  {line.strip()}" for line in report.verdict.note.splitlines())]
        return [*lines, *_offers(report), ""]
    first = report.verdict.note.splitlines()[0]
    return [
        f"  {paint('note:', 'bold')} {first} Only what needs no training step was judged;",
        '  a sample input shows more: --input "randn(4, 8)".',
        "",
    ]


def _offers(report: Report) -> list[str]:
    """Return commands that name the models which a file without ``build()`` has."""
    found = choices(report.source.text)[:_MAX_OFFERS] if report.source is not None else ()
    if not found:
        return ['  Or name a class: FILE.py:Name --input "randn(4, 8)".']
    targets = [f"{report.file}:{one.expression([a.text for a in one.arguments])}" for one in found]
    commands = [f"    paramscope check {shlex.quote(t.removesuffix('()'))}" for t in targets]
    return ["  Or name a model, with --input CODE where the guessed input is not right:", *commands]


def _seen(report: Report) -> str:
    verdict = report.verdict
    count = len(verdict.tensors)
    steps = f", {verdict.steps} steps" if verdict.steps else ""
    return f"{count} tensor{'s' if count != 1 else ''}{steps} on {report.engine}"


def _totals(reports: Sequence[Report], paint: Paint) -> str:
    findings = [finding for report in reports for finding in report.findings]
    words = []
    for severity, word in SEVERITIES.items():
        count = sum(finding.severity == severity for finding in findings)
        if count:
            words.append(paint(f"{count} {word}{'s' if count > 1 else ''}", word))
    files = f"{len(reports)} file{'s' if len(reports) != 1 else ''}"
    failed = sum(report.status == 2 for report in reports)
    more = f"; {failed} could not run" if failed else ""
    fixed = sum(proof.is_written for report in reports for proof in report.proofs.values())
    more += f"; {fixed} fixed" if fixed else ""
    return f"{', '.join(words) or 'no findings'} in {files}{more}"
