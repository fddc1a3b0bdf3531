"""Counterexamples as programs: a finding that runs by itself."""

import inspect
import re
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

from lossproof.adapting import Adapted
from lossproof.layout import WIDTH, laid_out
from lossproof.trial import Call, Died, Raised, TorchTrial, tracked
from properties.case import Array
from properties.trial import BUDGETS, Broken

MODULES = ("os", "random", "sys", "tempfile")
"""What an assertion may need, beside NumPy."""

WRITTEN = 1000
"""So many numbers are always written down."""

LAYOUT_CODE = {
    "contiguous": "{}",
    "strided": "torch.stack([{0}, {0}], -1)[..., 0]",
    "transposed": "{}.transpose(0, -1).contiguous().transpose(0, -1)",
    "expanded": "(whole := {})[:1].expand_as(whole)",
}
CHANNELS_LAST_CODE = {
    4: ".to(memory_format=torch.channels_last)",
    5: ".to(memory_format=torch.channels_last_3d)",
}


def program(trial: TorchTrial, law: str, statement: str, failure: Broken | Raised) -> str:
    """A program that repeats the calls of a broken law and fails as it did."""
    lines = _calls(trial, failure) + (_judgement(failure) if isinstance(failure, Broken) else [])
    body = "\n".join(lines)
    head = [
        f'"""{_title(trial, failure)}"""',
        "",
        *[f"import {module}" for module in MODULES if re.search(rf"(?<![\w.]){module}\.", body)],
        *(["from math import inf, nan"] if re.search(r"\b(inf|nan)\b", body) else []),
        *(["import numpy as np"] if re.search(r"\bnp\.", body) else []),
        "import torch",
        *[line for line in _definition(trial.function) if line != "import torch"],
        *[f"from {f.__module__} import {f.__name__}" for f in trial.loss.torch_options.values()],
        *(["from lossproof import CATALOG"] if "CATALOG" in body else []),
        *(["from lossproof.cases import huge"] if "huge(" in body else []),
        "",
        *textwrap.wrap(
            f"The law {law}: {statement}", WIDTH, initial_indent="# ", subsequent_indent="# "
        ),
    ]
    return "\n".join([*laid_out("\n".join(head).splitlines(), lines), ""])


def _title(trial: TorchTrial, failure: Exception) -> str:
    """What is wrong, in a line that may stand between three quotes."""
    reason = (str(failure).splitlines() or [""])[0].replace("\\", "\\\\").replace('"', "'")
    return textwrap.shorten(f"{trial.loss.name} on {trial.dtype}: {reason}", WIDTH - 7) + "."


def _definition(function: Callable[..., Any]) -> list[str]:
    """How a program gets at the function: by import, else by its source."""
    if isinstance(function, Adapted) and isinstance(function.target, str):
        return ["from lossproof import adapt", "", f"function = {function.code()}"]
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    found = getattr(sys.modules.get(module), name, None)
    if found is function and module != "__main__":
        return [f"from {module} import {name} as function"]
    try:
        source = textwrap.dedent(inspect.getsource(function)).rstrip()
    except (OSError, TypeError):
        return [f"function = ...  # {function!r}, which has no source to show"]
    alias = [] if name == "function" else [f"function = {getattr(function, '__name__', name)}"]
    return [*_imports(function, source), "", source, "", *alias]


def _imports(function: Callable[..., Any], source: str) -> list[str]:
    """Imports of the modules and functions that a source speaks of."""
    known = getattr(function, "__globals__", {})
    lines = set()
    for name in set(re.findall(r"\w+", source)) & known.keys():
        value = known[name]
        if inspect.ismodule(value):
            lines.add(
                f"import {value.__name__} as {name}" if value.__name__ != name else f"import {name}"
            )
        elif hasattr(sys.modules.get(getattr(value, "__module__", None) or ""), name):
            lines.add(f"from {value.__module__} import {name}")
    return sorted(lines)


def _calls(trial: TorchTrial, failure: Broken | Raised) -> list[str]:
    """The calls that the failure speaks of; all of them where an earlier one matters."""
    numbered = list(enumerate(trial.calls, 1))
    mentioned = ""
    if isinstance(failure, Broken):
        mentioned = f"{failure.got.expression} {failure.wanted.expression} {failure.assertion}"
    spoken = {int(n) for n in re.findall(r"(?:result|value|gradient)_(\d+)", mentioned)}
    if "second call" not in str(failure):
        numbered = [pair for pair in numbered if pair[0] in spoken] or numbered[-1:]
    lines: list[str] = []
    previous: dict[str, str] = {}
    if "backward" in str(failure) or isinstance(failure, Died):
        mentioned += f" {_gradients(trial, *numbered[-1])}"
    second = isinstance(failure, Raised) and str(failure).startswith("second derivative")
    mentioned += " items_of" * second
    for number, call in numbered:
        inputs = _inputs(trial, call)
        changed = {name: code for name, code in inputs.items() if previous.get(name) != code}
        lines += [f"{name} = {code}" for name, code in changed.items()]
        previous = {**previous, **inputs}
        setup = [failure.setup] if isinstance(failure, Broken) and failure.setup else []
        lines += setup + _call(trial, number, call, mentioned)
    names = ", ".join(tracked(trial.arguments, "all"))
    return lines + [f"torch.autograd.gradgradcheck(items_of, ({names},), fast_mode=True)"] * second


def _gradients(trial: TorchTrial, number: int, call: Call) -> str:
    """The names of all gradients of a call."""
    names = tracked(trial.loss.arguments_of(call.case), call.track)
    return " ".join(f"gradient_{number}_{name}" for name in names)


