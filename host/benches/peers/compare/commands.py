"""Running other programs, and saying what happens."""

import subprocess
import sys
from pathlib import Path


class Failed(Exception):
    """What went wrong, in words for the person who runs this."""


def say(text: object) -> None:
    """Tells that person; standard output is for the result."""
    print(text, file=sys.stderr, flush=True)


def output(*command: str | Path) -> str:
    """What a command prints; it is shown if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{command[0]} failed:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout


def end(process: subprocess.Popen[str]) -> None:
    """Ends a process that still runs: by a request, and by force if it does not obey."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
