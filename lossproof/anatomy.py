"""What a loss is made of, as its signature and its arguments tell."""

import contextlib
import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lossproof.cases import generated
from lossproof.loss import Loss, parameter_of
from lossproof.networks import layers_of
from properties.case import DTYPES, Argument, Case, round_to


def parameters(loss: Loss) -> dict[str, Argument]:
    """The tensor arguments by parameter, in order."""
    case = loss.curve.make(loss.curve.low)
    return {parameter_of(a.name): a for a in loss.known_arguments(case)}


def options_of(loss: Loss) -> list[str]:
    """The options that have a default, weights included."""
    known = inspect.signature(loss.oracle).parameters.values()
    return [p.name for p in known if p.default is not p.empty and p.name != "reduction"]


def positional_weights(loss: Loss) -> list[str]:
    """The tensors that weigh items without being an option, such as distance maps."""
    known = parameters(loss).items()
    return [n for n, a in known if a.kind == "real" and not (a.gradient or a.optional)]


def has_batch(loss: Loss) -> bool:
    """Whether there are items of which a sum could be taken."""
    return any(argument.batched for argument in parameters(loss).values())


def has_classes(loss: Loss) -> bool:
    first = next(iter(parameters(loss).values()))
    return first.flat_from == 2 or bool(labels_of(loss))


def labels_of(loss: Loss) -> list[str]:
    return [name for name, argument in parameters(loss).items() if argument.kind == "label"]


def target_of(loss: Loss) -> str:
    """The labels, or else the second argument."""
    return (labels_of(loss) or list(parameters(loss))[1:2])[-1]


def has_ignore_index(loss: Loss) -> bool:
    return "ignore_index" in options_of(loss)


@cache
def can_overflow(loss: Loss) -> bool:
    """Whether the sum of a few items overflows float16 at numbers as large as that holds."""
    random = np.random.default_rng(0)
    for case in generated(loss, "float16", 50, 0):
        grown = [a.name for a in loss.arguments_of(case) if a.kind in ("real", "row")]
        for signs in ([-1, 1], [1], [-1]):  # some numbers may not be negative
            signed = {name: random.choice(signs, case[name].shape) for name in grown}
            values = {name: DTYPES["float16"].largest * sign for name, sign in signed.items()}
            with np.errstate(all="ignore"), contextlib.suppress(ValueError):
                total = loss.exact(case.changed(**values), reduction="sum")
                if np.isinf(round_to(total, "float16")):
                    return True
    return False


def case_of(loss: Loss, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> Case:
    """The case that a call is of."""
    bound = inspect.signature(loss.oracle).bind(*arguments, **options)
    bound.apply_defaults()
    values = {name: _plain(value) for name, value in flattened(bound.arguments).items()}
    del values["reduction"]
    return Case(values)


def flattened(values: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by name, a list as its parts: what :meth:`Loss.split` makes lists of."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, list):
            flat |= {f"{name}_{place}": part for place, part in enumerate(value)}
        else:
            flat[name] = value
    return flat


def _plain(value: Any) -> Any:
    """A tensor or a network as the oracle takes it."""
    if isinstance(value, nn.Sequential):
        return layers_of(value)
    if not isinstance(value, Tensor):
        return value
    return value.detach().cpu().to(torch.float64 if value.is_floating_point() else value.dtype).numpy()
