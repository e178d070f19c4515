"""A set or a training keeps its colour and mark while others come and go, and has those of its
role."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np

from cdp import paths
from cdp.config.generate import GenerateConfig, flatten
from cdp.data.sets import delete_set, save_set
from cdp.figures.palette import role_sign
from cdp.results.signs import FILE, model_sign, run_signs, set_signs
from cdp.values.types import Role
from cdp.work.launch import delete
from tests.results.compared_runs import training


def save(name: str, config: dict[str, Any] | None) -> None:
    image = np.zeros((4, 4, 4, 1), np.uint8)
    save_set(
        name,
        image,
        None,
        {"source": "", "class_names": []} | ({"config": config} if config else {}),
    )


def made(name: str, loss: str, **more: Any) -> None:
    save(name, flatten(GenerateConfig()) | {"loss": loss} | more)


def is_(sign: Any, role: Role, number: int) -> bool:
    wanted = role_sign(role, number)
    return (sign.color, sign.symbol) == (wanted.color, wanted.symbol)


def test_a_set_has_the_sign_of_its_role_whatever_it_is_called() -> None:
    made("plain", "none")
    made("unguided", "supcon")
    save("from-elsewhere", None)
    signs = set_signs(["unguided", "plain", "fashion-mnist:test", "from-elsewhere"])
    assert is_(signs["unguided"], "guided", 0) and is_(signs["plain"], "unguided", 0)
    assert is_(signs["fashion-mnist:test"], "real", 0)
    assert is_(signs["from-elsewhere"], "other", 0)


def test_sets_keep_their_signs_while_others_come_and_go() -> None:
    for name, strength in {"a": 0.1, "b": 0.2, "c": 0.3}.items():
        made(name, "supcon", strength=strength)
    first = set_signs(["b"]) | set_signs(["c", "a"])
    delete_set("b")
    made("d", "supcon", strength=0.4)
    assert set_signs(["a", "c", "d"]) == {
        "a": first["a"],
        "c": first["c"],
        "d": role_sign("guided", 3, "d"),
    }
    made("b", "supcon", strength=0.2)
    assert set_signs(["b"])["b"] == first["b"]


def test_sets_of_one_arm_share_a_sign_whatever_their_seeds_and_sizes() -> None:
    for seed in range(3):
        made(f"guided-{seed}", "supcon", seed=seed)
        made(f"plain-{seed}", "none", seed=seed, count=100 + seed, tau_plus=0.1 + 0.1 * seed)
    signs = set_signs([f"{name}-{seed}" for name in ("guided", "plain") for seed in range(3)])
    assert all(is_(signs[f"guided-{seed}"], "guided", 0) for seed in range(3))
    assert all(is_(signs[f"plain-{seed}"], "unguided", 0) for seed in range(3))
    runs = [training(f"on-{seed}", seed, synthetic=(f"guided-{seed}",)) for seed in range(3)]
    assert all(is_(sign, "guided", 0) for sign in run_signs(runs).values())


def test_seeds_of_one_arm_share_a_sign_by_what_they_saw_and_keep_it_when_that_is_gone() -> None:
    made("steered", "supcon")
    made("free", "none")
    arms: dict[str, tuple[Role, dict[str, Any]]] = {
        "real": ("real", {}),
        "guided": ("guided", {"synthetic": ("steered",)}),
        "unguided": ("unguided", {"synthetic": ("free",)}),
        "ceiling": ("ceiling", {"synthetic": ("real:500",)}),
    }
    runs = {
        name: [training(f"{name}-s{seed}", seed, **settings) for seed in range(2)]
        for name, (_, settings) in arms.items()
    }
    signs = run_signs([run for seeds in runs.values() for run in seeds])
    for name, (role, _) in arms.items():
        assert all(is_(signs[run.id], role, 0) for run in runs[name]), name
    more = training("more-guided", synthetic=("steered",), beta=1.0)
    assert is_(run_signs([more])[more.id], "guided", 1)
    shutil.rmtree(paths.sets_dir() / "steered")
    delete("real-s0")
    assert run_signs(runs["guided"]) == {run.id: signs[run.id] for run in runs["guided"]}
    sign = model_sign("run:guided-s1", "a model")
    assert is_(sign, "guided", 0) and sign.name == "a model"


def test_two_processes_that_remember_at_once_forget_nothing_and_a_damaged_file_is_made_anew() -> (
    None
):
    for name, strength in {"a": 0.1, "b": 0.2}.items():
        made(name, "supcon", strength=strength)
    set_signs(["a"])
    known = json.loads((paths.home() / FILE).read_text())
    known["kinds"]["set"].append(["guided", "elsewhere"])
    (paths.home() / FILE).write_text(json.dumps(known))
    assert is_(set_signs(["b"])["b"], "guided", 2)
    (paths.home() / FILE).write_text("{")
    assert is_(set_signs(["b"])["b"], "guided", 0)
