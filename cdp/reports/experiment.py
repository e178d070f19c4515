"""The HTML report of an experiment: verdict, charts, arms, cells, and the file that gives it
again."""

from __future__ import annotations

from collections.abc import Iterator

from cdp import __version__
from cdp.figures.experiment import (
    FIGURES,
    arm_points,
    dose_response,
    factors,
    heat_map,
    measured,
    pareto_front,
)
from cdp.figures.experiment_tables import arm_rows, cell_rows
from cdp.reports.page import NUMBERS, Page, Section, Table, page_html
from cdp.values.experiment import ExperimentResult


def experiment_html(
    result: ExperimentResult, *, settings: str, link: str = "", created: str = ""
) -> str:
    """One file that opens offline. settings: the experiment as YAML; link: opens the app with it;
    created: when this was written."""
    lead = result.verdict or "No pair of arms is finished yet."
    others = [result.basis] if result.basis else []
    others += [
        f"{arm.name} against {result.control}: {arm.difference.verdict}"
        for arm in result.arms
        if arm.difference is not None and arm.name != result.best
    ]
    when = f", {created}" if created else ""
    footer = f"Written by Contrastive-DP Studio {__version__}{when}. The file needs no network."
    sections = tuple(_sections(result, settings, link))
    return page_html(Page(result.name, lead, others, result.notes, sections, footer))


def _sections(result: ExperimentResult, settings: str, link: str) -> Iterator[Section]:
    known, varied = measured(result), factors(result)
    if known:
        first = result.objective[0] if result.objective[0] in known else known[0]
        table = Table(
            f"Shares in per cent, differences to {result.control} in points.",
            arm_rows(result),
            NUMBERS,
        )
        title = FIGURES[first]
        yield Section(title, (), [dose_response(result, first)], [table])
        if varied:
            yield Section(f"{title} arm by arm", (), [arm_points(result, first)])
        if len(varied) > 1:
            for figure in known:
                yield Section(
                    f"{FIGURES[figure]} over two settings",
                    (),
                    [heat_map(result, varied[0], varied[1], figure)],
                )
        if len(result.objective) > 1 and set(result.objective) <= set(known):
            yield Section("Front of two objectives", (), [pareto_front(result)])
    if result.proxies:
        text = tuple(proxy.sentence for proxy in result.proxies)
        yield Section("Which figure of the images deserves trust?", text)
    if result.cells:
        yield Section("Cells", tables=[Table("Shares in 0..1.", cell_rows(result), "All cells")])
    yield Section("How to run it again", (), (), (), "\n\n".join(filter(None, [settings, link])))
