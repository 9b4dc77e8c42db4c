"""`python -m miiii` is `miiii`."""

from miiii.cli.main import main

main()
