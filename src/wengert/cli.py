"""The command ``wengert``: ``trace``, ``epsilon``, ``compare``, ``train``, ``graphs``, ``cache``,
``demo``.

A mistake gives one short message on stderr and a non-zero status, never a traceback. Layer: on top
of everything; what a subcommand needs is imported when it is called.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any

from .core.errors import DataError, WengertError

EXAMPLE = "ln(x1) + x1*x2 - sin(x2)"
VALUES = ("x1=2", "x2=5")


@dataclass(frozen=True)
class Command:
    """A subcommand: the module with its ``add_arguments(parser)`` and ``run(args) -> int``."""

    module: str
    help: str


COMMANDS = {
    "trace": Command(".cli", "the evaluation trace of a formula, its tangents and adjoints"),
    "epsilon": Command(".cli", "the error of numerical differentiation against its step"),
    "compare": Command(".compare", "hand-coded, numerical, forward and reverse mode side by side"),
    "train": Command(".train", "train a network on real handwritten digits"),
    "graphs": Command(".graphs", "the lives of a dynamic and of a static graph, phase by phase"),
    "cache": Command(".cli", "the machine code that is kept on disk: show it, clear it"),
    "demo": Command(".demo", "all of it in about two minutes: lists, comparison, training"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (default: that of the process) and give its exit status.

    0: done; 1: an error, said on stderr; 2: arguments that can't be read (argparse); 130: Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that can't show v̄ shows a question mark
            stream.reconfigure(errors="replace")
    try:
        args = parsed(arguments)
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # `wengert trace … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except (WengertError, OSError) as error:
        print(f"wengert: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("wengert: interrupted", file=sys.stderr)
        return 130


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments; values of variables may stand behind options, where argparse has none left."""
    parser = parser_for(arguments)
    args, rest = parser.parse_known_args(arguments)
    if rest and hasattr(args, "values") and all("=" in word and word[0] != "-" for word in rest):
        args.values = [*args.values, *rest]
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return args


