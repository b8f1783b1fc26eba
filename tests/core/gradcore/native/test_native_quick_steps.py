"""A native step whose guards are asked at once does what the step itself does, whatever changes."""

import threading
from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore import nn

pytest.importorskip("numba")

from gradcore.graph import Counter
from gradcore.native.watching import Words, _Thing, known

pytestmark = pytest.mark.skipif(not known, reason="this Python keeps objects in an unknown way")


class Settings:
    """What the step looks at beside the model."""

    def __init__(self) -> None:
        self.scale, self.shift = 1.0, 0.0
        self.table = {"power": 2, "sign": 1.0}
        self.weights = [1.0, 2.0]


class Watched:
    """A training step that reads variables, attributes, dictionaries and lists."""

    def __init__(self, mode: str) -> None:
        gradcore.manual_seed(1)
        model = self.model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
        opt = self.optimizer = gradcore.optim.Adam(model.parameters(), lr=0.02)
        own = self.own = Settings()
        factor = 1.0

        def step(x: Any, y: Any) -> Any:
            opt.zero_grad()
            out = model(x) * own.scale + own.shift
            error = (out * factor - y) ** own.table["power"] * own.table["sign"] * own.weights[0]
            loss = error.mean()
            loss.backward()
            opt.step()
            return loss

        def change(value: float) -> None:
            nonlocal factor
            factor = value

        self.change = change
        self.step = gradcore.compile(step, mode=mode)

    def train(self, steps: int, first: int = 0) -> list[float]:
        """Do some steps; returns their losses."""
        return [float(self.step(*batch(first + i)).detach()) for i in range(steps)]

    def left(self) -> list[Any]:
        """Return copies of what the steps have changed."""
        state = [t for held in self.optimizer.state.values() for t in held.values()]
        return [t.detach().numpy().copy() for t in [*self.model.parameters(), *state]]


def batch(number: int, rows: int = 5, kind: Any = np.float32) -> tuple[Any, Any]:
    """Return input and target of one step."""
    source = np.random.default_rng(number)
    x, y = source.standard_normal((rows, 4)), source.standard_normal((rows, 2))
    return gradcore.tensor(x.astype(kind)), gradcore.tensor(y.astype(kind))


def _attribute(one: Any) -> None:
    one.own.scale = 0.5


def _new_attribute(one: Any) -> None:
    one.own.another = 3


def _entry(one: Any) -> None:
    one.own.table["sign"] = -1.0


def _entry_taken_out_and_in(one: Any) -> None:
    del one.own.table["sign"]
    one.own.table["sign"] = 0.25


def _larger_table(one: Any) -> None:
    one.own.table.update((str(i), i) for i in range(50))
    one.own.table["power"] = 4


def _item(one: Any) -> None:
    one.own.weights[0] = 3.0


def _variable(one: Any) -> None:
    one.change(2.0)


def _betas(one: Any) -> None:
    one.optimizer.param_groups[0]["betas"] = (0.5, 0.9)


def _decay(one: Any) -> None:
    one.optimizer.param_groups[0]["weight_decay"] = 0.1


def _step_hook(one: Any) -> None:
    def halve(optimizer: Any, args: Any, kwargs: Any) -> None:
        for p in one.model.parameters():
            p.grad.mul_(0.5)

    one.optimizer.register_step_pre_hook(halve)


def _other_state(one: Any) -> None:
    one.optimizer.state = type(one.optimizer.state)()


def _smaller_parameter(one: Any) -> None:
    with gradcore.no_grad():
        one.model[0].weight.mul_(0.5)


def _kept_gradient(one: Any) -> None:
    one.held = one.model[0].weight.grad


def _evaluated(one: Any) -> None:
    with gradcore.no_grad():
        one.model(batch(99)[0])


