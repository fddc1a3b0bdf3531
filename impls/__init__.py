"""The variants: every loss of the catalogue, several times, in PyTorch.

``naive`` is the formula as a person reads it, one item at a time. ``vectorized`` is tensor operations,
numerically careful. ``native`` is torch's own function behind the catalogue's conventions. ``fused`` is
``vectorized`` through torch.compile. All have the same signature: tensors first, keyword-only options,
``reduction`` last. Half types are computed in float32 and rounded once at the end.

Nothing here imports an oracle. The forms in ``published.py`` are wrong on purpose.
"""
