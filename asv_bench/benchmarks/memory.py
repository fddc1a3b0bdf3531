"""Memory of the loss and its gradients."""

from lossproof.machine import peak_bytes

from .works import Pass, for_each_loss


class Memory(Pass):
    def track_peak_bytes(self, variant: str, workload: str, dtype: str, device: str) -> int:
        """The most held at once, beside the inputs."""
        return peak_bytes(self.run, device)

    track_peak_bytes.unit = "bytes"  # type: ignore[attr-defined]  # asv reads it there


globals().update(for_each_loss(Memory))
