"""What a person waits for on the Explore page: the first map of a fresh process, the next one, and
one that was made before."""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import Spread, spread
from benchmarks.results import Figure, Target
from cdp.config.explore import ExploreConfig
from cdp.errors import CdpError
from cdp.paths import ROOT

if TYPE_CHECKING:
    from benchmarks.scenes import Options

NAME, TITLE = "explore_map", "Maps of the Explore page"
ROUNDS = 3
MANY, MOST_MEGABYTES = 50_000, 3000


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Seconds until the map of real images is there, each time in a process of its own, their
    features known; settings."""
    umap = ExploreConfig(sets=("fashion-mnist:test",), points=500 if options.quick else 5000)
    pca = umap.model_copy(update={"method": "pca"})
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        n = int(_child(home, "features", umap)["points"])
        rounds = [
            _round(home, umap, pca)
            for _ in range(1 if options.quick else min(options.repeats, ROUNDS))
        ]
        large, many = ([], None) if options.quick else _large(home)
    times = {name: spread([found[name] for found in rounds]) for name in rounds[0]}
    figures = [
        Figure.of_spread(
            f"UMAP of {n:,} images, first ever on a machine",
            times["first"],
            "s",
            Target("<=", 12),
        ),
        Figure.of_spread(
            f"UMAP of {n:,} images, fresh process", times["cold"], "s", Target("<=", 30)
        ),
        Figure.of_spread(
            f"UMAP of {n:,} images, warmed up", times["warmed"], "s", Target("<=", 10)
        ),
        Figure.of_spread(f"PCA of {n:,} images, fresh process", times["pca"], "s", Target("<=", 2)),
        Figure.of_spread(
            f"UMAP of {n:,} images, made before", times["cached"], "s", Target("<=", 0.5)
        ),
        Figure.of_spread("warming up, in the background", times["warming"], "s"),
    ]
    return figures + large, {
        "config": umap.model_dump(mode="json"),
        "large": many and many.model_dump(mode="json"),
    }


def _round(home: Path, umap: ExploreConfig, pca: ExploreConfig) -> dict[str, float]:
    """Seconds of each case, from a cache without maps."""
    shutil.rmtree(home / "cache" / "projections", ignore_errors=True)
    cold = _child(home, "map", umap)
    warmed = _child(home, "warmed", umap.model_copy(update={"seed": 1}))
    with tempfile.TemporaryDirectory() as compiled:
        first = _child(
            home, "map", umap.model_copy(update={"seed": 2}), {"NUMBA_CACHE_DIR": compiled}
        )
    return {
        "first": first["seconds"],
        "cold": cold["seconds"],
        "warmed": warmed["seconds"],
        "warming": warmed["warming"],
        "pca": _child(home, "map", pca)["seconds"],
        "cached": _child(home, "cached", umap)["seconds"],
    }


def _large(home: Path) -> tuple[list[Figure], ExploreConfig]:
    """Time and memory of as many points as the page allows; fewer where this machine has only the
    shipped training images."""
    config = ExploreConfig(sets=("fashion-mnist:train",), points=MANY)
    _child(home, "features", config)
    found = _child(home, "warmed", config)
    once = {
        name: Spread(found[name], found[name], found[name], 1) for name in ("seconds", "megabytes")
    }
    title = f"UMAP of {found['points']:,.0f} images"
    return [
        Figure.of_spread(f"{title}, warmed up", once["seconds"], "s"),
        Figure.of_spread(
            f"{title}, peak memory", once["megabytes"], "MB", Target("<=", MOST_MEGABYTES)
        ),
    ], config


def _child(
    home: Path,
    what: str,
    config: ExploreConfig,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, float]:
    """What a fresh process with that home, and these environment variables, says."""
    command = [sys.executable, "-m", "benchmarks.explore_map", what, config.model_dump_json()]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"CDP_HOME": str(home)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CdpError(f"the child process failed: {done.stderr.strip()[-400:]}")
    return dict(json.loads(done.stdout))


def _peak() -> float:
    """Megabytes at this process's peak. Not benchmarks.memory's: importing that imports torch,
    which would be counted."""
    try:
        found = re.search(
            r"^VmHWM:\s+(\d+) kB$",
            Path("/proc/self/status").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    except OSError:
        found = None
    return (int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024


def main() -> None:
    """The child: one map, and what it took. Python's own start and the light imports of a page are
    not counted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("features", "map", "warmed", "cached"))
    parser.add_argument("config", type=ExploreConfig.model_validate_json)
    given = parser.parse_args()
    from cdp.embedding.projection import warm
    from cdp.tasks.atlas import embed, map_of

    found: dict[str, Any] = {}
    began = time.perf_counter()
    if given.what == "warmed":
        warm()
        found["warming"] = time.perf_counter() - began
        began = time.perf_counter()
    if given.what == "features":
        made = embed(given.config.model_copy(update={"method": "pca"}))
    else:
        made = map_of(given.config).known() if given.what == "cached" else embed(given.config)
    print(
        json.dumps(
            found
            | {
                "seconds": time.perf_counter() - began,
                "points": len(made or ()),
                "megabytes": _peak(),
            }
        )
    )


if __name__ == "__main__":
    main()
