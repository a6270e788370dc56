"""What the command ends with; `tauhat --help` and the start page say what each means."""

OK = 0
INTERNAL = 1
#: Wrong options, an unreadable file, a trial that is none, or results that could not be written.
BAD_INPUT = BAD_OUTPUT = 2
CHECK_FAILED = 3
#: Added to the number of a signal that ended the command, as shells do.
SIGNALLED = 128
INTERRUPTED = SIGNALLED + 2
#: Nobody reads what is printed any more.
UNREAD = SIGNALLED + 13
