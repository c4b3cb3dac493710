"""The capture of stdout and stderr where something is missing or ends: credit, a link, descriptors, threads."""

from __future__ import annotations

import subprocess

from tests.interpreters import Interpreter
from tests.kernel.capturing import Run
from tests.zones import ROOT

pytest_plugins = ("tests.kernel.capture_fixtures",)


def test_without_credit_writers_wait_and_nothing_is_lost(run: Run) -> None:
    records = run("""
        capture.PATIENCE = 1000
        credit.clear()
        printed = []
        def talk():
            for i in range(4000):
                print("%099d" % i)
                printed.append(i)
        talker = in_call(1, talk)
        while not printed:
            talker.join(0.005)
        code = "for i in range(30000): print('%099d' % i)"  # more than is ever read ahead
        child = subprocess.Popen([sys.executable, "-I", "-S", "-c", code])
        assert waiting.wait(30)
        while cap._queued <= capture.QUEUE:
            assert talker.is_alive()
            talker.join(0.005)
        talker.join(0.5)
        assert talker.is_alive() and 0 < len(printed) * 100 < 4 * capture.QUEUE, len(printed)
        assert child.poll() is None
        drainer = in_call(2, cap.drain)
        drainer.join(0.2)
        assert drainer.is_alive()
        credit.set()
        talker.join()
        drainer.join()
        assert child.wait() == 0
    """)
    assert records.text(1, 1) == b"".join(b"%099d\n" % i for i in range(4000))
    assert records.text(1, 0) == b"".join(b"%099d\n" % i for i in range(30000))


def test_threads_that_must_not_wait_do_not(run: Run) -> None:
    """The reader of the link brings the credit: if it printed and waited for credit, all would stand still."""
    records = run("""
        credit.clear()
        def read_link():
            cap.never_wait.add(threading.get_ident())
            for i in range(2000):
                print("%099d" % i)
            sys.stdout.flush()
            cap.drain()
            cap.tick()
            credit.set()
        in_call(1, read_link).join()
        cap.drain()
    """)
    assert records.text() == b"".join(b"%099d\n" % i for i in range(2000))


def test_the_backlog_of_threads_that_must_not_wait_is_bounded(run: Run) -> None:
    run("""
        credit.clear()
        print("first")
        assert waiting.wait(30)
        cap.never_wait.add(threading.get_ident())
        for i in range(1000):
            print("x" * 9999)
        credit.set()
        cap.never_wait.clear()
        cap.drain()
        assert abs(len(so_far()) - capture.FULL) < 30000, len(so_far())
    """)


def test_a_print_inside_emit_cannot_deadlock(run: Run) -> None:
    """A finaliser or a signal handler runs in the midst of the link's own code, on whatever thread that is."""
    records = run("""
        capture.PARTIAL = 1000  # each line is one emit
        link = threading.Lock()  # not re-entrant
        plain = emit
        def emit_under_a_lock(stream, call, data):
            with link:
                if b"recursion" not in data:
                    print("recursion")
                    sys.stdout.flush()
                plain(stream, call, data)
        emit = emit_under_a_lock
        print("one")
        cap.drain()
        with link:  # a thread inside the link is interrupted by somebody who prints
            print("two")
        cap.drain()
        cap.drain()
    """)
    lines = records.text().splitlines()
    assert (lines.count(b"one"), lines.count(b"two"), lines.count(b"recursion") in (1, 2)) == (1, 1, True)


def test_a_signal_handler_may_print_at_any_point(run: Run) -> None:
    records = run("""
        import signal
        handled = []
        def handler(*_):
            print("signal")
            handled.append(1)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        lines = 0
        while len(handled) < 200:
            print("line")
            os.write(1, b"raw\\n")
            cap.drain()
            lines += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        send(8, lines, b"")
        send(8, len(handled), b"")
    """)
    lines, handled = (record.call for record in records if record.stream == 8)
    found = records.text().splitlines()
    assert len(found) == 2 * lines + handled
    # A line interrupted between its text and its end has the handler's line within; nothing else ever happens.
    whole = b"".join(found)
    assert (whole.count(b"line"), whole.count(b"raw"), whole.count(b"signal")) == (lines, lines, handled)


