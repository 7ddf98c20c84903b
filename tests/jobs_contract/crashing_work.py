"""Work for worker processes, importable by them."""

import os
import signal
import time
from pathlib import Path


def work(task: str, device: str) -> str:
    words = task.split()
    if "segv" in words:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "kill" in words:
        os.kill(os.getpid(), signal.SIGKILL)
    if "once" in words:  # dies the first time only
        mark = Path(words[-1])
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGSEGV)
    if "raise" in words:
        raise ValueError(f"{task} cannot be")
    if "sleep" in words:
        time.sleep(60)
    if "lambda" in words:
        return lambda: None  # type: ignore[return-value]
    return f"{task} on {device}"
