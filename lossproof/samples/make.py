"""Makes the sample batches: ``python -m lossproof.samples.make [FOLDER]``.

Needs the extra ``samples`` (scikit-learn and pillow). Nothing is drawn at random or downloaded.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from sklearn.datasets import load_digits, load_sample_image
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier

Array = npt.NDArray[Any]
Batch = dict[str, Any]
"""Arrays by the name of the argument or option."""

CLASSES = 10
PATCH = 8
"""Side of the square patches that a picture is compressed by, in pixels."""
COMPONENTS = 16
"""Numbers kept of a patch's 192."""
BLOOM = (slice(70, 370), slice(150, 460))
"""Rows and columns of flower.jpg that hold the large bloom."""
DETECTOR_SHAPE = (283, 293)
"""What the rim detector resizes the bloom to: primes, so that no coordinate of its boxes ties with
the reference's."""
SMALLEST_RIM = 40
"""Pixels of the smallest petal rim that counts."""


def _regression(strength: float = 1.0) -> LogisticRegression:
    """A logistic regression, penalised by 1 / strength.

    Newton's method ends so close to the optimum that no rounding on the way shows in float32.
    """
    return LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-10)


# Digits


def _digits() -> list[Array]:
    """Training images (898, 64) in [0, 1], held-out images (899, 64), and the labels of each.

    The data are in the order in which people wrote them, so the halves differ in their writers.
    """
    images, labels = load_digits(return_X_y=True)
    return list(train_test_split(images / 16, labels, test_size=0.5, shuffle=False))


def cross_entropy_digits() -> Batch:
    """Logits of a multinomial logistic regression on the held-out digits."""
    train, test, train_label, label = _digits()
    model = _regression().fit(train, train_label)
    logits = model.decision_function(test)
    return {"logits": logits.astype(np.float32), "target": label.astype(np.int64)}


def _one_against_the_rest() -> tuple[Array, Array]:
    """Logits of ten logistic regressions on the held-out digits, and what they should find."""
    train, test, train_label, label = _digits()
    model = OneVsRestClassifier(_regression()).fit(train, train_label)
    return model.decision_function(test), np.eye(CLASSES, dtype=np.float32)[label]


def binary_cross_entropy_digits() -> Batch:
    """Logits of ten one-against-the-rest logistic regressions, positives weighing nine times as much."""
    logits, target = _one_against_the_rest()
    return {"logits": logits.astype(np.float32), "target": target, "pos_weight": np.array(9.0)}


def log_loss_digits() -> Batch:
    """Probabilities of ten one-against-the-rest logistic regressions, none surer than 1e-6."""
    logits, target = _one_against_the_rest()
    probs = (1 / (1 + np.exp(-logits))).clip(2e-6, 1 - 2e-6)
    return {"probs": probs.astype(np.float32), "target": target}


def balanced_cross_entropy_digits() -> Batch:
    """Logits of ten one-against-the-rest logistic regressions."""
    logits, target = _one_against_the_rest()
    return {"logits": logits.astype(np.float32), "target": target}


def softmax_focal_digits() -> Batch:
    """Logits of a multinomial logistic regression on the held-out digits."""
    return {**cross_entropy_digits(), "gamma": np.array(2.0)}


def sigmoid_focal_digits() -> Batch:
    """Logits of ten one-against-the-rest logistic regressions on the held-out digits."""
    logits, target = _one_against_the_rest()
    return {
        "logits": logits.astype(np.float32),
        "target": target,
        "gamma": np.array(2.0),
        "alpha": np.array(0.25),
    }


def arcface_digits() -> Batch:
    """Linear discriminants of the held-out digits, against the class means of the training half."""
    train, test, train_label, label = _digits()
    model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(train, train_label)
    train_features = model.transform(train)
    means = [train_features[train_label == digit].mean(axis=0) for digit in range(CLASSES)]
    return {
        "features": model.transform(test).astype(np.float32),
        "label": label.astype(np.int64),
        "weight": np.array(means, dtype=np.float32),
        "scale": np.array(64.0),
        "margin": np.array(0.5),
    }


# Pictures


def _picture(name: str) -> Array:
    """A sample image of scikit-learn's, (height, width, 3) in [0, 1]."""
    return np.asarray(load_sample_image(name)) / 255.0


def _patches(picture: Array) -> Array:
    """Square patches side by side, a row each; a remainder at the right and bottom is left out."""
    rows, columns = picture.shape[0] // PATCH, picture.shape[1] // PATCH
    grid = picture[: rows * PATCH, : columns * PATCH].reshape(rows, PATCH, columns, PATCH, 3)
    return grid.swapaxes(1, 2).reshape(rows * columns, PATCH * PATCH * 3)


