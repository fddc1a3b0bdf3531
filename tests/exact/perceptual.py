"""Differences of features, pixel by pixel from the definition of each layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from exact import Array, mp, number, numbers


def _convolution(image: Array, weight: Array, bias: Array) -> Array:
    """Each pixel gives its share to every neighbour that looks at it."""
    _, height, width = image.shape
    result = np.empty((len(bias), height, width), dtype=object)
    result[:] = bias[:, None, None]
    for source, row, column in np.ndindex(image.shape):
        for up, left in np.ndindex(3, 3):
            to_row, to_column = row + 1 - up, column + 1 - left
            if 0 <= to_row < height and 0 <= to_column < width:
                share = weight[:, source, up, left] * image[source, row, column]
                result[:, to_row, to_column] += share
    return result


def _pool(image: Array) -> Array:
    """The largest of four pixels."""
    channels, height, width = image.shape
    result = np.empty((channels, height // 2, width // 2), dtype=object)
    for channel, row, column in np.ndindex(result.shape):
        square = image[channel, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        result[channel, row, column] = max(square.flat)
    return result


def _layer(layer: Any, image: Array) -> Array:
    if layer == "relu":
        return np.array([max(x, mp.mpf(0)) for x in image.flat], dtype=object).reshape(image.shape)
    if layer == "pool":
        return _pool(image)
    return _convolution(image, *(numbers(array) for array in layer))


def vgg_content(
    output: Array,
    target: Array,
    features: Mapping[str, Any],
    *,
    layers: Sequence[str],
    weights: Sequence[float] | None = None,
) -> Array:
    """(1/L) Σ_l w_l · mean of (features_l(x) - features_l(y))²."""
    items = []
    for pair in zip(numbers(output), numbers(target), strict=True):
        (x, y), loss = pair, mp.mpf(0)
        for name, layer in features.items():
            x, y = _layer(layer, x), _layer(layer, y)
            if name in layers:
                weight = 1 if weights is None else number(weights[list(layers).index(name)])
                loss += weight * sum((a - b) ** 2 for a, b in zip(x.flat, y.flat, strict=True)) / x.size
            if name == max(layers, key=list(features).index):
                break
        items.append(loss / len(layers))
    return np.array(items, dtype=object)
