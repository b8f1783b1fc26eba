"""Deleting, renaming, arguments, typed text, and sources of every form: the lines written."""

import pytest

from edited_text import MLP, TORCH, applied, net, port, refusal
from paramscope.code.commands import (
    AddModule,
    AddOperation,
    Delete,
    MoveNodes,
    Rename,
    ReplaceText,
    SetArgument,
)
from paramscope.code.graph import NodeKind
from paramscope.code.parse import parse
from paramscope.document.document import Document, Layout, Point

# Deleting


def test_deleting_a_layer_leaves_a_hole() -> None:
    assert applied(MLP, Delete("Net", ("fc1",))) == MLP.replace(
        "        self.fc1 = nn.Linear(2, width)  # in\n", ""
    ).replace("torch.tanh(self.fc1(x))", "torch.tanh(...)")


def test_deleting_with_reconnection_joins_the_ends() -> None:
    assert applied(MLP, Delete("Net", ("tanh",), reconnect=True)) == MLP.replace(
        "torch.tanh(self.fc1(x))", "self.fc1(x)"
    )
    assert applied(MLP, Delete("Net", ("fc2",), reconnect=True)) == MLP.replace(
        "        self.fc2 = nn.Linear(width, 1)\n", ""
    ).replace("return self.fc2(h)", "return h")


def test_deleting_a_line_of_a_chain_removes_the_line() -> None:
    source = net("", "x = torch.relu(x)\nx = torch.tanh(x)\nreturn x")

    assert applied(source, Delete("Net", ("tanh",), reconnect=True)) == net(
        "", "x = torch.relu(x)\nreturn x"
    )
    assert applied(source, Delete("Net", ("tanh",))) == net("", "x = torch.relu(x)\nreturn ...")


def test_deleting_several_nodes_takes_them_all() -> None:
    source = applied(MLP, Delete("Net", ("fc1", "tanh", "fc2"), reconnect=True))

    assert (
        source
        == net("", "return x")
        .replace(
            "    def __init__(self):",
            "    # Two layers are enough here.\n    def __init__(self, width=8):",
        )
        .replace(TORCH, '"""A small net."""\n\n' + TORCH)
        + MLP[MLP.index("\n\ndef build") :]
    )


def test_a_layer_called_twice_stays_when_one_call_goes() -> None:
    source = net("self.a = nn.Linear(2, 2)", "x = self.a(x)\nx = self.a(x)\nreturn x")

    assert applied(source, Delete("Net", ("a#2",), reconnect=True)) == net(
        "self.a = nn.Linear(2, 2)", "x = self.a(x)\nreturn x"
    )


def test_a_member_that_init_uses_is_not_deleted_under_it() -> None:
    source = net("self.a = nn.Linear(2, 2)\nnn.init.zeros_(self.a.bias)", "return self.a(x)")

    assert "also used in line 9" in refusal(source, Delete("Net", ("a",)))


def test_a_parameter_is_deleted_with_its_reads() -> None:
    source = net("self.w = nn.Parameter(torch.ones(3))", "return x * self.w")

    assert applied(source, Delete("Net", ("w",))) == net("", "return x * ...")


def test_inputs_and_outputs_stay() -> None:
    assert "change the `def` line" in refusal(MLP, Delete("Net", ("x",)))
    assert "keeps its output" in refusal(MLP, Delete("Net", ("output",)))
    assert "Training needs" in refusal(MLP, Delete("", ("optimizer",)))


def test_code_of_the_program_is_deleted_with_its_lines() -> None:
    source = MLP.replace("def build", "RATE = 0.1\n\n\ndef helper():\n    return 1\n\n\ndef build")

    assert applied(source, Delete("", ("RATE",))) == source.replace("RATE = 0.1\n", "")
    assert applied(source, Delete("", ("helper",))) == source.replace(
        "def helper():\n    return 1\n", ""
    )


def test_code_is_deleted_whole() -> None:
    source = net("", "for i in range(3):\n    x = x * 2\nreturn x")
    code = next(n.id for n in parse(source).graphs["Net"].nodes if n.kind is NodeKind.CODE)

    assert applied(source, Delete("Net", (code,))) == net("", "return ...")


# Renaming


