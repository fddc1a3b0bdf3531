"""Networks: seeded ones, torchvision's, and what the perceptual loss makes of anybody's."""

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lossproof import CATALOG, layers_of, verify, vgg19_features, vgg_like
from lossproof.cases import generated
from lossproof.loss import Variant
from lossproof.trial import Raised, TorchTrial
from properties.case import Case
from properties.perceptual import Network
from properties.trial import Broken, NotApplicable

LOSS = CATALOG["vgg_content"]
VGG19 = [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M"]
"""Channels of each convolution, and the max-pools."""

every_variant = pytest.mark.parametrize(
    "function",
    [
        pytest.param(function, id=name, marks=[pytest.mark.compiled] if name == "fused" else [])
        for name, function in LOSS.variants.items()
    ],
)


def images(
    side: int = 8, channels: int = 3, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(1)
    output, target = torch.from_numpy(random.normal(size=(2, 2, channels, side, side))).to(dtype)
    return output.requires_grad_(), target


def names_of(network: nn.Sequential) -> Iterator[tuple[str, str]]:
    """Of each child: conv1_1, relu1_1, ..., pool5, and its own."""
    block, place = 1, 0
    for name, module in network.named_children():
        if isinstance(module, nn.MaxPool2d):
            yield f"pool{block}", name
            block, place = block + 1, 0
        else:
            place += isinstance(module, nn.Conv2d)
            kind = "conv" if isinstance(module, nn.Conv2d) else "relu"
            yield f"{kind}{block}_{place}", name


# Seeded networks


def test_the_shape_is_vgg_19s() -> None:
    network = vgg_like()
    shapes = ["M" if isinstance(m, nn.MaxPool2d) else m for m in network if not isinstance(m, nn.ReLU)]
    assert [m if m == "M" else m.out_channels for m in shapes] == VGG19
    assert len(network) == 37


def test_default_layers_are_the_second_relu_of_each_block() -> None:
    """By the numbers of a VGG-19, which torchvision's children have."""
    known = dict(names_of(vgg_like(width=1)))
    wanted = tuple(known[f"relu{block}_2"] for block in range(1, 6))
    assert all(f.__kwdefaults__["layers"] == wanted for f in (LOSS.oracle, *LOSS.variants.values()))


def test_numpy_and_torch_have_the_same_network() -> None:
    """Bit by bit, in every dtype."""
    network = Network(width=3, seed=5, blocks=(2, 1), channels=2)
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        layers = layers_of(vgg_like(**vars(network)).to(dtype))
        assert layers.keys() == network.keys()
        for name, layer in network.items():
            if isinstance(layer, str):
                assert layers[name] == layer
            else:
                assert all(map(np.array_equal, layers[name], layer))


def test_weights_depend_on_seed_and_place_alone() -> None:
    """Not on what follows, nor on torch's generator, which is left alone."""
    state = torch.get_rng_state()
    short, long, other = Network(2, 7, (1,)), Network(2, 7, (1, 2)), Network(2, 8, (1,))
    first = vgg_like(width=2, seed=7, blocks=(1,))[0].weight
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(short["0"][0], long["0"][0])
    assert not np.array_equal(short["0"][0], other["0"][0])
    assert np.array_equal(first.numpy(), short["0"][0])
    assert not np.array_equal(long["3"][0][:, :2], long["5"][0][:, :2])


def test_features_neither_die_nor_explode() -> None:
    """A white image at the last ReLU of the whole network."""
    network = vgg_like(width=8)
    with torch.no_grad():
        last = network[:36](torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert 0.05 < last.std() < 20


@pytest.mark.parametrize("options", [{"width": 0}, {"seed": -1}, {"blocks": (0,)}, {"channels": 0}])
def test_bad_numbers_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(options))}: expected at least"):
        vgg_like(**options)


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(3, 2, 3),
        nn.Conv2d(3, 2, 3, padding=1, bias=False),
        nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect"),
        nn.MaxPool2d(3),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.AvgPool2d(2),
    ],
    ids=repr,
)
def test_what_the_oracle_does_not_know_is_refused(module: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"^features: expected 3x3 convolutions"):
        layers_of(nn.Sequential(module))


# torchvision's


def test_without_torchvision_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ImportError, match=r"pip install 'lossproof\[vgg\]'"):
        vgg19_features(pretrained=False)


@pytest.mark.skipif(find_spec("torchvision") is None, reason="torchvision (the extra vgg) is not there")
def test_torchvisions_network_has_our_layers() -> None:
    features = vgg19_features(pretrained=False)
    assert str(features) == str(vgg_like())
    assert not features.training
    assert not any(parameter.requires_grad for parameter in features.parameters())


# The loss, on anybody's network


