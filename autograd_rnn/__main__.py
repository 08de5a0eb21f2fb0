"""The command line, as `python -m autograd_rnn` and as `autograd-rnn`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is being loaded is one line, too."""
    try:
        from .cli.app import main as run

        run()
    except KeyboardInterrupt:
        print("autograd-rnn: interrupted.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
