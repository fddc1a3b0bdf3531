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
        name="iou",
        formula="1 - I/U",
        conventions=(
            "No epsilon: tiny boxes count like large ones, and 0/0 = 0. "
            "Disjoint boxes have a loss of 1 and no gradient."
        ),
        elsewhere=(
            "torchvision's box_iou pairs all with all and gives NaN for 0/0; "
            "others add an epsilon to the union, or 1 to each side."
        ),
        paper="Jaccard 1912; Yu et al. 2016, arXiv 1608.01471",
        oracle=boxes_oracles.iou,
        items=boxes_oracles.iou_items,
        arguments=boxes.ARGUMENTS,
        smooth=boxes.smooth,
        cases=boxes.pair_cases,
        variants={
            "naive": boxes_impls.iou_naive,
            "vectorized": boxes_impls.iou_vectorized,
            "fused": boxes_impls.iou_fused,
        },
        defects={"published_integers": Defect(published.iou_published_integers, breaks="scaling")},
        laws=general.LAWS + general.SMOOTH_LAWS + general.PAIR_LAWS + boxes.IOU_LAWS,
        workloads=boxes.PAIR_WORKLOADS,
        bad_calls=boxes.PAIR_BAD_CALLS,
        curve=boxes.PAIR_CURVE,
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
        name="diou",
        formula="1 - I/U + ρ²/c²",
        conventions="c is the diagonal of the smallest enclosing box; no epsilon, and 0/0 = 0.",
        elsewhere="torchvision adds 1e-7 to the union and to c²; others clamp the whole loss.",
        paper="Zheng et al. 2020, arXiv 1911.08287",
        oracle=boxes_oracles.diou,
        items=boxes_oracles.diou_items,
        arguments=boxes.ARGUMENTS,
        smooth=boxes.smooth,
        cases=boxes.pair_cases,
        variants={
            "naive": boxes_impls.diou_naive,
            "vectorized": boxes_impls.diou_vectorized,
            "fused": boxes_impls.diou_fused,
        },
        defects={"mistaken_area": Defect(published.diou_mistaken_area, breaks="bounded")},
        laws=general.LAWS + general.SMOOTH_LAWS + general.PAIR_LAWS + boxes.DIOU_LAWS,
        workloads=boxes.PAIR_WORKLOADS,
        bad_calls=boxes.PAIR_BAD_CALLS,
        curve=boxes.PAIR_CURVE,
    ),
    Loss(
        name="ciou",
        formula="1 - I/U + ρ²/c² + αv,  v = (4/π²)(atan2(w₂,h₂) - atan2(w₁,h₁))²,  α = v/((1-I/U) + v)",
        conventions=(
            "α is a constant to the gradient, and 0 where v is; a point has no shape, "
            "so v = 0; no epsilon, and 0/0 = 0."
        ),
        elsewhere=(
            "torchvision takes atan(w/h), adds 1e-7 in three places, and holds α constant too; "
            "some set α = 0 where the IoU is below 1/2."
        ),
        paper="Zheng et al. 2020, arXiv 1911.08287",
        oracle=boxes_oracles.ciou,
        items=boxes_oracles.ciou_items,
        arguments=boxes.ARGUMENTS,
        cases=boxes.pair_cases,
        variants={
            "naive": boxes_impls.ciou_naive,
            "vectorized": boxes_impls.ciou_vectorized,
            "fused": boxes_impls.ciou_fused,
        },
        defects={
            "published_linear_aspect": Defect(published.ciou_published_linear_aspect, breaks="scaling"),
            "published_ratio": Defect(published.ciou_published_ratio, breaks="finite"),
        },
        # No second derivative: it holds α, which the slope of the gradient moves.
        laws=general.LAWS + general.PAIR_LAWS + boxes.CIOU_LAWS,
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
        name="center",
        formula="(λ/2) |f - c_y|²",
        conventions=(
            "Gradient flows to features and centres, with nothing averaged; "
            "balanced divides each item by how often its label occurs in the batch."
        ),
        elsewhere=(
            "The paper leaves the centres out of backpropagation and moves each by the mean of its "
            "features; others expand the square, and clamp it at 1e-12."
        ),
        paper="Wen et al. 2016, A Discriminative Feature Learning Approach for Deep Face Recognition",
        oracle=embedding_oracles.center,
        items=embedding_oracles.center_items,
        arguments=embedding.CENTER_ARGUMENTS,
        coupled=embedding.center_coupled,
        smooth=embedding.center_smooth,
        cases=embedding.center_cases,
        variants={
            "naive": embedding_impls.center_naive,
            "vectorized": embedding_impls.center_vectorized,
            "fused": embedding_impls.center_fused,
        },
        defects={
            "mistaken_expanded_square": Defect(
                published.center_mistaken_expanded_square, breaks="joint_shift"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + general.PAIR_LAWS + embedding.CENTER_LAWS,
        workloads=embedding.CENTER_WORKLOADS,
        bad_calls=embedding.CENTER_BAD_CALLS,
        curve=embedding.CENTER_CURVE,
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
