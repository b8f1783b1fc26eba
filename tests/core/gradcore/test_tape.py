"""The tape: backward in all its forms, what it keeps, what it refuses."""

import gc
import threading
import weakref

import numpy as np
import pytest

import gradcore as torch
from gradcore.errors import AutogradError, GraphFreedError, ModifiedError


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
    with pytest.raises(RuntimeError, match="different size"):
        x.grad = torch.ones(3)
    with pytest.raises(RuntimeError, match="different type"):
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
    assert "test_tape.py" in caught.value.fields["written_at"]


def test_write_that_needs_its_own_old_value_is_found():
    w = torch.ones(2, requires_grad=True)
    x = torch.ones(2, requires_grad=True) * 3
    x.mul_(w)
    with pytest.raises(ModifiedError, match="mul_"):
        x.sum().backward()


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


def test_user_function_has_its_own_backward():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x**2

    x = torch.tensor([2.0], requires_grad=True)
    y = Cube.apply(x)
    assert y.grad_fn.name() == "CubeBackward"
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    assert g.item() == 12.0
    (second,) = torch.autograd.grad(g, x)
    assert second.item() == 12.0
    assert torch.autograd.gradcheck(
        Cube.apply, torch.tensor([1.5], dtype=torch.float64, requires_grad=True)
    )


def test_user_function_that_saves_its_output_leaves_no_cycle():
    class Exp(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return g * y

    gc.collect()
    gc.disable()
    try:
        y = Exp.apply(torch.ones(1, requires_grad=True))
        node = weakref.ref(y.grad_fn)
        del y
        assert node() is None
    finally:
        gc.enable()


def test_user_function_with_the_wrong_number_of_gradients_is_refused():
    class Two(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a * b

        @staticmethod
        def backward(ctx, g):
            return g

    a = torch.ones(1, requires_grad=True)
    with pytest.raises(RuntimeError, match="incorrect number of gradients"):
        Two.apply(a, a).backward()


def test_user_function_gets_zeros_for_an_output_nobody_used():
    seen = []

    class Both(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, first, second):
            seen.append(second.tolist())
            return first * 2 + second * 3

    x = torch.ones(2, requires_grad=True)
    first, _ = Both.apply(x)
    first.sum().backward()
    assert seen == [[0.0, 0.0]]
    assert x.grad.tolist() == [2.0, 2.0]


def test_anomaly_detection_names_the_operation():
    x = torch.zeros(1, requires_grad=True)
    with torch.autograd.detect_anomaly():
        y = (x / x).sum()
        with pytest.raises(RuntimeError, match=r"'DivBackward0' returned nan"):
            y.backward()


def test_graph_is_freed_by_reference_counting_alone():
    gc.collect()
    gc.disable()
    try:
        x = torch.ones(3, 3, requires_grad=True)
        y = torch.softmax((x @ x).tanh().relu(), 1).max(1)[0].sum()
        node = weakref.ref(y.grad_fn.next_functions[0][0])
        del y
        assert node() is None
    finally:
        gc.enable()


def test_wrong_gradient_function_is_found_by_gradcheck():
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 3

    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(AutogradError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(Wrong.apply, x)


def test_jacobian_and_hessian():
    x = torch.tensor([1.0, 2.0])
    jacobian = torch.autograd.functional.jacobian(lambda t: t**2, x)
    assert jacobian.tolist() == [[2.0, 0.0], [0.0, 4.0]]
    hessian = torch.autograd.functional.hessian(lambda t: (t**3).sum(), x)
    assert hessian.tolist() == [[6.0, 0.0], [0.0, 12.0]]
    _, product = torch.autograd.functional.jvp(lambda t: t**2, x, torch.ones(2))
    assert product.tolist() == [2.0, 4.0]
    _, product = torch.autograd.functional.vhp(lambda t: (t**3).sum(), x, torch.ones(2))
    assert product.tolist() == [6.0, 12.0]


def test_one_array_may_be_reached_by_many_leaves_at_once():
    leaves = [torch.ones(2, requires_grad=True) for _ in range(3)]
    torch.stack(leaves).sum().backward()
    pointers = {leaf.grad.data_ptr() for leaf in leaves}
    assert len(pointers) == 3
    np.testing.assert_array_equal(leaves[0].grad.numpy(), [1.0, 1.0])
