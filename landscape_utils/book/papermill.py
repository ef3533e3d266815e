"""papermill's command, with a kernel that is spoken to through files: `python -m landscape_utils.book.papermill`.

For a kernel papermill looks for free TCP ports, which the kernel takes a second later. If another program has taken
one in between, the kernel dies, or both wait for each other without end. A socket that is a file in a folder of its
own is taken by nobody else.
"""

import os
from tempfile import TemporaryDirectory

from papermill.cli import papermill
from papermill.engines import NBClientEngine, papermill_engines
from traitlets.config import Config

START = 3600  # s: a kernel that has not started by then hangs, however slow the machine


class FileEngine(NBClientEngine):
    """papermill's own engine, with another way to the kernel."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **options):
        with TemporaryDirectory() as folder:
            way = {"transport": "ipc", "ip": f"{folder}/kernel"} if os.name == "posix" else {}
            options |= {"config": Config(KernelManager=way), "start_timeout": START}
            super().execute_managed_notebook(nb_man, kernel_name, **options)


if __name__ == "__main__":
    papermill_engines.register(None, FileEngine)  # None: the engine of whoever names none
    papermill()
