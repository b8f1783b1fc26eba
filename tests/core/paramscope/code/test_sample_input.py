"""Sample inputs guessed from the syntax of `__init__` and `forward`, with their reasons."""

import pytest

from paramscope.code.sample_input import guess_inputs

HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n\n\n"


def model(init: str, forward: str, arguments: str = "x", signature: str = "") -> str:
    """Return a file with one class ``Net`` of these statements."""
    made = "".join(f"        {line}\n" for line in init.splitlines())
    ran = "".join(f"        {line}\n" for line in forward.splitlines())
    return (
        f"{HEAD}class Net(nn.Module):\n    def __init__(self{signature}):\n"
        f"        super().__init__()\n{made}\n    def forward(self, {arguments}):\n{ran}"
    )


def texts(source: str, expression: str = "Net()") -> list[str]:
    """Return the guesses alone."""
    return [guess.text for guess in guess_inputs(source, expression)]


@pytest.mark.parametrize(
    ("init", "forward", "expected"),
    [
        ("self.fc = nn.Linear(6, 2)", "return self.fc(x)", "randn(4, 6)"),
        ("self.fc = nn.Linear(6, 2)", "return self.fc(F.relu(x.float()))", "randn(4, 6)"),
        (
            "self.fc = nn.Linear(784, 2)",
            "return self.fc(x.view(x.size(0), -1))",
            "randn(4, 1, 28, 28)",
        ),
        ("self.e = nn.Embedding(50, 8)", "return self.e(x)", "randint(0, 50, (4, 8))"),
        ("self.r = nn.LSTM(5, 8)", "return self.r(x)[0]", "randn(8, 4, 5)"),
        ("self.r = nn.GRU(5, 8, batch_first=True)", "return self.r(x)[0]", "randn(4, 8, 5)"),
        ("self.c = nn.Conv1d(2, 4, 3)", "return self.c(x)", "randn(4, 2, 64)"),
        ("self.n = nn.LayerNorm(12)", "return self.n(x)", "randn(4, 8, 12)"),
        ("self.W = nn.Parameter(torch.randn(6, 3))", "return x @ self.W", "randn(4, 6)"),
        (
            "self.t = nn.ModuleDict(dict(wte=nn.Embedding(9, 4)))",
            "return self.t.wte(x)",
            "randint(0, 9, (4, 8))",
        ),
        (
            "layers = []\nfor a, b in [(7, 5), (5, 3)]:\n    layers.append(nn.Linear(a, b))\n"
            "self.net = nn.Sequential(*layers)",
            "return self.net(x)",
            "randn(4, 7)",
        ),
        ("self.act = nn.ReLU()", "b, c, h, w = x.shape\nreturn self.act(x)", "randn(4, 3, 32, 32)"),
    ],
)
def test_the_first_layer_tells_the_shape(init: str, forward: str, expected: str) -> None:
    assert texts(model(init, forward)) == [expected]


def test_the_side_of_a_picture_is_the_one_that_fits_the_layer_behind() -> None:
    source = model(
        "self.a = nn.Conv2d(1, 32, 3)\nself.b = nn.Conv2d(32, 64, 3)\nself.fc = nn.Linear(9216, 9)",
        "x = F.max_pool2d(F.relu(self.b(F.relu(self.a(x)))), 2)\n"
        "return self.fc(torch.flatten(x, 1))",
    )
    (guess,) = guess_inputs(source, "Net()")
    assert guess.text == "randn(4, 1, 28, 28)"
    assert guess.reason == "`a` is Conv2d(in_channels=1), a size that fits what follows"


def test_the_numbers_of_the_constructor_decide() -> None:
    source = model("self.fc = nn.Linear(2 * width, 3)", "return self.fc(x)", signature=", width=4")
    assert texts(source) == ["randn(4, 8)"]
    assert texts(source, "Net(width=10)") == ["randn(4, 20)"]


def test_a_sequence_is_no_longer_than_its_positions() -> None:
    source = model(
        "self.e = nn.Embedding(30, 8)\nself.p = nn.Parameter(torch.zeros(1, 16, 8))",
        "return self.e(x) + self.p",
    )
    assert texts(source) == ["randint(0, 30, (4, 16))"]


def test_two_inputs_fit_each_other() -> None:
    source = model(
        "self.e = nn.Embedding(5, 4)\nself.net = nn.Sequential(nn.Linear(20, 8), nn.ReLU())",
        "return self.net(torch.cat([z, self.e(labels)], dim=1))",
        "z, labels",
    )
    assert texts(source) == ["randn(4, 16)", "randint(0, 5, (4,))"]


def test_what_the_file_calls_it_with_comes_first() -> None:
    source = model("self.c = nn.Conv2d(3, 4, 3)", "return self.c(x)") + (
        "\n\ndef test():\n    net = Net()\n    y = net(torch.randn(1, 3, 40, 40).to('cpu'))\n"
    )
    (guess,) = guess_inputs(source, "Net()")
    assert guess.text == "torch.randn(2, 3, 40, 40)"
    assert guess.reason == "as the file calls it in line 17"


def test_options_of_the_command_line_are_read() -> None:
    source = HEAD + (
        "import argparse\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('--latent-dim', type=int, default=70)\nopt = parser.parse_args()\n\n\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Linear(opt.latent_dim, 2)\n\n"
        "    def forward(self, z):\n        return self.fc(z)\n"
    )
    assert texts(source) == ["randn(4, 70)"]


def test_an_argument_with_a_default_is_left_out() -> None:
    source = model("self.fc = nn.Linear(3, 2)", "return self.fc(x)", "x, mask=None")
    assert texts(source) == ["randn(4, 3)"]


def test_what_the_source_does_not_tell_is_asked() -> None:
    source = model("pass", "return helper(blob)", "blob")
    (guess,) = guess_inputs(source, "Net()")
    assert (guess.text, guess.reason) == ("", "the source does not tell its shape")


@pytest.mark.parametrize(
    "forward",
    [
        "while True:\n    x = x + 1\nreturn x",
        "return self.forward(x)",
        "return self.fc(x[...][None][::2] ** 3)",
        "for i in range(10 ** 9):\n    x = self.fc(x)\nreturn x",
        "return [y for y in x for z in y]",
        "x = 'a' * 10 ** 10\nreturn self.fc(x)",
        "a = [0]\nfor i in range(99):\n    a = a + a\nreturn self.fc(x)",
        "a = 'ab'\nfor i in range(99):\n    a += a\nreturn self.fc(x)",
        "a = []\nfor i in range(99):\n    a.extend(a or [1])\nreturn self.fc(x)",
    ],
)
def test_odd_sources_are_read_in_bounded_time(forward: str) -> None:
    guesses = guess_inputs(model("self.fc = nn.Linear(3, 3)", forward), "Net()")
    assert [guess.name for guess in guesses] == ["x"]
