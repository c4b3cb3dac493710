"""What a module of the user's own imports in a function. Python 3.6."""


def deeper() -> str:
    from tests.kernel import called

    return called.__name__
