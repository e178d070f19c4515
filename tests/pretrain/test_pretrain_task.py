"""Training as a task: resume, kills, cards, and what is refused before any work begins."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from cdp.config.knobs import parse
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.errors import Cancelled, CdpError, InputError
from cdp.models.encoders import list_encoders, load_encoder
from cdp.models.pipelines import list_models, load_pipeline
from cdp.tasks.pretrain import encoder as encoder_task
from cdp.tasks.pretrain.diffusion import pretrain
from cdp.tasks.pretrain.run import run_pretrain
from cdp.tasks.pretrain.shared import curve
from cdp.values.types import DatasetInfo, Split

INFO = DatasetInfo("toys", "Toys", ("dark", "bright"), (1, 8, 8), 0.1, "MIT")
COLOUR = DatasetInfo("colours", "Colours", ("a", "b", "c"), (3, 10, 12), None, "CC0")


def _split(info: DatasetInfo, count: int) -> Split:
    rng = np.random.default_rng(len(info.name))
    label = np.arange(count) % len(info.classes)
    image = (label * 90)[:, None, None, None] + rng.integers(
        0, 60, (count, info.shape[1], info.shape[2], info.shape[0])
    )
    return Split(info, image.astype(np.uint8), label.astype(np.int64))


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, split: str) -> Split:
        return _split({"toys": INFO, "colours": COLOUR}[name], 40 if split == "train" else 20)

    monkeypatch.setattr("cdp.tasks.pretrain.diffusion.load_split", load)
    monkeypatch.setattr("cdp.tasks.pretrain.encoder.load_split", load)


def _model(**change: Any) -> PretrainConfig:
    settings = {"dataset": "toys", "name": "m", "steps": 5, "batch": 4, "widths": (32, 32)}
    settings |= {"save_every": 2, "precision": "fp32"}
    return parse(PretrainConfig, settings | change)


def _encoder(**change: Any) -> EncoderConfig:
    settings = {"dataset": "toys", "name": "e", "epochs": 3, "batch": 8, "widths": (4, 4)}
    settings |= {"shift": 1, "precision": "fp32"}
    return parse(EncoderConfig, settings | change)


def _weights(folder: Path) -> bytes:
    return next(folder.rglob("*.safetensors")).read_bytes()


def test_a_stopped_training_goes_on_to_the_same_weights_and_card(cdp_home: Path) -> None:
    whole = run_pretrain(_model(name="whole"))
    with pytest.raises(Cancelled, match="step 3 of 5"):
        run_pretrain(_model(name="parts"), should_stop=iter([False, False, True]).__next__)
    assert not [entry for entry in list_models() if entry.name == "parts"]
    seen: list[int] = []
    parts = run_pretrain(
        _model(name="parts"), on_progress=lambda progress: seen.append(progress.step)
    )
    assert seen == [4, 5]
    assert _weights(parts) == _weights(whole)
    cards = [load_pipeline(folder).card for folder in (whole, parts)]
    assert cards[0]["loss_curve"] == cards[1]["loss_curve"]
    assert [point[0] for point in cards[0]["loss_curve"]] == [1, 2, 3, 4, 5]
    assert sorted(p.name for p in (cdp_home / "models").iterdir()) == ["parts", "whole"]


class Killed(BaseException):
    """As sudden as a kill: nothing in the project catches it."""


@pytest.mark.parametrize("task", ["model", "encoder"])
def test_killed_at_any_file_operation_it_never_leaves_a_broken_checkpoint(
    task: str, cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = {
        "model": lambda name: run_pretrain(_model(name=name, steps=3)),
        "encoder": lambda name: run_pretrain(_encoder(name=name, epochs=2)),
    }[task]
    expected = _weights(run("whole"))
    original = Path.replace
    for kill_at in range(20):
        count = iter(range(1000))

        def replace(
            self: Path, target: Path, *, count: Any = count, kill_at: int = kill_at
        ) -> Path:
            if next(count) == kill_at:
                raise Killed
            return original(self, target)

        monkeypatch.setattr(Path, "replace", replace)
        try:
            folder = run(f"n{kill_at}")
        except Killed:
            monkeypatch.setattr(Path, "replace", original)
            assert not [e for e in (*list_models(), *list_encoders("toys")) if e.problem]
            assert _weights(run(f"n{kill_at}")) == expected
        else:
            break
    assert kill_at >= 4, "several operations were interrupted"
    assert _weights(folder) == expected


def test_an_abandoned_generator_saves_where_it_was(cdp_home: Path) -> None:
    training = pretrain(_model(save_every=1000))
    next(training)
    next(training)
    training.close()
    assert next(pretrain(_model(save_every=1000))).step == 3


def test_other_settings_do_not_resume_and_the_message_names_the_first(cdp_home: Path) -> None:
    training = pretrain(_model())
    next(training)
    training.close()
    with pytest.raises(InputError, match="learning_rate"):
        run_pretrain(_model(learning_rate=0.5))


def test_a_finished_name_is_not_overwritten(cdp_home: Path) -> None:
    before = _weights(run_pretrain(_model(steps=1)))
    with pytest.raises(InputError, match="name"):
        run_pretrain(_model(steps=1, seed=1))
    assert _weights(load_pipeline("m").folder) == before


@pytest.mark.parametrize("damage", [b"", b"\xff" * 100, None])
def test_a_damaged_checkpoint_is_refused(damage: bytes | None, cdp_home: Path) -> None:
    training = pretrain(_model())
    next(training)
    training.close()
    state = cdp_home / "models/.m.training/state.safetensors"
    state.write_bytes(state.read_bytes()[:-20] if damage is None else damage)
    with pytest.raises(InputError, match="delete"):
        run_pretrain(_model())


def test_colour_images_of_uneven_sides_train_to_a_folder_that_samples(cdp_home: Path) -> None:
    model = load_pipeline(run_pretrain(_model(dataset="colours", steps=2)))
    assert model.denoiser.shape == (3, 10, 12)
    expected = (2, 3, 10, 12)
    assert model.denoiser(torch.randn(2, 3, 10, 12), 9, torch.tensor([0, 2])).shape == expected
    assert model.card["class_names"] == ["a", "b", "c"]
    assert model.card["training"]["images_seen"] == 8


def test_the_caller_s_random_stream_is_left_alone(cdp_home: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    run_pretrain(_model(steps=1))
    run_pretrain(_encoder(epochs=1))
    assert torch.equal(torch.rand(2), expected)


def test_divergence_is_not_saved(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = pretrain(_model())
    for _ in range(2):
        next(training)
    training.close()
    before = _weights(cdp_home / "models/.m.training")
    monkeypatch.setattr(
        "torch.nn.functional.mse_loss", lambda out, target: out.sum() * float("nan")
    )
    with pytest.raises(CdpError, match="learning_rate"):
        run_pretrain(_model())
    assert _weights(cdp_home / "models/.m.training") == before


@pytest.mark.parametrize("kind", ["standard", "robust", "noise-aware"])
def test_every_kind_trains_resumes_and_is_measured(kind: str, cdp_home: Path) -> None:
    whole = run_pretrain(_encoder(kind=kind, name="whole"))
    # 36 images in batches of 8 are 4 steps an epoch: stop inside the second, so one epoch is kept.
    with pytest.raises(Cancelled):
        run_pretrain(
            _encoder(kind=kind, name="parts"), should_stop=iter([False] * 5 + [True]).__next__
        )
    seen: list[int] = []
    parts = run_pretrain(
        _encoder(kind=kind, name="parts"), on_progress=lambda progress: seen.append(progress.step)
    )
    assert seen == list(range(5, 13))
    assert _weights(parts) == _weights(whole)
    encoder = load_encoder("parts", "toys")
    assert encoder.card["accuracy"] == load_encoder("whole", "toys").card["accuracy"]
    assert encoder.card["accuracy"]["clean"]["n"] == 20
    assert {"standard": None, "robust": "pgd", "noise-aware": "noised"}[kind] in (
        None,
        *encoder.card["accuracy"],
    )
    assert len(encoder.card["training"]["held_out_score"]) == 3


def test_the_best_epoch_is_kept(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, nets = iter([0.2, 0.9, 0.5]), []

    def score(config: EncoderConfig, net: torch.nn.Module, split: Split, held: np.ndarray) -> float:
        nets.append({name: value.clone() for name, value in net.state_dict().items()})
        return next(scores)

    monkeypatch.setattr(encoder_task, "_choose_by", score)
    run_pretrain(_encoder())
    kept = load_encoder("e", "toys").net.state_dict()
    assert all(torch.equal(value, nets[1][name]) for name, value in kept.items())
    assert not all(torch.equal(value, nets[2][name]) for name, value in kept.items())


def test_training_goes_on_from_the_weights_of_a_finished_model(cdp_home: Path) -> None:
    first = load_pipeline(run_pretrain(_model()))
    # At this rate a step changes nothing that fp32 can hold: what comes out is what went in.
    second = load_pipeline(run_pretrain(_model(name="m2", start="m", learning_rate=1e-30, steps=1)))
    before, after = first.denoiser.unet.state_dict(), second.denoiser.unet.state_dict()
    assert all(torch.allclose(after[name], value, atol=1e-7) for name, value in before.items())
    assert second.card["training"]["start"] == "m"
    assert second.card["before"]["training"] == first.card["training"]
    with pytest.raises(InputError, match="start: m is built otherwise"):
        run_pretrain(_model(name="m3", start="m", widths=(32, 64)))


def test_held_out_rows_are_not_trained_on() -> None:
    rows, held = encoder_task.hold_out(1000, 5000, seed=3)
    assert len(held) == 100
    assert sorted([*rows, *held]) == list(range(1000))
    with pytest.raises(InputError, match="too few"):
        encoder_task.hold_out(9, 5, seed=0)


@pytest.mark.parametrize(("given", "taken"), [({}, 8 / 255), ({"epsilon": 0.05}, 0.05)])
def test_without_a_convention_a_usual_budget(given: dict, taken: float, cdp_home: Path) -> None:
    folder = run_pretrain(_encoder(dataset="colours", kind="robust", epochs=1, **given))
    settings = json.loads((folder / "card.json").read_text())["training"]
    assert settings["epsilon"] == pytest.approx(taken)
    assert settings["flip"] is False and "anyway" not in settings


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"name": "../up"}, "name"),
        ({"name": ".hidden"}, "name"),
        ({"steps": 0}, "steps"),
        ({"widths": (33,)}, "widths"),
        ({"patch": 3}, "patch"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"unheard": 1}, "unheard"),
    ],
)
def test_impossible_settings_are_refused_by_name(config: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        _model(**config)


def test_names_of_shipped_checkpoints_are_refused(cdp_home: Path) -> None:
    with pytest.raises(InputError, match="shipped"):
        run_pretrain(_model(name="fashion-mnist"))
    with pytest.raises(InputError, match="shipped"):
        run_pretrain(EncoderConfig(dataset="fashion-mnist", kind="robust"))


def test_data_set_given_as_a_path_wants_a_name(cdp_home: Path) -> None:
    with pytest.raises(InputError, match="name"):
        run_pretrain(_model(dataset="./some/folder", name=""))
    with pytest.raises(InputError, match="import"):
        run_pretrain(_encoder(dataset="./some/folder"))


@pytest.mark.parametrize("config", [_model(), _encoder(epsilon=0.25, kind="robust")])
def test_configs_survive_json_and_are_immutable(config: PretrainConfig | EncoderConfig) -> None:
    assert type(config).model_validate_json(config.model_dump_json()) == config
    with pytest.raises(ValidationError):
        config.seed = 1


def test_curve_has_the_means_and_at_most_two_hundred_points() -> None:
    losses = np.random.default_rng(0).random(1234)
    points = curve(losses)
    assert len(points) == 200
    assert points[-1][0] == 1234
    ends = [0, *(int(p[0]) for p in points)]
    naive = [losses[a:b].mean() for a, b in pairwise(ends)]
    assert [p[1] for p in points] == pytest.approx(naive, abs=1e-6)
    assert curve([]) == []
