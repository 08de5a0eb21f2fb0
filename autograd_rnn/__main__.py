"""The command line, as `python -m autograd_rnn`."""

from .cli.main import main

if __name__ == "__main__":
    main()