def test_a_member_is_renamed_wherever_it_is_meant() -> None:
    source = (
        net(
            "self.fc1 = nn.Linear(2, 2)\nnn.init.zeros_(self.fc1.bias)  # fc1", "return self.fc1(x)"
        )
        + "\n    def size(self):\n        return self.fc1.weight.numel(), 'fc1'\n"
        + "\n\nclass Wide(Net):\n    def more(self):\n        return self.fc1\n"
        + "\n\nclass Outer(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        + "        self.net = Net()\n        self.fc1 = nn.Linear(1, 1)\n\n"
        + "    def forward(self, x):\n        return self.fc1(self.net.fc1(x))\n"
        + "\n\ndef build():\n    return Net()\n"
        + "\n\ndef optimizer(model):\n    return torch.optim.SGD(model.fc1.parameters(), lr=0.1)\n"
    )
    renamed = applied(source, Rename("Net", "fc1", "hidden"))

    assert renamed.count("hidden") == 7
    assert "self.fc1(self.net.hidden(x))" in renamed
    assert "model.hidden.parameters()" in renamed
    assert "# fc1" in renamed and "'fc1'" in renamed
    assert applied(renamed, Rename("Net", "hidden", "fc1")) == source


def test_a_registered_name_is_renamed_in_its_string() -> None:
    source = net("self.register_buffer('mask', torch.ones(3))", "return x * self.mask")

    assert applied(source, Rename("Net", "mask", "keep")) == source.replace("mask", "keep")


def test_an_operation_is_renamed_by_its_variable() -> None:
    assert applied(MLP, Rename("Net", "tanh", "act")) == MLP.replace(
        "h = torch.tanh", "act = torch.tanh"
    ).replace("fc2(h)", "fc2(act)")


def test_one_of_several_values_of_a_variable_is_renamed() -> None:
    source = net("", "x = torch.relu(x)\ny = x * x\nx = torch.tanh(y)\nreturn x")

    assert applied(source, Rename("Net", "relu", "h")) == net(
        "", "h = torch.relu(x)\ny = h * h\nx = torch.tanh(y)\nreturn x"
    )


def test_a_variable_that_code_writes_again_is_not_renamed() -> None:
    source = net("", "h = torch.relu(x)\nfor i in range(3):\n    h = h * 2\nreturn h")

    assert "rename it in the code" in refusal(source, Rename("Net", "relu", "start"))


def test_a_nested_operation_gets_the_name_as_its_variable() -> None:
    source = net("", "return torch.relu(torch.tanh(x))")

    assert applied(source, Rename("Net", "tanh", "squeezed")) == net(
        "", "squeezed = torch.tanh(x)\nreturn torch.relu(squeezed)"
    )


def test_an_argument_of_forward_is_renamed() -> None:
    assert applied(MLP, Rename("Net", "x", "points")) == MLP.replace(
        "forward(self, x)", "forward(self, points)"
    ).replace("fc1(x)", "fc1(points)")


def test_positions_go_with_the_new_name() -> None:
    document = Document(MLP, Layout({"Net/fc1": Point(1, 2), "Net/fc2": Point(3, 4)}))
    renamed = Rename("Net", "fc1", "hidden").apply(document)

    assert renamed.layout.positions == {"Net/hidden": Point(1, 2), "Net/fc2": Point(3, 4)}


# Arguments


def test_an_argument_is_replaced_where_it_stands() -> None:
    assert applied(MLP, SetArgument("Net", "fc1", "in_features", "4 * 4")) == MLP.replace(
        "nn.Linear(2, width)", "nn.Linear(4 * 4, width)"
    )


def test_an_argument_is_added_and_taken_back() -> None:
    added = applied(MLP, SetArgument("Net", "fc1", "bias", "False"))

    assert added == MLP.replace("(2, width)", "(2, width, bias=False)")
    assert applied(added, SetArgument("Net", "fc1", "bias", None)) == MLP


def test_arguments_keep_the_form_of_a_list_over_several_lines() -> None:
    source = net("self.a = nn.Linear(\n    2,\n    2,  # out\n)", "return self.a(x)")

    assert applied(source, SetArgument("Net", "a", "bias", "False")) == net(
        "self.a = nn.Linear(\n    2,\n    2,  # out\n    bias=False,\n)", "return self.a(x)"
    )


