"""Exit statuses of the commands, besides 0."""

SOME_FAILED = 1  # Some files could not be read; the others were processed.
OUTPUTS_DIFFER = 1  # `mmfusion zoo verify`: an output is not the published one.
USAGE_ERROR = 2
PAUSED = 3  # Training stopped at its time limit and can be resumed.
INTERRUPTED = 130  # Ctrl-C: 128 + SIGINT, as shells report it.
