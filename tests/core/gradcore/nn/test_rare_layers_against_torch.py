"""Sampling of images, windows put back, CTC and other rare layers do what PyTorch's do."""

import numpy as np
import pytest

import gradcore

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no parity to check")


def both(run):
    """Return what ``run(library, tensor)`` returns on each library."""
    found = []
    for library in (gradcore, torch):
        library.manual_seed(2)

        def tensor(*shape, seed=0, library=library, low=None):
            values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
            return library.tensor(values if low is None else np.abs(values) + np.float32(low))

        found.append(run(library, tensor))
    return found


def flat(result):
    if isinstance(result, (tuple, list)):
        return [part for item in result for part in flat(item)]
    return [result]


def agree(run, tolerance=1e-4) -> None:
    ours, theirs = both(run)
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        assert tuple(a.shape) == tuple(b.shape)
        np.testing.assert_allclose(
            a.detach().numpy(), b.detach().numpy(), rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample_reads_images_as_torch(mode, padding, align):
    def run(library, tensor):
        image = tensor(2, 3, 4, 5).requires_grad_()
        grid = (tensor(2, 6, 7, 2, seed=1) * 0.8).requires_grad_()
        out = library.nn.functional.grid_sample(image, grid, mode, padding, align)
        (out * tensor(2, 3, 6, 7, seed=2)).sum().backward()
        # Between whole places there is no slope.
        return (out, image.grad) if mode == "nearest" else (out, image.grad, grid.grad)

    agree(run)


def test_grid_sample_reads_volumes_as_torch():
    def run(library, tensor):
        volume, grid = tensor(1, 2, 3, 4, 5), tensor(1, 2, 3, 4, 3, seed=1)
        return library.nn.functional.grid_sample(volume, grid, align_corners=False)

    agree(run)


@pytest.mark.parametrize("align", [False, True])
def test_affine_grid_is_that_of_torch(align):
    def run(library, tensor):
        theta = tensor(2, 2, 3).requires_grad_()
        grid = library.nn.functional.affine_grid(theta, (2, 1, 3, 4), align)
        grid.pow(2).sum().backward()
        return grid, theta.grad

    agree(run)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_ctc_loss_and_its_gradient_are_those_of_torch(reduction):
    def run(library, tensor):
        scores = tensor(12, 3, 5).requires_grad_()
        targets = library.tensor([[1, 2, 2, 4], [3, 1, 4, 0], [2, 1, 0, 0]])
        loss = library.nn.functional.ctc_loss(
            scores.log_softmax(2), targets, (12, 10, 8), (4, 3, 2), reduction=reduction
        )
        loss.sum().backward()
        return loss, scores.grad

    agree(run)


def test_impossible_alignment_is_infinite_or_zero():
    def run(library, tensor):
        scores = tensor(2, 1, 3).log_softmax(2)
        targets = library.tensor([1, 1, 2])
        lossy = library.nn.CTCLoss(reduction="sum")(scores, targets, (2,), (3,))
        return lossy, library.nn.CTCLoss(zero_infinity=True)(scores, targets, (2,), (3,))

    agree(run)


def test_fold_undoes_unfold_up_to_overlap():
    def run(library, tensor):
        x = tensor(2, 3, 5, 6).requires_grad_()
        columns = library.nn.Unfold(3, padding=1, stride=2)(x)
        back = library.nn.Fold((5, 6), 3, padding=1, stride=2)(columns)
        back.pow(2).sum().backward()
        return columns, back, x.grad

    agree(run)


def test_unpooling_puts_values_back_in_one_and_three_dimensions():
    def run(library, tensor):
        F = library.nn.functional
        line, volume = tensor(2, 3, 6), tensor(1, 2, 4, 4, 4)
        a, i = F.max_pool1d(line, 2, return_indices=True)
        b, j = F.max_pool3d(volume, 2, return_indices=True)
        return library.nn.MaxUnpool1d(2)(a, i), library.nn.MaxUnpool3d(2)(b, j)

    agree(run)


def test_adaptive_softmax_is_that_of_torch():
    def run(library, tensor):
        layer = library.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7], div_value=2.0)
        made = layer(tensor(5, 8), library.tensor([0, 4, 8, 11, 2]))
        made.loss.backward()
        grads = [p.grad for p in layer.parameters()]
        return made.output, made.loss, layer.log_prob(tensor(5, 8)), grads

    agree(run)


def test_feature_alpha_dropout_draws_the_channels_of_torch():
    agree(lambda library, tensor: library.nn.FeatureAlphaDropout(0.4)(tensor(2, 8, 3)))


def test_triplet_loss_takes_any_distance():
    def run(library, tensor):
        loss = library.nn.TripletMarginWithDistanceLoss(
            distance_function=lambda a, b: (a - b).abs().sum(1), swap=True
        )
        return loss(tensor(3, 4), tensor(3, 4, seed=1), tensor(3, 4, seed=2))

    agree(run)


def test_data_parallel_calls_the_model():
    def run(library, tensor):
        model = library.nn.DataParallel(library.nn.Linear(3, 2))
        assert list(model.state_dict()) == ["module.weight", "module.bias"]
        return model(tensor(2, 3))

    agree(run)
