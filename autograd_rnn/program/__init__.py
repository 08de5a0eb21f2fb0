"""A function recorded once: a straight-line program, its gradient, its printers."""
