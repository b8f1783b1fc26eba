"""Indices and slices whose numbers are other ones in each step are looked up anew by a replay."""

import random
from collections.abc import Callable
from typing import Any

import pytest

import gradcore as torch
from gradcore import nn
from gradcore.nn import functional as F

STEPS = 40


class Training:
    """A model, data that batches are taken of, and a counter."""

    def __init__(self) -> None:
        torch.manual_seed(7)
        random.seed(8)
        self.model = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 3))
        self.embedding = nn.Embedding(11, 6)
        self.optimizer = torch.optim.AdamW(
            [*self.model.parameters(), *self.embedding.parameters()], lr=0.01
        )
        self.text = torch.randint(0, 11, (300,))
        self.data, self.labels = torch.randn(60, 6), torch.randint(0, 3, (60,))
        self.count = 0

    def finish(self, loss: Any) -> Any:
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def windows_at_random(self) -> Any:
        starts = torch.randint(len(self.text) - 16, (4,))
        x = torch.stack([self.text[i : i + 16] for i in starts])
        y = torch.stack([self.text[i + 1 : i + 1 + 16] for i in starts]) % 3
        scores = self.model(self.embedding(x))
        return self.finish(F.cross_entropy(scores.view(-1, 3), y.view(-1)))

    def rows_at_random(self) -> Any:
        rows = torch.randint(0, 60, (8,))
        x = torch.stack([self.data[i] for i in rows])
        y = torch.stack([self.labels[i.item()] for i in rows])
        return self.finish(F.cross_entropy(self.model(x), y))

    def batches_in_turn(self) -> Any:
        # The last batch of a round is shorter.
        i = self.count * 8 % 64
        self.count += 1
        return self.finish(
            F.cross_entropy(self.model(self.data[i : i + 8]), self.labels[i : i + 8])
        )

    def parts_of_results(self) -> Any:
        scores = self.model(self.data)
        best = self.data.sum(1).argmax()
        row = random.randint(0, 59)
        column = self.labels[torch.randint(0, 60, (1,)).item()]
        self.data = self.data.roll(1, 0)
        loss = F.cross_entropy(scores, self.labels) + scores[best].sum() * 0.1
        return self.finish(loss + scores[row, column] * 0.1 + scores[:, column].mean())


KINDS: dict[str, Callable[[Training], Any]] = {
    name: lambda one, name=name: getattr(one, name)  # type: ignore[misc]  # one of its methods
    for name in ("windows_at_random", "rows_at_random", "batches_in_turn", "parts_of_results")
}


def run(name: str, mode: str) -> tuple[Any, list[Any]]:
    training = Training()
    call = torch.compile(KINDS[name](training), mode=mode)
    found = [repr(call()) for _ in range(STEPS)]
    parameters = [*training.model.parameters(), *training.embedding.parameters()]
    return call, [*found, *(p.detach().numpy().tobytes() for p in parameters)]


@pytest.mark.parametrize("name", KINDS)
def test_moving_indices_are_followed_to_the_bit(name: str) -> None:
    _, expected = run(name, "eager")
    call, found = run(name, "replay")
    assert found == expected
    assert call.replayed >= 20, call.report
