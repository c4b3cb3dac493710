"""--json is one list, written while hosts finish."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest

from remotesvc.cli.main import main
from remotesvc.cli.show.collected import Collected
from remotesvc.cli.show.console import Console
from remotesvc.cli.show.jsonout import result_object
from remotesvc.cli.show.report import AsJson
from remotesvc.cli.show.stream import Stream
from remotesvc.fleet.outcome import Outcome, Status
from tests.unit.cli_backend import FakeBackend


@pytest.fixture
def file() -> io.StringIO:
    return io.StringIO()


@pytest.mark.parametrize("hosts", [[], ["a"], ["a", "b"], ["a", "b", "c"]])
def test_it_is_one_list_however_many_hosts(hosts: list[str], file: io.StringIO) -> None:
    reporter = AsJson(Console(Stream(file, False), Stream(None, False)), lines=False)
    for host in hosts:
        reporter.outcome(Outcome(host, Status.OK), Collected())
    reporter.end()
    text = file.getvalue()
    assert [result["host"] for result in json.loads(text)] == hosts
    assert text.startswith("[") and text.endswith("]\n") and text.count("\n") == max(1, len(hosts))


def test_no_more_than_the_last_result_is_held_back(file: io.StringIO) -> None:
    """What is on stdout ends with a whole line all the while: notes may come in between on a terminal."""
    reporter = AsJson(Console(Stream(file, False), Stream(None, False)), lines=False)
    outcome = Outcome("a", Status.OK)
    reporter.outcome(outcome, Collected())
    assert file.getvalue() == ""
    reporter.outcome(replace(outcome, host="b"), Collected())
    first, _, rest = file.getvalue().partition("\n")
    assert json.loads(first.removeprefix("[").removesuffix(","))["host"] == "a" and not rest


def test_an_error_of_ours_leaves_a_list_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def failing(outcome: Outcome, **printed: object) -> object:
        made.append(outcome.host)
        if len(made) == 3:
            raise RuntimeError("a mistake of ours")
        return result_object(outcome, **printed)  # type: ignore[arg-type]

    monkeypatch.setattr("remotesvc.cli.show.report.result_object", failing)
    try:
        code = main(["run", "a,b,c", "m:f", "--json", "-f1"], FakeBackend(lambda context: 1))
    except RuntimeError:
        code = 1
    assert code == 1
    assert [result["host"] for result in json.loads(capsys.readouterr().out)] == ["a", "b"]
