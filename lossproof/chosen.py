"""The chosen variants of a loss as one callable, which takes the fastest for the size it is given."""

import math
from bisect import bisect
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lossproof.catalog import CATALOG
from lossproof.loss import Variant
from lossproof.measure import BACKWARD, FORWARD

if TYPE_CHECKING:
    from lossproof.choice import Choice

SIZES = (1_000, 10_000, 100_000, 1_000_000)
"""Elements of the first argument on which a choice rests; a call goes by the nearest, as a ratio."""


class Chosen:
    """The fastest correct variant of a loss, by size and pass: called like any variant of the loss.

    Looking up costs about a microsecond. What is compiled compiles when a call first comes to it.

    Attributes:
        choices: the decisions, by size, each with its table.

    Raises:
        RuntimeError: no variant is correct.
    """

    def __init__(self, choices: "Sequence[Choice]") -> None:
        self.choices = tuple(choices)
        first = choices[0]
        self.loss, self.device, self.dtype = first.loss, first.device, getattr(torch, first.dtype)
        sizes = [choice.size for choice in choices]
        self._bounds = [math.sqrt(a * b) for a, b in pairwise(sizes)]
        self._forward = [self._winner(choice, FORWARD) for choice in choices]
        self._training = [self._winner(choice, BACKWARD) for choice in choices]
        self._kind = first.device.partition(":")[0]

    def _winner(self, choice: "Choice", pass_name: str) -> Variant:
        winner = choice.winners.get(pass_name) or choice.winners.get(FORWARD)
        if winner is None:
            outcomes = ", ".join(f"{row.variant}: {row.outcome}" for row in choice.table)
            raise RuntimeError(f"{self.loss}: no variant to choose on {choice.workload} ({outcomes})")
        return CATALOG[self.loss].variants[winner]

    def __call__(self, first: Tensor | Sequence[Tensor], *arguments: Any, **options: Any) -> Tensor:
        """The loss, by the variant for the size of the first argument.

        Raises:
            TypeError: a dtype or device that nothing was chosen for.
        """
        tensor = first if isinstance(first, Tensor) else first[0]
        if tensor.dtype is not self.dtype or tensor.device.type != self._kind:
            got = f"{tensor.dtype} on {tensor.device}"
            raise TypeError(f"{self.loss}: chosen for {self.dtype} on {self.device}, got {got}")
        training = tensor.requires_grad and torch.is_grad_enabled()
        variants = self._training if training else self._forward
        return variants[bisect(self._bounds, tensor.numel())](first, *arguments, **options)

    def __repr__(self) -> str:
        bounds = [*(f"up to {bound:,.0f}" for bound in self._bounds), "above"]
        lines = [f"{self.loss} on {self.device}, {self.dtype}, by elements of the first argument:"]
        for bound, choice in zip(bounds, self.choices, strict=True):
            winners = ", ".join(f"{name} {choice.winners.get(name)}" for name in (FORWARD, BACKWARD))
            lines.append(f"  {bound}: {winners}")
        return "\n".join(lines)
