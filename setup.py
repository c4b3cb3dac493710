"""What pyproject.toml cannot say, all of it because the kernel's files lie in ``bootstrap/``.

They are imported as ``remotesvc.bootstrap``, through the symlink ``remotesvc/bootstrap``. Where the symlink
is intact this is an ordinary tree, and an editable install of it is one plain path entry, which type checkers
and editors follow (they run no import hooks, and with a mapping setuptools installs one). Where it was lost
on the way, in a zip archive or on a file system without symlinks, the mapping takes its place.
"""

import os
import shutil
from collections.abc import Sequence

from setuptools import find_packages, setup
from setuptools.command.build import build
from setuptools.command.sdist import sdist

LINK = os.path.join("remotesvc", "bootstrap")
LINKED = os.path.isdir(LINK)


class BuildAnew(build):
    """A build of what is there now: ``pip install .`` leaves ``build/lib``, and the next would install all of that,
    modules that are gone among it."""

    def run(self) -> None:
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class SdistWithLink(sdist):
    """An sdist with the same tree as a checkout: the kernel's files once, and the symlink."""

    def make_release_tree(self, base_dir: str, files: Sequence[str]) -> None:
        super().make_release_tree(base_dir, files)
        link = os.path.join(base_dir, LINK)
        if LINKED:
            os.rename(link, os.path.join(base_dir, "bootstrap"))
        os.symlink(os.path.join(os.pardir, "bootstrap"), link)


setup(
    packages=sorted(
        {
            "remotesvc.bootstrap",
            *("remotesvc.bootstrap." + name for name in find_packages("bootstrap")),
            *find_packages(include=["remotesvc", "remotesvc.*"]),
        }
    ),
    package_dir={"": "."} if LINKED else {"remotesvc.bootstrap": "bootstrap"},
    cmdclass={"build": BuildAnew, "sdist": SdistWithLink},
)
