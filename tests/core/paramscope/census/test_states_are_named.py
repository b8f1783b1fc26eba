"""Every state of the vocabulary is given to the tensor that is in it, and to no other."""

import pytest

from paramscope.census.rows import Gradient, Kind, Stepping, TensorRow
from paramscope.engine.session import Session

HEAD = """\
import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 3)
        self.b = nn.Linear(3, 1)
{init}

    def forward(self, x):
{forward}


def build():
    return Net()


def optimizer(model):
    return {optimizer}


def batch():
    x = torch.randn(8, 3)
    return x, x.sum(dim=1, keepdim=True)


def loss(model, x, y):
    return {loss}
"""


@pytest.fixture
def census(adapter):
    def take(
        init: str = "pass",
        forward: str = "return self.b(torch.tanh(self.a(x)))",
        optimizer: str = "torch.optim.SGD(model.parameters(), lr=0.01)",
        loss: str = "((model(x) - y) ** 2).mean()",
        tail: str = "",
        steps: int = 5,
    ) -> dict[str, TensorRow]:
        pad = "        "
        source = HEAD.format(
            init="\n".join(pad + line for line in init.splitlines()),
            forward="\n".join(pad + line for line in forward.splitlines()),
            optimizer=optimizer,
            loss=loss,
        )
        session = Session(adapter)
        assert session.load(source + tail, "<document>"), session.failure
        for _ in range(steps):
            assert session.run_step(), session.failure
        session.look()
        return {row.path: row for row in session.take_news().rows}

    return take


def test_registered_and_stepped(census) -> None:
    row = census()["a.weight"]
    assert (row.kind, row.gradient, row.stepping) == (
        Kind.PARAMETER,
        Gradient.FLOWS,
        Stepping.IN_OPTIMIZER,
    )
    assert row.update_norm > 0
    assert row.gradient_statistics.norm > 0


def test_no_backward_yet(census) -> None:
    assert census(steps=0)["a.weight"].gradient is Gradient.NONE_YET


def test_never_read_is_unused(census) -> None:
    row = census(init="self.c = nn.Linear(3, 3)")["c.weight"]
    assert (row.gradient, row.stepping) == (Gradient.UNUSED, Stepping.IN_OPTIMIZER)


@pytest.mark.parametrize(
    ("forward", "operation"),
    [
        ("return self.b(self.a(x).detach())", "detach"),
        ("return self.b(self.a(x).data)", "data"),
        ("with torch.no_grad():\n    h = self.a(x)\nreturn self.b(h)", "linear"),
        ("return self.b(torch.tensor(self.a(x).tolist()))", "tolist"),
        ("return self.b((self.a(x) > 0).float())", "gt"),
    ],
)
def test_cut_off_names_the_operation_and_the_line(census, forward, operation) -> None:
    row = census(forward=forward)["a.weight"]
    assert row.gradient is Gradient.DETACHED
    line = 15 if "with" in forward else 14
    assert row.note == f"cut off from the loss by `{operation}` in line {line}"


def test_gradient_that_comes_back_another_way_is_no_cut(census) -> None:
    straight = "h = self.a(x)\nreturn self.b(h + (torch.round(h) - h).detach())"
    assert census(forward=straight)["a.weight"].gradient is Gradient.FLOWS


def test_frozen_is_information(census) -> None:
    row = census(init="self.a.requires_grad_(False)")["a.weight"]
    assert (row.gradient, row.stepping) == (Gradient.FROZEN, Stepping.IN_OPTIMIZER)


def test_dead_units_have_zero_gradients(census) -> None:
    dead = census(forward="return self.b(torch.relu(self.a(x) - 1e6))")
    assert dead["a.weight"].gradient is Gradient.ZERO


def test_non_finite_and_exploding_gradients(census) -> None:
    huge = census(loss="((model(x) - y) ** 2).mean() * 1e12", optimizer="None", steps=1)
    assert huge["a.weight"].gradient is Gradient.EXPLODING
    nan = census(forward="return self.b(torch.sqrt(self.a(x) * 0))", optimizer="None", steps=1)
    assert nan["a.weight"].gradient is Gradient.NON_FINITE


def test_vanishing_is_judged_against_the_largest(census) -> None:
    rows = census(forward="return self.b(torch.tanh(self.a(x)) * 1e-9 + x)")
    assert rows["a.weight"].gradient is Gradient.VANISHING
    assert rows["b.weight"].gradient is Gradient.FLOWS


OWN_STEP = """

def train_step(model, optimizer, x, y):
    value = loss(model, x, y)
    value.backward()
    optimizer.step()
    return value
"""
ACCUMULATING = """

calls = []


def train_step(model, optimizer, x, y):
    calls.append(1)
    value = loss(model, x, y)
    value.backward()
    if len(calls) % 2 == 0:
        optimizer.step()
        optimizer.zero_grad()
    return value
"""


