"""How fast the playground is in Chromium: `python benchmarks/playground.py [FOLDER]`.

FOLDER is a built playground, `playground` unless given (`docs/playground/build.py`).  Figures
are of cold visits on the loopback, each in a profile of its own.  The targets are 0.3 s until the
exercise is seen, as it stands in the page; 4 s until the package has drawn it anew; and 80 ms, in
90 of 100 moves, from a move of the slider of w₁ to the new picture, its painting included.
"""

from __future__ import annotations

import gzip
import shutil
import statistics
import sys
import threading
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from autograd_rnn.pictures.play.serve import playground_server

VISITS = 5
MOVES = 60
SLIDE = """async moves => {
    const slider = document.querySelector("[data-slide='0']");
    const measured = () => performance.getEntriesByName("slider to picture");
    for (let move = 0; move < moves; move++) {
        const before = measured().length;
        slider.value = 4 - 0.1 * (move + 1);
        slider.dispatchEvent(new Event("input"));
        while (measured().length === before) await new Promise(done => setTimeout(done, 1));
    }
    return measured().slice(-moves).map(entry => entry.duration);
}"""


def visit(browser: Any, address: str) -> tuple[float, float, list[float]]:
    """The times of a cold visit in ms: to the picture that is there, to a live one, of moves."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.goto(address)
    page.wait_for_function("performance.getEntriesByName('picture').length > 0", timeout=120_000)
    paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    seen = page.evaluate(paint)
    live = page.evaluate("performance.getEntriesByName('picture')[0].startTime")
    page.wait_for_selector("main[aria-busy=false]", timeout=60_000)
    moves = page.evaluate(SLIDE, MOVES)
    context.close()
    return seen, live, moves


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "playground")
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    size = sum(len(gzip.compress(content, 9)) for content in files) / 1e6
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with playground_server(folder, 0) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        print(f"Chromium {browser.version}")
        address = f"http://127.0.0.1:{server.server_port}/"
        visits = [visit(browser, address) for _ in range(VISITS)]
        browser.close()
        server.shutdown()
    moves = sorted(move for _, _, own in visits for move in own)
    rows = [
        ("the picture in the page", statistics.median(seen for seen, _, _ in visits), 300.0),
        ("the first live picture", statistics.median(live for _, live, _ in visits), 4000.0),
        ("slider to picture, 90 of 100", moves[int(0.9 * len(moves))], 80.0),
        ("slider to picture, median", statistics.median(moves), None),
    ]
    for name, time, target in rows:
        verdict = "met" if target is None or time <= target else "NOT met"
        aim = "" if target is None else f"   target {target:5.0f} ms, {verdict}"
        print(f"{name:32} {time:7.0f} ms{aim}")
    print(f"{'all files, gzip':32} {size:7.2f} MB   target  7.50 MB")


if __name__ == "__main__":
    main()
