"""Connecting to a Dask cluster: only to workers that are like this machine, or the reason why not."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from distributed import Client
from distributed.comm.core import connect

from lossproof.scheduling import TIMING, Cluster, Worker, needed, workers_with
from lossproof.tasks import describe, difference, refusal, versions

REACH_SECONDS = 5.0


@contextmanager
def connected(address: str, device: str, *, timing: bool = False) -> Iterator[Cluster]:
    """A cluster whose workers have the device, and were asked whether they are like this machine.

    Args:
        address: of Dask's scheduler, as it prints it: tcp://host:port.
        device: what tasks will run on; the workers of an accelerator have its kind as a resource.
        timing: whether workers of each kind must have the resource ``timing`` as well.

    Raises:
        ValueError: there is no scheduler, no such worker, or one that may not be used.
    """
    try:
        asyncio.run(_reach(address))
    except (OSError, ValueError) as error:
        raise ValueError(f"--scheduler: no Dask scheduler at {address}: {error}") from None
    with Client(address) as client:
        cluster = Cluster(client, address, device, _asked(client, address, device))
        resources = {**needed(device), **TIMING}
        for kind in cluster.kinds() if timing else ():
            if not kind.workers.keys() & workers_with(client, resources).keys():
                raise ValueError(_lacking(address, resources, f" with {kind.kind}"))
        yield cluster


async def _reach(address: str) -> None:
    """Before a client is made, which would go on trying in the background."""
    comm = await connect(address, timeout=REACH_SECONDS)
    await comm.close()


def _asked(client: Client, address: str, device: str) -> dict[str, Worker]:
    present = workers_with(client, needed(device))
    if not present:
        raise ValueError(_lacking(address, needed(device)))
    answers = client.run(describe, device, workers=list(present), on_error="return")
    found = {}
    for worker, answer in answers.items():
        if isinstance(answer, BaseException):
            raise ValueError(refusal(worker, f"it can't do what is asked: {answer}"))
        if differs := difference(answer["versions"], versions()):
            raise ValueError(refusal(worker, f"{differs}; update it, and start it again"))
        if answer["daemonic"]:
            raise ValueError(refusal(worker, "it may not start processes; start it with --no-nanny"))
        found[worker] = Worker(answer["environment"], answer["threads"])
    return found


def _lacking(address: str, resources: Mapping[str, int], which: str = "") -> str:
    names = " ".join(f"{name}={amount}" for name, amount in resources.items())
    has, option = (f" has {names}", f' --resources "{names}"') if names else (" is there", "")
    start = f"python -m dask worker {address} --no-nanny{option}"
    return f"--scheduler: no worker{which}{has} at {address}; start one: {start}"
