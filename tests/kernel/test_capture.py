"""The capture of stdout and stderr as it travels, in every interpreter found."""

from __future__ import annotations

from tests.kernel.capturing import Run

pytest_plugins = ("tests.kernel.capture_fixtures",)


def test_print_is_attributed_to_stream_and_call(run: Run) -> None:
    records = run("""
        capture.PARTIAL = 1000  # or a line whose pieces come late goes in pieces
        print("before")
        in_call(7, lambda: (print("out", 1), print("err", 2, file=sys.stderr))).join()
        cap.drain()
    """)
    assert records == [(1, 0, b"before\n"), (1, 7, b"out 1\n"), (2, 7, b"err 2\n")]


def test_what_goes_to_the_descriptor_is_captured_too(run: Run) -> None:
    records = run("""
        os.write(1, b"os.write\\n")
        subprocess.check_call(["/bin/sh", "-c", "echo from sh; echo and its stderr >&2"])
        os.write(2, b"stderr too\\n")
        cap.drain()
        assert so_far().count(b"\\n") == 4
    """)
    assert records.text(1) == b"os.write\nfrom sh\n"
    assert records.text(2) == b"and its stderr\nstderr too\n"


def test_printf_of_a_c_library_is_captured(run: Run) -> None:
    records = run("""
        try:
            import ctypes
        except ImportError:
            print("C 42")  # an interpreter built without it
        else:
            libc = ctypes.CDLL(None)
            libc.printf(b"C %d\\n", 42)
            libc.fflush(None)
        cap.drain()
    """)
    assert records.text() == b"C 42\n"


def test_order_of_print_and_os_write_in_a_thread(run: Run) -> None:
    body = """
        for i in range(300):
            print("p%d" % i)
            os.write(1, b"w%d\\n" % i)
            os.write(1, b"half-")  # its end comes by the other way
            print("line%d" % i)
            subprocess.check_call(["/bin/echo", "sub"]) if i % 100 == 0 else None
    """
    expected = "".join(f"p{i}\nw{i}\nhalf-line{i}\n" + ("sub\n" if i % 100 == 0 else "") for i in range(300))
    assert run(body).text() == expected.encode()


def test_drain_returns_when_all_before_it_is_emitted(run: Run) -> None:
    run("""
        for i in range(200):
            os.write(1, b"x%d" % i)
            os.write(2, b"y%d\\n" % i)
            print("z%d" % i)
            cap.drain()
            for part in b"x%d" % i, b"y%d\\n" % i, b"z%d\\n" % i:
                assert so_far().endswith(part) or part in so_far(), (part, so_far()[-50:])
    """)


def test_a_partial_line_goes_by_itself_after_a_while(run: Run) -> None:
    records = run("""
        import time
        began = time.monotonic()
        sys.stdout.write("name? ")
        while not emitted:
            assert time.monotonic() < began + 30
            time.sleep(0.005)
        assert time.monotonic() - began >= capture.PARTIAL * 0.9
        os.write(1, b"raw? ")
        while len(emitted) < 2:
            assert time.monotonic() < began + 30
            time.sleep(0.005)
    """)
    assert records == [(1, 0, b"name? "), (1, 0, b"raw? ")]


def test_a_line_printed_in_pieces_goes_as_one(run: Run) -> None:
    records = run("""
        capture.PARTIAL = 1000
        for i in range(100):
            sys.stdout.write(str(i % 10))
        print()
        cap.drain()
        assert so_far() == b"0123456789" * 10 + b"\\n"
    """)
    assert len(records) == 1


def test_flush_sends_a_partial_line_at_once(run: Run) -> None:
    run("""
        import time
        capture.PARTIAL = 1000
        print("a", end="", flush=True)
        assert so_far() == b"a"
        print("b", end="", file=sys.stderr)
        assert so_far() == b"a"
        sys.stderr.flush()
        assert so_far() == b"ab"
        capture.PARTIAL = 0.1
    """)


