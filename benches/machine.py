"""What a measurement ran on, and how busy others kept it meanwhile; a page is written only if they left it alone."""

import os
import platform
import resource
import sys
import time
from pathlib import Path

# Share of the machine that others may take before the figures are worth nothing.
OTHERS_ALLOWED = 0.03


def describe() -> dict:
    """Processor model, number of cores this process may use, system."""
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _busy_seconds() -> float:
    """CPU seconds that all processes of this machine have used since it started, stolen time included."""
    with open("/proc/stat", encoding="utf-8") as file:
        user, nice, system, _idle, _iowait, irq, softirq, steal = (int(x) for x in file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Watch:
    """Measures which share of the machine other processes took since it was made."""

    def __init__(self) -> None:
        self.began, self.busy, self.own = time.monotonic(), _busy_seconds(), _own_seconds()

    def share_of_others(self) -> float:
        """Share of all cores' time, between 0 and 1; meaningful after a second or two."""
        elapsed = time.monotonic() - self.began
        others = (_busy_seconds() - self.busy) - (_own_seconds() - self.own)
        return max(0.0, others / (elapsed * os.cpu_count()))


def write(page: Path, text: str, others: float) -> None:
    """Writes a page of figures; ends the program, with the text on stderr, if others took too much of the machine."""
    if others > OTHERS_ALLOWED:
        print(text, file=sys.stderr)
        raise SystemExit(
            f"Other processes took {100 * others:.1f}% of this machine meanwhile (allowed: {100 * OTHERS_ALLOWED:.0f}%), so the figures "
            f"above are worth little and docs/{page.name} stays as it is. Run it again when the machine is idle."
        )
    page.write_text(text, encoding="utf-8")
    print(f"written: docs/{page.name}", file=sys.stderr)
