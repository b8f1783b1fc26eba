"""What a Module does with its attributes, its state, its hooks and its errors."""

import copy
import pickle
from collections import OrderedDict

import pytest

import gradcore as torch
from gradcore import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.act = nn.ReLU()
        self.inner = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5))
        self.scale = nn.Parameter(torch.ones(5))
        self.register_buffer("offset", torch.zeros(5))
        self.register_buffer("cache", torch.zeros(1), persistent=False)

    def forward(self, x):
        return self.inner(self.act(self.first(x))) * self.scale + self.offset


STATE = [
    "scale",
    "offset",
    "first.weight",
    "first.bias",
    "inner.0.weight",
    "inner.0.bias",
    "inner.1.weight",
    "inner.1.bias",
    "inner.1.running_mean",
    "inner.1.running_var",
    "inner.1.num_batches_tracked",
]


# Registration


def test_assignment_registers_by_what_the_value_is():
    net = Net()
    assert list(net._parameters) == ["scale"]
    assert list(net._buffers) == ["offset", "cache"]
    assert list(net._modules) == ["first", "act", "inner"]


def test_a_plain_tensor_stays_an_attribute():
    net = Net()
    net.note = torch.zeros(2)
    assert "note" in vars(net)
    assert "note" not in dict(net.named_parameters())


def test_a_name_moves_when_another_kind_of_value_is_assigned():
    net = Net()
    net.offset = nn.Parameter(torch.zeros(5))
    assert "offset" not in net._buffers
    assert "offset" in net._parameters
    net.scale = None
    assert net.scale is None
    assert "scale" not in net.state_dict()


def test_buffer_class_registers_and_says_whether_it_is_saved():
    module = nn.Module()
    module.kept = nn.Buffer(torch.zeros(1))
    module.left = nn.Buffer(torch.zeros(1), persistent=False)
    assert list(module.state_dict()) == ["kept"]
    assert [name for name, _ in module.named_buffers()] == ["kept", "left"]


def test_deleting_takes_out_of_the_tables():
    net = Net()
    del net.first
    del net.scale
    del net.offset
    assert list(net.state_dict()) == [name for name in STATE if name.startswith("inner")]
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'first'"):
        _ = net.first


@pytest.mark.parametrize(
    ("assign", "error", "message"),
    [
        (lambda m: setattr(m, "scale", torch.ones(5)), TypeError,
         "cannot assign 'torch.FloatTensor' as parameter 'scale' (torch.nn.Parameter or None "
         "expected)"),
        (lambda m: setattr(m, "first", 3), TypeError,
         "cannot assign 'int' as child module 'first' (torch.nn.Module or None expected)"),
        (lambda m: setattr(m, "offset", [1]), TypeError,
         "cannot assign 'list' as buffer 'offset' (torch.nn.Buffer, torch.Tensor or None "
         "expected)"),
        (lambda m: m.register_parameter("a.b", None), KeyError,
         "parameter name can't contain \".\""),
        (lambda m: m.register_buffer("", None), KeyError, "buffer name can't be empty string"),
        (lambda m: m.register_buffer("forward", None), KeyError,
         "attribute 'forward' already exists"),
        (lambda m: m.add_module("x", 3), TypeError, "int is not a Module subclass"),
        (lambda m: m.register_parameter("x", nn.Parameter(torch.ones(1)) * 2), TypeError,
         "cannot assign 'torch.FloatTensor' object to parameter 'x'"),
        (lambda m: m.get_submodule("inner.7"), AttributeError, "Sequential has no attribute `7`"),
        (lambda m: m.get_parameter("offset"), AttributeError, "`offset` is not an nn.Parameter"),
        (lambda m: m.train("yes"), ValueError, "training mode is expected to be boolean"),
        (lambda m: m.to(torch.int64), TypeError, "only accepts floating point or complex"),
    ],
)  # fmt: skip
def test_wrong_uses_raise_the_errors_of_torch(assign, error, message):
    with pytest.raises(error) as raised:
        assign(Net())
    assert message in str(raised.value).replace("\\'", "'").replace('\\"', '"')


def test_assigning_before_init_is_told():
    class Forgetful(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"cannot assign module before Module.__init__\(\)"):
        Forgetful()


def test_missing_forward_is_told_with_the_class():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match=r"Module \[Empty\] is missing the required"):
        Empty()(1)


# Walking and state


def test_state_dict_has_the_order_and_names_of_torch():
    assert list(Net().state_dict()) == STATE


def test_named_parameters_yields_a_tied_one_once_unless_asked():
    net = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})
    net["b"].weight = net["a"].weight
    assert [name for name, _ in net.named_parameters()] == ["a.weight", "a.bias", "b.bias"]
    every = [name for name, _ in net.named_parameters(remove_duplicate=False)]
    assert every == ["a.weight", "a.bias", "b.weight", "b.bias"]
    assert list(net.state_dict()) == every


def test_a_shared_module_is_walked_once():
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, layer)
    assert [name for name, _ in net.named_modules()] == ["", "0"]
    assert len(list(net.children())) == 1


