"""The kernel: sent to every child before anything else, and run by the master from these same files.

It is imported as ``remotesvc.bootstrap``, never as ``bootstrap``: a second name would mean a second identity
of every class in it. Python 3.6 syntax, relative imports only, and no standard library beyond what Debian's
python3-minimal has.
"""
