"""Largest errors of items and gradients on random rows, held against the oracle.

Only on the smallest workload: on larger ones the oracle can take half a minute.
"""

from lossproof.recheck import recheck
from properties.trial import BUDGETS

from .works import Pass, batch_of, for_each_loss, peak, shared


class Accuracy(Pass):
    def setup(self, *place: str) -> None:
        self.require_measured(*place)
        name = f"accuracy of {self.loss.name}, {place}"
        self.budgets, self.ulps = shared(name, lambda: self.errors(*place))

    def errors(self, variant: str, workload: str, dtype: str, device: str) -> list[float]:
        """Budgets and ULP. Too large an error is a result; a fault that no error shows makes the
        benchmark fail."""
        super().setup(variant, workload, dtype, device)
        peak(self.loss, variant, workload, dtype, device)  # now that it is ready to run; for memory.py
        value, gradients = self.run()
        batch = batch_of(self.loss, workload, dtype, device)
        checked = recheck(self.loss.variants[variant], batch, [value], gradients)
        if checked.fault and checked.budgets <= BUDGETS:
            raise ValueError(checked.fault)
        return [checked.budgets, checked.ulps]

    def track_budgets(self, *place: str) -> float:
        return self.budgets

    def track_ulps(self, *place: str) -> float:
        return self.ulps

    track_budgets.unit = f"error budgets; {BUDGETS} are allowed"  # type: ignore[attr-defined]  # asv
    track_ulps.unit = "ULP"  # type: ignore[attr-defined]  # reads it there


globals().update(for_each_loss(Accuracy))
