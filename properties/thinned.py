"""Laws that are asked of few cases, where a loss has many of its own and a call of it takes long."""

from properties.trial import Trial, assume


def every_fourth(trial: Trial) -> None:
    """Leave the law on three of four cases."""
    assume(trial.case.seed % 4 == 0)
