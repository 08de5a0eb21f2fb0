"""The process that runs Graphviz: reads DOT texts from its input, and answers with pictures.

Run as a file, with the folders where `pygraphviz` may be, it imports nothing of the package.  A
request is a line of JSON with the `format`, the `options` and the `size` of the DOT text that
follows; an answer is a line of JSON with the `size` of the picture that follows, and all that
Graphviz `said` meanwhile on the error stream.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from typing import IO


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    # Ctrl-C is for the process that asks: it ends this one if it does not wait any longer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        sys.path[:] = sys.argv[1:]
        try:
            import pygraphviz
        except ImportError as error:
            answers.write(json.dumps({"missing": str(error)}).encode() + b"\n")
            answers.flush()
            return
        for line in requests:
            request = json.loads(line)
            dot = requests.read(request["size"]).decode()
            picture, words = b"", ""
            try:
                graph = pygraphviz.AGraph(string=dot)
                options = " ".join(request["options"])
                picture = graph.draw(format=request["format"], prog="dot", args=options)
            except Exception as error:  # Graphviz reports by many types, TypeError among them
                words = str(error)
            said.seek(0)
            words += said.read().decode(errors="replace")
            said.seek(0)
            said.truncate()
            answers.write(json.dumps({"size": len(picture), "said": words}).encode() + b"\n")
            answers.write(picture)
            answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