def test_arguments_of_the_program_are_in_its_functions() -> None:
    assert applied(MLP, SetArgument("", "optimizer", "lr", "0.5")) == MLP.replace("0.1", "0.5")
    assert applied(MLP, SetArgument("", "optimizer", "momentum", "0.9")) == MLP.replace(
        "lr=0.1", "lr=0.1, momentum=0.9"
    )
    assert applied(MLP, SetArgument("", "model", "width", "4")) == MLP.replace(
        "return Net()", "return Net(width=4)"
    )


def test_an_operand_keeps_its_place_in_the_formula() -> None:
    source = net("", "return x * 2 + 1")

    assert applied(source, SetArgument("Net", "mul", "other", "1 + 1")) == net(
        "", "return x * (1 + 1) + 1"
    )


@pytest.mark.parametrize("text", ["", "1 +", "a=1", "*a", "1, 2", "x for x in y", "1)(", "#", "\n"])
def test_what_is_no_argument_is_refused(text: str) -> None:
    reason = refusal(MLP, SetArgument("Net", "fc1", "in_features", text))

    assert "cannot be an argument" in reason or "take its place" in reason


def test_a_required_argument_is_not_taken_away() -> None:
    assert "must be given" in refusal(MLP, SetArgument("Net", "fc1", "out_features", None))


# Text and places


def test_moving_changes_no_text() -> None:
    document = MoveNodes("Net", {"fc1": Point(1, 2)}).apply(Document(MLP))

    assert document == Document(MLP, Layout({"Net/fc1": Point(1, 2)}))


def test_typed_text_keeps_positions_of_nodes_that_stay() -> None:
    source = net("", "x = torch.relu(x)\nx = torch.relu(x)\nreturn x")
    layout = Layout({"Net/relu": Point(1, 1), "Net/relu#2": Point(2, 2)})
    typed = source.replace("        x = torch.relu(x)\n", "        x = torch.relu(x + 1)\n", 1)
    new_first = source.replace("(self, x):\n", "(self, x):\n        x = torch.relu(x * 2)\n")

    assert ReplaceText(typed).apply(Document(source, layout)).layout.positions == layout.positions
    moved = ReplaceText(new_first).apply(Document(source, layout)).layout.positions
    assert set(moved.values()) == {Point(1, 1), Point(2, 2)}
    assert "Net/relu#3" in moved


def test_text_that_cannot_be_read_is_taken_all_the_same() -> None:
    layout = Layout({"Net/fc1": Point(1, 2)})

    assert ReplaceText("class (").apply(Document(MLP, layout)) == Document("class (", layout)
    assert "cannot be read as Python" in refusal("class (", AddModule("Net", "nn.ReLU()"))


# Forms of source


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_ends_stay_as_they_are(newline: str) -> None:
    source = MLP.replace("\n", newline)

    assert applied(source, AddModule("Net", "nn.ReLU()", connect_from=port("fc2"))) == applied(
        MLP, AddModule("Net", "nn.ReLU()", connect_from=port("fc2"))
    ).replace("\n", newline)


def test_tabs_stay_tabs() -> None:
    source = MLP.replace("    ", "\t")

    assert "\t\th = self.fc2(h)\n\t\th = self.relu(h)\n\t\treturn h\n" in applied(
        source, AddModule("Net", "nn.ReLU()", connect_from=port("fc2"))
    )


def test_letters_outside_of_ascii_do_not_shift_edits() -> None:
    source = net("self.größe = nn.Linear(2, 2)  # äöü", "return self.größe(x)  # 😀")

    assert applied(source, Rename("Net", "größe", "size")) == source.replace("größe", "size")
    assert "nn.Linear(2, 5)  # äöü" in applied(
        source, SetArgument("Net", "größe", "out_features", "5")
    )


def test_a_body_on_one_line_is_edited_in_the_line() -> None:
    source = (
        TORCH + "class Net(nn.Module):\n    def forward(self, x): y = x; return torch.relu(y)\n"
    )

    assert "x): y = x; y = torch.relu(y); y = torch.tanh(y); return y\n" in applied(
        source, AddOperation("Net", "torch.tanh", connect_from=port("relu"))
    )
