"""The budget: its parts, its kinks, and the oracle's gradient by complex step."""

import numpy as np
import pytest
import torch

from lossproof import CATALOG, tolerance
from lossproof.cases import generated, large
from properties.case import DTYPES, Case, round_to, spacing_at

C32, SMALLEST = 2.0**-24, DTYPES["float32"].smallest


def _boxes(*pairs: list[float]) -> Case:
    array = np.array(pairs)
    return Case({"boxes1": array[:, :4], "boxes2": array[:, 4:]})


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_rounding_is_torchs(dtype: str) -> None:
    """round_to agrees with torch, ties, subnormal numbers and overflow included."""
    random = np.random.default_rng(0)
    values = random.normal(size=4000) * 10.0 ** random.integers(-42, 39, size=4000)
    values = np.concatenate([values, [0.0, 1 + 2.0**-9, 1 + 2.0**-12, 65519.9, 65520.0, 3.4e38]])
    values = values.astype(np.float32).astype(np.float64)
    wanted = torch.from_numpy(values).to(getattr(torch, dtype)).double().numpy()
    np.testing.assert_array_equal(round_to(values, dtype), wanted)


def test_spacing_is_one_ulp() -> None:
    assert spacing_at(1.0, "float32") == 2.0**-23
    assert spacing_at(0.0, "float16") == 2.0**-24
    assert spacing_at(257.0, "bfloat16") == 2.0


def test_budget_of_a_well_conditioned_value_is_the_floor() -> None:
    case = Case({"input": np.array([3.0]), "target": np.array([1.0])})
    truth = tolerance.true_items(CATALOG["mse"], case, C32, SMALLEST)
    assert truth.value == 4.0
    assert truth.floor == pytest.approx(4 * C32)
    # 2 (x - y) (x + y) c is the furthest that one unit moves it
    assert truth.budget == pytest.approx(4 * C32 + 16 * C32, rel=1e-5)


def test_budget_of_a_sum_is_the_sum_of_budgets() -> None:
    case = Case({"input": np.array([3.0, 0.0]), "target": np.array([1.0, 0.0])})
    loss = CATALOG["mse"]
    items = tolerance.true_items(loss, case, C32, SMALLEST)
    total = tolerance.true_total(loss, case, C32, SMALLEST, mean=False)
    mean = tolerance.true_total(loss, case, C32, SMALLEST, mean=True)
    assert total.budget == items.budget.sum()
    assert mean.budget == total.budget / 2
    assert mean.value == 2.0


def test_gradient_by_complex_step_is_exact() -> None:
    """Against the closed form of the squared error, to the last digit."""
    random = np.random.default_rng(1)
    case = Case({"input": random.normal(size=7), "target": random.normal(size=7)}, seed=5)
    loss = CATALOG["mse"]
    truth = tolerance.true_gradient(loss, case, "input", C32, SMALLEST, "none")
    wanted = 2 * (case["input"] - case["target"]) * tolerance.upstream(loss, case)
    np.testing.assert_allclose(truth.value, wanted, rtol=2**-52)


def test_hard_targets_are_judged() -> None:
    """Of a target at 0 or 1 only moves to one side are left: some near and some far move is one."""
    row = CATALOG["binary_cross_entropy"]
    case = large(row, "float32", 0)
    assert np.isfinite(tolerance.true_items(row, case, C32, SMALLEST).budget).all()


def test_a_tie_is_not_judged_and_its_neighbour_is() -> None:
    """Touching sides have no single gradient: the budget is the jump. Sides apart have one."""
    touching = _boxes([0, 0, 1, 1, 1, 0.25, 2, 0.5])
    apart = _boxes([0, 0, 1, 1, 1.5, 0.25, 2, 0.5])
    loss = CATALOG["giou"]
    unsure = tolerance.true_gradient(loss, touching, "boxes1", C32, SMALLEST, "sum")
    sure = tolerance.true_gradient(loss, apart, "boxes1", C32, SMALLEST, "sum")
    assert unsure.budget[0, 2] > 0.05
    assert sure.budget.max() < 1e-6


