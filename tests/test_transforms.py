"""The vectorized variants under torch's function transforms: vmap and grad."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils._pytree import tree_map

from lossproof import CATALOG
from lossproof.cases import generated
from lossproof.loss import Loss
from lossproof.tolerance import items_shape
from lossproof.trial import tensors_of, tracked
from properties.case import Case, take_rows

IMPOSSIBLE: dict[tuple[str, str], str] = {}
"""(loss, transform), and why it can't be."""
CASES = 6
COPIES = 3

Call = tuple[Callable[..., Tensor], list[str], dict[str, Tensor]]


def _cases(loss: Loss) -> list[Case]:
    """Generated cases with at least two rows, so that rows can be exchanged."""
    cases = []
    for case in generated(loss, "float64", 60, 0):
        first = case[loss.arguments_of(case)[0].name]
        if first.ndim > 0 and len(first) > 1:
            cases.append(case)
    assert len(cases) >= CASES
    return cases[:CASES]


def _call(loss: Loss, case: Case, reduction: str) -> Call:
    """The variant as a function of its tensors in order, their names, and the case's tensors."""
    tensors = tensors_of(loss, case, torch.float64, "cpu")
    names = list(tensors)
    call = loss.torch_call(case, tensors)

    def function(*given: Tensor) -> Tensor:
        now = {id(tensor): new for tensor, new in zip(tensors.values(), given, strict=True)}
        positional, options = tree_map(lambda value: now.get(id(value), value), call)
        return loss.variants["vectorized"](*positional, **options, reduction=reduction)

    return function, names, tensors


def _copies(loss: Loss, case: Case) -> list[Case]:
    """The case with its rows drawn anew, a few times; with its rows turned round where items are of
    the whole batch, whose rows may have to be different ones."""
    arguments = loss.arguments_of(case)
    if items_shape(loss, case) == ():
        names = [a.name for a in arguments if case[a.name].ndim > 0]
        return [case.changed(**{n: np.roll(case[n], k, axis=0) for n in names}) for k in range(COPIES)]
    rows = len(case[arguments[0].name])
    random = np.random.default_rng(case.seed)
    return [take_rows(case, arguments, random.integers(0, rows, rows)) for _ in range(COPIES)]


def _stacked(loss: Loss, case: Case) -> tuple[list[Tensor], list[list[Tensor]]]:
    """The tensors of a case's copies: stacked along a new axis, and one by one."""
    copies = [tensors_of(loss, copy, torch.float64, "cpu") for copy in _copies(loss, case)]
    stacks = [torch.stack([copy[name] for copy in copies]) for name in copies[0]]
    return stacks, [list(copy.values()) for copy in copies]


def _gradients_of(loss: Loss, case: Case, names: list[str]) -> tuple[int, ...]:
    """The places of the tensors that gradient flows to."""
    return tuple(names.index(name) for name in tracked(loss.arguments_of(case), "all"))


def _grad(loss: Loss, case: Case) -> Callable[..., tuple[Tensor, ...]]:
    function, names, _ = _call(loss, case, "mean")
    return torch.func.grad(function, argnums=_gradients_of(loss, case, names))


def vmap_is_the_loop(loss: Loss, case: Case) -> None:
    """Over a new leading axis of every tensor, under each reduction."""
    stacks, apart = _stacked(loss, case)
    for reduction in ("none", "sum", "mean"):
        function, _, _ = _call(loss, case, reduction)
        wanted = torch.stack([function(*tensors) for tensors in apart])
        assert_close(torch.vmap(function)(*stacks), wanted)


def grad_is_autograds(loss: Loss, case: Case) -> None:
    """Of the mean, to every argument that gradient flows to."""
    function, names, tensors = _call(loss, case, "mean")
    places = _gradients_of(loss, case, names)
    leaves = [t.clone().requires_grad_(i in places) for i, t in enumerate(tensors.values())]
    asked = [leaves[i] for i in places]
    wanted = torch.autograd.grad(function(*leaves), asked, materialize_grads=True)
    assert_close(_grad(loss, case)(*tensors.values()), wanted)


def vmap_of_grad_is_the_loop(loss: Loss, case: Case) -> None:
    """Gradients of each sample, the common use of both."""
    stacks, apart = _stacked(loss, case)
    gradients = _grad(loss, case)
    wanted = [torch.stack(parts) for parts in zip(*(gradients(*t) for t in apart), strict=True)]
    assert_close(list(torch.vmap(gradients)(*stacks)), wanted)


TRANSFORMS = (vmap_is_the_loop, grad_is_autograds, vmap_of_grad_is_the_loop)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: transform.__name__)
@pytest.mark.parametrize("loss", CATALOG.values(), ids=CATALOG)
def test_transforms(loss: Loss, transform: Callable[[Loss, Case], None]) -> None:
    """The vectorized variant can be transformed; where it can't by nature, it is listed, and raises."""
    if (loss.name, transform.__name__) in IMPOSSIBLE:
        with pytest.raises(RuntimeError):
            _check_all(loss, transform)
    else:
        _check_all(loss, transform)


def _check_all(loss: Loss, transform: Callable[[Loss, Case], None]) -> None:
    for case in _cases(loss):
        transform(loss, case)
