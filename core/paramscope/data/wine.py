"""Wine: thirteen chemical measures of 178 wines from three growers.

Shape: 144 training and 34 held-out rows of 13 measures.
"""

from paramscope.data.bundled import Table
from paramscope.data.description import DataInfo

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

_TABLE = Table("wine.csv")
train, test, preview = _TABLE.train, _TABLE.test, _TABLE.preview
