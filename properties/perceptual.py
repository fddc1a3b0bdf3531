"""Domains, laws and workloads of the perceptual loss, and the seeded networks that it looks through."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from oracles.perceptual import Layer, activations, applied
from properties import draw
from properties.case import Argument, Array, BadCall, Case, Curve, Workload, round_to
from properties.general import options_matter
from properties.thinned import every_fourth
from properties.trial import Measured, Trial, assume, at_least, at_most, equal

IMAGE = (-3, -2, -1)

ARGUMENTS = (
    Argument("output", "row", gradient=True, learned=True, row_axis=IMAGE),
    Argument("target", "row", row_axis=IMAGE),
)
"""The pixels of an image share a scale: a convolution adds them up."""


# Networks


@dataclass(frozen=True, repr=False)
class Network(Mapping[str, Layer]):
    """VGG-19, of another width or depth, with seeded weights; layers by torchvision's numbers.

    Weights are uniform with the variance of He et al. (arXiv 1502.01852), with at most eight
    significant bits, so that every dtype holds them. Those of a layer depend on the seed, its place
    and its channels alone.

    Attributes:
        width: channels of the first block; the next blocks have twice, 4, 8 and 8 times as many.
        seed: of the weights.
        blocks: convolutions in each block, all with a ReLU; a pool ends the block.
        channels: of the images.
    """

    width: int = 64
    seed: int = 0
    blocks: tuple[int, ...] = (2, 2, 4, 4, 4)
    channels: int = 3

    def __repr__(self) -> str:
        """Code that makes the same network in PyTorch."""
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"vgg_like({fields})"

    def __getitem__(self, name: str) -> Layer:
        return _layers(self)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_layers(self))

    def __len__(self) -> int:
        return len(_layers(self))


@lru_cache(maxsize=64)
def _layers(network: Network) -> dict[str, Layer]:
    layers: list[Layer] = []
    inputs = network.channels
    for block, count in enumerate(network.blocks):
        outputs = network.width * min(2**block, 8)
        for _ in range(count):
            random = np.random.default_rng([network.seed, len(layers)])
            layers += [_drawn(random, inputs, outputs), "relu"]
            inputs = outputs
        layers.append("pool")
    return {str(place): layer for place, layer in enumerate(layers)}


def _drawn(random: np.random.Generator, inputs: int, outputs: int) -> tuple[Array, Array]:
    """Weight and bias of a convolution: whole multiples, up to 128, of a power of two. No bias is
    below 0, so that fewer ReLUs are dead."""
    largest = math.sqrt(6 / (9 * inputs))
    step = 2.0 ** math.floor(math.log2(largest / 64))
    most = round(largest / step)
    weight = random.integers(-most, most + 1, (outputs, inputs, 3, 3)) * step
    return weight, random.integers(0, most + 1, outputs) * step


# Domain


@st.composite
def _pairs(draw_: st.DrawFn) -> dict[str, object]:
    """Small images, now and then many, plain or between black and white, some of them the target and a
    bit more, before and after some layers of a small network. An image without a pixel away from 0 is
    left out for the output: pools of its features, which are the bias but for rounding, may tie, and no
    move by a rounding unit of its own would show it."""
    many = draw_(st.integers(0, 7)) == 7
    blocks = draw_(st.sampled_from([(1,), (2,)] if many else [(1,), (2,), (1, 1), (2, 1)]))
    channels = draw_(st.integers(1, 2))
    network = Network(draw_(st.sampled_from([2, 1])), draw_(st.integers(0, 255)), blocks, channels)
    least = 2 ** len(blocks)
    side = st.integers(least, least + 1)
    sides = (least, least) if many else (draw_(side), draw_(side))
    shape = (17 if many else draw_(st.integers(1, 2)), channels, *sides)
    bright = draw.numbers(-255.0, 255.0, [0.0, 255.0])
    target = draw_(draw.arrays(shape, draw.moderate, draw.unit_interval, bright))
    output = draw_(draw.arrays(shape, draw.moderate, draw.unit_interval, bright))
    near = draw_(st.sampled_from([None, None, None, None, 2.0**-7, 0.0]))
    if near is not None:
        output = target * (1 + near)
    output[np.abs(output).max(axis=IMAGE) < 2.0**-7, 0, 0, 0] = 1.0
    names = st.sampled_from(list(network))
    layers = draw_(st.lists(names, min_size=1, max_size=3, unique=True).map(tuple))
    weight = draw.numbers(0.0, 4.0, [1.0, 0.5, 2.0, 0.0], smallest=2.0**-20)
    count = len(layers)
    weights = draw_(st.none() | st.lists(weight, min_size=count, max_size=count).map(tuple))
    return {
        "output": output,
        "target": target,
        "features": network,
        "layers": layers,
        "weights": weights,
    }


def image_cases(dtype: str) -> SearchStrategy[Case]:
    """Cases of pairs of images."""
    return draw.cases(_pairs(), dtype)


def smooth(case: Case) -> bool:
    """Where no ReLU or pool before the last layer is near a kink; told apart from rounding at
    moderate numbers."""
    x = case["output"]
    if np.abs(x).max() > 8 or np.abs(case["target"]).max() > 8:
        return False
    last = max(int(name) for name in case["layers"])
    for layer in list(case["features"].values())[: last + 1]:
        before, x = x, applied(layer, x)
        if layer == "relu" and np.abs(before).min() < 0.01:
            return False
        if layer == "pool":
            height, width = 2 * x.shape[-2], 2 * x.shape[-1]
            largest = x.repeat(2, axis=-2).repeat(2, axis=-1)
            near = (before[..., :height, :width] > largest - 0.01) & (largest > 0)
            if near.sum() > (x > 0).sum():
                return False
    return True


# Laws


def _ones(case: Case) -> tuple[float, ...]:
    return (1.0,) * len(case["layers"])


def nonnegative(trial: Trial) -> None:
    """Items are at least 0."""
    at_least(trial.value(), Measured.exact(0.0))


def zero_at_equality(trial: Trial) -> None:
    """0 at equality."""
    every_fourth(trial)
    same = trial.case.changed(target=trial.case["output"])
    equal(trial.value(same), Measured.exact(0.0))


def symmetric(trial: Trial) -> None:
    """The value is symmetric in the two images."""
    every_fourth(trial)
    swapped = trial.case.changed(output=trial.case["target"], target=trial.case["output"])
    equal(trial.value(swapped), trial.value())


def single_layer_is_its_mse(trial: Trial) -> None:
    """With a single layer, the loss is the mean squared difference of its features."""
    every_fourth(trial)
    case = trial.case
    images = [case[name].astype(np.longdouble) for name in ("output", "target")]
    pairs = (activations(image, case["features"], case["layers"]) for image in images)
    for layer, x, y in zip(case["layers"], *pairs, strict=True):
        error = ((x - y) ** 2).mean(axis=IMAGE).astype(float)
        alone = case.changed(layers=(layer,), weights=None)
        equal(trial.value(alone), Measured.exact(error, f"the MSE at layer {layer}"))


def several_layers_average(trial: Trial) -> None:
    """The loss of several layers is the mean of what each gives alone, times its weight."""
    every_fourth(trial)
    case = trial.case
    total = Measured.exact(0.0)
    for layer, weight in zip(case["layers"], case["weights"] or _ones(case), strict=True):
        total = total + weight * trial.value(case.changed(layers=(layer,), weights=None))
    equal(trial.value(), (1 / len(case["layers"])) * total)


def linear_in_weights(trial: Trial) -> None:
    """The loss is linear in the layer weights."""
    every_fourth(trial)
    random, layers = trial.case.random(), trial.case["layers"]
    first, second = (random.integers(0, 5, len(layers)).astype(float) for _ in range(2))
    parts = [trial.case.changed(weights=tuple(w.tolist())) for w in (first, second)]
    both = trial.case.changed(weights=tuple((2 * first + 3 * second).tolist()))
    equal(trial.value(both), 2 * trial.value(parts[0]) + 3 * trial.value(parts[1]))


def order_of_layers(trial: Trial) -> None:
    """Naming the layers, and their weights, in another order changes nothing."""
    every_fourth(trial)
    case = trial.case
    assume(len(case["layers"]) > 1)
    weights = None if case["weights"] is None else case["weights"][::-1]
    equal(trial.value(case.changed(layers=case["layers"][::-1], weights=weights)), trial.value())


def stops_after_the_last_layer(trial: Trial) -> None:
    """Layers after the last one chosen are not computed: it is no error if the image is too small for
    their pools."""
    every_fourth(trial)
    network = trial.case["features"]
    longer = Network(network.width, network.seed, (*network.blocks, 1, 1, 1), network.channels)
    equal(trial.value(trial.case.changed(features=longer)), trial.value())


def relu_brings_closer(trial: Trial) -> None:
    """The loss after a ReLU is at most the loss before it."""
    every_fourth(trial)
    case = trial.case
    chosen = [name for name in case["layers"] if case["features"][name] == "relu"]
    assume(chosen)
    for after in chosen:
        before = case.changed(layers=(str(int(after) - 1),), weights=None)
        at_most(trial.value(case.changed(layers=(after,), weights=None)), trial.value(before))


def linear_before_the_first_relu(trial: Trial) -> None:
    """At the first convolution only the difference of the images counts, and counts squared."""
    every_fourth(trial)
    output, target = (np.clip(np.rint(trial.case[name]), -8, 8) for name in ("output", "target"))
    first = trial.case.changed(output=output, target=target, layers=("0",), weights=None)
    factor = 2.0 ** trial.case.random().choice([-2, -1, 1, 2])
    moved = first.changed(output=factor * (output - target), target=0 * target)
    for image in ("output", "target"):
        assume(round_to(moved[image], trial.dtype) == moved[image])
    equal(trial.value(moved), factor**2 * trial.value(first))


VGG_CONTENT_LAWS = (
    nonnegative,
    zero_at_equality,
    symmetric,
    single_layer_is_its_mse,
    several_layers_average,
    linear_in_weights,
    order_of_layers,
    stops_after_the_last_layer,
    relu_brings_closer,
    linear_before_the_first_relu,
    options_matter(layers=(("0",), ("1",)), weights=(None, (2.0,))),
)


# Workloads


def _restored(
    rng: np.random.Generator, rows: int, side: int, width: int, layers: tuple[str, ...]
) -> Case:
    """Images normalised as ImageNet's, smooth and with some grain, and a restoration of them."""
    grain = rng.normal(0, 1, (rows, 3, side, side))
    coarse = rng.normal(0, 1, (rows, 3, -(-side // 8), -(-side // 8)))
    target = coarse.repeat(8, axis=2).repeat(8, axis=3)[..., :side, :side] + 0.2 * grain
    output = target + rng.normal(0, 0.2, target.shape)
    network = Network(width=width)
    return Case(
        {
            "output": output,
            "target": target,
            "features": network,
            "layers": layers,
            "weights": None,
        }
    )


RELU_2 = ("3", "8", "13", "22", "31")
"""relu1_2 to relu5_2."""


def _workload(
    name: str, source: str, rows: int, side: int, width: int, layers: tuple[str, ...], gpu: bool = False
) -> Workload:
    def make(rng: np.random.Generator, rows: int) -> Case:
        return _restored(rng, rows, side, width, layers)

    return Workload(name, source, rows, make, gpu=gpu)


VGG_CONTENT_WORKLOADS = (
    _workload(
        "face autoencoder, width 4",
        "DFC-VAE: 64 faces of 64 px at relu1_1, 2_1 and 3_1, arXiv 1610.00291",
        64,
        64,
        4,
        ("1", "6", "11"),
    ),
    _workload(
        "super-resolution, width 8",
        "SRGAN: 16 crops of 96 px at relu5_4, arXiv 1609.04802",
        16,
        96,
        8,
        ("35",),
    ),
    _workload(
        "style transfer, width 8",
        "4 images of 256 px at relu1_2 to relu5_2, arXiv 1603.08155",
        4,
        256,
        8,
        RELU_2,
    ),
    _workload(
        "super-resolution",
        "SRGAN: 16 crops of 96 px at relu5_4, arXiv 1609.04802",
        16,
        96,
        64,
        ("35",),
        gpu=True,
    ),
    _workload(
        "style transfer",
        "4 images of 256 px at relu1_2 to relu5_2, arXiv 1603.08155",
        4,
        256,
        64,
        RELU_2,
        gpu=True,
    ),
)


# Picture


def _brighter(x: Any) -> Case:
    """A white square of some brightness on black, against black."""
    square = np.zeros((1, 1, 8, 8))
    square[..., 2:6, 2:6] = 1.0
    return Case(
        {
            "output": x * square,
            "target": 0 * square,
            "features": Network(width=8, blocks=(2, 2), channels=1),
            "layers": ("3",),
            "weights": None,
        }
    )


VGG_CONTENT_CURVE = Curve(
    "brightness of a square on black, target black",
    -3,
    3,
    _brighter,
    {"conv1_1": {"layers": ("0",)}, "relu1_2": {"layers": ("3",)}, "relu2_2": {"layers": ("8",)}},
)


# Calls that must be refused

VGG_CONTENT_BAD_CALLS = (
    BadCall("output", lambda c: {"output": c["output"][0], "target": c["target"][0]}, "three axes"),
    BadCall("target", lambda c: {"target": c["target"][:, :, 1:]}, "a row less"),
    BadCall("target", lambda c: {"target": c["target"][:1]}, "one image for all"),
    BadCall("output", lambda c: {"output": c["output"].astype(np.int64)}, "integers"),
    BadCall("target", lambda c: {"target": c["target"].astype(np.int64)}, "integers"),
    BadCall("features", lambda c: {"features": None}, "no network"),
    BadCall("layers", lambda c: {"layers": ()}, "no layer"),
    BadCall("layers", lambda c: {"layers": ("99",)}, "no layer of the network"),
    BadCall("layers", lambda c: {"layers": "0"}, "a string"),
    BadCall("layers", lambda c: {"layers": ("0", "0"), "weights": None}, "a layer twice"),
    BadCall("weights", lambda c: {"weights": (1.0,) * (len(c["layers"]) + 1)}, "too many"),
    BadCall("weights", lambda c: {"weights": (-1.0,) * len(c["layers"])}, "negative"),
    BadCall("weights", lambda c: {"weights": (math.inf,) * len(c["layers"])}, "infinite"),
    BadCall("weights", lambda c: {"weights": ("1",) * len(c["layers"])}, "strings"),
)
