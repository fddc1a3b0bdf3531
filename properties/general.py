"""Laws of every loss."""

from collections.abc import Callable
from typing import Any

import numpy as np

from properties.case import Array, Case, take_rows
from properties.trial import (
    BUDGETS,
    Broken,
    Measured,
    NotApplicable,
    Trial,
    assume,
    concatenate,
    equal,
)

REDUCTIONS = ("none", "sum", "mean")


def take(trial: Trial, rows: Any) -> Case:
    """The trial's case with only these rows of its batch, in this order."""
    return take_rows(trial.case, trial.arguments, rows)


def batch_size(trial: Trial) -> int:
    """Entries along axis 0; a scalar has no batch, which no law about batches speaks of."""
    first = trial.case[trial.arguments[0].name]
    assume(first.ndim > 0)
    return int(first.shape[0])


def gradient_names(trial: Trial) -> list[str]:
    return [argument.name for argument in trial.arguments if argument.gradient]


def every_other(trial: Trial) -> None:
    """Leave the law on half of the cases: for laws of many calls about how a call is made, not about its
    numbers, and for those of a loss's own where the whole would take too long."""
    assume(trial.case.seed % 2 == 0)


def _matches(got: Measured, wanted: Measured, what: str) -> None:
    """Equal within what is allowed; infinite with the right sign where the truth overflows."""
    equal(got, wanted, f"{what} differs from the oracle")
    certain = wanted.overflow & (np.abs(wanted.value) > BUDGETS * got.budget)
    sign_wrong = certain & (np.sign(got.value) != np.sign(wanted.value))
    if sign_wrong.any():
        signs = f"(({got.expression}).sign() == ({wanted.expression}).sign())"
        assertion = f"{signs}[torch.tensor({certain.tolist()})].all()"
        raise Broken(f"{what} overflows to the wrong value", got, wanted, assertion=assertion)


def value(trial: Trial) -> None:
    """The value is the oracle's, under every reduction."""
    for reduction in REDUCTIONS:
        wanted = trial.truth(reduction=reduction)
        _matches(trial.value(reduction=reduction), wanted, f"{reduction} of the items")


def large_batch(trial: Trial) -> None:
    """On thousands of elements the value still is the oracle's, under every reduction."""
    for reduction in REDUCTIONS:
        wanted = trial.truth(reduction=reduction)
        _matches(trial.value(reduction=reduction, track="none"), wanted, f"{reduction} of the items")


def mean_of_many(trial: Trial) -> None:
    """Over more numbers than the dtype can count to, the mean still is the oracle's."""
    wanted = trial.truth(reduction="mean")
    _matches(trial.value(reduction="mean", track="none"), wanted, "mean of the items")


BATCH_LAWS = (large_batch, mean_of_many)
"""Laws about batches of their own, which are asked once for each dtype."""


def gradient(trial: Trial) -> None:
    """The gradient is the oracle's, for every argument that has one, under every reduction."""
    for name in gradient_names(trial):
        for reduction in REDUCTIONS:
            wanted = trial.true_gradient(name, reduction=reduction)
            got = trial.gradient(name, reduction=reduction)
            _matches(got, wanted, f"gradient to {name} ({reduction})")


def finite(trial: Trial) -> None:
    """Value and gradient are finite, also where the gradient has no single right value."""
    results = [trial.value(reduction=reduction) for reduction in REDUCTIONS]
    results += [
        trial.gradient(name, reduction=reduction)
        for name in gradient_names(trial)
        for reduction in REDUCTIONS
    ]
    for got in results:
        bad = ~np.isfinite(got.value) & ~got.overflow | np.isnan(got.value)
        if bad.any():
            raise Broken("not finite", got, Measured.exact(0.0), assertion=_is_finite(got))


def _is_finite(got: Measured) -> str:
    return f"({got.expression}).isfinite().all()"


