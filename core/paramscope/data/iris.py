"""Iris: four measures in centimetres of 150 flowers of three species.

Shape: 120 training and 30 held-out rows of 4 measures.
"""

from paramscope.data.bundled import Table
from paramscope.data.description import DataInfo

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

_TABLE = Table("iris.csv")
train, test, preview = _TABLE.train, _TABLE.test, _TABLE.preview
