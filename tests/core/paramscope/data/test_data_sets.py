"""Every data set: opens, splits without overlap, previews, states its licence."""

import numpy as np
import pytest

from paramscope.data import breast_cancer, digits, iris, spirals, wine, xor
from paramscope.data.bundled import is_held_out, table
from paramscope.data.catalog import DataSet, data_sets
from paramscope.data.description import DataError

every_data_set = pytest.mark.parametrize("data", data_sets(), ids=lambda data: data.name)


def rows_of(inputs: np.ndarray, classes: np.ndarray) -> list[bytes]:
    return [row.tobytes() + number.tobytes() for row, number in zip(inputs, classes, strict=True)]


@every_data_set
def test_rows_have_the_shape_and_types_that_the_data_set_states(data: DataSet) -> None:
    for inputs, classes in (data.train(), data.test(), data.preview(7)):
        assert inputs.shape == (len(classes), *data.info.shape)
        assert (inputs.dtype, classes.dtype) == (np.float32, np.int64)
        assert np.isfinite(inputs).all()


@every_data_set
def test_every_class_is_named_and_is_in_both_splits(data: DataSet) -> None:
    numbers = list(range(len(data.info.classes)))
    assert np.unique(data.train()[1]).tolist() == numbers
    assert np.unique(data.test()[1]).tolist() == numbers


@every_data_set
def test_columns_of_a_table_are_all_named(data: DataSet) -> None:
    if len(data.info.shape) == 1:
        assert len(data.info.columns) == data.info.shape[0]
        assert len(set(data.info.columns)) == len(data.info.columns)


@every_data_set
def test_rows_are_the_same_at_every_call_and_may_be_changed_by_the_caller(data: DataSet) -> None:
    inputs, classes = data.train()
    before = rows_of(inputs, classes)
    inputs[:] = 0
    classes[:] = 0
    assert rows_of(*data.train()) == before


@every_data_set
def test_preview_shows_the_classes_in_turn(data: DataSet) -> None:
    count = len(data.info.classes)
    assert data.preview(2 * count)[1].tolist() == [*range(count), *range(count)]
    assert len(data.preview(0)[1]) == 0


@every_data_set
def test_licence_and_title_are_stated(data: DataSet) -> None:
    assert data.info.licence
    assert data.info.title
    assert data.info.summary


@pytest.mark.parametrize("module", [digits, iris, wine, breast_cancer])
def test_real_data_names_its_licence_its_authors_and_where_it_comes_from(module) -> None:
    assert module.INFO.licence == "CC BY 4.0"
    assert module.INFO.authors
    assert module.INFO.year is not None
    assert module.INFO.url.startswith("https://doi.org/10.24432/")


@pytest.mark.parametrize(
    ("module", "training", "held_out"),
    [(digits, 1442, 355), (iris, 120, 30), (wine, 144, 34), (breast_cancer, 456, 113)],
)
def test_a_fifth_of_each_class_is_held_out(module, training: int, held_out: int) -> None:
    assert (len(module.train()[1]), len(module.test()[1])) == (training, held_out)
    for number in np.unique(module.train()[1]):
        inside, outside = (
            int((rows[1] == number).sum()) for rows in (module.train(), module.test())
        )
        assert outside == (inside + outside) // 5


@pytest.mark.parametrize("module", [digits, spirals, xor])
def test_no_held_out_row_is_among_the_training_rows(module) -> None:
    # the real tables hold a few flowers and wines with equal measures, so they are not asked
    assert set(rows_of(*module.train())).isdisjoint(rows_of(*module.test()))


def test_both_splits_together_are_the_whole_file() -> None:
    rows = table("iris.csv", 1)
    held_out = is_held_out(rows[:, -1].astype(np.int64))
    assert (len(rows), int(held_out.sum())) == (150, 30)


def test_digits_are_grey_values_from_0_to_1_and_look_like_digits() -> None:
    images, labels = digits.train()
    assert (images.min(), images.max()) == (0, 1)
    zero = images[labels == 0].mean(axis=0)[0]
    assert zero[3:5, 3:5].mean() < 0.2 < zero[3:5, 2].mean()  # a hole in a ring


@pytest.mark.parametrize("module", [iris, wine, breast_cancer])
def test_standardized_measures_have_mean_0_and_deviation_1_on_the_training_rows(module) -> None:
    inputs, _ = module.train(standardize=True)
    np.testing.assert_allclose(inputs.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(inputs.std(axis=0), 1, atol=1e-4)


def test_held_out_rows_are_scaled_by_the_numbers_of_the_training_rows() -> None:
    raw = wine.train()[0]
    expected = (wine.test()[0] - raw.mean(axis=0)) / raw.std(axis=0)
    np.testing.assert_allclose(wine.test(standardize=True)[0], expected, rtol=1e-6)


def test_spirals_are_as_many_points_as_asked_for_and_no_line_separates_them() -> None:
    points, classes = spirals.train(50)
    assert points.shape == (100, 2)
    design = np.column_stack([points, np.ones(100)])
    weights = np.linalg.lstsq(design, 2 * classes - 1, rcond=None)[0]
    assert ((design @ weights > 0) == classes).mean() < 0.75


def test_xor_is_one_where_the_signs_differ() -> None:
    points, classes = xor.train(10)
    assert ((points[:, 0] * points[:, 1] < 0) == classes).all()


def test_a_missing_file_says_to_install_again() -> None:
    with pytest.raises(DataError, match=r"absent\.csv that ships .*\n.*Install Paramscope again"):
        table("absent.csv", 0)
