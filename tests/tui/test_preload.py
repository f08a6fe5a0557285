"""What is made ready aside: imported before it is wanted, and out of the garbage collector's way."""

import subprocess
import sys

SCRIPT = """
import gc, sys
from breakglass.runbook.model import Uses
from breakglass.tui.preload import preload

preload(Uses(hosts=("box",)))
screens = ("breakglass.tui.screens.help.screen", "breakglass.tui.dialogs.confirm")
wanted = (*screens, "paramiko", "httpx", "kubernetes")
print([name for name in wanted if name in sys.modules], gc.get_freeze_count() > 10_000)
"""


def test_the_screens_behind_the_keys_and_the_transports_that_the_runbook_uses_are_imported() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert (
        done.stdout
        == "['breakglass.tui.screens.help.screen', 'breakglass.tui.dialogs.confirm', 'paramiko'] True\n"
    )
