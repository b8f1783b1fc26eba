"""Optimizers and schedules make the steps that PyTorch's make."""

import warnings

import numpy as np
import pytest

import gradcore

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no parity to check")

OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.01, "maximize": True}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-3, "maximize": True}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.2, "amsgrad": True}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    ("Adadelta", {"lr": 1.0, "weight_decay": 0.1}),
    ("Adamax", {"lr": 0.01}),
    ("NAdam", {"lr": 0.01}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.01, "betas": (0.5, 0.6)}),
    ("Rprop", {"lr": 0.01}),
    ("ASGD", {"lr": 0.05, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.05, "t0": 2}),
    ("Adafactor", {"lr": 0.05, "weight_decay": 0.1}),
    ("LBFGS", {"lr": 0.5, "max_iter": 5}),
    ("LBFGS", {"line_search_fn": "strong_wolfe", "max_iter": 6, "history_size": 3}),
]
SCHEDULES = [
    ("LambdaLR", {"lr_lambda": lambda step: 0.9**step}),
    ("MultiplicativeLR", {"lr_lambda": lambda step: 0.9}),
    ("StepLR", {"step_size": 3}),
    ("MultiStepLR", {"milestones": [2, 5, 5], "gamma": 0.3}),
    ("ExponentialLR", {"gamma": 0.8}),
    ("ConstantLR", {}),
    ("LinearLR", {"start_factor": 0.2, "total_iters": 6}),
    ("PolynomialLR", {"total_iters": 7, "power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 4, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 12}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 12, "three_phase": True}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.4, "step_size_up": 3, "mode": "triangular2"}),
]


def problem(library, double=False):
    """Return a small model with known weights, and a function that gives its loss."""
    kind = np.float64 if double else np.float32
    source = np.random.default_rng(0)
    model = library.nn.Sequential(
        library.nn.Linear(3, 4), library.nn.Tanh(), library.nn.Linear(4, 1)
    )
    if double:
        model.double()
    with library.no_grad():
        for parameter in model.parameters():
            values = source.standard_normal(tuple(parameter.shape)).astype(kind)
            parameter.copy_(library.tensor(values))
    x = library.tensor(source.standard_normal((6, 3)).astype(kind))
    y = library.tensor(source.standard_normal((6, 1)).astype(kind))
    return model, lambda: library.nn.functional.mse_loss(model(x), y)


def trained(library, name, settings, steps=20):
    model, loss_of = problem(library, double=name == "LBFGS")
    optimizer = getattr(library.optim, name)(model.parameters(), **settings)

    def closure():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(steps)]
    return losses, [p.detach().numpy() for p in model.parameters()], optimizer


@pytest.mark.parametrize(("name", "settings"), OPTIMIZERS)
def test_twenty_steps_end_where_those_of_torch_end(name, settings):
    losses, values, _ = trained(gradcore, name, settings)
    their_losses, their_values, _ = trained(torch, name, settings)
    np.testing.assert_allclose(losses, their_losses, rtol=2e-4, atol=1e-6)
    for own, theirs in zip(values, their_values, strict=True):
        np.testing.assert_allclose(own, theirs, rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize(("name", "settings"), OPTIMIZERS[:-2])
def test_state_has_the_keys_and_shapes_of_torch(name, settings):
    own = trained(gradcore, name, settings, 2)[2].state_dict()
    theirs = trained(torch, name, settings, 2)[2].state_dict()
    assert own["param_groups"] == theirs["param_groups"]
    for number, state in theirs["state"].items():
        mine = own["state"][number]
        described = {k: tuple(getattr(v, "shape", ())) for k, v in mine.items() if v is not None}
        expected = {k: tuple(getattr(v, "shape", ())) for k, v in state.items() if v is not None}
        assert described == expected


@pytest.mark.parametrize(("name", "settings"), OPTIMIZERS[:-2])
def test_prints_as_torch(name, settings):
    own, theirs = (trained(library, name, settings, 0)[2] for library in (gradcore, torch))
    assert repr(own) == repr(theirs)


def rates(library, name, settings, steps=12):
    model, _ = problem(library)
    weight, *rest = model.parameters()
    groups = [{"params": [weight]}, {"params": rest, "lr": 0.3}]
    optimizer = library.optim.SGD(groups, lr=0.2, momentum=0.9)
    schedule = getattr(library.optim.lr_scheduler, name)(optimizer, **settings)
    found = []
    for _ in range(steps):
        found.append([(group["lr"], group["momentum"]) for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return found, schedule.get_last_lr()


@pytest.mark.parametrize(("name", "settings"), SCHEDULES)
def test_rates_follow_those_of_torch(name, settings):
    found, last = rates(gradcore, name, settings)
    their_found, their_last = rates(torch, name, settings)
    np.testing.assert_allclose(found, their_found, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(last, their_last, rtol=1e-9, atol=1e-12)


def sequence_of_rates(library):
    model, _ = problem(library)
    optimizer = library.optim.SGD(model.parameters(), lr=0.2)
    schedules = library.optim.lr_scheduler
    schedule = schedules.SequentialLR(
        optimizer,
        [
            schedules.LinearLR(optimizer, 0.1, total_iters=3),
            schedules.ExponentialLR(optimizer, 0.9),
        ],
        milestones=[4],
    )
    found = []
    for _ in range(10):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        with warnings.catch_warnings():
            # PyTorch warns here of an argument that it passes on to itself.
            warnings.simplefilter("ignore")
            schedule.step()
    return found


def test_schedules_in_sequence_follow_those_of_torch():
    np.testing.assert_allclose(sequence_of_rates(gradcore), sequence_of_rates(torch), rtol=1e-9)


def plateau_rates(library):
    model, _ = problem(library)
    optimizer = library.optim.SGD(model.parameters(), lr=0.2)
    schedule = library.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, patience=1, cooldown=1, factor=0.5, min_lr=0.02
    )
    found = []
    for loss in [1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8]:
        schedule.step(loss)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def test_plateau_reduces_when_torch_does():
    assert plateau_rates(gradcore) == plateau_rates(torch)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_averaged_models_and_their_schedule_go_as_on_torch(strategy):
    found = []
    for library in (gradcore, torch):
        swa = library.optim.swa_utils
        library.manual_seed(0)
        model = library.nn.Sequential(library.nn.Linear(2, 3), library.nn.BatchNorm1d(3))
        mean = swa.AveragedModel(model)
        moving = swa.AveragedModel(model, multi_avg_fn=swa.get_ema_multi_avg_fn(0.9))
        optimizer = library.optim.SGD(model.parameters(), lr=0.1)
        schedule = swa.SWALR(optimizer, 0.02, anneal_epochs=3, anneal_strategy=strategy)
        rates = []
        for _ in range(5):
            optimizer.zero_grad()
            (model(library.randn(16, 2)) - 1).pow(2).mean().backward()
            optimizer.step()
            schedule.step()
            mean.update_parameters(model)
            moving.update_parameters(model)
            rates.append(optimizer.param_groups[0]["lr"])
        swa.update_bn([library.randn(6, 2), library.randn(6, 2)], mean)
        values = [value.numpy() for item in (mean, moving) for value in item.state_dict().values()]
        found.append((rates, values))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-6)
    for ours, theirs in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
