"""Other people's implementations behind the signature of a loss of the catalogue.

What can be translated exactly is: names and places of arguments, fixed settings, 1 minus a similarity,
corners as centres, and reductions that are missing. What an implementation has no option for is refused
by a NotImplementedError that names the option, which verification counts as refused, not as wrong.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from lossproof import tolerance
from lossproof.anatomy import case_of, options_of, parameters
from lossproof.catalog import CATALOG
from lossproof.conventions import under
from lossproof.lookup import find
from lossproof.loss import Loss, Variant
from lossproof.references import reference, resolve
from properties.case import Argument, Case, Workload

BOXES = ("xyxy", "cxcywh", "xywh")
RETURNS = ("loss", "similarity")
REDUCES = ("none", "mean", "sum")
_DEFAULTS = {
    "names": {},
    "settings": {},
    "returns": "loss",
    "boxes": "xyxy",
    "reduces": "",
    "conventions": (),
}
EXACT = (torch.float32, torch.float64)
"""Dtypes whose rounding of a centre is a rounding unit of what is judged."""


@dataclass(frozen=True)
class Adapted:
    """An implementation with the signature of a loss. It can be sent to another process if ``target`` is
    a reference, and written down.

    Attributes:
        target: "module:name", or the object itself: a function, a class or module factory, whose
            instances are made with the options, or a module.
        loss: whose signature it gets.
        names: their name of an argument or option, by ours.
        settings: keyword arguments that are always the same.
        returns: "loss", or "similarity", of which the loss is 1 minus.
        boxes: how boxes are written: corners "xyxy", centre and size "cxcywh", corner and size "xywh".
        reduces: the only reduction that it does, where it can't be told: "none", "mean" or "sum".
        conventions: those that the loss is under, which say what a mean that is made here divides by.
    """

    target: str | Callable[..., Any]
    loss: str
    names: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    returns: str = "loss"
    boxes: str = "xyxy"
    reduces: str = ""
    conventions: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        """Without what was looked up, which another process looks up for itself."""
        return Adapted, tuple(getattr(self, each.name) for each in fields(self))

    def code(self) -> str:
        """The call of :func:`adapt` that makes it."""
        asked = {each.name: getattr(self, each.name) for each in fields(self)[2:]}
        given = [f"{name}={value!r}" for name, value in asked.items() if value != _DEFAULTS[name]]
        return f"adapt({', '.join([repr(self.target), repr(self.loss), *given])})"

    @property
    def name(self) -> str:
        """How reports call it."""
        return self.target if isinstance(self.target, str) else _name_of(self.target)

    @cached_property
    def _row(self) -> Loss:
        return under(CATALOG[self.loss], self.conventions)

    @cached_property
    def _object(self) -> Any:
        return resolve(self.target) if isinstance(self.target, str) else self.target

    @cached_property
    def _tensors(self) -> dict[str, Argument]:
        return {name: a for name, a in parameters(self._row).items() if not a.optional}

    @cached_property
    def _is_made(self) -> bool:
        """Whether what is called is made first: by a class, or a function that takes no tensors."""
        if isinstance(self._object, nn.Module):
            return False
        return inspect.isclass(self._object) or _places(self._object) < len(self._tensors)

    def __call__(self, *tensors: Any, reduction: str = "mean", **options: Any) -> Tensor:
        """The loss, whatever way the implementation takes and returns things."""
        own = self._own_reduction(options)
        if own in ("", reduction):
            return self._once(tensors, options, reduction, takes_reduction=not own)
        return self._reduced(own, tensors, options, reduction)

    # The call

    def _once(
        self, tensors: Sequence[Any], options: Mapping[str, Any], reduction: str, takes_reduction: bool
    ) -> Tensor:
        asked = {**options, **({"reduction": reduction} if takes_reduction else {})}
        positional = [
            self._converted(a, t) for a, t in zip(self._tensors.values(), tensors, strict=True)
        ]
        if self._is_made:
            made, left = self._split(self._object, asked)
            called = self._object(**made)
            here, left = self._split(called, left)
        else:
            called = self._object
            here, left = self._split(called, asked)
        self._refuse(left)
        result: Tensor = called(*self._in_place(called, positional, here), **here)
        return self._as_loss(result, reduction, tensors, options)

    def _split(
        self, function: Callable[..., Any], asked: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a function takes, by its names, and what is left, by ours."""
        known = {self.names.get(name, name): name for name in asked}
        taken = {theirs: asked[name] for theirs, name in known.items() if _takes(function, theirs)}
        left = {name: asked[name] for theirs, name in known.items() if theirs not in taken}
        settings = {n: value for n, value in self.settings.items() if _takes(function, n)}
        return {**taken, **settings}, left

    def _refuse(self, left: Mapping[str, Any]) -> None:
        """An option that it doesn't have may only be at its setting, or else its default."""
        for name, value in left.items():
            if isinstance(value, Tensor) or value != self._fixed_value(name):
                raise NotImplementedError(f"{name}: no such option")

    def _fixed_value(self, option: str) -> Any:
        default = inspect.signature(self._row.oracle).parameters[option].default
        return self.settings.get(option, default)

    def settled(self, row: Loss) -> Loss:
        """The loss, on cases whose options are what this implementation can do.

        But for powers below 1: what a root magnifies is not in every case's domain.
        """
        lacking = {name: self._fixed_value(name) for name in options_of(row) if not self._has(name)}
        fixed = {
            name: value
            for name, value in lacking.items()
            if not (name.startswith("gamma") and isinstance(value, float) and value < 1)
        }

        def settle(case: Case) -> Case:
            return case.changed(**{name: v for name, v in fixed.items() if name in case.values})

        def settled_workload(workload: Workload) -> Workload:
            return replace(workload, make=lambda *how: settle(workload.make(*how)))

        workloads = tuple(map(settled_workload, row.workloads))
        return replace(row, cases=lambda dtype: row.cases(dtype).map(settle), workloads=workloads)

    def knows(self, setting: str) -> bool:
        """Whether a setting means something to it."""
        return setting in options_of(self._row) or self._has(setting)

    def _has(self, option: str) -> bool:
        """Whether the call, or what makes it, takes an option of ours."""
        theirs = self.names.get(option, option)
        if self._is_made:
            made, _ = self._split(self._object, {})
            return _takes(self._object, theirs) or _takes(self._object(**made), theirs)
        return _takes(self._object, theirs)

    def _in_place(
        self, called: Callable[..., Any], positional: list[Any], here: dict[str, Any]
    ) -> list[Any]:
        """The tensors by place; by name where that is given, or where the implementation has ours."""
        named = [self.names.get(name, name) for name in self._tensors]
        if any(name in self.names for name in self._tensors) or all(
            name in _parameters(called) for name in named
        ):
            here.update(zip(named, positional, strict=True))
            return []
        return positional

    def _converted(self, argument: Argument, value: Any) -> Any:
        if argument.kind != "box" or self.boxes == "xyxy":
            return value
        if isinstance(value, list):
            return [self._converted(argument, one) for one in value]
        if value.dtype not in EXACT:
            raise NotImplementedError(f"boxes: {self.boxes} of {value.dtype} would be rounded")
        low, high = value[:, :2], value[:, 2:]
        start = low if self.boxes == "xywh" else low + (high - low) / 2
        return torch.cat([start, high - low], dim=1)

    def _as_loss(
        self, result: Tensor, reduction: str, tensors: Sequence[Any], options: Mapping[str, Any]
    ) -> Tensor:
        if self.returns == "loss":
            return result
        if reduction == "sum":
            return math.prod(self._items_shape(tensors, options)) - result
        return 1 - result if tensors[0].numel() else 0 * result

    # Reductions that it lacks

    def _own_reduction(self, options: Mapping[str, Any]) -> str:
        """The one reduction that it does; empty: it takes the name of one."""
        if self.reduces:
            return self.reduces
        theirs = self.names.get("reduction", "reduction")
        if theirs in self.settings:
            return str(self.settings[theirs])
        if _takes(self._object, theirs):
            return ""
        if self._is_made:
            made, _ = self._split(self._object, options)
            if _takes(self._object(**made), theirs):
                return ""
        raise NotImplementedError(
            "reduction: no such argument; say what it reduces to (none, mean or sum)"
        )

    def _reduced(
        self, own: str, tensors: Sequence[Any], options: Mapping[str, Any], reduction: str
    ) -> Tensor:
        case = case_of(self._row, tuple(tensors), options)
        shape, divisor = self._items_shape(tensors, options), tolerance.divisor_of(self._row, case)
        count = math.prod(shape)
        if own == "none":
            total = self._once(tensors, options, own, takes_reduction=False).sum()
            return total if reduction == "sum" else _over(total, divisor)
        if own == "mean" and divisor != count:
            raise NotImplementedError("reduction: the mean is weighted, and hides the weights")
        if reduction == "none":
            return self._items(own, tensors, options, shape)
        if count == 0:  # of which its mean may be NaN
            return 0 * tensors[0].sum()
        whole = self._once(tensors, options, own, takes_reduction=False)
        return whole * count if own == "mean" else _over(whole, divisor)

    def _items(
        self, own: str, tensors: Sequence[Any], options: Mapping[str, Any], shape: tuple[int, ...]
    ) -> Tensor:
        """One call for each item, which is a row of the batch, or an element."""
        first = tensors[0]
        if shape == ():
            return self._once(tensors, options, own, takes_reduction=False)
        if shape == tuple(first.shape):
            cut = [
                t.reshape(-1, *(1,) * first.ndim) if a.batched else t for a, t in self._paired(tensors)
            ]
        elif shape == tuple(first.shape[:1]):
            cut = [t.unsqueeze(1) if a.batched else t for a, t in self._paired(tensors)]
        else:
            raise NotImplementedError(f"reduction: none, whose items have the shape {shape}")
        items = [
            self._once(
                [t[place] if a.batched else t for a, t in self._paired(cut)],
                options,
                own,
                takes_reduction=False,
            )
            for place in range(math.prod(shape))
        ]
        return torch.stack(items).reshape(shape) if items else first.sum() + first.new_zeros(shape)

    def _paired(self, tensors: Sequence[Any]) -> list[tuple[Argument, Any]]:
        return list(zip(self._tensors.values(), tensors, strict=True))

    def _items_shape(self, tensors: Sequence[Any], options: Mapping[str, Any]) -> tuple[int, ...]:
        return tolerance.items_shape(self._row, case_of(self._row, tuple(tensors), options))


