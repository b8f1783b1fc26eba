"""What can be done about a finding: commands that mend it, the comment that keeps it, and words.

Imported when the first finding is shown: the edits of all rules stand behind it.
"""

import ast
import importlib
import pkgutil
import re
from functools import cache, lru_cache
from typing import NamedTuple

from paramscope import rules
from paramscope.census.source import map_source
from paramscope.check.mend import command_of, mends_of
from paramscope.code.commands import ReplaceText
from paramscope.document.document import Command
from paramscope.rules.finding import Finding

MOST_CURES = 3
_RULE = re.compile(r"[A-Z]{3}\d\d")
_KEPT = re.compile(r"(#\s*paramscope:\s*keep\s+[A-Z]{3}\d\d(?:[\s,]+[A-Z]{3}\d\d)*)")


class Cure(NamedTuple):
    """One edit as a button shows it: its words, and a slug for the button's name."""

    label: str
    action: str


@lru_cache(maxsize=256)
def cures_of(finding: Finding, source: str) -> tuple[Cure, ...]:
    """Return the edits that may mend a finding in this source, the likeliest first."""
    found = [Cure(edit.label, edit.action) for edit in finding.edits if command_of(edit)]
    labels = {cure.label for cure in found}
    offered = {edit.action for edit in finding.edits}
    for mend in mends_of(finding, source):
        if len(found) >= MOST_CURES:
            break
        if mend.label not in labels:
            labels.add(mend.label)
            slug = re.sub(r"\W+", "_", mend.label.lower()).strip("_")
            found.append(Cure(mend.label, slug if slug not in offered else f"{slug}_otherwise"))
    return tuple(found)


def command_for(cure: Cure, finding: Finding, source: str) -> Command | None:
    """Return the command for a cure in the source as it is now; None if it has no place there."""
    for edit in finding.edits:
        if edit.label == cure.label:
            return command_of(edit)
    for mend in mends_of(finding, source):
        if mend.label == cure.label:
            return ReplaceText(mend.source, cure.label)
    return None


def may_keep(finding: Finding) -> bool:
    """Tell whether a finding has a line at which a comment could keep it."""
    return finding.line is not None and _RULE.fullmatch(finding.rule) is not None


def keep_command(finding: Finding, source: str) -> Command | None:
    """Return the command that writes ``# paramscope: keep RULE`` beside a finding's line.

    None where the comment would not count or would change what the code does.
    """
    if finding.line is None or not may_keep(finding):
        return None
    lines = source.splitlines(keepends=True)
    last = map_source(source).statement_ends.get(finding.line, finding.line)
    if not 0 < last <= len(lines):
        return None
    text = lines[last - 1]
    body = text.rstrip("\r\n")
    if _KEPT.search(body):
        body = _KEPT.sub(rf"\1 {finding.rule}", body, count=1)
    else:
        body = f"{body.rstrip()}  # paramscope: keep {finding.rule}"
    lines[last - 1] = body + text[len(text.rstrip("\r\n")) :]
    kept = "".join(lines)
    if not _is_same_code(source, kept):
        return None
    if not map_source(kept).is_kept(finding.rule, finding.line):
        return None
    return ReplaceText(kept, f"Keep {finding.rule}")


@cache
def help_of(rule: str) -> str:
    """Return what a rule says in general: what goes wrong, and what to do about it.

    Only its own file is imported, not the whole registry.
    """
    for module in pkgutil.iter_modules(rules.__path__):
        if module.name.startswith(f"{rule.lower()}_"):
            found = importlib.import_module(f"{rules.__name__}.{module.name}").RULE
            return str(found.help)
    return ""


def _is_same_code(before: str, after: str) -> bool:
    try:
        return ast.dump(ast.parse(before)) == ast.dump(ast.parse(after))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
