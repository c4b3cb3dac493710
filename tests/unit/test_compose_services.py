"""Which container a service of a compose project is; docker is a script that says what the real one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from remotesvc import ConnectError, UsageError
from remotesvc.testing.compose import container_of
from tests.scripts import shell_script


class Docker:
    """`ps` says what is put into `rows`; what it was asked is in `asked`."""

    def __init__(self, directory: Path) -> None:
        self._rows, self._asked = directory / "rows", directory / "asked"
        self._rows.touch()
        shell_script(directory / "docker", f"""
            echo "$@" >> {self._asked}
            [ "$1" = logs ] && {{ echo "on stdout of $4"; echo "no such table" >&2; exit; }}
            cat {self._rows}
            """)

    def has(self, *rows: str) -> None:
        self._rows.write_text("".join("\t".join(row.split(" | ")) + "\n" for row in rows))

    @property
    def asked(self) -> str:
        return self._asked.read_text()


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return Docker(tmp_path)


def test_the_one_that_runs_is_taken(docker: Docker) -> None:
    docker.has("a | exited | Exited (1) 3 days ago | 1 | False", "b | running | Up 2 seconds | 1 | False")
    assert container_of("shop", "db") == "b"
    assert "project=shop " in docker.asked and "service=db" in docker.asked


def test_what_compose_run_began_is_no_service(docker: Docker) -> None:
    docker.has("a | running | Up 1 second | 1 | True", "b | running | Up 2 seconds | 1 | False")
    assert container_of("shop", "db") == "b"
    docker.has("a | running | Up 1 second | 1 | True")
    with pytest.raises(ConnectError, match="no container runs the service 'db' of the project 'shop'$"):
        container_of("shop", "db")


def test_of_several_the_index_says_which(docker: Docker) -> None:
    docker.has("a | running | Up | 10 | False", "b | running | Up | 2 | False", "c | exited | Exited (0) | 3 | False")
    with pytest.raises(UsageError, match="2 containers run the service 'db' .* by index=, one of 2, 10"):
        container_of("shop", "db")
    assert container_of("shop", "db", 10) == "a"
    with pytest.raises(ConnectError, match="no container runs number 4 of the service 'db'"):
        container_of("shop", "db", 4)
    with pytest.raises(ConnectError, match=r"no container runs number 3 of .*: Exited \(0\)"):
        container_of("shop", "db", 3)


def test_the_project_has_the_name_that_compose_makes_of_it(docker: Docker) -> None:
    docker.has("a | running | Up | 1 | False")
    assert container_of("My Shop.2", "db") == "a"
    assert "project=myshop2 " in docker.asked


def test_one_that_is_gone_tells_why(docker: Docker) -> None:
    docker.has("a | restarting | Restarting (3) 1 second ago | 1 | False")
    with pytest.raises(ConnectError) as caught:
        container_of("shop", "db")
    told = str(caught.value).splitlines()
    assert told == ["no container runs the service 'db' of the project 'shop': Restarting (3) 1 second ago",
                    "on stdout of a", "no such table"]


def test_a_docker_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConnectError, match="docker ps does not answer: .*No such file"):
        container_of("shop", "db")
    shell_script(tmp_path / "docker", "echo 'permission denied' >&2; exit 1")
    with pytest.raises(ConnectError, match="docker ps cannot tell what runs\npermission denied"):
        container_of("shop", "db")
