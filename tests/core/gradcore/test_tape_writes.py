"""Writes in place: versions, views and the history they leave."""

import pytest

import gradcore as torch
from gradcore.errors import ModifiedError


def test_leaf_that_requires_grad_cannot_be_written():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used"):
        x.add_(1)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x[0] = 1.0
    with torch.no_grad():
        x.add_(1)
    assert x.tolist() == [2.0, 2.0]


def test_write_to_a_saved_tensor_is_found_and_names_the_write():
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    y.add_(1)
    with pytest.raises(ModifiedError, match="modified by an inplace operation") as caught:
        y.sum().backward()
    assert caught.value.fields["written_by"] == "add_"
    assert "test_tape_writes.py" in caught.value.fields["written_at"]


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda x: x.pow_(2), [6.0, 6.0]),
        (lambda x: x.clamp_(0, 2), [0.0, 0.0]),
        (lambda x: x.clamp_max_(4), [1.0, 1.0]),
        (lambda x: x[1:].square_(), [1.0, 6.0]),
        (lambda x: x.view(2, 1).diagonal().square_(), [6.0, 1.0]),
        (lambda x: torch.nn.functional.silu(x, inplace=True), [1.088104, 1.088104]),
    ],
)
def test_write_keeps_the_old_value_that_its_gradient_needs(write, expected):
    w = torch.ones(2, requires_grad=True)
    x = w * 3
    write(x)
    (x.sum() / 3).backward()
    assert w.grad.tolist() == pytest.approx(expected)


def test_write_keeps_the_old_value_for_the_gradient_of_the_other():
    w = torch.ones(2, requires_grad=True)
    x = torch.ones(2, requires_grad=True) * 3
    x.mul_(w)
    x.sum().backward()
    assert w.grad.tolist() == [3.0, 3.0]


def test_kept_old_value_has_a_second_gradient():
    w = torch.full((2,), 2.0, requires_grad=True)
    x = w * 1
    x.pow_(3)
    (first,) = torch.autograd.grad(x.sum(), w, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), w)
    assert (first.tolist(), second.tolist()) == ([12.0, 12.0], [12.0, 12.0])


@pytest.mark.parametrize("other", [lambda x: x, lambda x: x.detach(), lambda x: x.view(2)])
def test_write_of_a_tensor_multiplied_by_itself_is_found(other):
    x = torch.ones(2, requires_grad=True) * 3
    x.mul_(other(x))
    with pytest.raises(ModifiedError, match="mul_"):
        x.sum().backward()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
@pytest.mark.parametrize("step", range(1, 9))
def test_negation_in_place_leaves_the_gaps_alone(dtype, step):
    x = torch.arange(1, 50, dtype=dtype)
    x[::step].neg_()
    signs = [-1 if i % step == 0 else 1 for i in range(49)]
    assert x.tolist() == [sign * (i + 1) for i, sign in enumerate(signs)]


def test_write_through_a_view_or_detached_alias_is_found():
    for write in (lambda t: t[0].zero_(), lambda t: t.detach().zero_()):
        x = torch.ones(2, requires_grad=True)
        y = x * 2
        z = (y * y).sum()
        with torch.no_grad():
            write(y)
        with pytest.raises(ModifiedError):
            z.backward()


def test_write_through_data_is_not_counted_as_in_torch():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    z = (y * y).sum()
    y.data.zero_()
    z.backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_versions_are_shared_by_views_and_detached_aliases():
    x = torch.ones(2, 2)
    view, alias = x[0], x.detach()
    x.add_(1)
    view.add_(1)
    assert x._version == view._version == alias._version == 2
    assert x.data._version == 0


def test_assigning_into_a_buffer_carries_gradients():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    buffer = torch.zeros(3)
    buffer[0] = w[0] * 2
    buffer[1:] = w * 3
    buffer.sum().backward()
    assert w.grad.tolist() == [5.0, 3.0]


def test_view_taken_before_a_write_to_its_base_has_the_new_history():
    w = torch.ones(2, requires_grad=True)
    base = torch.zeros(2, 2)
    row = base[0]
    base.add_(w * 2)
    row.sum().backward()
    assert w.grad.tolist() == [2.0, 2.0]


def test_write_to_a_view_gives_its_base_a_history():
    x = torch.ones(2, 3, requires_grad=True)
    y = x * 2
    y[0].mul_(10)
    y.t()[2].add_(1)
    y.sum().backward()
    assert x.grad.tolist() == [[20.0, 20.0, 20.0], [2.0, 2.0, 2.0]]
    assert y.grad_fn.name() == "torch::autograd::CopySlices"


def test_masked_write_stops_the_gradient_where_it_wrote():
    x = torch.tensor([1.0, -1.0, 2.0], requires_grad=True)
    y = x * 2
    y[y < 0] = 0.0
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 2.0]


def test_expanded_memory_cannot_be_written():
    x = torch.ones(1, 2).expand(3, 2)
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        x.add_(1)
