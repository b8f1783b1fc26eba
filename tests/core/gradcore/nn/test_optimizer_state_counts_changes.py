"""Every change of an optimizer's state is counted, since steps that are replayed rely on it."""

import copy
import pickle

import pytest

import gradcore as torch
from gradcore.optim.state import State, States, edits, is_watched


def _stepped():
    p = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([p])
    p.grad = torch.ones(3)
    optimizer.step()
    return p, optimizer


CHANGES = {
    "set": lambda state: state.__setitem__("a", 1),
    "delete": lambda state: state.__delitem__("step"),
    "clear": lambda state: state.clear(),
    "pop": lambda state: state.pop("step"),
    "popitem": lambda state: state.popitem(),
    "setdefault": lambda state: state.setdefault("a", 1),
    "update": lambda state: state.update(a=1),
    "or": lambda state: state.__ior__({"a": 1}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_state_of_a_tensor_is_counted(change):
    p, optimizer = _stepped()
    before = edits[0]
    change(optimizer.state[p])
    assert edits[0] > before


def test_taking_away_the_state_of_a_tensor_is_counted():
    p, optimizer = _stepped()
    before = edits[0]
    del optimizer.state[p]
    assert edits[0] > before


def test_a_step_that_finds_its_state_changes_nothing():
    _, optimizer = _stepped()
    before = edits[0]
    optimizer.step()
    assert edits[0] == before


def test_copied_and_pickled_state_is_watched_as_well():
    state = States()
    state["p"]["step"] = 1
    for made in (copy.deepcopy(state), pickle.loads(pickle.dumps(state)), copy.copy(state)):
        assert made == {"p": {"step": 1}}
        assert is_watched(made)
        assert type(made["q"]) is State


def test_state_with_a_plain_dictionary_in_it_is_not_watched():
    p, optimizer = _stepped()
    optimizer.state[p] = {}
    assert not is_watched(optimizer.state)


def test_the_state_dict_holds_plain_dictionaries():
    _, optimizer = _stepped()
    assert {type(one) for one in optimizer.state_dict()["state"].values()} == {dict}
    assert repr(optimizer.state).startswith("defaultdict(<class 'dict'>, {")
