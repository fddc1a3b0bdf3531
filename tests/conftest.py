"""What all tests share: one torch thread, a cache of their own, one worker for each core."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import torch
from sharing import same_worker

from lossproof import CATALOG

torch.set_num_threads(1)


@pytest.hookimpl
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """As many workers as cores; none while benchmarks are timed."""
    return 0 if config.getoption("benchmark_only") else (os.cpu_count() or 1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of a loss go to one worker, which draws its cases and compiles it once."""
    for item in items:
        parametrized = getattr(item, "callspec", None)
        loss = parametrized and parametrized.params.get("loss")
        row = CATALOG.get(loss if isinstance(loss, str) else getattr(loss, "name", ""))
        if row is not None:
            item.add_marker(same_worker(row))


@pytest.fixture(scope="session")
def _caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders for caches, of which few are ever made: a folder for each of the thousands of tests would
    take seconds."""
    folder = tmp_path_factory.mktemp("caches")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def _own_cache(_caches: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("LOSSPROOF_CACHE", str(next(_caches)))
