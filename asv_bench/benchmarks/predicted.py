"""Kernels and bytes of forward and backward on a GPU, from shapes alone: predicted, not measured.

Only on the smallest workload, and without the naive variants. "n/a" where nothing can be predicted.
"""

from lossproof.predict import predict

from .works import Pass, for_each_loss


class Predicted(Pass):
    def setup(self, variant: str, workload: str, dtype: str, device: str) -> None:
        smallest = self.loss.workloads[0]
        if workload != smallest.name or variant == "naive" or dtype != "float32" or device != "cpu":
            raise NotImplementedError("not predicted")
        self.prediction = predict(self.loss, variant, smallest)
        if self.prediction.unavailable:
            raise NotImplementedError(self.prediction.unavailable)

    def track_kernels(self, *place: str) -> int:
        return self.prediction.kernels

    def track_bytes(self, *place: str) -> int:
        return self.prediction.bytes

    track_kernels.unit = "kernels, predicted"  # type: ignore[attr-defined]  # asv reads it there
    track_bytes.unit = "bytes, predicted"  # type: ignore[attr-defined]  # as above


globals().update(for_each_loss(Predicted))
