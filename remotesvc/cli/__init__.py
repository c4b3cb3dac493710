"""The command line. Results go to stdout, everything else to stderr; exit codes are in `exitcodes`.

Nothing heavy is imported at module top here: `remotesvc --help` needs click and nothing else.
"""
