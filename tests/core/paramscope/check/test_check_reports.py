"""``paramscope check`` as it is called: what it prints, writes and returns."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paramscope.check.client import Checker
from paramscope.check.command import main
from paramscope.check.guard import NetworkRefusedError, guarded_environment, refused_place
from paramscope.check.target import TargetError, parse_target

ENGINES = ["gradcore", pytest.param("torch", marks=pytest.mark.torch)]


Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def test_finding_is_shown_with_place_caret_cause_and_proved_edit(
    write: Write, capsys: Any, net: str, training: str
) -> None:
    write("model.py", net + training)
    assert main(["model.py"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("model.py:10:9: error REG01 `scale` is a plain tensor")
    assert (
        lines[1]
        == "  10 |         self.scale = torch.ones(width, requires_grad=True)  # one for each"
    )
    assert lines[2] == "     |         ^^^^^^^^^^"
    assert lines[3].startswith("  why: ")
    assert lines[4].startswith(
        "  fix: Register as Parameter (proved: REG01 gone, `scale` moves now"
    )
    assert lines[6] == "    +         self.scale = nn.Parameter(torch.ones(width))  # one for each"
    assert lines[-1] == "1 error in 1 file"


def test_clean_file_returns_zero(write: Write, capsys: Any, good: str) -> None:
    write("good.py", good)
    assert main(["good.py"]) == 0
    assert capsys.readouterr().out.startswith("good.py: clean, 3 tensors, 5 steps on gradcore")


def test_file_without_build_is_offered_its_models_as_commands(
    write: Write, capsys: Any, net: str
) -> None:
    write("my net.py", net.replace("width=3", "width"))
    assert main(["my net.py"]) == 2
    command = next(x for x in capsys.readouterr().out.splitlines() if "paramscope check" in x)
    target = shlex.split(command)[2]
    assert main([target]) == 1
    assert capsys.readouterr().out.startswith("my net.py:10:9: error REG01")


def test_class_without_sample_input_takes_steps_with_a_guessed_one(
    write: Write, capsys: Any, net: str
) -> None:
    write("net.py", net.replace("torch.ones(width, requires_grad=True)", "1"))
    assert main(["net.py:Net"]) == 0
    printed = capsys.readouterr().out
    assert "5 steps" in printed
    assert "--input 'randn(4, 3)' was guessed" in printed


def test_guess_that_does_not_fit_accuses_nobody(write: Write, capsys: Any, net: str) -> None:
    source = net.replace("torch.ones(width, requires_grad=True)", "1")
    write("net.py", source.replace("(self, x):\n", "(self, x):\n        assert len(x) == 16\n"))
    assert main(["net.py:Net"]) == 0
    printed = capsys.readouterr().out
    assert "AssertionError" not in printed
    assert "a sample input shows more" in printed


def test_several_files_are_one_json_list_with_their_names(
    write: Write, capsys: Any, net: str, training: str, good: str
) -> None:
    write("bad.py", "print('not JSON')\n" + net + training)
    write("good.py", good)
    write("broken.py", "import nothing_of_this_name\n")
    assert main(["bad.py", "good.py", "broken.py", "--format", "json"]) == 2
    bad, good, broken = json.loads(capsys.readouterr().out)
    assert [one["file"] for one in (bad, good, broken)] == ["bad.py", "good.py", "broken.py"]
    assert [one["status"] for one in (bad, good, broken)] == [1, 0, 2]
    (finding,) = bad["findings"]
    assert (finding["rule"], finding["where"], finding["severity"]) == ("REG01", "scale", "E")
    assert finding["line"] == 11
    assert finding["edit"]["diff"][1].endswith("nn.Parameter(torch.ones(width))  # one for each")
    assert {row["path"]: row["kind"] for row in bad["tensors"]}["scale"] == "FORGOTTEN TENSOR"
    assert good["findings"] == []
    assert broken["error"]["kind"] == "ModuleNotFoundError"
    assert broken["error"]["line"] == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_one_file_is_one_json_object(
    write: Write, capsys: Any, engine: str, net: str, training: str
) -> None:
    write("bad.py", net + training)
    assert main(["bad.py", "--format", "json", "--engine", engine]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [f["rule"] for f in found["findings"]] == ["REG01"]
    assert found["engine"].startswith(engine)


def test_class_is_judged_by_a_sample_input(write: Write, capsys: Any, net: str) -> None:
    used = "self.linear(x).detach() + self.scale(x)"
    source = net.replace("torch.ones(width, requires_grad=True)", "nn.Linear(3, width)")
    write("net.py", source.replace("self.linear(x) * self.scale", used))
    assert main(["net.py:Net(4)", "--input", "randn(2, 3)", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(f["rule"], f["where"]) for f in found["findings"]] == [("GRA02", "linear")]


@pytest.mark.parametrize(
    ("expression", "sample", "rules"),
    [
        ("nn.ReLU()", "randn(2, 3)", []),
        ("nn.Linear(3, 1).requires_grad_(False)", "randn(2, 3)", []),
        ("nn.Embedding(5, 3)", "randint(0, 5, (2, 3))", []),
        ("nn.Bilinear(3, 2, 4)", "*[randn(5, size) for size in (3, 2)]", []),
        ("nn.GRU(3, 4)", "ones(6, 2, 3), zeros(1, 2, 4)", []),
        ("Cut()", "rand(2, 3)", ["GRA02"]),
    ],
)
def test_odd_classes_are_judged_by_a_sample_input(
    write: Write, capsys: Any, net: str, expression: str, sample: str, rules: list[str]
) -> None:
    cut = "\nclass Cut(nn.Linear):\n    def __init__(self):\n        super().__init__(3, 3)\n\n"
    cut += "    def forward(self, x):\n        return super().forward(x).detach()\n"
    write("net.py", net + cut + f"\nmade = {expression}\n")
    main(["net.py:made", "--input", sample, "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert found["error"] is None
    assert [finding["rule"] for finding in found["findings"]] == rules


def test_class_without_an_input_is_judged_by_what_it_holds(
    write: Write, capsys: Any, net: str
) -> None:
    write("net.py", net)
    assert main(["net.py:Net"]) == 1
    out = capsys.readouterr().out
    assert "REG01" in out
    assert "--input" in out


def test_file_is_left_alone_without_fix(write: Write, net: str, training: str) -> None:
    path = write("model.py", net + training)
    before = path.stat().st_mtime_ns, path.read_bytes()
    main(["model.py"])
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before


def test_fix_writes_the_proved_edit_and_nothing_else(
    write: Write, capsys: Any, net: str, training: str, good: str
) -> None:
    path = write("model.py", net + training)
    assert main(["model.py", "--fix"]) == 0
    assert path.read_text() == good
    assert "1 fixed" in capsys.readouterr().out
    assert main(["model.py"]) == 0


def test_keep_comment_silences_the_finding(write: Write, net: str, training: str) -> None:
    write("model.py", (net + training).replace("# one for each", "# paramscope: keep REG01"))
    assert main(["model.py"]) == 0


def test_file_without_build_is_passed_over_if_only_documents_are_wanted(write: Write) -> None:
    write("script.py", "raise SystemExit(5)\n")
    assert main(["script.py", "--only-documents"]) == 0
    assert main(["script.py"]) == 2


def test_missing_file_and_wrong_target_are_told(write: Write, capsys: Any) -> None:
    assert main(["missing.py"]) == 2
    assert "there is no such file" in capsys.readouterr().out
    assert main(["missing.py:1 + 1"]) == 2
    assert "neither a name nor a call" in capsys.readouterr().err


def test_what_does_not_run_prints_its_own_traceback(write: Write, capsys: Any) -> None:
    write("broken.py", "print('so far')\n\n\ndef build():\n    return undefined\n")
    assert main(["broken.py"]) == 2
    out = capsys.readouterr().out
    assert 'broken.py", line 5, in build' in out
    assert "NameError" in out
    assert "so far" in out
    assert "engine/session.py" not in out


def test_failure_that_no_finding_explains_counts_as_not_run(
    write: Write, capsys: Any, net: str, training: str
) -> None:
    write("model.py", net + training.replace("2 * x", "2 * unknown"))
    assert main(["model.py"]) == 2
    out = capsys.readouterr().out
    assert "REG01" in out
    assert "NameError: name 'unknown' is not defined" in out


def test_colours_are_for_those_who_want_them(
    write: Write, capsys: Any, monkeypatch: pytest.MonkeyPatch, net: str, training: str
) -> None:
    write("model.py", net + training)
    main(["model.py"])
    assert "\x1b[" not in capsys.readouterr().out
    monkeypatch.setenv("FORCE_COLOR", "1")
    main(["model.py"])
    assert "\x1b[1;31merror\x1b[0m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    main(["model.py"])
    assert "\x1b[" not in capsys.readouterr().out


def test_tensors_are_printed_as_a_table(write: Write, capsys: Any, net: str, training: str) -> None:
    write("model.py", net + training)
    main(["model.py", "--tensors"])
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["linear.bias", "PARAMETER", "FLOWS", "group", "0,", "lr", "0.01", "3"] in table


def test_sarif_holds_what_its_schema_demands(
    write: Write, capsys: Any, net: str, training: str
) -> None:
    write("my model.py", net + training)
    write("broken.py", "1 / 0\n")
    assert main(["my model.py", "broken.py", "--format", "sarif"]) == 2
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    (result,) = run["results"]
    rules = run["tool"]["driver"]["rules"]
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "REG01"
    assert result["level"] in ("none", "note", "warning", "error")
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "my%20model.py"
    assert place["region"] == {"startLine": 10, "startColumn": 9, "endColumn": 19}
    (change,) = result["fixes"][0]["artifactChanges"]
    lines = (net + training).splitlines()
    for item in change["replacements"]:
        region = item["deletedRegion"]
        assert region["startLine"] == region["endLine"] == 10
        assert 1 <= region["startColumn"] <= region["endColumn"] <= len(lines[9]) + 1
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "ZeroDivisionError" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_replacements_of_sarif_make_the_mended_text(
    write: Write, capsys: Any, net: str, training: str, good: str
) -> None:
    added = "        self.more = [nn.Linear(3, 3)]\n        # what each"
    used = "self.more[0](self.linear(x))"
    source = (net + training).replace("        # what each", added)
    source = source.replace("self.linear(x)", used)
    write("model.py", source)
    main(["model.py", "--format", "sarif"])
    results = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    replacements = [
        item
        for result in results
        for item in result["fixes"][0]["artifactChanges"][0]["replacements"]
    ]
    lines = source.splitlines()
    for item in sorted(replacements, key=lambda i: -i["deletedRegion"]["startColumn"]):
        region = item["deletedRegion"]
        line = lines[region["startLine"] - 1]
        start, end = region["startColumn"] - 1, region["endColumn"] - 1
        lines[region["startLine"] - 1] = line[:start] + item["insertedContent"]["text"] + line[end:]
    mended = good.replace("        # what each", added).replace("self.linear(x)", used)
    mended = mended.replace("[nn.Linear(3, 3)]", "nn.ModuleList([nn.Linear(3, 3)])")
    assert "\n".join(lines) + "\n" == mended


@pytest.mark.parametrize(
    ("written", "path", "expression"),
    [
        ("a/net.py", "a/net.py", ""),
        ("net.py:Net", "net.py", "Net"),
        ("net.py:zoo.Net(3, act='x:y')", "net.py", "zoo.Net(3, act='x:y')"),
        ("C:/a.b/net.py:Net", "C:/a.b/net.py", "Net"),
    ],
)
def test_target_is_split_at_the_colon(written: str, path: str, expression: str) -> None:
    target = parse_target(written)
    assert (str(target.path), target.expression) == (str(Path(path)), expression)


def test_expression_that_is_no_name_is_refused() -> None:
    with pytest.raises(TargetError, match="neither a name nor a call"):
        parse_target("net.py:import os")


@pytest.mark.parametrize(
    ("event", "arguments", "place"),
    [
        ("socket.connect", (None, ("93.184.216.34", 80)), "93.184.216.34:80"),
        ("socket.getaddrinfo", ("example.org", 443), "example.org:443"),
        ("socket.connect", (None, ("127.0.0.1", 29500)), ""),
        ("socket.connect", (None, "/run/a.socket"), ""),
        ("socket.getaddrinfo", ("localhost", 80), ""),
        ("open", ("a file",), ""),
    ],
)
def test_only_other_machines_are_refused(event: str, arguments: Any, place: str) -> None:
    assert refused_place(event, arguments) == place


def test_refusal_says_how_to_allow_it() -> None:
    assert "--network" in str(NetworkRefusedError("example.org:443"))
    assert "HF_HUB_OFFLINE" not in guarded_environment({"DISPLAY": ":0"}, True)
    assert "DISPLAY" not in guarded_environment({"DISPLAY": ":0"}, False)


def test_engine_that_does_not_load_is_told_once(
    write: Write, capsys: Any, net: str, training: str
) -> None:
    write("model.py", net + training)
    with Checker("none of that name") as checker, pytest.raises(RuntimeError, match="cannot be"):
        checker.start()
