"""Built-in data sets in torchvision's formats, checked against torchvision's own loaders."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cdp import paths
from cdp.data import catalog, formats
from cdp.data.catalog import CATALOG
from cdp.data.formats import read_idx
from cdp.data.importing import import_data
from cdp.data.registry import available, dataset_info, load_split, split_labels
from cdp.data.sets import save_set
from cdp.errors import InputError, MissingError
from tests.data import makers


def test_every_data_set_says_its_classes_shape_budget_and_licence() -> None:
    expected = {"fashion-mnist": 10, "mnist": 10, "kmnist": 10, "cifar10": 10, "gtsrb": 43}
    assert {name: len(info.classes) for name, info in CATALOG.items()} == expected
    for info in CATALOG.values():
        assert len(set(info.classes)) == len(info.classes) and info.title and info.licence
        assert info.epsilon_linf is None or 0 < info.epsilon_linf < 1
    assert dataset_info("cifar10").epsilon_linf == pytest.approx(8 / 255)


def test_classes_and_checksums_agree_with_torchvision() -> None:
    datasets = pytest.importorskip("torchvision").datasets
    assert list(dataset_info("fashion-mnist").classes) == datasets.FashionMNIST.classes
    assert list(dataset_info("kmnist").classes) == datasets.KMNIST.classes
    assert [list(item) for item in formats.CIFAR_TRAIN.items()] == datasets.CIFAR10.train_list
    assert [list(item) for item in formats.CIFAR_TEST.items()] == datasets.CIFAR10.test_list


@pytest.mark.parametrize(("split", "first"), [("train", [9, 0, 0, 3]), ("test", [9, 2, 1, 1])])
def test_the_shipped_subset_is_found_and_memory_mapped(split: str, first: list[int]) -> None:
    data = load_split("fashion-mnist", split)
    assert data.image.shape == (10_000, 28, 28, 1) and data.label.dtype == np.int64
    assert data.label[:4].tolist() == first and set(np.unique(data.label)) == set(range(10))
    assert isinstance(data.image, np.memmap) and len(data) == 10_000


def test_the_shipped_test_images_are_the_published_ones() -> None:
    data = load_split("fashion-mnist", "test")
    # SHA-256 of the 7,840,000 pixel bytes of the published t10k file.
    assert (
        hashlib.sha256(data.image.tobytes()).hexdigest()
        == "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a"
    )


def test_the_shipped_checksums_hold_and_its_licence_is_there() -> None:
    folder = paths.ASSETS / "data" / "fashion-mnist"
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        catalog.verify_checksum(folder / line.split()[1])
    assert (
        "MIT" in (folder / "LICENSE").read_text() and "Zalando" in (folder / "LICENSE").read_text()
    )
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8_000_000


def test_a_changed_shipped_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "assets/data/fashion-mnist"
    folder.mkdir(parents=True)
    for path in (paths.ASSETS / "data/fashion-mnist").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    image = folder / "t10k-images-idx3-ubyte.xz"
    image.write_bytes(image.read_bytes()[:-1] + b"\1")
    monkeypatch.setattr(paths, "ASSETS", tmp_path / "assets")
    with pytest.raises(InputError, match="checksum"):
        load_split("fashion-mnist", "test")
    assert len(load_split("fashion-mnist", "train")) == 10_000


@pytest.mark.parametrize("home", ["/dev/null/nowhere", "/proc/nowhere"])
def test_a_read_only_home_reads_shipped_data(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_HOME", home)
    data = load_split("fashion-mnist", "test")
    assert data.image.shape == (10_000, 28, 28, 1) and not data.image.flags.writeable
    assert load_split("fashion-mnist", "test").image is data.image


@pytest.mark.parametrize(
    ("name", "folder"),
    [("mnist", "MNIST"), ("kmnist", "KMNIST"), ("fashion-mnist", "FashionMNIST")],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_mnist_family_is_read_from_torchvisions_folder(
    name: str, folder: str, suffix: str, cdp_home: Path
) -> None:
    image, label = makers.mnist_layout(cdp_home / "data", folder, suffix=suffix)
    data = load_split(name, "train")
    assert np.array_equal(data.image[..., 0], image) and np.array_equal(data.label, label)


def test_labels_come_without_opening_the_images(cdp_home: Path) -> None:
    labels = {split: split_labels("fashion-mnist", split) for split in ("train", "test")}
    assert not cdp_home.exists()
    for split, label in labels.items():
        assert np.array_equal(label, load_split("fashion-mnist", split).label)
    save_set(
        "mine", np.zeros((3, 4, 4, 1), np.uint8), np.array([0, 1, 1]), {"class_names": ["a", "b"]}
    )
    assert split_labels("mine", "train").tolist() == [0, 1, 1]
    with pytest.raises(MissingError, match=r"'mnist' .* not on this machine"):
        split_labels("mnist", "test")


def test_mnist_equals_torchvisions_loader(cdp_home: Path) -> None:
    datasets = pytest.importorskip("torchvision").datasets
    makers.mnist_layout(cdp_home / "data", "MNIST", suffix="")
    theirs, ours = datasets.MNIST(cdp_home / "data", train=False), load_split("mnist", "test")
    assert np.array_equal(ours.image[..., 0], theirs.data.numpy()) and np.array_equal(
        ours.label, theirs.targets.numpy()
    )


def test_the_full_set_of_a_package_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "DEBIAN", tmp_path / "packages")
    for prefix, count in (("train", 30), ("t10k", 20)):
        makers.idx(
            tmp_path / f"packages/fashion-mnist/{prefix}-images-idx3-ubyte.gz",
            np.zeros((count, 28, 28)),
        )
        makers.idx(
            tmp_path / f"packages/fashion-mnist/{prefix}-labels-idx1-ubyte.gz", np.zeros(count)
        )
    assert len(load_split("fashion-mnist", "train")) == 30
    assert available()[0][1].full


def test_cifar10_equals_torchvisions(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("torchvision").datasets
    monkeypatch.setattr(formats, "BATCH_ROWS", 50)
    sums = makers.cifar_layout(cdp_home / "data", 50)
    for table in (formats.CIFAR_TRAIN, formats.CIFAR_TEST):
        for name in table:
            monkeypatch.setitem(table, name, sums[name])
    monkeypatch.setattr(
        datasets.CIFAR10, "train_list", [[name, sums[name]] for name in formats.CIFAR_TRAIN]
    )
    monkeypatch.setattr(
        datasets.CIFAR10, "test_list", [[name, sums[name]] for name in formats.CIFAR_TEST]
    )
    monkeypatch.setitem(datasets.CIFAR10.meta, "md5", sums["batches.meta"])
    for split in ("train", "test"):
        theirs, ours = (
            datasets.CIFAR10(cdp_home / "data", train=split == "train"),
            load_split("cifar10", split),
        )
        assert np.array_equal(ours.image, theirs.data) and ours.label.tolist() == theirs.targets


def test_a_cifar10_pickle_calls_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.data.hostile import objects, pickled

    monkeypatch.chdir(tmp_path)
    data = pickled({"data": objects(1), "labels": [0]})
    (tmp_path / "test_batch").write_bytes(data)
    with pytest.raises(InputError, match="mkdir"):
        formats.read_cifar_batch(tmp_path / "test_batch", hashlib.md5(data).hexdigest())
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("split", ["train", "test"])
def test_gtsrb_equals_torchvisions_loader_resized(split: str, cdp_home: Path) -> None:
    torchvision = pytest.importorskip("torchvision")
    makers.gtsrb_layout(cdp_home / "data", per_class=2)
    theirs = torchvision.datasets.GTSRB(
        cdp_home / "data", split=split, transform=torchvision.transforms.Resize((32, 32))
    )
    ours = load_split("gtsrb", split)
    assert len(ours) == len(theirs) == {"train": 86, "test": 5}[split]
    for (image, label), mine, number in zip(theirs, ours.image, ours.label, strict=True):
        assert np.array_equal(np.asarray(image), mine) and label == number


@pytest.mark.parametrize("name", ["mnist", "kmnist", "cifar10", "gtsrb"])
def test_a_missing_data_set_names_files_origin_and_folder(name: str, cdp_home: Path) -> None:
    with pytest.raises(MissingError, match=r"put .* from https?://.*, into ") as caught:
        load_split(name, "train")
    assert str(CATALOG[name].place) in str(caught.value)
    assert not cdp_home.exists()


def test_a_failed_download_says_how_to_do_it_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr("torchvision.datasets.CIFAR10", offline)
    with pytest.raises(
        MissingError, match=r"could not be downloaded \(Name or service not known\): put "
    ):
        load_split("cifar10", "test", download=True)


def test_a_download_goes_by_torchvision(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("torchvision").datasets

    def deliver(dataset: object) -> None:
        makers.mnist_layout(cdp_home / "data", "KMNIST", suffix="")

    monkeypatch.setattr(datasets.KMNIST, "download", deliver)
    assert len(load_split("kmnist", "test", download=True)) == 20


def test_the_state_of_each_data_set_is_told_without_opening_files(cdp_home: Path) -> None:
    states = {info.name: state for info, state in available()}
    assert states["fashion-mnist"].ready and not states["fashion-mnist"].full
    assert "full set" in states["fashion-mnist"].how
    assert not states["mnist"].ready and str(cdp_home) in states["mnist"].how
    makers.mnist_layout(cdp_home / "data", "MNIST")
    assert {info.name: state for info, state in available()}["mnist"].full


def test_the_cache_is_used_again_follows_a_changed_file_and_heals(cdp_home: Path) -> None:
    image, _ = makers.mnist_layout(cdp_home / "data", "MNIST")
    load_split("mnist", "train")
    [folder] = (cdp_home / "cache/data").iterdir()
    written = (folder / "image.npy").stat().st_mtime_ns
    load_split("mnist", "train")
    assert (folder / "image.npy").stat().st_mtime_ns == written
    (folder / "image.npy").write_bytes(b"broken")
    assert np.array_equal(load_split("mnist", "train").image[..., 0], image)
    makers.idx(cdp_home / "data/MNIST/raw/train-images-idx3-ubyte.gz", 255 - image)
    assert np.array_equal(load_split("mnist", "train").image[..., 0], 255 - image)


def test_a_folder_of_class_folders_loads_by_path_with_its_splits(tmp_path: Path) -> None:
    rows = makers.class_folders(tmp_path / "pets/train")
    makers.class_folders(tmp_path / "pets/test", per_class=1)
    data = load_split(str(tmp_path / "pets"), "train")
    assert np.array_equal(data.image, rows) and data.info.classes == ("cat", "dog")
    assert data.info.shape == (3, 8, 8)
    assert len(load_split(str(tmp_path / "pets"), "test")) == 2
    with pytest.raises(MissingError, match="no test images"):
        load_split(str(tmp_path / "pets/train"), "test")


def test_an_npz_loads_by_path_memory_mapped(tmp_path: Path) -> None:
    data = load_split(str(makers.npz(tmp_path / "a.npz")), "train")
    assert np.array_equal(data.image, makers.images()) and np.array_equal(
        data.label, makers.labels()
    )
    assert isinstance(data.image, np.memmap) and data.info.classes == ("0", "1", "2")
    makers.npz(tmp_path / "a-test.npz", image=makers.images(3), label=makers.labels(3))
    assert len(load_split(str(tmp_path / "a.npz"), "test")) == 3


def test_a_saved_set_loads_by_name_with_the_budget_of_its_data_set(tmp_path: Path) -> None:
    import_data(
        makers.npz(tmp_path / "a.npz", image=makers.images(6, (32, 32, 3))),
        "fake",
        dataset="cifar10",
    )
    data = load_split("fake", "train")
    assert data.info.classes == CATALOG["cifar10"].classes and data.info.epsilon_linf == 8 / 255
    save_set(
        "fake-test",
        makers.images(2, (32, 32, 3)),
        makers.labels(2),
        {"class_names": list(CATALOG["cifar10"].classes)},
    )
    assert len(load_split("fake", "test")) == 2 and dataset_info("fake").shape == (3, 32, 32)


def test_test_images_numbered_otherwise_are_read_by_class_name_and_it_is_said() -> None:
    image = makers.images(6, (8, 8, 3))
    save_set("own", image, makers.labels(6), {"class_names": ["ant", "bee", "cat"]})
    save_set("own-test", image, (makers.labels(6) + 1) % 3, {"class_names": ["cat", "ant", "bee"]})
    test = load_split("own", "test")
    assert test.info.classes == ("ant", "bee", "cat")
    assert test.label.tolist() == makers.labels(6).tolist()
    assert "own-test" in test.note and "by name" in test.note


def test_reading_data_imports_neither_torch_nor_torchvision(cdp_home: Path) -> None:
    code = (
        "import sys; from cdp.data import registry, importing, sets;"
        " registry.load_split('fashion-mnist', 'test'); print([name for name in sys.modules if"
        " name.startswith('torch')])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=paths.ROOT, check=True
    )
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_idx_is_read_plain_and_compressed(suffix: str, tmp_path: Path) -> None:
    import lzma

    array = makers.images(3, (4, 5, 1))[..., 0]
    path = makers.idx(tmp_path / f"a{suffix}", array)
    if suffix == ".xz":
        path.write_bytes(lzma.compress(path.read_bytes()))
    assert np.array_equal(read_idx(path, 3), array)
