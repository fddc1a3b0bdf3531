"""The catalogue: one row for every loss. The one place that knows oracles, variants and laws."""

from collections.abc import Mapping
from types import MappingProxyType

from impls import boundary as boundary_impls
from impls import boxes as boxes_impls
from impls import classification as classification_impls
from impls import embedding as embedding_impls
from impls import overlap as overlap_impls
from impls import published
from impls import regression as regression_impls
from lossproof.loss import Defect, Loss
from oracles import boundary as boundary_oracles
from oracles import boxes as boxes_oracles
from oracles import classification as classification_oracles
from oracles import embedding as embedding_oracles
from oracles import overlap as overlap_oracles
from oracles import regression as regression_oracles
from properties import boundary, boxes, classification, embedding, general, overlap, regression

_ROWS = (
    Loss(
        name="cross_entropy",
        formula="-w_t (1-ε) log p_t - (ε/C) Σ_k w_k log p_k,  p = softmax(x)",
        conventions=(
            "The mean divides by the weights of the kept targets; nothing kept gives 0, not NaN."
        ),
        elsewhere=(
            "torch gives NaN where all items are ignored or weightless, "
            "and NaN gradients at ignored NaN logits."
        ),
        paper="Müller et al. 2019, arXiv 1906.02629",
        oracle=classification_oracles.cross_entropy,
        items=classification_oracles.cross_entropy_items,
        divisor=classification_oracles.cross_entropy_divisor,
        arguments=classification.SOFTMAX_ARGUMENTS,
        smooth=classification.smooth_softmax,
        cases=classification.softmax_cases,
        variants={
            "native": classification_impls.cross_entropy_native,
            "naive": classification_impls.cross_entropy_naive,
            "vectorized": classification_impls.cross_entropy_vectorized,
            "fused": classification_impls.cross_entropy_fused,
        },
        defects={"published_floor": Defect(published.cross_entropy_published_floor, breaks="value")},
        laws=general.LAWS + general.SMOOTH_LAWS + classification.CROSS_ENTROPY_LAWS,
        workloads=classification.CROSS_ENTROPY_WORKLOADS,
        bad_calls=classification.CROSS_ENTROPY_BAD_CALLS,
        curve=classification.CROSS_ENTROPY_CURVE,
    ),
    Loss(
        name="sigmoid_focal",
        formula="α_t (1-p_t)^γ BCE(x, t),  p_t = p t + (1-p)(1-t),  p = σ(x)",
        conventions=(
            "p_t = p t + (1-p)(1-t) also for soft targets; alpha "
            "= None means no weight; the mean counts items."
        ),
        elsewhere=(
            "torchvision sums by default, takes alpha = -1 for "
            "none, and Detectron2 divides by the positives."
        ),
        paper="Lin et al. 2017, arXiv 1708.02002",
        oracle=classification_oracles.sigmoid_focal,
        items=classification_oracles.sigmoid_focal_items,
        arguments=classification.SIGMOID_ARGUMENTS,
        smooth=classification.smooth_sigmoid,
        cases=classification.focal_cases,
        variants={
            "naive": classification_impls.sigmoid_focal_naive,
            "vectorized": classification_impls.sigmoid_focal_vectorized,
            "fused": classification_impls.sigmoid_focal_fused,
        },
        defects={
            "published_log_of_sigmoid": Defect(
                published.sigmoid_focal_published_log_of_sigmoid, breaks="finite"
            ),
            "published_probability_from_loss": Defect(
                published.sigmoid_focal_published_probability_from_loss, breaks="half_target"
            ),
        },
        laws=general.LAWS + general.SMOOTH_LAWS + classification.SIGMOID_FOCAL_LAWS,
        workloads=classification.SIGMOID_FOCAL_WORKLOADS,
        bad_calls=classification.SIGMOID_FOCAL_BAD_CALLS,
        curve=classification.SIGMOID_FOCAL_CURVE,
    ),
    Loss(
        name="mse",
        formula="(x-y)²",
        conventions="Shapes must be the same; gradient flows to both arguments.",
        elsewhere="torch broadcasts shapes that differ, with a warning.",
        paper="Gauss 1809",
        oracle=regression_oracles.mse,
        items=regression_oracles.mse_items,
        arguments=regression.ARGUMENTS,
        smooth=regression.smooth,
        cases=regression.mse_cases,
        variants={
            "native": regression_impls.mse_native,
            "naive": regression_impls.mse_naive,
            "vectorized": regression_impls.mse_vectorized,
            "fused": regression_impls.mse_fused,
        },
        defects={
            "published_broadcast": Defect(published.mse_published_broadcast, breaks="no_broadcast")
        },
        laws=general.LAWS + general.SMOOTH_LAWS + general.PAIR_LAWS + regression.MSE_LAWS,
        workloads=regression.MSE_WORKLOADS,
        bad_calls=regression.MSE_BAD_CALLS,
        curve=regression.MSE_CURVE,
    ),
    Loss(
        name="giou",
        formula="1 - I/U + (C-U)/C",
        conventions="No epsilon: tiny boxes count like large ones, and 0/0 = 0.",
        elsewhere=(
            "torchvision adds 1e-7 to the areas, so that boxes "
            "without area differ; some pair all with all."
        ),
        paper="Rezatofighi et al. 2019, arXiv 1902.09630",
        oracle=boxes_oracles.giou,
        items=boxes_oracles.giou_items,
        arguments=boxes.ARGUMENTS,
        smooth=boxes.smooth,
        cases=boxes.pair_cases,
        variants={
            "naive": boxes_impls.giou_naive,
            "vectorized": boxes_impls.giou_vectorized,
            "fused": boxes_impls.giou_fused,
        },
        defects={
            "published_corner_order": Defect(
                published.giou_published_corner_order, breaks="zero_at_equality"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + general.PAIR_LAWS + boxes.GIOU_LAWS,
        workloads=boxes.PAIR_WORKLOADS,
        bad_calls=boxes.PAIR_BAD_CALLS,
        curve=boxes.PAIR_CURVE,
    ),
    Loss(
        name="dice",
        formula="1 - (2I+s)/(P+G+s)",
        conventions="One smoothing in numerator and denominator, sums per sample and channel; 0/0 = 1.",
        elsewhere="MONAI smooths both separately with 1e-5; others sum over the batch, or take 2(I+s).",
        paper="Milletari et al. 2016, arXiv 1606.04797",
        oracle=overlap_oracles.dice,
        items=overlap_oracles.dice_items,
        arguments=overlap.dice_arguments,
        coupled=overlap.dice_coupled,
        smooth=overlap.smooth,
        cases=overlap.dice_cases,
        variants={
            "naive": overlap_impls.dice_naive,
            "vectorized": overlap_impls.dice_vectorized,
            "fused": overlap_impls.dice_fused,
        },
        defects={
            "published_above_one": Defect(published.dice_published_above_one, breaks="bounded"),
            "published_one_sum": Defect(published.dice_published_one_sum, breaks="concatenation"),
            "published_last_class": Defect(
                published.dice_published_last_class, breaks="channel_permutation"
            ),
        },
        laws=general.LAWS + general.SMOOTH_LAWS + overlap.DICE_LAWS,
        workloads=overlap.DICE_WORKLOADS,
        bad_calls=overlap.DICE_BAD_CALLS,
        curve=overlap.DICE_CURVE,
    ),
    Loss(
        name="distance_dice",
        formula="1 - (2ΣDpg+s)/(ΣDp+ΣDg+s),  D = 1 + distance,  p = softmax(x)₁",
        conventions=(
            "The distance weighs numerator and denominator, so that the loss stays in [0, 1]; it is a "
            "constant, made on the data side; 0/0 = 1."
        ),
        elsewhere="SegLoss weighs the numerator alone, and makes the map itself in each forward pass.",
        paper="Caliva et al. 2019, openreview B1eIcvS45V",
        oracle=boundary_oracles.distance_dice,
        items=boundary_oracles.distance_dice_items,
        arguments=boundary.WEIGHTED_ARGUMENTS,
        smooth=boundary.smooth_dice,
        cases=boundary.dice_cases,
        variants={
            "naive": boundary_impls.distance_dice_naive,
            "vectorized": boundary_impls.distance_dice_vectorized,
            "fused": boundary_impls.distance_dice_fused,
        },
        defects={
            "published_weights_above_only": Defect(
                published.distance_dice_published_weights_above_only, breaks="bounded"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + boundary.DISTANCE_DICE_LAWS,
        workloads=boundary.DISTANCE_DICE_WORKLOADS,
        bad_calls=boundary.DISTANCE_DICE_BAD_CALLS,
        curve=boundary.DISTANCE_DICE_CURVE,
    ),
    Loss(
        name="distance_weighted_ce",
        formula="-(1+E) log p_t,  p = softmax(x)",
        conventions=(
            "E is any map of at least 0: penalty_map, contour_distance or one's own; the mean divides "
            "by the number of items, not by their weights."
        ),
        elsewhere="SegLoss makes the penalty map itself in each forward pass.",
        paper="Caliva et al. 2019, arXiv 1908.03679; Jadon 2020, arXiv 2006.14822",
        oracle=boundary_oracles.distance_weighted_ce,
        items=boundary_oracles.distance_weighted_ce_items,
        arguments=boundary.WEIGHTED_ARGUMENTS,
        floor=boundary.cross_entropy_floor,
        smooth=boundary.smooth_cross_entropy,
        cases=boundary.cross_entropy_cases,
        variants={
            "naive": boundary_impls.distance_weighted_ce_naive,
            "vectorized": boundary_impls.distance_weighted_ce_vectorized,
            "fused": boundary_impls.distance_weighted_ce_fused,
        },
        defects={
            "mistaken_mean_first": Defect(
                published.distance_weighted_ce_mistaken_mean_first,
                breaks="cross_entropy_without_distance",
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + boundary.DISTANCE_WEIGHTED_CE_LAWS,
        workloads=boundary.DISTANCE_WEIGHTED_CE_WORKLOADS,
        bad_calls=boundary.DISTANCE_WEIGHTED_CE_BAD_CALLS,
        curve=boundary.DISTANCE_WEIGHTED_CE_CURVE,
    ),
    Loss(
        name="hausdorff_dt",
        formula="(p-g)² (d_p^a + d_g^a)",
        conventions=(
            "Elementwise, on probabilities; the maps of both masks are constants, made outside; 0^a = 0."
        ),
        elsewhere="MONAI makes the maps itself in each forward pass.",
        paper="Karimi and Salcudean 2019, arXiv 1904.10030",
        oracle=boundary_oracles.hausdorff_dt,
        items=boundary_oracles.hausdorff_dt_items,
        arguments=boundary.HAUSDORFF_ARGUMENTS,
        smooth=boundary.smooth_hausdorff,
        cases=boundary.hausdorff_cases,
        variants={
            "naive": boundary_impls.hausdorff_dt_naive,
            "vectorized": boundary_impls.hausdorff_dt_vectorized,
            "fused": boundary_impls.hausdorff_dt_fused,
        },
        defects={
            "mistaken_power_of_sum": Defect(
                published.hausdorff_dt_mistaken_power_of_sum, breaks="maps_add_up"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + boundary.HAUSDORFF_DT_LAWS,
        workloads=boundary.HAUSDORFF_DT_WORKLOADS,
        bad_calls=boundary.HAUSDORFF_DT_BAD_CALLS,
        curve=boundary.HAUSDORFF_DT_CURVE,
    ),
    Loss(
        name="arcface",
        formula="cross entropy of s [cos θ_j, with cos(θ_y + m) at the label]",
        conventions=(
            "Past θ = π-m the cosine drops by m sin m; a zero vector has cosine 0 with everything."
        ),
        elsewhere=(
            "Several libraries clamp the cosine by 1e-7, take "
            "1 - cos² for the sine, or let arccos give NaN."
        ),
        paper="Deng et al. 2019, arXiv 1801.07698",
        oracle=embedding_oracles.arcface,
        items=embedding_oracles.arcface_items,
        arguments=embedding.ARCFACE_ARGUMENTS,
        floor=embedding.arcface_floor,
        smooth=embedding.arcface_smooth,
        cases=embedding.arcface_cases,
        variants={
            "naive": embedding_impls.arcface_naive,
            "vectorized": embedding_impls.arcface_vectorized,
            "fused": embedding_impls.arcface_fused,
        },
        defects={
            "published_batch_norms": Defect(
                published.arcface_published_batch_norms, breaks="length_does_not_matter"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + general.PAIR_LAWS + embedding.ARCFACE_LAWS,
        workloads=embedding.ARCFACE_WORKLOADS,
        bad_calls=embedding.ARCFACE_BAD_CALLS,
        curve=embedding.ARCFACE_CURVE,
    ),
)

CATALOG: Mapping[str, Loss] = MappingProxyType({row.name: row for row in _ROWS})
"""Every loss by name; read-only."""