def test_flush_sends_whole_lines_at_once_but_waits_for_few_of_very_many(run: Run) -> None:
    records = run("""
        for i in range(20):  # a burst, before a crash perhaps
            print(i, flush=True)
            assert so_far().endswith(b"%d\\n" % i)
        capture.OFTEN = 1000
        for i in range(20, 3000):
            print(i, flush=True)
        print("partial", end="", flush=True)
        assert so_far().endswith(b"\\n2999\\npartial")
    """)
    assert records.text() == b"".join(b"%d\n" % i for i in range(3000)) + b"partial"
    assert len(records) < 2500


def test_each_flush_of_what_is_kept_waits(run: Run) -> None:
    run("""
        capture.OFTEN = 1000
        cap.keeps = True
        for i in range(200):
            print(i, flush=True)
            assert so_far().endswith(b"%d\\n" % i)
    """)


def test_a_signal_handler_may_print_between_the_pieces_of_a_line(run: Run) -> None:
    records = run("""
        import signal
        signal.signal(signal.SIGUSR1, lambda *_: print("in", "the", "handler", file=sys.stderr))
        for i in range(300):
            sys.stdout.write("begun ")
            if i % 3 == 0:
                os.kill(os.getpid(), signal.SIGUSR1)
            sys.stdout.write("and ")
            sys.stdout.write("ended\\n")
        cap.drain()
    """)
    assert records.text(1) == b"begun and ended\n" * 300
    assert records.text(2) == b"in the handler\n" * 100


def test_flush_call_sends_the_partial_lines_of_that_call_only(run: Run) -> None:
    run("""
        capture.PARTIAL = 1000
        in_call(3, lambda: print("three", end="")).join()
        in_call(4, lambda: print("four", end="")).join()
        cap.drain()
        assert emitted == []
        cap.flush_call(4)
        assert emitted == [(1, 4, b"four")]
        cap.flush_call(3)
        assert emitted[1:] == [(1, 3, b"three")]
        capture.PARTIAL = 0.1
    """)


def test_flush_call_reaches_into_a_wrapper_of_the_users(run: Run) -> None:
    run("""
        import io
        sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="latin-1")
        print("wrapped")
        cap.flush_call(0)
        assert so_far() == b"wrapped\\n"
        sys.stdout = None
        cap.flush_call(0)
        sys.stdout = sys.__stdout__  # drops the wrapper, which closes what it is around
        print("still open")
        cap.drain()
        assert so_far() == b"wrapped\\nstill open\\n"
    """)


def test_bytes_that_are_no_utf_8_come_through(run: Run) -> None:
    records = run(r"""
        os.write(1, b"\xff\xfe\n")
        sys.stdout.buffer.write(b"\x80\n")
        assert sys.stdout.buffer.write(bytearray(b"ba\n")) == 3
        assert sys.stdout.buffer.write(memoryview(b"mv\n")) == 3
    """)
    assert records.text() == b"\xff\xfe\n\x80\nba\nmv\n"


def test_no_text_is_refused(run: Run) -> None:
    records = run(r"""
        assert sys.stdout.write("file \udcff\n") == 7
        sys.stdout.write("odd \ud800\n")
        sys.stdout.write("\u20ac\U0001f600\n")
        sys.stdout.writelines(["a\n", "b\n"])
        for wrong in b"bytes", 1, None:
            try:
                sys.stdout.write(wrong)
            except TypeError as error:
                assert "must be str" in str(error)
            else:
                assert False
        try:
            sys.stdout.buffer.write("text")
        except TypeError:
            pass
        else:
            assert False
    """)
    assert records.text() == b"file \xff\nodd \\ud800\n" + "€\U0001f600\n".encode() + b"a\nb\n"


