"""Seconds of the loss alone; compiling is not part of them."""

import math

import torch

from lossproof.measure import one_thread_clock

from .works import Pass, for_each_loss


class Forward(Pass):
    backward = False
    everywhere = True
    rounds = 1
    repeat = (5, 15, 2.0)  # samples at least, at most, and for how many seconds at most

    def setup(self, variant: str, workload: str, dtype: str, device: str) -> None:
        super().setup(variant, workload, dtype, device)
        self.timer = one_thread_clock(device)

    def time_pass(self, variant: str, workload: str, dtype: str, device: str) -> None:
        self.run()

    if torch.cuda.is_available():

        def track_kernel_ms(self, variant: str, workload: str, dtype: str, device: str) -> float:
            """The median between two events on the GPU, its L2 cache flushed before each call."""
            if device == "cpu":
                return math.nan
            from triton.testing import do_bench  # comes with the builds of torch for a GPU only

            return do_bench(self.run, return_mode="median")

        track_kernel_ms.unit = "ms"  # type: ignore[attr-defined]  # asv reads it there


globals().update(for_each_loss(Forward))
