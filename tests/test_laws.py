"""Every law, for every variant of every loss, on all four dtypes: what ``lossproof verify`` checks."""

import pytest

from lossproof import CATALOG, verify
from lossproof.cases import generated
from lossproof.trial import TorchTrial
from properties.case import DTYPES
from properties.general import large_batch
from properties.trial import NotApplicable

EXAMPLES = 25


def _every_law() -> list[object]:
    """A parameter for each loss, variant and law; a variant's laws go to one worker, which compiles
    it once."""
    parameters = []
    for loss in CATALOG.values():
        for variant in loss.variants:
            marks = [pytest.mark.xdist_group(f"{loss.name}-{variant}")]
            if variant == "fused":
                marks.append(pytest.mark.compiled)
            for law in (*loss.laws, large_batch):
                name = law.__name__
                parameters.append(
                    pytest.param(
                        loss.name, variant, name, id=f"{loss.name}-{variant}-{name}", marks=marks
                    )
                )
    return parameters


@pytest.mark.parametrize(("loss", "variant", "law"), _every_law())
def test_law(loss: str, variant: str, law: str) -> None:
    """The variant obeys the law."""
    function = CATALOG[loss].variants[variant]
    verify(function, loss, laws=[law], examples=EXAMPLES).raise_if_wrong()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", CATALOG)
def test_every_law_speaks(loss: str, dtype: str) -> None:
    """No law passes for want of a case that it says anything about."""
    row = CATALOG[loss]
    silent = {law.__name__ for law in row.laws}
    for case in generated(row, dtype, 60, 0):
        trial = TorchTrial(row.variants["vectorized"], row, case, dtype)
        for law in [law for law in row.laws if law.__name__ in silent]:
            try:
                law(trial)
            except NotApplicable:
                continue
            silent.discard(law.__name__)
    assert not silent