def test_loading_gives_equal_outputs_and_says_all_matched():
    one, other = Net().eval(), Net().eval()
    report = other.load_state_dict(one.state_dict())
    assert repr(report) == "<All keys matched successfully>"
    x = torch.randn(2, 3)
    assert torch.equal(one(x), other(x))


def test_loading_what_does_not_fit_tells_all_at_once():
    state = Net().state_dict()
    state["more"] = state.pop("offset")
    state["first.bias"] = torch.zeros(7)
    with pytest.raises(RuntimeError) as raised:
        Net().load_state_dict(state)
    assert str(raised.value) == (
        "Error(s) in loading state_dict for Net:\n"
        '\tMissing key(s) in state_dict: "offset". \n'
        '\tUnexpected key(s) in state_dict: "more". \n'
        "\tsize mismatch for first.bias: copying a param with shape torch.Size([7]) from "
        "checkpoint, the shape in current model is torch.Size([4])."
    )


def test_loading_not_strictly_returns_the_keys():
    state = Net().state_dict()
    state["more"] = state.pop("offset")
    report = Net().load_state_dict(state, strict=False)
    assert report.missing_keys == ["offset"]
    assert report.unexpected_keys == ["more"]


def test_loading_with_assign_takes_the_tensors_themselves():
    state = Net().state_dict()
    net = Net()
    net.load_state_dict(state, assign=True)
    assert net.scale.data_ptr() == state["scale"].data_ptr()
    assert isinstance(net.scale, nn.Parameter)


def test_copying_deeply_shares_nothing_and_keeps_ties():
    net = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})
    net["b"].weight = net["a"].weight
    copied = copy.deepcopy(net)
    assert copied["a"].weight is copied["b"].weight
    assert copied["a"].weight is not net["a"].weight
    assert pickle.loads(pickle.dumps(net))["a"].weight.shape == (2, 2)


def test_conversion_keeps_the_parameter_objects():
    net = Net()
    weight = net.first.weight
    net.double()
    assert net.first.weight is weight
    assert weight.dtype is torch.float64
    assert net.inner[1].num_batches_tracked.dtype is torch.int64
    assert net.to(torch.float32).first.weight.dtype is torch.float32


def test_moving_to_a_gpu_is_refused_with_the_cure():
    with pytest.raises(AssertionError, match=r"torch\.cuda\.is_available"):
        Net().cuda()


def test_train_eval_freeze_and_zero_grad_reach_everything_below():
    net = Net().eval()
    assert not any(module.training for module in net.modules())
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    net.requires_grad_(True).train()
    net(torch.randn(2, 3)).sum().backward()
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_apply_goes_through_children_first():
    seen = []
    nn.Sequential(nn.Linear(1, 1), nn.ReLU()).apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "ReLU", "Sequential"]


def test_extra_state_is_saved_and_loaded():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.count = 0

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    one, other = Counting(), Counting()
    one.count = 5
    other.load_state_dict(one.state_dict())
    assert other.count == 5


# Hooks


def test_forward_hooks_see_and_replace_inputs_and_output():
    layer = nn.Linear(2, 2)
    seen = []
    layer.register_forward_pre_hook(lambda module, args: (args[0] * 2,))
    handle = layer.register_forward_hook(lambda module, args, out: seen.append(args[0]) or out + 1)
    x = torch.ones(1, 2)
    expected = nn.functional.linear(x * 2, layer.weight, layer.bias) + 1
    assert torch.allclose(layer(x), expected)
    assert torch.equal(seen[0], x * 2)
    handle.remove()
    assert torch.allclose(layer(x), expected - 1)


def test_forward_hook_with_kwargs_gets_them():
    class Scaled(nn.Module):
        def forward(self, x, *, factor=1):
            return x * factor

    seen = []
    module = Scaled()
    module.register_forward_hook(lambda m, a, k, out: seen.append(k), with_kwargs=True)
    module(torch.ones(1), factor=3)
    assert seen == [{"factor": 3}]


def test_always_called_hook_runs_after_an_error():
    layer = nn.Linear(2, 2)
    seen = []
    layer.register_forward_hook(lambda *given: seen.append(len(given)), always_call=True)
    with pytest.raises(RuntimeError):
        layer(torch.ones(1, 3))
    assert seen == [3]


def test_full_backward_hook_gets_the_gradients_of_this_call_alone():
    layer = nn.Linear(2, 1, bias=False)
    seen = []
    layer.register_full_backward_hook(lambda m, into, out: seen.append((into, out)))
    x = torch.ones(1, 2, requires_grad=True)
    (layer(x).sum() + (x * 10).sum()).backward()
    (into,), (out,) = seen[0]
    assert torch.equal(into, layer.weight.detach())
    assert torch.equal(out, torch.ones(1, 1))


