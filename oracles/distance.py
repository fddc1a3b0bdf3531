"""Distance maps of masks: what the boundary losses are given, made on the data side.

Axis 0 of a mask is the batch, as in the losses, and all others are space: whether an axis is space is
never guessed from a size. ``batch_axes`` says so where it is otherwise: 0 for one mask alone, as a
Dataset holds it, and 2 for masks (N, C, *) with a channel for each class.
"""

import math
from collections.abc import Callable

import numpy as np
from scipy.ndimage import distance_transform_edt

from oracles.numeric import Array, require


def contour_distance(mask: object, *, batch_axes: int = 1) -> Array:
    """Distance of each voxel to the nearest voxel of the other class, in voxels.

    It is 1 next to the contour and nowhere less, and 0 everywhere where a sample is all one class.

    Args:
        mask: (N, H, W) or (N, D, H, W), of 0 and 1 or of booleans; a tensor on the CPU will do.
        batch_axes: how many leading axes only count samples; the 2 or 3 others are space. 0: one mask
            (H, W) or (D, H, W). 2: (N, C, H, W) or (N, C, D, H, W).

    Returns:
        float64 of the mask's shape. Each sample is measured for itself.

    Raises:
        TypeError, ValueError: the mask is not binary, or has another number of axes.

    Source: Karimi and Salcudean, arXiv 1904.10030, who weigh errors with it (``hausdorff_dt``).

    >>> contour_distance([[0, 0, 1, 1], [0, 0, 1, 1]], batch_axes=0)
    array([[2., 1., 1., 2.],
           [2., 1., 1., 2.]])

    In a Dataset, beside the mask that it belongs to::

        mask = load_mask(index)  # (H, W), of 0 and 1
        distance = torch.from_numpy(contour_distance(mask, batch_axes=0)).float()
        return image, torch.from_numpy(mask), distance
    """
    return _each_sample(mask, batch_axes, _contour_distance)


def penalty_map(mask: object, *, batch_axes: int = 1) -> Array:
    """Penalty of each voxel, from 1 at the contour to 0 where it is farthest from there.

    With d the distance to the nearest voxel of the other class (:func:`contour_distance`), a voxel has
    (max d - d) / (max d - min d), where both are taken over the voxels of its own class in its sample;
    0 where all voxels of its class are equally far, or the sample is all one class.

    Args:
        mask: (N, H, W) or (N, D, H, W), of 0 and 1 or of booleans; a tensor on the CPU will do.
        batch_axes: how many leading axes only count samples; the 2 or 3 others are space. 0: one mask
            (H, W) or (D, H, W). 2: (N, C, H, W) or (N, C, D, H, W).

    Returns:
        float64 of the mask's shape, in [0, 1]. Each sample is measured for itself.

    Raises:
        TypeError, ValueError: the mask is not binary, or has another number of axes.

    Source: Caliva et al., arXiv 1908.03679.

    >>> penalty_map([[0, 0, 0, 1, 1], [0, 0, 0, 1, 1]], batch_axes=0)
    array([[0. , 0.5, 1. , 1. , 0. ],
           [0. , 0.5, 1. , 1. , 0. ]])

    In a Dataset, beside the mask that it belongs to::

        mask = load_mask(index)  # (H, W), of 0 and 1
        penalty = torch.from_numpy(penalty_map(mask, batch_axes=0)).float()
        return image, torch.from_numpy(mask), penalty
    """
    return _each_sample(mask, batch_axes, _penalty)


def _each_sample(mask: object, batch_axes: int, build: Callable[[Array], Array]) -> Array:
    """The map of each sample of a checked mask, in the mask's shape."""
    array = np.asarray(mask)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"mask: expected booleans or numbers, got {array.dtype}")
    if isinstance(batch_axes, bool) or not isinstance(batch_axes, int):
        raise TypeError(f"batch_axes: expected int, got {type(batch_axes).__name__}")
    require(batch_axes >= 0, "batch_axes", "at least 0", batch_axes)
    expected = f"2 or 3 axes of space after {batch_axes} of the batch (see batch_axes)"
    require(array.ndim - batch_axes in (2, 3), "mask", expected, f"shape {array.shape}")
    require((array == 0) | (array == 1), "mask", "only 0 and 1")
    space = array.shape[batch_axes:]
    samples = array.astype(bool).reshape(math.prod(array.shape[:batch_axes]), *space)
    maps = np.zeros(samples.shape)
    for sample, built in zip(samples, maps, strict=True):
        if sample.any() and not sample.all():
            built[...] = build(sample)
    return maps.reshape(array.shape)


def _contour_distance(sample: Array) -> Array:
    """SciPy measures from each voxel that is not 0 to the nearest that is; elsewhere it gives 0."""
    distance: Array = distance_transform_edt(sample) + distance_transform_edt(~sample)
    return distance


def _penalty(sample: Array) -> Array:
    distance = _contour_distance(sample)
    penalty = np.zeros(sample.shape)
    for region in (sample, ~sample):
        depth = distance[region].max() - distance[region]
        penalty[region] = depth / (depth.max() or 1)
    return penalty
