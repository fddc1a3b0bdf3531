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
from scipy.special import expit
from sklearn.datasets import load_digits, load_sample_image
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier

from lossproof import contour_distance, penalty_map

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
CELL = 10
"""Side of the square cells in which the detector looks for the middle of a rim, in pixels."""
TILE = 32
"""Side of the square tiles of the masks, in pixels of the shrunk flower.jpg."""
TILED = (slice(20, 20 + 2 * TILE), slice(50, 50 + 2 * TILE))
"""Rows and columns of the shrunk flower.jpg that the tiles cover: each has flower and background."""


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


def digit_logits() -> Batch:
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


def digit_binary_logits() -> Batch:
    """Logits of ten one-against-the-rest logistic regressions on the held-out digits."""
    logits, target = _one_against_the_rest()
    return {"logits": logits.astype(np.float32), "target": target}


def digit_binary_probs() -> Batch:
    """Probabilities of ten one-against-the-rest logistic regressions, none surer than 1e-6."""
    logits, target = _one_against_the_rest()
    probs = (1 / (1 + np.exp(-logits))).clip(2e-6, 1 - 2e-6)
    return {"probs": probs.astype(np.float32), "target": target}


def _digit_features(means_name: str) -> Batch:
    """Linear discriminants of the held-out digits, and the class means of the training half."""
    train, test, train_label, label = _digits()
    model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(train, train_label)
    train_features = model.transform(train)
    means = [train_features[train_label == digit].mean(axis=0) for digit in range(CLASSES)]
    return {
        "features": model.transform(test).astype(np.float32),
        "label": label.astype(np.int64),
        means_name: np.array(means, dtype=np.float32),
    }


def digit_features_and_weight() -> Batch:
    """Linear discriminants, with the class means as the weight of a last layer."""
    return _digit_features("weight")


def digit_features_and_centers() -> Batch:
    """Linear discriminants, with the class means as centres."""
    return _digit_features("centers")


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


def flower_pictures() -> Batch:
    """The bloom's middle, through principal components that were learned on the other picture."""
    target = _picture("flower.jpg")[160:288, 240:368]
    model = PCA(COMPONENTS, svd_solver="full").fit(_patches(_picture("china.jpg")))
    kept = model.inverse_transform(model.transform(_patches(target)))
    decoded = _joined(kept, *target.shape[:2]).clip(0, 1)
    return {"input": _as_batch(decoded), "target": _as_batch(target)}


def small_flower_pictures() -> Batch:
    """The same pair, a quarter of it, at relu1_2 to relu5_2."""
    pair = flower_pictures()
    return {name: pair[old][..., :64, :64] for name, old in (("output", "input"), ("target", "target"))}


def _log_odds(features: Array, mask: Array) -> Array:
    """A pixel classifier's (height, width); each half is judged by what the other half taught."""
    log_odds = np.empty(mask.shape)
    middle = mask.shape[1] // 2
    left, right = np.s_[:, :middle], np.s_[:, middle:]
    for seen, unseen in ((left, right), (right, left)):
        model = _regression(1000.0)
        model.fit(features[seen].reshape(-1, features.shape[2]), mask[seen].ravel())
        judged = model.decision_function(features[unseen].reshape(-1, features.shape[2]))
        log_odds[unseen] = judged.reshape(mask[unseen].shape)
    return log_odds


# Masks


def _flower() -> tuple[Array, Array]:
    """Where the picture is flower: a pixel classifier's log odds, and a colour rule (orange pixels)."""
    picture = _picture("flower.jpg")[:424].reshape(106, 4, 160, 4, 3).mean(axis=(1, 3))
    red, green, blue = np.moveaxis(picture, 2, 0)
    mask = (red > green) & (green > blue) & (red - blue > 0.2)
    return _log_odds(picture, mask), mask


def flower_probs() -> Batch:
    """Probabilities of flower and the mask, of the whole picture."""
    log_odds, mask = _flower()
    return {"probs": _as_batch(expit(log_odds)[..., None]), "target": _as_batch(mask[..., None])}


def _tiles() -> tuple[Array, Array]:
    """Four tiles (4, side, side) of the log odds and of the mask."""
    log_odds, mask = (
        whole[TILED].reshape(2, TILE, 2, TILE).swapaxes(1, 2).reshape(4, TILE, TILE)
        for whole in _flower()
    )
    return log_odds.astype(np.float32), mask


def tile_probs() -> Batch:
    """Probabilities of flower and the mask, of four tiles."""
    log_odds, mask = _tiles()
    return {"probs": expit(log_odds)[:, None], "target": mask[:, None].astype(np.float32)}


def tile_probs_with_contour_distances() -> Batch:
    """The same, with the distances to the contours of both."""
    tiles = tile_probs()
    maps = {
        "probs_distance": contour_distance(tiles["probs"] > 0.5, batch_axes=2),
        "target_distance": contour_distance(tiles["target"], batch_axes=2),
    }
    return {**tiles, **{name: distance.astype(np.float32) for name, distance in maps.items()}}


def tile_logits() -> Batch:
    """Logits of flower and the mask, of four tiles."""
    log_odds, mask = _tiles()
    return {"logits": log_odds[:, None], "target": mask[:, None].astype(np.float32)}


def tile_class_logits() -> Batch:
    """Logits of background (always 0) and flower, and the label, of four tiles."""
    log_odds, mask = _tiles()
    logits = np.stack([np.zeros_like(log_odds), log_odds], axis=1)
    return {"logits": logits, "target": mask.astype(np.int64)}


