"""The report for programs: JSON as the catalogue of rules describes it."""

import json
from collections.abc import Sequence
from typing import Any

from paramscope.census.rows import Statistics, TensorRow
from paramscope.check.report import Proof, Report
from paramscope.check.text import changed_lines, user_traceback
from paramscope.rules.finding import Finding


def json_report(reports: Sequence[Report]) -> str:
    """Return one object for one target, a list of them for several."""
    objects = [_object(report) for report in reports]
    whole: Any = objects[0] if len(objects) == 1 else objects
    return json.dumps(whole, indent=1, allow_nan=False) + "\n"


def _object(report: Report) -> dict[str, Any]:
    failure = report.verdict.failure
    error: dict[str, Any] | None = None
    if report.problem:
        error = {"kind": "CannotRun", "message": report.problem, "line": None, "traceback": ""}
    elif failure is not None:
        error = {
            "kind": failure.kind,
            "message": failure.message,
            "line": failure.frames[-1].span.line if failure.frames else None,
            "traceback": user_traceback(failure),
        }
    return {
        "file": report.name,
        "engine": report.engine,
        "status": report.status,
        "steps": report.verdict.steps,
        "findings": [_finding(f, report.proofs.get(f)) for f in report.findings],
        "tensors": [_tensor(row) for row in report.tensors],
        "error": error,
        "note": report.verdict.note or None,
    }


def _finding(finding: Finding, proof: Proof | None) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "where": finding.where,
        "severity": finding.severity,
        "message": finding.message,
        "cause": finding.cause,
        "line": finding.line,
        "edit": None if proof is None else _edit(proof),
    }


def _edit(proof: Proof) -> dict[str, Any]:
    return {
        "label": proof.label,
        "diff": changed_lines(proof.before, proof.after),
        "proved": True,
        "shows": proof.words,
        "written": proof.is_written,
    }


def _tensor(row: TensorRow) -> dict[str, Any]:
    return {
        "path": row.path,
        "kind": str(row.kind),
        "shape": list(row.shape),
        "dtype": row.dtype,
        "requires_grad": row.requires_grad,
        "gradient": str(row.gradient),
        "stepping": str(row.stepping),
        "optimizer": row.optimizer_index,
        "group": row.group,
        "lr": row.lr,
        "tied_with": list(row.tied_with),
        "shadowed": row.shadowed,
        "line": row.line,
        "value": _numbers(row.value_statistics),
        "grad": _numbers(row.gradient_statistics),
        "update_norm": _finite(row.update_norm),
        "note": row.note,
    }


def _numbers(measured: Statistics | None) -> dict[str, Any] | None:
    if measured is None:
        return None
    return {
        "norm": _finite(measured.norm),
        "mean": _finite(measured.mean),
        "minimum": _finite(measured.minimum),
        "maximum": _finite(measured.maximum),
        "zeros": measured.zeros,
        "non_finite": measured.non_finite,
    }


def _finite(value: float | None) -> float | None:
    """JSON has no NaN and no infinity."""
    return None if value is None or value != value or abs(value) == float("inf") else value