def _inputs(trial: TorchTrial, call: Call) -> dict[str, str]:
    """Code of each tensor that a call is given."""
    codes = {}
    wanted = tracked(trial.loss.arguments_of(call.case), call.track)
    for argument in trial.loss.arguments_of(call.case):
        array = call.case[argument.name]
        dtype = "int64" if array.dtype.kind == "i" else trial.dtype
        device = "" if trial.device == "cpu" else f', device="{trial.device}"'
        code = f"torch.tensor({_numbers(array)}, dtype=torch.{dtype}{device})"
        if call.case.code and array.size > WRITTEN:
            code = f'torch.tensor({call.case.code}["{argument.name}"], dtype=torch.{dtype}{device})'
        if array.size == 0:
            code = f"torch.zeros({tuple(array.shape)}, dtype=torch.{dtype}{device})"
        if call.layout == "channels_last":
            code += CHANNELS_LAST_CODE.get(array.ndim, "")
        elif array.ndim and (argument.batched or call.layout != "expanded"):
            code = LAYOUT_CODE[call.layout].format(code)
        codes[argument.name] = code + (".requires_grad_()" if argument.name in wanted else "")
    return codes


def _call(trial: TorchTrial, number: int, call: Call, mentioned: str) -> list[str]:
    """Code of one call, and of what the judgement needs of it."""
    tensors = {argument.name: argument.name for argument in trial.loss.arguments_of(call.case)}
    values = {name: tensors.get(name, repr(value)) for name, value in call.case.values.items()}
    for name in trial.loss.torch_options:
        values[name] += f".to({next(iter(tensors))})"
    positional, options = trial.loss.split(call.case, values)
    arguments = [_listed(code) for code in positional]
    arguments += [f"{name}={code}" for name, code in options.items()]
    result = f"result_{number}"
    lines = [f"{name}_before = {name}.clone()" for name in tensors if f"{name}_before" in mentioned]
    code = f'{result} = function({", ".join(arguments)}, reduction="{call.reduction}")'
    if call.autocast:
        kind = trial.device.partition(":")[0]
        lines += [f'with torch.autocast("{kind}", torch.bfloat16):']
    gradients = _gradient_lines(trial, number, call, mentioned) if call.backward else []
    spoken = re.search(rf"\b{result}\b", " ".join([mentioned, *gradients]))
    only_value = f"value_{number}" in mentioned and not spoken
    if only_value:
        code = code.replace(result, f"value_{number}", 1) + ".detach().double()"
    lines += [f"    {code}" if call.autocast else code]
    if "items_of" in mentioned:
        names = ", ".join(tracked(trial.loss.arguments_of(call.case), call.track))
        lines += [f"items_of = lambda {names}: {code.partition(' = ')[2]}"]
    if f"value_{number}" in mentioned and not only_value:
        lines.append(f"value_{number} = {result}.detach().double()")
    return lines + gradients


def _gradient_lines(trial: TorchTrial, number: int, call: Call, mentioned: str) -> list[str]:
    """Code of the gradients that are mentioned."""
    wanted = tracked(trial.loss.arguments_of(call.case), call.track)
    names = [name for name in wanted if f"gradient_{number}_{name}" in mentioned]
    if not names:
        return []
    result, lines = f"result_{number}", []
    flow = f"torch.ones_like({result})"
    if call.reduction == "none":
        flow = f"torch.tensor({_numbers(trial.upstream(call.case))}).to({result})"
    if len(flow) > WIDTH // 4:
        lines, flow = [f"flow_{number} = {flow}"], f"flow_{number}"
    for name in names:
        graph = f"{result}, {name}, {flow}, retain_graph=True"
        lines.append(f"gradient_{number}_{name} = torch.autograd.grad({graph})[0].double()")
    return lines


def _listed(code: str | list[str]) -> str:
    """The code of an argument, which may be a list of tensors."""
    return code if isinstance(code, str) else f"[{', '.join(code)}]"


def _judgement(failure: Broken) -> list[str]:
    """Code that compares both sides and fails."""
    if failure.assertion == "not 'an exception'":
        return ['raise AssertionError("the call should have been refused")']
    if failure.assertion:
        return [_assertion(failure.assertion, failure.reason)]
    got, wanted = failure.got, failure.wanted
    allowed = BUDGETS * (got.budget + wanted.budget) + got.rounding + wanted.rounding
    allowed = np.where(got.overflow | wanted.overflow, np.inf, allowed)
    error = {"==": "(got - wanted).abs()", "<=": "got - wanted", ">=": "wanted - got"}
    note = f"  # {wanted.meaning}" if wanted.meaning else ""
    return [
        f"got = {_as_tensor(got.expression)}",
        f"wanted = {_as_tensor(wanted.expression)}{note}",
        f"allowed = torch.tensor({_numbers(_one_if_same(allowed))}, dtype=torch.float64)",
        'print("got", got, "wanted", wanted, "allowed error", allowed, sep="\\n")',
        f"error = torch.where(got == wanted, 0.0, {error[failure.relation]})",
        _assertion("(error <= allowed).all()", failure.reason),
    ]


def _as_tensor(expression: str) -> str:
    """Code of a tensor in double precision; a literal is one already."""
    literal = re.fullmatch(r"torch\.tensor\([^()]*, dtype=torch\.float64\)", expression)
    return expression if literal else f"torch.as_tensor({expression}, dtype=torch.float64)"


def _assertion(condition: str, reason: str) -> str:
    """With the reason where it fits; the program begins with it anyway."""
    line = f"assert {condition}, {reason!r}"
    return line if len(line) <= WIDTH else f"assert {condition}"


def _one_if_same(array: Array) -> Array:
    return array.reshape(-1)[0] if array.size and (array == array.reshape(-1)[0]).all() else array


def _numbers(array: Array) -> str:
    return repr(np.asarray(array).tolist())
