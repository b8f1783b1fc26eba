"""Wine: thirteen chemical measures of 178 wines from three growers."""

from paramscope.data.bundled import one_of_each, split, standardized, table
from paramscope.data.description import DataInfo, Rows

INFO = DataInfo(
    title="Wine",
    summary="Thirteen chemical measures of 178 Italian wines from three growers",
    shape=(13,),
    classes=("class_0", "class_1", "class_2"),
    columns=(
        "alcohol",
        "malic acid",
        "ash",
        "alcalinity of ash",
        "magnesium",
        "total phenols",
        "flavanoids",
        "nonflavanoid phenols",
        "proanthocyanins",
        "colour intensity",
        "hue",
        "OD280/OD315 of diluted wines",
        "proline",
    ),
    licence="CC BY 4.0",
    authors="S. Aeberhard, M. Forina",
    year=1991,
    url="https://doi.org/10.24432/C5PC7J",
)


def train(*, standardize: bool = False) -> Rows:
    """Return the 144 training rows and their classes.

    ``standardize`` shifts and scales every measure to mean 0 and deviation 1.

    Shape: measures (144, 13), classes (144,).
    """
    rows = _rows(held_out=False)
    return standardized(rows, rows) if standardize else rows


def test(*, standardize: bool = False) -> Rows:
    """Return the 34 held-out rows; ``standardize`` uses the numbers of the training rows."""
    rows = _rows(held_out=True)
    return standardized(rows, _rows(held_out=False)) if standardize else rows


def preview(count: int = 10) -> Rows:
    """Return ``count`` training rows, the classes in turn."""
    return one_of_each(train(), count)


def _rows(*, held_out: bool) -> Rows:
    return split(table("wine.csv", header_lines=1), held_out=held_out)
