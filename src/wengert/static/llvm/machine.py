"""LLVM's side: one target machine for this processor, modules optimised and loaded, kept by text.

The text of a kernel holds no address, so equal kernels are compiled once in a process; those of one
program are compiled together, which costs less than one by one. Layer: ``static``.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Sequence
from functools import cache
from typing import Any

import llvmlite.binding as llvm

NAME = "wengert_kernel"  # what a kernel's functions are called in its text
LOCK = threading.Lock()


class Code:
    """Machine code: the addresses of the functions of one module, valid as long as it lives."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def address(self, name: str) -> int:
        """Where a function starts."""
        return int(self.engine.get_function_address(name))


KNOWN: weakref.WeakValueDictionary[str, Code] = weakref.WeakValueDictionary()  # by kernel


@cache
def _initialised() -> bool:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return True


def target_machine() -> Any:
    """A machine for this processor, with vectors as wide as it has them."""
    _initialised()
    features = llvm.get_host_cpu_features()
    text = features.flatten()
    if features.get("avx512f"):
        text += ",-prefer-256-bit"
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=text, opt=3, jit=True
    )


def compiled(texts: Sequence[str]) -> list[tuple[Code, int]]:
    """The code of each kernel, and where its entry is. New ones are compiled in one module."""
    names = [f"k{hashlib.sha256(text.encode()).hexdigest()[:24]}" for text in texts]
    with LOCK:
        # held here, so that none is dropped before it is handed out
        found = {name: code for name in names if (code := KNOWN.get(name)) is not None}
        new = {
            name: text.replace(NAME, name)
            for name, text in zip(names, texts, strict=True)
            if name not in found
        }
        if new:
            code = _compile(list(new.values()))
            found.update(dict.fromkeys(new, code))
            KNOWN.update(dict.fromkeys(new, code))
    return [(found[name], found[name].address(f"{name}_entry")) for name in names]


def library(text: str) -> Code:
    """The code of a module as it stands."""
    with LOCK:
        return _compile([text])


def _compile(texts: Sequence[str]) -> Code:
    machine = target_machine()
    header = f'target triple = "{machine.triple}"\ntarget datalayout = "{machine.target_data}"\n'
    module = llvm.parse_assembly(header)
    for text in texts:
        module.link_in(llvm.parse_assembly(header + text))
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return Code(engine)
