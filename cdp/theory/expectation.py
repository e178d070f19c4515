"""Expected robust accuracy of a learner on n synthetic samples: exact where there is an exact form,
else the large-d formula, each by name."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from cdp.errors import InputError
from cdp.theory import checks, large_d, quadrature
from cdp.theory.cases import Cases, cases
from cdp.theory.checks import Floats
from cdp.theory.model import Problem, Synthetic, soft_threshold

if TYPE_CHECKING:
    from cdp.config.theory import Learner

Kind = Literal["exact", "asymptotic"]
LEARNERS: tuple[Learner, ...] = (
    "averaging",
    "linf-threshold",
    "l2-optimal",
    "adversarial-logistic",
)
_MANY = 1e15


@dataclass(frozen=True)
class Estimate:
    """Expected robust accuracy, 0 to 1, over the learner's random samples. kind: "exact" up to
    quadrature (below 1e-6; 1e-5 under label noise and correlation together), or "asymptotic" in d.
    """

    value: float
    kind: Kind


def expected(
    problem: Problem, synthetic: Synthetic, n: float, learner: Learner, *, quick: bool = False
) -> Estimate | None:
    """Expected robust accuracy of this learner on n samples; n = math.inf is the limit.

    None where there is no formula: adversarial-logistic on finitely many samples, and in the limit
    under label noise or correlation. quick: as in ``expected_cases``.
    Raises InputError for unknown learners, a mean that does not fit mu, and linf-threshold under an
    l2 budget.
    """
    checked(problem, synthetic, learner)
    count = checks.sample_count(n)
    if kind_of(problem, count, learner, plain=is_plain(synthetic)) is None:
        return None
    one = cases(
        problem,
        [synthetic.mean],
        np.ones((1, 1)),
        count,
        noise=synthetic.noise,
        label_noise=synthetic.label_noise,
        correlation=synthetic.correlation,
    )
    values, kinds = expected_cases(one, learner, quick=quick)
    return Estimate(float(values[0]), kinds)


def expected_cases(many: Cases, learner: Learner, *, quick: bool = False) -> tuple[Floats, Kind]:
    """Expected robust accuracy in every case (M,), and how it was found: "asymptotic" where one of
    them is.

    Only for learners with a formula (see kind_of). In the limit the weights are those that the mean
    itself gives. quick: whether integrals may be read off a table, within 1e-5 (5e-5 where
    |mu|/sigma is above 20).
    """
    many = _settled(many, learner)
    problem, limit = many.problem, np.isinf(many.n)
    values = np.empty(len(many))
    plain = many.label_noise == 0 and many.correlation == 0
    if limit.any():
        values[limit] = _limits(_part(many, limit), learner)
    kind: Kind = "exact"
    if not limit.all():
        found = kind_of(problem, float(many.n[~limit][0]), learner, plain=plain)
        if found is None:
            raise InputError(
                f"learner: {learner} has no formula for finitely many samples: simulate it"
            )
        kind = found
        finite = _part(many, ~limit)
        threshold = problem.epsilon if learner == "linf-threshold" else 0.0
        values[~limit] = (
            quadrature.averaged(finite, quick=quick)
            if kind == "exact"
            else large_d.averaged(finite, threshold=threshold)
        )
    return values, kind


def kind_of(problem: Problem, n: float, learner: Learner, *, plain: bool) -> Kind | None:
    """How the expectation is found, None where it cannot be. plain: neither label noise nor
    correlation."""
    if learner == "adversarial-logistic":
        return "exact" if math.isinf(n) and plain else None
    # Without a budget the norms agree, and in one dimension both budgets move x by the same amount.
    alike = problem.norm == "l2" or problem.epsilon == 0 or problem.dim == 1
    if math.isinf(n) or (alike and (learner != "linf-threshold" or problem.epsilon == 0)):
        return "exact"
    return "asymptotic"


def is_plain(synthetic: Synthetic) -> bool:
    """Whether there is neither label noise nor correlation."""
    return synthetic.label_noise == 0 and synthetic.correlation == 0


def checked(problem: Problem, synthetic: Synthetic, learner: str) -> None:
    """Raises InputError where these three do not go together."""
    if learner not in LEARNERS:
        raise InputError(f"learner {learner!r} is unknown: choose {', '.join(LEARNERS)}")
    if learner == "linf-threshold" and problem.norm == "l2":
        raise InputError(
            "learner: linf-threshold thresholds at an l_inf budget: choose norm linf, or the"
            " learner l2-optimal"
        )
    if len(synthetic.mean) != problem.dim:
        raise InputError(
            f"mean has {len(synthetic.mean)} coordinates where mu has {problem.dim}: give both the"
            " same"
        )


def _part(many: Cases, rows: np.ndarray) -> Cases:
    return replace(many, coefficients=many.coefficients[rows], n=many.n[rows])


def _limits(many: Cases, learner: Learner) -> Floats:
    """Weights without spread: the mean, or its soft threshold."""
    from scipy.special import ndtr

    problem, weights = many.problem, _shrunk(many)
    if problem.norm == "linf" and learner in ("linf-threshold", "adversarial-logistic"):
        weights = soft_threshold(weights, problem.epsilon)
    if problem.norm == "l2" and learner == "adversarial-logistic":
        # Its loss rises in every direction where the budget covers the mean, so it learns nothing.
        weights = weights * (np.sqrt(many.dot(weights, weights)) > problem.epsilon)[:, None]
    length = np.sqrt(many.dot(weights, weights))
    reach = many.dot(np.abs(weights), np.ones_like(many.mu)) if problem.norm == "linf" else length
    score = many.dot(weights, many.mu) - problem.epsilon * reach
    return np.asarray(
        ndtr(np.where(length > 0, score / (problem.sigma * np.where(length > 0, length, 1.0)), 0.0))
    )


def _shrunk(many: Cases) -> Floats:
    """What the average tends to, (M, G)."""
    return many.means * (1 - 2 * many.label_noise)


def _settled(many: Cases, learner: Learner) -> Cases:
    """A mean of 0, or labels of which half are flipped, leave an average that is random at every n:
    its limit is that of a very large n."""
    if learner not in ("averaging", "l2-optimal"):
        return many
    lost = np.isinf(many.n) & ~_shrunk(many).any(axis=1)
    return replace(many, n=np.where(lost, _MANY, many.n))
