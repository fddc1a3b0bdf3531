"""lossproof: which implementation of a loss is right, and which of the right ones is fastest here."""

from lossproof.adapting import adapt
from lossproof.catalog import CATALOG
from lossproof.choice import Choice
from lossproof.choosing import choose
from lossproof.chosen import Chosen
from lossproof.describe import laws
from lossproof.loss import Loss
from lossproof.networks import layers_of, vgg19_features, vgg_like
from lossproof.verdict import Finding, Verdict
from lossproof.verification import ALL_FOUR, verify
from oracles.distance import contour_distance, penalty_map

__all__ = [
    "ALL_FOUR",
    "CATALOG",
    "Choice",
    "Chosen",
    "Finding",
    "Loss",
    "Verdict",
    "adapt",
    "choose",
    "contour_distance",
    "laws",
    "layers_of",
    "penalty_map",
    "verify",
    "vgg19_features",
    "vgg_like",
]