@pytest.mark.parametrize("at", [0.0, 1.0, 2.0**20, -(2.0**20)])
def test_ties_are_found_wherever_they_are(at: float) -> None:
    """Shared sides at 0 and far away, where a unit of one side is a lot or nothing."""
    case = _boxes([at, 0, at + 4, 1, at, 0.25, at + 2, 0.5])
    truth = tolerance.true_gradient(CATALOG["giou"], case, "boxes1", C32, SMALLEST, "sum")
    assert np.isinf(truth.budget[0, 0]) or truth.budget[0, 0] > abs(truth.value[0, 0]) / 8


@pytest.mark.parametrize("loss", ["iou", "giou", "diou", "ciou"])
@pytest.mark.parametrize("size", [1.0, 2.0**-20])
def test_a_line_on_a_side_is_not_judged(loss: str, size: float) -> None:
    """A box without width on the side of another ties three coordinates: nothing is judged along x,
    where a gradient may be as large as one over a rounding."""
    case = _boxes([size * x for x in (1, -1, 1, 2, 0, 0, 1, 1)])
    for name in ("boxes1", "boxes2"):
        truth = tolerance.true_gradient(CATALOG[loss], case, name, C32, SMALLEST, "sum")
        assert np.isinf(truth.budget[0, [0, 2]]).all()
        assert (truth.reach[0, [0, 2]] > 1 / size).all()


@pytest.mark.parametrize("side", [-1e-12, 1e-12])
def test_a_kink_half_hidden_by_curvature_is_found(side: float) -> None:
    """A side that ties, of a box so flat that curvature hides a part of the jump: the gradient on
    either side of the tie is right."""
    flat = np.array([0.0, -1.0919139640463982e-05, 0.001292325323447585, 0.0])
    other = [0.0, 0.0, 0.09375, 0.24818773567676544]
    at, beside = (
        tolerance.true_gradient(CATALOG["giou"], _boxes([*flat, *other]), "boxes1", C32, SMALLEST, "sum")
        for flat in (flat, flat + np.array([0, 0, 0, side]))
    )
    assert abs(beside.value[0, 3] - at.value[0, 3]) <= 8 * at.budget[0, 3]


@pytest.mark.parametrize(("bend", "judged"), [(1.5, True), (3.0, False)])
def test_opposite_far_moves_must_cancel(bend: float, judged: bool) -> None:
    """To within two budgets, or there is a kink; 8 would let curvature hide a part of it."""
    answers = np.zeros((len(tolerance.ALL_MOVES), 1))
    answers[1 + tolerance.PERTURBATIONS] = bend
    truth = tolerance._judged(answers, np.ones(1), 0.0, paired=True)
    assert np.isfinite(truth.budget[0]) == judged


@pytest.mark.parametrize("loss", ["giou", "ciou"])
def test_thin_boxes_are_judged(loss: str) -> None:
    """What all the corners of a thin box add up to is no jump: every value is judged."""
    for case in generated(CATALOG[loss], "float32", 60, 0):
        assert np.isfinite(tolerance.true_items(CATALOG[loss], case, C32, SMALLEST).budget).all()


def test_long_double_judges_float64() -> None:
    """The oracle is more precise than what it judges: dice's gradient in float64 is off by itself."""
    random = np.random.default_rng(2)
    shape = (1, 1, 40)
    values = {"probs": random.random(shape), "target": np.rint(random.random(shape))}
    options = {"smooth": 1.0, "squared": False, "batch": False}
    case = Case({**values, **options, "include_background": True, "activation": "none"})
    truth = tolerance.true_items(CATALOG["dice"], case, 2.0**-53, 2.0**-1074)
    exact = float(CATALOG["dice"].exact(case, reduction="sum"))
    assert truth.value.item() == pytest.approx(exact, abs=4 * 2.0**-53)


def test_some_gradients_are_the_gradient() -> None:
    """A few entries of a large case, computed alone, are those of the whole."""
    random = np.random.default_rng(3)
    boxes = np.sort(random.random((30, 2, 2)), axis=1).reshape(30, 4)
    other = np.sort(random.random((30, 2, 2)), axis=1).reshape(30, 4)
    case = Case({"boxes1": boxes, "boxes2": other})
    loss, places = CATALOG["giou"], np.array([0, 17, 119])
    some = tolerance.some_gradients(loss, case, "boxes1", places, C32, SMALLEST)
    whole = tolerance.true_gradient(loss, case, "boxes1", C32, SMALLEST, "sum")
    np.testing.assert_allclose(some.value, whole.value.reshape(-1)[places], rtol=1e-12, atol=1e-15)
