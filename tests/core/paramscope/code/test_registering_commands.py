"""Register, unregister, buffer: what is written for each way of making a tensor."""

import pytest

from edited_text import TORCH, applied
from paramscope.code.commands import Register, RegisterBuffer, Unregister
from paramscope.document.document import CommandRefused, Document


def net(line: str, head: str = TORCH, forward: str = "return x * self.w") -> str:
    body = "".join(f"        {part}\n" for part in line.splitlines())
    base = "nn.Module" if "nn" in head.split("import", 1)[1] else "torch.nn.Module"
    return (
        f"{head}\n\nclass Net({base}):\n    def __init__(self, size=3):\n"
        f"        super().__init__()\n{body}\n    def forward(self, x):\n        {forward}\n"
    )


@pytest.mark.parametrize(
    "before, after",
    [
        ("torch.randn(3)", "nn.Parameter(torch.randn(3))"),
        ("torch.zeros(3, requires_grad=True)", "nn.Parameter(torch.zeros(3))"),
        ("torch.zeros(requires_grad=True, size=(3,))", "nn.Parameter(torch.zeros(size=(3,)))"),
        ("torch.randn(3) * 0.02", "nn.Parameter(torch.randn(3) * 0.02)"),
        (
            "torch.randn(3, requires_grad=True) * 0.02 + 1",
            "nn.Parameter(torch.randn(3) * 0.02 + 1)",
        ),
        ("torch.randn(3).requires_grad_()", "nn.Parameter(torch.randn(3))"),
        ("torch.randn(3).requires_grad_(True)", "nn.Parameter(torch.randn(3))"),
        ("(torch.randn(3) / 2).requires_grad_()", "(nn.Parameter(torch.randn(3) / 2))"),
        ("nn.Parameter(torch.randn(3)) * 0.02", "nn.Parameter(torch.randn(3) * 0.02)"),
        ("nn.Parameter(1 - torch.rand(3)) * 2", "nn.Parameter((1 - torch.rand(3)) * 2)"),
        ("torch.tensor([1.0, 2.0, 3.0])", "nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))"),
        ("torch.arange(3).float()", "nn.Parameter(torch.arange(3).float())"),
        ("torch.arange(3, dtype=torch.float32)", None),
        ("torch.arange(0.0, 3.0)", None),
        ("torch.full((3,), 0.5)", None),
        ("torch.empty(size).normal_()", None),
        ("make_weights(size)", None),
    ],
)
def test_a_plain_tensor_becomes_a_parameter(before: str, after: str | None) -> None:
    source = net(f"self.w = {before}  # mine")
    wanted = after or f"nn.Parameter({before})"

    assert applied(source, Register("Net", "w")) == net(f"self.w = {wanted}  # mine")


def test_a_tensor_over_several_lines_keeps_its_form() -> None:
    source = net("self.w = torch.randn(\n    3,  # three\n    requires_grad=True,\n)")

    assert applied(source, Register("Net", "w")) == net(
        "self.w = nn.Parameter(torch.randn(\n    3,  # three\n))"
    )


def test_an_annotation_stays() -> None:
    source = net("self.w: torch.Tensor = torch.randn(3)")

    assert applied(source, Register("Net", "w")) == source.replace(
        "torch.randn(3)", "nn.Parameter(torch.randn(3))"
    )


@pytest.mark.parametrize(
    "head, parameter",
    [
        ("import torch\n", "torch.nn.Parameter"),
        ("import torch\nimport torch.nn as nn\n", "nn.Parameter"),
        ("import torch, torch.nn as nn\nfrom torch.nn import Parameter\n", "Parameter"),
        ("import torch\nfrom torch.nn import Module as nn\n", "torch.nn.Parameter"),
    ],
)
def test_parameter_is_spelled_as_the_file_spells_it(head: str, parameter: str) -> None:
    source = net("self.w = torch.randn(3)", head).replace("nn.Module)", "torch.nn.Module)")
    source = source.replace("torch.torch", "torch")

    assert f"self.w = {parameter}(torch.randn(3))\n" in applied(source, Register("Net", "w"))


def test_a_tensor_of_a_base_class_is_registered_there() -> None:
    source = net("self.w = torch.randn(3)") + "\n\nclass Wide(Net):\n    pass\n"

    assert "self.w = nn.Parameter(" in applied(source, Register("Wide", "w"))


