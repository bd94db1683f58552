"""The data sets that come with scikit-learn and mlxtend, as they are known without reading them."""

from dataclasses import dataclass

from tfpipe.declare.spec import Feature, Label


@dataclass(frozen=True)
class Described:
    """A data set as it is known without reading it.

    Args:
        size: how many rows it has.
        features: the inputs.
        label: what is predicted.
        sorted: whether its rows are in order of their class.
    """

    size: int
    features: tuple[Feature, ...]
    label: Label
    sorted: bool = False


def _numbers(names: str) -> tuple[Feature, ...]:
    return tuple(Feature(name, (), "float32", "number") for name in names.split())


def _classes(name: str, classes: str) -> Label:
    return Label(name, "class", (), tuple(classes.split()))


_IRIS = Described(
    150,
    _numbers("sepal_length sepal_width petal_length petal_width"),
    _classes("species", "setosa versicolor virginica"),
    sorted=True,
)
_WINE = Described(
    178,
    _numbers(
        "alcohol malic_acid ash alcalinity_of_ash magnesium total_phenols flavanoids "
        "nonflavanoid_phenols proanthocyanins color_intensity hue od280_od315_of_diluted_wines "
        "proline"
    ),
    _classes("cultivar", "class_0 class_1 class_2"),
    sorted=True,
)
_DIGITS = _classes("digit", "0 1 2 3 4 5 6 7 8 9")
_CELLS = _numbers(
    "radius texture perimeter area smoothness compactness concavity concave_points symmetry "
    "fractal_dimension"
)

SKLEARN = {
    "digits": Described(1797, (Feature("pixels", (64,), "float32", "vector"),), _DIGITS),
    "iris": _IRIS,
    "wine": _WINE,
    "breast_cancer": Described(
        569,
        tuple(
            cell.replace(name=pattern.format(cell.name))
            for pattern in ("mean_{}", "{}_error", "worst_{}")
            for cell in _CELLS
        ),
        _classes("diagnosis", "malignant benign"),
    ),
    "diabetes": Described(
        442, _numbers("age sex bmi bp s1 s2 s3 s4 s5 s6"), Label("progression", "real")
    ),
}
MLXTEND = {
    "boston_housing": Described(
        506,
        _numbers("CRIM ZN INDUS CHAS NOX RM AGE DIS RAD TAX PTRATIO B LSTAT"),
        Label("MEDV", "real"),
    ),
    "autompg": Described(
        392,
        (
            *_numbers("cylinders displacement horsepower weight acceleration model_year"),
            Feature("origin", (), "string", "category", ("usa", "europe", "japan")),
        ),
        Label("mpg", "real"),
    ),
    "iris": _IRIS,
    "wine": _WINE,
    "mnist": Described(
        5000, (Feature("image", (28, 28, 1), "uint8", "image"),), _DIGITS, sorted=True
    ),
    "three_blobs": Described(150, _numbers("x y"), _classes("blob", "0 1 2")),
}
