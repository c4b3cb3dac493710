"""paramiko is imported without what nobody here uses; whoever does use it, finds it."""

from __future__ import annotations

import subprocess
import sys

SHARED = "import sys\nfrom remotesvc.ssh.paramiko_import import load_paramiko\n"
CONFIG = "import io, paramiko\nparsed = paramiko.SSHConfig.from_text('Match exec \"true\"\\n  User ann\\n')\n"


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", SHARED + code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_is_not_used_is_not_imported() -> None:
    loaded = "print('paramiko' in sys.modules, 'invoke' in sys.modules, 'unittest.mock' in sys.modules)"
    assert run("load_paramiko()\n" + loaded) == "True False False"


def test_what_paramiko_uses_later_is_there_then() -> None:
    assert run("load_paramiko()\n" + CONFIG + "print(parsed.lookup('web1')['user'])") == "ann"


def test_a_user_of_the_other_package_gets_the_real_one() -> None:
    real = "print(invoke.run.__module__ != 'remotesvc.ssh.paramiko_import', hasattr(invoke, 'task'))"
    assert run("load_paramiko()\nimport invoke\n" + real) == "True True"
    assert run("import invoke\nload_paramiko()\nimport paramiko.config\n" + real
               + "\nassert paramiko.config.invoke is invoke") == "True True"  # fmt: skip


def test_while_paramiko_is_imported_the_stand_in_gives_way() -> None:
    code = (
        "from remotesvc.ssh import paramiko_import\nimport importlib\n"
        "def imported(name):\n"
        "    import invoke\n"
        "    from invoke import task\n"
        "    print(task.__module__, sys.modules['invoke'].__file__ is not None)\n"
        "paramiko_import.importlib = type(sys)('own')\n"
        "paramiko_import.importlib.import_module = lambda name: (\n"
        "    imported(name) if name == 'paramiko' else importlib.import_module(name))\n"
        "load_paramiko()\n"
    )
    assert run(code) == "invoke.tasks True"
