"""Breast cancer (Wisconsin, diagnostic): 30 measures of 569 tumours, malignant or benign."""

from paramscope.data.bundled import one_of_each, split, standardized, table
from paramscope.data.description import DataInfo, Rows

INFO = DataInfo(
    title="Breast cancer (Wisconsin)",
    summary="30 measures of the cell nuclei of 569 tumours, malignant or benign",
    shape=(30,),
    classes=("malignant", "benign"),
    columns=(
        "radius, mean",
        "texture, mean",
        "perimeter, mean",
        "area, mean",
        "smoothness, mean",
        "compactness, mean",
        "concavity, mean",
        "concave points, mean",
        "symmetry, mean",
        "fractal dimension, mean",
        "radius, standard error",
        "texture, standard error",
        "perimeter, standard error",
        "area, standard error",
        "smoothness, standard error",
        "compactness, standard error",
        "concavity, standard error",
        "concave points, standard error",
        "symmetry, standard error",
        "fractal dimension, standard error",
        "radius, worst",
        "texture, worst",
        "perimeter, worst",
        "area, worst",
        "smoothness, worst",
        "compactness, worst",
        "concavity, worst",
        "concave points, worst",
        "symmetry, worst",
        "fractal dimension, worst",
    ),
    licence="CC BY 4.0",
    authors="W. Wolberg and others",
    year=1993,
    url="https://doi.org/10.24432/C5DW2B",
)


def train(*, standardize: bool = False) -> Rows:
    """Return the 456 training rows and their classes.

    ``standardize`` shifts and scales every measure to mean 0 and deviation 1.

    Shape: measures (456, 30), classes (456,).
    """
    rows = _rows(held_out=False)
    return standardized(rows, rows) if standardize else rows


def test(*, standardize: bool = False) -> Rows:
    """Return the 113 held-out rows; ``standardize`` uses the numbers of the training rows."""
    rows = _rows(held_out=True)
    return standardized(rows, _rows(held_out=False)) if standardize else rows


def preview(count: int = 10) -> Rows:
    """Return ``count`` training rows, the classes in turn."""
    return one_of_each(train(), count)


def _rows(*, held_out: bool) -> Rows:
    return split(table("breast_cancer.csv", header_lines=1), held_out=held_out)