def test_gradients_that_are_never_cleared_are_stale(census) -> None:
    assert census(tail=OWN_STEP)["a.weight"].gradient is Gradient.STALE


def test_accumulation_on_purpose_is_not_stale(census) -> None:
    assert census(tail=ACCUMULATING)["a.weight"].gradient is Gradient.FLOWS


def test_left_out_of_the_optimizer_is_not_stepped(census) -> None:
    rows = census(optimizer="torch.optim.SGD(model.a.parameters(), lr=0.01)")
    assert rows["b.weight"].stepping is Stepping.NOT_STEPPED
    assert rows["a.weight"].stepping is Stepping.IN_OPTIMIZER
    assert rows["b.weight"].update_norm == 0.0


def test_optimizer_entry_that_the_model_lost(census) -> None:
    tail = (
        "\n\ndef optimizer(model):\n"
        "    made = torch.optim.SGD(model.parameters(), lr=0.01)\n"
        "    model.b = nn.Linear(3, 1)\n"
        "    return made\n"
    )
    rows = census(tail=tail)
    assert rows["b.weight"].stepping is Stepping.NOT_STEPPED
    assert rows["optimizer.0.0.2"].stepping is Stepping.NOT_IN_MODEL


def test_stepped_twice_is_told(census) -> None:
    rows = census(
        optimizer="[torch.optim.SGD(model.parameters(), lr=0.1), "
        "torch.optim.SGD(model.a.parameters(), lr=0.1)]"
    )
    assert rows["a.weight"].stepping is Stepping.STEPPED_TWICE
    assert rows["b.weight"].stepping is Stepping.IN_OPTIMIZER


def test_frozen_that_momentum_moves(census) -> None:
    tail = (
        "\n\ndef train_step(model, optimizer, x, y):\n"
        "    value = loss(model, x, y)\n"
        "    optimizer.zero_grad()\n"
        "    value.backward()\n"
        "    optimizer.step()\n"
        "    model.a.weight.requires_grad_(False)\n"
        "    model.a.weight.grad = torch.ones(3, 3)\n"
        "    optimizer.step()\n"
        "    return value\n"
    )
    assert census(tail=tail)["a.weight"].stepping is Stepping.MOVES_WHILE_FROZEN


def test_gradient_without_effect_never_moves(census) -> None:
    tail = (
        "\n\ndef train_step(model, optimizer, x, y):\n"
        "    optimizer.zero_grad()\n"
        "    value = loss(model, x, y)\n"
        "    value.backward()\n"
        "    return value\n"
    )
    assert census(tail=tail)["a.weight"].stepping is Stepping.NEVER_MOVES


def test_forgotten_tensor_flows_and_is_not_stepped(census) -> None:
    rows = census(
        init="self.s = torch.ones(3, requires_grad=True)",
        forward="return self.b(self.a(x) * self.s)",
    )
    row = rows["s"]
    assert (row.kind, row.gradient, row.stepping, row.line) == (
        Kind.FORGOTTEN_TENSOR,
        Gradient.FLOWS,
        Stepping.NOT_STEPPED,
        11,
    )
    assert row.note == "plain tensor: receives a gradient, nobody steps it"


def test_random_tensor_read_in_forward_is_forgotten(census) -> None:
    rows = census(init="self.s = torch.randn(3) * 0.1", forward="return self.b(self.a(x) * self.s)")
    assert rows["s"].kind is Kind.FORGOTTEN_TENSOR
    assert rows["s"].stepping is Stepping.NOT_STEPPED


def test_cached_state_is_a_plain_tensor(census) -> None:
    rows = census(
        init="self.h = torch.zeros(8, 3)",
        forward="self.h = torch.tanh(self.a(x) + self.h).detach()\nreturn self.b(self.a(x))",
    )
    assert rows["h"].kind is Kind.TENSOR


def test_memory_that_was_never_filled_is_uninitialized(census) -> None:
    rows = census(
        init="self.w = nn.Parameter(torch.empty(3))\n"
        "self.v = nn.Parameter(torch.empty(3))\nnn.init.zeros_(self.v)",
        forward="return self.b(self.a(x) * self.v)",
    )
    assert rows["w"].kind is Kind.UNINITIALIZED
    assert rows["v"].kind is Kind.PARAMETER
    assert rows["a.weight"].kind is Kind.PARAMETER


def test_step_below_rounding_is_no_fault(census) -> None:
    rows = census(
        init="self.shift = nn.Parameter(torch.full((1,), 1e6))",
        forward="return self.b(torch.tanh(self.a(x))) + 1e-6 * self.shift",
    )
    assert rows["shift"].stepping is Stepping.IN_OPTIMIZER
