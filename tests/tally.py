"""One closing line over several pytest runs: ``python tests/tally.py unit.xml browser.xml``.

A run that left no report, or an empty one, counts as a failure. Exit code 0 only where everything
passed.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def counts(report: Path) -> dict[str, int]:
    """passed, failed and skipped of one JUnit report; a missing or unreadable report is one
    failure."""
    try:
        suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    except (OSError, ElementTree.ParseError) as error:
        print(f"{report}: no report ({error})", file=sys.stderr)
        return {"passed": 0, "failed": 1, "skipped": 0}
    total, failed, skipped = (
        sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "failures", "skipped")
    )
    failed += sum(int(suite.get("errors", 0)) for suite in suites)
    return {"passed": max(total - failed - skipped, 0), "failed": failed, "skipped": skipped}


def main(reports: list[str]) -> int:
    """Print the line and return the exit code."""
    each = [counts(Path(report)) for report in reports]
    passed, failed, skipped = (
        sum(one[key] for one in each) for key in ("passed", "failed", "skipped")
    )
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
