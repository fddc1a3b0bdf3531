"""The oracles against mpmath at 50 digits (``exact.py``): values, sums, means, gradients, refusals.

One rule for an error: at most 32 · 2⁻⁵³ · max(1, |y|, condition). A condition above 1 is given, and
said why, where the definition itself magnifies a rounding in the middle.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import exact
import numpy as np
import pytest

from oracles import boxes, classification, embedding, numeric, overlap, regression

Array = exact.Array
Arguments = Mapping[str, Any]

pytestmark = pytest.mark.filterwarnings("error")

PUBLIC: Mapping[str, Callable[..., Any]] = {
    "cross_entropy": classification.cross_entropy,
    "sigmoid_focal": classification.sigmoid_focal,
    "mse": regression.mse,
    "giou": boxes.giou,
    "dice": overlap.dice,
    "arcface": embedding.arcface,
}
KERNELS: Mapping[str, Callable[..., Array]] = {
    "cross_entropy": classification.cross_entropy_items,
    "sigmoid_focal": classification.sigmoid_focal_items,
    "mse": regression.mse_items,
    "giou": boxes.giou_items,
    "dice": overlap.dice_items,
    "arcface": embedding.arcface_items,
    "binary_cross_entropy": classification.binary_cross_entropy_items,
    "iou": boxes.iou_items,
    "tversky": overlap.tversky_items,
}
HARD = np.array([0.0, 17.0, 20.0, 89.0, 104.0, 180.0, 1e4])
LOGITS = np.concatenate([-HARD, HARD, [-3.2, -0.7, 1e-9, 0.3, 2.1]])
UNIT = 32 * 2.0**-53
LONG_UNIT = 64 * 2.0**-64


def random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def excess(answer: Any, truth: Array, condition: float = 1.0, unit: float = UNIT) -> float:
    """The largest error as a multiple of what the rule allows; NaN is infinitely wrong."""
    assert np.shape(answer) == truth.shape
    worst = 0.0
    for given, right in zip(exact.numbers(answer).flat, truth.flat, strict=True):
        share = abs(given - right) / (unit * max(1.0, abs(right), condition))
        worst = np.inf if exact.mp.isnan(share) else max(worst, float(share))
    return worst


# Values


def elementwise(targets: list[float]) -> dict[str, Array]:
    """Every logit with every target."""
    logits, target = np.meshgrid(LOGITS, targets)
    return {"logits": logits, "target": target}


def cross_entropy_cases() -> dict[str, Arguments]:
    generator = random(1)
    labels = generator.integers(0, 4, 24)
    hard = generator.choice(np.concatenate([HARD, -HARD]), (24, 4))
    hard += generator.normal(size=hard.shape)
    soft = {"logits": generator.normal(0, 3, (24, 4)), "target": labels}
    weight = np.array([0.3, 0.0, 1.7, 3.0])
    ignored = np.where(np.arange(24) % 3 == 0, -100, labels)
    holes = np.where(ignored[:, None] == -100, np.resize([[np.nan], [np.inf]], (24, 1)), hard)
    impossible = np.where(np.arange(4) == (labels[:, None] + 1) % 4, -np.inf, hard)
    spatial = generator.normal(0, 9, (2, 4, 2, 2))
    three = {"logits": soft["logits"][:3], "target": np.ones(3, int)}
    return {
        "soft": soft,
        "hard": {"logits": hard, "target": labels},
        "shifted far": {"logits": soft["logits"] - 1e4, "target": labels},
        "one class": {"logits": hard[:, :1], "target": np.zeros(24, int)},
        "weighted": {"logits": hard, "target": labels, "weight": weight},
        "smoothed": {"logits": hard, "target": labels, "label_smoothing": 0.1},
        "smoothed and weighted": {**soft, "weight": weight, "label_smoothing": 0.3},
        "wholly smoothed": {"logits": hard, "target": labels, "label_smoothing": 1.0},
        "ignored": {"logits": holes, "target": ignored, "weight": weight},
        "ignored class": {**soft, "weight": weight, "ignore_index": 2},
        "impossible classes": {"logits": impossible, "target": labels},
        "spatial": {"logits": spatial, "target": labels[:8].reshape(2, 2, 2)},
        "smoothed, target weightless": {**three, "weight": weight, "label_smoothing": 0.1},
    }


def sigmoid_focal_cases() -> dict[str, Arguments]:
    grids = {
        "hard": elementwise([0.0, 1.0]),
        "soft": elementwise([0.3, 0.5, 1e-9, 1 - 2.0**-53]),
    }
    pairs = [(0.0, None), (0.25, 0.25), (2.0, 0.9), (2.0, 0.0), (2.0, 1.0), (20.0, None)]
    cases = {
        f"{name}, gamma {gamma}, alpha {alpha}": {**grid, "gamma": gamma, "alpha": alpha}
        for name, grid in grids.items()
        for gamma, alpha in pairs
    }
    return {"defaults": elementwise([0.0, 0.2, 1.0]), **cases}


def mse_cases() -> dict[str, Arguments]:
    generator = random(2)
    close = generator.normal(size=9)
    return {
        "moderate": {"input": generator.normal(size=(3, 4)), "target": np.ones((3, 4))},
        "close": {"input": 1e8 + close, "target": 1e8 - close},
        "far": {"input": 1e9 * close, "target": -close},
        "equal": {"input": close, "target": close},
        "scalar": {"input": 0.1, "target": 0.3},
    }


def box_cases() -> dict[str, Arguments]:
    generator = random(3)
    low = generator.normal(size=(2, 12, 2))
    anywhere = np.concatenate([low, low + generator.uniform(0.5, 4, low.shape)], axis=-1)
    first, second = anywhere
    one, point, line = [0.0, 0.0, 1.0, 1.0], [0.5, 0.25, 0.5, 0.25], [0.0, 0.5, 2.0, 0.5]
    pairs = {
        "overlapping or apart": (first, second),
        "identical": (first, first),
        "touching": ([one, one, one], [[1, 0, 2, 1], [1, 1, 3, 2], [0.2, 1, 0.4, 7]]),
        "nested": ([one, first[0]], [[0.1, 0.2, 0.3, 0.7], first[0] + [-0.1, -0.3, 0.2, 0.7]]),
        "no area": ([point, point, line, line, one, point], [point, line, line, point, line, one]),
        "apart, no area": ([point, line, one], [[3, 4, 3, 4], [0, 3, 2, 3], [5, 5, 5, 9]]),
        "far": (first + 1e6, second + 1e6),
        "far apart": (first, second + 1e6),
        "tiny": (first * 1e-6, second * 1e-6),
        "tiny and far": (first * 1e-6 + 1.0, second * 1e-6 + 1.0),
        "tiny against large": (first * 1e-6, second * 1e6),
    }
    return {
        name: {"boxes1": np.array(pair[0], float), "boxes2": np.array(pair[1], float)}
        for name, pair in pairs.items()
    }


COUPLED = {"activation": "softmax", "include_background": False, "batch": True}


def overlap_cases() -> dict[str, Arguments]:
    generator = random(4)
    shape = (3, 4, 5)
    probs, soft = generator.uniform(size=(2, *shape))
    mask = (soft > 0.6).astype(float)
    mask[0, 0], mask[0, 1] = 0, 1
    blocks = np.repeat([[0.0], [1.0]], 4, axis=1)[:, :, None] * np.ones(5)
    logits = generator.choice(np.concatenate([HARD, -HARD]), shape) + generator.normal(size=shape)
    hard = {"probs": probs, "target": mask}
    activated = {"probs": logits, "target": np.maximum(mask, np.arange(5) == 1)}
    return {
        "hard": hard,
        "hard, no smooth": {**hard, "smooth": 0.0},
        "soft": {"probs": probs, "target": soft, "smooth": 0.25},
        "no axes but two": {"probs": probs[..., 0], "target": mask[..., 0], "smooth": 1e-5},
        "many axes": {"probs": probs[..., None, None], "target": soft[..., None, None]},
        "empty and full, no smooth": {"probs": blocks, "target": blocks, "smooth": 0.0},
        "empty against full, no smooth": {"probs": blocks, "target": 1 - blocks, "smooth": 0.0},
        "batch": {**hard, "batch": True},
        "batch, no background": {**hard, "batch": True, "include_background": False},
        "no background": {**hard, "include_background": False, "smooth": 0.0},
        "sigmoid": {**activated, "activation": "sigmoid"},
        "softmax": {**activated, "activation": "softmax"},
        "softmax, no smooth": {**activated, "activation": "softmax", "smooth": 0.0},
        "softmax, no background, batch": {**activated, **COUPLED},
    }


def dice_cases() -> dict[str, Arguments]:
    cases = overlap_cases()
    squared = {f"{name}, squared": {**case, "squared": True} for name, case in cases.items()}
    return {**cases, **squared}


def turned(angles: list[float]) -> Arguments:
    """A feature at each angle from its own class vector, and another class."""
    features = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    weight = np.array([[3.0, 0.0], [-0.2, 0.4]])
    return {"features": features, "label": np.zeros(len(angles), int), "weight": weight}


def arcface_cases() -> dict[str, Arguments]:
    generator = random(5)
    features, weight = generator.normal(size=(6, 4)), generator.normal(size=(5, 4))
    anywhere = {"features": features, "label": np.array([0, 4, 1, 2, 3, 3]), "weight": weight}
    aligned = {"features": weight * 0.3, "label": np.arange(5), "weight": weight}
    opposite = {**aligned, "features": weight * -7.0}
    edge = {
        f"at the edge of margin {margin}": {
            **turned([np.pi - margin + gap for gap in (-1e-3, -1e-12, 1e-12, 1e-3)]),
            "margin": margin,
        }
        for margin in (1e-3, 0.5, 1.5, 3.0)
    }
    zero = np.zeros((1, 4))
    nothing = {"features": np.concatenate([zero, features[1:]]), "label": anywhere["label"]}
    return {
        **{f"margin {m}": {**anywhere, "margin": m} for m in (0.0, 0.5, 1.0, 2.0, 3.0)},
        **{f"angle 0, margin {m}": {**aligned, "margin": m} for m in (0.0, 0.5, 3.0)},
        **{f"angle π, margin {m}": {**opposite, "margin": m} for m in (0.0, 0.5, 3.0)},
        "small angles": {**turned([1e-12, 1e-9, 1e-6, 1e-3]), "scale": 4.0},
        "angles near π": {**turned([np.pi - 1e-9, np.pi - 1e-5]), "scale": 4.0},
        **edge,
        "scale 1": {**anywhere, "scale": 1.0},
        "zero vectors": {**nothing, "weight": np.concatenate([weight[:-1], zero])},
        "zero vectors, margin 2": {**nothing, "weight": 0 * weight, "margin": 2.0},
        "short features": {**anywhere, "features": features * 1e-20, "weight": weight * 1e20},
        "short weights": {**anywhere, "features": features * 1e20, "weight": weight * 1e-20},
        "one class": {**turned([0.3, 2.0]), "weight": np.array([[1.0, 1.0]])},
    }


CASES: Mapping[str, Mapping[str, Arguments]] = {
    "cross_entropy": cross_entropy_cases(),
    "sigmoid_focal": sigmoid_focal_cases(),
    "mse": mse_cases(),
    "giou": box_cases(),
    "dice": dice_cases(),
    "arcface": arcface_cases(),
}


@cache
def true_items(name: str, case: str) -> Array:
    """What mpmath gives for a case of the table."""
    items: Array = getattr(exact, name)(**CASES[name][case])
    return items


def condition_of(arguments: Arguments) -> float:
    """What multiplies a rounding later on: the scale of arcface, the weights of cross_entropy."""
    weight = arguments.get("weight", 0.0)
    scale = arguments.get("scale", 64.0) if "features" in arguments else np.max(weight)
    return max(1.0, float(scale))


every_case = pytest.mark.parametrize(
    ("name", "case"),
    [pytest.param(name, case, id=f"{name}: {case}") for name in CASES for case in CASES[name]],
)


@every_case
def test_items_are_exact(name: str, case: str) -> None:
    """Without a reduction, every item is right."""
    arguments = CASES[name][case]
    items = PUBLIC[name](**arguments, reduction="none")
    assert items.dtype == np.float64
    assert excess(items, true_items(name, case), condition_of(arguments)) <= 1


@every_case
def test_sum_and_mean_are_exact(name: str, case: str) -> None:
    """Sum and mean (the default) may be off by what their items may be off by, together."""
    arguments, items = CASES[name][case], true_items(name, case)
    off = sum(max(condition_of(arguments), abs(item)) for item in items.flat)
    divisor = exact.mp.mpf(items.size)
    if name == "cross_entropy":
        weight, ignored = arguments.get("weight"), arguments.get("ignore_index", -100)
        divisor = exact.cross_entropy_divisor(arguments["target"], weight, ignored)
    total = np.array(sum(items.flat), dtype=object)
    assert excess(PUBLIC[name](**arguments, reduction="sum"), total, off) <= 1
    mean = total / divisor if divisor else total * 0
    answer = PUBLIC[name](**arguments, reduction="mean")
    assert excess(answer, np.array(mean, dtype=object), off / divisor if divisor else 0) <= 1
    assert PUBLIC[name](**arguments) == answer


EMPTY, NO_LABELS = np.zeros((0, 3)), np.zeros(0, int)
IGNORED = {"logits": np.full((2, 3), np.nan), "target": np.array([-100, -100])}
WEIGHTLESS = {"logits": np.eye(2), "target": np.array([1, 1]), "weight": [1.0, 0.0]}
ONLY_BACKGROUND = {"probs": [[1.0]], "target": [[0.0]], "include_background": False}
NOTHING: list[tuple[str, str, Arguments, tuple[int, ...]]] = [
    ("cross_entropy", "no items", {"logits": EMPTY, "target": NO_LABELS}, (0,)),
    ("cross_entropy", "all ignored", IGNORED, (2,)),
    ("cross_entropy", "weights of 0", WEIGHTLESS, (2,)),
    ("sigmoid_focal", "no items", {"logits": EMPTY, "target": EMPTY}, (0, 3)),
    ("mse", "no items", {"input": EMPTY, "target": EMPTY}, (0, 3)),
    ("giou", "no pairs", {"boxes1": np.zeros((0, 4)), "boxes2": np.zeros((0, 4))}, (0,)),
    ("dice", "no samples", {"probs": EMPTY, "target": EMPTY}, (0, 3)),
    ("dice", "only background", ONLY_BACKGROUND, (1, 0)),
    ("arcface", "no features", {"features": EMPTY, "label": NO_LABELS, "weight": np.eye(3)}, (0,)),
]


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [pytest.param(row[0], *row[2:], id=f"{row[0]}: {row[1]}") for row in NOTHING],
)
def test_nothing_to_average_is_zero(name: str, arguments: Arguments, shape: tuple[int, ...]) -> None:
    """Items are missing or 0; sum and mean are 0, not NaN."""
    items = PUBLIC[name](**arguments, reduction="none")
    assert items.shape == shape
    assert (items == 0).all()
    assert PUBLIC[name](**arguments, reduction="sum") == 0
    assert PUBLIC[name](**arguments, reduction="mean") == 0


def third(value: Any) -> Any:
    """A third of an array of floats, in long double: numbers that float64 does not have."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value / np.longdouble(3)
    return np.longdouble(value) if isinstance(value, float) else value


