"""What gradcore says when something is wrong: what, where, and what to do."""

import pickle

import numpy as np
import pytest

import gradcore as torch
from gradcore import errors


def refused(call):
    with pytest.raises(errors.GradcoreError) as caught:
        call()
    return caught.value


def test_shapes_that_do_not_broadcast_are_named():
    error = refused(lambda: torch.ones(2, 3) + torch.ones(2, 4))
    assert error.what == (
        "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1"
    )
    assert error.where == "In `add` of shapes (2, 3) and (2, 4)."
    assert error.cure == "Reshape one of them so that each dimension is equal or 1."
    assert error.fields["shapes"] == ((2, 3), (2, 4))
    assert isinstance(error, RuntimeError)


def test_matrices_that_do_not_fit_are_named():
    error = refused(lambda: torch.ones(2, 3) @ torch.ones(4, 5))
    assert error.what == "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"
    assert "the last axis of the first is 3" in error.where
    assert "must be equal" in error.cure


def test_matrices_of_two_dtypes_are_named():
    error = refused(lambda: torch.ones(2, 2) @ torch.ones(2, 2, dtype=torch.float64))
    assert error.what == "expected m1 and m2 to have the same dtype, but got: float != double"
    assert error.fields["dtypes"] == (torch.float32, torch.float64)


def test_view_that_would_need_a_copy_says_reshape():
    error = refused(lambda: torch.ones(2, 3).t().view(6))
    assert "Use .reshape(...) instead." in error.what
    assert error.where == "From shape (3, 2) to (6,)."


def test_shape_of_another_size_is_named():
    error = refused(lambda: torch.ones(2, 3).reshape(4))
    assert error.what == "shape '[4]' is invalid for input of size 6"


def test_dimension_out_of_range_is_an_index_error():
    error = refused(lambda: torch.ones(2, 3).sum(2))
    assert isinstance(error, IndexError)
    assert error.what == ("Dimension out of range (expected to be in range of [-2, 1], but got 2)")


def test_unknown_argument_names_those_there_are():
    error = refused(lambda: torch.ones(2, 3).transpose(0, dim=1))
    assert isinstance(error, TypeError)
    assert "Its parameters are: input, dim0, dim1." in error.where


def test_something_that_is_no_tensor_is_named():
    error = refused(lambda: torch.exp([1.0]))
    assert error.what == "exp(): argument 'input' (position 1) must be Tensor, not list"
    error = refused(lambda: torch.ones(1) + "a")
    assert error.what == "expected a tensor or a number, got str: 'a'"


def test_mean_of_integers_says_float():
    error = refused(lambda: torch.arange(3).mean())
    assert error.what.endswith("Got: Long")
    assert error.cure == "Convert it first, for instance with .float()."


def test_write_that_would_lose_the_fraction_is_refused():
    error = refused(lambda: torch.ones(2, dtype=torch.int64).add_(0.5))
    assert error.what == "result type Float can't be cast to the desired output type Long"


def test_device_that_is_not_there_is_named():
    error = refused(lambda: torch.ones(2).to("cuda"))
    assert error.what == "gradcore has no device 'cuda'"


def test_dtype_that_numpy_has_not_can_be_named_but_no_tensor_has_it():
    choice = {"float32": torch.float32, "bfloat16": torch.bfloat16}["bfloat16"]
    assert str(choice) == "torch.bfloat16"
    with pytest.raises(TypeError, match=r"no tensors of dtype torch\.bfloat16"):
        torch.ones(2).to(choice)


def test_numpy_dtype_that_torch_has_not_is_named():
    error = refused(lambda: torch.from_numpy(np.array(["a"])))
    assert isinstance(error, TypeError)


def test_errors_survive_the_way_between_processes():
    error = refused(lambda: torch.ones(2, 3) + torch.ones(2, 4))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.fields == error.fields


@pytest.mark.parametrize("name", ["exp", "tanh", "relu", "sigmoid", "sqrt", "abs", "sum", "max"])
def test_nan_is_never_swallowed(name):
    t = torch.tensor([1.0, float("nan"), 2.0])
    result = getattr(t, name)()
    assert result.isnan().any()


@pytest.mark.parametrize("is_recorded", [False, True])
def test_relu_stops_what_arrives_where_it_is_off(is_recorded):
    x = torch.tensor([0.0, 1.0, -2.0], requires_grad=True)
    arriving = torch.tensor([float("nan"), 1.0, float("inf")])
    (gradient,) = torch.autograd.grad(torch.relu(x), x, arriving, create_graph=is_recorded)
    assert gradient.tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("name", ["add", "mul", "maximum", "minimum", "div", "pow"])
def test_nan_of_either_side_is_kept(name):
    t, nan = torch.tensor([2.0]), torch.tensor([float("nan")])
    assert getattr(t, name)(nan).isnan().all()
    assert getattr(nan, name)(t).isnan().all()


PYTORCH_SAYS = {
    "x[5]": "index 5 is out of bounds for dimension 0 with size 2",
    "x[mask]": r"The shape of the mask \[3\] at index 0 does not match the shape of the indexed "
    r"tensor \[2, 3\] at index 0",
    "t.cat([x, t.ones(2)])": "Tensors must have same number of dimensions: got 2 and 1",
    "t.cat([x, t.ones(1, 2)])": "Expected size 3 but got size 2 for tensor number 1 in the list",
    "t.ones(4, 2, 3) @ x": r"mat1 and mat2 shapes cannot be multiplied \(8x3 and 2x3\)",
    "x.reshape(-1, -1)": "only one dimension can be inferred",
    "x.expand(3, 3)": r"The expanded size of the tensor \(3\) must match the existing size \(2\) "
    r"at non-singleton dimension 0.  Target sizes: \[3, 3\].  Tensor sizes: \[2, 3\]",
    "x.copy_(t.ones(4))": r"must match the existing size \(4\) at non-singleton dimension 1",
    "t.nn.functional.mse_loss(x, t.ones(4))": r"The size of tensor a \(3\) must match the size",
    "x.topk(9)": "selected index k out of range",
    "x.chunk(0)": "chunk expects `chunks` to be greater than 0, got: 0",
    "x.split(0)": "split_size can only be 0 if dimension size is 0",
    "x.masked_select(t.tensor([1, 0, 1]))": "expected BoolTensor for mask",
    "t.tensor([[1, 2], [3]])": r"expected sequence of length 2 at dim 1 \(got 1\)",
    "t.multinomial(t.tensor([-1.0, 2.0]), 1)": "either `inf`, `nan` or element < 0",
    "t.bernoulli(t.tensor([2.0]))": "Expected p_in >= 0 && p_in <= 1 to be true",
    "t.where(mask, x, t.ones(4))": "must match the size of tensor b",
}


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("program", PYTORCH_SAYS)
def test_a_refusal_begins_with_the_words_of_torch(program):
    names = {"t": torch, "x": torch.ones(2, 3), "mask": torch.tensor([True, False, True])}
    with pytest.raises((RuntimeError, IndexError, ValueError), match=PYTORCH_SAYS[program]):
        eval(program, names)
