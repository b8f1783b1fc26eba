"""What may be said of a file whose missing functions were made up for it.

Such a file is run with some lines behind its end (see `target.harness_of`). Its verdicts about
training mean nothing, and nothing may be told to lie in lines that the file does not have.
"""

from collections.abc import Iterable

import msgspec

from paramscope.census.rows import TensorRow
from paramscope.rules.finding import Finding

# Of files whose loss and optimizer are made up, verdicts about these mean nothing.
_ABOUT_TRAINING = ("OPT", "LOS", "MOD", "GRA03", "GRA04", "GRA05", "GRA06", "GRA09")


def judged(
    findings: Iterable[Finding], source: str, *, is_made_up: bool = False
) -> tuple[Finding, ...]:
    """Leave out what a made-up training cannot tell, and places behind the end of the source."""
    last_line = source.count("\n") + 1
    kept = []
    for finding in findings:
        if is_made_up and finding.rule.startswith(_ABOUT_TRAINING):
            continue
        if finding.line is not None and finding.line > last_line:
            finding = msgspec.structs.replace(finding, line=None)
        kept.append(finding)
    return tuple(kept)


def placed(rows: Iterable[TensorRow], source: str) -> tuple[TensorRow, ...]:
    """Take away the lines of rows that lie behind the end of the source."""
    last_line = source.count("\n") + 1
    return tuple(
        msgspec.structs.replace(row, line=None)
        if row.line is not None and row.line > last_line
        else row
        for row in rows
    )
