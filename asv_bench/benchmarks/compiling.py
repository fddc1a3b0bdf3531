"""Seconds until a compiled variant has its first value and gradients, with torch's caches empty."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch._inductor.utils import fresh_cache

from lossproof.graphs import compiled_in
from lossproof.measure import seconds

from .works import THREADS, Pass, batch_of, compile_something, for_each_loss


class Compiling(Pass):
    def setup(self, variant: str, workload: str, dtype: str, device: str) -> None:
        self.cache: AbstractContextManager[Any] = nullcontext()
        if not compiled_in(self.loss.variants[variant]) or dtype != "float32":
            raise NotImplementedError("nothing to compile, or not measured")
        self.cache = fresh_cache()
        self.cache.__enter__()
        torch.compiler.reset()
        compile_something()  # torch compiles its headers once for all
        self.run = batch_of(self.loss, workload, dtype, device).runner(self.loss.variants[variant], True)

    def teardown(self, *place: str) -> None:
        self.cache.__exit__(None, None, None)

    def track_seconds(self, variant: str, workload: str, dtype: str, device: str) -> float:
        return seconds(self.run, 1, THREADS)

    track_seconds.unit = "seconds"  # type: ignore[attr-defined]  # asv reads it there


globals().update(for_each_loss(Compiling))
