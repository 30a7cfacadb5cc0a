"""`wsloc train`: nothing lost unasked, interruptions that can be gone on from, one line for every failure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest
import torch

from tests.training.tiny_data import folder_per_class, labels_csv
from wsloc.cli.console import Talk
from wsloc.cli.running_options import Precision
from wsloc.cli.training_run import training_precision
from wsloc.files import write_bytes
from wsloc.inputs.training_set import Augmentation
from wsloc.methods import cam
from wsloc.networks.checkpoints import load_checkpoint
from wsloc.signals import Terminated
from wsloc.training import files as training_files
from wsloc.training.epochs import Learner
from wsloc.training.files import TrainingFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Outcome

    Command = Callable[..., Outcome]

ROOT = Path(__file__).parent.parent.parent
QUICK = ("--epochs", 2, "--batch-size", 4, "--image-size", 16, "--workers", 0, "--device", "cpu")
FILES = ["net.curve.png", "net.metrics.jsonl", "net.pt"]


@pytest.fixture(autouse=True, scope="module")
def _quick_curve() -> Iterator[None]:
    """Drawing would take half of the time of these trainings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            training_files, "save_training_curve", lambda _history, path: write_bytes(path, b"curve")
        )
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_per_class(tmp_path_factory.mktemp("data") / "scenes", 8)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "net.pt"


