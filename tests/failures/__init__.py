"""What holds for `describe` and `rebuild` in every Python: plain functions with plain asserts, in 3.6 syntax.

tests/unit/test_failures.py runs each in the Python of the tests, tests/kernel/test_failures.py all of them in
every interpreter found, by way of `run`.
"""
