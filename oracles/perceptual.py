"""Oracle of the perceptual loss: a network of convolutions, ReLUs and max-pools in NumPy.

A network is a mapping from the names of its layers, in order, to what they are: a pair of arrays
(weight, bias) for a convolution of 3x3 pixels with a border of zeros, ``"relu"``, or ``"pool"`` for
the largest of 2x2 pixels.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from oracles.numeric import (
    Array,
    as_floats,
    reduce,
    require,
    require_finite,
    require_number_between,
    require_reduction,
    require_same_shape,
)

Layer = tuple[Array, Array] | str

CHUNK = 2**18
"""About how many pixels go through a network at once, against a shortage of memory."""


def _convolved(x: Array, weight: Array, bias: Array) -> Array:
    """(..., I, H, W) to (..., O, H, W): Σ over a pixel's 3x3 neighbours and the I channels."""
    if np.iscomplexobj(x):
        return _convolved(x.real, weight, bias) + 1j * _convolved(x.imag, weight, 0 * bias)
    height, width = x.shape[-2:]
    padded = np.zeros((*x.shape[:-2], height + 2, width + 2), x.dtype)
    padded[..., 1:-1, 1:-1] = x
    neighbours = sliding_window_view(padded, (height, width), axis=(-2, -1))
    columns = neighbours.reshape(*x.shape[:-3], 9 * x.shape[-3], height * width)
    total = weight.reshape(len(weight), -1) @ columns + bias[:, None]
    return total.reshape(*total.shape[:-1], height, width)


def _pooled(x: Array) -> Array:
    """The largest real part of each 2x2 pixels, the first at a tie; an odd last row is left out."""
    height, width = x.shape[-2] // 2, x.shape[-1] // 2
    squares = x[..., : 2 * height, : 2 * width].reshape(*x.shape[:-2], height, 2, width, 2)
    fours = squares.swapaxes(-3, -2).reshape(*x.shape[:-2], height, width, 4)
    return np.take_along_axis(fours, fours.real.argmax(axis=-1)[..., None], axis=-1)[..., 0]


def applied(layer: Layer, x: Array) -> Array:
    """What a layer makes of (..., C, H, W)."""
    if isinstance(layer, str):
        return _pooled(x) if layer == "pool" else np.where(x.real > 0, x, 0)
    return _convolved(x, *layer)


def activations(images: Array, features: Mapping[str, Layer], layers: Sequence[str]) -> list[Array]:
    """What these layers of the network make of images (..., C, H, W)."""
    found: dict[str, Array] = {}
    for name, layer in features.items():
        if found.keys() >= set(layers):
            break
        images = applied(layer, images)
        if name in layers:
            found[name] = images
    return [found[name] for name in layers]


def vgg_content_items(
    output: Array,
    target: Array,
    features: Mapping[str, Layer],
    *,
    layers: Sequence[str] = ("3", "8", "13", "22", "31"),
    weights: Sequence[float] | None = None,
) -> Array:
    """Items (..., N) of images (..., N, C, H, W): (1/L) Σ_l w_l MSE(features_l(x), features_l(y))."""
    _require_layers(features, layers, weights)
    if output.ndim == target.ndim > 4 and output.size > CHUNK:
        count = max(len(output), len(target))
        pairs = [(output[k % len(output)], target[k % len(target)]) for k in range(count)]
        return np.stack(
            [vgg_content_items(x, y, features, layers=layers, weights=weights) for x, y in pairs]
        )
    total = 0
    for weight, x, y in zip(
        [1.0] * len(layers) if weights is None else weights,
        activations(output, features, layers),
        activations(target, features, layers),
        strict=True,
    ):
        total = total + weight * ((x - y) ** 2).mean(axis=(-3, -2, -1))
    return np.asarray(total) / len(layers)


