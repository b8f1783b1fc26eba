"""Breast cancer (Wisconsin, diagnostic): 30 measures of 569 tumours, malignant or benign.

Shape: 456 training and 113 held-out rows of 30 measures.
"""

from paramscope.data.bundled import Table
from paramscope.data.description import DataInfo

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

_TABLE = Table("breast_cancer.csv")
train, test, preview = _TABLE.train, _TABLE.test, _TABLE.preview