CHANGES = [
    _attribute, _new_attribute, _entry, _entry_taken_out_and_in, _larger_table, _item, _variable,
    _betas, _decay, _step_hook, _other_state, _smaller_parameter, _kept_gradient, _evaluated,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_what_changes_between_two_steps_counts_from_the_next_one_on(change, assert_close) -> None:
    native, eager = Watched("native"), Watched("eager")
    for one in (native, eager):
        one.train(10)
        if one is native:
            assert one.step._quick is not None, one.step.report
        change(one)
        one.train(10, first=20)
    assert_close(native.left(), eager.left())


ARGUMENTS = {
    "other values": lambda: batch(7),
    "another number of rows": lambda: batch(7, rows=3),
    "another dtype": lambda: batch(7, kind=np.float64),
    "laid out in another way": lambda: (batch(7)[0].t().contiguous().t(), batch(7)[1]),
    "part of a larger array": lambda: (batch(7, rows=10)[0][::2], batch(7)[1]),
    "made by an operation": lambda: (batch(7)[0] * 2, batch(7)[1]),
    "one that wants a gradient": lambda: (batch(7)[0].requires_grad_(), batch(7)[1]),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_of_another_kind_are_seen(name, assert_close) -> None:
    native, eager = Watched("native"), Watched("eager")
    for one in (native, eager):
        one.train(10)
        if one is native:
            assert one.step._quick is not None, one.step.report
        x, y = ARGUMENTS[name]()
        if "dtype" in name:
            with pytest.raises(RuntimeError):
                one.step(x, y)
        else:
            one.step(x, y)
            assert (x.grad is None) == (not x.requires_grad)
        one.train(4, first=20)
    assert_close(native.left(), eager.left())


def test_arguments_by_name_or_missing_are_left_to_the_step() -> None:
    one = Watched("native")
    one.train(10)
    x, y = batch(3)
    one.step(x, y=y)
    with pytest.raises(TypeError, match="missing 1 required"):
        one.step(x)
    one.step(x, y)


def test_a_returned_loss_stays_what_it_was() -> None:
    one = Watched("native")
    one.train(10)
    losses = [one.step(*batch(i)) for i in range(6)]
    again = Watched("native")
    again.train(10)
    assert [float(loss.detach()) for loss in losses] == again.train(6)
    assert len({id(loss.grad_fn) for loss in losses}) == 6
    assert losses[0].grad_fn.name() == losses[5].grad_fn.name()


def test_versions_count_native_steps_as_they_do_eager_ones() -> None:
    native, eager = Watched("native"), Watched("eager")
    for one in (native, eager):
        one.train(12)
    for _ in range(2):
        assert [p._version for p in native.model.parameters()] == [
            p._version for p in eager.model.parameters()
        ]
        assert type(native.model[0].weight._vc) is Counter
        native.train(3)
        eager.train(3)


def test_a_graph_from_before_a_native_step_sees_that_it_is_outdated() -> None:
    one = Watched("native")
    one.train(10)
    loss = one.model(batch(0)[0]).sum()
    one.train(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_step_called_from_two_threads_at_once_is_done_once_for_each_call() -> None:
    one = Watched("native")
    one.train(10)
    begun = one.optimizer.state[one.model[0].weight]["step"].item()
    start = threading.Barrier(2)
    faults: list[BaseException] = []

    def work() -> None:
        start.wait()
        for i in range(200):
            try:
                one.step(*batch(i % 5))
            except RuntimeError as error:
                # As eager: one thread wrote what the other one's backward pass needs.
                faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    done = one.optimizer.state[one.model[0].weight]["step"].item() - begun
    assert 0 < done <= 400
    assert all(bool(p.isfinite().all()) for p in one.model.parameters())


@pytest.mark.parametrize(
    "entries", [{"a": 1.5, "b": 2.5, "c": 3.5}, {1: 1.5, 2.5: 2.5, "c": 3.5}, vars(_Thing())]
)
def test_words_tell_of_every_change_of_a_dictionary(entries) -> None:
    words = Words()
    if not words.entries(entries):
        pytest.skip("this Python keeps such dictionaries in another way")
    words.note()
    key, value = list(entries.items())[1]
    assert words.same()
    entries[key] = object()
    assert not words.same()
    entries[key] = value
    assert words.same()
    entries["new"] = 1
    assert not words.same()
    del entries["new"]
    del entries[key]
    assert not words.same()
    entries.update((str(i), i) for i in range(1000))
    assert not words.same()


def test_one_entry_left_out_may_change() -> None:
    entries = {"lr": object(), "eps": object()}
    words = Words()
    assert words.entries(entries, without="lr")
    words.note()
    entries["lr"] = object()
    assert words.same()
    entries["eps"] = object()
    assert not words.same()
