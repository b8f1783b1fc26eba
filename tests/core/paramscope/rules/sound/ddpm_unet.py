import math

import torch
import torch.nn.functional as F
from torch import nn


def timestep_embedding(t, dim, max_period=10000):
    half = dim // 2
    freqs = torch.exp(-math.log(max_period) * torch.arange(half, dtype=torch.float32) / half)
    args = t[:, None].float() * freqs[None]
    return torch.cat([torch.cos(args), torch.sin(args)], dim=-1)


class ResBlock(nn.Module):
    def __init__(self, i, o, emb):
        super().__init__()
        self.in_layers = nn.Sequential(nn.GroupNorm(4, i), nn.SiLU(), nn.Conv2d(i, o, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(emb, 2 * o))
        self.norm = nn.GroupNorm(4, o)
        self.out = nn.Conv2d(o, o, 3, padding=1)
        self.skip = nn.Identity() if i == o else nn.Conv2d(i, o, 1)

    def forward(self, x, emb):
        h = self.in_layers(x)
        scale, shift = self.emb_layers(emb)[:, :, None, None].chunk(2, dim=1)
        h = self.norm(h) * (1 + scale) + shift
        return self.skip(x) + self.out(F.silu(h))


class UNet(nn.Module):
    def __init__(self, ch=8):
        super().__init__()
        self.ch = ch
        self.time_embed = nn.Sequential(nn.Linear(ch, 4 * ch), nn.SiLU(), nn.Linear(4 * ch, 4 * ch))
        self.stem = nn.Conv2d(1, ch, 3, padding=1)
        self.downs = nn.ModuleList([ResBlock(ch, ch, 4 * ch), ResBlock(ch, 2 * ch, 4 * ch)])
        self.mid = ResBlock(2 * ch, 2 * ch, 4 * ch)
        self.ups = nn.ModuleList([ResBlock(4 * ch, ch, 4 * ch), ResBlock(2 * ch, ch, 4 * ch)])
        self.final = nn.Conv2d(ch, 1, 1)
        for p in self.final.parameters():
            p.detach().zero_()

    def forward(self, x, t):
        emb = self.time_embed(timestep_embedding(t, self.ch))
        h = self.stem(x)
        skips = []
        for _i, d in enumerate(self.downs):
            h = d(h, emb)
            skips.append(h)
            h = F.avg_pool2d(h, 2)
        h = self.mid(h, emb)
        for u in self.ups:
            h = F.interpolate(h, scale_factor=2, mode="nearest")
            h = u(torch.cat([h, skips.pop()], 1), emb)
        return self.final(h)


class Diffusion(nn.Module):
    def __init__(self, steps=20):
        super().__init__()
        self.model = UNet()
        betas = torch.linspace(1e-4, 0.02, steps)
        alphas_bar = torch.cumprod(1 - betas, 0)
        self.register_buffer("sqrt_ab", alphas_bar.sqrt())
        self.register_buffer("sqrt_1mab", (1 - alphas_bar).sqrt())

    def forward(self, x0):
        t = torch.randint(0, len(self.sqrt_ab), (x0.shape[0],))
        noise = torch.randn_like(x0)
        xt = self.sqrt_ab[t].view(-1, 1, 1, 1) * x0 + self.sqrt_1mab[t].view(-1, 1, 1, 1) * noise
        return F.mse_loss(self.model(xt, t), noise)


def build():
    return Diffusion()


def optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=3e-3)


def batch():
    return torch.randn(4, 1, 8, 8), None


def loss(model, x, y):
    return model(x)
