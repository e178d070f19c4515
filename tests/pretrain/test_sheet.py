"""Sample sheets: the averaged weights' images from the same noise every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cdp.config.pretrain import PretrainConfig
from cdp.diffusion.sampling import image_seeds
from cdp.models.denoiser import build_unet
from cdp.models.noise_schedule import COSINE
from cdp.models.pipelines import load_pipeline, save_pipeline
from cdp.tasks.pretrain.sheet import MOST, SheetMaker
from cdp.values.types import DatasetInfo
from tests.diffusion.tiny import sample

INFO = DatasetInfo("toys", "Toys", ("a", "b", "c"), (1, 8, 8), None, "CC0")
CONFIG = PretrainConfig(
    dataset="toys", name="m", widths=(32, 32), patch=1, precision="fp32", steps=7, seed=3
)
CARD = {
    "dataset": "toys",
    "shape": [1, 8, 8],
    "patch": 1,
    "classes": 3,
    "class_names": ["a", "b", "c"],
}


def checkpoint(seed: int, step: int = 5) -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        unet = build_unet((1, 8, 8), patch=1, classes=3, widths=(32, 32), layers=1)
    return {f"ema.{name}": value for name, value in unet.state_dict().items()} | {
        "step": torch.tensor(step)
    }


CHECKPOINT = checkpoint(1)


def test_a_sheet_has_two_images_a_class_of_the_checkpoints_averaged_weights() -> None:
    maker = SheetMaker(CONFIG, INFO)
    sheet = maker.of_checkpoint(CHECKPOINT, lambda: False)
    expected = ((6, 8, 8, 1), np.uint8, [0, 1, 2, 0, 1, 2], 5)
    assert (sheet.image.shape, sheet.image.dtype, sheet.label.tolist(), sheet.step) == expected
    other = maker.of_checkpoint(checkpoint(2, step=6), lambda: False)
    again = maker.of_checkpoint(checkpoint(1), lambda: False)
    assert np.array_equal(sheet.image, again.image)
    assert not np.array_equal(sheet.image, other.image)


def test_the_sheet_is_what_the_sampler_makes_of_the_model(tmp_path: Path) -> None:
    state = checkpoint(1)
    unet = build_unet((1, 8, 8), patch=1, classes=3, widths=(32, 32), layers=1)
    unet.load_state_dict(
        {
            name.removeprefix("ema."): value
            for name, value in state.items()
            if name.startswith("ema.")
        }
    )
    save_pipeline(tmp_path / "m", unet, COSINE, CARD)
    sheet = SheetMaker(CONFIG, INFO).of_model(tmp_path / "m", lambda: False)
    steps = sample(
        load_pipeline(tmp_path / "m").denoiser,
        COSINE,
        labels=torch.tensor([0, 1, 2] * 2),
        seeds=image_seeds(3, range(6)),
        steps=20,
    )
    x = list(steps)[-1].x.permute(0, 2, 3, 1).numpy()
    expected = np.rint(np.clip((x.astype(np.float64) + 1) * 127.5, 0, 255))
    assert np.abs(sheet.image.astype(int) - expected).max() <= 1
    assert sheet.step == CONFIG.steps
    assert np.array_equal(
        sheet.image, SheetMaker(CONFIG, INFO).of_checkpoint(state, lambda: False).image
    )


def test_making_sheets_takes_nothing_from_the_random_numbers_of_the_training() -> None:
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    SheetMaker(CONFIG, INFO).of_checkpoint(CHECKPOINT, lambda: False)
    assert torch.equal(torch.rand(3), expected)


def test_a_stop_ends_a_sheet_between_two_steps() -> None:
    asked = iter([False, False, True])
    assert SheetMaker(CONFIG, INFO).of_checkpoint(CHECKPOINT, lambda: next(asked)) is None


def test_data_of_many_classes_have_a_sheet_of_bounded_size() -> None:
    info = DatasetInfo(
        "many", "Many", tuple(str(i) for i in range(MOST + 20)), (1, 8, 8), None, "CC0"
    )
    with torch.random.fork_rng():
        unet = build_unet((1, 8, 8), patch=1, classes=MOST + 20, widths=(32, 32), layers=1)
    state = {f"ema.{name}": value for name, value in unet.state_dict().items()} | {
        "step": torch.tensor(1)
    }
    assert len(SheetMaker(CONFIG, info).of_checkpoint(state, lambda: False).label) == MOST


def test_a_sheet_on_disk_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = SheetMaker(CONFIG, INFO).of_checkpoint(CHECKPOINT, lambda: False)
    path = tmp_path / "sheet.npz"
    sheet.save(path)
    before = path.read_bytes()
    with np.load(path) as found:
        assert np.array_equal(found["image"], sheet.image)
        assert (found["label"].tolist(), int(found["step"])) == (sheet.label.tolist(), 5)

    def full(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        sheet.save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["sheet.npz"]
