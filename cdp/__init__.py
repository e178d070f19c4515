"""Contrastive-DP Studio: guided diffusion for robust classifiers, and the tools to tell whether it
helps."""

import os

__version__ = "0.1.0"

# How threads wait for each other. OpenMP's default lets a thread that has nothing to do spin for
# milliseconds; beside any other busy process, that takes from the thread it waits for the time to
# finish, and sampling becomes several times slower. A short spin keeps the speed of an idle machine
# (docs/decisions/0020). The runtime reads this once, when torch loads it, so it is set here, before
# anything of ours can import torch; whoever has set one of the three knows better.
_WAITING = {
    "GOMP_SPINCOUNT": "1000",
    "KMP_BLOCKTIME": "0",
}  # GNU's runtime (Linux); LLVM's and Intel's (macOS, MKL), in ms
if not {"OMP_WAIT_POLICY", *_WAITING} & os.environ.keys():
    os.environ.update(_WAITING)
