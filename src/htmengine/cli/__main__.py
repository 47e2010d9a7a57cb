"""`python -m htmengine.cli` is the command `htmengine`."""

from htmengine.cli import main

main()