def test_the_streams_look_like_streams(run: Run) -> None:
    run("""
        import io
        for fd, stream in (1, sys.stdout), (2, sys.stderr):
            assert stream.fileno() == fd and stream.buffer.fileno() == fd
            assert not stream.isatty() and not stream.buffer.isatty()
            assert stream.writable() and not stream.readable() and not stream.seekable()
            assert stream.encoding == "utf-8" and stream.errors and stream.mode == "w"
            assert stream.name == {1: "<stdout>", 2: "<stderr>"}[fd]
            assert isinstance(stream, io.TextIOBase) and isinstance(stream.buffer, io.BufferedIOBase)
            assert stream.detach() is stream.buffer
            assert stream.reconfigure(encoding="latin-1") is None
            with stream:
                pass
            stream.close()
            stream.buffer.close()
            assert not stream.closed and not stream.buffer.closed
            print("after close", file=stream)
        cap.drain()
        assert so_far() == b"after close\\n" * 2
        assert sys.__stdout__ is sys.stdout and sys.__stderr__ is sys.stderr
    """)


def test_faulthandler_finds_its_descriptor(run: Run) -> None:
    records = run("""
        import faulthandler
        faulthandler.enable()
        faulthandler.dump_traceback(all_threads=False)
        faulthandler.disable()
        cap.drain()
        assert b"most recent call first" in so_far()
    """)
    assert b"most recent call first" in records.text(2)


def test_a_burst_of_a_mebibyte_arrives_whole(run: Run) -> None:
    records = run("""
        line = "x" * 99
        for _ in range(10486):
            print(line)
        sys.stdout.write("y" * (1 << 20) + "\\n")
        subprocess.check_call([sys.executable, "-I", "-S", "-c", "print('s' * (1 << 20))"])
        data = b"w" * (1 << 20)
        while data:
            data = data[os.write(1, data):]
    """)
    wanted = (b"x" * 99 + b"\n") * 10486 + b"".join(letter * (1 << 20) + b"\n" for letter in (b"y", b"s"))
    assert records.text() == wanted + b"w" * (1 << 20)
    assert max(len(record.data) for record in records) <= 65536


def test_units_are_whole_lines_and_lines_are_cut(run: Run) -> None:
    records = run("""
        sys.stdout.write("".join("%099d\\n" % i for i in range(1000)))  # many lines to a unit
        sys.stdout.write("m" * 40000 + "\\n")  # more than a unit, less than a line may have
        sys.stdout.write("z" * 70000 + "\\n")
    """)
    short = [record.data for record in records if record.data[0] in b"0"]
    assert all(data.endswith(b"\n") and len(data) <= 32768 for data in short)
    assert len(short) <= 5
    assert [len(record.data) for record in records[len(short) :]] == [40001, 65536, 70001 - 65536]


def test_few_units_for_many_lines(run: Run) -> None:
    """While one emit waits, what is printed gathers, and goes together."""
    records = run("""
        credit.clear()
        print("first")
        assert waiting.wait(30)
        for i in range(1000):
            print(i)
        credit.set()
        cap.drain()
    """)
    assert len(records) == 2
    assert records.text() == b"first\n" + b"".join(b"%d\n" % i for i in range(1000))


def test_calls_that_print_at_the_same_time_do_not_mix_lines(run: Run) -> None:
    records = run("""
        capture.PARTIAL = 1000  # what is begun and not gone on with goes, and another thread's line may be next
        def talk(name):
            for i in range(2000):
                print(name, i, name)
        threads = [in_call(number, talk, "call-%d" % number) for number in (1, 2)]
        threads += [in_call(3, talk, "call-3-%d" % twin) for twin in (0, 1)]  # threads of one call
        for thread in threads:
            thread.join()
    """)
    for call in (1, 2):
        expected = "".join(f"call-{call} {i} call-{call}\n" for i in range(2000))
        assert records.text(1, call) == expected.encode()
    lines = records.text(1, 3).decode().splitlines()
    for twin in "01":
        name = f"call-3-{twin}"
        assert [line for line in lines if line.startswith(name)] == [f"{name} {i} {name}" for i in range(2000)]
    assert len(lines) == 4000
