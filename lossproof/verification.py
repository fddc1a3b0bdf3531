"""Verification: every law, on the same generated cases, for one implementation."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from lossproof.adapting import Adapted, adapt
from lossproof.cases import failed_before, generated, halved, huge, large, shrunk, sought
from lossproof.catalog import CATALOG
from lossproof.conventions import under
from lossproof.lookup import dtype_name, find, require_device
from lossproof.loss import Law, Loss, Variant
from lossproof.snippet import program
from lossproof.trial import Call, Raised, TorchTrial
from lossproof.verdict import Finding, Verdict, merged, outcome_of
from properties.case import DTYPES, Case, spacing_at
from properties.general import BATCH_LAWS, gradient, large_batch, mean_of_many, value
from properties.trial import Broken, NotApplicable, budgets_used

ALL_FOUR = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
"""The dtypes that every implementation is checked on."""

MANY = 100
"""So many examples are the default."""

SOUGHT_SHARE = 4
"""One case more for so many, sought where the error is largest."""

Progress = Callable[[int, int], object]
"""Called with how many cases are done, of how many."""

Announce = Callable[[str, str, Call], object]
"""Called with the law, the dtype and the call that is about to be made."""


def verify(
    function: Variant,
    loss: str | Loss,
    *,
    conventions: Iterable[str] = (),
    device: str = "cpu",
    dtypes: Iterable[torch.dtype | str] = ALL_FOUR,
    examples: int = MANY,
    seed: int = 0,
    laws: Iterable[str] | None = None,
    progress: Progress | None = None,
    announce: Announce = lambda law, dtype, call: None,
) -> Verdict:
    """Check an implementation against the oracle and every law of a loss.

    Args:
        function: has the loss's signature (tensors first, keyword options, ``reduction``), or what
            :func:`lossproof.adapt` gives it. A NotImplementedError is no fault: the case is refused.
        loss: a name in the catalogue.
        conventions: documented deviations under which it is to be correct, such as "eps=1e-7";
            docs/losses.md lists those of each loss.
        device: "cpu", "cuda" or what torch.accelerator offers.
        dtypes: floating dtypes to check.
        examples: generated cases for each dtype.
        seed: of the generation.
        laws: names of the laws to check; default: all of the loss.
        progress: called with the number of cases done and the number of all.
        announce: called with the law, the dtype and the call, before each call.

    Raises:
        ValueError: unknown loss, convention, dtype, device or law, no dtype, or fewer than 1 example.

    >>> import torch
    >>> def constant(input, target, *, reduction="mean"):
    ...     return input.sum() * 0
    >>> verdict = verify(constant, "mse", dtypes=[torch.float32], examples=5, laws=["value"])
    >>> verdict.said, verdict.laws_broken
    ('wrong', ('value',))
    """
    row = under(find("loss", loss, CATALOG) if isinstance(loss, str) else loss, conventions)
    function = adapt(function, row)
    if isinstance(function, Adapted):
        function = replace(function, conventions=row.under)
        row = function.settled(row)
    require_device(device)
    names = [dtype_name(dtype) for dtype in dtypes]
    if not names:
        raise ValueError("dtypes: expected at least one")
    if examples < 1:
        raise ValueError(f"examples: expected at least 1, got {examples}")
    known = {law.__name__: law for law in (*row.laws, *BATCH_LAWS)}
    chosen = [find("law", law, known) for law in (known if laws is None else laws)]
    each = examples + 1
    verdicts: list[Verdict] = []
    for index, name in enumerate(names):

        def done(count: int, before: int = index * each) -> None:
            if progress is not None:
                progress(before + count, len(names) * each)

        shown = {finding.law for verdict in verdicts for finding in verdict.findings}
        check = _Check(function, row, name, chosen, device, examples, seed, announce, shown)
        check.run(done)
        verdicts.append(check.verdict())
    return merged(verdicts)


def is_refusal(failure: Broken | Raised) -> bool:
    """Whether the implementation says itself that it doesn't do this: a dtype, an option, a device."""
    return isinstance(failure.__cause__, NotImplementedError)


