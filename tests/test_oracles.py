"""The oracles against mpmath at 50 digits: values, sums, means, gradients, refusals.

One rule for an error: at most 32 · 2⁻⁵³ · max(1, |y|, condition). A condition above 1 is given, and
said why, where the definition itself magnifies a rounding in the middle.

Here are the tests, the same for all losses. What they walk is in ``truths``, the definitions are in
``exact``: a module a family.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import exact
import numpy as np
import pytest
import truths
from exact import Array
from truths import LOGITS, Arguments, Gradient, KernelTruth, LossTruth, random

from lossproof import CATALOG
from oracles import numeric

pytestmark = pytest.mark.filterwarnings("error")

KERNELS: list[KernelTruth] = [
    row
    for family in pkgutil.iter_modules(truths.__path__)
    for row in import_module(f"truths.{family.name}").TRUTHS
]
LOSSES = [row for row in KERNELS if isinstance(row, LossTruth)]
UNIT = 32 * 2.0**-53
LONG_UNIT = 64 * 2.0**-64

every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)


def excess(answer: Any, truth: Array, condition: float = 1.0, unit: float = UNIT) -> float:
    """The largest error as a multiple of what the rule allows; NaN is infinitely wrong."""
    assert np.shape(answer) == truth.shape
    worst = 0.0
    for given, right in zip(exact.numbers(answer).flat, truth.flat, strict=True):
        share = abs(given - right) / (unit * max(1.0, abs(right), condition))
        worst = np.inf if exact.mp.isnan(share) else max(worst, float(share))
    return worst


# Completeness


@pytest.mark.parametrize("name", CATALOG)
def test_every_loss_of_the_catalogue_has_one_truth(name: str) -> None:
    """It is about the oracle and the kernel that the catalogue uses, and divides means like it."""
    loss = CATALOG[name]
    rows = [(row.oracle, row.items, row.divisor is None) for row in LOSSES if row.name == name]
    assert rows == [(loss.oracle, loss.items, loss.divisor is None)]


@every_loss
def test_no_table_of_a_loss_is_empty(loss: LossTruth) -> None:
    """Each has cases and gradients, and for every argument that a call needs a refusal of each kind."""
    assert loss.cases
    assert loss.gradients
    assert all(gradient.along for gradient in loss.gradients.values())
    for argument in loss.accepted:
        assert loss.bad_values.get(argument)
        assert loss.wrong_types.get(argument)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_every_kernel_has_values_and_gradients(kernel: KernelTruth) -> None:
    """A kernel without a public face has its values compared in calls of its own."""
    assert kernel.gradients
    assert isinstance(kernel, LossTruth) or kernel.kernel_cases


# Values


every_case = pytest.mark.parametrize(
    ("loss", "case"),
    [pytest.param(loss, case, id=f"{loss.name}: {case}") for loss in LOSSES for case in loss.cases],
)


@every_case
def test_values_are_exact(loss: LossTruth, case: str) -> None:
    """Every item is right, and so are their sum and mean."""
    arguments, items = loss.cases[case], loss.definition(**loss.cases[case])
    answer = loss.oracle(**arguments, reduction="none")
    assert answer.dtype == np.float64
    assert excess(answer, items, loss.condition(arguments)) <= 1

    # sum and mean (the default) may be off by what their items may be off by, together
    off = sum(max(loss.condition(arguments), abs(item)) for item in items.flat)
    divisor = loss.divisor(**arguments) if loss.divisor else exact.mp.mpf(items.size)
    total = np.array(sum(items.flat), dtype=object)
    assert excess(loss.oracle(**arguments, reduction="sum"), total, off) <= 1
    mean = total / divisor if divisor else total * 0
    answer = loss.oracle(**arguments, reduction="mean")
    assert excess(answer, np.array(mean, dtype=object), off / divisor if divisor else 0) <= 1
    assert loss.oracle(**arguments) == answer


@pytest.mark.parametrize(
    ("loss", "arguments", "shape"),
    [
        pytest.param(loss, arguments, shape, id=f"{loss.name}: {case}")
        for loss in LOSSES
        for case, (arguments, shape) in loss.nothing.items()
    ],
)
def test_nothing_to_average_is_zero(
    loss: LossTruth, arguments: Arguments, shape: tuple[int, ...]
) -> None:
    """Items are missing or 0; sum and mean are 0, not NaN."""
    items = loss.oracle(**arguments, reduction="none")
    assert items.shape == shape
    assert (items == 0).all()
    assert loss.oracle(**arguments, reduction="sum") == 0
    assert loss.oracle(**arguments, reduction="mean") == 0


def is_floats(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def third(value: Any) -> Any:
    """A third of an array of floats, in long double: numbers that float64 does not have."""
    if isinstance(value, list):
        return [third(part) for part in value]
    if is_floats(value):
        return value / np.longdouble(3)
    return np.longdouble(value) if isinstance(value, float) else value


@every_loss
def test_long_double_is_kept(loss: LossTruth) -> None:
    """Long double inputs and options give long double accuracy, out of reach of float64."""
    excess_of_doubles = 0.0
    for arguments in loss.cases.values():
        given = {**loss.long_double_options, **arguments}
        precise = {key: third(value) for key, value in given.items()}
        truth, condition = loss.definition(**precise), loss.condition(arguments)
        items = loss.oracle(**precise, reduction="none")
        assert items.dtype == np.longdouble
        assert excess(items, truth, condition, LONG_UNIT) <= 1
        doubles = excess(items.astype(np.float64), truth, condition, LONG_UNIT)
        excess_of_doubles = max(excess_of_doubles, doubles)
    assert excess_of_doubles > 1


# Gradients and leading axes


@pytest.mark.parametrize(
    ("kernel", "gradient", "argument"),
    [
        pytest.param(kernel, gradient, argument, id=f"{kernel.name}: {case}, {argument}")
        for kernel in KERNELS
        for case, gradient in kernel.gradients.items()
        for argument in gradient.along
    ],
)
def test_complex_step_is_the_gradient(kernel: KernelTruth, gradient: Gradient, argument: str) -> None:
    """Imaginary parts of the kernel, a step along each element, against differences in mpmath."""
    arguments, size = gradient.arguments, gradient.size
    array = arguments[argument]
    steps = 1e-100j * np.eye(array.size).reshape(array.size, *array.shape)
    answers = kernel.items(**{**arguments, argument: array + steps}).imag / 1e-100
    definition = gradient.definition or kernel.definition
    truth = exact.jacobian(definition, arguments, argument, size)
    assert excess(answers.reshape(truth.shape) * size, truth * size, gradient.condition) <= 1


@pytest.mark.parametrize(
    ("kernel", "gradient"),
    [
        pytest.param(kernel, gradient, id=f"{kernel.name}: {case}")
        for kernel in KERNELS
        for case, gradient in kernel.gradients.items()
    ],
)
def test_kernels_take_leading_axes(kernel: KernelTruth, gradient: Gradient) -> None:
    """Stacks (2, 3, ...) of all float arrays, and of each alone, give the calls one by one."""
    arguments = gradient.arguments
    moving = [key for key, value in arguments.items() if is_floats(value)]
    factors = 1 - random(7).uniform(0, 0.5, (2, 3))
    for chosen in [moving, *([key] for key in moving)]:
        stacks = {key: np.multiply.outer(factors, arguments[key]) for key in chosen}
        answers = kernel.items(**{**arguments, **stacks})
        assert answers.shape[:2] == (2, 3)
        for index in np.ndindex(2, 3):
            alone = kernel.items(**{**arguments, **{key: stacks[key][index] for key in chosen}})
            assert excess(answers[index], exact.numbers(alone), gradient.condition) <= 1


@pytest.mark.parametrize(
    ("kernel", "arguments"),
    [
        pytest.param(kernel, arguments, id=f"{kernel.name}: {case}")
        for kernel in KERNELS
        for case, arguments in kernel.kernel_cases.items()
    ],
)
def test_kernels_are_exact(kernel: KernelTruth, arguments: Arguments) -> None:
    """Kernels without a public face, and the defaults of those whose public face has its own."""
    assert excess(kernel.items(**arguments), kernel.definition(**arguments)) <= 1


# Refusals


@every_loss
def test_the_refusals_start_from_an_accepted_call(loss: LossTruth) -> None:
    """What is refused below is refused for the change alone."""
    assert np.isfinite(loss.oracle(**loss.accepted))


def refusals(loss: LossTruth) -> Iterator[tuple[Mapping[str, Any], str, type[Exception]]]:
    """What is changed of the accepted call, the argument to name, and the error."""
    for bad in ("no", None):
        yield {"reduction": bad}, "reduction", ValueError
    for changed, argument in loss.bad_together:
        yield changed, argument, ValueError
    for table, error in ((loss.bad_values, ValueError), (loss.wrong_types, TypeError)):
        for argument, values in table.items():
            for bad in values:
                yield {argument: bad}, argument, error


@pytest.mark.parametrize(
    ("loss", "changed", "argument", "error"),
    [
        pytest.param(loss, *row, id=f"{loss.name}: {row[1]} {place}")
        for loss in LOSSES
        for place, row in enumerate(refusals(loss))
    ],
)
def test_outside_the_domain_is_refused(
    loss: LossTruth, changed: Arguments, argument: str, error: type[Exception]
) -> None:
    """The error is of the right kind and starts with the argument's name."""
    with pytest.raises(error, match=f"^{argument}: expected ") as caught:
        loss.oracle(**{**loss.accepted, **changed})
    assert caught.type is error


