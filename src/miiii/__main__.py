"""`python -m miiii` is `miiii`."""

from miiii.cli.main import main

if __name__ == "__main__":  # processes that write pictures import this file too
    main()
