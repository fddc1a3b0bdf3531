"""The catalogue: one row for every loss. The one place that knows oracles, variants and laws."""

from collections.abc import Mapping
from types import MappingProxyType

from impls import boundary as boundary_impls
from impls import boxes as boxes_impls
from impls import classification as classification_impls
from impls import compound as compound_impls
from impls import embedding as embedding_impls
from impls import overlap as overlap_impls
from impls import perceptual as perceptual_impls
from impls import published
from impls import regression as regression_impls
from lossproof.loss import Defect, Loss
from lossproof.networks import vgg_like
from oracles import boundary as boundary_oracles
from oracles import boxes as boxes_oracles
from oracles import classification as classification_oracles
from oracles import compound as compound_oracles
from oracles import embedding as embedding_oracles
from oracles import overlap as overlap_oracles
from oracles import perceptual as perceptual_oracles
from oracles import regression as regression_oracles
from properties import (
    boundary,
    boxes,
    classification,
    compound,
    embedding,
    general,
    overlap,
    perceptual,
    regression,
)

_ROWS = (
    Loss(
        name="cross_entropy",
        formula="-w_t (1-ε) log p_t - (ε/C) Σ_k w_k log p_k,  p = softmax(x)",
        conventions=(
            "The mean divides by the weights of the kept targets; nothing kept gives 0, not NaN. "
            "Weights are 0 or normal numbers of float32, not subnormal ones."
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
        smooth=classification.smooth,
        cases=classification.cross_entropy_cases,
        variants={
            "native": classification_impls.cross_entropy_native,
            "naive": classification_impls.cross_entropy_naive,
            "vectorized": classification_impls.cross_entropy_vectorized,
            "fused": classification_impls.cross_entropy_fused,
            "closed_form": classification_impls.cross_entropy_closed_form,
        },
        defects={"published_floor": Defect(published.cross_entropy_published_floor, breaks="value")},
        laws=general.LAWS
        + general.SMOOTH_LAWS
        + general.CONSTANT_LAWS
        + classification.CROSS_ENTROPY_LAWS,
        evaluations={"exp": 1},
        workloads=classification.CROSS_ENTROPY_WORKLOADS,
        bad_calls=classification.CROSS_ENTROPY_BAD_CALLS,
        curve=classification.CROSS_ENTROPY_CURVE,
    ),
    Loss(
        name="binary_cross_entropy",
        formula="-[ω t log σ(x) + (1-t) log σ(-x)]",
        conventions="Takes logits; pos_weight ω is one number for all; the mean counts items.",
        elsewhere=(
            "torch takes a tensor for pos_weight, and rounds the loss of a sure negative to the "
            "spacing of its logit; Keras takes probabilities unless told otherwise."
        ),
        paper="Cox 1958, J. R. Stat. Soc. B 20",
        oracle=classification_oracles.binary_cross_entropy,
        items=classification_oracles.binary_cross_entropy_items,
        arguments=classification.SIGMOID_ARGUMENTS,
        floor=classification.binary_floor,
        smooth=classification.smooth,
        cases=classification.binary_cases,
        variants={
            "native": classification_impls.binary_cross_entropy_native,
            "naive": classification_impls.binary_cross_entropy_naive,
            "vectorized": classification_impls.binary_cross_entropy_vectorized,
            "fused": classification_impls.binary_cross_entropy_fused,
            "closed_form": classification_impls.binary_cross_entropy_closed_form,
        },
        defects={
            "mistaken_second_sigmoid": Defect(
                published.binary_cross_entropy_mistaken_second_sigmoid, breaks="log_loss_of_the_sigmoid"
            )
        },
        laws=general.LAWS
        + general.SMOOTH_LAWS
        + general.CONSTANT_LAWS
        + classification.BINARY_CROSS_ENTROPY_LAWS,
        evaluations={"exp": 1, "log": 1},
        workloads=classification.BINARY_CROSS_ENTROPY_WORKLOADS,
        bad_calls=classification.BINARY_CROSS_ENTROPY_BAD_CALLS,
        curve=classification.BINARY_CROSS_ENTROPY_CURVE,
    ),
    Loss(
        name="log_loss",
        formula="-[t log p + (1-t) log(1-p)]",
        conventions=(
            "Takes probabilities; each logarithm is at least -100; the gradient is defined for p in "
            "[1e-6, 1-1e-6]."
        ),
        elsewhere=(
            "Keras clips p by 1e-7 and scikit-learn by the dtype's epsilon, so that a certain mistake "
            "costs 16 or 36; torch's gradient is cut off within 1e-12 of 0 and 1."
        ),
        paper="Good 1952, J. R. Stat. Soc. B 14",
        oracle=classification_oracles.log_loss,
        items=classification_oracles.log_loss_items,
        arguments=classification.LOG_LOSS_ARGUMENTS,
        smooth=classification.smooth_log_loss,
        differentiable=classification.differentiable_log_loss,
        cases=classification.log_loss_cases,
        variants={
            "native": classification_impls.log_loss_native,
            "naive": classification_impls.log_loss_naive,
            "vectorized": classification_impls.log_loss_vectorized,
            "fused": classification_impls.log_loss_fused,
            "closed_form": classification_impls.log_loss_closed_form,
        },
        defects={"mistaken_epsilon": Defect(published.log_loss_mistaken_epsilon, breaks="nonnegative")},
        laws=general.LAWS + general.SMOOTH_LAWS + general.CONSTANT_LAWS + classification.LOG_LOSS_LAWS,
        evaluations={"log": 1},
        workloads=classification.LOG_LOSS_WORKLOADS,
        bad_calls=classification.LOG_LOSS_BAD_CALLS,
        curve=classification.LOG_LOSS_CURVE,
    ),
    Loss(
        name="balanced_cross_entropy",
        formula="-[β t log σ(x) + (1-β)(1-t) log σ(-x)]",
        conventions="beta = None takes β = 1 - mean(t) of the whole input, a constant to the gradient.",
        elsewhere=(
            "HED takes β for each picture; others weight the positives by β/(1-β), which is infinite "
            "without positives."
        ),
        paper="Xie and Tu 2015, arXiv 1504.06375",
        oracle=classification_oracles.balanced_cross_entropy,
        items=classification_oracles.balanced_cross_entropy_items,
        arguments=classification.SIGMOID_ARGUMENTS,
        coupled=classification.balanced_coupled,
        smooth=classification.smooth,
        cases=classification.balanced_cases,
        variants={
            "naive": classification_impls.balanced_cross_entropy_naive,
            "vectorized": classification_impls.balanced_cross_entropy_vectorized,
            "fused": classification_impls.balanced_cross_entropy_fused,
            "closed_form": classification_impls.balanced_cross_entropy_closed_form,
        },
        defects={
            "mistaken_ratio": Defect(
                published.balanced_cross_entropy_mistaken_ratio, breaks="one_class_at_the_ends"
            )
        },
        laws=general.LAWS
        + general.SMOOTH_LAWS
        + general.CONSTANT_LAWS
        + classification.BALANCED_CROSS_ENTROPY_LAWS,
        evaluations={"exp": 1, "log": 1},
        workloads=classification.BALANCED_CROSS_ENTROPY_WORKLOADS,
        bad_calls=classification.BALANCED_CROSS_ENTROPY_BAD_CALLS,
        curve=classification.BALANCED_CROSS_ENTROPY_CURVE,
    ),
    Loss(
        name="softmax_focal",
        formula="-α_t (1-q)^γ log q,  q = s + (1-2s) p_t,  p = softmax(x)",
        conventions=(
            "The mean counts the kept items, not their weights; smoothing moves p_t into [s, 1-s]."
        ),
        elsewhere=(
            "MONAI's focal loss takes sigmoids unless told otherwise, and torchvision's always; others "
            "clamp p_t instead of smoothing it, which stops its gradient."
        ),
        paper="Lin et al. 2017, arXiv 1708.02002",
        oracle=classification_oracles.softmax_focal,
        items=classification_oracles.softmax_focal_items,
        divisor=classification_oracles.softmax_focal_divisor,
        arguments=classification.SOFTMAX_FOCAL_ARGUMENTS,
        smooth=classification.smooth,
        cases=classification.softmax_focal_cases,
        variants={
            "naive": classification_impls.softmax_focal_naive,
            "vectorized": classification_impls.softmax_focal_vectorized,
            "fused": classification_impls.softmax_focal_fused,
            "closed_form": classification_impls.softmax_focal_closed_form,
        },
        defects={
            "published_outer_product": Defect(
                published.softmax_focal_published_outer_product, breaks="class_weight_is_a_factor"
            ),
            "published_overwritten_weights": Defect(
                published.softmax_focal_published_overwritten_weights, breaks="inputs_untouched"
            ),
        },
        laws=general.LAWS
        + general.SMOOTH_LAWS
        + general.CONSTANT_LAWS
        + classification.SOFTMAX_FOCAL_LAWS,
        evaluations={"exp": 1},
        workloads=classification.SOFTMAX_FOCAL_WORKLOADS,
        bad_calls=classification.SOFTMAX_FOCAL_BAD_CALLS,
        curve=classification.SOFTMAX_FOCAL_CURVE,
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
        smooth=classification.smooth,
        cases=classification.sigmoid_focal_cases,
        variants={
            "naive": classification_impls.sigmoid_focal_naive,
            "vectorized": classification_impls.sigmoid_focal_vectorized,
            "fused": classification_impls.sigmoid_focal_fused,
            "closed_form": classification_impls.sigmoid_focal_closed_form,
        },
        defects={
            "published_log_of_sigmoid": Defect(
                published.sigmoid_focal_published_log_of_sigmoid, breaks="finite"
            ),
            "published_probability_from_loss": Defect(
                published.sigmoid_focal_published_probability_from_loss, breaks="half_target"
            ),
        },
        laws=general.LAWS
        + general.SMOOTH_LAWS
        + general.CONSTANT_LAWS
        + classification.SIGMOID_FOCAL_LAWS,
        evaluations={"exp": 1, "log": 1},
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
            "closed_form": regression_impls.mse_closed_form,
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
            "closed_form": boxes_impls.iou_closed_form,
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
            "closed_form": boxes_impls.giou_closed_form,
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
            "closed_form": boxes_impls.diou_closed_form,
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
            "closed_form": boxes_impls.ciou_closed_form,
        },
        defects={
            "published_linear_aspect": Defect(published.ciou_published_linear_aspect, breaks="scaling"),
            "published_ratio": Defect(published.ciou_published_ratio, breaks="finite"),
        },
        # No second derivative: α, held constant, is none to the difference of two gradients.
        laws=general.LAWS + general.PAIR_LAWS + boxes.CIOU_LAWS,
        evaluations={"atan": 0.25},
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
            "closed_form": overlap_impls.dice_closed_form,
            "plain": overlap_impls.dice_plain,
        },
        defects={
            "published_above_one": Defect(published.dice_published_above_one, breaks="bounded"),
            "published_one_sum": Defect(published.dice_published_one_sum, breaks="concatenation"),
            "published_last_class": Defect(
                published.dice_published_last_class, breaks="channel_permutation"
            ),
        },
        laws=general.LAWS + general.SMOOTH_LAWS + general.CONSTANT_LAWS + overlap.DICE_LAWS,
        evaluations={"exp": 1},
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
            "closed_form": overlap_impls.jaccard_closed_form,
            "plain": overlap_impls.jaccard_plain,
        },
        defects={
            "published_no_union": Defect(
                published.jaccard_published_no_union, breaks="zero_at_perfect_mask"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + general.CONSTANT_LAWS + overlap.JACCARD_LAWS,
        evaluations={"exp": 1},
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
            "closed_form": overlap_impls.tversky_closed_form,
            "plain": overlap_impls.tversky_plain,
        },
        defects={
            "mistaken_weights_swapped": Defect(
                published.tversky_mistaken_weights_swapped, breaks="alpha_weighs_false_positives"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + general.CONSTANT_LAWS + overlap.TVERSKY_LAWS,
        evaluations={"exp": 1},
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
        differentiable=overlap.differentiable_focal_tversky,
        cases=overlap.focal_tversky_cases,
        variants={
            "naive": overlap_impls.focal_tversky_naive,
            "vectorized": overlap_impls.focal_tversky_vectorized,
            "fused": overlap_impls.focal_tversky_fused,
            "closed_form": overlap_impls.focal_tversky_closed_form,
        },
        defects={
            "mistaken_inverse_power": Defect(
                published.focal_tversky_mistaken_inverse_power, breaks="falls_with_gamma"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + general.CONSTANT_LAWS + overlap.FOCAL_TVERSKY_LAWS,
        evaluations={"exp": 1},
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
            "closed_form": overlap_impls.log_cosh_dice_closed_form,
        },
        defects={
            "mistaken_without_half": Defect(
                published.log_cosh_dice_mistaken_without_half, breaks="zero_at_perfect_mask"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + general.CONSTANT_LAWS + overlap.LOG_COSH_DICE_LAWS,
        evaluations={"exp": 1},
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
            "closed_form": overlap_impls.sensitivity_specificity_closed_form,
        },
        defects={
            "mistaken_weight_swapped": Defect(
                published.sensitivity_specificity_mistaken_weight_swapped, breaks="regions_apart"
            )
        },
        laws=general.LAWS
        + general.SMOOTH_LAWS
        + general.CONSTANT_LAWS
        + overlap.SENSITIVITY_SPECIFICITY_LAWS,
        evaluations={"exp": 1},
        workloads=overlap.SENSITIVITY_SPECIFICITY_WORKLOADS,
        bad_calls=overlap.SENSITIVITY_SPECIFICITY_BAD_CALLS,
        curve=overlap.SENSITIVITY_SPECIFICITY_CURVE,
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
        laws=general.LAWS + general.SMOOTH_LAWS + general.CONSTANT_LAWS + boundary.DISTANCE_DICE_LAWS,
        evaluations={"exp": 0.5},
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
        paper="Caliva et al. 2019, arXiv 1908.03679",
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
            "closed_form": boundary_impls.distance_weighted_ce_closed_form,
        },
        defects={
            "mistaken_mean_first": Defect(
                published.distance_weighted_ce_mistaken_mean_first,
                breaks="cross_entropy_without_distance",
            )
        },
        laws=general.LAWS
        + general.SMOOTH_LAWS
        + general.CONSTANT_LAWS
        + boundary.DISTANCE_WEIGHTED_CE_LAWS,
        evaluations={"exp": 0.5},
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
        laws=general.LAWS + general.SMOOTH_LAWS + general.CONSTANT_LAWS + boundary.HAUSDORFF_DT_LAWS,
        workloads=boundary.HAUSDORFF_DT_WORKLOADS,
        bad_calls=boundary.HAUSDORFF_DT_BAD_CALLS,
        curve=boundary.HAUSDORFF_DT_CURVE,
    ),
    Loss(
        name="bce_dice",
        formula="mean BCE(x, g) + mean_c dice_c(σ(x), g)",
        conventions=(
            "BCE is the mean over channels and voxels of the sample, dice that over its channels; "
            "both count alike."
        ),
        elsewhere=(
            "segmentation-models adds BCE and dice with weights and takes the dice over the batch; "
            "nnU-Net's dice leaves out the background."
        ),
        paper="Isensee et al. 2018, arXiv 1809.10486",
        oracle=compound_oracles.bce_dice,
        items=compound_oracles.bce_dice_items,
        arguments=compound.MASK_ARGUMENTS,
        smooth=compound.smooth_masks,
        cases=compound.bce_dice_cases,
        variants={
            "naive": compound_impls.bce_dice_naive,
            "vectorized": compound_impls.bce_dice_vectorized,
            "fused": compound_impls.bce_dice_fused,
            "closed_form": compound_impls.bce_dice_closed_form,
        },
        defects={
            "mistaken_two_sigmoids": Defect(
                published.bce_dice_mistaken_two_sigmoids, breaks="sure_and_right"
            )
        },
        laws=general.LAWS + general.SMOOTH_LAWS + general.CONSTANT_LAWS + compound.BCE_DICE_LAWS,
        evaluations={"exp": 1, "log": 1},
        workloads=compound.BCE_DICE_WORKLOADS,
        bad_calls=compound.BCE_DICE_BAD_CALLS,
        curve=compound.BCE_DICE_CURVE,
    ),
    Loss(
        name="bce_log_dice",
        formula="mean BCE(x, g) - log(1 - dice(σ(x), g))",
        conventions=(
            "One dice over all channels and voxels of the sample; smooth > 0, so that it is finite."
        ),
        elsewhere=(
            "Published with Jaccard's coefficient in place of dice's; others clamp the coefficient, "
            "or take one over the batch."
        ),
        paper="Iglovikov et al. 2017, arXiv 1706.06169",
        oracle=compound_oracles.bce_log_dice,
        items=compound_oracles.bce_log_dice_items,
        arguments=compound.MASK_ARGUMENTS,
        smooth=compound.smooth_masks,
        cases=compound.bce_log_dice_cases,
        variants={
            "naive": compound_impls.bce_log_dice_naive,
            "vectorized": compound_impls.bce_log_dice_vectorized,
            "fused": compound_impls.bce_log_dice_fused,
            "closed_form": compound_impls.bce_log_dice_closed_form,
        },
        defects={
            "mistaken_one_sum": Defect(published.bce_log_dice_mistaken_one_sum, breaks="concatenation")
        },
        laws=general.LAWS + general.SMOOTH_LAWS + general.CONSTANT_LAWS + compound.BCE_LOG_DICE_LAWS,
        evaluations={"exp": 1, "log": 1},
        workloads=compound.BCE_LOG_DICE_WORKLOADS,
        bad_calls=compound.BCE_LOG_DICE_BAD_CALLS,
        curve=compound.BCE_LOG_DICE_CURVE,
    ),
    Loss(
        name="combo",
        formula="a mean(-[b g log p + (1-b)(1-g) log(1-p)]) + (1-a) dice(p, g),  p = σ(x)",
        conventions=(
            "The dice loss is added, so that a right mask gives 0; one dice over all channels and "
            "voxels of the sample."
        ),
        elsewhere=(
            "The paper subtracts the dice coefficient, so its loss is lower by 1-a; others take one "
            "dice over the batch and clamp p."
        ),
        paper="Taghanaki et al. 2018, arXiv 1805.02798",
        oracle=compound_oracles.combo,
        items=compound_oracles.combo_items,
        arguments=compound.MASK_ARGUMENTS,
        smooth=compound.smooth_masks,
        cases=compound.combo_cases,
        variants={
            "naive": compound_impls.combo_naive,
            "vectorized": compound_impls.combo_vectorized,
            "fused": compound_impls.combo_fused,
            "closed_form": compound_impls.combo_closed_form,
        },
        defects={
            "mistaken_subtraction": Defect(published.combo_mistaken_subtraction, breaks="nonnegative")
        },
        laws=general.LAWS + general.SMOOTH_LAWS + general.CONSTANT_LAWS + compound.COMBO_LAWS,
        evaluations={"exp": 1, "log": 1},
        workloads=compound.COMBO_WORKLOADS,
        bad_calls=compound.COMBO_BAD_CALLS,
        curve=compound.COMBO_CURVE,
    ),
    Loss(
        name="exp_log",
        formula="w_d mean_c (-log D_c)^γd + w_c mean v_t (-log p_t)^γc,  p = softmax(x)",
        conventions=(
            "D_c is a class's dice coefficient with smooth = 1; the mean over voxels does not divide "
            "by the class weights; sure logits have a power and gradient that fall to 0."
        ),
        elsewhere=(
            "The paper smooths D by ε and averages over all voxels of the batch; ports raise "
            "-log p to the power as it is, with NaN gradients where p rounds to 1."
        ),
        paper="Wong et al. 2018, arXiv 1809.00076",
        oracle=compound_oracles.exp_log,
        items=compound_oracles.exp_log_items,
        arguments=compound.EXP_LOG_ARGUMENTS,
        smooth=compound.smooth_classes,
        cases=compound.exp_log_cases,
        variants={
            "naive": compound_impls.exp_log_naive,
            "vectorized": compound_impls.exp_log_vectorized,
            "fused": compound_impls.exp_log_fused,
        },
        defects={
            "mistaken_power_of_zero": Defect(published.exp_log_mistaken_power_of_zero, breaks="finite")
        },
        laws=general.LAWS + general.SMOOTH_LAWS + general.CONSTANT_LAWS + compound.EXP_LOG_LAWS,
        evaluations={"exp": 1},
        workloads=compound.EXP_LOG_WORKLOADS,
        bad_calls=compound.EXP_LOG_BAD_CALLS,
        curve=compound.EXP_LOG_CURVE,
    ),
    Loss(
        name="yolo_detection",
        formula=(
            "Σ over scales: g_box mean ciou + g_obj balance mean BCE(x, o) + g_cls mean BCE of classes"
        ),
        conventions=(
            "One number under every reduction; o = (1-r) + r max(1-ciou, 0) at matched cells, without "
            "gradient, else 0; nothing matched leaves the objectness."
        ),
        elsewhere=(
            "YOLOv5 multiplies the sum by the batch size, leaves out the classes where there is one, "
            "and its ciou has 1e-7 added to the sides."
        ),
        paper="Jocher et al. 2020, YOLOv5",
        oracle=compound_oracles.yolo_detection,
        items=compound_oracles.yolo_detection_items,
        arguments=compound.yolo_arguments,
        coupled=lambda case: True,
        cases=compound.yolo_cases,
        variants={
            "naive": compound_impls.yolo_detection_naive,
            "vectorized": compound_impls.yolo_detection_vectorized,
            "fused": compound_impls.yolo_detection_fused,
            "closed_form": compound_impls.yolo_detection_closed_form,
        },
        defects={
            "mistaken_attached_objectness": Defect(
                published.yolo_detection_mistaken_attached_objectness,
                breaks="wanted_objectness_is_constant",
            )
        },
        # no SMOOTH_LAWS: o and ciou's α are constants to the gradient, though boxes move them
        laws=compound.YOLO_GENERAL_LAWS + general.PAIR_LAWS + general.CONSTANT_LAWS + compound.YOLO_LAWS,
        workloads=compound.YOLO_WORKLOADS,
        bad_calls=compound.YOLO_BAD_CALLS,
        curve=compound.YOLO_CURVE,
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
        paper="Wen et al. 2016, ECCV",
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
            "closed_form": embedding_impls.arcface_closed_form,
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
    Loss(
        name="vgg_content",
        formula="(1/L) Σ_l w_l MSE(φ_l(x), φ_l(y)),  φ_l: layer l of a network",
        conventions=(
            "The mean over the layers is by their number, not by their weights; images go in as they "
            "are (normalise both for a network that was trained so); the target and the network are "
            "constants."
        ),
        elsewhere=(
            "Many implementations add the layers up, take absolute differences, or divide by another "
            "size; features kept in a list are overwritten by torchvision's in-place ReLUs."
        ),
        paper="Johnson et al. 2016, arXiv 1603.08155",
        oracle=perceptual_oracles.vgg_content,
        items=perceptual_oracles.vgg_content_items,
        arguments=perceptual.ARGUMENTS,
        torch_options={"features": vgg_like},
        smooth=perceptual.smooth,
        cases=perceptual.image_cases,
        variants={
            "naive": perceptual_impls.vgg_content_naive,
            "vectorized": perceptual_impls.vgg_content_vectorized,
            "fused": perceptual_impls.vgg_content_fused,
        },
        defects={
            "mistaken_in_place": Defect(
                published.vgg_content_mistaken_in_place, breaks="several_layers_average"
            ),
            "mistaken_layer_before": Defect(
                published.vgg_content_mistaken_layer_before, breaks="single_layer_is_its_mse"
            ),
        },
        laws=general.LAWS + general.SMOOTH_LAWS + general.CONSTANT_LAWS + perceptual.VGG_CONTENT_LAWS,
        workloads=perceptual.VGG_CONTENT_WORKLOADS,
        bad_calls=perceptual.VGG_CONTENT_BAD_CALLS,
        curve=perceptual.VGG_CONTENT_CURVE,
    ),
)

CATALOG: Mapping[str, Loss] = MappingProxyType({row.name: row for row in _ROWS})
"""Every loss by name; read-only."""