# Building blocks


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


@pytest.mark.parametrize("x", [1e-300, 0.3, 1.0, 7.0])
@pytest.mark.parametrize("exponent", [0.05, 0.75, 1.0, 2.5])
def test_power_is_exact(x: float, exponent: float) -> None:
    """Value and slope, each relative to itself."""
    answer = numeric.power(np.array(x + 1e-100j), exponent)
    base, power = exact.number(x), exact.number(exponent)
    truths = base**power, power * base ** (power - 1)
    for given, right in zip((answer.real, answer.imag / 1e-100), truths, strict=True):
        assert abs(exact.number(given) - right) <= UNIT * right + 5e-324
    assert numeric.power(np.array(x), exponent) == answer.real


@pytest.mark.parametrize(("exponent", "slope"), [(1.0, 1.0), (1 + 2**-52, 0.0), (3.0, 0.0)])
def test_power_of_zero(exponent: float, slope: float) -> None:
    """The slope at 0 jumps from 1 to 0 as the exponent leaves 1."""
    answer = numeric.power(np.array([1e-100j, 0j]), exponent)
    assert answer.tolist() == [slope * 1e-100j, 0]


def test_ratio_keeps_nothing_of_a_squared_step() -> None:
    """A step in both parts at 0 leaves 0, whose power slightly above 1 has a slope of 0."""
    answer = numeric.ratio(np.array(1e-100j), np.array(3 + 1e-100j), empty=0)
    assert answer.real == 0
    assert abs(answer.imag / 1e-100 - 1 / 3) <= 1e-16
    assert numeric.power(answer, 1 + 1e-5).imag == 0


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