def vgg_content(
    output: Array,
    target: Array,
    features: Mapping[str, Layer],
    *,
    layers: Sequence[str] = ("3", "8", "13", "22", "31"),
    weights: Sequence[float] | None = None,
    reduction: str = "mean",
) -> Array | np.floating:
    """Content loss: (1/L) Σ_l w_l MSE(features_l(output), features_l(target)), at least 0.

    The default layers are VGG-19's relu1_2, relu2_2, relu3_2, relu4_2 and relu5_2, by torchvision's
    numbers. Images go into the network as they are: whoever trained it with normalised images
    normalises both.

    Args:
        output: (N, C, H, W), finite, large enough for every pool up to the last layer chosen.
        target: same shape, finite.
        features: layers by name, in order: a pair (weight (O, I, 3, 3), bias (O,)) for a convolution,
            "relu" or "pool".
        layers: names of the L ≥ 1 layers that are compared, each once, in any order.
        weights: L numbers ≥ 0, or None for ones.
        reduction: "none" gives items (N,).

    Raises:
        TypeError, ValueError: an argument is outside this domain.

    Source: Johnson et al., arXiv 1603.08155.

    >>> blur = {"0": (np.full((1, 1, 3, 3), 1 / 9), np.zeros(1)), "1": "relu"}
    >>> output = np.pad([[9.0]], 1)[None, None]
    >>> vgg_content(output, 0 * output, blur, layers=["1"])
    np.float64(1.0)
    """
    output, target = as_floats("output", output), as_floats("target", target)
    require_reduction(reduction)
    require(output.ndim == 4, "output", "a shape (N, C, H, W)", output.shape)
    require_same_shape("output", output, "target", target)
    require_finite("output", output)
    require_finite("target", target)
    _require_network(features)
    _require_layers(features, layers, weights)
    _require_fit(output.shape, features, layers)
    return reduce(vgg_content_items(output, target, features, layers=layers, weights=weights), reduction)


def _require_network(features: Mapping[str, Layer]) -> None:
    """Layers that follow each other."""
    if not isinstance(features, Mapping):
        raise TypeError(f"features: expected layers by name, got {type(features).__name__}")
    channels = None
    for name, layer in features.items():
        if isinstance(layer, str):
            require(layer in ("relu", "pool"), "features", '"relu" or "pool"', f"{layer!r} ({name})")
            continue
        require(len(layer) == 2, "features", "a pair (weight, bias)", f"{len(layer)} ({name})")
        weight, bias = (as_floats("features", array) for array in layer)
        fits = weight.ndim == 4 and weight.shape[2:] == (3, 3)
        follows = fits and channels in (None, weight.shape[1])
        expected = f"a weight of shape (O, {channels or 'I'}, 3, 3)"
        require(follows, "features", expected, f"{weight.shape} ({name})")
        channels = weight.shape[0]
        require(bias.shape == (channels,), "features", f"a bias ({channels},)", bias.shape)
        require_finite("features", weight)
        require_finite("features", bias)


def _require_layers(
    features: Mapping[str, Layer], layers: Sequence[str], weights: Sequence[float] | None
) -> None:
    """Names of the network's layers, with a weight each."""
    if isinstance(layers, str) or not isinstance(layers, Sequence):
        raise TypeError(f"layers: expected a sequence of names, got {type(layers).__name__}")
    require(len(layers) >= 1, "layers", "at least one name")
    for name in layers:
        require(name in features, "layers", "names of the network's layers", repr(name))
    require(len(set(layers)) == len(layers), "layers", "each name once", layers)
    if weights is None:
        return
    if isinstance(weights, str) or not isinstance(weights, Sequence):
        raise TypeError(f"weights: expected a sequence of numbers, got {type(weights).__name__}")
    require(len(weights) == len(layers), "weights", f"{len(layers)} numbers", len(weights))
    for weight in weights:
        require_number_between("weights", weight, 0, np.inf)
        require_finite("weights", np.asarray(weight))


def _require_fit(shape: tuple[int, ...], features: Mapping[str, Layer], layers: Sequence[str]) -> None:
    """Images that have the network's channels, and a pixel left after each pool that is passed."""
    names = list(features)
    passed = [features[name] for name in names[: 1 + max(names.index(name) for name in layers)]]
    channels = next((layer[0].shape[1] for layer in passed if not isinstance(layer, str)), shape[1])
    require(shape[1] == channels >= 1, "output", f"{channels} channels", shape[1])
    least = 2 ** passed.count("pool")
    require(min(shape[2:]) >= least, "output", f"sides of at least {least} pixels", shape[2:])
