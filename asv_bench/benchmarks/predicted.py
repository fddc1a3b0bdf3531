"""Kernels and bytes of forward and backward on a GPU, from shapes alone: predicted, not measured.

Only on the smallest workload, and without the naive variants. "n/a" where nothing can be predicted.
"""

from lossproof.predict import predict

from .works import Pass, for_each_loss, shared


class Predicted(Pass):
    def setup(self, *place: str) -> None:
        name = f"prediction for {self.loss.name}, {place}"
        self.kernels, self.bytes = shared(name, lambda: self.predicted(*place))

    def predicted(self, variant: str, workload: str, dtype: str, device: str) -> list[float]:
        """Kernels and bytes."""
        smallest = self.loss.workloads[0]
        if workload != smallest.name or variant == "naive" or dtype != "float32" or device != "cpu":
            raise NotImplementedError("not predicted")
        prediction = predict(self.loss, variant, smallest)
        if prediction.unavailable:
            raise NotImplementedError(prediction.unavailable)
        return [prediction.kernels, prediction.bytes]

    def track_kernels(self, *place: str) -> float:
        return self.kernels

    def track_bytes(self, *place: str) -> float:
        return self.bytes

    track_kernels.unit = "kernels, predicted"  # type: ignore[attr-defined]  # asv reads it there
    track_bytes.unit = "bytes, predicted"  # type: ignore[attr-defined]  # as above


globals().update(for_each_loss(Predicted))
