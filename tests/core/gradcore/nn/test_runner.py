"""`python -m gradcore` behaves as Python does, but for what `import torch` means."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import gradcore
from gradcore import compat

CORE = Path(__file__).parents[4] / "core"


def run(*arguments: str, script: str | None = None, folder: Path | None = None, **environment):
    given = list(arguments)
    if script is not None and folder is not None:
        path = folder / "my script.py"
        path.write_text(script, encoding="utf-8")
        given.insert(0, str(path))
    return subprocess.run(
        [sys.executable, "-m", "gradcore", *given],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CORE), **environment},
        check=False,
        timeout=60,
    )


def test_script_is_main_with_its_arguments_and_its_folder_on_the_path(tmp_path):
    (tmp_path / "neighbour.py").write_text("VALUE = 5")
    script = (
        "import sys, torch, neighbour\n"
        "print(__name__, sys.argv[1:], neighbour.VALUE, torch.zeros(1).item())\n"
    )
    done = run("--lr", "0.1", script=script, folder=tmp_path)
    assert done.stdout == "__main__ ['--lr', '0.1'] 5 0.0\n"
    assert done.returncode == 0


def test_exit_code_is_the_scripts_own(tmp_path):
    assert run(script="import sys; sys.exit(3)", folder=tmp_path).returncode == 3


def test_traceback_shows_the_users_lines_alone(tmp_path):
    script = "import torch\n\ndef f():\n    return torch.ones(2) @ torch.ones(3)\n\nf()\n"
    done = run(script=script, folder=tmp_path)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.lstrip().startswith("File ")]
    assert [line.rpartition(", line ")[2] for line in lines] == ["6, in <module>", "4, in f"]


def test_full_traceback_can_be_asked_for(tmp_path):
    script = "import torch\ntorch.ones(2) @ torch.ones(3)\n"
    done = run(script=script, folder=tmp_path, GRADCORE_TRACEBACK="full")
    assert "gradcore/ops" in done.stderr.replace(os.sep, "/")


def test_syntax_error_is_shown_on_its_line(tmp_path):
    done = run(script="import torch\nx = (1,\n", folder=tmp_path)
    assert done.returncode == 1
    assert 'my script.py", line 2' in done.stderr
    assert "SyntaxError: '(' was never closed" in done.stderr
    assert "gradcore/" not in done.stderr.replace(os.sep, "/")


def test_missing_file_is_told_in_one_line():
    done = run("nowhere.py")
    assert done.returncode == 2
    assert done.stderr.startswith("gradcore: can't open file 'nowhere.py'")
    assert len(done.stderr.splitlines()) == 1


def test_no_file_shows_how_to_call_it():
    done = run()
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m gradcore FILE.py")


def test_missing_module_names_itself_and_the_cure(tmp_path):
    done = run(script="from torch.utils.tensorboard import SummaryWriter\n", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "ModuleNotFoundError: gradcore has no module 'torch.utils.tensorboard'\n"
        "  Keep the numbers in lists, or write them to a file.\n"
    )


def test_script_that_could_train_on_many_machines_runs_on_one(tmp_path):
    script = """
import torch.distributed as dist
from torch.distributed import destroy_process_group, init_process_group
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data.distributed import DistributedSampler
import torch.version
print(dist.is_available() and dist.is_initialized(), torch.version.cuda)
print(isinstance(torch.nn.Linear(1, 1), DDP))
print(list(DistributedSampler(range(7), num_replicas=3, rank=1)))
init_process_group(backend="gloo")
"""
    done = run(script=script, folder=tmp_path)
    assert done.stdout == "False None\nFalse\n[0, 2, 4]\n"
    assert "gradcore has no torch.distributed.init_process_group()" in done.stderr


@pytest.fixture
def installed():
    before = {name: sys.modules[name] for name in sys.modules if name.partition(".")[0] == "torch"}
    compat.install()
    yield
    compat.uninstall()
    after = {name: sys.modules[name] for name in sys.modules if name.partition(".")[0] == "torch"}
    assert after == before


def test_every_part_of_torch_that_is_listed_can_be_imported(installed):
    for name in compat.PARTS:
        __import__(name)
    import torch.nn.functional as F

    assert F is gradcore.nn.functional
    assert compat.is_installed()


def test_parts_can_be_reached_without_importing_them(tmp_path):
    script = "import torch\nprint(torch.cuda.is_available(), torch.backends.cudnn.benchmark)\n"
    script += "print(torch.utils.data.DataLoader.__name__, torch.nn.utils.rnn.pad_sequence)\n"
    script += "print(torch.distributions.Normal(0.0, 1.0), torch.amp.GradScaler.__name__)\n"
    done = run(script=script, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("False False\nDataLoader <function pad_sequence")


def test_importing_a_part_hides_no_function_of_its_name(tmp_path):
    script = (
        "import torch.nn.utils.spectral_norm, torch.nn.utils.weight_norm\n"
        "from torch.nn.utils.weight_norm import remove_weight_norm\n"
        "layer = torch.nn.utils.weight_norm(torch.nn.Linear(2, 3))\n"
        "layer = torch.nn.utils.spectral_norm(remove_weight_norm(layer))\n"
        "print(layer(torch.ones(1, 2)).shape)\n"
    )
    done = run(script=script, folder=tmp_path)
    assert (done.stdout, done.stderr) == ("torch.Size([1, 3])\n", "")


def test_missing_name_is_an_attribute_error_with_a_cure():
    with pytest.raises(AttributeError, match=r"no `torch\.onnx`\n  Run the script with PyTorch"):
        _ = gradcore.onnx
    assert not hasattr(gradcore, "quasirandom")


def test_scripts_that_choose_a_device_choose_the_cpu():
    chosen = gradcore.device("cuda" if gradcore.cuda.is_available() else "cpu")
    assert gradcore.zeros(2, device=chosen).device == gradcore.device("cpu")
    assert gradcore.nn.Linear(1, 1).to(chosen).weight.device.type == "cpu"


def test_compile_and_autocast_change_nothing():
    layer = gradcore.nn.Linear(2, 2)
    assert gradcore.compile(layer) is layer
    with gradcore.autocast("cpu", enabled=True):
        assert layer(gradcore.ones(1, 2)).dtype is gradcore.float32
