"""Oracles of the boundary losses: distances weigh the errors. Maps are made in oracles/distance.py."""

import numpy as np

from oracles.classification import cross_entropy, cross_entropy_items
from oracles.numeric import (
    Array,
    as_floats,
    as_labels,
    as_number,
    flatten,
    log_softmax,
    ratio,
    reduce,
    require,
    require_between,
    require_finite,
    require_number_between,
    require_reduction,
    require_same_shape,
)


def _require_labels(target: Array, logits: Array) -> None:
    """Labels (N, *) of logits (N, C, *)."""
    shape, classes = (logits.shape[0], *logits.shape[2:]), logits.shape[1]
    require(target.shape == shape, "target", f"a shape (N, *) = {shape}", target.shape)
    require((target >= 0) & (target < classes), "target", f"labels in [0, {classes})")


def _require_distance(name: str, distance: Array, first_name: str, first: Array) -> None:
    require_same_shape(first_name, first, name, distance)
    require(np.isfinite(distance) & (distance >= 0), name, "finite distances of at least 0")


def distance_dice_items(logits: Array, target: Array, distance: Array, *, smooth: float = 1.0) -> Array:
    """Items (..., N) of logits (..., N, 2, S), target (N, S) and distance (..., N, S)."""
    p = np.exp(log_softmax(logits, axis=-2))[..., 1, :]
    weight = 1 + distance
    intersection = (weight * p * target).sum(axis=-1)
    total = (weight * p).sum(axis=-1) + (weight * target).sum(axis=-1)
    return 1 - ratio(2 * intersection + smooth, total + smooth, empty=1)


def distance_dice(
    logits: Array, target: Array, distance: Array, *, smooth: float = 1.0, reduction: str = "mean"
) -> Array | np.floating:
    """Distance-weighted Dice loss: 1 - (2ΣDpg+s)/(ΣDp+ΣDg+s) in [0, 1], D = 1 + distance.

    p = softmax(logits)[:, 1], and g = target. Sums run over the voxels of a sample.

    Args:
        logits: (N, 2, *) finite.
        target: (N, *) integers, 0 or 1.
        distance: (N, *) finite, at least 0: how much more an error costs there.
        smooth: s, at least 0; two empty masks have a coefficient of 1.
        reduction: "none" gives items (N,).

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Caliva et al., openreview B1eIcvS45V, with the weights on both sides, so that it stays
    bounded.

    >>> distance_dice([[[0.0, 0.0], [0.0, 0.0]]], [[0, 1]], [[0.0, 2.0]], smooth=0.0)
    np.float64(0.4)
    """
    logits, target = as_floats("logits", logits), as_labels("target", target)
    distance = as_floats("distance", distance)
    require_reduction(reduction)
    is_pair = logits.ndim >= 2 and logits.shape[1] == 2
    require(is_pair, "logits", "a shape (N, 2, *)", logits.shape)
    require_finite("logits", logits)
    _require_labels(target, logits)
    _require_distance("distance", distance, "target", target)
    require_number_between("smooth", smooth, 0, np.finfo(np.float64).max)
    folded = (flatten(logits, 2), flatten(target, 1), flatten(distance, 1))
    return reduce(distance_dice_items(*folded, smooth=smooth), reduction)


def distance_weighted_ce_items(logits: Array, target: Array, distance: Array) -> Array:
    """Items (..., N, S) of logits (..., N, C, S), target (N, S) and distance (..., N, S)."""
    return (1 + distance) * cross_entropy_items(logits, target)


def distance_weighted_ce(
    logits: Array, target: Array, distance: Array, *, reduction: str = "mean"
) -> Array | np.floating:
    """Distance-weighted cross entropy: (1+E) · -log p_t, at least 0, p = softmax(logits).

    Args:
        logits: (N, C, *) finite; -inf allowed away from the target.
        target: (N, *) integers in [0, C).
        distance: E, (N, *) finite, at least 0: how much more an error costs there.
        reduction: "none" gives items (N, *); "mean" divides by their number.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Jadon, arXiv 2006.14822 (E: distance to the contour); Caliva et al., arXiv 1908.03679
    (E: :func:`~oracles.distance.penalty_map`).

    >>> distance_weighted_ce([[0.0, 0.0]], [1], [3.0])
    np.float64(2.772588722239781)
    """
    logits, target = as_floats("logits", logits), as_labels("target", target)
    distance = as_floats("distance", distance)
    require_reduction(reduction)
    require(logits.ndim >= 2 and logits.shape[1] >= 1, "logits", "a shape (N, C, *)", logits.shape)
    _require_labels(target, logits)
    _require_distance("distance", distance, "target", target)
    cross_entropy(logits, target)  # checks the logits
    folded = (flatten(logits, 2), flatten(target, 1), flatten(distance, 1))
    return reduce(distance_weighted_ce_items(*folded).reshape(target.shape), reduction)


def hausdorff_dt_items(
    probs: Array, target: Array, probs_distance: Array, target_distance: Array, *, power: float = 2.0
) -> Array:
    """Items, any shape: (p-g)² (d_p^a + d_g^a), which is 0 at p = g, however far that is."""
    difference = probs - target
    with np.errstate(over="ignore"):
        weight = probs_distance**power + target_distance**power
    largest = np.finfo(weight.dtype).max
    weight = np.where(difference.real == 0, np.minimum(weight, largest), weight)
    return difference**2 * weight


def hausdorff_dt(
    probs: Array,
    target: Array,
    probs_distance: Array,
    target_distance: Array,
    *,
    power: float = 2.0,
    reduction: str = "mean",
) -> Array | np.floating:
    """Hausdorff loss by distance transforms: (p-g)² (d_p^a + d_g^a), elementwise, at least 0.

    d_p and d_g are the distances of each voxel to the contours of the thresholded p and of g
    (:func:`~oracles.distance.contour_distance`). They are constants: gradient flows to p alone.

    Args:
        probs: any shape, in [0, 1].
        target: same shape, in [0, 1].
        probs_distance: same shape, finite, at least 0.
        target_distance: likewise.
        power: a, above 0; the farther, the steeper. 0^a = 0.
        reduction: "none" gives items of the same shape.

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Karimi and Salcudean, arXiv 1904.10030.

    >>> hausdorff_dt([0.5], [1.0], [1.0], [3.0])
    np.float64(2.5)
    """
    probs, target = as_floats("probs", probs), as_floats("target", target)
    require_reduction(reduction)
    require_same_shape("probs", probs, "target", target)
    require_between("probs", probs, 0, 1)
    require_between("target", target, 0, 1)
    distances = {"probs_distance": probs_distance, "target_distance": target_distance}
    maps = {name: as_floats(name, values) for name, values in distances.items()}
    for name, values in maps.items():
        _require_distance(name, values, "probs", probs)
    require(0 < as_number("power", power) < np.inf, "power", "a finite number above 0", power)
    return reduce(hausdorff_dt_items(probs, target, **maps, power=power), reduction)
