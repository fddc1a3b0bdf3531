"""A Dask cluster: results equal the local ones, and a lost worker loses nothing.

The cluster is a scheduler and two workers, processes of their own, shared by all tests of this file.
"""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from distributed import Client, KilledWorker
from torch import Tensor
from typer.testing import CliRunner

from impls.regression import mse_vectorized
from lossproof import CATALOG, adapt, cache, cli, scheduling
from lossproof.choosing import workload_of_size
from lossproof.connecting import connected
from lossproof.loss import Loss
from lossproof.measure import FORWARD
from lossproof.scheduling import Cluster, choices_by_kind
from lossproof.tasks import Lost, describe, difference, files
from lossproof.verdict import Verdict
from lossproof.verdicts import foreign_modules, silent, verdicts_on
from lossproof.workers import Limits

pytestmark = pytest.mark.xdist_group("scheduling")

HOLD = "LOSSPROOF_TEST_HOLD"
"""Where ``held`` says that it is called, and the file that it waits to be gone."""
HOUSE = Path(__file__).parent.parent


def crashes(*arguments: Tensor, **options: Any) -> Tensor:
    ctypes.string_at(0)
    return mse_vectorized(*arguments, **options)


def held(*arguments: Tensor, **options: Any) -> Tensor:
    while os.path.exists(os.environ[HOLD]):
        time.sleep(0.05)
    return mse_vectorized(*arguments, **options)


class LocalCluster:
    """Processes of Dask, each with a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file, self.hold = folder, folder / "scheduler.json", folder / "hold"
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.scheduler = self._start("scheduler", "--port", "0", "--dashboard-address", ":0")
        _wait_until(self.file.exists)
        self.address = json.loads(self.file.read_text(encoding="utf-8"))["address"]
        self.add("first")
        self.add("second")

    def _start(self, what: str, *options: str, house: Path = HOUSE) -> "subprocess.Popen[bytes]":
        paths = (str(house), str(HOUSE / "tests"))
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "LOSSPROOF_CACHE": str(self.folder / f"cache of {options[1]}"),
            HOLD: str(self.hold),
        }
        command = [sys.executable, "-m", "dask", what, "--scheduler-file", str(self.file), *options]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=house)

    def add(self, name: str, *options: str, house: Path = HOUSE) -> None:
        """A worker that may time, unless it is given other options."""
        options = options or ("--no-nanny", "--resources", "timing=1")
        some = ("--name", name, "--nthreads", "1", "--no-dashboard", *options)
        self.workers[name] = self._start("worker", *some, house=house)

    def kill(self, name: str) -> None:
        """As a machine that is switched off: without a word, and what runs in it as well."""
        process = self.workers.pop(name)
        process.kill()
        process.wait()

    def is_busy(self) -> bool:
        """Whether a worker has a process that works, beside multiprocessing's tracker of resources."""
        started = [c for p in self.workers.values() for c in psutil.Process(p.pid).children()]
        return any(map(_works, started))

    def close(self) -> None:
        for name in list(self.workers):
            self.kill(name)
        self.scheduler.kill()
        self.scheduler.wait()


def _works(process: psutil.Process) -> bool:
    try:
        return "resource_tracker" not in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # or a zombie
        return False