def form(trial: Trial) -> None:
    """The result has the input's dtype and the oracle's shape, knows its gradient, and is a tensor
    of its own."""
    for reduction in REDUCTIONS:
        facts = trial.facts(reduction=reduction)
        name = facts.name
        faults = [
            (
                facts.dtype != trial.dtype,
                f"dtype is {facts.dtype}",
                f"{name}.dtype == torch.{trial.dtype}",
            ),
            (
                facts.shape != facts.wanted_shape,
                f"shape is {facts.shape}, not {facts.wanted_shape}",
                f"{name}.shape == {facts.wanted_shape}",
            ),
            (not facts.attached, "the result is detached from the graph", f"{name}.requires_grad"),
            *(
                (True, f"the result is a view of {other}", f"{name}.data_ptr() != {other}.data_ptr()")
                for other in facts.aliased
            ),
        ]
        for present, fault, assertion in faults:
            if present:
                _fault(f"{fault} ({reduction})", assertion)


def _fault(reason: str, assertion: str, setup: str = "") -> None:
    """Break the law for a reason that is no number."""
    nothing = Measured.exact(np.nan)
    raise Broken(reason, nothing, nothing, assertion=assertion, setup=setup)


def reductions_agree(trial: Trial) -> None:
    """The sum is the sum of the items, and the mean times what it divides by."""
    total = trial.value(reduction="sum")
    equal(total, trial.value().sum())
    equal(trial.divisor() * trial.value(reduction="mean"), total * np.sign(trial.divisor()))


def inputs_untouched(trial: Trial) -> None:
    """The call leaves its arguments as they were."""
    for reduction in REDUCTIONS:
        for name in trial.facts(reduction=reduction).changed:
            _fault(f"the call overwrote {name}", f"torch.equal({name}, {name}_before)")


def leaves_no_trace(trial: Trial) -> None:
    """The call prints nothing, moves no random generator and changes no global setting of torch."""
    for reduction in REDUCTIONS:
        for trace in trial.traces(reduction=reduction):
            _fault(f"the call {trace.what} ({reduction})", trace.assertion, trace.setup)


def repeatable(trial: Trial) -> None:
    """The same call gives the same, also after a call with other arguments."""
    every_other(trial)
    count = batch_size(trial)
    before = [trial.value(reduction=reduction) for reduction in REDUCTIONS]
    trial.value(take(trial, np.repeat(np.arange(count), 2)))
    for reduction, first in zip(REDUCTIONS, before, strict=True):
        equal(trial.value(trial.case, reduction=reduction), first, "the second call differs")


def layout(trial: Trial) -> None:
    """Strided, transposed, channels-last and expanded memory gives the same as contiguous memory."""
    every_other(trial)
    for name in ("strided", "transposed", "channels_last"):
        equal(trial.value(layout=name), trial.value(), f"{name} input differs")
    repeated = take(trial, np.zeros(batch_size(trial), int))
    got = trial.value(repeated, layout="expanded")
    equal(got, trial.value(repeated), "expanded input differs")


def autocast(trial: Trial) -> None:
    """Under autocast the result is the same: the loss widens for itself."""
    every_other(trial)
    for reduction in ("none", "mean"):
        equal(trial.value(reduction=reduction, autocast=True), trial.value(reduction=reduction))


def second_derivative(trial: Trial) -> None:
    """In float64 the second derivative is the slope of the first (torch's gradgradcheck)."""
    assume(trial.dtype == "float64" and trial.smooth)
    assume([trial.case[name].size > 0 for name in gradient_names(trial)])  # or gradcheck refuses
    if fault := trial.second_derivative_fault():
        tensors = ", ".join(gradient_names(trial))
        check = f"torch.autograd.gradgradcheck(items_of, ({tensors},), fast_mode=True)"
        _fault(f"second derivative: {fault}", check)


def untracked(trial: Trial) -> None:
    """Without gradients the value is the same."""
    every_other(trial)
    for reduction in ("none", "mean"):
        got = trial.value(reduction=reduction, track="none")
        equal(got, trial.value(reduction=reduction))


def first_argument_alone(trial: Trial) -> None:
    """The gradient to the first argument is the same when no other argument asks for one."""
    every_other(trial)
    first = gradient_names(trial)[0]
    for reduction in ("none", "mean"):
        alone = trial.gradient(first, reduction=reduction, track="first")
        equal(alone, trial.gradient(first, reduction=reduction))