@pytest.mark.parametrize("name", PUBLIC)
def test_long_double_is_kept(name: str) -> None:
    """Long double inputs and options give long double accuracy, out of reach of float64.

    The margin is always given: the cosine of a Python float is a float64.
    """
    excess_of_doubles = 0.0
    given = {"margin": 0.5} if name == "arcface" else {}
    for arguments in CASES[name].values():
        precise = {key: third(value) for key, value in {**given, **arguments}.items()}
        truth, condition = getattr(exact, name)(**precise), condition_of(arguments)
        items = PUBLIC[name](**precise, reduction="none")
        assert items.dtype == np.longdouble
        assert excess(items, truth, condition, LONG_UNIT) <= 1
        doubles = excess(items.astype(np.float64), truth, condition, LONG_UNIT)
        excess_of_doubles = max(excess_of_doubles, doubles)
    assert excess_of_doubles > 1


# Gradients and leading axes


def kernel_cases() -> list[tuple[str, str, Arguments, tuple[str, ...], float, float]]:
    """Name, case, arguments in the kernel's layout, those to move along, their size, condition."""
    generator = random(6)
    logits, hard = generator.normal(0, 3, (3, 4, 2)), generator.choice(LOGITS, (3, 4, 2))
    classes = {"target": generator.integers(0, 4, (3, 2))}
    holes = {"target": np.where(np.eye(3, 2) == 1, -100, classes["target"])}
    class_weight = {"weight": np.array([0.5, 0.0, 1.75, 3.0]), "label_smoothing": 0.25}
    focal = {"logits": LOGITS, "target": generator.choice([0.0, 1.0, 0.3, 0.99], len(LOGITS))}
    pairs = CASES["giou"]
    probs, soft = generator.uniform(size=(2, 2, 3, 4))
    regions = {"probs": probs, "target": soft, "smooth": 0.5}
    checkered = np.indices((2, 2, 4)).sum(axis=0) % 2 * 1.0
    masks = {"probs": hard[:2].reshape(2, 2, 4), "target": checkered, "activation": "sigmoid"}
    squared = {**regions, "squared": True, "smooth": 0.0}
    unequal = {"alpha": 0.3, "beta": 0.8}
    features, weight = generator.normal(size=(3, 4)), generator.normal(size=(5, 4))
    vectors = {"features": features, "label": np.array([4, 1, 1]), "weight": weight}
    stretched = {**vectors, "features": features * 1e20, "weight": weight * 1e-20}
    x, both, rows = ("logits",), ("boxes1", "boxes2"), ("features", "weight")
    return [
        ("cross_entropy", "plain", {"logits": logits, **classes}, x, 1, 1),
        ("cross_entropy", "hard", {"logits": hard, **classes}, x, 1, 1),
        ("cross_entropy", "ignored", {"logits": logits, **holes, **class_weight}, x, 1, 3),
        *(
            ("sigmoid_focal", f"gamma {g}, alpha {a}", {**focal, "gamma": g, "alpha": a}, x, 1, 1)
            for g, a in [(0.0, 0.25), (0.25, None), (2.0, 0.25), (20.0, None)]
        ),
        ("binary_cross_entropy", "weighted", {**focal, "pos_weight": 2.5}, x, 1, 1),
        ("mse", "moderate", CASES["mse"]["moderate"], ("input", "target"), 1, 1),
        *(("giou", case, pairs[case], both, 1, 1) for case in ("overlapping or apart", "far", "nested")),
        *(("giou", case, pairs[case], both, 1e-6, 1) for case in ("tiny", "tiny and far")),
        ("iou", "overlapping or apart", pairs["overlapping or apart"], both, 1, 1),
        ("dice", "soft", regions, ("probs",), 1, 1),
        ("dice", "squared, no smooth", squared, ("probs",), 1, 1),
        ("dice", "sigmoid", masks, ("probs",), 1, 1),
        ("dice", "softmax, batch", {**regions, **COUPLED}, ("probs",), 1, 1),
        ("tversky", "soft", {**regions, **unequal}, ("probs",), 1, 1),
        ("tversky", "sigmoid", {**masks, **unequal}, ("probs",), 1, 1),
        ("tversky", "softmax, batch", {**regions, **unequal, **COUPLED}, ("probs",), 1, 1),
        *(
            ("arcface", f"margin {margin}", {**vectors, "margin": margin}, rows, 1, 64)
            for margin in (0.0, 0.5, 2.0)
        ),
        # The direction of f-w, of length θ, is rounded relative to 1 before scale 4 multiplies it.
        ("arcface", "small angle", {**turned([1e-3, -1e-3]), "scale": 4.0}, rows, 1, 4e3),
        ("arcface", "long features", stretched, ("features",), 1e20, 64),
        ("arcface", "short weights", stretched, ("weight",), 1e-20, 64),
    ]


