"""Timing: interleaved rounds, medians with an interval, and the memory limit beside them."""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # its parts when they are used: scipy.stats takes half a second
import torch
from torch.utils.benchmark import timer

from lossproof.loss import Loss, Variant
from lossproof.trial import tensors_of, tracked
from properties.case import Case

FORWARD, BACKWARD = "forward", "forward and backward"
PASSES = (FORWARD, BACKWARD)

ROUNDS = 15
LEAST_ROUNDS = 7
SECONDS_A_PASS = 8.0
"""Where the rounds would take longer than this, there are fewer of them."""
SECONDS_A_ROUND = 0.01
"""How long a variant is repeated in one round, at least."""
BLOCK = 2**14
"""Numbers that fit into the nearest cache of a core."""
SLOW = 2.0
"""A call that takes longer, in seconds, is not timed."""
FIRST_ELEMENTS = 2048
GROWTH = 8
CONFIDENCE = 0.95


class Interrupted(Exception):
    """Ctrl-C during timing; the rounds made so far are in ``timings``."""

    def __init__(self, timings: "dict[str, Timing]") -> None:
        super().__init__("interrupted")
        self.timings = timings


@dataclass(frozen=True)
class Timing:
    """Seconds a call, one number a round; rounds of different variants go together."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the median, from order statistics."""
        return median_interval(self.seconds)

    def __add__(self, more: "Timing") -> "Timing":
        """With the rounds of another timing after its own."""
        return Timing(self.seconds + more.seconds)


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a median; the whole range where there are too few values for one.

    >>> median_interval([3.0, 1.0, 2.0])
    (1.0, 3.0)
    """
    result = scipy.stats.quantile_test(values, q=0, p=0.5).confidence_interval(CONFIDENCE)
    low, high = float(result.low), float(result.high)
    return (
        min(values) if math.isnan(low) else low,
        max(values) if math.isnan(high) else high,
    )


@dataclass
class Batch:
    """A workload as tensors on the device, ready to be called on.

    ``learned`` names the arguments whose gradient a training step asks for.
    """

    loss: Loss
    case: Case
    tensors: dict[str, torch.Tensor]
    device: str

    @classmethod
    def of(cls, loss: Loss, case: Case, dtype: torch.dtype, device: str) -> "Batch":
        return cls(loss, case, tensors_of(loss, case, dtype, device), device)

    @property
    def size(self) -> int:
        """Elements of the first argument."""
        return next(iter(self.tensors.values())).numel()

    @property
    def learned(self) -> list[str]:
        return tracked(self.loss.arguments_of(self.case), "learned")

    def least_bytes(self, backward: bool) -> int:
        """What cannot be avoided: each input read once, each learned gradient written once.

        Of an argument that items pick a row of, at most so many rows are read.
        """
        picked = {a.name for a in self.loss.arguments_of(self.case) if a.picked}
        rows = len(next(iter(self.tensors.values())))
        read = sum((t[:rows] if n in picked else t).nbytes for n, t in self.tensors.items())
        return read + backward * sum(self.tensors[name].nbytes for name in self.learned)

    def rows(self, count: int) -> "Batch":
        """The first rows of the batch."""
        batched = {a.name for a in self.loss.arguments_of(self.case) if a.batched}
        tensors = {n: t[:count] if n in batched else t for n, t in self.tensors.items()}
        return Batch(self.loss, self.case, tensors, self.device)

    def refill(self, case: Case) -> None:
        """Put the numbers of another case of the same shapes into the very memory."""
        dtype = next(t.dtype for t in self.tensors.values() if t.is_floating_point())
        for name, tensor in tensors_of(self.loss, case, dtype, self.device).items():
            self.tensors[name].copy_(tensor)

    def runner(self, function: Variant, backward: bool) -> Callable[[], Any]:
        """A call without arguments that does one pass, and returns the loss and its gradients."""
        tensors = {name: tensor.detach() for name, tensor in self.tensors.items()}
        learned = [tensors[name].requires_grad_() for name in self.learned] if backward else []
        positional, options = self.loss.torch_call(self.case, tensors)

        def run() -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
            value = function(*positional, **options, reduction="mean")
            return value, torch.autograd.grad(value, learned) if learned else ()

        return run


def copy_runner(count: int, device: str) -> Callable[[], Any]:
    """A copy that moves this many bytes: half of them read, half written."""
    source = torch.ones(max(1, count // 2), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def evaluation_runner(
    evaluations: Mapping[str, float], size: int, dtype: torch.dtype, device: str, threads: int
) -> Callable[[], Any]:
    """A call that evaluates functions of torch as often as a loss of this many elements must.

    On a CPU the numbers stay in the cache, so that arithmetic is all it takes. Half types count as
    float32, in which losses compute.
    """
    kind = torch.float64 if dtype == torch.float64 else torch.float32
    most = BLOCK * threads if device == "cpu" else size
    parts: list[tuple[Callable[..., Any], torch.Tensor, torch.Tensor]] = []
    for name, times in evaluations.items():
        whole, rest = divmod(math.ceil(size * times), most)
        for count in [most] * whole + [rest] * (rest > 0):
            numbers = parts[-1][1:] if parts and parts[-1][1].numel() == count else None
            source, target = numbers or (
                torch.linspace(0.1, 0.9, count, dtype=kind, device=device),
                torch.empty(count, dtype=kind, device=device),
            )
            parts.append((getattr(torch, name), source, target))

    def run() -> None:
        for function, source, target in parts:
            function(source, out=target)

    return run


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """This many torch threads, for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def one_thread_clock(device: str) -> Callable[[], float]:
    """The clock of benchmarks across commits: on a CPU it stands still while other programs run there.

    It adds up over threads; with one, it is the time a call takes. On other devices it waits for them.
    """
    return time.process_time if device == "cpu" else timer


