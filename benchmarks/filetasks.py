"""What the benchmarks of files call on a target of Mitogen's."""


def mitogen_get(context, source, target):  # type: ignore[no-untyped-def]
    """Fetch a file by Mitogen's FileService."""
    import mitogen.service

    with open(target, "wb") as file:
        ok, _metadata = mitogen.service.FileService.get(context=context, path=source, out_fp=file)
    assert ok
