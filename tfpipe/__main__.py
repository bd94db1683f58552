"""`python -m tfpipe` is the command `tfpipe`."""

from tfpipe.cli.main import main

if __name__ == "__main__":
    main()