def _joined(patches: Array, height: int, width: int) -> Array:
    """The picture of which :func:`_patches` made these patches."""
    grid = patches.reshape(height // PATCH, width // PATCH, PATCH, PATCH, 3)
    return grid.swapaxes(1, 2).reshape(height, width, 3)


def _as_batch(picture: Array) -> Array:
    """(height, width, channels) as float32 (1, channels, height, width)."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], dtype=np.float32)


def mse_flower() -> Batch:
    """The bloom's middle, through principal components that were learned on the other picture."""
    target = _picture("flower.jpg")[160:288, 240:368]
    model = PCA(COMPONENTS, svd_solver="full").fit(_patches(_picture("china.jpg")))
    kept = model.inverse_transform(model.transform(_patches(target)))
    decoded = _joined(kept, *target.shape[:2]).clip(0, 1)
    return {"input": _as_batch(decoded), "target": _as_batch(target)}


def vgg_content_flower() -> Batch:
    """The same pair, a quarter of it, at relu1_2 to relu5_2."""
    pair = mse_flower()
    return {name: pair[old][..., :64, :64] for name, old in (("output", "input"), ("target", "target"))}


def _probabilities(features: Array, mask: Array) -> Array:
    """A pixel classifier's (height, width); each half is judged by what the other half taught."""
    probabilities = np.empty(mask.shape)
    middle = mask.shape[1] // 2
    left, right = np.s_[:, :middle], np.s_[:, middle:]
    for seen, unseen in ((left, right), (right, left)):
        model = _regression(1000.0)
        model.fit(features[seen].reshape(-1, features.shape[2]), mask[seen].ravel())
        judged = model.predict_proba(features[unseen].reshape(-1, features.shape[2]))
        probabilities[unseen] = judged[:, 1].reshape(mask[unseen].shape)
    return probabilities


def dice_flower() -> Batch:
    """Where the picture is flower: a pixel classifier against a colour rule (orange pixels)."""
    picture = _picture("flower.jpg")[:424].reshape(106, 4, 160, 4, 3).mean(axis=(1, 3))
    red, green, blue = np.moveaxis(picture, 2, 0)
    mask = (red > green) & (green > blue) & (red - blue > 0.2)
    return {
        "probs": _as_batch(_probabilities(picture, mask)[..., None]),
        "target": _as_batch(mask[..., None]),
        "smooth": np.array(1.0),
    }


# Boxes


def _blurred(picture: Array, radius: float) -> Array:
    """Every channel smoothed by a Gaussian."""
    return np.asarray(ndimage.gaussian_filter(picture, (radius, radius, 0)))


def _resized(picture: Array, shape: tuple[int, int]) -> Array:
    """Every channel interpolated to that height and width."""
    factors = (shape[0] / picture.shape[0], shape[1] / picture.shape[1], 1)
    return np.asarray(ndimage.zoom(picture, factors, order=1, mode="nearest", grid_mode=True))


def _boxes(mask: Array, smallest: float) -> Array:
    """x1, y1, x2, y2 of each connected component of at least that many pixels."""
    components, count = ndimage.label(mask)
    sizes = np.bincount(components.ravel(), minlength=count + 1)[1:]
    places = zip(ndimage.find_objects(components), sizes, strict=True)
    corners = [(x.start, y.start, x.stop, y.stop) for (y, x), size in places if size >= smallest]
    return np.array(corners, dtype=np.float64).reshape(-1, 4)


def _matched(boxes1: Array, boxes2: Array) -> tuple[Array, Array]:
    """Pairs of boxes whose centres are each other's nearest."""
    centers1, centers2 = (boxes[:, :2] + boxes[:, 2:] for boxes in (boxes1, boxes2))
    distance = np.linalg.norm(centers1[:, None] - centers2, axis=2)
    nearest = distance.argmin(axis=1)
    mutual = distance.argmin(axis=0)[nearest] == np.arange(len(boxes1))
    return boxes1[mutual], boxes2[nearest[mutual]]


def giou_flower() -> Batch:
    """The bright rims of the petals: a detector at a lower resolution against a contrast rule."""
    bloom = _picture("flower.jpg")[BLOOM]
    brightness = bloom.mean(axis=2, keepdims=True)
    rims = _blurred(brightness, 1) - _blurred(brightness, 6) > 0.06
    small = _resized(bloom, DETECTOR_SHAPE)
    small_rims = _resized(rims.astype(np.float64), DETECTOR_SHAPE)[..., 0] > 0.5
    features = np.concatenate([small, _blurred(small, 6)], axis=2)
    found = _probabilities(features, small_rims) > 0.5
    enlarged = np.array(rims.shape[1::-1]) / found.shape[::-1]
    shrunk = SMALLEST_RIM / enlarged.prod()
    boxes1, boxes2 = _matched(
        _boxes(found, shrunk) * np.tile(enlarged, 2), _boxes(rims[..., 0], SMALLEST_RIM)
    )
    return {"boxes1": boxes1.astype(np.float32), "boxes2": boxes2.astype(np.float32)}


MAKERS: tuple[Callable[[], Batch], ...] = (
    cross_entropy_digits,
    binary_cross_entropy_digits,
    log_loss_digits,
    balanced_cross_entropy_digits,
    softmax_focal_digits,
    sigmoid_focal_digits,
    mse_flower,
    giou_flower,
    dice_flower,
    arcface_digits,
    vgg_content_flower,
)
"""A file each, of the function's name."""


def main(folder: Path) -> None:
    """Write every file into the folder, which is made if it isn't there."""
    folder.mkdir(parents=True, exist_ok=True)
    for make in MAKERS:
        path = folder / f"{make.__name__}.npz"
        np.savez_compressed(path, **make())
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
