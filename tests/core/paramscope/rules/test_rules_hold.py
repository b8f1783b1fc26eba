"""Every rule finds its BAD document, leaves its GOOD one alone, and can be told to keep still."""

import pytest

from paramscope.rules.catalog import all_rules
from paramscope.rules.rule import Rule

RULES = all_rules()


@pytest.fixture(params=RULES, ids=[rule.id for rule in RULES])
def rule(request: pytest.FixtureRequest) -> Rule:
    found: Rule = request.param
    return found


def test_rules_are_discovered() -> None:
    names = [rule.id for rule in RULES]
    assert {"REG01", "REG02"} <= set(names)
    assert names == sorted(set(names))


def test_bad_document_is_found_by_its_rule_alone(rule: Rule, judge) -> None:
    assert {finding.rule for finding in judge(rule.bad)} == {rule.id}


def test_good_document_is_silent(rule: Rule, judge) -> None:
    assert judge(rule.good) == []


def test_finding_names_its_line(rule: Rule, judge) -> None:
    finding = judge(rule.bad)[0]
    assert finding.line is not None
    line = rule.bad.splitlines()[finding.line - 1]
    if rule.id.startswith("REG") and f"self.{finding.where} = " in rule.bad:
        assert f"self.{finding.where}" in line


def test_comment_keeps_the_finding_still(rule: Rule, judge) -> None:
    lines = rule.bad.splitlines()
    line = judge(rule.bad)[0].line
    lines[line - 1] += f"  # paramscope: keep {rule.id}"
    assert judge("\n".join(lines)) == []


TRAPS = [(rule.id, trap) for rule in RULES for trap in rule.traps]


@pytest.mark.parametrize(("name", "source"), TRAPS, ids=[name for name, _ in TRAPS])
def test_trap_of_a_rule_is_silent(name: str, source: str, judge) -> None:
    assert judge(source) == []