@pytest.fixture
def interrupted(command: Command, data: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The output of a training that Ctrl-C ended in its second epoch."""
    real = Learner.epoch

    def epoch(self: Learner, number: int, *arguments: Any, **options: Any) -> Any:
        if number == 1:
            raise KeyboardInterrupt
        return real(self, number, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "epoch", epoch)
        ran = command("train", "gap", data, "-o", output, *QUICK)
    assert ran.code == 130
    assert TrainingFiles(output).resume.is_file()
    return output


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_failed(ran: Outcome, code: int, *words: str) -> None:
    assert (ran.code, ran.stdout) == (code, "")
    assert ran.stderr.startswith("wsloc: error: ")
    assert ran.stderr.count("\n") == 1
    for word in words:
        assert word in ran.stderr


# What it says


def test_a_line_an_epoch_and_a_result(command: Command, data: Path, output: Path) -> None:
    ran = command("train", "ep", data, "-o", output, "--validation", data, *QUICK)
    assert ran.code == 0
    lines = ran.stderr.splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all("loss " in line and "validation error " in line and "mean_lambda " in line for line in lines)
    kept = load_checkpoint(output).recipe["figures"]["epoch"]
    assert ran.stdout.startswith(f"{output}: epoch {kept + 1} of 2, loss ")
    assert ran.stdout.count("\n") == 1
    assert names(output.parent) == FILES


def test_json_is_one_document(command: Command, data: Path, output: Path) -> None:
    ran = command("train", "gap", data, "-o", output, "--json", *QUICK)
    document = json.loads(ran.stdout)
    assert document["schema_version"] == 1
    assert document["checkpoint"] == str(output)
    assert document["metrics"] == str(output.with_name("net.metrics.jsonl"))
    assert document["curve"] == str(output.with_name("net.curve.png"))
    assert document["kept_epoch"] == 1
    lines = Path(document["metrics"]).read_text().splitlines()
    assert document["epochs"] == [json.loads(line) for line in lines]
    assert len(lines) == 2


def test_quiet_says_nothing_and_verbose_more(command: Command, data: Path, output: Path) -> None:
    ran = command("train", "gap", data, "-o", output, "-q", *QUICK)
    assert (ran.code, ran.stdout, ran.stderr) == (0, "", "")
    ran = command("train", "gap", data, "-o", output, "-v", "--overwrite", *QUICK)
    assert "training gap on cpu, float32" in ran.stderr


STEPS = {"schedule": "step", "decay_steps": 9, "decay_factor": 0.25, "optimizer": "sgd", "momentum": 0.5}
EPOCHS = {"schedule": "step", "decay_every": 7.0, "decay_factor": 0.5, "optimizer": "adamw"}


@pytest.mark.parametrize(
    ("own", "crop"),
    [
        (STEPS, {"shorter_side": [24, 30]}),
        (EPOCHS, {"smallest_crop": 0.5}),
    ],
)
def test_every_option_reaches_its_place(
    command: Command, tmp_path: Path, output: Path, own: dict[str, Any], crop: dict[str, Any]
) -> None:
    csv = labels_csv(tmp_path / "mixed", 6)
    options = {
        **own,
        "backbone": "small_resnet",
        "epochs": 1,
        "batch_size": 3,
        "accumulate": 2,
        "max_steps": 1,
        "learning_rate": 0.02,
        "warmup": 0.25,
        "weight_decay": 0.001,
        "ema": 0.75,
        "image_size": 24,
        "random_seed": 5,
        "precision": "bfloat16",
    }
    given = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
    given += ["--shorter-side", "24-30"] if "shorter_side" in crop else ["--smallest-crop", 0.5]
    given += ["--no-nesterov"] if own is STEPS else []
    ran = command(
        "train",
        "ep",
        csv,
        "-o",
        output,
        "--no-flip",
        "--half",
        "--workers",
        1,
        *given,
    )
    assert ran.code == 0, ran.stderr
    found = load_checkpoint(output)
    recipe = dict(found.recipe)
    for name in ("figures", "processes", "sync_batch_norm"):
        del recipe[name]
    pictures = {"smallest_crop": Augmentation().smallest_crop, "flip": False, "shorter_side": None, **crop}
    others = {"decay_every": 30, "decay_steps": 0, "momentum": 0.9, "nesterov": own is not STEPS}
    assert recipe == {**others, **options, "augmentation": pictures, "half": True}
    assert (found.method, found.task, found.data["images"]) == ("ep", "multi-label", 6)
    stored = torch.load(output, weights_only=True)["weights"]
    assert stored["fc.weight"].dtype == torch.float16


@pytest.mark.parametrize(
    ("precision", "device", "expected"),
    [
        (Precision.auto, "cuda", "bfloat16"),
        (Precision.auto, "cpu", "float32"),
        (Precision.auto, "mps", "float32"),
        (Precision.float32, "cuda", "float32"),
        (Precision.bfloat16, "cpu", "bfloat16"),
    ],
)
def test_auto_is_bfloat16_where_it_pays(
    precision: Precision, device: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert training_precision(precision, device) == expected
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    if precision is Precision.auto:
        expected = "float32"
    assert training_precision(precision, device) == expected


def test_a_terminal_sees_how_far_it_is(
    command: Command, data: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The images of all epochs are ahead at first, and all have come at the end."""
    shown: list[tuple[int, str | None, int | None]] = []

    @contextmanager
    def progress(*_arguments: object, **_options: object) -> Iterator[Callable[..., None]]:
        def advance(images: int, what: str | None = None, total: int | None = None) -> None:
            shown.append((images, what, total))

        yield advance

    monkeypatch.setattr(Talk, "progress", progress)
    command("train", "gap", data, "-o", output, *QUICK, "--batch-size", 3)
    assert {total for _, _, total in shown} == {12}  # two batches of three an epoch; two images are left out
    assert sum(images for images, _, _ in shown) == 12
    assert shown[0][1] is not None
    assert shown[0][1].startswith("epoch 1/2  loss ")


# What is there already


def test_a_checkpoint_is_not_replaced_unasked(command: Command, data: Path, output: Path) -> None:
    output.write_text("mine")
    ran = command("train", "gap", data, "-o", output, *QUICK)
    assert_failed(ran, 2, str(output), "--overwrite")
    assert contents(output.parent) == {"net.pt": b"mine"}
    ran = command("train", "gap", data, "-o", output, "--overwrite", *QUICK)
    assert ran.code == 0
    assert load_checkpoint(output).method == "gap"


def test_an_interrupted_training_is_not_thrown_away_unasked(
    command: Command, data: Path, interrupted: Path
) -> None:
    before = contents(interrupted.parent)
    for leftovers in ((), (interrupted,)):  # with its checkpoint and without
        for path in leftovers:
            path.unlink()
            del before[path.name]
        ran = command("train", "gap", data, "-o", interrupted, *QUICK)
        assert_failed(ran, 2, "net.resume.pt", "--resume", "--overwrite")
        assert contents(interrupted.parent) == before


def test_overwrite_begins_anew(
    command: Command, data: Path, interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def epoch(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "epoch", epoch)
        ran = command("train", "gap", data, "-o", interrupted, "--overwrite", *QUICK)
    assert (ran.code, ran.stderr) == (130, "wsloc: interrupted\n")  # nothing to go on from, and none is named
    assert not TrainingFiles(interrupted).resume.exists()
    ran = command("train", "gap", data, "-o", interrupted, "--overwrite", *QUICK)
    assert ran.code == 0
    assert [line.split(",")[0] for line in ran.stderr.splitlines()] == ["epoch 1/2", "epoch 2/2"]


def test_resume_and_overwrite_exclude_one_another(command: Command, data: Path, output: Path) -> None:
    ran = command("train", "gap", data, "-o", output, "--resume", "--overwrite", *QUICK)
    assert_failed(ran, 2, "--resume and --overwrite exclude one another")


# Gone on from


def test_resume_goes_on(command: Command, data: Path, interrupted: Path, tmp_path: Path) -> None:
    ran = command("train", "gap", data, "-o", interrupted, "--resume", "--json", *QUICK)
    assert ran.code == 0
    lines = ran.stderr.splitlines()
    assert lines[0] == "going on after epoch 1/2"
    assert [line.split(",")[0] for line in lines[1:]] == ["epoch 2/2"]
    assert [record["epoch"] for record in json.loads(ran.stdout)["epochs"]] == [0, 1]
    assert names(interrupted.parent) == FILES
    unbroken = tmp_path / "unbroken" / "net.pt"
    assert command("train", "gap", data, "-o", unbroken, *QUICK).code == 0
    mine, its = load_checkpoint(interrupted).weights, load_checkpoint(unbroken).weights
    assert all(torch.equal(value, its[name]) for name, value in mine.items())


def test_resume_leaves_a_complete_training_as_it_is(command: Command, data: Path, output: Path) -> None:
    command("train", "gap", data, "-o", output, *QUICK)
    before = contents(output.parent)
    ran = command("train", "gap", data, "-o", output, "--resume", *QUICK)
    assert ran.code == 0
    assert ran.stderr == f"{output} is complete: nothing is left to train\n"
    assert ran.stdout.startswith(f"{output}: epoch 2 of 2, loss ")
    assert contents(output.parent) == before
    TrainingFiles(output).metrics.unlink()
    ran = command("train", "gap", data, "-o", output, "--resume", "--json", *QUICK)
    assert ran.code == 0
    assert json.loads(ran.stdout)["kept_epoch"] is None


def test_resume_of_another_training_is_an_error(command: Command, data: Path, interrupted: Path) -> None:
    ran = command("train", "gap", data, "-o", interrupted, "--resume", *QUICK, "--learning-rate", 0.5)
    assert_failed(ran, 1, "learning rate (0.1 there, 0.5 here)", "net.resume.pt", "--overwrite")
    TrainingFiles(interrupted).resume.write_bytes(b"torn")
    ran = command("train", "gap", data, "-o", interrupted, "--resume", *QUICK)
    assert_failed(ran, 1, "net.resume.pt", "--overwrite")


@pytest.mark.parametrize(
    ("stop", "code", "last"),
    [(KeyboardInterrupt, 130, "wsloc: interrupted"), (Terminated, 143, "wsloc: terminated")],
)
@pytest.mark.parametrize("epochs", [0, 1])
def test_an_interruption_says_how_to_go_on(
    command: Command,
    data: Path,
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stop: type[BaseException],
    code: int,
    last: str,
    epochs: int,
) -> None:
    real, steps = Learner._step, iter(range(3))

    def step(self: Learner, *arguments: Any, **options: Any) -> Any:
        if next(steps) == 2 * epochs:
            raise stop
        return real(self, *arguments, **options)

    monkeypatch.setattr(Learner, "_step", step)
    ran = command("train", "gap", data, "-o", output, *QUICK)
    assert (ran.code, ran.stdout) == (code, "")
    said = ran.stderr.splitlines()
    if not epochs:
        assert said == [last]
        assert names(output.parent) == []
        return
    assert said[1:] == [
        f"the same command with --resume goes on after the last whole epoch: {output.with_name('net.resume.pt')}",
        last,
    ]
    assert names(output.parent) == sorted([*FILES, "net.resume.pt"])


def test_ctrl_c_in_a_terminal_keeps_whole_epochs(data: Path, output: Path) -> None:
    """A terminal sends it to the whole process group: to the workers, too."""
    arguments = ["train", "gap", str(data), "-o", str(output), *map(str, QUICK), "--epochs", "9999"]
    with subprocess.Popen(
        [sys.executable, "-m", "wsloc", *arguments, "--workers", "2"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell's background jobs, of which these tests may be one, ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no threads
    ) as process:
        assert process.stderr is not None
        heard = first_epoch(process.stderr)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 130, heard + stderr
    assert stdout == ""
    assert [line for line in stderr.splitlines() if not line.startswith("epoch ")] == [
        f"the same command with --resume goes on after the last whole epoch: {output.with_name('net.resume.pt')}",
        "wsloc: interrupted",
    ]
    assert names(output.parent) == sorted([*FILES, "net.resume.pt"])
    # The signal may have come between the files of an epoch: the state is written first.
    done = len(TrainingFiles(output).read_state()["history"])
    assert 0 <= done - len(TrainingFiles(output).read_figures()) <= 1
    assert 0 <= done - 1 - load_checkpoint(output).recipe["figures"]["epoch"] <= 1


def first_epoch(stream: IO[str]) -> str:
    """What is said until the first epoch is over, so that the signal falls into a later one."""
    heard = ""
    for line in stream:
        heard += line
        if line.startswith("epoch 1/"):
            return heard
    raise AssertionError(f"the training ended by itself: {heard}")


# What cannot be


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["cam"], 2, "unknown method 'cam': choose one of gap, ep"),
        (["gap", "--backbone", "resnet19"], 1, "resnet18"),
        (["ep", "--backbone", "squeezenet1_1"], 1, "squeezenet1_1"),
        (["gap", "--device", "gpu"], 1, "unknown device 'gpu'"),
        (["gap", "--device", "cuda:77"], 1, "use --device cpu"),
        (["gap", "--learning-rate", "nan"], 1, "learning rate"),
        (["gap", "--image-size", "7"], 1, "--image-size"),
        (["gap", "--validation", "nowhere"], 1, "nowhere"),
    ],
)
def test_what_cannot_be_is_one_line(
    command: Command, data: Path, output: Path, *, arguments: list[str], code: int, words: str
) -> None:
    method, *options = arguments
    ran = command("train", method, data, "-o", output, *QUICK, *options)
    assert_failed(ran, code, words)
    assert names(output.parent) == []


