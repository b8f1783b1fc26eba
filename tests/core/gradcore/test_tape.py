"""The tape: backward in all its forms, what it keeps, what it refuses."""

import gc
import threading
import weakref

import pytest

import gradcore as torch
from gradcore.errors import GraphFreedError


def test_chain_of_100_000_operations_goes_backward_and_is_freed():
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    y.backward()
    assert x.grad.item() == 1.0
    del y


def test_long_chain_without_backward_is_freed_without_recursion():
    y = torch.ones(1, requires_grad=True)
    for _ in range(100_000):
        y = y.exp()
    freed = weakref.ref(y)
    del y
    gc.collect()
    assert freed() is None


def test_gradients_of_several_uses_are_summed():
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    (x * x + x * 3 + x).sum().backward()
    assert x.grad.tolist() == [8.0, 10.0]


def test_second_backward_adds_to_the_same_grad_tensor():
    x = torch.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    first = x.grad
    (x * 3).sum().backward()
    assert x.grad is first
    assert first.tolist() == [5.0, 5.0]


def test_gradients_of_two_leaves_do_not_share_memory():
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    (x + y).sum().backward()
    x.grad.mul_(5)
    assert y.grad.tolist() == [1.0, 1.0]


def test_gradient_given_by_the_user_is_not_taken_over():
    x = torch.ones(2, requires_grad=True)
    seed = torch.tensor([1.0, 2.0])
    (x + 0).backward(seed)
    x.grad.zero_()
    assert seed.tolist() == [1.0, 2.0]


def test_grad_stays_none_until_backward_reaches_it():
    x, unused = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    (x * 2).sum().backward()
    assert unused.grad is None


def test_second_pass_through_a_freed_graph_is_refused():
    x = torch.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(GraphFreedError, match="Trying to backward through the graph a second time"):
        y.backward()


def test_second_pass_is_allowed_where_nothing_was_saved():
    x = torch.ones(2, requires_grad=True)
    y = x + 1
    y.sum().backward()
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_retain_graph_keeps_the_graph():
    x = torch.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_backward_from_several_values_needs_a_gradient():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar"):
        (x * 2).backward()


def test_backward_without_history_is_refused():
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        torch.ones(1).backward()


def test_gradient_of_another_shape_is_refused():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        (x * 2).backward(torch.ones(3))


def test_create_graph_gives_third_derivatives():
    x = torch.tensor(2.0, requires_grad=True)
    (first,) = torch.autograd.grad(x**4, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x, create_graph=True)
    (third,) = torch.autograd.grad(second, x)
    assert (first.item(), second.item(), third.item()) == (32.0, 48.0, 48.0)


def test_backward_with_create_graph_leaves_a_grad_with_history():
    x = torch.tensor(3.0, requires_grad=True)
    (x**2).backward(create_graph=True)
    assert x.grad.requires_grad
    x.grad.backward()
    assert x.grad.item() == 8.0


def test_grad_of_an_unused_input_is_refused_or_none_or_zero():
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        torch.autograd.grad((x * 2).sum(), (x, y))
    assert torch.autograd.grad((x * 2).sum(), (x, y), allow_unused=True)[1] is None
    zero = torch.autograd.grad((x * 2).sum(), (x, y), materialize_grads=True)[1]
    assert zero.tolist() == [0.0, 0.0]


def test_grad_does_not_touch_the_grad_of_leaves():
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    torch.autograd.grad((x * y).sum(), x)
    assert x.grad is None
    assert y.grad is None


def test_grad_for_a_tensor_in_the_middle():
    x = torch.ones(2, requires_grad=True)
    middle = x * 3
    g_middle, g_x = torch.autograd.grad((middle * middle).sum(), (middle, x))
    assert g_middle.tolist() == [6.0, 6.0]
    assert g_x.tolist() == [18.0, 18.0]


def test_backward_inputs_fills_only_those():
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    (x * y).sum().backward(inputs=[x])
    assert x.grad.tolist() == [1.0, 1.0]
    assert y.grad is None


def test_retain_grad_keeps_the_gradient_of_a_tensor_in_the_middle():
    x = torch.ones(2, requires_grad=True)
    middle = x * 3
    middle.retain_grad()
    (middle * 2).sum().backward()
    assert middle.grad.tolist() == [2.0, 2.0]
    assert middle.retains_grad


def test_hook_on_a_leaf_sees_the_whole_gradient_and_may_replace_it():
    x = torch.ones(2, requires_grad=True)
    seen = []

    def double(g):
        seen.append(g.tolist())
        return g * 2

    handle = x.register_hook(double)
    (x * 2 + x * 3).sum().backward()
    assert seen == [[5.0, 5.0]]
    assert x.grad.tolist() == [10.0, 10.0]
    handle.remove()
    x.grad = None
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_hook_in_the_middle_changes_what_flows_on():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    y.sum().backward()
    assert x.grad.tolist() == [20.0, 20.0]


