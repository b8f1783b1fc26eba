"""Tensors print as PyTorch prints them, character by character."""

import pytest

import gradcore

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

SHOWN = {
    "whole floats": lambda lib: lib.tensor([1.0, 2.0, 3.0]),
    "floats": lambda lib: lib.tensor([1.5, -2.25, 3.125]),
    "one float": lambda lib: lib.tensor(3.14159),
    "one integer": lambda lib: lib.tensor(7),
    "one bool": lambda lib: lib.tensor(True),
    "bools": lambda lib: lib.tensor([True, False]),
    "integers": lambda lib: lib.arange(12).reshape(3, 4) - 5,
    "empty": lambda lib: lib.tensor([]),
    "empty integers": lambda lib: lib.tensor([], dtype=lib.int64),
    "empty matrix": lambda lib: lib.zeros(0, 3),
    "empty matrix of integers": lambda lib: lib.zeros(2, 0, dtype=lib.int64),
    "three dimensions": lambda lib: lib.arange(24.0).reshape(2, 3, 4),
    "four dimensions": lambda lib: lib.arange(16.0).reshape(2, 2, 2, 2) / 3,
    "tiny": lambda lib: lib.tensor([1e-5, 1.0]),
    "huge": lambda lib: lib.tensor([1e9, 1.0]),
    "wide range": lambda lib: lib.tensor([0.001, 10000.5]),
    "whole wide range": lambda lib: lib.tensor([1.0, 2000.0, 100000.0]),
    "whole huge": lambda lib: lib.tensor([2e9]),
    "nan": lambda lib: lib.tensor([float("nan"), 1.0]),
    "nan and decimals": lambda lib: lib.tensor([float("nan"), 1.5, -2.0]),
    "infinite": lambda lib: lib.tensor([float("inf"), -float("inf"), 2.5]),
    "only nan": lambda lib: lib.tensor([float("nan"), float("inf")]),
    "zeros": lambda lib: lib.zeros(2, 2),
    "zero and small": lambda lib: lib.tensor([0.0, 1e-6]),
    "double": lambda lib: lib.tensor([1.5], dtype=lib.float64),
    "half": lambda lib: lib.tensor([1.5, 2.0], dtype=lib.float16),
    "int32": lambda lib: lib.tensor([1, 2], dtype=lib.int32),
    "uint8": lambda lib: lib.tensor([1, 200], dtype=lib.uint8),
    "complex": lambda lib: lib.tensor([1 + 2j, -0.5 - 1.25j]),
    "whole complex": lambda lib: lib.tensor([1 + 2j, 3 - 4j]),
    "one complex": lambda lib: lib.tensor(1 + 2j),
    "requires grad": lambda lib: lib.tensor([1.0, 2.0], requires_grad=True),
    "grad_fn": lambda lib: lib.tensor([1.0, 2.0], requires_grad=True) * 2,
    "long line": lambda lib: lib.arange(40.0) / 7,
    "long integers": lambda lib: lib.arange(100),
    "summarised": lambda lib: lib.arange(2000.0),
    "summarised matrix": lambda lib: lib.arange(10000.0).reshape(100, 100) / 7,
    "summarised thin": lambda lib: lib.arange(1002.0).reshape(501, 2),
    "summarised three": lambda lib: lib.arange(4000).reshape(20, 20, 10),
    "summarised grad": lambda lib: lib.ones(50, 50, requires_grad=True) * 1.5,
    "wrapped suffix": lambda lib: lib.ones(9, requires_grad=True) * 1.25,
    "negative zero": lambda lib: lib.tensor([-0.0, 1.0]),
    "view": lambda lib: lib.ones(2, 3, requires_grad=True).t(),
    "list": lambda lib: [lib.ones(2), lib.zeros(1)],
    "format": lambda lib: f"{lib.tensor(1.5):.3f} {lib.tensor(2)} {lib.tensor([1.0])}",
    "size": lambda lib: lib.ones(2, 3).shape,
    "size of nothing": lambda lib: lib.tensor(1.0).size(),
    "dtype": lambda lib: lib.float32,
    "device": lambda lib: (lib.device("cpu"), lib.ones(1).device, str(lib.device("cuda:1"))),
    "max": lambda lib: lib.max(lib.tensor([[1.0, 5.0], [7.0, 2.0]]), 1),
    "sort": lambda lib: lib.sort(lib.tensor([3.0, 1.0])),
    "topk": lambda lib: lib.topk(lib.tensor([3.0, 1.0, 2.0]), 2),
    "finfo": lambda lib: lib.finfo(lib.float32),
    "iinfo": lambda lib: lib.iinfo(lib.int32),
    "ones like small numbers": lambda lib: lib.tensor([0.00012, 0.5]),
    "memory format": lambda lib: lib.contiguous_format,
    "type": lambda lib: type(lib.ones(1)),
}