KERNEL_CASES = kernel_cases()


@pytest.mark.parametrize(
    ("name", "arguments", "argument", "size", "condition"),
    [
        pytest.param(name, arguments, argument, size, condition, id=f"{name}: {case}, {argument}")
        for name, case, arguments, along, size, condition in KERNEL_CASES
        for argument in along
    ],
)
def test_complex_step_is_the_gradient(
    name: str, arguments: Arguments, argument: str, size: float, condition: float
) -> None:
    """Imaginary parts of the kernel, a step along each element, against differences in mpmath."""
    array = arguments[argument]
    steps = 1e-100j * np.eye(array.size).reshape(array.size, *array.shape)
    answers = KERNELS[name](**{**arguments, argument: array + steps}).imag / 1e-100
    truth = exact.jacobian(getattr(exact, name), arguments, argument, size)
    assert excess(answers.reshape(truth.shape) * size, truth * size, condition) <= 1


@pytest.mark.parametrize(
    ("name", "arguments", "condition"),
    [pytest.param(row[0], row[2], row[5], id=f"{row[0]}: {row[1]}") for row in KERNEL_CASES],
)
def test_kernels_take_leading_axes(name: str, arguments: Arguments, condition: float) -> None:
    """Stacks (2, 3, ...) of all float arrays, and of each alone, give the calls one by one."""
    kernel = KERNELS[name]
    labels = ("label", "target") if name in ("cross_entropy", "arcface") else ()
    arrays = [key for key, value in arguments.items() if isinstance(value, np.ndarray)]
    moving = [key for key in arrays if key not in labels]
    factors = 1 - random(7).uniform(0, 0.5, (2, 3))
    for chosen in [moving, *([key] for key in moving)]:
        stacks = {key: np.multiply.outer(factors, arguments[key]) for key in chosen}
        answers = kernel(**{**arguments, **stacks})
        assert answers.shape[:2] == (2, 3)
        for index in np.ndindex(2, 3):
            alone = kernel(**{**arguments, **{key: stacks[key][index] for key in chosen}})
            assert excess(answers[index], exact.numbers(alone), condition) <= 1