def test_hook_on_a_tensor_without_gradient_is_refused():
    with pytest.raises(RuntimeError, match="doesn't require gradient"):
        torch.ones(1).register_hook(print)


def test_hook_after_accumulation_gets_the_leaf():
    x = torch.ones(2, requires_grad=True)
    seen = []
    x.register_post_accumulate_grad_hook(lambda leaf: seen.append(leaf.grad.tolist()))
    (x * 2).sum().backward()
    assert seen == [[2.0, 2.0]]


def test_node_hooks_get_gradients_of_inputs_and_outputs():
    x = torch.ones(2, requires_grad=True)
    y = x * 3
    seen = []
    y.grad_fn.register_hook(lambda ins, outs: seen.append((ins[0].tolist(), outs[0].tolist())))
    y.sum().backward()
    assert seen == [([3.0, 3.0], [1.0, 1.0])]


def test_nodes_are_named_as_in_torch_and_lead_back():
    x = torch.ones(2, 2, requires_grad=True)
    y = (x @ x + 1).relu().sum()
    names = []
    node = y.grad_fn
    while node is not None:
        names.append(node.name())
        node = node.next_functions[0][0] if node.next_functions else None
    assert names == [
        "SumBackward0",
        "ReluBackward0",
        "AddBackward0",
        "MmBackward0",
        "torch::autograd::AccumulateGrad",
    ]


def test_leaf_properties_follow_history():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    assert x.is_leaf and not y.is_leaf
    assert x.grad_fn is None and y.grad_fn is not None
    assert y.detach().is_leaf
    assert not y.detach().requires_grad


def test_requires_grad_of_a_computed_tensor_cannot_be_switched_off():
    y = torch.ones(2, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="you can only change requires_grad flags of leaf"):
        y.requires_grad = False


def test_integers_cannot_require_grad():
    with pytest.raises(RuntimeError, match="only Tensors of floating point"):
        torch.tensor([1, 2], requires_grad=True)


def test_grad_of_another_shape_or_dtype_is_refused():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="gradient of size"):
        x.grad = torch.ones(3)
    with pytest.raises(RuntimeError, match="gradient with dtype"):
        x.grad = torch.ones(2, dtype=torch.float64)
    with pytest.raises(TypeError, match="expected to be a Tensor or None"):
        x.grad = 1.0


def test_misspelt_attribute_lands_in_the_dictionary():
    x = torch.ones(2)
    x.require_grad = True
    assert x.__dict__ == {"require_grad": True}
    assert not x.requires_grad


def test_no_grad_works_as_context_decorator_and_bare_decorator():
    x = torch.ones(1, requires_grad=True)

    @torch.no_grad()
    def with_call():
        return x * 2

    @torch.no_grad
    def bare():
        return x * 2

    with torch.no_grad():
        inside = x * 2
        with torch.enable_grad():
            recorded = x * 2
    assert not inside.requires_grad
    assert recorded.requires_grad
    assert not with_call().requires_grad
    assert not bare().requires_grad
    assert torch.is_grad_enabled()


def test_no_grad_around_a_generator_holds_only_while_it_runs():
    @torch.no_grad()
    def numbers():
        yield torch.is_grad_enabled()
        yield torch.is_grad_enabled()

    running = numbers()
    assert next(running) is False
    assert torch.is_grad_enabled()
    assert next(running) is False


def test_set_grad_enabled_acts_at_once_and_restores():
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)


def test_grad_mode_belongs_to_one_thread():
    seen = []
    with torch.no_grad():
        worker = threading.Thread(target=lambda: seen.append(torch.is_grad_enabled()))
        worker.start()
        worker.join()
    assert seen == [True]


def test_division_by_zero_is_silent_in_a_new_thread():
    seen = []
    worker = threading.Thread(target=lambda: seen.append((torch.ones(1) / 0).item()))
    worker.start()
    worker.join()
    assert seen == [float("inf")]


def test_inference_tensors_are_refused_by_autograd():
    with torch.inference_mode():
        t = torch.ones(2)
    assert t.is_inference()
    w = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        w * t
    assert (w * t.clone()).requires_grad
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
        t.add_(1)


def test_detach_does_not_keep_the_graph_alive():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    node = weakref.ref(y.grad_fn)
    kept = y.detach()
    del y
    gc.collect()
    assert node() is None
    assert kept.tolist() == [2.0, 2.0]


def test_detach_in_place_makes_a_leaf():
    y = torch.ones(2, requires_grad=True) * 2
    y.detach_()
    assert y.is_leaf and not y.requires_grad


def test_deepcopy_copies_leaves_only():
    import copy

    x = torch.ones(2, requires_grad=True)
    x.note = "kept"
    other = copy.deepcopy(x)
    assert other.requires_grad and other.note == "kept"
    assert other.data_ptr() != x.data_ptr()
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(x * 2)


def test_pickled_leaf_comes_back():
    import pickle

    x = torch.arange(6.0).reshape(2, 3).requires_grad_()
    other = pickle.loads(pickle.dumps(x))
    assert torch.equal(x, other) and other.requires_grad
