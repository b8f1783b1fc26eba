"""Random programs of views, in-place writes and arithmetic end as on PyTorch."""

import numpy as np
import pytest

import gradcore

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

VIEWS = (
    lambda t, k: t[k % t.shape[0]] if t.dim() > 1 else t[k % t.shape[0] :],
    lambda t, k: t[:, k % t.shape[1] :] if t.dim() > 1 else t[None],
    lambda t, k: t.t() if t.dim() == 2 else t,
    lambda t, k: t.reshape(-1),
    lambda t, k: t.unsqueeze(0)[0],
    lambda t, k: t.transpose(0, -1),
    lambda t, k: t.narrow(0, 0, max(1, t.shape[0] - 1)),
    lambda t, k: t.expand_as(t),
    lambda t, k: t.diagonal() if t.dim() == 2 else t,
    lambda t, k: t.flatten()[::2],
    lambda t, k: t.squeeze(),
)
WRITES = (
    lambda t, o: t.mul_(2.0),
    lambda t, o: t.add_(o.sum()),
    lambda t, o: t.add_(1.0),
    lambda t, o: t.zero_(),
    lambda t, o: t.copy_(o.sum() * 2),
    lambda t, o: t.fill_(3.0),
    lambda t, o: t.sub_(t.detach() * 0.5),
    lambda t, o: t.tanh_(),
    lambda t, o: t.__setitem__(0, o.mean()),
    lambda t, o: t.masked_fill_(t.detach() > 0, 0.25),
    lambda t, o: t.div_(4.0),
    lambda t, o: t.neg_(),
)


def run(library, seed):
    generator = np.random.default_rng(seed)
    x = library.from_numpy(generator.standard_normal((3, 4))).requires_grad_()
    w = library.from_numpy(generator.standard_normal(3)).requires_grad_()
    pool = [x * 1.0, library.from_numpy(generator.standard_normal((3, 4)))]
    loss = 0.0
    for _ in range(generator.integers(3, 9)):
        t = pool[generator.integers(len(pool))]
        if t.dim() == 0:
            continue
        kind = generator.integers(4)
        which = int(generator.integers(100))
        if kind <= 1:
            pool.append(VIEWS[which % len(VIEWS)](t, which))
        elif kind == 2:
            WRITES[which % len(WRITES)](t, w)
        else:
            loss = loss + (t * t).sum() * 0.5
    for t in pool:
        loss = loss + t.sum()
    outcome = [loss.item()]
    if loss.requires_grad:
        loss.backward()
    return outcome + [None if leaf.grad is None else leaf.grad.numpy() for leaf in (x, w)]


def outcome(library, seed):
    try:
        return run(library, seed), None
    except RuntimeError as error:
        return None, error


@pytest.mark.parametrize("block", range(10))
def test_programs_end_as_on_torch(block):
    for seed in range(block * 40, block * 40 + 40):
        (ours, our_error), (theirs, their_error) = outcome(gradcore, seed), outcome(torch, seed)
        assert (our_error is None) == (their_error is None), (seed, our_error, their_error)
        if theirs is None:
            continue
        for a, b in zip(ours, theirs, strict=True):
            assert (a is None) == (b is None), (seed, ours, theirs)
            if a is not None:
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=str(seed))
