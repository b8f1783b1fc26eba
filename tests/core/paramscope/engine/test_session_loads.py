"""Loading: documents, scripts, errors with their lines, and weights kept over an edit."""

import pytest

from paramscope.census.rows import Gradient, Kind, Stepping
from paramscope.engine.session import Session

GAIN = """\
import torch
from torch import nn


class Gain(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.scale = torch.full((3,), 0.5, requires_grad=True)

    def forward(self, x):
        return self.linear(x) * self.scale


def build():
    return Gain()


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)


def batch():
    x = torch.randn(8, 3)
    return x, 4 * x


def loss(model, x, y):
    return ((model(x) - y) ** 2).mean()
"""
REGISTERED = GAIN.replace(
    "torch.full((3,), 0.5, requires_grad=True)", "nn.Parameter(torch.full((3,), 0.5))"
)


@pytest.fixture
def session(adapter) -> Session:
    return Session(adapter)


def rows_by_path(session: Session) -> dict:
    session.look()
    return {row.path: row for row in session.take_news().rows}


def values(session: Session) -> dict[str, list[float]]:
    array = session.adapter.array
    return {found.path: array(found.tensor).tolist() for found in session.walk.tensors}


def run(session: Session, steps: int) -> list[float]:
    for _ in range(steps):
        assert session.run_step(), session.failure
    return [loss for _, loss in session.take_news().losses]


def test_edit_keeps_weights_steps_and_optimizer_state(session: Session) -> None:
    assert session.load(GAIN, "<document>")
    run(session, 5)
    before = values(session)
    assert session.load(REGISTERED, "<document>", revision=2, keep_weights=True), session.failure
    assert values(session) == before
    assert session.step == 5
    rows = rows_by_path(session)
    assert rows["linear.weight"].has_optimizer_state
    assert not rows["scale"].has_optimizer_state
    assert (rows["scale"].kind, rows["scale"].stepping) == (Kind.PARAMETER, Stepping.IN_OPTIMIZER)
    run(session, 1)
    assert values(session)["scale"] != before["scale"]


def test_edit_that_changes_nothing_does_not_change_the_run(session: Session) -> None:
    assert session.load(GAIN, "<document>")
    expected = run(session, 8)
    assert session.load(GAIN, "<document>")
    losses = run(session, 4)
    commented = GAIN + "\n# a comment\n"
    assert session.load(commented, "<document>", keep_weights=True), session.failure
    assert losses + run(session, 4) == expected


def test_edit_leaves_no_gap_in_the_curve(session: Session) -> None:
    assert session.load(GAIN, "<document>")
    for _ in range(3):
        assert session.run_step()
    assert session.load(REGISTERED, "<document>", keep_weights=True)
    assert session.run_step()
    assert [step for step, _ in session.take_news().losses] == [1, 2, 3, 4]


def test_learning_rate_set_by_hand_outlives_an_edit_elsewhere(session: Session) -> None:
    assert session.load(GAIN, "<document>")
    session.set_learning_rate(0.5)
    assert session.load(REGISTERED, "<document>", keep_weights=True)
    assert session.learning_rate == 0.5
    assert session.load(REGISTERED.replace("lr=0.01", "lr=0.02"), "<document>", keep_weights=True)
    assert session.learning_rate == 0.02


def test_tensor_of_another_shape_starts_anew(session: Session) -> None:
    assert session.load(GAIN, "<document>")
    before = values(session)
    wide = GAIN.replace("nn.Linear(3, 3)", "nn.Linear(3, 3, bias=False)")
    assert session.load(wide.replace("(3,), 0.5", "(1,), 0.25"), "<document>", keep_weights=True)
    after = values(session)
    assert after["linear.weight"] == before["linear.weight"]
    assert after["scale"] == [0.25]


def test_source_with_an_error_costs_no_weight(session: Session) -> None:
    assert session.load(GAIN, "<document>")
    run(session, 3)
    before = values(session)
    assert not session.load(GAIN + "\nraise ValueError('half typed')\n", "<document>", 2, 0, True)
    assert session.failure.kind == "ValueError"
    assert session.load(GAIN, "<document>", 3, keep_weights=True)
    assert values(session) == before
    assert session.step == 3


