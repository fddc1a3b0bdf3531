"""A person's own batch as a workload: ``--inputs FILE``."""

import hashlib
import pickle
import zipfile
from collections.abc import Mapping
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lossproof.lookup import suggestion
from lossproof.loss import Loss
from properties.case import Case, Workload


def load_workload(loss: Loss, file: str | Path) -> Workload:
    """A workload from a ``.npz`` of arrays or a ``.pt`` of tensors, named as the loss's signature.

    Options that the file leaves out have their defaults; a network is that of the first workload.

    Raises:
        ValueError: the file is missing or can't be read, an argument is missing or unknown, or the
            values lie outside the loss's domain. The message names the argument.
    """
    path = Path(file)
    values = _complete(loss, _read(path), path)
    case = Case(values)
    try:
        loss.exact(case)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path.name}: {error}") from error
    first = loss.arguments_of(case)[0].name
    if case[first].ndim == 0 or case[first].size == 0:
        raise ValueError(
            f"{path.name}: {first}: expected at least one item, got shape {case[first].shape}"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rows = len(case[first])
    return Workload(path.name, "your file", rows, lambda random, count: case, fingerprint=digest)


def _read(path: Path) -> dict[str, Any]:
    if path.suffix not in (".npz", ".pt"):
        raise ValueError(f"inputs: expected a .npz or .pt file, got {path.name!r}")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        loaded = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError:
        raise ValueError(f"inputs: no file {path}") from None
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"inputs: can't read {path}: {reason}") from error
    if not isinstance(loaded, Mapping):
        raise ValueError(f"inputs: expected a dict of tensors in {path}, got {type(loaded).__name__}")
    return {str(name): _as_array(value) for name, value in loaded.items()}


def _as_array(value: Any) -> Any:
    """A tensor as an array; half types become float32, which holds them."""
    if not isinstance(value, torch.Tensor):
        return value
    value = value.detach()
    return (value.float() if value.dtype in (torch.bfloat16, torch.float16) else value).numpy()


def _complete(loss: Loss, given: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """All arguments by the signature's order: arrays for tensors, plain values for options."""
    not_in_files = {"reduction", *loss.torch_options}
    parameters = {n: p for n, p in signature(loss.oracle).parameters.items() if n not in not_in_files}
    for name in given:
        if name not in parameters:
            raise ValueError(
                f"{path.name}: {name}: not an argument of {loss.name}{suggestion(name, parameters)}"
            )
    tensors = {argument.name for argument in loss.known_arguments(Case({"activation": "none"}))}
    values: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if name in given:
            values[name] = _value(name, given[name], name in tensors, path)
        elif parameter.default is Parameter.empty:
            raise ValueError(
                f"{path.name}: {name}: expected in the file, which holds {', '.join(given)}"
            )
        else:
            values[name] = parameter.default
    for name in loss.torch_options:
        values[name] = loss.workloads[0].make(np.random.default_rng(0), 1)[name]
    return values


def _value(name: str, value: Any, is_tensor: bool, path: Path) -> Any:
    """A float64 or int64 array, or a plain option."""
    if value is None:
        return None
    array = np.asarray(value)
    if is_tensor:
        if array.dtype.kind not in "fiu":
            raise ValueError(f"{path.name}: {name}: expected numbers, got {array.dtype}")
        return array.astype(np.int64 if array.dtype.kind in "iu" else np.float64)
    if array.size != 1:
        raise ValueError(f"{path.name}: {name}: expected a single value, got shape {array.shape}")
    return array.reshape(()).item()
