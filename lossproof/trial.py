"""A trial of one implementation on one case: the bridge between NumPy laws and PyTorch code."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.autograd.gradcheck import GradcheckError

from lossproof import tolerance
from lossproof.loss import Loss
from lossproof.traces import Watched, states_of
from properties.case import DTYPES, Argument, Array, Case
from properties.trial import BUDGETS, Broken, Facts, Measured, NotApplicable, Trace

CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
LAYOUTS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "contiguous": lambda t: t,
    "strided": lambda t: torch.stack([t, t], -1)[..., 0],
    "transposed": lambda t: t.transpose(0, -1).contiguous().transpose(0, -1) if t.ndim > 1 else t,
    "channels_last": lambda t: (
        t.to(memory_format=CHANNELS_LAST[t.ndim]) if t.ndim in CHANNELS_LAST else t
    ),
    "expanded": lambda t: t[:1].expand_as(t) if t.ndim else t,
}
NO_SECOND_DERIVATIVE = ("does not currently support double backward", "donated buffer")
"""How torch.compile says that it has none, depending on what the graph keeps."""
THEIRS = (Exception, SystemExit)
"""What an implementation may raise; a KeyboardInterrupt is a person's."""


class Raised(Exception):
    """The implementation raised; the original is the cause."""


class Died(Raised):
    """A worker hung, crashed or ate memory in the call."""


@dataclass(frozen=True)
class Call:
    """One call: what a counterexample must repeat."""

    case: Case
    reduction: str
    layout: str
    track: str
    backward: bool
    autocast: bool = False


@dataclass(frozen=True)
class Outcome:
    """What one call gave."""

    number: int
    value: Array
    gradients: Mapping[str, Array]
    facts: Facts


def tensors_of(
    loss: Loss, case: Case, dtype: torch.dtype, device: str, layout: str = "contiguous"
) -> dict[str, torch.Tensor]:
    """The case's arrays as tensors: floats in the dtype, labels as int64."""
    tensors = {}
    for argument in loss.arguments_of(case):
        kind = torch.int64 if case[argument.name].dtype.kind == "i" else dtype
        tensor = torch.from_numpy(np.array(case[argument.name], order="C")).to(device, kind)
        plain = layout == "expanded" and not argument.batched
        tensors[argument.name] = tensor if plain else LAYOUTS[layout](tensor)
    return tensors


def tracked(arguments: tuple[Argument, ...], track: str) -> list[str]:
    """Which arguments require grad: all that may, those that training learns, the first, none, or
    those that are constants."""
    names = [a.name for a in arguments if a.gradient and (track != "learned" or a.learned)]
    constants = [a.name for a in arguments if not a.gradient and a.kind != "label"]
    chosen = {"all": names, "learned": names, "first": names[:1], "none": [], "constants": constants}
    return chosen[track]


