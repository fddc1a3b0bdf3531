"""The catalogue: one row for every loss. The one place that knows oracles, variants and laws."""

from collections.abc import Mapping
from types import MappingProxyType

from impls import boxes as boxes_impls
from impls import classification as classification_impls
from impls import embedding as embedding_impls
from impls import overlap as overlap_impls
from impls import published
from impls import regression as regression_impls
from lossproof.loss import Loss
from oracles import boxes as boxes_oracles
from oracles import classification as classification_oracles
from oracles import embedding as embedding_oracles
from oracles import overlap as overlap_oracles
from oracles import regression as regression_oracles
from properties import boxes, classification, embedding, general, overlap, regression

_ROWS = (
    Loss(
        name="cross_entropy",
        formula="-w_t (1-ε) log p_t - (ε/C) Σ_k w_k log p_k,  p = softmax(x)",
        paper="Müller et al. 2019, arXiv 1906.02629",
        oracle=classification_oracles.cross_entropy,
        items=classification_oracles.cross_entropy_items,
        divisor=classification_oracles.cross_entropy_divisor,
        arguments=classification.SOFTMAX_ARGUMENTS,
        cases=classification.softmax_cases,
        variants={
            "native": classification_impls.cross_entropy_native,
            "naive": classification_impls.cross_entropy_naive,
            "vectorized": classification_impls.cross_entropy_vectorized,
            "fused": classification_impls.cross_entropy_fused,
        },
        defects={"published_floor": published.cross_entropy_published_floor},
        laws=general.LAWS + general.OPTION_LAWS + classification.CROSS_ENTROPY_LAWS,
        workloads=classification.CROSS_ENTROPY_WORKLOADS,
        bad_calls=classification.CROSS_ENTROPY_BAD_CALLS,
    ),
    Loss(
        name="sigmoid_focal",
        formula="α_t (1-p_t)^γ BCE(x, t),  p_t = p t + (1-p)(1-t),  p = σ(x)",
        paper="Lin et al. 2017, arXiv 1708.02002",
        oracle=classification_oracles.sigmoid_focal,
        items=classification_oracles.sigmoid_focal_items,
        arguments=classification.SIGMOID_ARGUMENTS,
        cases=classification.focal_cases,
        variants={
            "naive": classification_impls.sigmoid_focal_naive,
            "vectorized": classification_impls.sigmoid_focal_vectorized,
            "fused": classification_impls.sigmoid_focal_fused,
        },
        defects={
            "published_log_of_sigmoid": published.sigmoid_focal_published_log_of_sigmoid,
            "published_probability_from_loss": (published.sigmoid_focal_published_probability_from_loss),
        },
        laws=general.LAWS + general.OPTION_LAWS + classification.SIGMOID_FOCAL_LAWS,
        workloads=classification.SIGMOID_FOCAL_WORKLOADS,
        bad_calls=classification.SIGMOID_FOCAL_BAD_CALLS,
    ),
    Loss(
        name="mse",
        formula="(x-y)²",
        paper="Gauss 1809",
        oracle=regression_oracles.mse,
        items=regression_oracles.mse_items,
        arguments=regression.ARGUMENTS,
        cases=regression.mse_cases,
        variants={
            "native": regression_impls.mse_native,
            "naive": regression_impls.mse_naive,
            "vectorized": regression_impls.mse_vectorized,
            "fused": regression_impls.mse_fused,
        },
        defects={"published_broadcast": published.mse_published_broadcast},
        laws=general.LAWS + general.PAIR_LAWS + regression.MSE_LAWS,
        workloads=regression.MSE_WORKLOADS,
        bad_calls=regression.MSE_BAD_CALLS,
    ),
    Loss(
        name="giou",
        formula="1 - I/U + (C-U)/C",
        paper="Rezatofighi et al. 2019, arXiv 1902.09630",
        oracle=boxes_oracles.giou,
        items=boxes_oracles.giou_items,
        arguments=boxes.ARGUMENTS,
        cases=boxes.pair_cases,
        variants={
            "naive": boxes_impls.giou_naive,
            "vectorized": boxes_impls.giou_vectorized,
            "fused": boxes_impls.giou_fused,
        },
        defects={"published_corner_order": published.giou_published_corner_order},
        laws=general.LAWS + general.PAIR_LAWS + boxes.GIOU_LAWS,
        workloads=boxes.PAIR_WORKLOADS,
        bad_calls=boxes.PAIR_BAD_CALLS,
    ),
    Loss(
        name="dice",
        formula="1 - (2I+s)/(P+G+s)",
        paper="Milletari et al. 2016, arXiv 1606.04797",
        oracle=overlap_oracles.dice,
        items=overlap_oracles.dice_items,
        arguments=overlap.dice_arguments,
        coupled=overlap.dice_coupled,
        cases=overlap.dice_cases,
        variants={
            "naive": overlap_impls.dice_naive,
            "vectorized": overlap_impls.dice_vectorized,
            "fused": overlap_impls.dice_fused,
        },
        defects={
            "published_above_one": published.dice_published_above_one,
            "published_one_sum": published.dice_published_one_sum,
            "published_last_class": published.dice_published_last_class,
        },
        laws=general.LAWS + general.OPTION_LAWS + overlap.DICE_LAWS,
        workloads=overlap.DICE_WORKLOADS,
        bad_calls=overlap.DICE_BAD_CALLS,
    ),
    Loss(
        name="arcface",
        formula="cross entropy of s [cos θ_j, with cos(θ_y + m) at the label]",
        paper="Deng et al. 2019, arXiv 1801.07698",
        oracle=embedding_oracles.arcface,
        items=embedding_oracles.arcface_items,
        arguments=embedding.ARCFACE_ARGUMENTS,
        floor=embedding.arcface_floor,
        cases=embedding.arcface_cases,
        variants={
            "naive": embedding_impls.arcface_naive,
            "vectorized": embedding_impls.arcface_vectorized,
            "fused": embedding_impls.arcface_fused,
        },
        defects={"published_batch_norms": published.arcface_published_batch_norms},
        laws=general.LAWS + general.OPTION_LAWS + general.PAIR_LAWS + embedding.ARCFACE_LAWS,
        workloads=embedding.ARCFACE_WORKLOADS,
        bad_calls=embedding.ARCFACE_BAD_CALLS,
    ),
)

CATALOG: Mapping[str, Loss] = MappingProxyType({row.name: row for row in _ROWS})
"""Every loss by name; read-only."""
