"""Impostors: each is rejected, and those that a loss can't have leave every call as it is.

``python -m lossproof.impostors`` tries them with 200 cases at three seeds, which takes its time.
"""

import pytest
import torch

from lossproof import CATALOG
from lossproof.cases import generated
from lossproof.impostors import FAULTS, Maker, harmless, impostors
from lossproof.loss import Loss, Variant
from lossproof.trial import tensors_of, tracked
from lossproof.verification import Fault, first_fault
from properties import general
from properties.case import DTYPES, Case

COMMON = (
    general.value,
    general.gradient,
    general.form,
    general.inputs_untouched,
    general.layout,
    general.large_batch,
)
"""The laws that reject most impostors, asked first."""


def _fault(make: Maker, loss: Loss) -> Fault | None:
    """What is wrong, with more cases and laws where few find nothing."""
    for examples in (5, 120):
        fault = first_fault(make(), loss, dtypes=make.dtypes[:1], examples=examples, laws=COMMON)
        if fault is not None:
            return fault
    return first_fault(make(), loss, dtypes=make.dtypes, examples=60)


@pytest.mark.parametrize("loss", CATALOG.values(), ids=CATALOG)
def test_every_impostor_is_rejected(loss: Loss) -> None:
    tried = impostors(loss)
    assert [name for name, make in tried.items() if _fault(make, loss) is None] == []
    assert tried.keys() & FAULTS.keys() == FAULTS.keys() - harmless(loss).keys()


def _results(function: Variant, loss: Loss, case: Case, dtype: str) -> list[torch.Tensor]:
    """Values and gradients, under every reduction."""
    results = []
    for reduction in general.REDUCTIONS:
        tensors = tensors_of(loss, case, getattr(torch, dtype), "cpu")
        names = tracked(loss.arguments_of(case), "all")
        asked = [tensors[name].requires_grad_() for name in names]
        positional, options = loss.torch_call(case, tensors)
        value = function(*positional, **options, reduction=reduction)
        results += [value, *torch.autograd.grad(value.sum(), asked)]
    return results


@pytest.mark.parametrize("loss", CATALOG.values(), ids=CATALOG)
def test_what_a_loss_cannot_have_changes_nothing(loss: Loss) -> None:
    """Bit for bit the vectorized variant's values and gradients."""
    for dtype in DTYPES:
        for case in generated(loss, dtype, 5, 0):
            wanted = _results(loss.variants["vectorized"], loss, case, dtype)
            for name, make in harmless(loss).items():
                got = _results(make(), loss, case, dtype)
                assert all(torch.equal(a, b) for a, b in zip(got, wanted, strict=True)), name
