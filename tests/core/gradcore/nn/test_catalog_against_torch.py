"""Every Module of the table does what PyTorch's does: made from the samples in the table."""

import copy
import warnings

import numpy as np
import pytest

import gradcore
from gradcore import nn
from gradcore.nn.catalog import ModuleEntry, Sample, all_modules
from layer_samples import values_of

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no parity to check")

CASES = [
    pytest.param(entry, sample, id=f"{name}-{number}")
    for name, entry in sorted(all_modules().items())
    for number, sample in enumerate(entry.samples)
]
RANDOM = {"Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"}
WORSE = {"MultiheadAttention": 1e-4}


def made(library, entry: ModuleEntry, sample: Sample):
    library.manual_seed(7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(library.nn, entry.name)(*sample.args, **sample.kwargs)


def inputs_of(library, sample: Sample):
    tensors = []
    for number, spec in enumerate(sample.inputs):
        tensor = library.tensor(values_of(spec, number))
        if tensor.is_floating_point() and spec.kind != "signs":
            tensor.requires_grad_()
        tensors.append(tensor)
    return tensors


def flat(result) -> list:
    if isinstance(result, (tuple, list)):
        return [part for item in result for part in flat(item)]
    return [] if result is None else [result]


def run(library, entry: ModuleEntry, sample: Sample, training: bool):
    """Return the outputs, the inputs' gradients and the module after one pass both ways."""
    module = made(library, entry, sample).train(training)
    inputs = inputs_of(library, sample)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = flat(module(*inputs))
    total = sum(
        (output * (1.0 + 0.5 * number)).cos().sum()
        for number, output in enumerate(outputs)
        if output.is_floating_point()
    )
    if total.requires_grad:
        total.backward()
    return outputs, inputs, module


def close(ours, theirs, entry, what: str) -> None:
    tolerance = WORSE.get(entry.name, 2e-5)
    expected = theirs.detach().numpy()
    assert tuple(ours.shape) == tuple(theirs.shape), what
    assert str(ours.dtype) == str(theirs.dtype), what
    np.testing.assert_allclose(
        ours.detach().numpy(), expected, rtol=tolerance * 5, atol=tolerance, err_msg=what
    )


@pytest.mark.parametrize(("entry", "sample"), CASES)
def test_prints_as_torch(entry: ModuleEntry, sample: Sample) -> None:
    assert repr(made(gradcore, entry, sample)) == repr(made(torch, entry, sample))


@pytest.mark.parametrize(("entry", "sample"), CASES)
def test_same_seed_gives_the_same_weights_under_the_same_keys(entry, sample) -> None:
    ours, theirs = (made(library, entry, sample).state_dict() for library in (gradcore, torch))
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        close(ours[key], value, entry, key)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("entry", "sample"), CASES)
def test_outputs_gradients_and_buffers_are_those_of_torch(entry, sample, training) -> None:
    if training and entry.name in RANDOM:
        pytest.skip("what it drops is drawn by another generator in PyTorch")
    outputs, inputs, module = run(gradcore, entry, sample, training)
    their_outputs, their_inputs, their_module = run(torch, entry, sample, training)
    assert len(outputs) == len(their_outputs)
    for ours, theirs in zip(outputs, their_outputs, strict=True):
        close(ours, theirs, entry, "output")
        assert ours.requires_grad == theirs.requires_grad
    for ours, theirs in zip(inputs, their_inputs, strict=True):
        assert (ours.grad is None) == (theirs.grad is None)
        if theirs.grad is not None:
            close(ours.grad, theirs.grad, entry, "gradient of an input")
    their_parameters = dict(their_module.named_parameters())
    for name, parameter in module.named_parameters():
        theirs = their_parameters[name]
        assert (parameter.grad is None) == (theirs.grad is None), name
        if theirs.grad is not None:
            close(parameter.grad, theirs.grad, entry, f"gradient of {name}")
    their_buffers = dict(their_module.named_buffers())
    for name, buffer in module.named_buffers():
        close(buffer, their_buffers[name], entry, name)


@pytest.mark.parametrize(("entry", "sample"), CASES)
def test_contract_foretells_the_output_shape(entry: ModuleEntry, sample: Sample) -> None:
    if entry.shape is None:
        pytest.skip("the class has no shape contract")
    module = made(gradcore, entry, sample)
    inputs = inputs_of(gradcore, sample)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = [tuple(output.shape) for output in flat(module(*inputs))]
    names = [argument.name for argument in entry.arguments]
    arguments = dict(zip(names, sample.args, strict=False)) | sample.kwargs
    foretold = entry.infer(arguments, *(tuple(item.shape) for item in inputs))
    foretold = [foretold] if not foretold or not isinstance(foretold[0], tuple) else foretold
    assert list(foretold) == outputs


@pytest.mark.parametrize(("entry", "sample"), CASES)
def test_copies_deeply(entry: ModuleEntry, sample: Sample) -> None:
    module = made(gradcore, entry, sample).eval()
    copied = copy.deepcopy(module)
    for (name, own), (other_name, other) in zip(
        module.state_dict().items(), copied.state_dict().items(), strict=True
    ):
        assert name == other_name
        assert own.data_ptr() != other.data_ptr() or own.numel() == 0
        assert gradcore.equal(own, other)
    assert type(copied) is type(module)
    assert all(isinstance(parameter, nn.Parameter) for parameter in copied.parameters())
