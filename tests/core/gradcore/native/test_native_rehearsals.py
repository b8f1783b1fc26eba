"""A native step is rehearsed on what the step was recorded with, and judged fairly."""

from typing import Any

import numpy as np
import pytest

import gradcore
from gradcore import nn
from gradcore.native.comparing import close, is_near

pytest.importorskip("numba")

CUTS = {
    "all but the last": lambda x: x[:, :-1],
    "every second": lambda x: x[:, ::2],
    "turned": lambda x: x.t(),
    "one of many": lambda x: x.view(6, 2, 6)[:, 1],
    "spread": lambda x: x[:, :1].expand(6, 7),
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("is_index", [False, True])
def test_an_argument_with_gaps_trains_natively(cut, is_index, monkeypatch) -> None:
    monkeypatch.setenv("GRADCORE_NATIVE", "1")
    runs: list[list[Any]] = []
    for mode in ("eager", "native"):
        gradcore.manual_seed(0)
        embedding, head = nn.Embedding(9, 4), nn.Linear(4, 1)
        optimizer = gradcore.optim.SGD([*embedding.parameters(), *head.parameters()], lr=0.1)
        data = gradcore.randint(0, 9, (6, 12)) if is_index else gradcore.randn(6, 12)

        def step(x, embedding=embedding, head=head, optimizer=optimizer) -> Any:
            optimizer.zero_grad()
            h = embedding(x) if is_index else x.unsqueeze(-1) * embedding.weight[0]
            loss = (head(h) - 1).pow(2).mean()
            loss.backward()
            optimizer.step()
            return loss

        compiled = gradcore.compile(step, mode=mode)
        runs.append([compiled(CUTS[cut](data)).item() for _ in range(8)])
        assert compiled.mode == mode, compiled.report
    np.testing.assert_allclose(runs[1], runs[0], rtol=1e-5)


def test_what_is_limited_before_its_optimizer_moves_it_trains_natively(monkeypatch) -> None:
    monkeypatch.setenv("GRADCORE_NATIVE", "1")
    runs: list[list[float]] = []
    for mode in ("eager", "native"):
        gradcore.manual_seed(0)
        image = gradcore.rand(4, 5, requires_grad=True)
        optimizer = gradcore.optim.Adam([image], lr=0.3)
        seen: dict[str, Any] = {}

        def step(image=image, optimizer=optimizer, seen=seen) -> Any:
            with gradcore.no_grad():
                image.clamp_(0, 1)
            optimizer.zero_grad()
            seen["loss"] = loss = (image.sin() - 0.2).pow(2).sum()
            loss.backward()
            optimizer.step()
            return loss.item()

        compiled = gradcore.compile(step, mode=mode)
        runs.append([compiled() for _ in range(10)] + image.flatten().tolist())
        assert compiled.mode == mode, compiled.report
    np.testing.assert_allclose(runs[1], runs[0], rtol=1e-4, atol=1e-5)


def test_a_gradient_in_which_few_values_fell_to_the_other_side_of_a_kink_is_near() -> None:
    right = np.random.default_rng(0).standard_normal((200, 50)).astype(np.float32)
    flipped = right.copy()
    flipped[:20] += 0.01
    assert not close(flipped, right)
    assert is_near(flipped, right)


def test_a_gradient_of_another_scale_or_with_other_infinities_is_not_near() -> None:
    right = np.random.default_rng(0).standard_normal((200, 50)).astype(np.float32)
    assert not is_near(right * np.float32(1.1), right)
    broken = right.copy()
    broken[3, 4] = np.nan
    assert not is_near(broken, right)
    assert not is_near(broken, broken)
