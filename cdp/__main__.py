"""``python -m cdp``."""

from cdp.cli.main import main
from cdp.files.private import make_private

if __name__ == "__main__":
    make_private()
    main()