# Building blocks

HELPERS: list[tuple[str, str, Arguments]] = [
    ("binary_cross_entropy", "hard", elementwise([0.0, 1.0])),
    ("binary_cross_entropy", "soft", {**elementwise([0.3, 1e-9]), "pos_weight": 0.3}),
    ("sigmoid_focal", "defaults", elementwise([0.3])),
    ("dice", "defaults", overlap_cases()["hard"]),
    ("tversky", "defaults", overlap_cases()["hard"]),
    *(("iou", case, arguments) for case, arguments in box_cases().items()),
    *(
        ("tversky", case, {**arguments, "alpha": 0.3, "beta": 0.9})
        for case, arguments in overlap_cases().items()
        if arguments["probs"].ndim == 3
    ),
]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [pytest.param(row[0], row[2], id=f"{row[0]}: {row[1]}") for row in HELPERS],
)
def test_kernels_are_exact(name: str, arguments: Arguments) -> None:
    """Kernels without a public face, and the defaults of those whose public face has its own."""
    assert excess(KERNELS[name](**arguments), getattr(exact, name)(**arguments)) <= 1


@pytest.mark.parametrize("x", [*LOGITS, -700.0, 1e-300])
def test_softplus_is_exact(x: float) -> None:
    """Relative to the value, however small."""
    truth = exact.softplus(exact.number(x))
    assert abs(exact.number(numeric.softplus(np.array(x))) - truth) <= UNIT * truth + 5e-324


