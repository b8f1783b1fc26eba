"""What is registered under a Module's private tables counts as a change of the Module."""

import copy
import pickle

import pytest

import gradcore as torch
from gradcore import nn
from gradcore.nn.tables import Table, edits


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m._parameters.__setitem__("weight", nn.Parameter(torch.ones(2, 2))),
        lambda m: m._parameters.pop("bias"),
        lambda m: m._buffers.update(extra=torch.ones(1)),
        lambda m: m._modules.clear(),
        lambda m: setattr(m, "_modules", {"inner": nn.Tanh()}),
    ],
)
def test_every_change_is_counted(change):
    module = nn.Linear(2, 2)
    before = edits[0]
    change(module)
    assert edits[0] > before


def test_tables_of_copies_count_as_well():
    module = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    for one in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), module[:1]):
        assert type(one._modules) is type(one[0]._parameters) is Table


def test_a_parameter_put_into_a_table_is_used_by_the_next_replayed_step():
    model = nn.Linear(3, 1)
    x = torch.ones(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)

    def step():
        optimizer.zero_grad()
        loss = model(x).sum()
        loss.backward()
        optimizer.step()
        return loss

    compiled = torch.compile(step, mode="replay")
    for _ in range(4):
        compiled()
    model._parameters["weight"] = nn.Parameter(torch.full((1, 3), 2.0))
    model._parameters["bias"] = nn.Parameter(torch.zeros(1))
    assert compiled().item() == 24.0
