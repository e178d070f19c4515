"""What is said of an evaluation, in words that page, command line and HTML report share. Needs
neither torch nor charts."""

from __future__ import annotations

from cdp.values.evaluation import EvalReport, Masking
from cdp.values.text import NORMS, share_with_bounds, threat_text

_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def images_text(report: EvalReport) -> str:
    """ "1,000 test images of Fashion-MNIST"."""
    kind = "test images of" if report.part == "test" else f"images of set {report.part}, classes of"
    return f"{report.n:,} {kind} {report.dataset_title}"


def headline(report: EvalReport) -> str:
    """The number to cite with all that it rests on, in one sentence."""
    main = report.main
    return (
        f"{share_with_bounds(main.robust)} of {images_text(report)} withstand {report.attack},"
        f" {threat_text(report.norm, report.epsilon)}; {share_with_bounds(main.clean)} are right without"
        f" attack. Intervals: {main.robust.level * 100:.0f} % (Wilson)."
    )


def masking_sentence(masking: Masking) -> str:
    """All checks of gradient masking in one sentence."""
    by = {
        verdict: [check.title.lower() for check in masking.checks if check.verdict == verdict]
        for verdict in ("pass", "warn", "unclear")
    }
    total = len(masking.checks)
    if not total:
        return "Nothing can be said of gradient masking: no check was made."
    if by["warn"]:
        unclear = (
            f"; {len(by['unclear'])} unclear: {', '.join(by['unclear'])}" if by["unclear"] else ""
        )
        return (
            f"{len(by['warn'])} of {total} checks {'warns' if len(by['warn']) == 1 else 'warn'} of"
            f" gradient masking: {', '.join(by['warn'])}{unclear}. The number may be too high."
        )
    checks = (
        f"{_COUNTS[total] if total < len(_COUNTS) else total} {'check' if total == 1 else 'checks'}"
    )
    if not by["unclear"]:
        return f"No sign of gradient masking in {checks}."
    if not by["pass"]:
        return (
            "Nothing can be said of gradient masking:"
            f" {'the one check is' if total == 1 else f'all {checks} are'} unclear."
        )
    return (
        f"No sign of gradient masking in {checks}, {len(by['unclear'])} of them unclear:"
        f" {', '.join(by['unclear'])}."
    )


def unseen_gap(report: EvalReport) -> str:
    """Why the other norm is not among the unseen threats; "" where it is, or where none was asked
    for."""
    other = "l2" if report.norm == "linf" else "linf"
    if not report.unseen or any(one.norm == other for one in report.unseen):
        return ""
    return (
        f"{NORMS[other]} was not measured: {report.dataset_title} has no conventional budget in"
        f" this norm. To measure it, evaluate again with norm {other} and a budget of your own."
    )
