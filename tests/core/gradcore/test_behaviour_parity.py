"""Short programs that must end the same on gradcore and on PyTorch: values, dtypes, refusals."""

import numpy as np
import pytest

import gradcore
from gradcore.graph import TensorBase

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

PROGRAMS = """
t.arange(24.).reshape(2,3,4)[0]
t.arange(24.).reshape(2,3,4)[:, 1]
t.arange(24.).reshape(2,3,4)[..., -1]
t.arange(24.).reshape(2,3,4)[:, ::2, 1:3]
t.arange(24.).reshape(2,3,4)[None, :, 0]
t.arange(24.).reshape(2,3,4)[t.tensor([0,1,1])]
t.arange(24.).reshape(2,3,4)[t.tensor([0,1]), t.tensor([2,0])]
t.arange(24.).reshape(2,3,4)[:, t.tensor([2,0])]
t.arange(24.).reshape(2,3,4)[:, [2,0], 1]
t.arange(24.).reshape(2,3,4)[t.tensor([0,1]), :, t.tensor([2,0])]
t.arange(24.).reshape(2,3,4)[t.tensor([[0],[1]]), t.tensor([[0,2]])]
t.arange(24.).reshape(2,3,4)[t.arange(24.).reshape(2,3,4) > 11]
t.arange(24.).reshape(2,3,4)[t.tensor([True, False])]
t.arange(24.).reshape(2,3,4)[t.tensor(1)]
t.arange(24.).reshape(2,3,4)[True].shape
t.arange(24.).reshape(2,3,4)[np.array([1,0])]
t.arange(24.).reshape(2,3,4)[2]
t.arange(24.).reshape(2,3,4)[0,0,0,0]
t.arange(24.).reshape(2,3,4)[::-1]
t.arange(24.).reshape(2,3,4)[t.tensor([0, 5])]
t.arange(24.).reshape(2,3,4)[0.5]
t.arange(5)[t.tensor([], dtype=t.long)]
t.arange(5)[-1]
t.arange(5)[1:1]
[int(x) for x in t.arange(3)]
len(t.ones(3, 2))
len(t.tensor(1.0))
list(t.tensor(1.0))
bool(t.tensor([0.0]))
bool(t.ones(2))
bool(t.tensor([]))
float(t.tensor([2.5]))
int(t.tensor(2.9))
float(t.ones(2))
t.ones(2).item()
3 in t.arange(5)
isinstance(t.ones(2), t.FloatTensor)
isinstance(t.ones(2), t.LongTensor)
isinstance(1.0, t.FloatTensor)
t.FloatTensor([1, 2])
t.LongTensor(2, 3).shape
t.zeros(3).__setitem__(0, t.ones(1))
t.zeros(2, 3).__setitem__(0, t.ones(1, 3))
t.zeros(2, 3).__setitem__(0, t.ones(2, 3))
np.sin(t.ones(2))
np.add(t.ones(2), 1)
9 in t.arange(5)
t.tensor([1, 2]) / 2
t.tensor([1, 2]) / t.tensor([3, 4])
t.tensor([1, 2]) / t.tensor([3, 4], dtype=t.int32)
t.tensor(3) / t.tensor(4)
t.tensor([True]) / t.tensor([True])
t.tensor([1, 2]).div(t.tensor([3, 4]))
t.atan2(t.tensor([1, 2]), t.tensor([3, 4]))
t.tensor([1, 2]) // 2
t.tensor([-7, 7]) // 2
t.tensor([-7, 7]) % 3
t.tensor([-7., 7.]) % 3
t.tensor([1, 2]) * 1.5
t.tensor([1, 2]) + True
t.tensor([True, False]) + True
t.tensor([True, False]) + 1
t.tensor([True, False]) * 2.0
t.tensor([True]) - t.tensor([True])
t.tensor([True]) - 1.0
1 - t.tensor([True])
t.tensor([True]) - t.tensor([1])
t.tensor([1.0]) - t.tensor([True])
t.tensor([1.0]) & t.tensor([1.0])
t.tensor([1, 2]).var()
t.tensor([1, 2]).std()
t.tensor([1, 2]).logsumexp(0)
str(t.nn.Parameter(t.ones(2)))
t.autograd.grad((t.ones(1, requires_grad=True) * 2).sum(), [], only_inputs=True)
t.tensor([1, 2], dtype=t.int32) + t.tensor([1., 2.])
t.tensor([1, 2], dtype=t.int32) + t.tensor(1, dtype=t.int64)
t.tensor([1, 2], dtype=t.int32) + t.tensor([1, 2])
t.tensor([1.], dtype=t.float32) + t.tensor(1., dtype=t.float64)
t.tensor([1.], dtype=t.float32) * t.tensor([1.], dtype=t.float64)
t.tensor([1.], dtype=t.float16) + t.tensor([1.], dtype=t.float32)
t.tensor([1], dtype=t.uint8) + t.tensor([1], dtype=t.int8)
t.tensor([200], dtype=t.uint8) + 100
t.tensor([1], dtype=t.uint8) - 2
t.tensor(1) + t.tensor([1.0])
t.tensor(1.0) + t.tensor([1])
t.tensor([1.0]) * 1j
t.tensor([1]) * 1j
t.tensor([1, 2]) ** 2
t.tensor([1, 2]) ** 0.5
t.tensor([1, 2]) ** -1
2 ** t.tensor([1., 2.])
2 - t.tensor([1., 2.])
2 / t.tensor([1., 2.])
2 // t.tensor([1., 2., 3.])
7 % t.tensor([2., 3.])
1.5 * t.tensor([2, 3])
t.tensor([1, 2]).sum()
t.tensor([True, True]).sum()
t.tensor([1, 2], dtype=t.int32).sum()
t.tensor([1, 2]).mean()
t.tensor([1, 2]).float().mean()
t.tensor([1, 2]).exp()
t.tensor([1, 4]).sqrt()
t.tensor([1, 2]).cumsum(0)
t.tensor([1, 2]).prod()
t.tensor([1., 2.]).max().dtype
t.tensor([3, 1]).max()
t.tensor([[1., 2.], [3., 0.]]).max(dim=1).indices
t.tensor([[1., 2.], [3., 0.]]).argmax()
t.tensor([[1., 2.], [3., 0.]]).argmax(dim=-1, keepdim=True)
t.tensor([1., float('nan')]).max()
t.tensor([1., float('nan')]).argmax()
t.zeros(0).sum()
t.zeros(0).mean()
t.zeros(0).max()
t.zeros(2, 0).sum(1)
t.zeros(0).prod()
t.tensor([1., 2.]).var()
t.tensor([1.]).var()
t.tensor([1., 2.]).std(unbiased=False)
t.tensor([0., 1.]) == t.tensor([0., 2.])
t.tensor([0., 1.]) == 1
t.tensor([0., 1.]) != None
t.tensor([0.1]) == 0.1
~t.tensor([True, False])
~t.tensor([1, 2])
t.tensor([1, 2]) & 3
t.tensor([True]) | t.tensor([False])
-t.tensor([1, 2])
abs(t.tensor([-1., 2.]))
t.tensor([1., 2.]) @ t.tensor([3., 4.])
t.ones(2, 3) @ t.ones(2, 3)
t.ones(2, 3) @ t.ones(3, dtype=t.float64)
t.ones(2, 3) + t.ones(2, 4)
t.ones(2, 3).mm(t.ones(3))
t.ones(2, 3).view(4)
t.ones(2, 3).t().view(6)
t.ones(2, 3).t().reshape(6)
t.ones(2, 3).view(-1, 2).shape
t.ones(2, 3).expand(3, 2, 3).shape
t.ones(2, 3).expand(4, 3)
t.ones(2, 3).expand(-1, -1).shape
t.ones(2, 3).transpose(0, 2)
t.ones(2, 3).permute(1, 0).stride()
t.ones(2, 3).t().is_contiguous()
t.ones(2, 3, 4).transpose(1, 2).contiguous().stride()
t.ones(4, 3)[1:, 1].storage_offset()
t.ones(2, 3).unsqueeze(-1).shape
t.ones(2, 3).unsqueeze(4)
t.ones(2, 1, 3).squeeze(1).shape
t.ones(2, 1, 3).squeeze(0).shape
t.ones(2, 3).sum(dim=2)
t.ones(2, 3).sum(dim=(0, 0))
t.ones(2, 3).size(1)
t.ones(2, 3).size(2)
t.ones(2, 3).numel()
t.ones(2, 3).flatten(1, 0)
t.cat([t.ones(2), t.ones(3)])
t.cat([t.ones(2, 1), t.ones(2, 2)])
t.cat([t.ones(2, 1), t.ones(2, 2)], 1)
t.cat([])
t.cat([t.tensor([1]), t.tensor([1.5])])
t.stack([t.ones(2), t.ones(3)])
t.stack([t.ones(2), t.zeros(2)], -1)
t.ones(5).split([2, 2])
t.ones(5).chunk(3)
t.tensor([1, 2.5])
t.tensor([1, True])
t.tensor([[1, 2], [3]])
t.tensor('a')
t.tensor(np.float32(1.5))
t.tensor(np.array([1.5]))
t.tensor([np.float64(1.5)])
t.tensor(3, dtype=t.float32)
t.tensor([])
t.tensor(True)
t.tensor(1 + 2j)
t.tensor([t.tensor(1.), t.tensor(2.)])
t.as_tensor([1, 2])
t.from_numpy(np.arange(3))
t.arange(0, 1, 0.25)
t.arange(5, 0, -2)
t.arange(1, 0)
t.arange(3.)
t.linspace(0, 1, 5)
t.full((2,), 7)
t.full((2,), 7.5)
t.full((2,), True)
t.eye(2, 3)
t.zeros((2, 3)).shape
t.zeros(2, dtype=t.int64)
t.ones_like(t.tensor([1, 2]))
t.zeros(-1)
t.ones(2).new_zeros(3, dtype=t.int32)
t.ones(2, dtype=t.float64).new_tensor([1, 2])
t.ones(2).to(t.float64).dtype
t.ones(2).to('cpu').dtype
t.ones(2).to(t.ones(1, dtype=t.int32)).dtype
t.tensor([1.7, -1.7]).long()
t.tensor([1.7, -1.7]).int()
t.tensor([0., 2.]).bool()
t.ones(2).half().dtype
t.ones(2).double().type()
t.tensor([1.5, 2.5]).round()
t.tensor([1.25]).round(decimals=1)
t.where(t.tensor([True, False]), t.tensor([1., 2.]), t.tensor([3., 4.]))
t.where(t.tensor([True, False]), 1., 0.)
t.where(t.tensor([True, False]), 1, 0)
t.where(t.tensor([True, False]), t.tensor([1, 2]), 0.5)
t.where(t.tensor([True, False]))
t.tensor([1., 2., 3.]).clamp(1.5, 2.5)
t.tensor([1, 2, 3]).clamp(min=2)
t.tensor([1, 2, 3]).clamp(min=1.5)
t.tensor([1., 2.]).clamp()
t.tensor([1., 2., 3.]).masked_fill(t.tensor([True, False, True]), 9)
t.tensor([1., 2., 3.]).masked_fill(t.tensor([1, 0, 1]), 9)
t.tensor([[1., 2.], [3., 4.]]).gather(1, t.tensor([[0], [1]]))
t.tensor([[1., 2.], [3., 4.]]).gather(1, t.tensor([[0], [5]]))
t.zeros(2, 3).scatter(1, t.tensor([[0], [2]]), 1.0)
t.zeros(2, 3).scatter_(1, t.tensor([[0], [2]]), t.tensor([[5.], [6.]]))
t.zeros(3).index_add(0, t.tensor([0, 0, 2]), t.ones(3))
t.arange(6.).reshape(2, 3).index_select(1, t.tensor([2, 0]))
t.arange(6.).reshape(2, 3).index_fill(1, t.tensor([2, 0]), -1)
t.tensor([3., 1., 2.]).sort(descending=True).values
t.tensor([3., 1., 2.]).argsort()
t.tensor([3., 1., 2.]).topk(2).indices
t.tensor([3., 1., 2.]).topk(5)
t.tensor([3, 1, 3]).unique()
t.tensor([3, 1, 3]).unique(return_counts=True)
t.tensor([1, 2, 3]).repeat_interleave(2)
t.tensor([1., 2.]).repeat(2, 2)
t.arange(3).tile((2,))
t.tensor([1., 2., 3.]).flip(0)
t.tensor([1., 2., 3.]).roll(1)
t.ones(3, 3).triu(1)
t.meshgrid(t.arange(2), t.arange(3), indexing='ij')
t.tensor([0, 1, 1]).nonzero()
t.tensor([0, 1, 1]).nonzero(as_tuple=True)
t.tensor([1., 2.]).allclose(t.tensor([1., 2.0000001]))
t.equal(t.ones(2), t.ones(2))
t.isclose(t.tensor([1.]), t.tensor([1.1]))
t.tensor([1., float('nan'), float('inf')]).isnan()
t.tensor([1., float('nan'), float('inf')]).isfinite()
t.tensor([1., float('nan'), float('inf')]).nan_to_num()
t.log(t.tensor([0., -1.]))
t.tensor([0.]) / 0
t.tensor([1]) // 0 if False else 0
t.softmax(t.tensor([1., 2.]), dim=0)
t.tensor([1, 2]).softmax(0)
t.tensor([1., 2.]).softmax(0, dtype=t.float64)
t.tensor([float('-inf'), 0.]).softmax(0)
t.tensor([1000., 0.]).logsumexp(0)
t.tensor([100., -100.]).sigmoid()
t.einsum('ij,jk->ik', t.ones(2, 3), t.ones(3, 2))
t.einsum('ij,jk', t.ones(2, 3))
t.norm(t.tensor([3., 4.]))
t.tensor([[3., 4.], [0., 0.]]).norm(dim=1)
t.bernoulli(t.tensor([0., 1.]))
t.tensor([1., 2.]).add(t.tensor([1., 1.]), alpha=3)
t.add(1, t.tensor([2]))
t.tensor([7., -7.]).div(2, rounding_mode='trunc')
t.tensor([7, -7]).div(2, rounding_mode='floor')
t.tensor([1., 2.]).pow(2).sum().item()
t.tensor([1., 2.]).add_(t.tensor([1, 1]))
t.tensor([1, 2]).add_(1.5)
t.tensor([1, 2]).mul_(t.tensor([1.5, 2.5]))
t.tensor([1., 2.]).add_(t.ones(3, 2))
t.ones(2, 2).add_(t.ones(2))
t.tensor([1, 2]).div_(2)
t.ones(3).fill_(2).zero_()
t.ones(2).copy_(t.tensor([1, 2]))
t.ones(2, dtype=t.int64).copy_(t.tensor([1.7, 2.2]))
t.ones(2).copy_(t.ones(3))
t.tensor([3., 4.]).sub(1).mul(2).neg()
t.tensor([1., 2.]).numpy().dtype
t.ones(2, requires_grad=True).numpy()
t.ones(2).tolist()
t.tensor(5).tolist()
t.ones(2, 3).T.shape
t.ones(2, 3, 4).mT.shape
t.ones(2).T.shape
t.tensor([1 + 2j]).real
t.tensor([1 + 2j]).imag
t.tensor([3 + 4j]).abs()
t.tensor([1 + 2j]).conj()
t.view_as_real(t.tensor([1 + 2j]))
t.polar(t.tensor([1.]), t.tensor([0.]))
t.complex(t.tensor([1.]), t.tensor([2.]))
t.is_tensor(1)
t.numel(t.ones(2, 3))
t.result_type(t.tensor([1]), 1.5)
t.promote_types(t.int32, t.float16)
t.can_cast(t.float32, t.int32)
t.broadcast_shapes((2, 1), (3,))
t.ones(2).dim()
t.ones(2).is_floating_point()
t.Size([1, 2]) + t.Size([3])
t.Size([1, 2])[0:1]
t.Size([2, 3]).numel()
tuple(t.ones(2, 3).shape)
t.ones(2, 3).shape == (2, 3)
t.ones(2, 3).shape[-1]
t.finfo(t.float32).eps
t.get_default_dtype()
t.tensor([1., 2.]).sum(axis=0)
t.tensor([1., 2.]).dot(t.tensor([1., 2.]))
t.outer(t.ones(2), t.ones(3))
t.tensor([1., 2., 3.]).diff()
t.trace(t.eye(3))
t.tensor([1., 2.]).cumprod(0)
t.tensor([2., 1.]).cummax(0)
t.tensor([1., 2., 3., 4.]).median()
t.tensor([1., 2., 3., 4.]).quantile(0.5)
t.tensor([1., float('nan'), 4.]).quantile(0.5)
t.tensor([1., float('nan'), 4.]).median()
t.tensor([[1., float('nan'), 4.], [3., 1., 2.]]).median(1)
t.tensor([[1., float('nan'), 4.], [3., 1., 2.]]).nanmedian(1)
t.tensor([[1., float('nan')], [3., 1.]]).quantile(0.5, dim=1, keepdim=True)
t.tensor([[1, 2, 3], [1, 0, 5]]).cov()
t.tensor([[1, 2, 3], [1, 0, 5]]).corrcoef()
t.tensor(5).nonzero(as_tuple=True)
t.atleast_2d(t.tensor(1.), t.ones(2))
t.inner(t.ones(2), t.tensor(3.))
t.einsum(t.ones(2, 3), [0, 1], t.ones(3, 2), [1, 2], [0, 2])
t.einsum(t.ones(4, 2, 3), [..., 0, 1], t.ones(4, 3, 2), [..., 1, 2], [..., 0, 2])
t.ones(3).masked_scatter(t.tensor([[True, False, True]]), t.arange(2.))
t.bincount(t.tensor([0, 1, 1]))
t.histc(t.tensor([1., 2., 1.]), bins=4, min=0, max=3)
t.bucketize(t.tensor([1., 5.]), t.tensor([0., 2., 4.]))
t.tril_indices(3, 3)
t.combinations(t.tensor([1, 2, 3]))
t.cdist(t.zeros(1, 2), t.ones(2, 2))
t.tensor([1, 2, 3]).float().std(0, keepdim=True)
t.tensor([1.0, 2.0]).lerp(t.tensor([3.0, 4.0]), 0.5)
t.tensor([5, 3]).bitwise_and(t.tensor([1, 1]))
t.tensor([1, 2]) << 1
t.tensor([[1, 2], [3, 4]]).any(1)
t.tensor([[1, 0], [3, 4]]).all()
t.logical_and(t.tensor([1, 0]), t.tensor([1., 1.]))
t.ones(2, 3).logical_not()
t.ones(2).requires_grad_().is_leaf
t.zeros(3).put_(t.tensor([0, 2]), t.ones(2))
t.zeros(2, 3).fill_diagonal_(5)
t.zeros(3).scatter_reduce(0, t.tensor([0, 0, 2]), t.tensor([1., 2., 3.]), 'sum')
t.zeros(3).scatter_reduce(0, t.tensor([0, 0, 2]), t.ones(3), 'amax', include_self=False)
t.ones(2, 2).sum_to_size(1, 2)
t.arange(4).hsplit(2)
t.arange(4.).reshape(2, 2).vsplit(2)
t.tensor([1., 2.]).ldexp(t.tensor([1, 2]))
t.ones(4, 4).as_strided((2, 2), (1, 2))
t.unravel_index(t.tensor(5), (2, 3))
t.tensor([1.0]).byte()
t.tensor([[1., 2.], [3., 4.]]).renorm(2, 0, 1.0)
t.tensor([1., 4., 9.]).gradient if False else 0
t.tensor([1.0, 2.0]).map_(t.tensor([3.0, 4.0]), lambda a, b: a + b)
t.ones(2, 3).is_same_size(t.ones(2, 3))
t.ones(3).cumsum_(0)
t.ones(3).index_fill_(0, t.tensor([1]), 5)
t.ones(3).masked_fill_(t.tensor([True, False, True]), 5)
t.ones(3).arctan2(t.ones(3))
t.zeros(2, 2).diagonal_scatter(t.ones(2))
t.zeros(2, 2).select_scatter(t.ones(2), 0, 1)
t.zeros(4).slice_scatter(t.ones(2), 0, 1, 3)
t.tensor([1.]).new_empty((2, 2)).shape
t.empty(2, 3).shape
t.empty_like(t.ones(2, dtype=t.int32)).dtype
t.tensor([1., 2.]).type(t.int64)
t.tensor([1., 2.]).type('torch.LongTensor')
t.tensor([1., 2.]).type_as(t.ones(1, dtype=t.float64)).dtype
t.tensor([3.7]).trunc().frac()
t.cosine_similarity(t.ones(2, 3), t.ones(2, 3))
t.tensor([1., 2.]).unsqueeze(0).repeat(1, 1, 2).shape
t.rot90(t.arange(4).reshape(2, 2))
t.tensordot(t.ones(2, 3), t.ones(3, 2), dims=1)
t.kron(t.eye(2), t.ones(1, 2))
t.cross(t.tensor([1., 0., 0.]), t.tensor([0., 1., 0.]), dim=0)
t.linalg.norm(t.tensor([3., 4.]))
t.var_mean(t.tensor([1., 2., 3.]))
t.addcmul(t.ones(2), t.ones(2), t.ones(2), value=2)
t.block_diag(t.ones(1, 2), t.ones(2, 1))
t.movedim(t.ones(2, 3, 4), 0, -1).shape
t.ones(2, 3, 4).swapaxes(0, 1).shape
t.ones(2, 6).unflatten(1, (2, 3)).shape
t.ones(5).unfold(0, 2, 1)
t.nonzero(t.tensor([[1, 0], [0, 1]]))
t.argwhere(t.tensor([1, 0]))
t.squeeze(t.ones(1, 2, 1)).shape
t.take(t.arange(4.), t.tensor([0, 3]))
t.rand(2, 3).shape
t.randn(2, dtype=t.float64).dtype
t.randint(0, 5, (3,)).dtype
t.randint(5, 2, (3,))
t.randperm(4).sort().values
t.multinomial(t.tensor([0., 1.]), 1)
t.hann_window(4)
t.ones(2).sign().signbit()
t.isin(t.tensor([1, 2]), t.tensor([2]))
t.tensor([1.0, 2.0], dtype=t.float16).sum()
t.autograd.grad(t.ones(2, requires_grad=True).sum(), t.ones(1))
t.ones(2).backward()
t.ones(2, requires_grad=True).backward()
t.tensor([1., 2.]).relu().gt(1)
t.tensor(0.1 + 0.2)
t.tensor([1.0]) is None
t.zeros(2, 3).matmul(t.zeros(4, 2))
""".strip().splitlines()


def run(library, program):
    try:
        with np.errstate(all="ignore"):
            return "value", eval(program, {"t": library, "np": np})
    except Exception as error:
        return "refused", error


def plain(value):
    """Return a value in a form that does not know its library."""
    if isinstance(value, (TensorBase, torch.Tensor)):
        a = value.detach()
        if isinstance(a, torch.Tensor):
            a = a.resolve_conj()
        return str(value.dtype), tuple(value.shape), a.numpy().tolist(), value.requires_grad
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if isinstance(value, (bool, int, float, complex, str)) else repr(value)


def close(a, b):
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(close(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return bool(np.isclose(a, b, rtol=1e-6, atol=1e-7, equal_nan=True))
    return a == b


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("program", PROGRAMS)
def test_program_ends_as_on_torch(program):
    kind, ours = run(gradcore, program)
    expected, theirs = run(torch, program)
    assert kind == expected, (ours, theirs)
    if kind == "refused":
        assert isinstance(ours, type(theirs)) or type(theirs) is RuntimeError, (ours, theirs)
    else:
        assert close(plain(ours), plain(theirs)), (ours, theirs)
