"""What the project was founded on, line by line: the two texts about `nn.Parameter` hold.

Their scripts stand here as they were written; they are run by `python -m gradcore`, where
`import torch` means gradcore, and what they print is compared.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gradcore as torch
from gradcore import nn

CORE = Path(__file__).parent.parent / "core"

CUSTOM_PARAMETER = """\
import torch
import torch.nn as nn

class MyModel(nn.Module):
    def __init__(self):
        super().__init__()
        # Create a custom 3x3 learnable parameter
        self.my_weight = nn.Parameter(torch.randn(3, 3))

    def forward(self, x):
        return x @ self.my_weight  # matrix multiplication

model = MyModel()

# All trainable parameters (includes my_weight)
for name, param in model.named_parameters():
    print(name, param.shape, param.requires_grad)
"""

NORMAL_TENSOR = """\
class BadModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.my_tensor = torch.randn(3, 3)  # Not a Parameter

bad_model = BadModel()
print(list(bad_model.parameters()))  # []
"""

WITH_OPTIMIZER = """\
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

x = torch.randn(2, 3)   # input
loss = model(x).sum()   # fake loss
loss.backward()         # compute gradients
optimizer.step()        # update my_weight
"""

MODULE_WITH_PLAIN_BIAS = """\
import torch
import torch.nn as nn

class MyModule(nn.Module):
    def __init__(self):
        super().__init__()
        # This gets auto-registered as a parameter
        self.weight = nn.Parameter(torch.randn(2, 3))
        # A plain tensor won't be registered
        self.bias = torch.zeros(3)

    def forward(self, x):
        return x @ self.weight + self.bias

