import copy

import torch
import torch.nn.functional as F
from torch import nn


class SAC(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 4))
        self.q1 = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
        self.q2 = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
        self.q1_target, self.q2_target = copy.deepcopy(self.q1), copy.deepcopy(self.q2)
        for p in (*self.q1_target.parameters(), *self.q2_target.parameters()):
            p.requires_grad = False
        self.log_alpha = nn.Parameter(torch.zeros(1))
        self.target_entropy = -2.0

    def sample(self, s):
        mu, log_std = self.actor(s).chunk(2, -1)
        log_std = log_std.clamp(-5, 2)
        eps = torch.randn_like(mu)
        a = torch.tanh(mu + log_std.exp() * eps)
        logp = (-0.5 * eps**2 - log_std - torch.log(1 - a**2 + 1e-6)).sum(-1, keepdim=True)
        return a, logp


def build():
    return SAC()


def optimizer(model):
    return [
        torch.optim.Adam(model.actor.parameters(), lr=1e-3),
        torch.optim.Adam([*model.q1.parameters(), *model.q2.parameters()], lr=1e-3),
        torch.optim.Adam([model.log_alpha], lr=1e-3),
    ]


def batch():
    return (
        torch.randn(16, 4),
        torch.rand(16, 2) * 2 - 1,
        torch.randn(16, 1),
        torch.randn(16, 4),
    ), None


def train_step(model, optimizer, x, y):
    pi, q, alpha = optimizer
    s, a, r, s2 = x
    with torch.no_grad():
        a2, logp2 = model.sample(s2)
        sa2 = torch.cat([s2, a2], -1)
        goal = r + 0.99 * (
            torch.min(model.q1_target(sa2), model.q2_target(sa2)) - model.log_alpha.exp() * logp2
        )
    sa = torch.cat([s, a], -1)
    q_loss = F.mse_loss(model.q1(sa), goal) + F.mse_loss(model.q2(sa), goal)
    q.zero_grad()
    q_loss.backward()
    q.step()
    for p in (*model.q1.parameters(), *model.q2.parameters()):
        p.requires_grad = False
    new, logp = model.sample(s)
    sn = torch.cat([s, new], -1)
    pi_loss = (model.log_alpha.exp().detach() * logp - torch.min(model.q1(sn), model.q2(sn))).mean()
    pi.zero_grad()
    pi_loss.backward()
    pi.step()
    for p in (*model.q1.parameters(), *model.q2.parameters()):
        p.requires_grad = True
    alpha_loss = -(model.log_alpha * (logp + model.target_entropy).detach()).mean()
    alpha.zero_grad()
    alpha_loss.backward()
    alpha.step()
    with torch.no_grad():
        for net, target in ((model.q1, model.q1_target), (model.q2, model.q2_target)):
            for p, t in zip(net.parameters(), target.parameters(), strict=False):
                t.data.mul_(0.995)
                t.data.add_(0.005 * p.data)
    return q_loss
