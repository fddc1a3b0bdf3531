"""Predicted GPU kernels and bytes: of functions counted by hand, and how variants compare."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from impls.compiled import Compiled, number
from lossproof import CATALOG, lowering
from lossproof.graphs import compiled_in
from lossproof.loss import Loss
from lossproof.lowering import Traffic
from lossproof.measure import BACKWARD, FORWARD
from lossproof.predict import count, predict

pytestmark = pytest.mark.xdist_group("predict")

F4 = 4 * 1000
"""Bytes of one tensor below."""


def _tensor(*shape: int) -> Tensor:
    return torch.empty(shape or (1000,), device="meta")


def _gradient(function: Callable[[Tensor], Tensor]) -> None:
    x = _tensor().requires_grad_()
    torch.autograd.grad(function(x), x, _tensor())


COUNTED: dict[str, tuple[Callable[[Tensor], Any], Traffic]] = {
    "one in, one out": (lambda x: x.exp(), Traffic(1, 2 * F4)),
    "in place": (lambda x: x.mul_(2), Traffic(1, 2 * F4)),
    "two in": (lambda x: x + _tensor(), Traffic(1, 3 * F4)),
    "one in, twice": (lambda x: x * x, Traffic(1, 2 * F4)),
    "sum": (lambda x: x.sum(), Traffic(1, F4 + 4)),
    "views": (lambda x: x.detach().view(10, 100).t()[3:].unsqueeze(0).expand(5, 97, 10), Traffic()),
    "memory only": (lambda x: torch.empty_like(x), Traffic()),
    "filled": (lambda x: torch.ones_like(x), Traffic(1, F4)),
    "copied": (lambda x: x.view(10, 100).t().contiguous(), Traffic(1, 2 * F4)),
    "widened": (lambda x: x.double(), Traffic(1, 3 * F4)),
    "expanded is read once": (lambda x: x[:1].expand(1000).exp(), Traffic(1, 4 + F4)),
    "picked": (lambda x: x[torch.empty(10, dtype=torch.int64, device="meta")], Traffic(1, 160)),
    "into a given tensor": (lambda x: torch.exp(x, out=_tensor()), Traffic(1, 2 * F4)),
    "numbers of the CPU": (lambda x: x * number(2.0), Traffic(1, 2 * F4)),
    "composed of others": (lambda x: torch.stack([x, x.exp()]), Traffic(2, 2 * F4 + 4 * F4)),
    "library": (lambda x: x.view(40, 25) @ _tensor(25, 40), Traffic(1, 2 * F4 + 6400, lower_bound=True)),
    # forward reads and writes; backward reads the result and the flow, and writes the gradient
    "derived": (lambda x: _gradient(torch.exp), Traffic(2, 5 * F4)),
}


@pytest.mark.parametrize(("function", "traffic"), COUNTED.values(), ids=COUNTED)
def test_operators_are_counted_as_by_hand(function: Callable[[Tensor], Any], traffic: Traffic) -> None:
    assert count(lambda: function(_tensor())) == traffic


def test_a_loss_that_reduces_inside_is_a_lower_bound() -> None:
    """torch reduces the items in further kernels, which nobody sees."""
    mse = torch.nn.functional.mse_loss
    assert count(lambda: mse(_tensor(), _tensor())).lower_bound
    assert not count(lambda: mse(_tensor(), _tensor(), reduction="none")).lower_bound


def test_nothing_is_left_behind() -> None:
    """A call that raises is counted no further, and what was replaced is back."""
    before = Compiled.__call__, torch.autocast
    with pytest.raises(RuntimeError):
        count(lambda: _tensor().sum().item())
    assert (Compiled.__call__, torch.autocast) == before
    assert torch.ones(3).exp().device.type == "cpu"


def _loss(**variants: Callable[..., Tensor]) -> Loss:
    return replace(CATALOG["mse"], variants=variants)


def _fused(input: Tensor, target: Tensor, *, reduction: str) -> Tensor:
    result: Tensor = Compiled(lambda x, y: (x - y).square(), graphs=1)(input, target)
    return result.mean()


def _asking(input: Tensor, target: Tensor, *, reduction: str) -> Tensor:
    return (input - target).square().mean() if input.sum() > 0 else input.sum()


def test_what_asks_for_numbers_is_unavailable() -> None:
    prediction = predict(_loss(asking=_asking), "asking", CATALOG["mse"].workloads[0])
    assert "meta" in prediction.unavailable
    assert (prediction.kernels, prediction.bytes) == (0, 0)
    assert prediction.least_bytes > 0


def test_an_unknown_torch_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something is compiled; operators are counted by any torch."""
    monkeypatch.setattr(lowering, "KNOWN_VERSIONS", ("1.0",))
    row, smallest = CATALOG["mse"], CATALOG["mse"].workloads[0]
    assert "is not known (1.0 is)" in predict(_loss(fused=_fused), "fused", smallest).unavailable
    assert not predict(row, "vectorized", smallest).unavailable