def adapt(
    implementation: str | Callable[..., Any],
    loss: str | Loss,
    *,
    names: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    returns: str = "loss",
    boxes: str = "xyxy",
    reduces: str = "",
    conventions: Iterable[str] = (),
) -> Variant:
    """Give an implementation the signature of a loss; one that has it is returned as it is.

    Args:
        implementation: a function, a class or a function that makes a module (with the options), a
            module, or "package.module:name" of one of these.
        loss: a name in the catalogue.
        names: their name of an argument or option, by ours: ``{"logits": "inputs"}``. Tensors go by
            place unless they are named so.
        settings: keyword arguments that are always given: ``{"eps": 1e-7}``; of an option that the
            implementation doesn't have, what it is there.
        returns: "loss", or "similarity" (a Dice coefficient, an IoU): the loss is 1 minus that.
        boxes: "xyxy", "cxcywh" or "xywh".
        reduces: the only reduction that it does, "none", "mean" or "sum", where it takes no such
            argument. Items of a mean are one call each.
        conventions: those that the loss is under; a mean that is made here divides as they say.

    Raises:
        ValueError: an unknown loss, argument, choice or convention, or a reference that leads nowhere.

    >>> import torch
    >>> def squares(output, wanted):
    ...     return (output - wanted) ** 2
    >>> mse = adapt(squares, "mse", reduces="none")
    >>> mse(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0]), reduction="sum")
    tensor(10.)
    """
    row = find("loss", loss, CATALOG) if isinstance(loss, str) else loss
    for kind, chosen, known in (("returns", returns, RETURNS), ("boxes", boxes, BOXES)):
        find(kind, chosen, dict.fromkeys(known, True))
    if reduces:
        find("reduces", reduces, dict.fromkeys(REDUCES, True))
    for name in names or {}:
        find("argument", name, inspect.signature(row.oracle).parameters)
    found = resolve(implementation) if isinstance(implementation, str) else implementation
    if not callable(found):
        raise ValueError(f"implementation: expected something to call, got {type(found).__name__}")
    target = implementation if isinstance(implementation, str) else reference(found) or found
    how = (
        dict(names or {}),
        dict(settings or {}),
        returns,
        boxes,
        reduces,
        under(row, conventions).under,
    )
    adapted = Adapted(target, row.name, *how)
    for name in settings or {}:
        if not adapted.knows(name):
            raise ValueError(f"settings: neither {adapted.name} nor {row.name} has an option {name}")
    asked = {name: default for name, default in _DEFAULTS.items() if name != "conventions"}
    plain = all(getattr(adapted, name) == default for name, default in asked.items())
    return found if plain and _has_signature(found, row) else adapted