@pytest.mark.parametrize(
    "arguments", [[], ["gap"], ["gap", "data"], ["gap", "data", "-o", "x", "--epochs", "0"]]
)
def test_usage_is_exit_code_2(command: Command, arguments: list[str]) -> None:
    assert command("train", *arguments).code == 2


def test_data_and_places_that_cannot_be_are_one_line(command: Command, data: Path, tmp_path: Path) -> None:
    assert_failed(command("train", "gap", tmp_path / "no", "-o", tmp_path / "net.pt", *QUICK), 1, "no")
    (tmp_path / "file").write_text("")
    ran = command("train", "gap", data, "-o", tmp_path / "file" / "net.pt", *QUICK)
    assert_failed(ran, 1, str(tmp_path / "file"))
    ran = command("train", "gap", data, "-o", tmp_path, *QUICK)
    assert_failed(ran, 1, "is a folder")


def test_a_bad_picture_is_one_line(command: Command, tmp_path: Path) -> None:
    bad = folder_per_class(tmp_path / "data", 8) / "star" / "3.png"
    bad.write_bytes(b"no picture")
    ran = command("train", "gap", tmp_path / "data", "-o", tmp_path / "net.pt", *QUICK, "--workers", 1)
    assert_failed(ran, 1, str(bad))


def test_a_loss_that_is_not_finite_is_one_line(
    command: Command, data: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loss(*_arguments: object) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
        return torch.tensor(torch.nan), torch.zeros(4, 3), {}

    monkeypatch.setattr(cam, "loss", loss)
    ran = command("train", "gap", data, "-o", output, *QUICK)
    assert_failed(ran, 1, "the loss is nan", "a lower --learning-rate than 0.1", "--overwrite")
