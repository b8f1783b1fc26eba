"""The recorder hears of everything and changes nothing."""

import sys

import pytest

import gradcore as torch
from gradcore.graph import set_recorder


class Notes:
    """A listener that writes down what it is told, and from which line."""

    def __init__(self):
        self.operations = []
        self.lines = []
        self.passed = []
        self.leaves = []

    def operation(self, name, inputs, attributes, outputs, recorded):
        self.operations.append((name, len(inputs), len(outputs), recorded))
        frame = sys._getframe()
        while frame.f_code.co_filename != __file__ or frame.f_code.co_name == "operation":
            frame = frame.f_back
        self.lines.append(frame.f_lineno - frame.f_code.co_firstlineno)

    def gradients(self, node, gradients):
        self.passed.append(node.name())

    def accumulated(self, leaf, gradient):
        self.leaves.append(tuple(leaf.shape))

    @property
    def names(self):
        return [item[0] for item in self.operations]


def test_operations_are_told_with_whether_they_are_on_the_tape():
    notes = Notes()
    x = torch.ones(2, requires_grad=True)
    with set_recorder(notes):
        y = x * 2
        (y.detach() + 1).sum()
    assert notes.operations == [
        ("mul", 2, 1, True),
        ("detach", 1, 1, False),
        ("add", 2, 1, False),
        ("sum", 1, 1, False),
    ]


def test_told_from_inside_the_users_own_line():
    notes = Notes()
    x = torch.ones(2)
    with set_recorder(notes):
        x.exp()
        x[0]
    assert notes.lines == [4, 5]


def test_factories_looks_and_writes_are_told():
    notes = Notes()
    with set_recorder(notes):
        x = torch.zeros(2)
        torch.randn(2)
        torch.tensor([1.0])
        torch.empty(1)
        x.add_(1)
        x[0] = 3.0
        x.normal_()
        x.sum().item()
        x.tolist()
        x.numpy()
        bool(x[0])
        x.data  # noqa: B018 - looked at on purpose
        torch.allclose(x, x)
    assert notes.names == [
        "zeros", "randn", "tensor", "empty", "add_", "pick", "copy_", "normal_", "sum", "item",
        "tolist", "numpy", "pick", "__bool__", "data", "allclose",
    ]  # fmt: skip


def test_backward_is_told_node_by_node_and_leaf_by_leaf():
    notes = Notes()
    x, w = torch.ones(2, 3, requires_grad=True), torch.ones(3, 4, requires_grad=True)
    y = (x @ w).tanh().sum()
    with set_recorder(notes):
        y.backward()
    assert notes.passed == ["SumBackward0", "TanhBackward0", "MmBackward0"]
    assert sorted(notes.leaves) == [(2, 3), (3, 4)]
    assert notes.operations == []


def test_what_the_listener_does_itself_is_not_told():
    class Looking(Notes):
        def operation(self, name, inputs, attributes, outputs, recorded):
            super().operation(name, inputs, attributes, outputs, recorded)
            outputs[0].sum().item()

    notes = Looking()
    with set_recorder(notes):
        torch.ones(2) * 2
    assert notes.names == ["ones", "mul"]


def test_a_listener_that_raises_does_not_stay_switched_off():
    class Failing(Notes):
        def operation(self, name, inputs, attributes, outputs, recorded):
            super().operation(name, inputs, attributes, outputs, recorded)
            raise ValueError("no")

    notes = Failing()
    with set_recorder(notes):
        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                torch.ones(1)
    assert notes.names == ["ones", "ones"]


def test_recorded_run_ends_in_the_same_numbers():
    def train():
        torch.manual_seed(0)
        w = torch.randn(4, 4, requires_grad=True)
        x = torch.randn(8, 4)
        for _ in range(5):
            loss = torch.softmax((x @ w).relu(), 1).var() + (w[0] * w[:, 1]).sum()
            loss.backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
            w.grad = None
        return w.tolist()

    plain = train()
    with set_recorder(Notes()):
        watched = train()
    assert plain == watched


def test_attributes_are_told_by_name():
    seen = {}

    class Attributes(Notes):
        def operation(self, name, inputs, attributes, outputs, recorded):
            seen[name] = attributes

    with set_recorder(Attributes()):
        torch.ones(2, 3).sum(dim=1, keepdim=True)
        torch.ones(2, 3).transpose(0, 1)
    assert seen["sum"] == {"dim": 1, "keepdim": True}
    assert seen["transpose"] == {"dim0": 0, "dim1": 1}