class TorchTrial:
    """The laws' view (:class:`properties.trial.Trial`) of a PyTorch function."""

    def __init__(
        self,
        function: Callable[..., Any],
        loss: Loss,
        case: Case,
        dtype: str,
        device: str = "cpu",
        announce: Callable[[Call], object] = lambda call: None,
    ) -> None:
        self.function, self.loss, self.case = function, loss, case
        self.dtype, self.device = dtype, device
        self.arguments = loss.arguments_of(case)
        self.coupled = loss.coupled(case)
        self.smooth = loss.smooth(case)
        self.calls: list[Call] = []
        self.reported: list[Exception] = []
        """Failures that a finding tells of already."""
        self._announce = announce
        self._states = states_of(device)
        self._kept: dict[Call, Outcome | Exception] = {}
        self._traces: dict[Call, list[Trace]] = {}

    # What laws ask

    def value(
        self,
        case: Case | None = None,
        *,
        reduction: str = "none",
        layout: str = "contiguous",
        track: str = "all",
        tight: bool = False,
        autocast: bool = False,
    ) -> Measured:
        plain = layout == "contiguous" and track == "all" and not autocast
        call = Call(case or self.case, reduction, layout, track, plain and case is None, autocast)
        keeps, twin = self._keeps(case), replace(call, backward=True)
        outcome = self._outcome(twin if plain and keeps and twin in self._kept else call, keeps)
        truth = self._truth(call.case, reduction)
        if outcome.value.shape != truth.value.shape:
            raise Broken(
                f"shape is {outcome.value.shape}, not {truth.value.shape} ({reduction})",
                Measured.exact(np.nan),
                Measured.exact(np.nan),
                assertion=f"result_{outcome.number}.shape == {truth.value.shape}",
            )
        budget = truth.floor if tight else truth.budget
        return self._measured(outcome.value, truth, budget, f"value_{outcome.number}")

    def gradient(
        self, name: str, case: Case | None = None, *, reduction: str = "none", track: str = "all"
    ) -> Measured:
        call = Call(case or self.case, reduction, "contiguous", track, backward=True)
        outcome = self._outcome(call, self._keeps(case))
        truth = self._true_gradient(name, call.case, reduction)
        label = f"gradient_{outcome.number}_{name}"
        return self._measured(outcome.gradients[name], truth, truth.budget, label)

    def truth(self, case: Case | None = None, *, reduction: str = "none") -> Measured:
        truth = self._truth(case or self.case, reduction)
        return self._oracles(truth)

    def true_gradient(self, name: str, case: Case | None = None, *, reduction: str = "none") -> Measured:
        return self._oracles(self._true_gradient(name, case or self.case, reduction))

    def upstream(self, case: Case | None = None) -> Array:
        return tolerance.upstream(self.loss, case or self.case)

    def facts(self, case: Case | None = None, *, reduction: str = "none") -> Facts:
        call = Call(case or self.case, reduction, "contiguous", "all", backward=case is None)
        return self._outcome(call, self._keeps(case)).facts

    def traces(self, *, reduction: str = "none") -> list[Trace]:
        call = Call(self.case, reduction, "contiguous", "all", backward=True)
        with contextlib.suppress(Raised, Broken):
            self._outcome(call, keep=True)
        return self._traces[call]

    def leaks(self) -> tuple[str, list[str]]:
        call = Call(self.case, "sum", "contiguous", "constants", backward=False)
        with Watched(self._states):
            result, inputs, _ = self._invoke(call)
        name = f"result_{len(self.calls)}"
        names = tracked(self.arguments, "constants")
        if not (isinstance(result, torch.Tensor) and result.requires_grad):
            return name, []
        asked = [inputs[constant] for constant in names]
        found = torch.autograd.grad(result.sum(), asked, allow_unused=True)
        return name, [n for n, slope in zip(names, found, strict=True) if _is_felt(slope)]

    def divisor(self, case: Case | None = None) -> float:
        return tolerance.divisor_of(self.loss, case or self.case)

    def second_derivative_fault(self) -> str:
        call = Call(self.case, "none", "contiguous", "all", backward=True)
        self._begin(call)
        dtype = getattr(torch, self.dtype)
        inputs = tensors_of(self.loss, self.case, dtype, self.device)
        names = tracked(self.arguments, "all")

        def items(*tensors: torch.Tensor) -> Any:
            given = {**inputs, **dict(zip(names, tensors, strict=True))}
            positional, options = self.loss.torch_call(self.case, given)
            with Watched(self._states):
                return self.function(*positional, **options, reduction="none")

        try:
            torch.autograd.gradgradcheck(
                items, [inputs[name].requires_grad_() for name in names], fast_mode=True
            )
        except GradcheckError as error:
            return str(error).strip().splitlines()[0]
        except THEIRS as error:
            if any(words in str(error) for words in NO_SECOND_DERIVATIVE):
                raise NotApplicable from error
            raise Raised(f"second derivative: {type(error).__name__}: {error}") from error
        return ""

    def refuses(self, case: Case) -> bool:
        try:
            with Watched(self._states):
                self._invoke(Call(case, "none", "contiguous", "none", backward=False))
        except Raised:
            return True
        return False

    # The oracle's side

    def _truth(self, case: Case, reduction: str) -> tolerance.Truth:
        facts = DTYPES[self.dtype]
        if reduction == "none":
            return tolerance.true_items(self.loss, case, facts.unit, facts.smallest)
        mean = reduction == "mean"
        return tolerance.true_total(self.loss, case, facts.unit, facts.smallest, mean)

    def _true_gradient(self, name: str, case: Case, reduction: str) -> tolerance.Truth:
        facts = DTYPES[self.dtype]
        key = (self.loss, case, name, facts.unit, facts.smallest, reduction)
        return tolerance.true_gradient(*key)

    def _oracles(self, truth: tolerance.Truth) -> Measured:
        exact = Measured.exact(truth.value, "the oracle's")
        known = self._measured(truth.value, truth, truth.budget, exact.expression)
        zero = np.zeros(truth.value.shape)
        return Measured(truth.value, zero, zero, known.overflow, exact.expression, exact.meaning)

    def _measured(self, value: Array, truth: tolerance.Truth, budget: Array, name: str) -> Measured:
        facts, undefined = DTYPES[self.dtype], np.isinf(truth.value)
        size = np.where(undefined, 0, np.abs(truth.value))
        rounding = facts.final * size
        off = np.where(np.isfinite(budget), budget, truth.reach)
        overflow = (size + BUDGETS * off + rounding >= facts.largest) | undefined
        return Measured(value, budget, rounding, overflow, name)

    # The implementation's side

    def _keeps(self, case: Case | None) -> bool:
        """Whether what a call gives serves all who ask: not where a law names the trial's own case, to
        call once more."""
        return case is not self.case

    def _outcome(self, call: Call, keep: bool) -> Outcome:
        if keep and call in self._kept:
            kept = self._kept[call]
            if isinstance(kept, Exception):
                raise kept
            return kept
        try:
            outcome = self._run(call)
        except (Raised, Broken) as failure:
            if keep:
                self._kept[call] = failure
            raise
        if keep:
            self._kept[call] = outcome
        return outcome

    def _begin(self, call: Call) -> None:
        self.calls.append(call)
        self._announce(call)

    def _invoke(self, call: Call) -> tuple[Any, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """The bare result, the inputs, and what they held before."""
        self._begin(call)
        dtype = getattr(torch, self.dtype)
        inputs = tensors_of(self.loss, call.case, dtype, self.device, call.layout)
        before = {name: tensor.clone() for name, tensor in inputs.items()}
        for argument in tracked(self.loss.arguments_of(call.case), call.track):
            inputs[argument].requires_grad_()
        tensors, options = self.loss.torch_call(call.case, inputs)
        kind = self.device.partition(":")[0]
        under = torch.autocast(kind, torch.bfloat16) if call.autocast else contextlib.nullcontext()
        try:
            with under:
                result = self.function(*tensors, **options, reduction=call.reduction)
        except THEIRS as error:
            raise Raised(f"{type(error).__name__}: {error}") from error
        return result, inputs, before

    def _run(self, call: Call) -> Outcome:
        watched = Watched(self._states)
        self._traces[call] = watched.traces
        with watched:
            return self._watched(call, watched)

    def _watched(self, call: Call, watched: Watched) -> Outcome:
        result, inputs, before = self._invoke(call)
        if call.backward:
            watched.check("in its backward ")
        name = f"result_{len(self.calls)}"
        if not isinstance(result, torch.Tensor):
            reason = f"the result is {type(result).__name__}, not a tensor"
            nothing = Measured.exact(np.nan)
            raise Broken(reason, nothing, nothing, assertion=f"torch.is_tensor({name})")
        facts = Facts(
            name,
            str(result.dtype).removeprefix("torch."),
            tuple(result.shape),
            tolerance.items_shape(self.loss, call.case) if call.reduction == "none" else (),
            result.requires_grad,
            tuple(n for n, t in inputs.items() if not _same(t.detach(), before[n])),
            tuple(n for n, t in inputs.items() if _aliased(t, result)),
        )
        gradients = self._gradients(call, result, inputs, name) if call.backward else {}
        return Outcome(len(self.calls), to_array(result), gradients, facts)

    def _gradients(
        self,
        call: Call,
        result: torch.Tensor,
        inputs: Mapping[str, torch.Tensor],
        name: str,
    ) -> dict[str, Array]:
        if not result.requires_grad:
            nothing = Measured.exact(np.nan)
            reason = "the result is detached from the graph"
            raise Broken(reason, nothing, nothing, assertion=f"{name}.requires_grad")
        wanted = tracked(self.loss.arguments_of(call.case), call.track)
        flow = torch.ones_like(result)
        if call.reduction == "none":
            weights = self.upstream(call.case)
            if weights.shape == tuple(result.shape):
                flow = torch.from_numpy(weights).to(result)
        try:
            asked = [inputs[argument] for argument in wanted]
            found = torch.autograd.grad(result, asked, flow, allow_unused=True)
        except THEIRS as error:
            raise Raised(f"backward: {type(error).__name__}: {error}") from error
        return {
            argument: np.zeros(call.case[argument].shape) if gradient is None else to_array(gradient)
            for argument, gradient in zip(wanted, found, strict=True)
        }


def to_array(tensor: torch.Tensor) -> Array:
    """A tensor's numbers as float64."""
    return tensor.detach().to("cpu", torch.float64).numpy()


def _is_felt(slope: torch.Tensor | None) -> bool:
    """Whether a gradient is any but zero."""
    return slope is not None and bool(slope.any())


def _same(first: torch.Tensor, second: torch.Tensor) -> bool:
    return torch.equal(first, second) or (
        first.shape == second.shape
        and torch.equal(first.nan_to_num(nan=1.5), second.nan_to_num(nan=1.5))
    )


def _aliased(first: torch.Tensor, second: torch.Tensor) -> bool:
    return (
        first.numel() > 0 and first.untyped_storage().data_ptr() == second.untyped_storage().data_ptr()
    )
