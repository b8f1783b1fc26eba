"""Iris: four measures in centimetres of 150 flowers of three species."""

from paramscope.data.bundled import one_of_each, split, standardized, table
from paramscope.data.description import DataInfo, Rows

INFO = DataInfo(
    title="Iris",
    summary="Four measures of 150 flowers of three species",
    shape=(4,),
    classes=("setosa", "versicolor", "virginica"),
    columns=(
        "sepal length (cm)",
        "sepal width (cm)",
        "petal length (cm)",
        "petal width (cm)",
    ),
    licence="CC BY 4.0",
    authors="R. A. Fisher",
    year=1936,
    url="https://doi.org/10.24432/C56C76",
)


def train(*, standardize: bool = False) -> Rows:
    """Return the 120 training rows and their classes.

    ``standardize`` shifts and scales every measure to mean 0 and deviation 1.

    Shape: measures (120, 4), classes (120,).
    """
    rows = _rows(held_out=False)
    return standardized(rows, rows) if standardize else rows


def test(*, standardize: bool = False) -> Rows:
    """Return the 30 held-out rows; ``standardize`` uses the numbers of the training rows."""
    rows = _rows(held_out=True)
    return standardized(rows, _rows(held_out=False)) if standardize else rows


def preview(count: int = 10) -> Rows:
    """Return ``count`` training rows, the classes in turn."""
    return one_of_each(train(), count)


def _rows(*, held_out: bool) -> Rows:
    return split(table("iris.csv", header_lines=1), held_out=held_out)
