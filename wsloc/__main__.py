"""`python -m wsloc` is the `wsloc` command."""

from wsloc.cli.app import main

main()
