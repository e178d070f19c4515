"""What is said of an evaluation, in words that page, command line and HTML report share. Needs
neither torch nor charts."""

from __future__ import annotations

from cdp.values.evaluation import EvalReport, Masking
from cdp.values.text import NORMS, counted, duration, share_with_bounds, threat_text

_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def images_text(report: EvalReport) -> str:
    """ "1,000 test images of Fashion-MNIST"."""
    kind = "test images of" if report.part == "test" else f"images of set {report.part}, classes of"
    return f"{report.n:,} {kind} {report.dataset_title}"


def headline(report: EvalReport) -> str:
    """The number to cite with all that it rests on, in one sentence."""
    robust, clean = report.main.robust, report.main.clean
    return (
        f"{share_with_bounds(robust)} of {images_text(report)} withstand {report.attack},"
        f" {threat_text(report.norm, report.epsilon)}; {share_with_bounds(clean)} are right without"
        f" attack. Intervals: {robust.level * 100:.0f} % (Wilson)."
    )


def masking_sentence(masking: Masking) -> str:
    """All checks of gradient masking in one sentence."""
    passed, warn, unclear = (
        [check.title.lower() for check in masking.checks if check.verdict == verdict]
        for verdict in ("pass", "warn", "unclear")
    )
    total, nothing = len(masking.checks), "Nothing can be said of gradient masking:"
    if not total:
        return f"{nothing} no check was made."
    if warn:
        rest = f"; {len(unclear)} unclear: {', '.join(unclear)}" if unclear else ""
        return (
            f"{len(warn)} of {total} checks {'warns' if len(warn) == 1 else 'warn'} of gradient"
            f" masking: {', '.join(warn)}{rest}. The number may be too high."
        )
    if not passed:
        few = "the one check is" if total == 1 else f"all {_checks(total)} are"
        return f"{nothing} {few} unclear."
    rest = f", {len(unclear)} of them unclear: {', '.join(unclear)}" if unclear else ""
    return f"No sign of gradient masking in {_checks(total)}{rest}."


def _checks(count: int) -> str:
    words = counted(count, "check")
    return f"{_COUNTS[count]} {words.split()[1]}" if count < len(_COUNTS) else words


def unseen_gap(report: EvalReport) -> str:
    """Why the other norm is not among the unseen threats; "" where it is, or where none was asked
    for."""
    other = "l2" if report.norm == "linf" else "linf"
    if not report.unseen or any(threat.norm == other for threat in report.unseen):
        return ""
    return (
        f"{NORMS[other]} was not measured: {report.dataset_title} has no conventional budget in"
        f" this norm. To measure it, evaluate again with norm {other} and a budget of your own."
    )


def facts(report: EvalReport) -> dict[str, dict[str, str]]:
    """What was evaluated, on what and how, as page and report show it: group -> name -> value."""
    model, sets = report.model, report.weights
    real, synthetic = (f"{n:,}" if n else "" for n in (model.real_images, model.synthetic_images))
    network = {"name": model.name, "source": model.source, "network": model.architecture}
    network |= {"training": model.run, "real images": real}
    network |= {"synthetic sets": ", ".join(model.sets), "synthetic images": synthetic}
    network |= {f"SHA-256 of {weights.which} weights": weights.sha256 for weights in sets}
    images = {"data set": report.dataset_title, "part": report.part, "number": f"{report.n:,}"}
    images["SHA-256 of images and labels"] = report.rows_sha256
    attack = {"called": report.label, "suite": report.attack}
    attack |= {"threat": threat_text(report.norm, report.epsilon), "seed": str(report.seed)}
    largest = "largest perturbation that counted"
    attack |= {f"{largest}, {part.which} weights": f"{part.largest:.6g}" for part in sets}
    work = {"device": report.device, "time": duration(report.seconds), "finished": report.created}
    parts = {"model": network, "images": images, "attack": attack}
    parts |= {"version": dict(report.versions), "work": work}
    return {
        group: {name: value for name, value in values.items() if value}
        for group, values in parts.items()
    }
