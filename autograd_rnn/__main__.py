"""The command line, as `python -m autograd_rnn`."""

from .cli.app import main

if __name__ == "__main__":
    main()