def _over(total: Tensor, divisor: float) -> Tensor:
    """The mean; 0 where there is nothing to average."""
    return total / divisor if divisor else 0 * total


def _name_of(implementation: Any) -> str:
    named = implementation if hasattr(implementation, "__qualname__") else type(implementation)
    return str(named.__qualname__)


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Of a call; of a module, those of its forward. None where Python can't tell."""
    called = function.forward if isinstance(function, nn.Module) else function
    try:
        return inspect.signature(called).parameters
    except (ValueError, TypeError):
        return {}


def _takes(function: Callable[..., Any], name: str) -> bool:
    known = _parameters(function)
    by_name = name in known and known[name].kind is not inspect.Parameter.POSITIONAL_ONLY
    return by_name or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())


def _places(function: Callable[..., Any]) -> float:
    """How many arguments it takes by place, those with a default aside."""
    known = _parameters(function).values()
    if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in known):
        return math.inf
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is p.empty for p in known)


def _has_signature(function: Callable[..., Any], row: Loss) -> bool:
    """Whether it can be called as the loss is."""
    if inspect.isclass(function):
        return False
    wanted = inspect.signature(row.oracle).parameters
    tensors = [name for name, argument in parameters(row).items() if not argument.optional]
    options = [name for name in wanted if name not in tensors]
    return _places(function) >= len(tensors) and all(_takes(function, name) for name in options)
