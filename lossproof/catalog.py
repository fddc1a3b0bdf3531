"""The catalogue: one row for every loss. The one place that knows oracles, variants and laws."""

from collections.abc import Mapping
from types import MappingProxyType

from impls import boxes as boxes_impls
from impls import classification as classification_impls
from impls import embedding as embedding_impls
from impls import overlap as overlap_impls
from impls import published
from impls import regression as regression_impls
from lossproof.loss import Defect, Loss
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
        arguments=overlap.arguments,
        coupled=overlap.coupled,
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
        bad_calls=overlap.SHARED_BAD_CALLS,
        curve=overlap.DICE_CURVE,
    ),
    Loss(
        name="jaccard",
        formula="1 - (I+s)/(P+G-I+s)",
        conventions=(
            "One smoothing in numerator and denominator, sums per sample and channel; 0/0 = 1."
        ),
        elsewhere=(
            "MONAI has it as DiceLoss(jaccard=True), which smooths both separately with 1e-5;"
            " segmentation-models-pytorch sums over the batch."
        ),
        paper="Rahman & Wang 2016",
        oracle=overlap_oracles.jaccard,
        items=overlap_oracles.jaccard_items,
        arguments=overlap.arguments,
        coupled=overlap.coupled,
        smooth=overlap.smooth,
        cases=overlap.jaccard_cases,
        variants={
            "naive": overlap_impls.jaccard_naive,
            "vectorized": overlap_impls.jaccard_vectorized,
            "fused": overlap_impls.jaccard_fused,
        },
        defects={
            "published_no_union": Defect(
                published.jaccard_published_no_union, breaks="zero_at_perfect_mask"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + overlap.JACCARD_LAWS,
        workloads=overlap.JACCARD_WORKLOADS,
        bad_calls=overlap.SHARED_BAD_CALLS,
        curve=overlap.JACCARD_CURVE,
    ),
    Loss(
        name="tversky",
        formula="1 - (I+s) / (I + a Σp(1-g) + b Σ(1-p)g + s)",
        conventions=(
            "alpha weighs false positives, beta false negatives; sums per sample and channel; 0/0 = 1."
        ),
        elsewhere=(
            "MONAI smooths both separately with 1e-5; the focal Tversky paper puts alpha on "
            "the false negatives."
        ),
        paper="Salehi et al. 2017, arXiv 1706.05721",
        oracle=overlap_oracles.tversky,
        items=overlap_oracles.tversky_items,
        arguments=overlap.arguments,
        coupled=overlap.coupled,
        smooth=overlap.smooth,
        cases=overlap.tversky_cases,
        variants={
            "naive": overlap_impls.tversky_naive,
            "vectorized": overlap_impls.tversky_vectorized,
            "fused": overlap_impls.tversky_fused,
        },
        defects={
            "mistaken_weights_swapped": Defect(
                published.tversky_mistaken_weights_swapped, breaks="alpha_weighs_false_positives"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + overlap.TVERSKY_LAWS,
        workloads=overlap.TVERSKY_WORKLOADS,
        bad_calls=overlap.TVERSKY_BAD_CALLS,
        curve=overlap.TVERSKY_CURVE,
    ),
    Loss(
        name="focal_tversky",
        formula="(1 - (I+s) / (I + a Σp(1-g) + b Σ(1-p)g + s))^γ",
        conventions=(
            "The exponent is γ itself; where it is below 1, the gradient at a perfect mask is"
            " infinite and not judged."
        ),
        elsewhere=(
            "The paper's exponent is 1/γ, with γ = 4/3 for what is 0.75 here; "
            "segmentation-models-pytorch takes the power of the mean."
        ),
        paper="Abraham & Khan 2019, arXiv 1810.07842",
        oracle=overlap_oracles.focal_tversky,
        items=overlap_oracles.focal_tversky_items,
        arguments=overlap.arguments,
        coupled=overlap.coupled,
        smooth=overlap.smooth_power,
        cases=overlap.focal_tversky_cases,
        variants={
            "naive": overlap_impls.focal_tversky_naive,
            "vectorized": overlap_impls.focal_tversky_vectorized,
            "fused": overlap_impls.focal_tversky_fused,
        },
        defects={
            "mistaken_inverse_power": Defect(
                published.focal_tversky_mistaken_inverse_power, breaks="falls_with_gamma"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + overlap.FOCAL_TVERSKY_LAWS,
        workloads=overlap.FOCAL_TVERSKY_WORKLOADS,
        bad_calls=overlap.FOCAL_TVERSKY_BAD_CALLS,
        curve=overlap.FOCAL_TVERSKY_CURVE,
    ),
    Loss(
        name="log_cosh_dice",
        formula="log cosh(dice)",
        conventions="Of each sample and channel's dice, before the reduction.",
        elsewhere=(
            "The paper's code takes it of one dice for the whole batch, as log((eˣ+e⁻ˣ)/2), which "
            "loses a small loss to rounding."
        ),
        paper="Jadon 2020, arXiv 2006.14822",
        oracle=overlap_oracles.log_cosh_dice,
        items=overlap_oracles.log_cosh_dice_items,
        arguments=overlap.arguments,
        coupled=overlap.coupled,
        smooth=overlap.smooth,
        cases=overlap.dice_cases,
        variants={
            "naive": overlap_impls.log_cosh_dice_naive,
            "vectorized": overlap_impls.log_cosh_dice_vectorized,
            "fused": overlap_impls.log_cosh_dice_fused,
        },
        defects={
            "mistaken_without_half": Defect(
                published.log_cosh_dice_mistaken_without_half, breaks="zero_at_perfect_mask"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + overlap.LOG_COSH_DICE_LAWS,
        workloads=overlap.LOG_COSH_DICE_WORKLOADS,
        bad_calls=overlap.SHARED_BAD_CALLS,
        curve=overlap.LOG_COSH_DICE_CURVE,
    ),
    Loss(
        name="sensitivity_specificity",
        formula="w Σ(g-p)²g/(Σg+s) + (1-w) Σ(g-p)²(1-g)/(Σ(1-g)+s)",
        conventions=(
            "weight is the share of the foreground's errors; a region without voxels has no "
            "error: 0/0 = 0."
        ),
        elsewhere="NiftyNet smooths by 1e-5, adds up the classes, and swaps the two parts' names.",
        paper="Brosch et al. 2015",
        oracle=overlap_oracles.sensitivity_specificity,
        items=overlap_oracles.sensitivity_specificity_items,
        arguments=overlap.arguments,
        coupled=overlap.coupled,
        smooth=overlap.smooth,
        cases=overlap.sensitivity_specificity_cases,
        variants={
            "naive": overlap_impls.sensitivity_specificity_naive,
            "vectorized": overlap_impls.sensitivity_specificity_vectorized,
            "fused": overlap_impls.sensitivity_specificity_fused,
        },
        defects={
            "mistaken_weight_swapped": Defect(
                published.sensitivity_specificity_mistaken_weight_swapped, breaks="regions_apart"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + overlap.SENSITIVITY_SPECIFICITY_LAWS,
        workloads=overlap.SENSITIVITY_SPECIFICITY_WORKLOADS,
        bad_calls=overlap.SENSITIVITY_SPECIFICITY_BAD_CALLS,
        curve=overlap.SENSITIVITY_SPECIFICITY_CURVE,
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
