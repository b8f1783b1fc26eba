"""The report for code scanning: SARIF 2.1.0, with the proved edits as fixes.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/
"""

import json
import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from paramscope.check.report import Proof, Report
from paramscope.check.text import excerpt, user_traceback
from paramscope.code.text_edit import Edit, SourceText, difference, moved_offset
from paramscope.rules.finding import ERROR, HINT, WARNING, Finding

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {ERROR: "error", WARNING: "warning", HINT: "note"}


def sarif_report(reports: Sequence[Report]) -> str:
    """Return one run that holds the findings of all targets."""
    from paramscope.rules.catalog import all_rules  # loads NumPy; other formats do without

    known = {rule.id: rule for rule in all_rules()}
    used = sorted({finding.rule for report in reports for finding in report.findings})
    driver: dict[str, Any] = {
        "name": "Paramscope",
        "version": _version(),
        "rules": [_rule(name, known.get(name)) for name in used],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(reports)],
        "results": [
            _result(finding, report, used.index(finding.rule))
            for report in reports
            for finding in report.findings
        ],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _rule(name: str, rule: Any) -> dict[str, Any]:
    if rule is None:
        return {"id": name}
    return {
        "id": name,
        "name": "".join(word.capitalize() for word in rule.title.split() if word.isidentifier()),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.help},
        "help": {"text": rule.help},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _invocation(reports: Sequence[Report]) -> dict[str, Any]:
    notifications = []
    for report in reports:
        failure = report.verdict.failure
        if report.problem:
            message = report.problem
        elif failure is not None:
            message = user_traceback(failure)
        elif not report.verdict.has_model:
            message = report.verdict.note
        else:
            continue
        line = failure.frames[-1].span.line if failure is not None and failure.frames else None
        notifications.append(
            {
                "level": "error",
                "message": {"text": message},
                "locations": [_location(report, line, None)],
            }
        )
    return {
        "executionSuccessful": all(report.status != 2 for report in reports),
        "toolExecutionNotifications": notifications,
    }


def _result(finding: Finding, report: Report, index: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.message} {finding.cause}".strip()},
        "locations": [_location(report, finding.line, finding)],
        # A finding stays the same one when lines move.
        "partialFingerprints": {"ruleAndPath/v1": f"{finding.rule}:{finding.where}"},
    }
    proof = report.proofs.get(finding)
    edits = _edits_of_file(proof, report) if proof is not None else []
    if proof is not None and edits:
        result["fixes"] = [_fix(proof, edits, report)]
    return result


def _edits_of_file(proof: Proof, report: Report) -> list[Edit]:
    """Return a proof's edits as the file stands, without those it was made on top of.

    None where they touch what another edit wrote: such a one cannot be applied alone.
    """
    original = report.source.text if report.source is not None else ""
    back = difference(proof.before, original)
    edits = []
    for edit in difference(proof.before, proof.after):
        start, end = moved_offset(edit.start, back), moved_offset(edit.end, back)
        if edit.start == edit.end:
            end = start
        if start is None or end is None:
            return []
        if original[start:end] != proof.before[edit.start : edit.end]:
            return []
        edits.append(Edit(start, end, edit.text))
    return edits


def _location(report: Report, line: int | None, finding: Finding | None) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": _artifact(report)}
    text = report.source.text if report.source is not None else ""
    if line is not None:
        place["region"] = {"startLine": line}
        found = excerpt(text, finding) if finding is not None else None
        if found is not None:
            _, column, width = found
            place["region"] |= {"startColumn": column + 1, "endColumn": column + width + 1}
    location: dict[str, Any] = {"physicalLocation": place}
    if finding is not None:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.where, "kind": "member"}]
    return location


def _artifact(report: Report) -> dict[str, Any]:
    """Return the file's address, relative to the working folder where it lies below that."""
    path = Path(os.path.abspath(report.target.path))
    try:
        return {"uri": quote(path.relative_to(Path.cwd()).as_posix())}
    except ValueError:
        return {"uri": path.as_uri()}


def _fix(proof: Proof, edits: Sequence[Edit], report: Report) -> dict[str, Any]:
    text = SourceText(report.source.text if report.source is not None else "")
    return {
        "description": {"text": f"{proof.label} ({proof.words})"},
        "artifactChanges": [
            {
                "artifactLocation": _artifact(report),
                "replacements": [
                    {
                        "deletedRegion": _region(text, edit.start, edit.end),
                        "insertedContent": {"text": edit.text},
                    }
                    for edit in edits
                ],
            }
        ],
    }


def _region(text: SourceText, start: int, end: int) -> dict[str, int]:
    (line, _), (end_line, _) = text.position(start), text.position(end)
    return {
        "startLine": line,
        "startColumn": start - text.line_start(line) + 1,
        "endLine": end_line,
        "endColumn": end - text.line_start(end_line) + 1,
    }


def _version() -> str:
    try:
        return version("paramscope")
    except PackageNotFoundError:  # a checkout that is not installed
        return "0"
