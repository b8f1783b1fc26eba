"""Parts written by hand: a Function, an optimizer, hooks, frozen layers, second derivatives."""

import torch
from torch import nn
from torch.autograd import Function, grad
from torch.optim.optimizer import Optimizer


class SignSTE(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sign()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x.abs() <= 1).to(g.dtype)


class PlainSGD(Optimizer):
    def __init__(self, params, lr=1e-2):
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.add_(p.grad, alpha=-group["lr"])


class LowRank(nn.Module):
    def __init__(self, base, rank):
        super().__init__()
        self.base = base
        for p in self.base.parameters():
            p.requires_grad = False
        self.a = nn.Parameter(torch.randn(rank, base.in_features) * 0.1)
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x):
        return self.base(x) + x @ self.a.t() @ self.b.t()


torch.manual_seed(5)
model = nn.Sequential(LowRank(nn.Linear(4, 4), 2), nn.Tanh(), nn.Linear(4, 1))
activations = {}
model[1].register_forward_hook(lambda m, i, o: activations.update(tanh=o.detach()))
optimizer = PlainSGD(filter(lambda p: p.requires_grad, model.parameters()), lr=0.1)
x, y = torch.randn(16, 4), torch.randn(16, 1)
for step in range(5):
    optimizer.zero_grad()
    loss = ((model(SignSTE.apply(x)) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.4f}", f"{activations['tanh'].abs().mean().item():.4f}")
print([n for n, p in model.named_parameters() if p.requires_grad])
x.requires_grad_(True)
out = model(x).sum()
(gx,) = grad(out, x, create_graph=True)
penalty = ((gx.norm(2, dim=1) - 1) ** 2).mean()
penalty.backward()
print(f"{penalty.item():.4f} {x.grad.norm().item():.4f}")
print(loss)
