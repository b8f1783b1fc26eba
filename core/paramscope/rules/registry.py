"""Discovery of the rules: each file ``<id>_<slug>.py`` beside this one holds one ``RULE``."""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

import paramscope.rules
from paramscope.census.evidence import Evidence
from paramscope.rules.finding import Finding

ERROR = "E"
WARNING = "W"
HINT = "H"

_FILE = re.compile(r"[a-z]{3}\d\d_\w+")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its check, and documents that break it (``bad``) and keep it (``good``).

    Both documents are whole: they are the rule's test on every engine, its help page and the
    stuff of its lesson; ``traps`` look like the fault and are none. ``help`` says in a few
    sentences what goes wrong and what to do.
    """

    id: str
    severity: str
    title: str
    help: str
    check: Callable[[Evidence], Iterable[Finding]]
    bad: str
    good: str
    traps: tuple[str, ...] = ()
    explains_errors: bool = False  # it is asked when the document's code has raised, too


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return every rule there is, by id."""
    rules = []
    for module in pkgutil.iter_modules(paramscope.rules.__path__):
        if _FILE.fullmatch(module.name):
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