class Forbidden(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("a layer after the last one chosen was computed")


@every_variant
def test_any_layers_are_compared(function: Variant) -> None:
    """Children with names, in-place modules at once and after a layer chosen (by a child that passes
    it on), batch norm in eval mode, nothing after the last layer."""
    norm = nn.BatchNorm2d(4).double().eval()
    norm.running_mean.fill_(0.3)
    convolution = nn.Conv2d(3, 4, 3, stride=2, dtype=torch.float64)
    parts = [nn.LeakyReLU(0.5, inplace=True), convolution, nn.Identity(), nn.ReLU(inplace=True), norm]
    names = ["leak", "convolution", "same", "relu", "norm"]
    network = nn.Sequential()
    for name, part in zip([*names, "rest"], [*parts, Forbidden()], strict=True):
        network.add_module(name, part)
    output, target = images()
    before = output.detach().clone()

    def by_hand(image: Tensor) -> list[Tensor]:
        seen = convolution(torch.nn.functional.leaky_relu(image, 0.5))
        return [seen, torch.relu(seen), norm(torch.relu(seen))]

    pairs = zip(by_hand(output), by_hand(target), strict=True)
    wanted = sum((x - y).square().mean() for x, y in pairs) / 3
    loss = function(output, target, network, layers=["convolution", "relu", "norm"])
    torch.testing.assert_close(loss, wanted)
    gradient = torch.autograd.grad(loss, output)
    torch.testing.assert_close(gradient, torch.autograd.grad(wanted, output))
    assert torch.equal(output.detach(), before)


@every_variant
def test_target_and_network_are_constants(function: Variant) -> None:
    """They get no gradient and stay as they are, also where they ask for one."""
    network = vgg_like(width=2, blocks=(1,)).requires_grad_()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    output, target = images(dtype=torch.bfloat16)
    function(output, target.requires_grad_(), network, layers=("1", "2")).backward()
    assert output.grad is not None
    assert target.grad is None
    for name, parameter in network.named_parameters():
        assert parameter.grad is None
        assert parameter.requires_grad
        assert torch.equal(parameter, before[name])
    fixed = output.detach()
    assert not function(fixed, target, network, layers=("1",)).requires_grad


@every_variant
def test_a_wide_network_serves_half_images(function: Variant) -> None:
    """As under mixed precision: the network in float32, the images in bfloat16."""
    network = vgg_like(width=2, blocks=(1,))
    output, target = images(dtype=torch.bfloat16)
    loss = function(output, target, network, layers=("1",))
    assert loss.dtype == torch.bfloat16
    assert loss == function(output, target, network.bfloat16(), layers=("1",))


@every_variant
@pytest.mark.parametrize("module", [nn.BatchNorm2d(3), nn.Dropout(0.5), nn.Sequential(nn.Dropout2d())])
def test_training_mode_is_refused(function: Variant, module: nn.Module) -> None:
    """Where a call would change the network or depend on chance."""
    network = nn.Sequential(module).double().train()
    with pytest.raises(ValueError, match=r"^features: expected modules in eval mode"):
        function(*images(), network, layers=("0",))


@every_variant
def test_a_network_of_another_dtype_is_refused(function: Variant) -> None:
    with pytest.raises(ValueError, match=r"^features: expected parameters in torch.float64 like output"):
        function(*images(), vgg_like(width=1), layers=("0",))


@every_variant
def test_the_whole_network_at_its_default_layers(function: Variant) -> None:
    """Against the oracle, on the layers of the very module."""
    network = vgg_like(width=2).double()
    output, target = images(side=16)
    wanted = LOSS.oracle(output.detach().numpy(), target.numpy(), layers_of(network))
    loss = function(output, target, network)
    assert float(loss.detach()) == pytest.approx(float(wanted), rel=1e-12)


# Laws that no impostor of test_strength.py breaks by what they say


def _right(*arguments: Tensor, **options: Any) -> Tensor:
    return LOSS.variants["vectorized"](*arguments, **options)


def forgets_weights(output: Tensor, target: Tensor, **options: Any) -> Tensor:
    return _right(output, target, **{**options, "weights": None})


def sums_layers(output: Tensor, target: Tensor, **options: Any) -> Tensor:
    return _right(output, target, **options) * len(options["layers"])


def sorts_layers(output: Tensor, target: Tensor, **options: Any) -> Tensor:
    return _right(output, target, **{**options, "layers": sorted(options["layers"])})


def runs_everything(output: Tensor, target: Tensor, **options: Any) -> Tensor:
    options["features"](output.detach())
    return _right(output, target, **options)


def absolute(output: Tensor, target: Tensor, **options: Any) -> Tensor:
    return _right(output, target, **options).sqrt()


def one_sided(output: Tensor, target: Tensor, **options: Any) -> Tensor:
    return _right(output.clamp(min=0), target, **options)


@pytest.mark.parametrize(
    ("impostor", "law"),
    [
        (forgets_weights, "options_matter"),
        (forgets_weights, "linear_in_weights"),
        (forgets_weights, "several_layers_average"),
        (sums_layers, "several_layers_average"),
        (sorts_layers, "order_of_layers"),
        (runs_everything, "stops_after_the_last_layer"),
        (absolute, "single_layer_is_its_mse"),
        (absolute, "linear_before_the_first_relu"),
        (one_sided, "symmetric"),
        (one_sided, "zero_at_equality"),
    ],
)
def test_impostor_is_caught(impostor: Variant, law: str) -> None:
    (broken,) = [known for known in LOSS.laws if known.__name__ == law]

    def breaks(case: Case) -> bool:
        try:
            broken(TorchTrial(impostor, LOSS, case, "float64"))
        except NotApplicable:
            return False
        except (Broken, Raised):
            return True
        return False

    assert any(breaks(case) for case in generated(LOSS, "float64", 40, 0))


def changes_the_network(output: Tensor, target: Tensor, **options: Any) -> Tensor:
    result = _right(output, target, **options)
    options["features"][0].weight.data.mul_(2)
    return result


def test_the_network_stays_the_callers_from_call_to_call() -> None:
    """So whoever changes it is wrong at the next call, and only on the case that it was given with."""
    verdict = verify(changes_the_network, "vgg_content", dtypes=["float32"], examples=20)
    assert {"repeatable", "zero_at_equality"} & {*verdict.laws_broken}
    verify(_right, "vgg_content", dtypes=["float32"], examples=20).raise_if_wrong()