def _name(function: Variant) -> str:
    """What the failures of an implementation are kept under: its module and name."""
    if isinstance(function, Adapted):
        return re.sub(r"[^\w.]+", "_", function.name)
    named = function if hasattr(function, "__qualname__") else type(function)
    return re.sub(r"[^\w.]+", "_", f"{named.__module__}.{named.__qualname__}")


@dataclass(frozen=True)
class Fault:
    """One broken law as it was first seen: its name, the dtype, and how it was broken."""

    law: str
    dtype: str
    reason: str


def first_fault(
    function: Variant,
    loss: Loss,
    *,
    device: str = "cpu",
    dtypes: Iterable[str] = DTYPES,
    examples: int = 100,
    seed: int = 0,
    laws: Sequence[Law] | None = None,
) -> Fault | None:
    """The first fault that verification meets, or None: whether a form is rejected, without the
    search for the smallest case that takes most of the time of a wrong verdict. Only these laws, if
    any are given, are asked."""
    chosen = (*loss.laws, *BATCH_LAWS) if laws is None else laws
    for dtype in dtypes:
        trials = (
            TorchTrial(function, loss, case, dtype, device)
            for case in generated(loss, dtype, examples, seed)
        )
        tried = itertools.chain(
            ((law, trial) for trial in trials for law in chosen if law not in BATCH_LAWS),
            (
                (law, TorchTrial(function, loss, case, dtype, device))
                for law, case in _batches(loss, dtype, examples, seed)
                if law in chosen
            ),
        )
        for law, trial in tried:
            try:
                law(trial)
            except NotApplicable:
                continue
            except (Broken, Raised) as failure:
                return Fault(law.__name__, dtype, str(failure))
    return None


def _batches(loss: Loss, dtype: str, examples: int, seed: int) -> Iterator[tuple[Law, Case]]:
    """The laws about batches of their own, each with its batch; the greatest only among many examples,
    which are worth its time."""
    yield large_batch, large(loss, dtype, seed)
    if dtype == "float16" and examples >= MANY:
        yield mean_of_many, huge(loss, dtype, seed)


