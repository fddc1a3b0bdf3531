"""Verification under conventions: what ``lossproof.verify`` is."""

from collections.abc import Iterable
from dataclasses import replace

import torch

from lossproof import verification
from lossproof.adapting import Adapted, adapt
from lossproof.catalog import CATALOG
from lossproof.conventions import under
from lossproof.lookup import find
from lossproof.loss import Loss, Variant
from lossproof.verdict import Verdict
from lossproof.verification import ALL_FOUR, MANY, Announce, Progress


def verify(
    function: Variant,
    loss: str | Loss,
    *,
    conventions: Iterable[str] = (),
    device: str = "cpu",
    dtypes: Iterable[torch.dtype | str] = ALL_FOUR,
    examples: int = MANY,
    seed: int = 0,
    laws: Iterable[str] | None = None,
    progress: Progress | None = None,
    announce: Announce = lambda law, dtype, call: None,
) -> Verdict:
    """Check an implementation against the oracle and every law of a loss.

    Args:
        function: has the loss's signature (tensors first, keyword options, ``reduction``), or what
            :func:`lossproof.adapt` gives it. A NotImplementedError is no fault: the case is refused.
        loss: a name in the catalogue.
        conventions: documented deviations under which it is to be correct, such as "eps=1e-7";
            docs/losses.md lists those of each loss.
        device: "cpu", "cuda" or what torch.accelerator offers.
        dtypes: floating dtypes to check.
        examples: generated cases for each dtype.
        seed: of the generation.
        laws: names of the laws to check; default: all of the loss.
        progress: called with the number of cases done and the number of all.
        announce: called with the law, the dtype and the call, before each call.

    Raises:
        ValueError: unknown loss, convention, dtype, device or law, or fewer than 1 example.

    >>> import torch
    >>> def constant(input, target, *, reduction="mean"):
    ...     return input.sum() * 0
    >>> verdict = verify(constant, "mse", dtypes=[torch.float32], examples=5, laws=["value"])
    >>> verdict.said, verdict.laws_broken
    ('wrong', ('value',))
    """
    row = under(find("loss", loss, CATALOG) if isinstance(loss, str) else loss, conventions)
    function = adapt(function, row)
    if isinstance(function, Adapted):
        function = replace(function, conventions=row.under)
    verdict = verification.verify(
        function,
        row,
        device=device,
        dtypes=dtypes,
        examples=examples,
        seed=seed,
        laws=laws,
        progress=progress,
        announce=announce,
    )
    return replace(verdict, under=row.under)
