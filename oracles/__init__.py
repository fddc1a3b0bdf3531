"""What is true: every loss in float64 NumPy, with its domain checked.

Each loss is a pair. ``giou_items(boxes1, boxes2)`` is the bare formula: one value an item, no checks,
any NumPy precision, extra leading axes allowed, and complex-safe, so that the imaginary part of
``giou_items(x + 1e-100j * e)`` is its gradient along ``e`` to the last digit. ``giou(boxes1, boxes2,
*, reduction)`` is the public face over it: it checks the domain and reduces.

Nothing here imports torch, and nothing here is derived from a variant.
"""
