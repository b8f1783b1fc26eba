"""What changes between two native steps is seen, although nobody looks at each thing."""

from typing import Any

import pytest

import gradcore
from gradcore import nn

pytest.importorskip("numba")

from gradcore.native.watching import Words, known


def _new_state(trainer: Any) -> None:
    trainer.optimizer.state.clear()


def _new_state_of_one(trainer: Any) -> None:
    trainer.optimizer.state[trainer.model[0].weight] = {}


def _mean_set(trainer: Any) -> None:
    state = trainer.optimizer.state[trainer.model[0].weight]
    state["exp_avg"] = gradcore.ones_like(state["exp_avg"])


def _mean_has_other_memory(trainer: Any) -> None:
    state = trainer.optimizer.state[trainer.model[0].weight]
    state["exp_avg"].data = gradcore.ones_like(state["exp_avg"])


def _other_memory(trainer: Any) -> None:
    weight = trainer.model[0].weight
    weight.data = gradcore.full_like(weight, 0.125)


def _frozen(trainer: Any) -> None:
    trainer.model[2].requires_grad_(False)


def _other_rate(trainer: Any) -> None:
    trainer.optimizer.param_groups[0]["lr"] = 0.05


def _other_parameter(trainer: Any) -> None:
    trainer.model[0].bias = nn.Parameter(gradcore.full((16,), 0.5))


def _left_out(trainer: Any) -> None:
    trainer.optimizer.param_groups[0]["params"].pop()


def _doubled(trainer: Any) -> None:
    trainer.model[0].register_forward_hook(lambda module, given, made: made * 2)


def _doubled_gradient(trainer: Any) -> None:
    trainer.model[0].weight.register_hook(lambda g: g * 2)


def _loaded(trainer: Any) -> None:
    trainer.optimizer.load_state_dict(trainer.optimizer.state_dict())


def _gradient_taken(trainer: Any) -> None:
    trainer.taken = [p.grad for p in trainer.model.parameters()]
    trainer.kept = [g.clone() for g in trainer.taken]


CHANGES = [
    _new_state, _new_state_of_one, _mean_set, _mean_has_other_memory, _other_memory, _frozen,
    _other_rate, _other_parameter, _left_out, _doubled, _doubled_gradient, _loaded,
    _gradient_taken,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_a_change_between_native_steps_counts_as_it_does_in_eager(
    change, trainer, assert_close
) -> None:
    native, eager = trainer("native"), trainer("eager")
    for one in (native, eager):
        one.train(8)
        change(one)
        one.train(8, first=20)
    assert_close(native.values(), eager.values())


def test_gradients_that_somebody_holds_are_not_written_again(trainer) -> None:
    one = trainer("native")
    one.train(8)
    _gradient_taken(one)
    one.train(3, first=30)
    assert one.step.mode == "native"
    assert all(bool((a == b).all()) for a, b in zip(one.taken, one.kept, strict=True))


@pytest.mark.skipif(not known, reason="this Python keeps objects in an unknown way")
def test_after_unchanged_steps_memory_answers_for_all_guards(trainer) -> None:
    one = trainer("native")
    one.train(8)
    (replay,) = one.step._steps.values()
    assert replay.upgrade.is_unchanged()
    one.model[0].weight.grad = None
    one.model.eval()
    assert not replay.upgrade.is_unchanged()


@pytest.mark.skipif(not known, reason="this Python keeps objects in an unknown way")
def test_words_tell_of_lists_that_grow_and_items_that_change() -> None:
    items = [object() for _ in range(3)]
    words = Words()
    words.items(items)
    words.note()
    assert words.same()
    first = items[0]
    items[0] = object()
    assert not words.same()
    items[0] = first
    assert words.same()
    items += range(1000)
    assert not words.same()


def test_words_that_were_never_noted_are_not_the_same() -> None:
    assert not Words().same()
