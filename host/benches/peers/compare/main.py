"""Compares: parses, prepares, runs in each environment, shows."""

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from .arguments import Options, parse
from .commands import Failed, say
from .comparison import Comparison
from .names import ALONE, BROKER, BROKER4, TARGET
from .peers import peers
from .results import Result, evaluate
from .servers import serving
from .tables import show
from .tools import prepare


def main() -> None:
    """Does what the command line asks for; ends the process where that fails."""
    options = parse()
    # As Ctrl-C: everything that was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        result = json.loads(options.show.read_text()) if options.show else compare(options)
    except KeyboardInterrupt:
        sys.exit(130)
    except (Failed, subprocess.CalledProcessError) as error:
        say(f"error: {error}")
        sys.exit(1)
    show(result, options.format)


def compare(options: Options) -> Result:
    """Runs the peers that are chosen, in each environment that is wanted."""
    tools = prepare(options)
    everyone = peers(tools)
    comparisons = []
    with tempfile.TemporaryDirectory(prefix="peers-", dir=TARGET) as scratch:
        for environment in filter(options.wants, (ALONE, BROKER, BROKER4)):
            chosen = [peer for peer in everyone if options.chooses(peer, environment)]
            if not chosen:
                continue
            with serving(environment, options.broker, tools) as server:
                comparison = Comparison(environment, server, chosen, tools, Path(scratch), options)
                comparison.run()
                comparisons.append(comparison)
    if not comparisons:
        raise Failed("there is no such peer")
    return evaluate(comparisons, options)
