"""The command line: one file per command, loaded when that command is called.

Exit codes:
    0    fine
    1    a check failed (verify, validate, doctor)
    2    bad usage or input, or a result that could not be written
    3    a partial result: an answer of a model could not be used, or something was left undone
    70   a defect of whyrank itself
    130  interrupted (Ctrl-C); lines already printed are whole, an --output file is untouched
    141  the reader of the output closed the pipe
"""

from whyrank.cli.endings import main

__all__ = ["main"]
