"""The console script `mmfusion`: handles Ctrl-C from the first heavy import on."""

import signal
import sys

from keras_mmfusion.cli.exit_codes import INTERRUPTED


def main():
    """Runs the command line; Ctrl-C is one line on stderr from the first import on."""
    try:
        from keras_mmfusion.cli.app import app

        sys.exit(app())
    except KeyboardInterrupt:
        print("mmfusion: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except SystemExit as exit:
        if exit.code == INTERRUPTED:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ignore a second Ctrl-C.
        raise


if __name__ == "__main__":
    main()
