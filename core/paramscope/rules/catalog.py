"""Finds every rule by listing its folder: each file ``<id>_<slug>.py`` holds one ``RULE``."""

import importlib
import pkgutil
import re
from collections.abc import Iterable
from functools import cache

import paramscope.rules
from paramscope.census.evidence import Evidence
from paramscope.rules.finding import Finding
from paramscope.rules.rule import Rule

FILE_NAME = re.compile(r"[a-z]{3}\d\d_\w+")


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return every rule there is, by id."""
    rules = []
    for module in pkgutil.iter_modules(paramscope.rules.__path__):
        if FILE_NAME.fullmatch(module.name):
            rules.append(importlib.import_module(f"paramscope.rules.{module.name}").RULE)
    return tuple(sorted(rules, key=lambda rule: rule.id))


def check_all(evidence: Evidence) -> list[Finding]:
    """Ask every rule; leave out what the source says to keep."""
    return _ask(all_rules(), evidence)


def check_failure(evidence: Evidence) -> list[Finding]:
    """Ask the rules that can tell why the document's code has raised."""
    return _ask([rule for rule in all_rules() if rule.explains_errors], evidence)


def _ask(rules: Iterable[Rule], evidence: Evidence) -> list[Finding]:
    found = []
    for rule in rules:
        for finding in rule.check(evidence):
            if not evidence.source.is_kept(rule.id, finding.line):
                found.append(finding)
    return found
