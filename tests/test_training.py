"""The training loop: the lecture's descent, mini-batches, convergence, Ctrl-C, checkpoints, CLI."""

import json
import os
import signal

import numpy as np
import pytest

from wengert import nn, optim, training
from wengert.cli import main
from wengert.core.errors import DataError, DtypeError
from wengert.nn import handcoded as hand
from wengert.training import History, Interrupted, Trainer, checkpoint


def rows(count=60, seed=0):
    x = np.random.default_rng(seed).standard_normal((count, 3)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(int)


def trainer(batch_size=8, seed=1, count=60, optimizer=optim.Adam, lr=0.01, **options):
    rng = np.random.default_rng(seed)
    model = nn.mlp((3, 8, 2), "tanh", rng=rng)
    x, y = rows(count)
    chosen = optimizer(model.parameters(), lr=lr)
    return Trainer(
        model, nn.cross_entropy, x, y, optimizer=chosen, batch_size=batch_size, rng=rng, **options
    )


def state(run):
    """All that a run has, to the bit."""
    return {**run.model.state_dict(), **run.optimizer.state_dict(), **run.history.as_dict()}


def same(a, b):
    np.testing.assert_equal(state(a), state(b))


# --- the loop ------------------------------------------------------------------------------------


def test_the_lectures_descent_by_hand():
    """Derivatives accumulated over all instances, one step η/T: as the hand-coded network does."""
    rng = np.random.default_rng(0)
    model = nn.mlp((3, 5, 2), "tanh", rng=rng, dtype=np.float64)
    x, y = rows()
    layers = [
        hand.Linear(model[0].weight.numpy().copy(), model[0].bias.numpy().copy()),
        hand.Tanh(),
    ]
    layers.append(hand.Linear(model[2].weight.numpy().copy(), model[2].bias.numpy().copy()))
    net = hand.Network(layers, hand.CrossEntropy())
    optimizer = optim.SGD(model.parameters(), lr=0.7)
    history = training.fit(
        model, nn.cross_entropy, x, y, optimizer=optimizer, chunk=1, passes=5, tolerance=0
    )
    losses = []
    for _ in range(5):
        losses.append(net.loss(x.astype(float), y))
        net.backward()
        net.step(0.7)
    np.testing.assert_allclose(history.loss, losses, rtol=1e-12)
    for p, (value, _) in zip(model.parameters(), net.parameters(), strict=True):
        np.testing.assert_allclose(p.numpy(), value, rtol=1e-10)


@pytest.mark.parametrize("chunk", [7, 60, 1000])
def test_chunks_change_the_rounding_only(chunk):
    one, other = (trainer(None, chunk=size, optimizer=optim.SGD) for size in (1, chunk))
    one.run(3)
    other.run(3)
    np.testing.assert_allclose(one.history.loss, other.history.loss, rtol=1e-5)
    for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch_size", [None, 8, 7, 100])
def test_same_seed_same_bits(batch_size):
    a, b, c = trainer(batch_size), trainer(batch_size), trainer(batch_size, seed=2)
    for run in (a, b, c):
        run.run(3)
    same(a, b)
    assert a.history.loss != c.history.loss


def test_mini_batches_learn():
    run = trainer(count=400, test=rows(200, seed=5), lr=0.05)
    history = run.run(30)
    assert history.loss[-1] < 0.3 * history.loss[0]
    assert history.accuracy[-1] > 0.9
    assert history.test_accuracy[-1] > 0.85
    assert len(history.loss) == len(history.test_loss) == len(history.test_accuracy) == 30


def test_values_as_targets():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3)).astype(np.float32)
    y = x @ np.array([[1.0], [2.0], [-1.0]], np.float32)
    model = nn.Linear(3, 1, rng=rng)
    history = training.fit(
        model, nn.mse_loss, x, y, batch_size=10, passes=60, test=(x, y), rng=rng, tolerance=0
    )
    assert history.test_loss[-1] < 1e-6
    assert history.accuracy == history.test_accuracy == []


# --- convergence ---------------------------------------------------------------------------------


def test_convergence():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 2))
    y = x @ np.array([[1.0], [-2.0]]) + 0.1 * rng.standard_normal((40, 1))
    model = nn.Linear(2, 1, rng=rng, dtype=np.float64)
    history = training.fit(model, nn.mse_loss, x, y, tolerance=1e-6, passes=1000)
    assert history.converged
    assert 5 < history.passes < 1000
    assert max(history.changes[-3:]) < 1e-6 <= history.changes[-4]
    assert f"converged after {history.passes} passes" in str(history)
    augmented = np.column_stack([x, np.ones(40)])
    best, residual, *_ = np.linalg.lstsq(augmented, y)
    np.testing.assert_allclose(history.loss[-1], residual[0] / 40, rtol=1e-4)
    np.testing.assert_allclose(model.weight.numpy()[0], best[:2, 0], atol=1e-3)


