"""Every law can fail: for each there is an impostor of the vectorized variant that breaks it."""

import traceback
from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any
from zlib import crc32

import pytest
import torch
from sharing import same_worker
from torch import Tensor

from lossproof import CATALOG, trial
from lossproof.cases import generated, large
from lossproof.trial import Raised, TorchTrial
from properties.general import finite, large_batch
from properties.trial import Broken, NotApplicable

Function = Callable[..., Tensor]


def _tensors(arguments: tuple[Any, ...]) -> list[Tensor]:
    """All tensors, those in lists too."""
    return [t for a in arguments for t in (a if isinstance(a, list) else [a])]


def _first_tracked(arguments: tuple[Any, ...]) -> Tensor | None:
    return next((a for a in _tensors(arguments) if a.requires_grad), None)


def _offset(amount: float) -> Callable[[Function], Function]:
    def wrap(right: Function) -> Function:
        return lambda *arguments, **options: right(*arguments, **options) + amount

    return wrap


def _noisy(right: Function) -> Function:
    """Errors that depend on every number and every place."""

    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        numbers = [a.detach().double().nan_to_num(0, 1, -1) for a in _tensors(arguments)]
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
        for tensor in _tensors(arguments):
            if tensor.requires_grad:
                finite = tensor.nan_to_num(0, 0, 0)
                total = total + 3 * (finite - finite.detach()).sum()
        return value + total

    return wrong


def _tilted_alone(right: Function) -> Function:
    """A gradient that is wrong only where a single argument asks for it."""

    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        alone = sum(a.requires_grad for a in _tensors(arguments)) == 1
        return (_tilted(right) if alone else right)(*arguments, **options)

    return wrong


def _leaking(right: Function) -> Function:
    """Gradient flows to every tensor that requires it, constants too."""

    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        everything = _tensors((*arguments, *(v for v in options.values() if isinstance(v, Tensor))))
        for tensor in everything:
            if tensor.requires_grad and not value.requires_grad:
                value = value + (tensor - tensor.detach()).sum()
        return value

    return wrong


def _bent(right: Function) -> Function:
    """Right value and gradient, with a second derivative that has a constant added."""

    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        moved = [(t - t.detach()).square().sum() for t in _tensors(arguments) if t.requires_grad]
        return value + 3 * sum(moved) if moved else value

    return wrong


def _blind_to_options(right: Function) -> Function:
    """Every option has its default; what has none (a network) is kept."""
    known = signature(right).parameters.items()
    needed = {name for name, parameter in known if parameter.default is Parameter.empty}

    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        kept = {name: value for name, value in options.items() if name in needed | {"reduction"}}
        return right(*arguments, **kept)

    return wrong


def _blind_to_the_last_option(right: Function) -> Function:
    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        named = [name for name in options if name != "reduction"]
        return right(*arguments, **{name: options[name] for name in (*named[:-1], "reduction")})

    return wrong


def _in_single_precision(right: Function) -> Function:
    return lambda *arguments, **options: right(*arguments, **options).float()


def _untracked_differs(right: Function) -> Function:
    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        return value if _first_tracked(arguments) is not None else value + 1

    return wrong


def _overwrites(right: Function) -> Function:
    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        _tensors(arguments)[0].data.add_(1)  # behind the back of autograd, which would raise
        return value

    return wrong


def _remembers(right: Function) -> Function:
    calls = 0

    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        nonlocal calls
        calls += 1
        return right(*arguments, **options) + calls

    return wrong


def _layout_matters(right: Function) -> Function:
    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        return value if all(a.is_contiguous() for a in _tensors(arguments)) else value + 1

    return wrong


def _detached(right: Function) -> Function:
    return lambda *arguments, **options: right(*arguments, **options).detach()


def _no_number(right: Function) -> Function:
    return lambda *arguments, **options: right(*arguments, **options) * torch.nan


def _accepts_anything(right: Function) -> Function:
    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        try:
            return right(*arguments, **options)
        except ValueError:
            return _tensors(arguments)[0].sum()

    return wrong


def _wrong_when_large(right: Function) -> Function:
    def wrong(*arguments: Tensor, **options: Any) -> Tensor:
        value = right(*arguments, **options)
        return value + 1 if _tensors(arguments)[0].numel() > 1000 else value

    return wrong


IMPOSTORS: list[Callable[[Function], Function]] = [
    _offset(-3.0),
    _offset(1000.0),
    _noisy,
    _tilted,
    _tilted_alone,
    _leaking,
    _bent,
    _blind_to_options,
    _blind_to_the_last_option,
    _in_single_precision,
    _untracked_differs,
    _overwrites,
    _remembers,
    _layout_matters,
    _detached,
    _no_number,
    _accepts_anything,
    _wrong_when_large,
]

LAWS = [
    pytest.param(row.name, law, id=f"{row.name}-{law.__name__}", marks=same_worker(row))
    for row in CATALOG.values()
    for law in (*row.laws, large_batch)
]


def _said_by_the_law(failure: Broken) -> bool:
    """Whether the law itself was broken: results of another shape, or without a gradient, break
    whatever asks for a value, in the trial."""
    return traceback.extract_tb(failure.__traceback__)[-1].filename != trial.__file__


@pytest.mark.parametrize(("loss", "law"), LAWS)
def test_law_can_fail(loss: str, law: Callable[..., None]) -> None:
    """Some impostor breaks the law (which the right variant obeys: test_laws)."""
    row = CATALOG[loss]
    cases = [large(row, "float64", 0)] if law is large_batch else generated(row, "float64", 40, 0)
    right = row.variants["vectorized"]

    def breaks(function: Function) -> bool:
        for case in cases:
            try:
                law(TorchTrial(function, row, case, "float64"))
            except Broken as failure:
                if _said_by_the_law(failure):
                    return True
            except (Raised, NotApplicable):
                continue
        return False

    # NaN breaks any comparison, so it shows nothing of what a law says, but for the law about NaN
    impostors = [impostor for impostor in IMPOSTORS if impostor is not _no_number or law is finite]
    assert any(breaks(impostor(right)) for impostor in impostors)
