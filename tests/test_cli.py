"""The command ``wengert``: what it prints, what it says of mistakes, and its exit status."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

import wengert as wg
from wengert import cli
from wengert.core.errors import DataError

FORMULA = "ln(x1) + x1*x2 - sin(x2)"


def squeezed(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def run(capsys, *argv):
    """Status, what was printed, what was said of errors."""
    status = cli.main(argv)
    out, err = capsys.readouterr()
    return status, out, err


# --- trace ---------------------------------------------------------------------------------------


def test_trace_prints_the_three_lists(capsys):
    status, out, err = run(capsys, "trace", FORMULA, "x1=2", "x2=5")
    assert (status, err) == (0, "")
    lines = squeezed(out)
    assert lines[0] == f"evaluation trace of {FORMULA}"
    assert "v7 = v6 − v5 = y = 11.652" in lines
    assert f"tangent list of {FORMULA}, v̇ = ∂v/∂x1" in lines
    assert "v̄2 = 0.284·v̄5 + 2·v̄4 = −0.284 + 2 = 1.716" in lines
    assert "v̄1 = 5·v̄4 + 0.5·v̄3 = 5 + 0.5 = 5.5" in lines
    assert lines[-1] == "y = 11.652, ∂y/∂x1 = 5.5, ∂y/∂x2 = 1.716"
    assert run(capsys, "trace") == (status, out, err)


def test_trace_has_options(capsys, tmp_path):
    argv = ["trace", FORMULA, "--seed", "x2", "--order", "executed", "x1=2", "x2=pi/2"]
    status, out, _ = run(capsys, *argv, "--chain", "--draw", str(tmp_path / "g.svg"))
    assert status == 0
    assert "∂v/∂x2" in out
    assert "v5  = v3 + v4" in out
    assert "∂y/∂x2 = ∂v7/∂v2" in out
    assert (tmp_path / "g.svg").exists()
    assert f"The graph is in {tmp_path / 'g.svg'}" in out
    status, out, _ = run(capsys, "trace", "x*x", "x=3", "--draw", "-")
    assert status == 0
    assert "▼" in out


def test_trace_takes_arrays(capsys):
    status, out, _ = run(capsys, "trace", "sum(w*w)", "w=1,2,3")
    assert status == 0
    assert "∂y/∂w = [2, 4, 6]" in out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["trace", "lnn(x)", "x=2"], "did you mean ln?"),
        (["trace", "x*y", "x=2"], "no value for 'y'"),
        (["trace", "x", "x=two"], "'two' is not a number"),
        (["trace", "x", "y=1", "x=1"], "value given for y"),
        (["trace", "x", "x=2", "--seed", "q"], "no input 'q'; there are x"),
        (["trace", "w*2", "w=1,2"], "write sum(…)"),
        (["trace", "x", "x=2", "--draw", "here"], "has no ending"),
        (["trace", "x", "x=2", "--draw", "/dev/null/g.dot"], "can't write"),
        (["epsilon", "ln(x)", "x=-1", "--table-only"], "no finite value"),
        (["epsilon", "x+", "x=1"], "the expression ends"),
    ],
)
def test_mistakes_are_one_short_message(capsys, argv, message):
    status, _, err = run(capsys, *argv)
    assert status == 1
    assert err.startswith("wengert: error: ")
    assert message in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 3


def test_a_value_that_is_not_finite_is_named(capsys):
    status, out, err = run(capsys, "trace", "sqrt(ln(x1)) * x2", "x1=-1", "x2=2")
    assert status == 1
    assert "v3 = ln v1 is the first value that is not finite" in err
    assert "nan" in out


# --- epsilon -------------------------------------------------------------------------------------


def test_epsilon_prints_a_table_and_draws(capsys, tmp_path):
    picture = tmp_path / "e.png"
    status, out, err = run(capsys, "epsilon", "x*x*x", "x=2", "--draw", str(picture))
    assert (status, err) == (0, "")
    assert picture.read_bytes().startswith(b"\x89PNG")
    for word in ("forward", "central", "complex", "richardson", "automatic ε"):
        assert word in out


def test_epsilon_can_do_less(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    argv = ["epsilon", "--methods", "central", "--every", "40", "--table-only"]
    status, out, _ = run(capsys, *argv)
    assert status == 0
    assert "central" in out
    assert "richardson" not in out
    assert list(tmp_path.iterdir()) == []


# --- the frame -----------------------------------------------------------------------------------


def test_version_and_help(capsys):
    for argv, text in ((["--version"], f"wengert {wg.__version__}"), (["--help"], "epsilon")):
        with pytest.raises(SystemExit) as stop:
            cli.main(argv)
        assert stop.value.code == 0
        assert text in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv", [[], ["nonsense"], ["trace", "x", "--nonsense"], ["trace", "x", "--order", "random"]]
)
def test_arguments_that_cannot_be_read_end_with_two(capsys, argv):
    with pytest.raises(SystemExit) as stop:
        cli.main(argv)
    assert stop.value.code == 2
    assert "usage: wengert" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (DataError("a file is broken"), 1, "wengert: error: a file is broken"),
        (FileNotFoundError(2, "No such file", "x.csv"), 1, "x.csv"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_become_a_status(capsys, monkeypatch, error, status, message):
    def fail(args):
        raise error

    monkeypatch.setitem(cli.RUN, "trace", fail)
    assert cli.main(["trace"]) == status
    assert message in capsys.readouterr().err


def test_bugs_are_not_hidden(monkeypatch):
    monkeypatch.setitem(cli.RUN, "trace", lambda args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["trace"])


def test_a_subcommand_is_a_module_with_two_functions(capsys, monkeypatch):
    module = SimpleNamespace(
        add_arguments=lambda parser: parser.add_argument("--n", type=int),
        run=lambda args: args.n,
    )
    monkeypatch.setattr(cli.importlib, "import_module", lambda name, package: module)
    monkeypatch.setitem(cli.COMMANDS, "other", cli.Command(".other", "something else"))
    assert cli.main(["other", "--n", "3"]) == 3


def test_the_process_has_the_same_status_and_no_traceback():
    def process(*argv):
        return subprocess.run(
            [sys.executable, "-m", "wengert", *argv], capture_output=True, text=True, check=False
        )

    good = process("trace", FORMULA, "x1=2", "x2=5")
    assert good.returncode == 0
    assert "11.652" in good.stdout
    bad = process("trace", "1 +", "x=1")
    assert bad.returncode == 1
    assert bad.stdout == ""
    assert bad.stderr.startswith("wengert: error: ")
    assert "Traceback" not in bad.stderr


def test_a_closed_pipe_is_no_error():
    code = f"{sys.executable} -m wengert trace | head -1"
    done = subprocess.run(code, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("evaluation trace")
    assert done.stderr == ""
