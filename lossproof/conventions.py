"""The row of a loss as it is under conventions, documented deviations from the catalogue.

A convention changes what is true of a loss (its formula, what its mean divides by) or what is judged
(which cases). The laws that it contradicts are left out; all others stay.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache, partial, wraps
from typing import Any, cast

import numpy as np
from hypothesis.strategies import SearchStrategy

from lossproof.anatomy import case_of
from lossproof.deviations import CONVENTIONS, FORMULAS, Convention
from lossproof.loss import Law, Loss
from lossproof.tolerance import divisor_of, items_at
from oracles.numeric import reduce
from properties.case import Case
from properties.general import gradient, value
from properties.trial import Measured, Trial, assume


def accepted(loss: str) -> list[Convention]:
    """The conventions that apply to a loss."""
    return [convention for convention in CONVENTIONS if convention.applies_to(loss)]


def under(loss: Loss, names: Iterable[str]) -> Loss:
    """The row of a loss as it is under conventions; itself, if there are none.

    Raises:
        ValueError: a name that the loss doesn't accept, or two for one subject.

    >>> from lossproof import CATALOG
    >>> under(CATALOG["giou"], ["eps=1e-7"]).under
    ('eps=1e-7',)
    >>> under(CATALOG["mse"], ["eps=1e-7"])
    Traceback (most recent call last):
    ...
    ValueError: convention: mse has no 'eps=1e-7' (it accepts: empty=nan)
    """
    return _under(loss, tuple(names))


@lru_cache(maxsize=1000)
def _under(loss: Loss, names: tuple[str, ...]) -> Loss:
    """One row for each set of names, so that what the oracle says of it is kept for all who ask."""
    if not names:
        return loss
    chosen = [_found(loss.name, name) for name in names]
    subjects = [convention.subject for convention, _ in chosen]
    for subject in subjects:
        if subjects.count(subject) > 1:
            raise ValueError(f"convention: {subject} is given more than once: {', '.join(names)}")
    terms = {c.term: number or True for c, number in chosen if c.term}
    contradicted = {law for convention, _ in chosen for law in convention.contradicts}
    row = replace(
        loss,
        under=names,
        items=partial(FORMULAS[loss.name], **terms) if terms else loss.items,
        divisor=next((c.divisor for c, _ in chosen if c.divisor), loss.divisor),
        laws=tuple(law for law in loss.laws if law.__name__ not in contradicted),
    )
    changed = row.items is not loss.items or row.divisor is not loss.divisor
    oracle = _oracle(row) if changed else row.oracle
    row = replace(row, oracle=oracle, cases=_cases(row, [c for c, _ in chosen]))
    if any(convention.spares for convention, _ in chosen):
        row = replace(row, laws=tuple(_sparing(law, row) for law in row.laws))
    return row


def _found(loss: str, name: str) -> tuple[Convention, float]:
    """The convention of a name, and the number that it is set to."""
    known = accepted(loss)
    for convention in known:
        number = convention.number(name)
        if number is not None:
            return convention, number
    names = ", ".join(convention.name for convention in known)
    raise ValueError(f"convention: {loss} has no {name!r} (it accepts: {names})")


def _oracle(row: Loss) -> Callable[..., Any]:
    """The oracle that checks the domain as the catalogue's does, and answers by the row's formula."""
    checked = row.oracle

    @wraps(checked)
    def oracle(*tensors: Any, reduction: str = "mean", **options: Any) -> Any:
        shape = np.shape(checked(*tensors, **options, reduction="none"))
        items = items_at(row, case_of(row, tensors, options)).reshape(shape)
        return reduce(items, reduction, row.divisor(*tensors, **options) if row.divisor else None)

    return oracle


def _cases(row: Loss, chosen: Sequence[Convention]) -> Callable[[str], SearchStrategy[Case]]:
    """The cases that all conventions speak of."""

    def settled(case: Case) -> Case:
        for convention in chosen:
            case = convention.settle(row, case)
        return case

    def judged(case: Case) -> bool:
        return all(convention.judged(row, case) for convention in chosen)

    return lambda dtype: row.cases(dtype).map(settled).filter(judged)


class _Sparing:
    """A trial that leaves a law which asks for the mean of nothing."""

    def __init__(self, trial: Trial, loss: Loss) -> None:
        self._trial, self._loss = trial, loss

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trial, name)

    def value(self, case: Case | None = None, *, reduction: str = "none", **how: Any) -> Measured:
        self._require_mean(case, reduction)
        return self._trial.value(case, reduction=reduction, **how)

    def gradient(
        self, name: str, case: Case | None = None, *, reduction: str = "none", **how: Any
    ) -> Measured:
        self._require_mean(case, reduction)
        return self._trial.gradient(name, case, reduction=reduction, **how)

    def _require_mean(self, case: Case | None, reduction: str) -> None:
        assume(reduction != "mean" or divisor_of(self._loss, case or self._trial.case) > 0)


def _sparing(law: Law, loss: Loss) -> Law:
    """A law that doesn't ask for the mean of nothing; value and gradient ask for a case's own alone."""
    if law in (value, gradient):
        return law

    @wraps(law)
    def sparing(trial: Trial) -> None:
        law(cast(Trial, _Sparing(trial, loss)))

    return sparing
