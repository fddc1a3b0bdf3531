"""Losses of other libraries, by name: what ``python -m lossproof.comparison`` compares with.

None is a dependency, and nothing here imports one before :func:`load` is asked for it. :mod:`impls.peers`
says what a peer is.
"""

import importlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from lossproof.loss import Variant

PEERS: Mapping[str, Mapping[str, str]] = {
    "torch": {
        "cross_entropy": "impls.peers.torch:cross_entropy",
        "binary_cross_entropy": "impls.peers.torch:binary_cross_entropy",
        "log_loss": "impls.peers.torch:log_loss",
        "mse": "impls.peers.torch:mse",
    },
    "torchvision": {
        "sigmoid_focal": "impls.peers.torchvision:sigmoid_focal",
        "giou": "impls.peers.torchvision:giou",
        "diou": "impls.peers.torchvision:diou",
        "ciou": "impls.peers.torchvision:ciou",
    },
    "fvcore": {
        "sigmoid_focal": "impls.peers.fvcore:sigmoid_focal",
        "giou": "impls.peers.fvcore:giou",
    },
    "kornia": {
        "softmax_focal": "impls.peers.kornia:softmax_focal",
        "sigmoid_focal": "impls.peers.kornia:sigmoid_focal",
    },
    "monai": {
        "softmax_focal": "impls.peers.monai:softmax_focal",
        "sigmoid_focal": "impls.peers.monai:sigmoid_focal",
        "giou": "impls.peers.monai:giou",
        "dice": "impls.peers.monai:dice",
        "jaccard": "impls.peers.monai:jaccard",
        "tversky": "impls.peers.monai:tversky",
        "bce_dice": "impls.peers.monai:bce_dice",
    },
    "segmentation_models_pytorch": {
        "cross_entropy": "impls.peers.segmentation_models_pytorch:cross_entropy",
        "binary_cross_entropy": "impls.peers.segmentation_models_pytorch:binary_cross_entropy",
        "sigmoid_focal": "impls.peers.segmentation_models_pytorch:sigmoid_focal",
        "dice": "impls.peers.segmentation_models_pytorch:dice",
        "jaccard": "impls.peers.segmentation_models_pytorch:jaccard",
        "tversky": "impls.peers.segmentation_models_pytorch:tversky",
    },
    "timm": {
        "cross_entropy": "impls.peers.timm:cross_entropy",
    },
    "ultralytics": {
        "iou": "impls.peers.ultralytics:iou",
        "giou": "impls.peers.ultralytics:giou",
        "diou": "impls.peers.ultralytics:diou",
        "ciou": "impls.peers.ultralytics:ciou",
        "dice": "impls.peers.ultralytics:dice",
        "bce_dice": "impls.peers.ultralytics:bce_dice",
    },
    "pytorch_metric_learning": {
        "arcface": "impls.peers.pytorch_metric_learning:arcface",
    },
}
"""By library and loss, the function; a library is called as it is imported."""

NEEDS_TORCHVISION = ("torchvision", "segmentation_models_pytorch", "timm", "ultralytics")


class Absent(Exception):
    """A library that can't be imported here; the message says why, and what would bring it."""


def package(library: str) -> str:
    """The name that a library is installed by."""
    return library.replace("_", "-")


def load(library: str, loss: str) -> Variant:
    """A library's form of a loss.

    Raises:
        Absent: the library is not there, or does not import.
    """
    module, _, name = PEERS[library][loss].partition(":")
    try:
        function: Variant = getattr(importlib.import_module(module), name)
    except (ImportError, RuntimeError) as error:  # torchvision's operators: a RuntimeError
        remedy = f"pip install -c constraints-peers.txt {package(library)}"
        if library in NEEDS_TORCHVISION:
            remedy += " (torchvision needs the CUDA build of torch of its own release, on a CPU too)"
        raise Absent(f"{library} can't be imported: {_first_line(error)}; {remedy}") from error
    return function


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def versions() -> dict[str, str]:
    """Of each library that is installed."""
    found = {}
    for library in PEERS:
        try:
            found[library] = version(package(library))
        except PackageNotFoundError:
            continue
    return found