def tile_class_logits_with_penalties() -> Batch:
    """The same, with penalties that are largest at the contour."""
    tiles = tile_class_logits()
    return {**tiles, "distance": penalty_map(tiles["target"]).astype(np.float32)}


def tile_class_logits_with_contour_distances() -> Batch:
    """The same, with distances that are largest away from the contour."""
    tiles = tile_class_logits()
    return {**tiles, "distance": contour_distance(tiles["target"]).astype(np.float32)}


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


def rim_boxes() -> Batch:
    """The bright rims of the petals: a detector at a lower resolution against a contrast rule."""
    bloom = _picture("flower.jpg")[BLOOM]
    brightness = bloom.mean(axis=2, keepdims=True)
    rims = _blurred(brightness, 1) - _blurred(brightness, 6) > 0.06
    small = _resized(bloom, DETECTOR_SHAPE)
    small_rims = _resized(rims.astype(np.float64), DETECTOR_SHAPE)[..., 0] > 0.5
    features = np.concatenate([small, _blurred(small, 6)], axis=2)
    found = _log_odds(features, small_rims) > 0
    enlarged = np.array(rims.shape[1::-1]) / found.shape[::-1]
    shrunk = SMALLEST_RIM / enlarged.prod()
    boxes1, boxes2 = _matched(
        _boxes(found, shrunk) * np.tile(enlarged, 2), _boxes(rims[..., 0], SMALLEST_RIM)
    )
    return {"boxes1": boxes1.astype(np.float32), "boxes2": boxes2.astype(np.float32)}


def rim_detections() -> Batch:
    """The same boxes, at the cells that hold the middle of a rim; a rim lies (0) or stands (1).

    A classifier of the cells' colours and contrast looks for those cells. The class logits are the log
    of the found box's width over its height, and its negative.
    """
    boxes1, boxes2 = rim_boxes().values()
    bloom = _picture("flower.jpg")[BLOOM]
    rows, columns = bloom.shape[0] // CELL, bloom.shape[1] // CELL
    grid = bloom.reshape(rows, CELL, columns, CELL, 3)
    features = np.concatenate([grid.mean(axis=(1, 3)), grid.std(axis=(1, 3))], axis=2)
    column, row = ((boxes2[:, :2] + boxes2[:, 2:]) / 2 // CELL).astype(np.int64).T
    cells, kept = np.unique(row * columns + column, return_index=True)
    has_rim = np.isin(np.arange(rows * columns), cells).reshape(rows, columns)
    found, wanted = boxes1[kept], boxes2[kept]
    (width1, height1), (width2, height2) = ((box[:, 2:] - box[:, :2]).T for box in (found, wanted))
    lying = np.log(width1 / height1)
    return {
        "boxes": found,
        "target_boxes": wanted,
        "objectness": _as_batch(_log_odds(features, has_rim)[..., None]),
        "cells": cells,
        "class_logits": np.stack([lying, -lying], axis=1),
        "labels": (height2 > width2).astype(np.int64),
    }


MAKERS: dict[str, tuple[Callable[[], Batch], dict[str, float]]] = {
    "cross_entropy_digits": (digit_logits, {}),
    "binary_cross_entropy_digits": (digit_binary_logits, {"pos_weight": 9.0}),
    "log_loss_digits": (digit_binary_probs, {}),
    "balanced_cross_entropy_digits": (digit_binary_logits, {}),
    "softmax_focal_digits": (digit_logits, {"gamma": 2.0}),
    "sigmoid_focal_digits": (digit_binary_logits, {"gamma": 2.0, "alpha": 0.25}),
    "mse_flower": (flower_pictures, {}),
    "iou_flower": (rim_boxes, {}),
    "giou_flower": (rim_boxes, {}),
    "diou_flower": (rim_boxes, {}),
    "ciou_flower": (rim_boxes, {}),
    "dice_flower": (flower_probs, {"smooth": 1.0}),
    "jaccard_flower": (tile_probs, {"smooth": 1.0}),
    "tversky_flower": (tile_probs, {"alpha": 0.3, "beta": 0.7, "smooth": 1.0}),
    "focal_tversky_flower": (tile_probs, {"gamma": 0.75, "alpha": 0.3, "beta": 0.7, "smooth": 1.0}),
    "log_cosh_dice_flower": (tile_probs, {"smooth": 1.0}),
    "sensitivity_specificity_flower": (tile_probs, {"weight": 0.05, "smooth": 1.0}),
    "distance_dice_flower": (tile_class_logits_with_penalties, {"smooth": 1.0}),
    "distance_weighted_ce_flower": (tile_class_logits_with_contour_distances, {}),
    "hausdorff_dt_flower": (tile_probs_with_contour_distances, {"power": 2.0}),
    "bce_dice_flower": (tile_logits, {"smooth": 1.0}),
    "bce_log_dice_flower": (tile_logits, {"smooth": 1.0}),
    "combo_flower": (tile_logits, {"alpha": 0.5, "beta": 0.5, "smooth": 1.0}),
    "exp_log_flower": (tile_class_logits, {"gamma_dice": 0.3, "gamma_cross": 0.3}),
    "yolo_detection_flower": (rim_detections, {}),
    "arcface_digits": (digit_features_and_weight, {"scale": 64.0, "margin": 0.5}),
    "center_digits": (digit_features_and_centers, {"scale": 1.0}),
    "vgg_content_flower": (small_flower_pictures, {}),
}
"""A file each: who makes its arrays, and the options beside them."""


def main(folder: Path) -> None:
    """Write every file into the folder, which is made if it isn't there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (make, options) in MAKERS.items():
        path = folder / f"{name}.npz"
        np.savez_compressed(path, **{**make(), **options})
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