def seconds(run: Callable[[], Any], number: int, threads: int) -> float:
    """Mean seconds a call, with this many torch threads; torch's clock waits for the device."""
    with torch_threads(threads):
        start = timer()
        for _ in range(number):
            run()
        return (timer() - start) / number


def estimate(function: Variant, batch: Batch, backward: bool, threads: int) -> float:
    """About how many seconds a call takes, without ever waiting for a very slow one.

    The batch grows eightfold until it is whole, or a call is slow enough to extrapolate from.
    """
    total = len(next(iter(batch.tensors.values())))
    rows = max(1, min(total, FIRST_ELEMENTS * total // max(batch.size, 1)))
    if not any(argument.batched for argument in batch.loss.arguments_of(batch.case)):
        rows = total  # no part of it can be tried
    while True:
        run = batch.rows(rows).runner(function, backward)
        taken = min(seconds(run, 1, threads) for _ in range(2))
        expected = taken * total / rows
        if rows == total or (taken > SLOW / 40 and expected > 2 * SLOW):
            return expected
        rows = min(total, rows * GROWTH)


def interleaved(
    runners: Mapping[str, Callable[[], Any]],
    threads: int,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> dict[str, Timing]:
    """Time all of them in rounds, in a new random order each, so that noise hits all alike.

    Raises:
        Interrupted: on Ctrl-C, with the whole rounds made so far.
    """
    made: dict[str, list[float]] = {name: [] for name in runners}
    try:
        numbers, a_round = {}, 0.0
        for name, run in runners.items():
            seconds(run, 1, threads)  # warm-up
            taken = max(seconds(run, 1, threads), 1e-7)
            numbers[name] = max(1, math.ceil(SECONDS_A_ROUND / taken))
            a_round += numbers[name] * taken
        rounds = max(LEAST_ROUNDS, min(ROUNDS, int(SECONDS_A_PASS / a_round)))
        order = random.Random(0)
        for count in range(rounds):
            for name in order.sample(list(runners), len(runners)):
                made[name].append(seconds(runners[name], numbers[name], threads))
            progress(count + 1, rounds)
    except KeyboardInterrupt:
        whole = min(map(len, made.values()))
        timings = {n: Timing(tuple(times[:whole])) for n, times in made.items()} if whole else {}
        raise Interrupted(timings) from None
    return {name: Timing(tuple(times)) for name, times in made.items()}
