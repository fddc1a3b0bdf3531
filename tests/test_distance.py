"""The distance maps: their laws, a second derivation, and what they refuse."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from exact import Array
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from impls import boundary
from lossproof import contour_distance, penalty_map

Builder = Callable[..., Array]
BUILDERS = pytest.mark.parametrize("build", [contour_distance, penalty_map])
SAMPLES = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=3, max_side=6))
"""One mask of two or three axes."""

maps = settings(deadline=None, database=None, derandomize=True)


def brute_distance(mask: Array) -> Array:
    """The smallest distance of all pairs of voxels of different classes."""
    places = np.argwhere(np.ones(mask.shape))
    distance = np.sqrt(((places[:, None] - places) ** 2).sum(axis=-1))
    same = mask.ravel()[:, None] == mask.ravel()
    if same.all():
        return np.zeros(mask.shape)
    return np.where(same, np.inf, distance).min(axis=1).reshape(mask.shape)


def brute_penalty(mask: Array) -> Array:
    """Region by region, voxel by voxel."""
    distance, penalty = brute_distance(mask), np.zeros(mask.shape)
    for place in np.argwhere(distance > 0):
        region = distance[mask == mask[tuple(place)]]
        deepest = max(region.max() - d for d in region)
        if deepest > 0:
            penalty[tuple(place)] = (region.max() - distance[tuple(place)]) / deepest
    return penalty


@maps
@given(SAMPLES)
def test_contour_distance_is_the_shortest_of_all_pairs(mask: Array) -> None:
    assert np.allclose(contour_distance(mask, batch_axes=0), brute_distance(mask), rtol=1e-15, atol=0)


@maps
@given(SAMPLES)
def test_penalty_map_is_its_definition(mask: Array) -> None:
    assert np.allclose(penalty_map(mask, batch_axes=0), brute_penalty(mask), rtol=1e-14, atol=1e-15)


@maps
@given(SAMPLES)
def test_penalty_lies_in_the_unit_interval(mask: Array) -> None:
    """It reaches both ends wherever a class has voxels at two distances."""
    penalty, distance = penalty_map(mask, batch_axes=0), contour_distance(mask, batch_axes=0)
    assert ((penalty >= 0) & (penalty <= 1)).all()
    for region in (mask, ~mask):
        if np.unique(distance[region]).size > 1:
            assert (penalty[region].min(), penalty[region].max()) == (0, 1)


@maps
@given(SAMPLES)
def test_penalty_falls_with_the_distance(mask: Array) -> None:
    """Inside each class, voxels farther from the contour have less of it."""
    penalty, distance = penalty_map(mask, batch_axes=0), contour_distance(mask, batch_axes=0)
    for region in (mask, ~mask):
        order = np.argsort(distance[region])
        assert (np.diff(penalty[region][order]) <= 0).all()


@maps
@given(SAMPLES)
def test_contour_distance_is_one_next_to_the_contour_and_never_less(mask: Array) -> None:
    """Next to the contour: one step along an axis leads to the other class."""
    assume(mask.any() and not mask.all())
    distance = contour_distance(mask, batch_axes=0)
    assert (distance >= 1).all()
    for axis in range(mask.ndim):
        first, second = (np.moveaxis(array, axis, 0) for array in (mask, distance))
        crossing = first[1:] != first[:-1]
        assert (second[1:][crossing] == 1).all()
        assert (second[:-1][crossing] == 1).all()


@BUILDERS
@maps
@given(mask=SAMPLES, data=st.data())
def test_mirrors_and_quarter_turns_move_the_map_along(
    build: Builder, mask: Array, data: st.DataObject
) -> None:
    axes = data.draw(st.permutations(range(mask.ndim)))[:2]
    turns = data.draw(st.integers(0, 3))

    def moved(array: Array) -> Array:
        return np.flip(np.rot90(array, turns, axes), axes[0])

    assert np.array_equal(build(moved(mask), batch_axes=0), moved(build(mask, batch_axes=0)))


@BUILDERS
@maps
@given(mask=SAMPLES)
def test_both_classes_are_treated_alike(build: Builder, mask: Array) -> None:
    assert np.array_equal(build(~mask, batch_axes=0), build(mask, batch_axes=0))


@BUILDERS
@pytest.mark.parametrize("fill", [0, 1])
@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (2, 3, 4), (0, 3)])
def test_one_class_alone_is_zero(build: Builder, fill: int, shape: tuple[int, ...]) -> None:
    built = build(np.full(shape, fill), batch_axes=0)
    assert built.shape == shape
    assert built.dtype == np.float64
    assert (built == 0).all()


@BUILDERS
@maps
@given(st.data())
def test_batches_are_built_sample_by_sample(build: Builder, data: st.DataObject) -> None:
    """One with a class alone beside one with both, and no sample at all."""
    batch_axes = data.draw(st.integers(1, 2))
    dims = batch_axes + data.draw(st.integers(2, 3))
    shape = data.draw(hnp.array_shapes(min_dims=dims, max_dims=dims, min_side=0, max_side=4))
    masks = data.draw(hnp.arrays(bool, shape))
    built = build(masks, batch_axes=batch_axes)
    assert built.shape == shape
    assert built.dtype == np.float64
    for index in np.ndindex(shape[:batch_axes]):
        assert np.array_equal(built[index], build(masks[index], batch_axes=0))
    if batch_axes == 1:
        assert np.array_equal(built, build(masks))


@BUILDERS
@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float16, np.float64, list, torch.tensor])
def test_any_way_to_write_a_mask_is_the_same(build: Builder, kind: Callable[..., object]) -> None:
    mask = np.array([[[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]])
    before = mask.copy()
    written = mask.astype(kind) if isinstance(kind, type) and kind is not list else kind(mask.tolist())
    assert np.array_equal(build(written), build(mask))
    assert np.array_equal(mask, before)


@BUILDERS
@pytest.mark.parametrize(
    ("mask", "options", "error", "message"),
    [
        (np.full((1, 2, 2), 2), {}, ValueError, "mask: expected only 0 and 1"),
        (np.full((1, 2, 2), -1), {}, ValueError, "mask: expected only 0 and 1"),
        (np.full((1, 2, 2), 0.5), {}, ValueError, "mask: expected only 0 and 1"),
        (np.full((1, 2, 2), np.nan), {}, ValueError, "mask: expected only 0 and 1"),
        (np.zeros(()), {}, ValueError, "mask: expected 2 or 3 axes of space after 1 of the batch"),
        (np.zeros((4, 4)), {}, ValueError, "mask: expected 2 or 3 axes of space after 1 of the batch"),
        (np.zeros((1, 1, 2, 2, 2)), {}, ValueError, r"mask: .*got shape \(1, 1, 2, 2, 2\)"),
        (np.zeros(4), {"batch_axes": 0}, ValueError, "mask: expected 2 or 3 axes of space after 0"),
        (np.zeros((1, 2, 2)), {"batch_axes": 2}, ValueError, "mask: expected 2 or 3 axes"),
        (np.zeros((1, 2, 2)), {"batch_axes": -1}, ValueError, "batch_axes: expected at least 0"),
        (np.zeros((1, 2, 2)), {"batch_axes": True}, TypeError, "batch_axes: expected int, got bool"),
        (np.zeros((1, 2, 2)), {"batch_axes": 1.0}, TypeError, "batch_axes: expected int, got float"),
        (np.zeros((1, 2, 2), complex), {}, TypeError, "mask: expected booleans or numbers"),
        ([[["no"]]], {}, TypeError, "mask: expected booleans or numbers"),
    ],
)
def test_bad_masks_are_refused(
    build: Builder, mask: object, options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        build(mask, **options)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("loss", [boundary.hausdorff_dt_naive, boundary.hausdorff_dt_vectorized])
def test_no_power_of_a_distance_makes_nan(loss: Callable[..., torch.Tensor], dtype: torch.dtype) -> None:
    """Where the power overflows, equal masks still have no loss, and others have no end of it."""
    probs = torch.tensor([0.25, 0.75], dtype=dtype, requires_grad=True)
    target, distance = torch.tensor([0.25, 0.5], dtype=dtype), torch.full((2,), 1e4, dtype=dtype)
    items = loss(probs, target, distance, distance, power=1e3, reduction="none")
    (slope,) = torch.autograd.grad(items.sum(), probs)
    assert items.tolist() == [0, torch.inf]
    assert slope.tolist() == [0, torch.inf]