@pytest.mark.parametrize(
    "u", [1e-300, -1e-9, 0.7, 1e10, 1e-300j, 1e-30 + 1e-40j, 0.5 + 1e-100j, -0.3 + 0.1j, 3 + 2j]
)
def test_log1p_is_exact(u: complex) -> None:
    """Real and imaginary part, each relative to itself."""
    answer, parts = numeric.log1p(np.array(u)), exact.mp.mpc(u)
    truth = exact.log1p(parts if isinstance(u, complex) else parts.real)
    for given, right in [(answer.real, truth.real), (answer.imag, truth.imag)]:
        assert abs(exact.number(given) - right) <= UNIT * abs(right) + 5e-324


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_log_sum_exp_and_log_softmax_are_exact(axis: int) -> None:
    """Along any axis, which is kept; -inf is a probability of 0."""
    x = random(8).choice(np.concatenate([LOGITS, LOGITS / 10]), (5, 6))
    x[np.arange(5), np.arange(5)] = -np.inf
    rows = np.moveaxis(exact.numbers(x), axis, -1)
    sums = np.array([[exact.log_sum_exp(row)] for row in rows], dtype=object)
    possible = np.moveaxis(np.isfinite(x), axis, -1)
    answer = numeric.log_softmax(x, axis=axis)
    assert np.isneginf(answer[~np.isfinite(x)]).all()
    assert excess(np.moveaxis(numeric.log_sum_exp(x, axis=axis), axis, -1), sums) <= 1
    assert excess(np.moveaxis(answer, axis, -1)[possible], (rows - sums)[possible]) <= 1


