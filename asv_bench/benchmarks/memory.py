"""Memory of the loss and its gradients."""

from .works import Pass, for_each_loss, peak


class Memory(Pass):
    def setup(self, *place: str) -> None:
        self.require_measured(*place)
        self.peak = peak(self.loss, *place)

    def track_peak_bytes(self, *place: str) -> float:
        return self.peak

    track_peak_bytes.unit = "bytes"  # type: ignore[attr-defined]  # asv reads it there


globals().update(for_each_loss(Memory))