def test_full_backward_hooks_may_change_the_gradients():
    layer = nn.Linear(2, 1, bias=False)
    layer.register_full_backward_pre_hook(lambda m, out: (out[0] * 3,))
    layer.register_full_backward_hook(lambda m, into, out: (into[0] * 2,))
    x = torch.ones(1, 2, requires_grad=True)
    layer(x).sum().backward()
    assert torch.allclose(x.grad, 6 * layer.weight.detach())
    assert torch.allclose(layer.weight.grad, torch.full((1, 2), 3.0))


def test_full_backward_hook_runs_where_no_input_needs_a_gradient():
    layer = nn.Linear(2, 1)
    seen = []
    layer.register_full_backward_hook(lambda m, into, out: seen.append(into))
    layer(torch.ones(1, 2)).sum().backward()
    assert seen == [(None,)]


def test_state_hooks_run():
    def forget_bias(module, state, prefix, metadata):
        del state["bias"]

    net = nn.Linear(1, 1)
    net.register_state_dict_post_hook(forget_bias)
    assert list(net.state_dict()) == ["weight"]
    seen = []
    net.register_load_state_dict_post_hook(lambda m, keys: seen.append(list(keys.missing_keys)))
    net.load_state_dict({"weight": torch.zeros(1, 1)}, strict=False)
    assert seen == [["bias"]]


# Errors that name the place


def test_shape_error_names_the_path_the_shapes_and_the_cure():
    net = nn.Sequential(OrderedDict(body=nn.Sequential(nn.Linear(3, 4), nn.Tanh())))
    net.head = nn.Linear(5, 2)
    with pytest.raises(RuntimeError) as raised:
        net(torch.ones(2, 3))
    assert str(raised.value) == (
        "`head` (Linear(5 -> 2)) got input of shape (2, 4); its last axis must be 5.\n"
        "  The operation said: mat1 and mat2 shapes cannot be multiplied (2x4 and 5x2)\n"
        "  Set in_features=4, or change what feeds it."
    )
    assert raised.value.fields["repair"] == {"in_features": 4}
    assert raised.value.fields["module"] == "head"


def test_shape_error_of_a_convolution_names_its_dotted_path():
    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.ModuleList([nn.Conv2d(1, 2, 3), nn.Conv2d(3, 4, 3)])

        def forward(self, x):
            for layer in self.features:
                x = layer(x)
            return x

    with pytest.raises(
        RuntimeError, match=r"`features\.1` \(Conv2d\(3 -> 4\)\) got input of shape"
    ):
        Deep()(torch.ones(1, 1, 8, 8))


def test_an_error_of_the_users_own_is_left_alone():
    class Picky(nn.Module):
        def forward(self, x):
            raise ValueError("not today")

    with pytest.raises(ValueError, match=r"^not today$"):
        nn.Sequential(Picky())(1)


# Containers


def test_sequential_slices_joins_and_repeats():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    assert [type(m).__name__ for m in net[:2]] == ["Linear", "ReLU"]
    assert len(net + net) == 6
    assert len(net * 2) == 6
    del net[1]
    assert list(net._modules) == ["0", "1"]
    net.insert(1, nn.Tanh())
    assert isinstance(net[1], nn.Tanh)
    assert isinstance(net.pop(-1), nn.Linear)


def test_lists_and_dictionaries_register_what_they_hold():
    net = nn.Module()
    net.layers = nn.ModuleList([nn.Linear(1, 1)])
    net.layers.append(nn.Linear(1, 1))
    net.named = nn.ModuleDict({"x": nn.Linear(1, 1)})
    net.values = nn.ParameterList([torch.zeros(1)])
    net.table = nn.ParameterDict({"y": torch.zeros(1)})
    names = [name for name, _ in net.named_parameters()]
    assert "layers.1.bias" in names
    assert "named.x.weight" in names
    assert "values.0" in names
    assert "table.y" in names


@pytest.mark.torch
def test_containers_print_as_torch():
    real = pytest.importorskip("torch", reason="PyTorch is not installed")

    def made(library):
        layers = library.nn
        block = layers.Sequential(layers.Linear(2, 3), layers.ReLU())
        return [
            layers.ModuleList([layers.Linear(2, 3), layers.Linear(2, 3), block]),
            layers.ModuleDict({"a": layers.ReLU(), "b": block}),
            layers.ParameterList([library.zeros(2, 3), library.zeros(4), "text"]),
            layers.ParameterDict({"a": library.zeros(2, 3), "b": 3}),
            layers.Sequential(),
        ]

    assert [repr(m) for m in made(torch)] == [repr(m) for m in made(real)]


def test_lazy_linear_takes_its_size_from_the_first_input():
    layer = nn.LazyLinear(4)
    assert layer(torch.ones(2, 7)).shape == (2, 4)
    assert type(layer) is nn.Linear
    assert layer.weight.shape == (4, 7)
    assert type(layer.weight) is nn.Parameter


def test_lazy_linear_refuses_to_show_a_size_before_its_first_batch():
    weight = nn.LazyLinear(4).weight
    with pytest.raises(ValueError, match="uninitialized parameter in `numel`"):
        weight.numel()
    with pytest.raises(RuntimeError, match="the shape of an uninitialized parameter"):
        weight.sum(dim=weight.shape)
