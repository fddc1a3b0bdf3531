"""Errors weighed by distances, by their definitions."""

import numpy as np

import exact.classification
from exact import Array, Number, each, mp, number, numbers, softmax


def distance_dice(logits: Array, target: Array, distance: Array, *, smooth: float = 1.0) -> Array:
    """1 - (2ΣDpg+s)/(ΣDp+ΣDg+s), where 0/0 is 1, D = 1 + distance and p = softmax(logits)[1]."""
    items, s = [], number(smooth)
    for sample, labels, distances in zip(numbers(logits), target, numbers(distance), strict=True):
        above, below = s, s
        voxels = sample.reshape(2, -1).T
        for voxel, g, d in zip(voxels, np.ravel(labels), np.ravel(distances), strict=True):
            p, weight = softmax(voxel)[1], 1 + d
            above += 2 * weight * p * int(g)
            below += weight * p + weight * int(g)
        items.append(1 - above / below if below else mp.mpf(0))
    return np.array(items, dtype=object)


def distance_weighted_ce(logits: Array, target: Array, distance: Array) -> Array:
    """(1+E) · -log p_t."""
    return (1 + numbers(distance)) * exact.classification.cross_entropy(logits, target)


def hausdorff_dt(
    probs: Array, target: Array, probs_distance: Array, target_distance: Array, *, power: float = 2.0
) -> Array:
    """(p-g)² (d_p^a + d_g^a)."""
    a = number(power)

    def item(p: Number, g: Number, d_p: Number, d_g: Number) -> Number:
        return (p - g) * (p - g) * (d_p**a + d_g**a)

    return each(item, probs, target, probs_distance, target_distance)
