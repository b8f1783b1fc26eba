"""The text of a document places verdicts and holds the user's word to keep still."""

from paramscope.census.source import map_source

SOURCE = """\
class Net(Module):
    def __init__(self):
        self.a = (
            torch.ones(3)
        )
        # paramscope: keep REG02, REG01
        # it is a table
        self.b = torch.randn(3)
        self.c, self.d = 1, 2
        self.e: object = 3  # paramscope: keep REG05

    def forward(self, x):
        self.a = "# paramscope: keep REG09"
        self.f = x


class Other:  # paramscope: keep GRA01
    def __init__(me):
        me.x = 1
"""


class Net:
    pass


class Child(Net):
    pass


def test_assignment_in_init_is_the_one_that_counts() -> None:
    found = map_source(SOURCE)
    made = found.assignment((Net,), "a")
    assert (made.line, made.end_line, made.method) == (3, 5, "__init__")
    assert found.assignment((Net,), "d").line == 9
    assert found.assignment((Net,), "e").line == 10
    assert found.assignment((Net,), "f").method == "forward"
    assert found.assignments[("Other", "x")].line == 19


def test_assignment_of_a_base_class_is_found() -> None:
    assert map_source(SOURCE).assignment(Child.__mro__, "b").class_name == "Net"
    assert map_source(SOURCE).assignment(Child.__mro__, "nothing") is None


def test_keep_counts_at_the_statement_above_it_and_for_its_class() -> None:
    found = map_source(SOURCE)
    assert found.is_kept("REG02", 8)
    assert found.is_kept("REG01", 8)
    assert not found.is_kept("REG05", 8)
    assert found.is_kept("REG05", 10)
    assert found.is_kept("GRA01", 19)
    assert not found.is_kept("GRA01", 8)
    assert not found.is_kept("REG09", 13)
    assert not found.is_kept("REG02", None)


def test_source_that_does_not_parse_places_nothing() -> None:
    assert map_source("def (").assignments == {}