def constants_stay(trial: Trial) -> None:
    """No gradient flows to the arguments that are constants, also where they require it."""
    assume(any(not a.gradient and a.kind != "label" for a in trial.arguments))
    result, names = trial.leaks()
    for name in names:
        flow = f"torch.autograd.grad({result}.sum(), {name}, allow_unused=True)"
        _fault(f"gradient flows to {name}", f"not {flow}[0].any()")


def permutation(trial: Trial) -> None:
    """Permuting the batch permutes the items, or leaves them where an option merges the batch."""
    order = trial.case.random().permutation(batch_size(trial))
    items = trial.value()
    merged = trial.coupled and len(trial.truth(take(trial, order[:0])).value) == len(items.value)
    equal(trial.value(take(trial, order)), items if merged else items[order])


def concatenation(trial: Trial) -> None:
    """The items of a batch are the items of its parts, one after the other, unless coupled."""
    count = batch_size(trial)
    assume(count > 1 and not trial.coupled)
    cut = 1 + trial.case.seed % (count - 1)
    parts = [trial.value(take(trial, slice(0, cut))), trial.value(take(trial, slice(cut, None)))]
    equal(concatenate(parts), trial.value())


def empty_batch(trial: Trial) -> None:
    """A batch of nothing has no items, and a sum and mean of 0 with zero gradient."""
    every_other(trial)
    batch_size(trial)
    nothing = take(trial, slice(0, 0))
    zero = Measured.exact(0.0)
    for reduction in ("sum", "mean"):
        for name in gradient_names(trial):
            equal(trial.gradient(name, nothing, reduction=reduction), zero, "gradient of nothing")
        equal(trial.value(nothing, reduction=reduction), zero, f"{reduction} of nothing")
    facts = trial.facts(nothing)
    if facts.shape != facts.wanted_shape:
        _fault(f"items of shape {facts.shape}", f"{facts.name}.shape == {facts.wanted_shape}")


def options_matter(**options: tuple[Any, Any]) -> Callable[[Trial], None]:
    """The law that each plain option changes the result wherever it changes the truth.

    Two values are given for each; a case is tried with the one that it hasn't, and with one option, as
    its seed says.
    """

    def options_matter(trial: Trial) -> None:
        name = list(options)[trial.case.seed % len(options)]
        others = options[name]
        other = trial.case.changed(**{name: others[trial.case[name] == others[0]]})
        try:
            before, after = trial.truth(), trial.truth(other)
        except ValueError as refusal:  # outside the domain with the other option
            raise NotApplicable from refusal
        got, changed = trial.value(), trial.value(other)
        assume(got.value.shape == changed.value.shape)
        error = 100 * (got.budget + changed.budget + got.rounding + changed.rounding)
        matters = np.abs(before.value - after.value) > error
        matters &= ~(got.overflow | changed.overflow)  # infinite, as it may be
        if (matters & (got.value == changed.value)).any():
            raise Broken(f"{name} has no effect", changed, after)

    options_matter.__doc__ = (
        f"Changing {' or '.join(options)} changes the result wherever it changes the truth."
    )
    return options_matter


def no_broadcast(trial: Trial) -> None:
    """Arguments whose shapes don't match are refused, never broadcast."""
    batched = [a.name for a in trial.arguments if a.batched]
    first, second = (trial.case[name] for name in batched[:2])
    count = batch_size(trial)
    assume(count > 1)
    mismatches: list[dict[str, Array]] = [{batched[1]: second[:1]}]
    if first.shape == second.shape:
        mismatches += [{batched[0]: first[..., None]}, {batched[1]: second[..., None]}]
    for mismatch in mismatches:
        if not trial.refuses(trial.case.changed(**mismatch)):
            ((name, array),) = mismatch.items()
            _fault(f"{name} of shape {array.shape} is accepted", "not 'an exception'")


LAWS = (
    value,
    gradient,
    finite,
    form,
    reductions_agree,
    inputs_untouched,
    leaves_no_trace,
    repeatable,
    layout,
    autocast,
    untracked,
    permutation,
    concatenation,
    empty_batch,
    no_broadcast,
)

PAIR_LAWS = (first_argument_alone,)
"""For losses whose gradient flows to more than one argument."""

CONSTANT_LAWS = (constants_stay,)
"""For losses with arguments that are constants: targets, weights, distances."""

SMOOTH_LAWS = (second_derivative,)
"""For losses that are twice differentiable somewhere."""