def _wait_until(reached: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "this took too long"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    cluster = LocalCluster(tmp_path_factory.mktemp("dask"))
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(local: LocalCluster) -> Iterator[Cluster]:
    """With both workers."""
    with Client(local.address) as client:
        client.wait_for_workers(2, timeout=120)
    with connected(local.address, "cpu", timing=True) as cluster:
        yield cluster


def _verdicts(asked: list[tuple[Loss, str]], **options: Any) -> dict[tuple[str, str], Verdict]:
    return dict(verdicts_on(asked, "cpu", ["float32"], 5, **options))


def _mse(**variants: Any) -> Loss:
    return replace(CATALOG["mse"], variants=variants)


def _names(client: Client) -> dict[str, str]:
    """The workers' names, by address."""
    return {a: w["name"] for a, w in client.scheduler_info()["workers"].items()}


def test_verdicts_equal_the_local_ones_and_are_kept(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beside one that ends its process, which is an error, not a lost worker."""
    mse, giou = _mse(vectorized=mse_vectorized), CATALOG["giou"]
    asked = [(mse, "published_broadcast"), (giou, "vectorized")]
    row, heard = _mse(crashes=crashes), []
    before = _names(cluster.client)

    def report(what: str, done: int, total: int) -> None:
        heard.append((what, total))

    there = _verdicts([(row, "crashes"), *asked], cluster=cluster, report=report)
    assert _names(cluster.client) == before
    crash = there.pop(("mse", "crashes"))
    assert crash.outcome == "error"
    assert crash.findings[0].reason == "the process died: SIGSEGV, under the law value"
    assert {"verify giou vectorized", "verify mse crashes"} <= {what for what, _ in heard}
    assert max(total for _, total in heard) > 1  # while it was under way
    assert [verdict.outcome for verdict in there.values()].count("correct") == 1

    monkeypatch.setattr(cluster.client, "submit", _must_not_run)
    assert cache.plain(_verdicts(asked, cluster=cluster)) == cache.plain(there)
    with pytest.raises(AssertionError, match="should have come"):
        _verdicts([(row, "crashes")], cluster=cluster)
    monkeypatch.setenv("LOSSPROOF_CACHE", str(tmp_path))
    assert cache.plain(_verdicts(asked, jobs=1)) == cache.plain(there)


def _must_not_run(*_: object, **__: object) -> None:
    raise AssertionError("this should have come from the cache")


def test_a_table_for_each_kind_of_device(
    local: LocalCluster, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verified and timed on its own workers. That the two are of different kinds is made up here."""
    monkeypatch.setattr(scheduling, "verdicts_on", partial(verdicts_on, examples=5))
    names = _names(cluster.client)
    workers = {
        address: replace(worker, environment={**worker.environment, "device": names[address]})
        for address, worker in cluster.workers.items()
    }
    made_up = replace(cluster, workers=workers)
    assert [kind.kind for kind in made_up.kinds()] == ["first", "second"]
    loss = _mse(vectorized=mse_vectorized)
    work = [(loss, workload_of_size(loss, 1_000))]
    asked = [(loss, "vectorized")]
    choices = list(choices_by_kind(made_up, asked, work, "float32", 1, Limits(), silent))
    assert [choice.variant for choice in choices] == ["vectorized", "vectorized"]
    for name in names.values():
        assert len(list((local.folder / f"cache of {name}" / "choices").glob("*.json"))) == 1
    assert len({choice.table[0].timings[FORWARD] for choice in choices}) == 2

    monkeypatch.setattr(cluster.client, "submit", _must_not_run)
    (again,) = choices_by_kind(cluster, asked, work, "float32", 1, Limits(), silent)
    assert cache.plain(again) in cache.plain(choices)


def test_a_process_that_times_may_die(cluster: Cluster) -> None:
    """Its worker lives, and the other tables come."""
    (kind,), row = cluster.kinds(), _mse(crashes=crashes)
    right = Verdict("mse", "cpu", "correct", (), {"float32": 1.0}, {"float32": 0.5})
    work = [(row, workload_of_size(row, 1_000))]
    with pytest.warns(UserWarning, match=r"no table of mse on .*: the process died: SIGSEGV"):
        assert list(kind.choices(work, {("mse", "crashes"): right}, "float32", 1, silent)) == []
    assert len(cluster.client.scheduler_info()["workers"]) == 2


def test_a_killed_worker_loses_nothing(local: LocalCluster, cluster: Cluster) -> None:
    """Killed while it runs one of them, after another has come in."""
    local.hold.touch()
    row = _mse(held=held, vectorized=mse_vectorized)
    asked, found = [(row, name) for name in row.variants], {}
    for (_, name), verdict in verdicts_on(asked, "cpu", ["float32"], 5, cluster=cluster):
        found[name] = verdict.outcome
        if len(found) == 1:
            running, names = cluster.client.processing(), _names(cluster.client)
            (victim,) = (names[address] for address, keys in running.items() if keys)
            local.kill(victim)
            _wait_until(lambda: len(cluster.client.scheduler_info()["workers"]) == 1)
            local.hold.unlink()
            local.add(victim)
    assert found == {"vectorized": "correct", "held": "correct"}


def test_what_nobody_waits_for_is_ended(
    local: LocalCluster, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by Ctrl-C: what came is kept, and the workers are free again at once."""
    local.hold.touch()
    row = _mse(held=held, vectorized=mse_vectorized)
    coming = verdicts_on([(row, name) for name in row.variants], "cpu", ["float32"], 5, cluster=cluster)
    assert next(coming)[0] == ("mse", "vectorized")
    assert local.is_busy()
    coming.close()
    _wait_until(lambda: not local.is_busy())
    local.hold.unlink()
    monkeypatch.setattr(cluster.client, "submit", _must_not_run)
    assert _verdicts([(row, "vectorized")], cluster=cluster)["mse", "vectorized"].outcome == "correct"


def test_a_task_that_loses_one_worker_after_another_is_an_error(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Dask says when it gives up; it is tried again next time."""
    lost = SimpleNamespace(result=partial(_raise, KilledWorker("a task", None, 3)))
    monkeypatch.setattr(Cluster, "_run", lambda self, function, calls, *_: [(calls[0].key, lost)])
    for _ in range(2):
        verdict = _verdicts([(CATALOG["mse"], "vectorized")], cluster=cluster)["mse", "vectorized"]
        assert verdict.outcome == "error"
        assert verdict.findings[0].reason == "4 Dask workers in turn were lost while they ran it"


def _raise(error: Exception) -> None:
    raise error


def test_a_cluster_without_workers_is_given_up(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "ALONE_SECONDS", 0)
    (worker, _) = cluster.workers.values()
    gone = replace(cluster, workers={"tcp://127.0.0.1:1": worker}, kind="a GPU")
    with pytest.raises(Lost, match=r"no worker is left at tcp://.* for a GPU"):
        _verdicts([(CATALOG["mse"], "vectorized")], cluster=gone)


def test_files_of_ones_own_are_compared_by_what_they_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for folder, text in (("a", "x = 1"), ("b", "x = 1"), ("c", "x = 2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "their_losses.py").write_text(text, encoding="utf-8")
        with monkeypatch.context() as here:
            here.syspath_prepend(tmp_path / folder)
            found.append(files(["their_losses"]))
    assert found[0] == found[1]
    assert difference(found[2], found[0]).startswith("files of their_losses is ")
    assert difference(files(["their_losses"]), found[0]).startswith(
        "files of their_losses is none, here"
    )
    assert foreign_modules(
        ["impls.boxes:giou_naive", "mine.losses:giou", adapt("torch:dist", "mse")]
    ) == [
        "mine",
        "torch",
    ]


def _invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, arguments)
    return result.exit_code, result.output


def test_a_worker_with_another_source_is_refused(
    local: LocalCluster, cluster: Cluster, tmp_path: Path
) -> None:
    for package in cache.PACKAGES:
        shutil.copytree(HOUSE / package, tmp_path / package)
    with (tmp_path / "impls" / "regression.py").open("a", encoding="utf-8") as file:
        file.write("# a change\n")
    local.add("changed", house=tmp_path)
    cluster.client.wait_for_workers(3, timeout=120)
    (address,) = (a for a, name in _names(cluster.client).items() if name == "changed")
    try:
        code, output = _invoke("verify", "mse", "--scheduler", local.address)
        assert (code, f"worker {address}: source is " in output) == (2, True), output
        known = next(iter(cluster.workers.values()))
        came_late = replace(cluster, workers={address: known}, kind="a kind")
        with pytest.raises(Lost, match="source is "):
            _verdicts([(CATALOG["mse"], "vectorized")], cluster=came_late)
    finally:
        local.kill("changed")


def test_a_worker_that_may_not_start_processes_is_refused(
    local: LocalCluster, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those under a nanny, which are daemonic."""
    daemonic = {**describe("cpu"), "daemonic": True}
    monkeypatch.setattr(Client, "run", lambda *_, **__: {"tcp://other:1": daemonic})
    few = ("--variant", "vectorized", "--dtype", "float32", "--examples", "1")
    code, output = _invoke("verify", "mse", *few, "--scheduler", local.address)
    assert (code, "worker tcp://other:1: it may not start" in output) == (2, True), output


def test_a_missing_resource_is_named(local: LocalCluster, cluster: Cluster) -> None:
    code, output = _invoke("verify", "mse", "--device", "cuda", "--scheduler", local.address)
    assert code == 2
    assert f"no worker has cuda=1 at {local.address}; start one: python -m dask worker" in output
    assert '--resources "cuda=1"' in output


def test_no_scheduler_is_told_soon() -> None:
    started = time.monotonic()
    code, output = _invoke("verify", "mse", "--scheduler", "tcp://127.0.0.1:1")
    assert time.monotonic() - started < 10
    assert (code, "--scheduler: no Dask scheduler at tcp://127.0.0.1:1" in output) == (2, True)


def test_the_number_of_processes_is_the_workers_own() -> None:
    code, output = _invoke("verify", "mse", "--jobs", "2", "--scheduler", "tcp://127.0.0.1:1")
    assert (code, "--jobs: with --scheduler" in output) == (2, True)


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lossproof.asked.find_spec", lambda name: None)
    code, output = _invoke("choose", "mse", "--scheduler", "tcp://127.0.0.1:1")
    assert (code, 'pip install "lossproof[dask]"' in output) == (2, True)
