"""Variants of the perceptual loss.

The network's parameters are constants, also where they require grad, and the network is left as it
is: each child is called with parameters that are detached and, for half types, widened.

On CUDA, cuDNN's convolutions round float32 to TF32's 11 bits, unless
``torch.backends.cudnn.conv.fp32_precision`` is "ieee", in the backward pass too: that is the caller's
to say.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from impls.arguments import (
    HALVES,
    collect,
    divisor_of,
    reduce,
    require,
    require_floats,
    require_number,
    require_reduction,
    require_shape,
    wide,
)
from impls.compiled import Compiled, graph_input

Distance = Callable[[Tensor, Tensor], Tensor]


def _check(
    output: Tensor,
    target: Tensor,
    features: nn.Sequential,
    layers: Sequence[str],
    weights: Sequence[float] | None,
    reduction: str,
) -> None:
    require_floats(output=output, target=target)
    is_image = output.ndim == 4 and 0 not in output.shape[1:]
    require(is_image, "output", "shape (N, C, H, W)", tuple(output.shape))
    require_shape("target", target, output.shape)
    require_reduction(reduction)
    _check_network(features, output.dtype)
    if isinstance(layers, str) or not isinstance(layers, Sequence):
        raise TypeError(f"layers: expected a sequence of names, got {type(layers).__name__}")
    known = [name for name, _ in features.named_children()]
    fits = len(set(layers)) == len(layers) > 0 and set(layers) <= set(known)
    require(fits, "layers", f"different names out of {', '.join(known)}", layers)
    if weights is not None:
        if isinstance(weights, str) or not isinstance(weights, Sequence):
            raise TypeError(f"weights: expected a sequence of numbers, got {type(weights).__name__}")
        require(len(weights) == len(layers), "weights", f"{len(layers)} numbers", len(weights))
        for weight in weights:
            require_number("weights", weight, 0, math.inf)
            require(weight < math.inf, "weights", "finite numbers", weight)


def _check_network(features: nn.Sequential, dtype: torch.dtype) -> None:
    """Floating parameters in the images' dtype or the one it is computed in; no training mode."""
    if not isinstance(features, nn.Sequential):
        raise TypeError(f"features: expected an nn.Sequential, got {type(features).__name__}")
    held = {t.dtype for t in (*features.parameters(), *features.buffers()) if t.is_floating_point()}
    fits = held <= {dtype, torch.float32 if dtype in HALVES else dtype}
    require(fits, "features", f"parameters in {dtype} like output", ", ".join(map(str, held)))
    for module in features.modules():
        changes = isinstance(module, _NormBase | _DropoutNd) and module.training
        require(not changes, "features", "modules in eval mode", f"{module} in training mode")


def _weights(layers: Sequence[str], weights: Sequence[float] | None) -> Sequence[float]:
    return [1.0] * len(layers) if weights is None else weights


def _run(features: nn.Sequential, image: Tensor, layers: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
    """Name and features (N, ...) of each layer chosen, in the network's order, then stop.

    A module that works in place would overwrite the image, or features already given: it gets a copy.
    """
    left, x, given = set(layers), image, [image]
    for name, module in features.named_children():
        if not left:
            return
        in_place = any(getattr(part, "inplace", False) for part in module.modules())
        if in_place and (x._is_view() or any(x is other for other in given)):
            x = x.clone()
        state = (*module.named_parameters(), *module.named_buffers())
        x = functional_call(module, {name: wide(tensor.detach()) for name, tensor in state}, (x,))
        if name in left:
            left.remove(name)
            given.append(x)
            yield name, x


def vgg_content_naive(
    output: Tensor,
    target: Tensor,
    features: nn.Sequential,
    *,
    layers: Sequence[str] = ("3", "8", "13", "22", "31"),
    weights: Sequence[float] | None = None,
    reduction: str = "mean",
) -> Tensor:
    """(1/L) Σ_l w_l MSE at layer l, one pair of images and one layer at a time, from the pixels on."""
    _check(output, target, features, layers, weights, reduction)
    items = []
    with torch.autocast(output.device.type, enabled=False):
        for image, wanted in zip(wide(output), wide(target.detach()), strict=True):
            errors = []
            for layer, weight in zip(layers, _weights(layers, weights), strict=True):
                [(_, x)] = _run(features, image[None], [layer])
                [(_, y)] = _run(features, wanted[None], [layer])
                errors.append(weight * ((x - y) ** 2).mean())
            items.append(torch.stack(errors).sum() / len(layers))
    losses = collect(items, output.shape[:1], output)
    return reduce(losses, divisor_of(reduction, len(items)), output.dtype)


def _distance(x: Tensor, y: Tensor) -> Tensor:
    """Mean squared difference of each row."""
    return (x - y).square().mean(1)


def _content(
    output: Tensor,
    target: Tensor,
    features: nn.Sequential,
    layers: Sequence[str],
    weights: Sequence[float] | None,
    distance: Distance,
) -> Tensor:
    """Items, unrounded; the target goes through the network without a graph."""
    if not len(output):
        return collect([], (0,), output)
    weight = dict(zip(layers, _weights(layers, weights), strict=True))
    total = torch.zeros((), device=output.device)
    with torch.autocast(output.device.type, enabled=False):
        with torch.no_grad():
            wanted = dict(_run(features, wide(target), layers))
        for name, x in _run(features, wide(output), layers):
            error = distance(x.flatten(1), wanted.pop(name).flatten(1))
            total = total + weight[name] * error
    return total / len(layers)


def vgg_content_vectorized(
    output: Tensor,
    target: Tensor,
    features: nn.Sequential,
    *,
    layers: Sequence[str] = ("3", "8", "13", "22", "31"),
    weights: Sequence[float] | None = None,
    reduction: str = "mean",
) -> Tensor:
    """(1/L) Σ_l w_l MSE at layer l, from one pass over all images to the last layer chosen."""
    _check(output, target, features, layers, weights, reduction)
    items = _content(output, target, features, layers, weights, _distance)
    return reduce(items, divisor_of(reduction, len(output)), output.dtype)


_compiled_distance = Compiled(_distance, graphs=6)


def _fused_distance(x: Tensor, y: Tensor) -> Tensor:
    """The same compiled; a single row or column is not worth a graph."""
    if min(x.shape) < 2:
        return _distance(x, y)
    return _compiled_distance(graph_input(x), graph_input(y))


def vgg_content_fused(
    output: Tensor,
    target: Tensor,
    features: nn.Sequential,
    *,
    layers: Sequence[str] = ("3", "8", "13", "22", "31"),
    weights: Sequence[float] | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The vectorized form with its squared differences compiled; convolutions stay library calls."""
    _check(output, target, features, layers, weights, reduction)
    items = _content(output, target, features, layers, weights, _fused_distance)
    return reduce(items, divisor_of(reduction, len(output)), output.dtype)