@pytest.mark.compiled
def test_insides_that_changed_are_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever torch raises when it is not what was expected."""
    monkeypatch.delattr("torch._inductor.graph.GraphLowering._update_scheduler")
    prediction = predict(_loss(fused=_fused), "fused", CATALOG["mse"].workloads[0], pass_name=FORWARD)
    assert "_update_scheduler" in prediction.unavailable


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fussed",), "variant: no 'fussed'"),
        (("native", "float31"), "dtype: no 'float31'"),
        (("native", "float32", "sideways"), "pass: no 'sideways'"),
    ],
)
def test_bad_arguments_are_errors(arguments: tuple[str, ...], message: str) -> None:
    variant, *rest = arguments
    with pytest.raises(ValueError, match=message):
        predict(CATALOG["mse"], variant, CATALOG["mse"].workloads[0], *rest)


@pytest.mark.compiled
def test_compiled_functions_are_counted_as_by_hand() -> None:
    """One kernel each way, however many operators; and no graph that Dynamo would count or run."""

    def curve(x: Tensor, factor: Tensor) -> Tensor:
        return (x.exp() * factor).sin()

    compiled = Compiled(curve, graphs=1)
    forward = count(lambda: compiled(_tensor(), number(2.0)))
    both = count(lambda: _gradient(lambda x: compiled(x, number(2.0))))
    assert forward.kernels == 1
    assert 2 * F4 <= forward.bytes <= 2 * F4 + 8  # the number may count as read
    assert both.kernels == 2
    assert 5 * F4 <= both.bytes <= 6 * F4 + 16  # the input or what is made of it is kept, or both
    assert torch.equal(compiled(torch.zeros(3), number(0.0)), torch.zeros(3))


@pytest.mark.compiled
def test_what_a_compiled_function_makes_is_on_the_gpu_too() -> None:
    """Else nothing else could share a kernel with it."""

    def weighted(x: Tensor) -> Tensor:
        return x * torch.arange(1000, device=x.device).float().softmax(0)

    def product(x: Tensor) -> Tensor:
        return x.view(40, 25) @ torch.ones(25, 40, device=x.device)

    assert count(lambda: Compiled(weighted, graphs=1)(_tensor())) == Traffic(1, 2 * F4)
    assert count(lambda: Compiled(product, graphs=1)(_tensor())).lower_bound


@pytest.mark.compiled
def test_gradients_reach_through_compiled_functions() -> None:
    """Nested results, some of them constant, and an input that is not learned."""

    def parts(x: Tensor, y: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        return x * y, (torch.where(x > 0, 1, x), y.exp())

    def run(which: int) -> None:
        x = _tensor().requires_grad_()
        product, (chosen, constant) = Compiled(parts, graphs=1)(x, _tensor())
        assert not constant.requires_grad
        (gradient,) = torch.autograd.grad((product, chosen)[which], x, _tensor())
        assert (gradient.shape, gradient.device) == (x.shape, x.device)

    assert count(lambda: run(0)).kernels >= 2
    assert count(lambda: run(1)).kernels >= 2


def _is_elementwise(loss: Loss) -> bool:
    """Whether there is an item for each element of the first argument, and none depends on another."""
    case = loss.workloads[0].make(np.random.default_rng(0), 2)
    first = case[loss.arguments_of(case)[0].name]
    return not loss.coupled(case) and np.shape(loss.exact(case)) == first.shape


ELEMENTWISE = [loss.name for loss in CATALOG.values() if _is_elementwise(loss)]


@pytest.mark.compiled
@pytest.mark.parametrize("loss", ELEMENTWISE)
def test_compiled_variants_launch_and_move_less(loss: str) -> None:
    """Than the same by operators; and of elementwise losses, hardly more than the least.

    With a backward pass it is two passes over memory: what multiplies by the upstream gradient can't
    start before the loss is known.
    """
    row = CATALOG[loss]

    def of(variant: str, pass_name: str) -> Any:
        prediction = predict(row, variant, row.workloads[0], pass_name=pass_name)
        assert not prediction.unavailable
        return prediction

    eager = of("vectorized", FORWARD), of("vectorized", BACKWARD)
    compiled = [name for name, function in row.variants.items() if compiled_in(function)]
    assert "fused" in compiled
    for name in compiled:
        forward, both = of(name, FORWARD), of(name, BACKWARD)
        assert forward.kernels < eager[0].kernels
        assert both.kernels < eager[1].kernels
        assert forward.bytes <= 1.3 * forward.least_bytes
        assert both.bytes <= 1.3 * (forward.least_bytes + both.least_bytes)


@pytest.mark.compiled
def test_every_compiled_variant_of_boxes_is_counted() -> None:
    """Closed forms, which compile inside of an autograd function, among them."""
    row = CATALOG["iou"]
    eager = predict(row, "vectorized", row.workloads[0])
    for name, function in row.variants.items():
        if compiled_in(function):
            prediction = predict(row, name, row.workloads[0])
            assert 0 < prediction.kernels < eager.kernels
            assert 0 < prediction.bytes < eager.bytes
