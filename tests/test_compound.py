"""What single variants of the compound losses once got wrong."""

import pytest
import torch

from lossproof.catalog import CATALOG


@pytest.mark.parametrize("variant", CATALOG["yolo_detection"].variants)
def test_a_share_that_float32_does_not_hold_keeps_its_digits(variant: str) -> None:
    """Of a sure and right class, 1-positive of the logit is left: a share rounded to float32 is off by
    3e-8 in it, and 0.002 of 60,000."""
    positive, sure = 0.9893207324238227, 60_000.0
    loss = CATALOG["yolo_detection"].variants[variant](
        [torch.tensor([[0.0, 0.0, 1.0, 1.0]])],
        [torch.tensor([[0.0, 0.0, 1.0, 1.0]])],
        [torch.zeros(1)],
        [torch.tensor([0])],
        [torch.tensor([[sure, -sure]])],
        [torch.tensor([0])],
        gain_box=0.0,
        gain_obj=0.0,
        gain_cls=1.0,
        positive=positive,
        negative=1 - positive,
    )
    torch.testing.assert_close(loss, torch.tensor((1 - positive) * sure), rtol=2e-7, atol=0)
