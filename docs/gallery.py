"""Make the pictures of the gallery anew: `python docs/gallery.py`."""

import re
from pathlib import Path

HERE = Path(__file__).parent


def make(folder: Path) -> None:
    """Run the Python of `gallery.md`, in one namespace, and save its pictures in the folder."""
    text = (HERE / "gallery.md").read_text("utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        exec(re.sub(r'save\("', f'save(r"{folder}/', block), names)


if __name__ == "__main__":
    make(HERE)
