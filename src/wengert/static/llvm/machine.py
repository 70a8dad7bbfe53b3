"""LLVM's side: one target machine for this processor, modules optimised and loaded.

The text of a kernel holds no address, so equal kernels are compiled once: in a process they are
known by their text, and their object code is kept on disk (``cache.py``). Each text is a module of
its own, so that what it becomes depends on nothing else; all new ones of a program are loaded
together, which costs some 0.05 ms each. Layer: ``static``.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from .cache import kept, key_of, load

NAME = "wengert_kernel"  # what a kernel's functions are called in its text
LOCK = threading.Lock()


class Code:
    """Machine code: the addresses of the functions of some modules, valid as long as it lives."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def address(self, name: str) -> int:
        """Where a function starts."""
        return int(self.engine.get_function_address(name))


KNOWN: weakref.WeakValueDictionary[str, Code] = weakref.WeakValueDictionary()  # by kernel


@cache
def _processor() -> tuple[Any, str, str]:
    """LLVM's target, the processor's name, its features: vectors as wide as it has them."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()  # for inline assembly
    features = llvm.get_host_cpu_features()
    text = features.flatten()
    if features.get("avx512f"):
        text += ",-prefer-256-bit"
    return llvm.Target.from_default_triple(), llvm.get_host_cpu_name(), text


def target_machine() -> Any:
    """A machine for this processor; what it is given to owns it."""
    target, name, features = _processor()
    return target.create_target_machine(cpu=name, features=features, opt=3, jit=True)


@cache
def _generator() -> tuple[Any, str]:
    """The machine that generates all code, and the lines that say so in a text."""
    machine = target_machine()
    return (
        machine,
        f'target triple = "{machine.triple}"\ntarget datalayout = "{machine.target_data}"\n',
    )


def compiled(texts: Sequence[str]) -> list[tuple[Code, int]]:
    """The code of each kernel, and where its entry is."""
    names = list(map(kernel_name, texts))
    with LOCK:
        # held here, so that none is dropped before it is handed out
        found = {name: code for name in names if (code := KNOWN.get(name)) is not None}
        new = {name: text for name, text in zip(names, texts, strict=True) if name not in found}
        if new:
            code = loaded([kernel_object(name, text) for name, text in new.items()])
            found.update(dict.fromkeys(new, code))
            KNOWN.update(dict.fromkeys(new, code))
    return [(found[name], found[name].address(f"{name}_entry")) for name in names]


def kernel_name(text: str) -> str:
    """What the functions of a kernel are called in its code."""
    return f"k{_digest(text)[:24]}"


def kept_kernels(names: Sequence[str]) -> list[tuple[Code, int]] | None:
    """As ``compiled``, of kernels whose code is in this process or kept; None where one is not."""
    with LOCK:
        found = {name: code for name in names if (code := KNOWN.get(name)) is not None}
        new = {name: load(key_of("kernel", name)) for name in names if name not in found}
        objects = [one for one in new.values() if one is not None]
        if len(objects) < len(new):
            return None
        if new:
            code = loaded(objects)
            found.update(dict.fromkeys(new, code))
            KNOWN.update(dict.fromkeys(new, code))
    return [(found[name], found[name].address(f"{name}_entry")) for name in names]


def library(name: str, write: Callable[[], str]) -> Code:
    """The code of a module that depends on wengert's sources only; ``write`` gives its text, which
    is not asked for where the code is kept.
    """
    with LOCK:
        made = kept(key_of("library", name), lambda: generated(write(), vectors=False))
        return loaded([made], _libraries())


@cache
def _libraries() -> Any:
    """The engine of all libraries."""
    return _engine()


def kernel_object(name: str, text: str) -> bytes:
    """The object code of a kernel whose functions are to be called ``name``."""
    return kept(key_of("kernel", name), lambda: generated(text.replace(NAME, name)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def generated(text: str, vectors: bool = True) -> bytes:
    """Have LLVM optimise a module and generate its object code, which holds no address.

    Without ``vectors`` in half the time: for loops over strides that are not known before.
    """
    machine, header = _generator()
    module = llvm.parse_assembly(header + text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3 if vectors else 2)
    options.loop_vectorization = options.slp_vectorization = vectors
    options.loop_unrolling = vectors
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    made: bytes = machine.emit_object(module)
    return made


def _engine() -> Any:
    _, header = _generator()
    return llvm.create_mcjit_compiler(llvm.parse_assembly(header), target_machine())


def loaded(objects: Iterable[bytes], engine: Any = None) -> Code:
    """Object code at its place in memory, ready to run; in an engine of its own, or a given one."""
    engine = engine or _engine()
    for one in objects:
        engine.add_object_file(llvm.ObjectFileRef.from_data(one))
    engine.finalize_object()
    return Code(engine)
