"""What the page "Your data" says and plans, without drawing it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.data.facts import Facts, concerns, facts
from cdp.data.sets import save_set
from cdp.errors import InputError
from cdp.figures.training import held_out_curves, loss_curve
from cdp.ui.data import plan
from cdp.ui.data.page import explore_link, generate_link, lacking, train_link
from cdp.ui.data.plan import Made, Stock
from cdp.ui.data.progress import samples
from cdp.ui.data.sets import ROW, choices, class_rows, first_rows
from cdp.work.records import Run
from cdp.work.session import Progress


def seen(**change: object) -> Facts:
    plain = {
        "name": "shapes",
        "classes": ("a", "b", "c"),
        "shape": (3, 16, 16),
        "counts": (200, 200, 200),
        "test_counts": (60, 60, 60),
        "epsilon": None,
    }
    return Facts(**(plain | change))  # type: ignore[arg-type]


def save(name: str, *, side: int = 8, **card: object) -> None:
    image = np.zeros((12, side, side, 3), np.uint8)
    save_set(
        name, image, np.arange(12) % 3, {"class_names": ["a", "b", "c"], "source": "test"} | card
    )


def test_a_sound_set_has_nothing_to_be_said_against() -> None:
    assert concerns(seen()) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"counts": (200, 49, 200)}, "b (49)"),
        ({"counts": (1000, 200, 200)}, "uneven"),
        ({"counts": (200, 0, 200)}, "No training images of b"),
        ({"test_counts": ()}, "shapes-test"),
        ({"test_counts": (60, 0, 60)}, "No test images of b"),
        ({"shape": (3, 18, 16)}, "pads them to 16 x 20"),
        ({"shape": (4, 16, 16)}, "transparency"),
    ],
)
def test_what_costs_quality_is_said_and_blocks_nothing(
    change: dict[str, object], word: str
) -> None:
    (found,) = concerns(seen(**change))
    assert word in found.text
    assert not found.blocking


@pytest.mark.parametrize(
    "change", [{"counts": (600, 0, 0)}, {"counts": (3, 3, 3)}, {"shape": (3, 17, 16)}]
)
def test_what_cannot_be_trained_on_blocks(change: dict[str, object]) -> None:
    assert any(found.blocking for found in concerns(seen(**change)))


def test_saved_sets_come_before_built_in_ones_and_test_images_are_no_choice() -> None:
    save("made", kind="generated")
    save("mine", kind="imported")
    save("mine-test", kind="imported")
    save("lone-test", kind="imported")
    save("_odd", kind="imported")
    names = [choice.name for choice in choices()]
    assert names[:3] in (["lone-test", "mine", "made"], ["mine", "lone-test", "made"])
    assert "fashion-mnist" in names[3:]


def test_facts_count_the_images_of_every_class_and_split() -> None:
    save("mine", kind="imported")
    assert facts("mine").test_counts == ()
    save("mine-test", kind="imported")
    found = facts("mine")
    assert (found.counts, found.test_counts, found.shape, found.epsilon) == (
        (4, 4, 4),
        (4, 4, 4),
        (3, 8, 8),
        None,
    )


@pytest.mark.parametrize("size", plan.SIZES)
@pytest.mark.parametrize("images", [4, 200, 20_000])
def test_defaults_of_every_size_can_be_trained(size: str, images: int) -> None:
    data = seen(counts=(images,) * 3, shape=(1, 64, 64))
    encoder = EncoderConfig().model_dump() | plan.encoder_defaults(data, size)
    model = PretrainConfig().model_dump() | plan.model_defaults(data, size)
    made = plan.orders([role.key for role in plan.ROLES], encoder, model, "shapes")
    assert [order.name for order in made] == [
        "judge",
        "robust",
        "standard",
        "noise-aware",
        "shapes",
    ]
    assert all(plan.seconds(order.config, data) > 0 for order in made)


def test_the_judge_shares_neither_seed_nor_width_with_the_encoders_that_guide() -> None:
    values = EncoderConfig(seed=7).model_dump()
    judge, standard = plan.encoder_config("judge", values), plan.encoder_config("standard", values)
    assert judge.kind == standard.kind == "standard"
    assert judge.seed != standard.seed
    assert judge.widths != standard.widths


def test_a_budget_is_suggested_only_where_there_is_no_convention() -> None:
    assert plan.encoder_defaults(seen(epsilon=0.1), plan.QUICK)["epsilon"] is None
    assert plan.encoder_defaults(seen(), plan.QUICK)["epsilon"] == pytest.approx(8 / 255, abs=1e-4)


def test_a_setting_that_cannot_be_used_names_the_model_it_is_of() -> None:
    with pytest.raises(InputError, match="robust encoder: epochs"):
        plan.orders(["robust"], {"epochs": 0}, {}, "m")


def test_model_names_never_collide() -> None:
    assert plan.model_name("a.b", []) == "a-b"
    assert plan.model_name("shapes", ["shapes", "shapes-2"]) == "shapes-3"


def test_the_pace_of_the_last_training_here_scales_the_estimate() -> None:
    config = PretrainConfig(dataset="shapes", name="shapes")
    rate = 0.5 / plan.step_seconds(config, seen().shape)
    run = Run(
        "r",
        Path(),
        "pretrain",
        "shapes",
        config,
        "running",
        0.0,
        progress=Progress(5, 10, 1.0, 1.0, rate, 0, "steps"),
    )
    assert plan.pace([run], seen()) == pytest.approx(2.0)
    assert plan.pace([run], seen(name="others")) is None


def stock(encoders: str = "", models: str = "") -> Stock:
    return Stock(
        tuple(Made(n, n, "") for n in encoders.split()),
        tuple(Made("model", n, "") for n in models.split()),
        (),
    )


def test_generate_opens_with_the_model_its_data_and_an_encoder_that_may_guide() -> None:
    assert stock("judge robust standard").guide == "robust"
    assert stock("judge standard").guide == "standard"
    assert stock("judge").guide == ""
    assert generate_link("m", "d", "robust") == {"model": "m", "dataset": "d", "encoder": "robust"}
    assert generate_link("m", "d", "")["loss"] == "none"


def test_explore_opens_on_held_out_images_in_the_judges_eyes() -> None:
    assert explore_link(seen(), ["judge", "robust"]) == {"sets": "shapes:test", "encoder": "judge"}
    assert explore_link(seen(test_counts=()), []) == {"sets": "shapes:train", "encoder": "pixels"}


def test_train_opens_with_the_budget_chosen_before_where_there_is_no_convention() -> None:
    many = (2000,) * 3
    assert train_link(seen(counts=many), 0.05) == {"dataset": "shapes", "epsilon": "0.05"}
    assert (
        train_link(seen(counts=many, epsilon=0.1), 0.05)
        == train_link(seen(counts=many), None)
        == {"dataset": "shapes"}
    )


def test_train_opens_with_all_images_of_a_small_set() -> None:
    assert train_link(seen(), None) == {"dataset": "shapes", "real": ""}


def test_what_the_other_pages_will_lack_is_said() -> None:
    assert lacking(stock("judge robust", "m")) == []
    assert len(lacking(stock())) == 3


def test_class_rows_escape_names_and_show_each_class_once() -> None:
    label = np.arange(60) % 3
    html = class_rows(np.zeros((60, 8, 8, 4), np.uint8), label, ["<b>x</b>", "y", "z"])
    assert "<b>x" not in html
    assert html.count("<img") == 3 * ROW
    assert len(first_rows(label, 3)) == 3 * ROW


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"PK broken",
        {"image": np.zeros((2, 8, 8, 3), np.float32), "label": np.arange(2), "step": 1},
    ],
)
def test_a_sheet_that_is_not_one_is_left_out(content: object, tmp_path: Path) -> None:
    path = tmp_path / "sheet.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    assert samples(path) is None


def test_curves_draw_every_point_and_chance() -> None:
    figure = loss_curve([(10, 1.0), (20, 0.5)], 100)
    assert list(figure.data[0].y) == [1.0, 0.5]
    figure = held_out_curves({"judge": [(1, 0.4), (2, 0.9)]}, 1 / 3, "n = 9")
    assert list(figure.data[0].y) == [40.0, 90.0]
    assert figure.layout.shapes[0].y0 == pytest.approx(100 / 3)