def test_a_tensor_that_a_method_of_init_makes_is_registered_there() -> None:
    source = net("self.make()") + "\n    def make(self):\n        self.w = torch.randn(3)\n"

    assert applied(source, Register("Net", "w")) == source.replace(
        "torch.randn(3)", "nn.Parameter(torch.randn(3))"
    )


@pytest.mark.parametrize(
    "line",
    [
        "self.w = torch.arange(3)",
        "self.w = torch.zeros(3, dtype=torch.long)",
        "self.w = torch.randint(0, 5, (3,))",
        "self.w = torch.tensor([1, 2, 3])",
        "self.w = torch.randn(3).long()",
        "self.w = torch.arange(3).view(3, 1)",
    ],
)
def test_whole_numbers_are_no_parameter_but_may_be_a_buffer(line: str) -> None:
    with pytest.raises(CommandRefused) as caught:
        Register("Net", "w").apply(Document(net(line)))

    assert "whole numbers" in caught.value.reason
    assert caught.value.repair == RegisterBuffer("Net", "w")


def test_a_value_that_forward_replaces_is_no_parameter() -> None:
    source = net("self.w = torch.zeros(3)", forward="self.w = x.detach()")
    with pytest.raises(CommandRefused, match=r"Line 11 assigns `self\.w` again") as caught:
        Register("Net", "w").apply(Document(source))

    assert caught.value.repair == RegisterBuffer("Net", "w")


@pytest.mark.parametrize(
    "line, words",
    [
        ("self.w = nn.Parameter(torch.ones(3))", "is a Parameter already"),
        ("self.w = nn.Linear(3, 3)", "is a Module"),
        ("self.w = 3", "is no tensor"),
        ("self.w = None", "is no tensor"),
        ("self.w = [torch.ones(3)]", "is a container"),
        ("self.v = torch.ones(3)", "makes no `w`"),
    ],
)
def test_what_cannot_be_registered_is_refused(line: str, words: str) -> None:
    with pytest.raises(CommandRefused, match=words):
        Register("Net", "w").apply(Document(net(line)))


@pytest.mark.parametrize(
    "before, after",
    [
        ("self.w = nn.Parameter(torch.randn(3) * 2)", "self.w = torch.randn(3) * 2"),
        ("self.w = nn.Parameter(torch.ones(3), requires_grad=False)", "self.w = torch.ones(3)"),
        ("self.w = nn.Parameter(data=torch.ones(3))", "self.w = torch.ones(3)"),
        ("self.register_buffer('w', torch.ones(3))", "self.w = torch.ones(3)"),
        ("self.register_buffer('w', torch.ones(3), persistent=False)", "self.w = torch.ones(3)"),
        ("self.register_parameter('w', nn.Parameter(torch.ones(3)))", "self.w = torch.ones(3)"),
    ],
)
def test_unregistering_leaves_the_plain_tensor(before: str, after: str) -> None:
    assert applied(net(before), Unregister("Net", "w")) == net(after)


@pytest.mark.parametrize(
    "before, after",
    [
        ("self.w = torch.ones(3)", 'self.register_buffer("w", torch.ones(3))'),
        (
            "self.w = torch.ones(3, requires_grad=True)",
            'self.register_buffer("w", torch.ones(3))',
        ),
        ("self.w = nn.Parameter(torch.ones(3))", 'self.register_buffer("w", torch.ones(3))'),
        ("self.w = torch.arange(3)", 'self.register_buffer("w", torch.arange(3))'),
    ],
)
def test_a_tensor_becomes_a_buffer(before: str, after: str) -> None:
    assert applied(net(before), RegisterBuffer("Net", "w")) == net(after)


def test_a_buffer_becomes_a_parameter() -> None:
    source = net("self.register_buffer('w', torch.ones(3), persistent=False)")

    assert applied(source, Register("Net", "w")) == net("self.w = nn.Parameter(torch.ones(3))")


def test_registering_and_unregistering_go_back_and_forth() -> None:
    source = net("self.w = torch.randn(3)")

    assert applied(applied(source, Register("Net", "w")), Unregister("Net", "w")) == source


def test_what_is_not_registered_cannot_be_unregistered() -> None:
    with pytest.raises(CommandRefused, match="is not registered"):
        Unregister("Net", "w").apply(Document(net("self.w = torch.ones(3)")))