def test_actions_are_run_in_order_with_the_output(run: Run) -> None:
    records = run("""
        capture.PARTIAL = 1000
        print("before")
        cap.post(lambda: emit(5, 0, b"posted"))
        print("after")
        cap.drain()
        assert [data for _, _, data in emitted] == [b"before\\n", b"posted", b"after\\n"]
    """)
    assert [record.stream for record in records] == [1, 5, 1]


def test_a_fork_writes_to_the_descriptor_and_not_into_the_link(run: Run) -> None:
    records = run("""
        def forked():
            local.call = 99
            parent = os.getppid()
            emitted.append("never seen by the parent")
            print("from the fork", parent == pid)
            sys.stdout.buffer.write(b"bytes of the fork\\n")
            print("its stderr", file=sys.stderr, flush=True)
            cap.drain()
            cap.post(lambda: send(7, 0, b""))
            cap.close()
            cap.flush_call(99)  # its call is over, and so is the fork
        import warnings
        warnings.simplefilter("ignore")  # 3.12 and later warn of forks in processes with threads
        pid = os.getpid()
        # The fork happens while another thread holds the lock and the capture thread is at work.
        cap._lock.acquire()
        credit.clear()
        def fork():
            child = os.fork()
            if child:
                assert os.waitpid(child, 0)[1] == 0
                return
            try:
                forked()
            finally:
                os._exit(1)
        forker = in_call(2, fork)
        forker.join()
        cap._lock.release()
        credit.set()
        subprocess.check_call(["/bin/true"], preexec_fn=lambda: print("preexec"))
        print("parent goes on")
        cap.drain()
    """)
    assert {record.call for record in records} == {0}
    assert records.text(1) == b"from the fork True\nbytes of the fork\npreexec\nparent goes on\n"
    assert records.text(2) == b"its stderr\n"
    assert records.text(7) == b""


def test_after_close_output_is_discarded_and_nobody_fails(run: Run) -> None:
    records = run("""
        before = threading.active_count()
        sys.stdout.write("kept, though not a whole line")
        os.write(2, b"kept too")
        cap.close()
        assert threading.active_count() == before - 1
        print("gone")
        sys.stdout.flush()
        sys.stderr.buffer.write(b"gone")
        os.write(1, b"x" * 1000000)
        subprocess.check_call(["/bin/echo", "gone"])
        cap.drain()
        cap.flush_call(0)
        cap.tick()
        cap.post(lambda: 1 / 0)
        cap.close()
    """)
    assert sorted(records) == [(1, 0, b"kept, though not a whole line"), (2, 0, b"kept too")]


def test_close_does_not_wait_for_credit_for_ever(run: Run) -> None:
    run("""
        capture.PATIENCE = 0.2
        credit.clear()
        print("stuck")
        assert waiting.wait(30)
        cap.close()
    """)


def test_a_link_that_is_gone_makes_nobody_fail_or_wait(run: Run) -> None:
    run("""
        def emit(*_):
            raise OSError("link closed")
        for i in range(20000):
            print(i)
        os.write(1, b"x" * 1000000)
        cap.drain()
        assert isinstance(cap.error, OSError) and emitted == []
    """)


def test_closing_the_descriptor_does_not_spin_or_end_the_capture(run: Run) -> None:
    run("""
        import time
        os.close(1)
        began = time.process_time()
        time.sleep(0.3)  # a loop that spins uses all of it
        assert time.process_time() - began < 0.15
        print("still here")
        os.write(2, b"and here\\n")
        cap.drain()
        assert so_far() == b"still here\\nand here\\n"
        os.open(os.devnull, os.O_WRONLY)
    """)


def test_an_idle_capture_does_nothing(run: Run) -> None:
    run("""
        import resource, time
        def rests():
            return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        print("once", end="", flush=True)
        before = rests()
        time.sleep(0.4)
        assert rests() - before < 50  # how often any thread went to sleep
    """)


def test_the_write_end_stays_blocking(run: Run) -> None:
    run("""
        assert os.get_blocking(1) and os.get_blocking(2)
        code = "import os; assert os.get_blocking(1) and os.get_blocking(2)"
        assert subprocess.call([sys.executable, "-I", "-S", "-c", code]) == 0
    """)


