"""Every law, for every variant of every loss, on all four dtypes: what ``lossproof verify`` checks."""

from functools import cache

import pytest

from lossproof import CATALOG, verify
from lossproof.cases import generated
from lossproof.graphs import compiled_in
from lossproof.trial import TorchTrial
from lossproof.verdict import Verdict
from properties.case import DTYPES
from properties.general import BATCH_LAWS
from properties.trial import NotApplicable

EXAMPLES = 8


def _every_law() -> list[object]:
    """A parameter for each loss, variant and law."""
    parameters = []
    for loss in CATALOG.values():
        for variant, function in loss.variants.items():
            marks = [pytest.mark.compiled] if compiled_in(function) else []
            for law in (*loss.laws, *BATCH_LAWS):
                name = law.__name__
                parameters.append(
                    pytest.param(
                        loss.name, variant, name, id=f"{loss.name}-{variant}-{name}", marks=marks
                    )
                )
    return parameters


@cache
def _verdict(loss: str, variant: str) -> Verdict:
    """What verification says of a variant, for all its laws together: the calls are shared."""
    return verify(CATALOG[loss].variants[variant], loss, examples=EXAMPLES)


@pytest.mark.parametrize(("loss", "variant", "law"), _every_law())
def test_law(loss: str, variant: str, law: str) -> None:
    """The variant obeys the law."""
    verdict = _verdict(loss, variant)
    findings = [finding for finding in verdict.findings if finding.law == law]
    assert not findings, f"{findings[0]}\n{findings[0].statement}\n{findings[0].snippet}"
    assert law in verdict.applied


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", CATALOG)
def test_every_law_speaks(loss: str, dtype: str) -> None:
    """No law passes for want of a case that it says anything about."""
    row = CATALOG[loss]
    silent = {law.__name__ for law in row.laws}
    if dtype != "float64":
        silent.discard("second_derivative")
    for case in generated(row, dtype, 60, 0):
        if not silent:
            break
        trial = TorchTrial(row.variants["vectorized"], row, case, dtype)
        for law in [law for law in row.laws if law.__name__ in silent]:
            try:
                law(trial)
            except NotApplicable:
                continue
            silent.discard(law.__name__)
    assert not silent
