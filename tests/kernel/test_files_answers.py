"""What a hostile target answers about a transfer, in all the shapes that the codec brings: refused, and by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remotesvc import CallTimeout, Context, Router, TransferRefused
from remotesvc.jobs.errors import JobError
from tests.kernel import called, called_hostile_files
from tests.kernel.filetrees import content, leftovers

pytest_plugins = ("tests.kernel.call_fixtures",)

MALFORMED = "^here: the answer of web1 is malformed$"
HEAD: dict[str, Any] = {"kind": "file", "size": 1, "identity": None, "offset": 0}
RECEIVING: dict[str, Any] = {"handle": 5, "offset": 0, "digest": b"", "offers": b""}
RECEIVED: dict[str, Any] = {"path": "t", "files": 1, "bytes": 1, "skipped": 0, "skipped_names": [], "digest": b""}
VALUES: list[Any] = [None, [], {}, 5, "file"]
NOTHING: list[list[Any]] = [[], *([value] for value in VALUES)]


@pytest.fixture
def web1(router: Router, tmp_path: Path) -> Context:
    (tmp_path / "s").write_bytes(b"a")
    (tmp_path / "large").write_bytes(content(1 << 20))
    (tmp_path / "tree").mkdir()
    return router.local(name="web1")


def test_malformed_answers_about_what_is_going_to_be_sent_are_refused(web1: Context, tmp_path: Path) -> None:
    for said in [*NOTHING, [dict(HEAD, kind="pipe")], [dict(HEAD, kind=[])], [dict(HEAD, size="1")],
                 [dict(HEAD, size=-1)], [dict(HEAD, size=True)], [dict(HEAD, identity=5)], [{**HEAD, 7: 1}]]:
        web1.call(called_hostile_files.answer, "send", "send", *said)
        with pytest.raises(TransferRefused, match=MALFORMED):
            web1.pull(tmp_path / "s", tmp_path / "t")
    assert leftovers(tmp_path) == []


def test_malformed_answers_about_what_was_sent_are_refused(web1: Context, tmp_path: Path) -> None:
    for said in [*NOTHING, [{"read": "1"}]]:
        web1.call(called_hostile_files.send_a_file, HEAD, *said)
        with pytest.raises(TransferRefused, match=MALFORMED):
            web1.pull(tmp_path / "s", tmp_path / "t")
    assert not (tmp_path / "t").exists()
    assert leftovers(tmp_path) == []


def test_a_part_is_kept_only_under_a_name_that_is_known_again(web1: Context, tmp_path: Path) -> None:
    for identity, left in [(b"z" * 16, 0), (b"A" * 16, 0), (b"0123456789abcdef", 1)]:
        web1.call(called_hostile_files.send_a_file, dict(HEAD, identity=identity), whole=False)
        with pytest.raises(CallTimeout):
            web1.pull(tmp_path / "s", tmp_path / "t", timeout=1.0)
        assert len(leftovers(tmp_path)) == left


def test_malformed_answers_about_where_to_send_are_refused(web1: Context, tmp_path: Path) -> None:
    for said in [*NOTHING, [dict(RECEIVING, handle="5")], [dict(RECEIVING, handle=1 << 64)],
                 [dict(RECEIVING, offset=-1)], [dict(RECEIVING, offset=None)], [dict(RECEIVING, offers=[5])]]:
        web1.call(called_hostile_files.answer, "receive", "receive", *said)
        with pytest.raises(TransferRefused, match=MALFORMED):
            web1.push(tmp_path / "large", tmp_path / "t")


def test_malformed_answers_about_what_was_received_are_refused(web1: Context, tmp_path: Path) -> None:
    for said in [*NOTHING, [dict(RECEIVED, skipped_names=[1])], [dict(RECEIVED, skipped_names=5)],
                 [dict(RECEIVED, path=None)], [dict(RECEIVED, files=1 << 70)], [dict(RECEIVED, links=[])],
                 [dict(RECEIVED, digest=1 << 30)],  # a number is how many bytes bytearray() would make
                 [dict(RECEIVED, digest=bytes(1 << 20))]]:
        web1.call(called_hostile_files.answer, "receive", "receive", *said)
        with pytest.raises(TransferRefused, match=MALFORMED):
            web1.push(b"a", tmp_path / "t")


def test_an_answer_that_is_no_generator_is_refused(web1: Context, tmp_path: Path) -> None:
    for value in VALUES:
        web1.call(called_hostile_files.answer_once, "files.send", "send", value)
        with pytest.raises(TransferRefused, match=MALFORMED):
            web1.pull(tmp_path / "s", tmp_path / "t")
        web1.call(called_hostile_files.answer_once, "files.receive", "receive", value)
        with pytest.raises(TransferRefused, match=MALFORMED):
            web1.push(tmp_path / "tree", tmp_path / "t")


def test_malformed_answers_about_rehearsals_are_refused(web1: Context, tmp_path: Path) -> None:
    for value in VALUES:
        web1.call(called_hostile_files.answer_once, "files.rehearsed", "source", value)
        with pytest.raises(TransferRefused, match=MALFORMED):
            web1.pull(tmp_path / "s", tmp_path / "t", dry_run=True)
        web1.call(called_hostile_files.answer_once, "files.rehearsed", "landing", value)
        if value != "file":
            with pytest.raises(TransferRefused, match=MALFORMED):
                web1.push(tmp_path / "s", tmp_path / "t", dry_run=True)


def test_malformed_answers_about_listings_are_refused(web1: Context, tmp_path: Path) -> None:
    for value in VALUES:
        if value != []:
            web1.call(called_hostile_files.answer_once, "files.listing", "there", value)
            with pytest.raises(TransferRefused, match=MALFORMED):
                web1.sync(tmp_path / "tree", tmp_path / "t")


def test_a_loop_over_files_does_not_end_as_if_it_were_done(web1: Context, tmp_path: Path) -> None:
    web1.call(called_hostile_files.answer, "send", "send")
    with pytest.raises(TransferRefused):
        list(map(lambda name: web1.pull(name, tmp_path / "t"), ["a", "b"]))  # noqa: C417


def test_malformed_answers_about_a_job_are_refused(web1: Context, tmp_path: Path) -> None:
    job = web1.options(jobs_dir=str(tmp_path / "jobs")).detach(called.add, 1, 2)
    assert job.result(60) == 3
    for value in VALUES:
        for function in ("printed", "result"):
            web1.call(called_hostile_files.answer_once, "jobs.there", function, value)
        with pytest.raises(JobError, match="web1: .* malformed"):
            job.output()
        with pytest.raises(JobError, match="web1: .* malformed"):
            job.result(60)