# Refusals

ACCEPTED: Mapping[str, Arguments] = {
    "cross_entropy": {"logits": np.zeros((2, 3)), "target": np.array([0, 2])},
    "sigmoid_focal": {"logits": np.zeros(3), "target": np.zeros(3)},
    "mse": {"input": np.zeros(3), "target": np.zeros(3)},
    "giou": {"boxes1": np.zeros((2, 4)), "boxes2": np.zeros((2, 4))},
    "dice": {"probs": np.zeros((2, 3, 4)), "target": np.zeros((2, 3, 4))},
    "arcface": {"features": np.eye(3), "label": np.array([0, 1, 1]), "weight": np.ones((2, 3))},
}
NAN, INF = np.nan, np.inf
BAD_VALUES: Mapping[str, Mapping[str, list[Any]]] = {
    "cross_entropy": {
        "logits": [
            np.zeros(2),
            np.zeros((2, 0)),
            [[0.0, 0.0, NAN], [0.0, 0.0, 0.0]],
            [[0.0, 0.0, INF], [0.0, 0.0, 0.0]],
            [[-INF, 0.0, 0.0], [0.0, 0.0, 0.0]],
        ],
        "target": [np.zeros((2, 1), int), np.zeros(3, int), [0, 3], [-1, 0]],
        "weight": [np.ones(2), np.ones((3, 1)), [1, -1e-9, 1], [1, NAN, 1], [INF, 1, 1]],
        "label_smoothing": [-1e-9, 1.001, NAN],
    },
    "sigmoid_focal": {
        "logits": [[0.0, NAN, 0.0], [-INF, 0.0, 0.0]],
        "target": [np.zeros((3, 1)), np.zeros(1), [0, 0, 1.001], [-1e-9, 0, 0], [NAN, 0, 0]],
        "gamma": [-1e-9, INF, NAN],
        "alpha": [-1e-9, 1.001, NAN],
    },
    "mse": {
        "input": [[NAN, 0.0, 0.0], [0.0, 0.0, INF]],
        "target": [np.zeros((3, 1)), np.zeros(1), [NAN, 0.0, 0.0], [0.0, 0.0, -INF]],
    },
    "giou": {
        name: [
            np.zeros(4),
            np.zeros((2, 5)),
            np.zeros((1, 2, 4)),
            [[0.0, 0.0, NAN, 0.0], [0.0, 0.0, 0.0, 0.0]],
            [[0.0, 0.0, INF, 0.0], [0.0, 0.0, 0.0, 0.0]],
            [[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.999, 0.0]],
            [[0.0, 1.0, 0.0, 0.999], [0.0, 0.0, 0.0, 0.0]],
        ]
        for name in ("boxes1", "boxes2")
    },
    "dice": {
        "probs": [
            np.zeros(3),
            np.full((2, 3, 4), NAN),
            *(np.full((2, 3, 4), bad) for bad in (-1e-9, 1.001)),
        ],
        "target": [np.zeros((2, 3)), *(np.full((2, 3, 4), bad) for bad in (NAN, -1e-9, 1.001))],
        "smooth": [-1e-9, INF, NAN],
        "activation": ["relu", None, ""],
    },
    "arcface": {
        "features": [np.zeros(3), np.zeros((3, 3, 1)), [[NAN] * 3] * 3, [[INF] * 3] * 3],
        "label": [np.zeros((3, 1), int), np.zeros(2, int), [0, 0, 2], [0, -1, 0]],
        "weight": [
            np.ones(3),
            np.ones((0, 3)),
            np.ones((2, 4)),
            [[0, NAN, 0]] * 2,
            [[1, -INF, 1]] * 2,
        ],
        "scale": [0.0, -1.0, INF, NAN],
        "margin": [-1e-9, np.pi, NAN],
    },
}
WRONG_TYPES: Mapping[str, Mapping[str, list[Any]]] = {
    "cross_entropy": {
        "logits": [np.zeros((2, 3), complex), [["a", "b", "c"]]],
        "target": [np.zeros(2), np.zeros(2, bool), ["a", "b"]],
        "weight": [np.ones(3, complex)],
    },
    "sigmoid_focal": {"logits": [np.zeros(3, complex)], "target": [np.zeros(3, object)]},
    "mse": {"input": [np.zeros(3, complex)], "target": [["a", "b", "c"]]},
    "giou": {"boxes1": [np.zeros((2, 4), complex)], "boxes2": [np.zeros((2, 4), object)]},
    "dice": {"probs": [np.zeros((2, 3, 4), complex)], "target": [np.zeros((2, 3, 4), object)]},
    "arcface": {
        "features": [np.zeros((3, 3), complex)],
        "label": [np.zeros(3), np.zeros(3, bool)],
        "weight": [np.ones((2, 3), object)],
    },
}
TOGETHER: list[tuple[str, Arguments, str]] = [
    (
        "cross_entropy",
        {"logits": [[-INF, 0.0], [0.0, 0.0]], "target": [1, 1], "label_smoothing": 0.1},
        "logits",
    ),
    ("dice", {"probs": np.full((2, 3, 4), INF), "activation": "sigmoid"}, "probs"),
    ("giou", {"boxes2": np.zeros((1, 4))}, "boxes2"),
]
REFUSALS = [
    *((name, {"reduction": bad}, "reduction", ValueError) for name in PUBLIC for bad in ("no", None)),
    *((name, changed, argument, ValueError) for name, changed, argument in TOGETHER),
    *(
        (name, {argument: bad}, argument, error)
        for table, error in ((BAD_VALUES, ValueError), (WRONG_TYPES, TypeError))
        for name in table
        for argument in table[name]
        for bad in table[name][argument]
    ),
]


@pytest.mark.parametrize("name", PUBLIC)
def test_the_refusals_start_from_an_accepted_call(name: str) -> None:
    """What is refused below is refused for the change alone."""
    assert np.isfinite(PUBLIC[name](**ACCEPTED[name]))


@pytest.mark.parametrize(
    ("name", "changed", "argument", "error"),
    [pytest.param(*row, id=f"{row[0]}: {row[2]} {place}") for place, row in enumerate(REFUSALS)],
)
def test_outside_the_domain_is_refused(
    name: str, changed: Arguments, argument: str, error: type[Exception]
) -> None:
    """The error is of the right kind and starts with the argument's name."""
    with pytest.raises(error, match=f"^{argument}: expected ") as caught:
        PUBLIC[name](**{**ACCEPTED[name], **changed})
    assert caught.type is error