model = MyModule()
print(list(model.parameters()))  # Outputs: [Parameter containing: tensor(...)]
"""


def printed(folder: Path, script: str) -> str:
    """Run a script by `python -m gradcore` and return what it prints."""
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "gradcore", str(path)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(CORE)},
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


class MyModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.my_weight = nn.Parameter(torch.randn(3, 3))

    def forward(self, x):
        return x @ self.my_weight


class BadModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.my_tensor = torch.randn(3, 3, requires_grad=True)

    def forward(self, x):
        return x @ self.my_tensor


# S1


def test_s1_parameter_is_a_tensor_and_adds_no_attribute_of_its_own():
    assert issubclass(nn.Parameter, torch.Tensor)
    tensor, parameter = torch.randn(2, 3), nn.Parameter(torch.randn(2, 3))
    assert set(dir(parameter)) == set(dir(tensor))
    assert vars(parameter) == {}


def test_s1_parameter_behaves_like_a_tensor():
    values = torch.randn(2, 3)
    parameter = nn.Parameter(values)
    assert torch.equal(parameter * 2 + 1, values * 2 + 1)
    assert type(parameter * 2) is torch.Tensor


# S2


def test_s2_assigning_a_parameter_registers_it():
    module = nn.Module()
    module.weight = nn.Parameter(torch.zeros(2))
    assert dict(module.named_parameters()) == {"weight": module.weight}


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (nn.Linear(2, 3), ["weight", "bias"]),
        (nn.Conv2d(1, 2, 3), ["weight", "bias"]),
        (nn.Embedding(5, 2), ["weight"]),
        (nn.RNN(2, 3), ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]),
    ],
    ids=["Linear", "Conv2d", "Embedding", "RNN"],
)
def test_s2_layers_register_theirs_when_assigned(layer, names):
    model = nn.Module()
    model.layer = layer
    assert [name for name, _ in model.named_parameters()] == [f"layer.{name}" for name in names]


# S3


def test_s3_the_loop_prints_name_shape_and_true(tmp_path):
    assert printed(tmp_path, CUSTOM_PARAMETER) == "my_weight torch.Size([3, 3]) True\n"


def test_s3_it_is_listed_by_parameters_named_parameters_and_state_dict():
    model = MyModel()
    assert [p is model.my_weight for p in model.parameters()] == [True]
    assert [name for name, _ in model.named_parameters()] == ["my_weight"]
    assert list(model.state_dict()) == ["my_weight"]


# S4


def test_s4_it_requires_grad_by_default_also_inside_no_grad():
    assert nn.Parameter(torch.zeros(2)).requires_grad is True
    with torch.no_grad():
        assert nn.Parameter(torch.zeros(2)).requires_grad is True
    assert nn.Parameter(torch.zeros(2), requires_grad=False).requires_grad is False


# S5


def test_s5_backward_fills_its_grad():
    model = MyModel()
    assert model.my_weight.grad is None
    x = torch.randn(2, 3)
    model(x).sum().backward()
    expected = x.sum(0).reshape(3, 1).expand(3, 3)
    assert torch.allclose(model.my_weight.grad, expected)


# S6


def test_s6_the_sgd_example_runs_to_the_letter(tmp_path):
    seen = "before = model.my_weight.detach().clone()\n"
    check = "print(torch.allclose(model.my_weight, before - 0.1 * model.my_weight.grad))\n"
    script = CUSTOM_PARAMETER + "\n" + seen + WITH_OPTIMIZER + check
    assert printed(tmp_path, script) == "my_weight torch.Size([3, 3]) True\nTrue\n"


def test_s6_the_whole_text_runs_as_one_script(tmp_path):
    script = "\n".join([CUSTOM_PARAMETER, NORMAL_TENSOR, WITH_OPTIMIZER])
    assert printed(tmp_path, script) == "my_weight torch.Size([3, 3]) True\n[]\n"


def test_s6_the_example_runs_with_only_the_import_line_changed():
    script = (CUSTOM_PARAMETER + WITH_OPTIMIZER).replace(
        "import torch\nimport torch.nn as nn", "import gradcore as torch\nimport gradcore.nn as nn"
    )
    names: dict[str, object] = {}
    exec(compile(script, "example", "exec"), names)
    model = names["model"]
    assert isinstance(model, nn.Module)
    assert model.my_weight.grad is not None


def test_s6_an_optimizer_made_from_parameters_updates_them_at_step():
    model = MyModel()
    before = model.my_weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    assert torch.allclose(model.my_weight, before - 0.2)


# S7


def test_s7_a_plain_tensor_is_not_registered(tmp_path):
    imports = "import torch\nimport torch.nn as nn\n"
    assert printed(tmp_path, imports + NORMAL_TENSOR) == "[]\n"


def test_s7_the_optimizer_never_touches_it():
    model = BadModel()
    model.trained = nn.Linear(3, 1)
    before = model.my_tensor.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.trained(model(torch.randn(2, 3))).sum().backward()
    optimizer.step()
    assert model.my_tensor.grad is not None
    assert torch.equal(model.my_tensor, before)


# S8


class Remembering(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(2, 3, batch_first=True)
        self.hidden = None
        self.running = torch.zeros(3)

    def forward(self, x):
        output, hidden = self.rnn(x, self.hidden)
        self.hidden = hidden.detach()
        self.running = 0.9 * self.running + 0.1 * output.detach().mean((0, 1))
        return output


def test_s8_a_cached_tensor_is_not_mistaken_for_a_parameter():
    model = Remembering()
    names = [name for name, _ in model.named_parameters()]
    model(torch.randn(4, 5, 2))
    assert [name for name, _ in model.named_parameters()] == names
    assert all(name.startswith("rnn.") for name in names)
    assert "hidden" not in model.state_dict()
    assert isinstance(model.hidden, torch.Tensor)


# S9


def test_s9_the_list_of_parameters_prints_in_the_format_of_pytorch(tmp_path):
    number = r" ?-?\d\.\d{4}"
    row = rf"\[{number}, {number}, {number}\]"
    expected = (
        rf"\[Parameter containing:\ntensor\(\[{row},\n        {row}\], requires_grad=True\)\]\n"
    )
    assert re.fullmatch(expected, printed(tmp_path, MODULE_WITH_PLAIN_BIAS))


def test_s9_known_values_print_to_the_letter():
    model = nn.Module()
    model.weight = nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 4.5]]))
    assert repr(list(model.parameters())) == (
        "[Parameter containing:\n"
        "tensor([[1.0000, 2.0000],\n"
        "        [3.0000, 4.5000]], requires_grad=True)]"
    )


# S10


def test_s10_no_grad_records_nothing_and_enable_grad_records_again():
    parameter = nn.Parameter(torch.ones(2))
    with torch.no_grad():
        assert (parameter * 2).requires_grad is False
        with torch.enable_grad():
            assert (parameter * 2).requires_grad is True
    assert (parameter * 2).requires_grad is True


def test_s10_inference_mode_records_nothing():
    parameter = nn.Parameter(torch.ones(2))
    with torch.inference_mode():
        made = parameter * 2
    assert made.requires_grad is False
    assert made.is_inference()


def test_s10_detach_cuts_off_and_shares_the_values():
    parameter = nn.Parameter(torch.ones(2))
    cut = parameter.detach()
    assert cut.requires_grad is False
    assert cut.data_ptr() == parameter.data_ptr()


def test_s10_requires_grad_freezes_and_unfreezes():
    model = MyModel()
    model.my_weight.requires_grad_(False)
    assert model(torch.ones(1, 3)).requires_grad is False
    model.requires_grad_(True)
    assert model(torch.ones(1, 3)).requires_grad is True
