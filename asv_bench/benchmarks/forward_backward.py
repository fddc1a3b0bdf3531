"""Seconds of the loss and its gradients; compiling is not part of them."""

from .forward import Forward
from .works import for_each_loss


class ForwardBackward(Forward):
    backward = True


globals().update(for_each_loss(ForwardBackward))