def test_no_convergence_is_said():
    history = trainer(tolerance=1e-9).run(2)
    assert not history.converged
    assert str(history).startswith("not converged after 2 passes: the loss still changes by")
    assert "no tolerance" in str(trainer().run(1))
    assert str(History()) == "no pass yet"


def test_patience():
    history = History(tolerance=0.1, patience=2, loss=[1.0, 0.99, 0.5])
    assert not history.converged
    history.loss += [0.49]
    assert not history.converged
    history.loss += [0.48]
    assert history.converged


# --- Ctrl-C and checkpoints ----------------------------------------------------------------------


def interrupted_after(run, batches, path, passes=4):
    """Press Ctrl-C after so many batches."""
    done = 0

    def press(_):
        nonlocal done
        done += 1
        if done == batches:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted) as stopped:
        run.run(passes, save=path, report=press)
    return str(stopped.value)


@pytest.mark.parametrize("batches", [1, 5, 8, 11])
@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("optimizer", [optim.SGD, optim.Adam])
def test_ctrl_c_and_resume_equal_uninterrupted(batches, batch_size, optimizer, tmp_path):
    options = {"batch_size": batch_size, "chunk": 8, "optimizer": optimizer, "test": rows(20, 9)}
    whole = trainer(**options)
    whole.run(4)
    path = tmp_path / "run.npz"
    text = interrupted_after(trainer(**options), batches, path)
    assert "stopped after pass" in text
    assert str(path) in text
    resumed = trainer(seed=7, **options).resume(path)
    resumed.run(4)
    same(whole, resumed)


def test_going_on_in_the_same_process(tmp_path):
    for batch_size in (None, 8):
        whole, stopped = (trainer(batch_size, chunk=8) for _ in range(2))
        whole.run(4)
        interrupted_after(stopped, 11, None)
        stopped.run(4)
        same(whole, stopped)


def test_the_handler_is_put_back():
    before = signal.getsignal(signal.SIGINT)
    trainer().run(1)
    assert signal.getsignal(signal.SIGINT) is before
    assert "nothing was saved" in interrupted_after(trainer(), 1, None)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_does_not_wait():
    def press_twice(_):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as stopped:
        trainer().run(4, report=press_twice)
    assert not isinstance(stopped.value, Interrupted)


