"""Building blocks of the domains: Hypothesis strategies that shrink to small, plain numbers."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from properties.case import Array, Case, rounded

seeds: SearchStrategy[int] = st.integers(0, 2**16)


def numbers(
    low: float, high: float, special: Sequence[float] = (), smallest: float = 0.0
) -> SearchStrategy[float]:
    """Floats in [low, high], some values drawn more often; below ``smallest`` they become 0."""
    plain = st.floats(low, high, allow_subnormal=False)
    if smallest:
        plain = plain.map(lambda x: x if abs(x) >= smallest else 0.0)
    return plain | st.sampled_from(list(special)) if special else plain


def shapes(max_dims: int, max_side: int, min_dims: int = 0) -> SearchStrategy[tuple[int, ...]]:
    """Shapes with sides of at least 1."""
    return st.lists(st.integers(1, max_side), min_size=min_dims, max_size=max_dims).map(tuple)


@st.composite
def spaces(draw: st.DrawFn, max_dims: int, max_side: int) -> tuple[int, ...]:
    """Shapes of the axes of space; now and then one that holds no voxel."""
    nowhere = draw(st.integers(0, 15)) == 15
    return (0,) if nowhere else draw(shapes(max_dims, max_side))


@st.composite
def arrays(
    draw: st.DrawFn, shape: tuple[int, ...], *kinds: SearchStrategy[float], dtype: str = "f8"
) -> Array:
    """An array whose elements all come from one of the kinds, drawn first (so that an array of
    moderate numbers is as likely as one of extremes)."""
    elements = kinds[0] if len(kinds) == 1 else kinds[draw(st.integers(0, len(kinds) - 1))]
    count = int(np.prod(shape))
    drawn = draw(st.lists(elements, min_size=count, max_size=count))
    return np.array(drawn, dtype=dtype).reshape(shape)


def cases(values: SearchStrategy[dict[str, object]], dtype: str) -> SearchStrategy[Case]:
    """Cases of these arguments, rounded to a dtype."""
    return st.builds(lambda v, seed: rounded(Case(v, seed), dtype), values, seeds)


unit_interval = numbers(0.0, 1.0, [0.0, 1.0, 0.5])
hard = st.sampled_from([0.0, 1.0])
crowded = numbers(12.0, 24.0)
"""Large and close together: a sum of exponentials near its largest term, away from 0."""
distant = numbers(1000.0, 1016.0)
"""Close together and far from 0, where a logarithm added to the largest of them is lost."""
moderate = numbers(-8.0, 8.0, [0.0, 1.0, -1.0])
extreme = numbers(
    -1e4, 1e4, [s * x for x in (17.0, 20.0, 40.0, 89.0, 104.0, 180.0, 1e4) for s in (1, -1)]
)
"""Where exponentials underflow and overflow."""
huge = st.sampled_from([6e4, -6e4, 6e4, -6e4, 1.0])
"""So large that sums overflow in float16."""
logits = (moderate, moderate, extreme, huge)
"""Kinds of logits, as :func:`arrays` takes them."""