class _Check:
    """The verification of one dtype under way, which the others' findings change nothing about."""

    def __init__(
        self,
        function: Variant,
        loss: Loss,
        dtype: str,
        laws: list[Law],
        device: str,
        examples: int,
        seed: int,
        announce: Announce,
        shown: Collection[str] = (),
    ) -> None:
        self.announce = announce
        self.law = value.__name__
        """What is being checked."""
        self.function, self.loss, self.dtype, self.device = function, loss, dtype, device
        self.examples, self.seed = examples, seed
        self.broken: set[str] = set()
        self.findings: list[Finding] = []
        self.shown = shown
        """Laws that another dtype's findings show broken: they need no smallest case here."""
        self.refused: Counter[str] = Counter()
        self.judged = 0
        self.refuses = False
        """Whether something was refused."""
        self.laws = laws
        self.applied = {law.__name__: 0 for law in laws}
        self.budgets = self.ulps = 0.0

    def trial(self, case: Case) -> TorchTrial:
        def begin(call: Call) -> None:
            self.announce(self.law, self.dtype, call)

        return TorchTrial(self.function, self.loss, case, self.dtype, self.device, begin)

    def run(self, done: Callable[[int], object]) -> None:
        """All laws on all cases."""
        key = self.loss, self.dtype
        first, *others = generated(*key, self.examples, self.seed)
        cases = [first, *failed_before(*key, _name(self.function)), *others]
        for count, case in enumerate(cases):
            trial = self.trial(case)
            self._apply([law for law in self.laws if law not in BATCH_LAWS], trial)
            self._measure(trial)
            done(min(count + 1, self.examples))
        if self.examples >= MANY and {value, gradient} <= {*self.laws}:
            sought(*key, self.examples // SOUGHT_SHARE, self.seed, self._seek)
        for law, case in _batches(*key, self.examples, self.seed):
            if law in self.laws:
                self._apply([law], self.trial(case))
        done(self.examples + 1)

    def _apply(self, laws: Sequence[Law], trial: TorchTrial) -> None:
        refusals: set[str] = set()
        for law in laws:
            name = law.__name__
            if name in self.broken:
                continue
            self.law = name
            try:
                law(trial)
            except NotApplicable:
                continue
            except (Broken, Raised) as failure:
                if is_refusal(failure):
                    refusals.add(str(failure.__cause__))
                    self.refuses = True
                    continue
                if failure in trial.reported:  # the same call failed under a law before
                    continue
                trial.reported.append(failure)
                self.broken.add(name)
                if name not in self.shown:
                    self.findings.append(self._finding(law, trial, failure))
            self.applied[name] += 1
            self.judged += law is value or value not in self.laws
        self.refused.update(refusals)

    def _seek(self, case: Case) -> float | None:
        """Judge value and gradient; the share of the error budget that they use, if they are right."""
        trial = self.trial(case)
        self._apply([value, gradient], trial)
        used = self._measure(trial)
        return used if math.isfinite(used) else None

    def _measure(self, trial: TorchTrial) -> float:
        """Keep the largest errors seen; how many budgets this trial uses."""
        try:
            pairs = [(trial.value(), trial.truth())]
            for argument in trial.arguments:
                if argument.gradient:
                    true = trial.true_gradient(argument.name)
                    pairs.append((trial.gradient(argument.name), true))
        except (Broken, Raised) as failure:
            if not is_refusal(failure):
                self.budgets = self.ulps = math.inf
            return math.inf
        used = max(float(budgets_used(got, true).max(initial=0)) for got, true in pairs)
        self.budgets = max(self.budgets, used)
        got, true = pairs[0]
        judged = np.isfinite(got.budget) & ~got.overflow
        with np.errstate(invalid="ignore"):
            error = np.where(judged, np.abs(got.value - true.value), 0)
        ulps = error / spacing_at(np.maximum(np.abs(true.value), 1), self.dtype)
        self.ulps = max(self.ulps, float(ulps.max(initial=0)))
        return used

    def _finding(self, law: Law, trial: TorchTrial, failure: Broken | Raised) -> Finding:
        """The broken law on the smallest case that breaks it."""

        def breaks(case: Case) -> bool:
            return self._breaks(law, case)

        if law is mean_of_many:
            case = trial.case  # few would show nothing
        elif law is large_batch:
            case = halved(self.loss, trial.case, breaks)
        else:
            key = (self.loss, self.dtype, self.examples, self.seed)
            case = shrunk(*key, trial.case, breaks, (_name(self.function), law.__name__))
        final = self.trial(case)
        try:
            law(final)
        except NotApplicable:
            final = trial
        except (Broken, Raised) as smaller:
            failure = smaller
        else:  # fails the first time only: show it as it was seen
            final = trial
        statement = " ".join((law.__doc__ or "").split())
        numbers = failure if isinstance(failure, Broken) and not failure.assertion else None
        return Finding(
            law=law.__name__,
            statement=statement,
            reason=str(failure),
            dtype=final.dtype,
            inputs={} if final.case.code else dict(final.case.values),
            got=numbers.got.value if numbers else None,
            wanted=numbers.wanted.value if numbers else None,
            budgets=numbers.budgets if numbers else math.inf,
            snippet=program(final, law.__name__, statement, failure),
            raised=isinstance(failure, Raised),
        )

    def _breaks(self, law: Law, case: Case) -> bool:
        try:
            law(self.trial(case))
        except (Broken, Raised) as failure:
            return not is_refusal(failure)
        except NotApplicable:
            pass
        return False

    def verdict(self) -> Verdict:
        findings = tuple(self.findings)
        unsupported = (self.dtype,) if self.refuses and not self.judged else ()
        return Verdict(
            self.loss.name,
            self.device,
            outcome_of(findings, unsupported),
            findings,
            {self.dtype: self.budgets},
            {self.dtype: self.ulps},
            self.applied,
            unsupported,
            dict(self.refused.most_common()),
            self.examples,
            self.seed,
            self.loss.under,
        )
