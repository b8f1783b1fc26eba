"""Random values follow the order in which a tensor lies in memory, as on PyTorch."""

import numpy as np
import pytest

import gradcore

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)

LAYOUTS = {
    "transposed": lambda t: t.ones(6, 5).t(),
    "time first": lambda t: t.ones(7, 3, 8).transpose(0, 1),
    "channels last": lambda t: t.ones(2, 6, 6, 3).permute(0, 3, 1, 2),
    "few": lambda t: t.ones(3, 2).t(),
    "every second": lambda t: t.ones(6, 9)[:, ::2],
    "a part of a transposed one": lambda t: t.ones(6, 9).t()[1:8, 1:5],
    "with an axis of one": lambda t: t.ones(4, 1, 5, 3).permute(2, 1, 3, 0),
    "row by row": lambda t: t.ones(4, 5),
}
DRAWS = {
    "dropout": lambda t, x: t.nn.functional.dropout(x, 0.3),
    "alpha_dropout": lambda t, x: t.nn.functional.alpha_dropout(x, 0.3, training=True),
    "rand_like": lambda t, x: t.rand_like(x),
    "randn_like": lambda t, x: t.randn_like(x),
    "randint_like": lambda t, x: t.randint_like(x, 0, 9),
    "uniform_": lambda t, x: x.uniform_(),
    "normal_": lambda t, x: x.normal_(),
    "bernoulli_": lambda t, x: x.bernoulli_(0.4),
    "random_": lambda t, x: x.random_(0, 7),
    "exponential_": lambda t, x: x.exponential_(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", DRAWS)
def test_draws_lie_as_on_torch(name, layout):
    found = []
    for library in (torch, gradcore):
        library.manual_seed(3)
        drawn = DRAWS[name](library, LAYOUTS[layout](library))
        sides = zip(drawn.stride(), drawn.shape, strict=True)
        steps = [stride for stride, length in sides if length > 1]
        found.append((drawn.numpy(), steps, library.rand(1).item()))
    (expected, steps, after), (ours, our_steps, our_after) = found
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-6)
    assert our_steps == steps
    assert our_after == after


@pytest.mark.parametrize("mode", ["replay", "native"])
def test_dropout_after_an_lstm_draws_the_same_in_each_mode(mode, monkeypatch):
    monkeypatch.setenv("GRADCORE_NATIVE", "1")
    runs = []
    for how in ("eager", mode):
        gradcore.manual_seed(0)
        lstm = gradcore.nn.LSTM(4, 5, batch_first=True)
        head = gradcore.nn.Linear(5, 1)
        optimizer = gradcore.optim.SGD([*lstm.parameters(), *head.parameters()], lr=0.1)
        x = gradcore.randn(6, 7, 4)

        def step(lstm=lstm, head=head, optimizer=optimizer, x=x):
            optimizer.zero_grad()
            y = gradcore.nn.functional.dropout(lstm(x)[0], 0.3)
            loss = (head(y + 0.1 * gradcore.randn_like(y)) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss.item()

        compiled = gradcore.compile(step, mode=how)
        runs.append([compiled() for _ in range(8)] + [gradcore.rand(1).item()])
        assert compiled.mode == how
    np.testing.assert_allclose(runs[1], runs[0], rtol=1e-5)
