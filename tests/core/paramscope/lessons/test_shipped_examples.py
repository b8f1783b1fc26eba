"""Every shipped example opens, draws, trains and shows the states that it is there to show."""

import math
from statistics import mean

import pytest

from paramscope.code.graph import NodeKind
from paramscope.code.parse import parse
from paramscope.engine.session import Session
from paramscope.lessons.examples import Example, example, examples

SEEDS = range(20)
BROKEN_ON_PURPOSE = {"forgotten_tensor": "REG01", "bad_model": "REG02"}

every_example = pytest.mark.parametrize("shown", examples(), ids=lambda shown: shown.name)


def loaded(session: Session, source: str, seed: int = 0, keep_weights: bool = False) -> None:
    assert session.load(source, "example.py", seed=seed, keep_weights=keep_weights)


def run(session: Session, steps: int) -> list[float]:
    session.take_news()
    for _ in range(steps):
        assert session.run_step(), session.failure
    return [loss for _, loss in session.take_news().losses]


@every_example
def test_it_has_a_title_and_a_sentence_for_the_welcome_page(shown: Example) -> None:
    assert 2 < len(shown.title) <= 40
    assert shown.summary


def test_examples_are_listed_from_simple_to_real() -> None:
    names = [one.name for one in examples()]
    assert names[0] == "my_weight"
    assert names.index("xor") < names.index("digits_mlp") < names.index("digits_cnn")


def test_an_unknown_example_names_those_there_are() -> None:
    with pytest.raises(KeyError, match="no example 'absent'; there are my_weight, "):
        example("absent")


@every_example
def test_its_model_is_drawn_without_code_nodes(shown: Example) -> None:
    program = parse(shown.source)
    assert program.problems == ()
    assert program.model is not None
    for name, graph in program.graphs.items():
        kinds = {node.kind for node in graph.nodes}
        if name:
            assert {NodeKind.INPUT, NodeKind.OUTPUT} <= kinds
            assert NodeKind.CODE not in kinds
        else:
            assert {NodeKind.DATA, NodeKind.MODEL, NodeKind.LOSS, NodeKind.OPTIMIZER} <= kinds


@every_example
def test_it_trains_and_only_the_broken_ones_have_a_finding(
    session: Session, shown: Example
) -> None:
    loaded(session, shown.source)
    run(session, 12)
    session.look()
    found = {finding.rule for finding in session.findings}
    assert (
        found == {BROKEN_ON_PURPOSE[shown.name]} if shown.name in BROKEN_ON_PURPOSE else not found
    )


@every_example
def test_its_metrics_are_numbers(session: Session, shown: Example) -> None:
    loaded(session, shown.source)
    session.take_news()
    session.measure()
    values = [value for series in session.take_news().metrics.values() for _, value in series]
    assert bool(values) == ("def evaluate(" in shown.source or "def accuracy(" in shown.source)
    assert all(math.isfinite(value) for value in values)


def metric(session: Session, name: str) -> float:
    session.take_news()
    session.measure()
    return session.take_news().metrics[name][-1][1]


@pytest.mark.parametrize(
    ("name", "steps", "at_least"),
    [
        ("digits_cnn", 450, 0.97),
        ("digits_mlp", 400, 0.95),
        ("spirals", 1500, 0.98),
        ("wine", 200, 0.94),
    ],
)
def test_held_out_rows_are_recognised_after_a_short_run(
    session: Session, name: str, steps: int, at_least: float
) -> None:
    loaded(session, example(name).source)
    run(session, steps)
    assert metric(session, "held-out accuracy") >= at_least


def test_xor_is_learned_from_every_seed(session: Session) -> None:
    for seed in SEEDS:
        loaded(session, example("xor").source, seed)
        assert run(session, 150)[-1] < 0.05
        assert metric(session, "accuracy") == 1


def test_the_sonnet_is_learned_faster_than_letters_are_guessed(session: Session) -> None:
    loaded(session, example("sonnet").source)
    losses = run(session, 120)
    assert losses[0] > 3 > 2 > mean(losses[-10:])


def test_the_forgotten_tensor_holds_the_loss_up_and_its_registration_lets_it_fall(
    session: Session,
) -> None:
    source = example("forgotten_tensor").source
    mended = source.replace("torch.ones(1, requires_grad=True)", "nn.Parameter(torch.ones(1))")
    for seed in SEEDS:
        loaded(session, source, seed)
        losses = run(session, 250)
        assert losses[0] > 3
        assert 1.65 < mean(losses[-20:]) < 1.75  # far above zero
        assert mean(losses[-70:-50]) - mean(losses[-20:]) < 0.05  # and flat
        loaded(session, mended, seed, keep_weights=True)
        losses = run(session, 500)
        assert losses[0] < 2  # it went on from where it was
        assert mean(losses[-20:]) < 0.05


def test_a_plain_tensor_costs_bad_model_most_of_what_it_could_learn(session: Session) -> None:
    source = example("bad_model").source
    mended = source.replace("torch.randn(3, 3)", "nn.Parameter(torch.randn(3, 3))")
    for seed in range(6):
        loaded(session, source, seed)
        plain = mean(run(session, 400)[-50:])
        loaded(session, mended, seed, keep_weights=True)
        assert mean(run(session, 400)[-50:]) < 0.2 * plain


def test_a_plain_bias_holds_the_loss_at_two(session: Session) -> None:
    source = example("plain_bias").source
    loaded(session, source)
    assert 1.5 < mean(run(session, 200)[-100:]) < 2.5
    mended = source.replace("torch.zeros(3)", "nn.Parameter(torch.zeros(3))")
    loaded(session, mended, keep_weights=True)
    assert mean(run(session, 200)[-20:]) < 0.02
