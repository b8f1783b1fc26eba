"""What a file offers to look at, and what its constructors need."""

from paramscope.code.model_choice import choices, class_made_by, has_build

HEAD = "import torch\nfrom torch import nn\n\n\n"
PARTS = (
    HEAD
    + """class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear(width, width)

    def forward(self, x):
        return self.inner(x)


class Net(nn.Module):
    \"\"\"Two blocks and a head.\"\"\"

    def __init__(self, width, classes=3):
        super().__init__()
        self.blocks = nn.ModuleList([Block(width), Block(width)])
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def small_net(classes=3):
    return Net(4, classes)
"""
)


def test_whole_models_come_before_their_parts() -> None:
    assert [one.name for one in choices(PARTS)] == ["Net", "small_net", "Block"]
    assert choices(PARTS)[0].about == "Two blocks and a head."


def test_arguments_without_a_default_are_taken_from_calls_in_the_file() -> None:
    (width,) = choices(PARTS)[0].arguments
    assert (width.name, width.text) == ("width", "4")
    assert width.reason == "as the file calls it in line 29"
    assert choices(PARTS)[0].expression([width.text]) == "Net(width=4)"
    assert choices(PARTS)[1].expression([]) == "small_net()"


def test_an_argument_that_only_a_function_knows_is_guessed_by_its_name() -> None:
    block = next(one for one in choices(PARTS) if one.name == "Block")
    assert [(one.text, one.reason) for one in block.arguments] == [
        ("32", "a usual size; change it to yours")
    ]


def test_an_argument_of_which_nothing_is_known_is_asked() -> None:
    source = HEAD + (
        "class Net(nn.Module):\n"
        "    def __init__(self, thing, backbone):\n        super().__init__()\n\n"
        "    def forward(self, x):\n        return x\n"
    )
    thing, backbone = choices(source)[0].arguments
    assert (thing.text, thing.reason) == ("", "it has no default")
    assert (backbone.text, backbone.reason) == ("", "a Module or function: write what makes one")


def test_settings_are_found_by_what_is_read_of_them() -> None:
    source = HEAD + (
        "class Settings:\n    width = 4\n    depth = 2\n\n\n"
        "class Net(nn.Module):\n    def __init__(self, config):\n        super().__init__()\n"
        "        self.fc = nn.Linear(config.width, config.depth)\n\n"
        "    def forward(self, x):\n        return self.fc(x)\n"
    )
    (argument,) = choices(source)[0].arguments
    assert argument.text == "Settings()"


def test_a_model_that_the_file_makes_comes_first() -> None:
    source = PARTS + "\n\nmodel = Net(8).to('cpu')\n"
    first = choices(source)[0]
    assert (first.name, first.kind, first.expression([])) == ("model", "model", "model")
    assert first.about == "a Net, made in line 32"


def test_a_file_without_modules_offers_nothing() -> None:
    assert choices("x = 1\n") == ()
    assert choices("def f(:\n") == ()


def test_build_is_seen_however_it_is_named() -> None:
    assert has_build("def build():\n    return 1\n")
    assert has_build("from models import make as build\n")
    assert not has_build("def built():\n    return 1\n")
    assert not has_build("class build(:\n")


def test_the_class_that_an_expression_makes_is_known() -> None:
    source = PARTS + "\n\nmodel = Block(8).to('cpu')\nother = len([])\n"
    assert class_made_by(source, "Net(width=3)") == "Net"
    assert class_made_by(source, "small_net()") == "Net"
    assert class_made_by(source, "model") == "Block"
    assert class_made_by(source, "other") == ""
    assert class_made_by("def f(:", "Net()") == ""
