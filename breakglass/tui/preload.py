"""What is made ready aside once a walk is on screen, while a person reads.

Not a part of opening: whatever is missing here is had on first use, a moment later.
"""

import gc
from importlib import import_module

from breakglass.runbook.model import Uses

SCREENS = ("screens.help.screen", "dialogs.searched_list", "dialogs.questions", "dialogs.confirm")
TRANSPORTS = {"clusters": "kubectl", "hosts": "ssh", "endpoints": "http", "programs": "local"}


def preload(uses: Uses) -> None:
    """Import what the next keys and steps need. Blocks; call it in a thread.

    All that is there by now stays, as far as it matters. The garbage collector leaves it out from here on: it
    stops everything for its search, which else takes several frames while output floods.
    """
    for name in SCREENS:
        import_module(f"breakglass.tui.{name}")
    for kind, transport in TRANSPORTS.items():
        if getattr(uses, kind):
            import_module(f"breakglass.transport.{transport}")
    gc.freeze()