def test_exception_shows_its_line_and_only_the_users_frames(session: Session) -> None:
    broken = GAIN.replace("self.linear(x) * self.scale", "self.linear(x) * self.scal")
    assert session.load(broken, "<document>")
    assert not session.run_step()
    failure = session.failure
    assert failure.kind == "AttributeError"
    assert [frame.function for frame in failure.frames] == ["loss", "forward"]
    last = failure.frames[-1]
    assert (last.span.line, last.text.strip()) == (12, "return self.linear(x) * self.scal")
    assert last.text[last.span.column : last.span.end_column] == "self.scal"
    assert 'File "<document>", line 12, in forward' in failure.text
    assert "session.py" not in failure.text


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("import no_such_module\n" + GAIN, "ModuleNotFoundError"),
        (GAIN.replace("lr=0.01", "speed=0.01"), "TypeError"),
    ],
    ids=["loading", "optimizer"],
)
def test_playing_what_did_not_load_says_again_why(session: Session, source: str, kind: str) -> None:
    assert not session.load(source, "<document>")
    first = session.failure
    session.clear_failure()
    assert not session.run_step()
    assert session.failure is first
    assert first is not None
    assert first.kind == kind


def test_syntax_error_is_a_failure_with_its_place(session: Session) -> None:
    assert not session.load("x = (1,\ny = 2\n", "<document>")
    failure = session.failure
    assert failure.kind == "SyntaxError"
    assert failure.frames[-1].span.line == 1


def test_class_without_build_is_told_what_to_add(session: Session) -> None:
    source = GAIN[: GAIN.index("def build")]
    assert session.load(source, "<document>")
    assert session.note == (
        "This file defines the class Gain, but no build().\n"
        "  Missing: build() -> Gain(...); batch() -> (x, y); loss(model, x, y) -> loss; "
        "optimizer(model) -> optimizer.\n"
        "  Add these functions at the end of the file; `batch()` returns a fresh pair (x, y)."
    )
    assert not session.run_step()
    assert session.failure.kind == "CannotTrainError"


def test_document_without_loss_shows_its_model_and_names_what_is_missing(session: Session) -> None:
    assert session.load(GAIN[: GAIN.index("def loss")], "<document>")
    assert "Missing: loss(model, x, y) -> loss." in session.note
    assert "scale" in rows_by_path(session)


def test_build_that_returns_no_model_is_refused(session: Session) -> None:
    assert not session.load(GAIN.replace("return Gain()", "Gain()"), "<document>")
    assert "`build()` returned None; it must return a model." in session.failure.message


def test_script_is_run_as_it_is_and_its_models_are_listed(session: Session, capsys) -> None:
    script = GAIN[: GAIN.index("def build")] + (
        "if __name__ == '__main__':\n"
        "    model = Gain()\n"
        "    other = nn.Linear(2, 2)\n"
        "    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "    model(torch.ones(1, 3)).sum().backward()\n"
        "    optimizer.step()\n"
        "    print('done')\n"
    )
    assert session.load(script, "<document>"), session.failure
    assert capsys.readouterr().out == "done\n"
    rows = rows_by_path(session)
    assert list(rows) == [
        "model.linear.weight",
        "model.linear.bias",
        "model.scale",
        "other.weight",
        "other.bias",
    ]
    assert rows["model.linear.weight"].gradient is Gradient.FLOWS
    assert rows["model.scale"].kind is Kind.FORGOTTEN_TENSOR
    assert rows["other.weight"].gradient is Gradient.NONE_YET
    assert "This file defines the class Gain" in session.note


def test_script_that_exits_well_is_done(session: Session) -> None:
    assert session.load("import sys\nsys.exit(0)\n", "<document>")
    assert not session.load("import sys\nsys.exit('no data')\n", "<document>")
    assert session.failure.message == "The code called sys.exit(no data)."


def test_helper_beside_the_document_is_read_again(session: Session, tmp_path) -> None:
    (tmp_path / "widths.py").write_text("WIDTH = 3\n")
    path = tmp_path / "model.py"
    source = GAIN.replace("import torch\n", "import torch\nfrom widths import WIDTH\n", 1)
    source = source.replace("nn.Linear(3, 3)", "nn.Linear(3, WIDTH)")
    assert session.load(source, str(path)), session.failure
    (tmp_path / "widths.py").write_text("WIDTH = 1\n# longer, so that the file's size differs\n")
    assert session.load(source, str(path)), session.failure
    assert rows_by_path(session)["linear.weight"].shape == (1, 3)
    session.load("x = 1\n", "<document>")
