"""Every law can fail: for each there is an impostor of the vectorized variant that breaks it."""

import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from zlib import crc32

import pytest
import torch
from torch import Tensor

from lossproof import CATALOG, trial
from lossproof.cases import generated, large
from lossproof.impostors import impostors
from lossproof.loss import Law, Loss
from lossproof.trial import Raised, TorchTrial
from lossproof.wrappers import tensors_in
from properties.case import Case
from properties.general import finite, large_batch, mean_of_many
from properties.trial import Broken, NotApplicable

Function = Callable[..., Tensor]


def _first_tracked(arguments: tuple[Any, ...]) -> Tensor | None:
    return next((a for a in tensors_in(arguments) if a.requires_grad), None)


def _offset(amount: float) -> Callable[[Function], Function]:
    def wrap(right: Function) -> Function:
        return lambda *arguments, **options: right(*arguments, **options) + amount

    return wrap


def _noisy(right: Function) -> Function:
    """Errors that depend on every number and every place."""

    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        numbers = [a.detach().double().nan_to_num(0, 1, -1) for a in tensors_in(arguments)]
        seed = sum(float((a + 0.1).sum()) for a in numbers)
        place = torch.arange(value.numel(), device=value.device).reshape(value.shape)
        plain = {name: v for name, v in options.items() if isinstance(v, int | float | str | tuple)}
        setting = crc32(repr(plain).encode()) % 1000
        return value + 0.1 * torch.sin(9.0 * place + 1e3 * seed + setting).to(value.dtype)

    return wrong


def _tilted(right: Function) -> Function:
    """The right value with a gradient that has a constant added."""

    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        value, total = right(*arguments, **options), 0.0
        for tensor in tensors_in(arguments):
            if tensor.requires_grad:
                finite = tensor.nan_to_num(0, 0, 0)
                total = total + 3 * (finite - finite.detach()).sum()
        return value + total

    return wrong


def _tilted_alone(right: Function) -> Function:
    """A gradient that is wrong only where a single argument asks for it."""

    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        alone = sum(a.requires_grad for a in tensors_in(arguments)) == 1
        return (_tilted(right) if alone else right)(*arguments, **options)

    return wrong


def _leaking(right: Function) -> Function:
    """Gradient flows to every tensor that requires it, constants too."""

    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        weights = (value for value in options.values() if isinstance(value, Tensor))
        everything = tensors_in((*arguments, *weights))
        for tensor in everything:
            if tensor.requires_grad and not value.requires_grad:
                value = value + (tensor - tensor.detach()).sum()
        return value

    return wrong


def _bent(right: Function) -> Function:
    """Right value and gradient, with a second derivative that has a constant added."""

    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        moved = [(t - t.detach()).square().sum() for t in tensors_in(arguments) if t.requires_grad]
        return value + 3 * sum(moved) if moved else value

    return wrong


def _in_single_precision(right: Function) -> Function:
    return lambda *arguments, **options: right(*arguments, **options).float()


def _untracked_differs(right: Function) -> Function:
    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        return value if _first_tracked(arguments) is not None else value + 1

    return wrong


def _no_number(right: Function) -> Function:
    return lambda *arguments, **options: right(*arguments, **options) * torch.nan


def _accepts_anything(right: Function) -> Function:
    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        try:
            return right(*arguments, **options)
        except ValueError:
            return tensors_in(arguments)[0].sum()

    return wrong


def _prints(right: Function) -> Function:
    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        print(value)
        return value

    return wrong


OFTEN = [
    _prints,
    _offset(-3.0),
    _offset(1000.0),
    _noisy,
    _tilted,
    _tilted_alone,
    _leaking,
    _bent,
    _untracked_differs,
]
SELDOM = [_in_single_precision, _accepts_anything]
SHARED = ("input_changed", "stateful", "only_contiguous", "detached")
"""Those of lossproof/impostors.py that break what the local ones don't, beside ignored options."""
FIRST = 5
"""So many cases are tried with all impostors before the others, because most laws break there."""


def _said_by_the_law(failure: Broken) -> bool:
    """Whether the law itself was broken: results of another shape, or without a gradient, break
    whatever asks for a value, in the trial."""
    return traceback.extract_tb(failure.__traceback__)[-1].filename != trial.__file__


def _breaks(law: Law, tried: TorchTrial) -> bool:
    try:
        law(tried)
    except Broken as failure:
        return _said_by_the_law(failure)
    except (Raised, NotApplicable):
        pass
    return False


def _makers(row: Loss) -> list[Callable[[], Function]]:
    """What makes each impostor afresh."""
    right, known = row.variants["vectorized"], impostors(row)
    shared = [make for name, make in known.items() if name in SHARED or name.startswith("ignores_")]
    return [
        *(partial(wrap, right) for wrap in OFTEN),
        *shared,
        *(partial(wrap, right) for wrap in SELDOM),
    ]


def _break_some(laws: list[Law], row: Loss, cases: Sequence[Case], make: Callable[[], Function]) -> None:
    """Take from the laws those that an impostor breaks. They share its calls on a case, so each must
    also be broken by an impostor, and on a trial, of its own."""
    function = make()
    for case in cases:
        together = TorchTrial(function, row, case, "float64")
        for law in list(laws):
            if _breaks(law, together) and _breaks(law, TorchTrial(make(), row, case, "float64")):
                laws.remove(law)
        if not laws:
            return


@pytest.mark.parametrize("loss", CATALOG)
def test_every_law_can_fail(loss: str) -> None:
    """Each is broken by some impostor (the right variant obeys it: test_laws)."""
    row = CATALOG[loss]
    cases, right = generated(row, "float64", 40, 0), row.variants["vectorized"]
    laws, at_large = [*row.laws, mean_of_many], [large_batch]
    for part in (cases[:FIRST], cases[FIRST:]):
        for make in _makers(row):
            _break_some(laws, row, part, make)
        # NaN breaks any comparison, so it shows nothing of what a law says, but for the law about NaN
        about_nan = [law for law in laws if law is finite]
        laws = [law for law in laws if law is not finite]
        _break_some(about_nan, row, part, partial(_no_number, right))
        laws += about_nan
    for make in _makers(row):
        _break_some(at_large, row, [large(row, "float64", 0)], make)
    assert [law.__name__ for law in (*laws, *at_large)] == []