def parser_for(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the subcommand that ``arguments`` name is loaded."""
    version = sys.modules[__package__].__version__  # the package is above all layers
    parser = argparse.ArgumentParser(
        prog="wengert", description="Plain NumPy in, exact derivatives out, every step visible."
    )
    parser.add_argument("--version", action="version", version=f"wengert {version}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = next((word for word in arguments if not word.startswith("-")), "")
    for name, command in COMMANDS.items():
        sub = subparsers.add_parser(name, help=command.help, description=f"{command.help}.")
        if name != wanted:
            continue
        if command.module == ".cli":
            ARGUMENTS[name](sub)
            sub.set_defaults(run=RUN[name])
        else:
            module = importlib.import_module(command.module, __package__)
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


def _add_formula(parser: argparse.ArgumentParser) -> None:
    """The formula and the values of its variables."""
    parser.add_argument(
        "expression",
        nargs="?",
        default=EXAMPLE,
        help=f'the formula, in quotes; default: "{EXAMPLE}"',
    )
    parser.add_argument(
        "values", nargs="*", help="values of its variables: x1=2, x2=pi/2, w=1,2,3 for an array"
    )


def _formula(args: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The formula as a function that has its text as name and its variables as parameters."""
    from .explain.expression import parse, parse_assignments

    given = args.values or (VALUES if args.expression == EXAMPLE else ())
    values = parse_assignments(given)
    formula = parse(args.expression, list(values))

    def function(*arguments: Any) -> Any:
        return formula.function(*arguments)

    function.__name__ = formula.text.strip()
    kind = Parameter.POSITIONAL_OR_KEYWORD
    parameters = [Parameter(name, kind) for name in formula.variables]
    function.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return function, {name: values[name] for name in formula.variables}


# --- trace ---------------------------------------------------------------------------------------


def _trace_arguments(parser: argparse.ArgumentParser) -> None:
    _add_formula(parser)
    parser.add_argument(
        "--seed", metavar="NAME", help="the variable of the tangent list; default: the first one"
    )
    parser.add_argument(
        "--order",
        choices=("level", "executed"),
        default="level",
        help="number the values by level, or in order of execution",
    )
    parser.add_argument("--chain", action="store_true", help="local Jacobians and their product")
    parser.add_argument(
        "--draw",
        metavar="PATH",
        help="the graph: .png, .svg, .pdf, .dot or .txt; - prints it as text",
    )


def _trace(args: argparse.Namespace) -> int:
    import numpy as np

    from .explain.expression import ExpressionError
    from .explain.trace import trace

    function, values = _formula(args)
    with np.errstate(all="ignore"):
        traced = trace(function, args.order)(*values.values())
    if np.shape(traced.result) != ():
        shape = np.shape(traced.result)
        raise ExpressionError(
            f"the result has shape {shape}, expected one number: write sum(…)", args.expression
        )
    seed = args.seed if args.seed is not None else traced.inputs[0]
    lists = [traced.forward()]
    strange = [line for line in lists[0] if not np.all(np.isfinite(line.value))]
    if not strange:
        lists += [traced.tangent(seed), traced.adjoint()]
    print("\n\n".join(map(str, lists)))
    if strange:
        first = strange[0]
        raise DataError(
            f"{first.name} = {first.text} is the first value that is not finite: the formula "
            "has no derivative here"
        )
    _print_gradient(traced, lists[2])
    if args.chain:
        print(f"\n{traced.chain(seed)}")
    if args.draw == "-":
        print(f"\n{traced.draw(partials=True)}")
    elif args.draw is not None:
        print(f"\nThe graph is in {traced.draw(args.draw, partials=True)}")
    return 0


def _print_gradient(traced: Any, adjoints: Any) -> None:
    """``y = 11.652,  ∂y/∂x1 = 5.5,  ∂y/∂x2 = 1.716``."""
    from .explain.notation import value_text

    parts = [f"y = {value_text(traced.result)}"]
    for var in traced.program.inputs:
        parts.append(f"∂y/∂{var.name} = {value_text(adjoints[traced.names[var]])}")
    print(f"\n{',  '.join(parts)}")


# --- epsilon -------------------------------------------------------------------------------------


def _epsilon_arguments(parser: argparse.ArgumentParser) -> None:
    from .differentiate.differences import METHODS

    _add_formula(parser)
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=tuple(METHODS),
        default=tuple(METHODS),
        help="the methods to compare; default: all",
    )
    parser.add_argument(
        "--every", type=int, default=4, metavar="N", help="a row for every Nth step; default: 4"
    )
    parser.add_argument(
        "--draw", default="epsilon.png", metavar="PATH", help="the picture; default: epsilon.png"
    )
    parser.add_argument("--table-only", action="store_true", help="print the table, draw nothing")


def _epsilon(args: argparse.Namespace) -> int:
    from rich.console import Console

    from .explain.epsilon import draw_epsilon, epsilon_curves, epsilon_table

    _, values = _formula(args)
    curves = epsilon_curves(args.expression, values, args.methods)
    Console(width=None if sys.stdout.isatty() else 120).print(
        epsilon_table(args.expression, values, curves, args.every)
    )
    if not args.table_only:
        path = draw_epsilon(args.draw, args.expression, values, curves)
        print(f"The picture is in {path}")
    return 0


# --- cache ---------------------------------------------------------------------------------------


def _cache_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        nargs="?",
        choices=("show", "clear"),
        default="show",
        help="show: folder, entries, size, bound; clear: remove the entries; default: show",
    )


def _cache(args: argparse.Namespace) -> int:
    from .static.llvm import cache

    if args.action == "clear":
        print(f"removed   {cache.clear()}")
    state = cache.state()
    if not state.folder:
        print("the cache is off: WENGERT_CACHE is empty or 0, or there is no home directory")
        return 0
    print(f"folder    {state.folder}{'' if state.usable else ' (cannot be used)'}")
    print(f"entries   {state.entries}")
    size, bound = state.size / cache.MEGABYTE, state.bound / cache.MEGABYTE
    print(f"size      {size:.1f} MB of at most {bound:.0f} MB")
    return 0


ARGUMENTS = {"trace": _trace_arguments, "epsilon": _epsilon_arguments, "cache": _cache_arguments}
RUN = {"trace": _trace, "epsilon": _epsilon, "cache": _cache}
