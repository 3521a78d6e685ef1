#!/usr/bin/env python3
"""Renders the bundled stickers: every src/engine/stickers/PACK/*.svg to a PNG of 256 x 256 beside it, and writes each
picture's size and SHA-256 into the pack's pack.json.

Needs rsvg-convert and pngquant (Debian: librsvg2-bin, pngquant). Run it after changing a drawing, and commit all three.
"""

import hashlib
import json
import pathlib
import subprocess

SIDE = 256
PACKS = pathlib.Path(__file__).resolve().parent.parent / "src" / "engine" / "stickers"


def render(svg: pathlib.Path) -> bytes:
    drawn = subprocess.run(
        ["rsvg-convert", "--width", str(SIDE), "--height", str(SIDE), str(svg)], check=True, capture_output=True
    ).stdout
    return subprocess.run(
        ["pngquant", "--speed", "1", "--strip", "--quality", "90-100", "256", "-"],
        input=drawn, check=True, capture_output=True,
    ).stdout


for listing in sorted(PACKS.glob("*/pack.json")):
    pack = json.loads(listing.read_text(encoding="utf-8"))
    for sticker, image in pack["images"].items():
        png = render(listing.parent / f"{sticker}.svg")
        (listing.parent / image["url"]).write_bytes(png)
        image["info"] |= {"w": SIDE, "h": SIDE, "size": len(png), "sha256": hashlib.sha256(png).hexdigest()}
        print(f"{listing.parent.name}/{sticker}: {len(png)} bytes")
    listing.write_text(json.dumps(pack, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