def test_save_at_the_end_and_more_passes(tmp_path):
    path = tmp_path / "deep" / "run.npz"
    whole, first = trainer(), trainer()
    whole.run(5)
    first.run(3, save=path)
    x, y = rows()
    model = nn.mlp((3, 8, 2), "tanh")
    training.fit(
        model,
        nn.cross_entropy,
        x,
        y,
        optimizer=optim.Adam(model.parameters(), lr=9.0),
        batch_size=8,
        tolerance=0,
        passes=5,
        resume=path,
    )
    for a, b in zip(whole.model.parameters(), model.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert [entry.name for entry in path.parent.iterdir()] == ["run.npz"]


def test_checkpoints_of_other_runs_are_refused(tmp_path):
    path = tmp_path / "run.npz"
    trainer().run(1, save=path)
    wrong = {
        "its data": trainer(count=61),
        "its batch_size": trainer(batch_size=9),
        "that of 'Adam'": trainer(optimizer=optim.SGD),
    }
    wrong["its architecture"] = trainer()
    wrong["its architecture"].model = nn.mlp((3, 9, 2), "tanh")
    for words, run in wrong.items():
        before = state(run)
        with pytest.raises(DataError, match=words):
            run.resume(path)
        np.testing.assert_equal(state(run), before)


def test_damaged_files(tmp_path):
    path = tmp_path / "run.npz"
    trainer().run(1, save=path)
    content = path.read_bytes()
    files = {
        "no checkpoint": tmp_path / "nothing.npz",
        "damaged": tmp_path / "half.npz",
        "can't read": tmp_path / "text.npz",
        "single array": tmp_path / "array.npy",
        "no checkpoint of wengert": tmp_path / "other.npz",
        "no description": tmp_path / "bare.npz",
        "version 99": tmp_path / "future.npz",
        "incomplete": tmp_path / "poor.npz",
    }
    (tmp_path / "half.npz").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.npz").write_text("hello")
    np.save(tmp_path / "array.npy", np.ones(3))
    np.savez(tmp_path / "other.npz", description=np.array(json.dumps({"format": "other"})))
    np.savez(tmp_path / "bare.npz", weight=np.ones(3))
    future = {"format": checkpoint.FORMAT, "version": 99}
    np.savez(tmp_path / "future.npz", description=np.array(json.dumps(future)))
    checkpoint.save(tmp_path / "poor.npz", {}, {"more": 1})
    for words, file in files.items():
        with pytest.raises(DataError, match=words):
            trainer().resume(file)
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    path.write_bytes(flipped)
    with pytest.raises(DataError):
        trainer().resume(path)


def test_unwritable_checkpoints(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="can't write"):
        trainer().run(1, save=tmp_path / "file" / "run.npz")


# --- bad input -----------------------------------------------------------------------------------


def test_bad_input():
    model = nn.mlp((3, 2))
    x, y = rows()
    bad = x.copy()
    bad[3, 1] = np.nan
    cases = [
        (DataError, r"x\[3, 1\] is nan", {"x": bad}),
        (DataError, "one target", {"y": y[:5]}),
        (DtypeError, "x is", {"x": np.array([["a", "b", "c"]] * 60)}),
        (DataError, "batch_size", {"batch_size": 0}),
        (DataError, "passes", {"passes": 0}),
        (DataError, "tolerance", {"tolerance": -1.0}),
        (DataError, "patience", {"patience": 0}),
        (DtypeError, "default_rng", {"rng": 3}),
        (IndexError, "expected 0 to 1", {"y": y + 6}),
        (ValueError, "features", {"x": x[:, :2]}),
    ]
    for error, words, changed in cases:
        with pytest.raises(error, match=words):
            training.fit(model, nn.cross_entropy, **{"x": x, "y": y, "passes": 1, **changed})


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_finite():
    rng = np.random.default_rng(0)
    model = nn.Linear(3, 1, rng=rng)
    x = 1e6 * rng.standard_normal((20, 3)).astype(np.float32)
    optimizer = optim.SGD(model.parameters(), lr=100.0)
    with pytest.raises(DataError, match="lower the learning rate"):
        training.fit(model, nn.mse_loss, x, x[:, :1], optimizer=optimizer, batch_size=5)


# --- the command line ----------------------------------------------------------------------------

QUICK = ["train", "sklearn", "--layers", "16", "--epochs", "2"]


def test_train_command(tmp_path, capsys):
    network, picture = tmp_path / "network.npz", tmp_path / "curves.png"
    assert main([*QUICK, "--save", str(network), "--curves", str(picture)]) == 0
    output = capsys.readouterr().out
    assert "64-16-10, relu, adam 0.001, batches of 64; 1,210 parameters" in output
    assert "not converged after 2 passes" in output
    assert "test accuracy" in output
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert main(["train", "--resume", str(network), "--epochs", "3"]) == 0
    resumed = capsys.readouterr().out
    assert "going on from" in resumed
    assert main([*QUICK[:-1], "3"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == resumed.splitlines()[-1]


def test_train_on_a_file(tmp_path, capsys):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((80, 2))
    lines = [f"{a},{b},{2 * a - b}" for a, b in x]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["a,b,target", *lines]))
    options = ["--layers", "none", "--optimiser", "momentum", "--batch-size", "all"]
    assert main(["train", str(path), *options, "--epochs", "200", "--target-column", "target"]) == 0
    output = capsys.readouterr().out
    assert "converged after" in output
    assert "root mean squared error" in output


BAD = {
    "unknown data": (["nonsense"], "sklearn"),
    "missing file": (["missing.csv"], "can't read"),
    "missing checkpoint": (["--resume", "missing.npz"], "no checkpoint"),
    "learning rate": (["sklearn", "--lr", "-1"], "lr"),
    "epochs": (["sklearn", "--epochs", "0"], "passes"),
    "diverges": (
        ["sklearn", "--optimiser", "sgd", "--lr", "1e30", "--epochs", "3"],
        "lower the learning rate",
    ),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", BAD)
def test_train_command_says_what_is_wrong(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options, words = BAD[name]
    assert main(["train", *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith("wengert: error: ")
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("option", [["--layers", "8,x"], ["--batch-size", "0"], ["--seed", "x"]])
def test_options_that_can_not_be_read(option, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["train", "sklearn", *option])
    assert stopped.value.code == 2
    assert option[0] in capsys.readouterr().err


def test_options_that_contradict_the_checkpoint(tmp_path, capsys):
    path = tmp_path / "network.npz"
    assert main([*QUICK, "--save", str(path)]) == 0
    assert main(["train", "--resume", str(path), "--seed", "3"]) == 1
    assert "seed 0, not 3" in capsys.readouterr().err
    trainer().save(path)
    assert main(["train", "--resume", str(path)]) == 1
    assert "not written by wengert train" in capsys.readouterr().err


def test_ctrl_c_on_the_command_line(tmp_path, capsys, monkeypatch):
    """It saves, says how to go on, and what goes on ends as if nothing had happened."""
    from wengert.training import progress

    monkeypatch.chdir(tmp_path)
    calls = 0

    def press(self, trainer):
        nonlocal calls
        calls += 1
        if calls == 30:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(progress.Bar, "__call__", press)
        assert main(QUICK) == 130
    command = capsys.readouterr().out.splitlines()[-1].split()
    assert command[:3] == ["wengert", "train", "--resume"]
    assert main(command[1:]) == 0
    resumed = capsys.readouterr().out.splitlines()[-1]
    assert main(QUICK) == 0
    assert capsys.readouterr().out.splitlines()[-1] == resumed
