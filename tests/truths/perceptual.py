"""What holds for the oracle of the perceptual loss.

Slopes are compared at images whose features have no tie in a pool and no 0 before a ReLU.
"""

import exact.perceptual
import numpy as np

from oracles import perceptual
from oracles.perceptual import Layer
from truths import INF, NAN, Arguments, Gradient, KernelTruth, LossTruth, random


def convolution(seed: int, inputs: int, outputs: int) -> Layer:
    generator = random(seed)
    return generator.normal(size=(outputs, inputs, 3, 3)), generator.normal(size=outputs)


def network() -> dict[str, Layer]:
    """Two blocks, with children that have names."""
    return {
        "in": convolution(20, 2, 3),
        "in relu": "relu",
        "more": convolution(21, 3, 2),
        "more relu": "relu",
        "pool": "pool",
        "out": convolution(22, 2, 3),
        "out relu": "relu",
        "last pool": "pool",
    }


PLAIN: dict[str, Layer] = {"0": convolution(23, 1, 2), "1": "relu"}


def cases() -> dict[str, Arguments]:
    generator = random(24)
    output, target = generator.normal(size=(2, 2, 2, 4, 5))
    images = {"output": output, "target": target, "features": network()}
    every = tuple(network())
    bright = {**images, "output": 255 * output, "target": 255 * output + target}
    return {
        **{name: {**images, "layers": (name,)} for name in every},
        "every layer": {**images, "layers": every},
        "any order": {**images, "layers": list(every[::-2]), "weights": [3.0, 0.0, 0.1, 2.5]},
        "close": {**images, "target": output + 2.0**-30, "layers": ("more relu", "out")},
        "bright": {**bright, "layers": ("pool", "last pool")},
        "equal": {**images, "target": output, "layers": every},
        "black": {**images, "output": 0 * output, "target": 0 * output, "layers": every},
        "one pixel": {
            "output": output[:, :1, :1, :1],
            "target": target[:, :1, :1, :1],
            "features": PLAIN,
            "layers": ("1", "0"),
        },
        "no relu, no pool": {**images, "layers": ["in"], "weights": [0.3]},
    }


def condition(arguments: Arguments) -> float:
    """A difference of features keeps the roundings of both: their size times the difference."""
    network, layers = arguments["features"], arguments["layers"]
    images = (np.asarray(arguments[name], float) for name in ("output", "target"))
    pairs = zip(*(perceptual.activations(image, network, layers) for image in images), strict=True)
    sizes = [np.max(np.abs(x) * np.abs(x - y), initial=0) for x, y in pairs]
    return float(np.mean(np.multiply(sizes, arguments.get("weights") or 1.0)))


def slopes() -> Arguments:
    """A case of the kernel, with a pool on the way."""
    generator = random(25)
    output, target = generator.normal(size=(2, 2, 2, 2, 3))
    layers, weights = ("in", "pool", "out relu"), (0.5, 1.0, 2.0)
    images = {"output": output, "target": target}
    return {**images, "features": network(), "layers": layers, "weights": weights}


ZEROS = np.zeros((2, 2, 4, 5))
WEIGHT, BIAS = convolution(20, 2, 3)
NAMED = "in"

VGG_CONTENT = LossTruth(
    name="vgg_content",
    oracle=perceptual.vgg_content,
    items=perceptual.vgg_content_items,
    definition=exact.perceptual.vgg_content,
    cases=cases(),
    nothing={
        "no images": (
            {"output": ZEROS[:0], "target": ZEROS[:0], "features": network(), "layers": ("pool",)},
            (0,),
        )
    },
    condition=condition,
    gradients={
        "three layers": Gradient(
            arguments=slopes(),
            along=("output", "target"),
            condition=50.0,  # the largest slope of an image: the others are sums of terms as large
        )
    },
    accepted={
        "output": ZEROS,
        "target": ZEROS,
        "features": network(),
        "layers": (NAMED,),
        "weights": (1.0,),
    },
    bad_values={
        "output": [ZEROS[0], np.full((2, 2, 4, 5), NAN)],
        "target": [ZEROS[:1], ZEROS[:, :1], ZEROS[..., 1:], np.full((2, 2, 4, 5), INF)],
        "features": [
            {"in": (WEIGHT, BIAS), "out": (WEIGHT, BIAS)},
            {"in": (WEIGHT[..., :2], BIAS)},
            {"in": (WEIGHT[0], BIAS)},
            {"in": (WEIGHT, BIAS[:2])},
            {"in": (WEIGHT * NAN, BIAS)},
            {"in": (WEIGHT, BIAS * INF)},
            {"in": (WEIGHT,)},
            {"in": "sigmoid"},
        ],
        "layers": [(), ("99",), ("in", "in"), (0,)],
        "weights": [(), (1.0, 1.0), (-1.0,), (INF,), (NAN,)],
    },
    wrong_types={
        "output": [ZEROS.astype(complex)],
        "target": [np.full(ZEROS.shape, "a")],
        "features": [None, "in", [(WEIGHT, BIAS)]],
        "layers": ["in", None, 3],
        "weights": [1.0, "1", ("1",), (None,)],
    },
    bad_together=[
        ({"output": ZEROS[:, :1], "target": ZEROS[:, :1]}, "output"),
        ({"output": ZEROS[..., :0], "target": ZEROS[..., :0]}, "output"),
        ({"output": ZEROS[..., :1], "target": ZEROS[..., :1], "layers": ("pool",)}, "output"),
        ({"output": ZEROS, "target": ZEROS, "layers": ("last pool",), "weights": (1.0, 1.0)}, "weights"),
    ],
)

TRUTHS: tuple[KernelTruth, ...] = (VGG_CONTENT,)
