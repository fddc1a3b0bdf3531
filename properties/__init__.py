"""What must hold, and on which inputs: laws, domains and workloads, in NumPy and Hypothesis.

A law is a plain function of a :class:`properties.trial.Trial`; its docstring states it. A domain is a
function from a dtype's name to a Hypothesis strategy of cases. Nothing here imports torch or a
variant: a law sees arrays, and the harness stands between it and the implementation.
"""