def test_subprocesses_inherit_no_descriptor_but_the_three(run: Run) -> None:
    run("""
        os.set_inheritable(SPARE, False)
        code = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd')), flush=True)"
        subprocess.check_call([sys.executable, "-I", "-S", "-c", code], close_fds=False)
        cap.drain()
        assert so_far().startswith(b"[0, 1, 2, 3]\\n"), so_far()  # 3: the directory it reads
    """)


def test_a_print_may_bring_the_capture(run: Run) -> None:
    """print() holds no reference to the stream it writes to, and install() takes the last one away."""
    records = run("""
        class Later:
            def __getattr__(self, name):
                if not cap.streams:
                    cap.install()
                return getattr(cap.streams[0], name)
        sys.stdout = sys.__stdout__ = Later()
        print("first", "print")
        print("second")
        cap.drain()
    """, mode="later")
    assert records.text() == b"first print\nsecond\n"


def test_without_descriptors_install_says_so_and_changes_nothing(run: Run) -> None:
    run("""
        import resource, select
        before = sys.stdout, os.fstat(1), sorted(os.listdir("/proc/self/fd"))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        for spare in range(6):
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
            taken = []
            try:
                while True:
                    taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                pass
            for fd in taken[len(taken) - spare:]:
                os.close(fd)
            try:
                cap.install()
            except RuntimeError as error:
                assert "cannot capture" in str(error) and "open files" in str(error), error
            else:
                assert False, spare
            finally:
                for fd in taken[:len(taken) - spare]:
                    os.close(fd)
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert before == (sys.stdout, os.fstat(1), sorted(os.listdir("/proc/self/fd")))
        cap.install()  # and it can be tried again
        print("now")
        cap.drain()
        assert so_far() == b"now\\n"
    """, mode="later")


def test_without_a_thread_install_says_so_and_changes_nothing(run: Run) -> None:
    run("""
        import resource, select
        before = sys.stdout, os.fstat(1), sorted(os.listdir("/proc/self/fd"))
        threading.stack_size(1 << 38)
        resource.setrlimit(resource.RLIMIT_AS, (1 << 36, resource.getrlimit(resource.RLIMIT_AS)[1]))
        try:
            cap.install()
        except RuntimeError as error:
            assert "cannot capture" in str(error) and "start new thread" in str(error), error
        else:
            assert False
        assert before == (sys.stdout, os.fstat(1), sorted(os.listdir("/proc/self/fd")))
        cap.drain()
        cap.close()
    """, mode="later")


def test_an_exit_without_close_is_quick_and_quiet(interpreter: Interpreter) -> None:
    """The interpreter flushes our streams when no other thread runs any more."""
    script = """if 1:
        import sys
        sys.path.insert(0, sys.argv[1])
        from remotesvc.bootstrap.output import capture
        capture.PATIENCE = 1000  # an exit that waits for it does not come
        capture.Capture(lambda *_: None, lambda: 0).install()
        class Late:
            def __del__(self):
                print("late", flush=True)
        sys.late = Late()
        sys.stdout.write("no end")
    """
    command = [interpreter.path, "-I", "-S", "-B", "-c", script, str(ROOT)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_capture_loads_nothing_that_costs_time(interpreter: Interpreter) -> None:
    script = """if 1:
        import collections, io, os, sys, threading, time
        sys.path.insert(0, sys.argv[1])
        import remotesvc.bootstrap.output
        before = set(sys.modules)
        from remotesvc.bootstrap.output import capture, logs
        reporting = os.dup(2)
        capture.Capture(lambda *_: None, lambda: 0).install()
        new = set(sys.modules) - before - {"select"}
        os.write(reporting, " ".join(sorted(new)).encode())
    """
    command = [interpreter.path, "-I", "-S", "-B", "-c", script, str(ROOT)]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    parts = ("forks", "output.capture", "output.logs", "output.stdstreams", "output.units")
    names = ["remotesvc.bootstrap." + name for name in parts]
    assert (done.returncode, done.stderr.decode().split()) == (0, names)
