"""The benchmark compares what is equal, its gate closes, and its table stays between its marks."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCH = Path(__file__).parent / "bench"
FLAT = {path.stem for path in BENCH.glob("*.py")} | {"peers"}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that imports a file of the benchmark; they are forgotten afterwards."""
    pytest.importorskip("threadpoolctl")
    monkeypatch.syspath_prepend(str(BENCH))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in FLAT:
            del sys.modules[name]


def test_every_kernel_of_the_gate_has_the_losses_of_gradcore(bench: Any) -> None:
    gradcore, contest = importlib.import_module("gradcore"), bench("contest")
    workloads = bench("workloads").WORKLOADS
    for key, make in bench("kernels").KERNELS.items():
        made = workloads[key](gradcore)
        kernel = make(made.problem())
        losses = [made.number(made.update()) for _ in range(3)]
        assert contest.loss_gap(losses, [kernel() for _ in range(3)]) < 1e-5, key


def test_every_row_of_the_gate_has_a_limit(bench: Any) -> None:
    limits = json.loads((BENCH / "limits.json").read_text(encoding="utf-8"))
    for key in bench("kernels").KERNELS:
        assert f"{key}, eager" in limits


def test_the_gate_closes_on_a_row_above_its_limit_and_names_it(
    bench: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = tmp_path / "limits.json"
    gate = bench("gate")
    limits.write_text(json.dumps(dict.fromkeys(("chain, eager",), 1e-6)), encoding="utf-8")
    assert gate.pass_gate(limits, False, ["chain"]) == 1
    assert "REGRESSED: chain, eager takes" in capsys.readouterr().out
    assert gate.pass_gate(limits, True, ["chain"]) == 0
    made = json.loads(limits.read_text(encoding="utf-8"))
    assert {"chain, eager", "chain, replay"} <= set(made)
    limits.write_text(json.dumps(dict.fromkeys(made, 1000000.0)), encoding="utf-8")
    assert gate.pass_gate(limits, False, ["chain"]) == 0


def test_the_table_is_written_between_its_marks_only(bench: Any, tmp_path: Path) -> None:
    table, contest = bench("table"), bench("contest")
    chain = bench("workloads").WORKLOADS["chain"]
    entries = {
        "torch": contest.Entry("torch", [2e-4, 3e-4], [1.0]),
        "eager": contest.Entry("eager", [1.9e-4, 2e-4], [1.0]),
        "replay": contest.Entry("replay", [5e-5, 9e-5], [1.0]),
        "jax.jit": contest.Entry("jax.jit", [], [], "DISAGREES: losses differ by 1e-01"),
    }
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n", encoding="utf-8")
    table.write_readme(readme, [contest.Row("chain", chain, entries)], [], "numpy 2")
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{table.BEGIN}\n| workload |")
    assert text.endswith(f"{table.END}\nafter\n")
    assert "old" not in text
    assert "| 200 us | .95 of .6 MISSED | .25 of .3 |" in text
    readme.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="must hold <!-- bench: begin -->"):
        table.write_readme(readme, [], [], "")


def test_a_peer_that_is_not_installed_is_left_out_with_its_reason(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    for name in ("torch", "jax", "mygrad", "autograd", "tinygrad"):
        monkeypatch.setitem(sys.modules, name, None)
    found, missing = bench("contest").contestants(["torch", "jax", "mygrad", "autograd"])
    assert [peer.name for peer in found][:3] == ["eager", "replay", "native"]
    assert missing["jax.jit"] == "jax is not installed"
    assert set(missing) == {
        "torch", "torch fused Adam", "torch.compile", "jax.jit", "MyGrad", "autograd"
    }  # fmt: skip


def test_every_case_of_the_operations_gives_what_torch_gives(bench: Any) -> None:
    torch, operations = pytest.importorskip("torch"), bench("operations")
    gradcore = importlib.import_module("gradcore")
    cases = list(operations.cases())
    assert len(cases) > 90
    for expression, shapes in cases[:: len(cases) // 8]:
        torch.manual_seed(0)
        gradcore.manual_seed(0)
        expected, found = (
            operations.step_of(expression, shapes, library)().detach().numpy()
            for library in (torch, gradcore)
        )
        np.testing.assert_allclose(found, expected, 1e-3, 1e-3, err_msg=expression)
