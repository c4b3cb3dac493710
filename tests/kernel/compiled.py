"""Called on targets: what the kernel there had to compile."""

import sys


def kernel() -> "tuple[list[str], list[str], bool]":
    """(modules with bytecode that came along, those loaded without, is the rest of the kernel at work)."""
    finder = next(each for each in sys.meta_path if hasattr(each, "codes"))
    loaded = [name for name in sys.modules if name.startswith("remotesvc.bootstrap")]
    compiled = sorted(set(loaded) - set(finder.codes) - {"remotesvc.bootstrap.finder", "remotesvc.bootstrap.stage0"})
    return sorted(finder.codes), compiled, "remotesvc.bootstrap.calls.reader_handover" in loaded


def source_of_frame() -> str:
    """What a traceback or a debugger shows of the kernel."""
    import inspect

    from remotesvc.bootstrap.links import wire
    return inspect.getsource(wire.Frame)
