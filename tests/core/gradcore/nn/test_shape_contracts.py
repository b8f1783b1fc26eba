"""The shape contracts of the table: what fits, what comes out, what is refused and repaired."""

import pytest

from gradcore.errors import ShapeError
from gradcore.nn.catalog import all_modules, entry_of, parse_contract

MODULES = all_modules()
LINEAR, CONV = MODULES["Linear"], MODULES["Conv2d"]


def test_entry_tells_the_palette_what_it_needs():
    assert LINEAR.family == "linear"
    assert LINEAR.inputs == ("input",)
    assert [(a.name, a.default) for a in LINEAR.arguments[2:]] == [("bias", True)]
    assert "dense" in LINEAR.aliases
    assert [p.optional for p in MODULES["MultiheadAttention"].ports[:4]] == [False] * 3 + [True]


@pytest.mark.parametrize("entry", MODULES.values(), ids=lambda entry: entry.name)
def test_every_entry_has_a_sentence_and_a_family(entry):
    assert entry.summary.endswith(".")
    assert entry.family
    assert entry.cls.__doc__


@pytest.mark.parametrize(
    ("name", "arguments", "shapes", "expected"),
    [
        ("Linear", {"in_features": 3, "out_features": 4}, [("N", 3)], ("N", 4)),
        ("Linear", {"in_features": 3, "out_features": 4}, [(2, 5, "T")], (2, 5, 4)),
        ("Conv2d", {"in_channels": 1, "out_channels": 8, "kernel_size": 3, "padding": 1},
         [("N", 1, "H", 28)], ("N", 8, "H", 28)),
        ("Conv2d", {"in_channels": 1, "out_channels": 8, "kernel_size": 3, "stride": 2},
         [("N", 1, "H", 28)], ("N", 8, "?", 13)),
        ("MaxPool2d", {"kernel_size": 2}, [("N", 8, 28, 28)], ("N", 8, 14, 14)),
        ("Flatten", {}, [("N", 8, 7, 7)], ("N", 392)),
        ("Embedding", {"num_embeddings": 9, "embedding_dim": 4}, [("N", "T")], ("N", "T", 4)),
        ("BatchNorm1d", {"num_features": 4}, [("N", 4)], ("N", 4)),
        ("Upsample", {"scale_factor": 2}, [("N", 3, 8, 8)], ("N", 3, 16, 16)),
        ("AdaptiveAvgPool2d", {"output_size": 1}, [("N", 8, "H", "W")], ("N", 8, 1, 1)),
        ("GLU", {}, [("N", 8)], ("N", 4)),
    ],
)  # fmt: skip
def test_output_shape_is_inferred_also_where_sizes_are_unknown(name, arguments, shapes, expected):
    assert MODULES[name].infer(arguments, *shapes) == expected


def test_recurrent_layer_infers_outputs_and_states():
    arguments = {"input_size": 3, "hidden_size": 4, "batch_first": True, "bidirectional": True}
    assert MODULES["LSTM"].infer(arguments, ("N", "T", 3)) == (
        ("N", "T", 8),
        (2, "N", 4),
        (2, "N", 4),
    )


@pytest.mark.parametrize(
    ("name", "arguments", "shape", "reason", "repair"),
    [
        ("Linear", {"in_features": 16, "out_features": 4}, ("N", 8),
         "got (N, 8), Linear wants (*, 16)", {"in_features": 8}),
        ("Conv2d", {"in_channels": 3, "out_channels": 8, "kernel_size": 3}, (2, 1, 28, 28),
         "got (2, 1, 28, 28), Conv2d wants ([N], 3, H, W)", {"in_channels": 1}),
        ("Conv2d", {"in_channels": 3, "out_channels": 8, "kernel_size": 3}, (2, 784),
         "got (2, 784), Conv2d wants ([N], 3, H, W)", {}),
        ("LayerNorm", {"normalized_shape": 8}, (2, 6),
         "got a shape that ends in (6,), this layer wants one that ends in (8,)",
         {"normalized_shape": 6}),
        ("MaxPool2d", {"kernel_size": 5}, (1, 3, 4, 4),
         "got an axis of 4, too short for a window of 5", {}),
        ("PReLU", {"num_parameters": 4}, (2, 3),
         "got 3 channels, PReLU has 4 slopes", {"num_parameters": 3}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_reason_and_repair(
    name, arguments, shape, reason, repair
):
    with pytest.raises(ShapeError) as raised:
        MODULES[name].infer(arguments, shape)
    assert raised.value.fields["reason"] == reason
    assert raised.value.fields["repair"] == repair


def test_repair_makes_it_fit():
    arguments = {"in_features": 16, "out_features": 4}
    with pytest.raises(ShapeError) as raised:
        LINEAR.infer(arguments, (2, 8))
    assert LINEAR.infer(arguments | raised.value.fields["repair"], (2, 8)) == (2, 4)


def test_a_second_input_must_agree_with_the_first():
    arguments = {"in1_features": 3, "in2_features": 4, "out_features": 2}
    with pytest.raises(ShapeError) as raised:
        MODULES["Bilinear"].infer(arguments, (5, 3), (5, 9))
    assert raised.value.fields["port"] == "input2"
    assert raised.value.fields["repair"] == {"in2_features": 9}


def test_subclass_has_a_forward_of_its_own_and_no_entry():
    class Mine(LINEAR.cls):
        pass

    assert entry_of(LINEAR.cls(1, 1)) is LINEAR
    assert entry_of(Mine(1, 1)) is None


def test_contract_without_an_arrow_is_refused():
    with pytest.raises(ValueError, match="needs an arrow"):
        parse_contract("(N, C)")
