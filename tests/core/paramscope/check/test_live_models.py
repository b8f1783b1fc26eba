"""`paramscope.census` and `paramscope.assert_trains` on models that live in a script or test."""

import importlib
from typing import Any

import pytest

import paramscope

ENGINES = ["gradcore", pytest.param("torch", marks=pytest.mark.torch)]


@pytest.fixture(params=ENGINES)
def torch(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(request.param)


def made(torch: Any) -> Any:
    """Return a model with a Parameter, a buffer and a plain tensor that should be trained."""

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(3, 3)
            self.scale = torch.ones(3, requires_grad=True)
            self.register_buffer("mean", torch.zeros(3))

        def forward(self, x: Any) -> Any:
            return self.linear(x - self.mean) * self.scale

    return Net()


def loss(model: Any, x: Any, y: Any) -> Any:
    return ((model(x) - y) ** 2).mean()


def test_census_is_a_function_of_the_package(torch: Any) -> None:
    model = made(torch)
    rows = paramscope.census(model, torch.optim.Adam(model.parameters(), lr=0.1))
    assert {row.path: row.kind for row in rows} == {
        "linear.weight": "PARAMETER",
        "linear.bias": "PARAMETER",
        "mean": "BUFFER",
        "scale": "FORGOTTEN TENSOR",
    }
    assert rows.at("linear.weight").lr == 0.1
    with pytest.raises(KeyError, match="no tensor at `nope`"):
        rows.at("nope")


def test_census_prints_as_a_table_with_totals(torch: Any) -> None:
    text = str(paramscope.census(made(torch)))
    assert text.splitlines()[0].split() == [
        "tensor",
        "what",
        "it",
        "is",
        "gradient",
        "who",
        "steps",
        "it",
        "shape",
        "note",
    ]
    assert text.splitlines()[-1] == "4 tensors, 18 values, 0 of them in an optimizer"


def test_census_refuses_what_is_no_model() -> None:
    with pytest.raises(TypeError, match="is no Module"):
        paramscope.census([1, 2, 3])


def test_assert_trains_names_what_does_not(torch: Any) -> None:
    model = made(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    batch = torch.ones(4, 3), torch.zeros(4, 3)
    with pytest.raises(AssertionError, match=r"REG01 .*`scale` is a plain tensor") as caught:
        paramscope.assert_trains(model, optimizer, batch, loss)
    assert [finding.rule for finding in caught.value.findings] == ["REG01"]
    assert caught.value.census.at("scale").stepping == "NOT STEPPED"


def test_assert_trains_returns_the_census_of_a_sound_model(torch: Any) -> None:
    model = made(torch)
    model.scale = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    rows = paramscope.assert_trains(model, optimizer, lambda: (torch.randn(4, 3),) * 2, loss)
    assert rows.at("scale").stepping == "IN OPTIMIZER"
    assert rows.at("scale").update_norm > 0


def test_assert_trains_takes_a_step_of_the_users_own(torch: Any) -> None:
    model = made(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step() -> None:  # never clears the gradients
        loss(model, torch.randn(4, 3), torch.ones(4, 3)).backward()
        optimizer.step()

    with pytest.raises(AssertionError, match="OPT09"):
        paramscope.assert_trains(model, optimizer, step=step, allow=["scale"])


def test_allowed_findings_do_not_fail(torch: Any) -> None:
    model = made(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    batch = torch.ones(4, 3), torch.zeros(4, 3)
    paramscope.assert_trains(model, optimizer, batch, loss, allow=["REG01"])


def test_assert_trains_needs_a_loss_or_a_step(torch: Any) -> None:
    with pytest.raises(TypeError, match="what one training step is"):
        paramscope.assert_trains(made(torch), None)


def test_backward_is_as_it_was_afterwards(torch: Any) -> None:
    before = torch.Tensor.backward
    model = made(torch)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    paramscope.assert_trains(
        model, optimizer, (torch.ones(4, 3), torch.zeros(4, 3)), loss, allow=["scale"]
    )
    assert torch.Tensor.backward is before