NAMED = {
    "sum": lambda x: x.sum(),
    "sum of a dim": lambda x: x.sum(0),
    "mean": lambda x: x.mean(),
    "mean of a dim": lambda x: x.mean(1),
    "view": lambda x: x.view(-1),
    "reshape": lambda x: x.reshape(-1),
    "flatten": lambda x: x.flatten(),
    "t": lambda x: x.t(),
    "T": lambda x: x.T,
    "transpose": lambda x: x.transpose(0, 1),
    "permute": lambda x: x.permute(1, 0),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "squeeze": lambda x: x.squeeze(),
    "squeeze dim": lambda x: x.squeeze(0),
    "expand": lambda x: x.expand(2, 2, 2),
    "select": lambda x: x[0],
    "slice": lambda x: x[0:1],
    "two places": lambda x: x[0, 1],
    "column": lambda x: x[:, 1],
    "index": lambda x: x[x > 0],
    "pow": lambda x: x**2,
    "pow tensor": lambda x: x**x,
    "neg": lambda x: -x,
    "sub": lambda x: x - 1,
    "rsub": lambda x: 1 - x,
    "div": lambda x: x / 2,
    "rdiv": lambda x: 2 / x,
    "exp": lambda x: x.exp(),
    "clone": lambda x: x.clone(),
    "contiguous": lambda x: x.t().contiguous(),
    "double": lambda x: x.double(),
    "matmul": lambda x: x @ x,
    "vector": lambda x: x @ x[0],
    "dot": lambda x: x[0] @ x[1],
    "batch": lambda x: x.expand(3, 2, 2) @ x.expand(3, 2, 2),
    "relu": lambda x: x.relu(),
    "sigmoid": lambda x: x.sigmoid(),
    "softmax": lambda x: x.softmax(0),
    "log_softmax": lambda x: x.log_softmax(0),
    "max": lambda x: x.max(),
    "max of a dim": lambda x: x.max(1)[0],
    "amax": lambda x: x.amax(1),
    "norm": lambda x: x.norm(),
    "var": lambda x: x.var(),
    "std": lambda x: x.std(),
    "clamp": lambda x: x.clamp(0, 1),
    "abs": lambda x: x.abs(),
    "prod": lambda x: x.prod(),
    "cumsum": lambda x: x.cumsum(0),
    "masked_fill": lambda x: x.masked_fill(x > 0, 0),
    "repeat": lambda x: x.repeat(2, 1),
    "triu": lambda x: x.triu(),
    "add_": lambda x: (x * 1).add_(1),
    "relu_": lambda x: (x * 1).relu_(),
    "logsumexp": lambda x: x.logsumexp(1),
    "gather": lambda x: x.gather(1, (x[:, :1] * 0).long()),
    "unbind": lambda x: x.unbind(0)[0],
    "split": lambda x: x.split(1)[0],
    "chunk": lambda x: x.chunk(2)[0],
    "diagonal": lambda x: x.diagonal(),
    "sort": lambda x: x.sort()[0],
    "topk": lambda x: x.topk(1)[0],
    "lerp": lambda x: x.lerp(x, 0.5),
    "addmm": lambda x: x.addmm(x, x),
    "sqrt": lambda x: x.sqrt(),
    "tanh": lambda x: x.tanh(),
    "item write": lambda x: _written(x * 1),
}


def _written(x):
    x[0] = 1.0
    return x


@pytest.mark.parametrize("name", SHOWN)
def test_prints_as_torch(name):
    assert repr(SHOWN[name](gradcore)) == repr(SHOWN[name](torch))


@pytest.mark.parametrize("name", NAMED)
def test_node_has_the_name_torch_gives_it(name):
    values = [[1.0, 2.0], [3.0, 4.5]]
    ours = NAMED[name](gradcore.tensor(values, requires_grad=True))
    theirs = NAMED[name](torch.tensor(values, requires_grad=True))
    assert ours.grad_fn.name() == theirs.grad_fn.name()


@pytest.mark.parametrize(
    "options",
    [
        {"precision": 2},
        {"sci_mode": True},
        {"threshold": 5},
        {"linewidth": 40},
        {"profile": "short"},
    ],
)
def test_print_options_act_as_in_torch(options):
    def make(lib):
        return lib.arange(30.0).reshape(3, 10) / 7

    try:
        gradcore.set_printoptions(**options)
        torch.set_printoptions(**options)
        assert repr(make(gradcore)) == repr(make(torch))
    finally:
        gradcore.set_printoptions(profile="default")
        torch.set_printoptions(profile="default", sci_mode=None)
