"""Networks for the perceptual loss: seeded ones of any width, and VGG-19 as torchvision trained it."""

import torch
from torch import nn

from oracles.numeric import Array
from oracles.perceptual import Layer
from properties.perceptual import Network


def vgg_like(
    width: int = 64,
    seed: int = 0,
    *,
    blocks: tuple[int, ...] = (2, 2, 4, 4, 4),
    channels: int = 3,
) -> nn.Sequential:
    """A network shaped like VGG-19's features, with weights that NumPy draws from the seed.

    Untrained, for tests and benchmarks: a layer has torchvision's number, and with width 64 its shape.
    Weights have at most eight significant bits, so that each floating dtype holds them exactly.

    Args:
        width: channels of the first block; the next blocks have twice, 4, 8 and 8 times as many.
        seed: of the weights, at least 0.
        blocks: convolutions of each block, all with a ReLU; a pool ends the block.
        channels: of the images.

    Raises:
        ValueError: a number is too small.

    >>> vgg_like(width=2, blocks=(1,))
    Sequential(
      (0): Conv2d(3, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
      (1): ReLU(inplace=True)
      (2): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    )
    """
    for name, value, least in (
        ("width", width, 1),
        ("seed", seed, 0),
        ("blocks", min(blocks, default=0), 1),
        ("channels", channels, 1),
    ):
        if value < least:
            raise ValueError(f"{name}: expected at least {least}, got {value}")
    network = Network(width, seed, tuple(blocks), channels)
    modules = [_module(layer) for layer in network.values()]
    return nn.Sequential(*modules).eval()


class Conv2d(nn.Conv2d):
    """A convolution whose weights are given: it draws none, which would take most of the time."""

    def reset_parameters(self) -> None:
        """Leave them."""


def _module(layer: Layer) -> nn.Module:
    if isinstance(layer, str):
        return nn.MaxPool2d(2) if layer == "pool" else nn.ReLU(inplace=True)
    weight, bias = (
        nn.Parameter(torch.from_numpy(array).float(), requires_grad=False) for array in layer
    )
    convolution = Conv2d(weight.shape[1], len(weight), 3, padding=1, device="meta")
    convolution.weight, convolution.bias = weight, bias
    return convolution


def vgg19_features(*, pretrained: bool = True) -> nn.Sequential:
    """The convolutional part of torchvision's VGG-19, in eval mode and without gradients.

    Its images are RGB in [0, 1], normalised by mean (0.485, 0.456, 0.406) and standard deviation
    (0.229, 0.224, 0.225). Torchvision downloads the weights (ImageNet) on first use.

    Raises:
        ImportError: torchvision is not there, or doesn't fit this torch.
    """
    try:
        from torchvision.models import VGG19_Weights, vgg19
    except (ImportError, RuntimeError) as error:  # the latter from one built for another torch
        raise ImportError(
            "vgg19_features needs a torchvision that fits this torch: pip install 'lossproof[vgg]'"
        ) from error
    network = vgg19(weights=VGG19_Weights.IMAGENET1K_V1 if pretrained else None)
    return network.features.eval().requires_grad_(False)


def layers_of(features: nn.Sequential) -> dict[str, Layer]:
    """The same network for the oracle: arrays by the children's names.

    Raises:
        ValueError: a child is none of Conv2d (3x3, padding of 1 zero), ReLU, and MaxPool2d (2x2).

    >>> list(layers_of(vgg_like(width=2, blocks=(1,))))
    ['0', '1', '2']
    """
    return {name: _layer(name, module) for name, module in features.named_children()}


def _layer(name: str, module: nn.Module) -> Layer:
    if isinstance(module, nn.Conv2d):
        plain = nn.Conv2d(module.in_channels, module.out_channels, 3, padding=1, device="meta")
        if module.extra_repr() == plain.extra_repr():
            return _array(module.weight), _array(module.bias)
    elif isinstance(module, nn.ReLU):
        return "relu"
    elif isinstance(module, nn.MaxPool2d) and module.extra_repr() == nn.MaxPool2d(2).extra_repr():
        return "pool"
    raise ValueError(
        f"features: expected 3x3 convolutions, ReLUs and 2x2 max-pools, got {module} ({name})"
    )


def _array(tensor: torch.Tensor | None) -> Array:
    assert tensor is not None  # whose bias is missing says so in its extra_repr
    return tensor.detach().cpu().double().numpy()
