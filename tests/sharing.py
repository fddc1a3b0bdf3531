"""Which tests belong on one worker: those that ask the same oracle and compile the same graphs."""

import pytest

from lossproof.graphs import compiled_in
from lossproof.loss import Loss


def same_worker(loss: Loss) -> pytest.MarkDecorator:
    """The mark that keeps tests of losses with a compiled function in common on one worker."""
    return pytest.mark.xdist_group(min(compiled_in(loss.variants["fused"])))
