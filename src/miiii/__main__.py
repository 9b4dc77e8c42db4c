"""The command line as `python -m miiii`."""

from miiii.cli.main import main

if __name__ == "__main__":  # Processes that write pictures import this file too.
    main()
