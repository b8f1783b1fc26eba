"""The edits of the rules: run on the rule's own BAD document, they turn it silent."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paramscope.check.client import Checker
from paramscope.check.job import Job, Verdict
from paramscope.check.mend import mends_of
from paramscope.check.mends.catalog import MENDS
from paramscope.check.mends.place import path_expression
from paramscope.check.prove import prove
from paramscope.check.report import Report, shown_findings
from paramscope.check.target import parse_target, read_target
from paramscope.check.text import changed_lines
from paramscope.rules.catalog import all_rules
from paramscope.rules.finding import Finding
from paramscope.rules.rule import Rule

ENGINES = ["gradcore", pytest.param("torch", marks=pytest.mark.torch)]


# What the BAD documents of these hold is not used in training at all: only the author knows why.
UNUSED = {"GRA01", "REG05"}
MENDED = [r for r in all_rules() if r.id in {*MENDS, "REG01", "REG02"} - UNUSED]


@pytest.fixture(scope="module", params=ENGINES)
def checker(request: pytest.FixtureRequest) -> Iterator[Checker]:
    with Checker(request.param) as opened:
        opened.start()
        yield opened


class Prover:
    """Runs a source, proves its edits and keeps the report."""

    def __init__(self, checker: Checker, path: Path, job_of: Callable[..., Job]) -> None:
        self.checker = checker
        self.path = path
        self.job_of = job_of

    def __call__(self, source: str) -> tuple[Report, str]:
        self.path.write_bytes(source.encode())
        report = Report(parse_target(str(self.path)))
        report.source = read_target(report.target)
        report.verdict = self.run(source)
        report.findings = shown_findings(report.verdict, with_hints=False)
        return report, prove(report, self.run)

    def run(self, source: str) -> Verdict:
        self.path.write_bytes(source.encode())
        return self.checker.run(
            self.job_of(read_target(parse_target(str(self.path))), self.checker)
        )


@pytest.fixture
def prover(checker: Checker, tmp_path: Path, job_of: Callable[..., Job]) -> Prover:
    return Prover(checker, tmp_path / "model.py", job_of)


@pytest.mark.parametrize("rule", MENDED, ids=[rule.id for rule in MENDED])
def test_edit_turns_the_bad_document_silent(rule: Rule, prover: Prover) -> None:
    report, text = prover(rule.bad)
    assert [f.rule for f in report.findings] == [rule.id]
    assert list(report.proofs) == report.findings
    assert shown_findings(prover.run(text), with_hints=False) == []


def test_tensor_that_rested_moves_after_the_edit(prover: Prover, net: str, training: str) -> None:
    report, _ = prover(net + training)
    (proof,) = report.proofs.values()
    assert "`scale` moves now" in proof.words
    assert "by 0 before" in proof.words


def test_calculation_moves_into_its_parameter(prover: Prover, net: str, training: str) -> None:
    source = (net + training).replace(
        "torch.ones(width, requires_grad=True)",
        "0.5 * nn.Parameter(torch.rand(width) + 1).double()",
    )
    _, text = prover(source)
    assert "self.scale = nn.Parameter(0.5 * (torch.rand(width) + 1).double())  # one" in text


def test_result_that_is_thrown_away_is_kept(prover: Prover, net: str, training: str) -> None:
    source = (net + training).replace("torch.ones(width, requires_grad=True)", "nn.Linear(3, 3)")
    source = source.replace(
        "return self.linear(x) * self.scale",
        "h = self.linear(x)\n        self.scale(h)\n        return h",
    )
    _, text = prover(source)
    assert "        h = self.scale(h)\n" in text


def test_comments_and_line_ends_survive_an_edit(prover: Prover, net: str, training: str) -> None:
    source = ("# über alles\n" + net + training).replace("\n", "\r\n")
    _, text = prover(source)
    assert text == source.replace(
        "torch.ones(width, requires_grad=True)", "nn.Parameter(torch.ones(width))"
    )


def test_several_mistakes_are_mended_one_on_top_of_the_other(
    prover: Prover, net: str, training: str
) -> None:
    source = (net + training).replace(
        "        # what each", "        self.more = [nn.Linear(3, 3)]\n        # what each"
    )
    source = source.replace("self.linear(x) *", "self.more[0](self.linear(x)).detach() *")
    report, text = prover(source)
    assert len(report.proofs) == len(report.findings) >= 2
    assert prover.run(text).findings == ()


def test_edit_that_breaks_the_file_is_not_offered(prover: Prover, net: str, training: str) -> None:
    # Keys that are no strings: neither nn.ModuleList nor nn.ModuleDict can hold them.
    source = (net + training).replace(
        "torch.ones(width, requires_grad=True)", "{1: nn.Linear(3, 3)}"
    )
    source = source.replace("* self.scale", "+ self.scale[1](x)")
    report, text = prover(source)
    assert [f.rule for f in report.findings] == ["REG04"]
    assert (report.proofs, text) == ({}, source)


def test_mends_of_a_place_that_is_not_there_are_none() -> None:
    for rule in MENDS:
        finding = Finding(rule, "nowhere.at.all", "E", "", line=999)
        for mend in mends_of(finding, "import torch\nx = 1\n"):
            compile(mend.source, "<mend>", "exec")


def test_changed_lines_are_shown_with_their_signs() -> None:
    assert changed_lines("a\nb\nc\n", "a\nB\nc\n") == ["- b", "+ B"]


def test_path_becomes_an_expression() -> None:
    assert path_expression("model", "blocks.0.norm") == "model.blocks[0].norm"
