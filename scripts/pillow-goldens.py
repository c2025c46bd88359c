#!/usr/bin/env python3
"""Makes test/preprocess/pillow-goldens.json: what Pillow itself gives for the recipes that follow it.

    pip install 'pillow>=13' && python scripts/pillow-goldens.py [--check]

--check compares with the file instead of writing it; the exit status is 1 on any difference. Pixels come from a linear
congruential generator that the test repeats, so that the file holds hashes only. The geometry is written down here once
more, as the programs that the recipes are named after have it (slim, torchvision), independently of lib/preprocess.ts.
"""

import hashlib
import json
import random
import sys
from pathlib import Path

import PIL
from PIL import Image

FILE = Path(__file__).resolve().parent.parent / "test" / "preprocess" / "pillow-goldens.json"
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def pixels(seed, count):
    out = bytearray(count)
    for i in range(count):
        seed = (seed * 1664525 + 1013904223) % 2**32
        out[i] = seed >> 24
    return bytes(out)


def resize(image, size):
    """The resized image, and which pass Pillow ran first: "vertical", "horizontal", or null when both give the same."""
    result = image.resize(size, Image.Resampling.BILINEAR)
    one_by_one = {
        "horizontal": image.resize((size[0], image.height), Image.Resampling.BILINEAR),
        "vertical": image.resize((image.width, size[1]), Image.Resampling.BILINEAR),
    }
    orders = [
        first
        for first, half in one_by_one.items()
        if half.resize(size, Image.Resampling.BILINEAR).tobytes() == result.tobytes()
    ]
    return result, orders[0] if len(orders) == 1 else None


def centre_square(image, fraction):
    side = round(fraction * min(image.size))
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def torchvision(image, side):
    """transforms.Resize(side * 256 / 224), transforms.CenterCrop(side)"""
    short = round(side * 256 / 224)
    long = int(short * max(image.size) / min(image.size))
    resized, first = resize(image, (short, long) if image.width <= image.height else (long, short))
    left, top = round((resized.width - side) / 2.0), round((resized.height - side) / 2.0)
    return resized.crop((left, top, left + side, top + side)), first


RECIPES = {
    "tf": lambda image, side: resize(centre_square(image, 0.875), (side, side)),
    "torchvision": torchvision,
    "teachable-machine": lambda image, side: resize(centre_square(image, 1), (side, side)),
    "stretch": lambda image, side: resize(image, (side, side)),
}

# Width, height: down, up, mixed, equal to the input, and thin images.
SIZES = [(300, 200), (201, 333), (97, 61), (61, 97), (348, 260), (160, 160), (128, 96), (33, 290), (290, 33), (1, 50), (50, 1), (1, 1)]


def recipe_cases():
    for index, (width, height) in enumerate(SIZES):
        for name, recipe in RECIPES.items():
            channels, seed, side = (3, 1, 4)[index % 3], 1000 + index, (96, 128, 160)[index % 3]
            image = Image.frombytes(MODES[channels], (width, height), pixels(seed, width * height * channels))
            result, first = recipe(image.convert("RGB"), side)
            yield {"recipe": name, "image": [width, height, channels], "seed": seed, "side": side, "first": first,
                   "sha256": hashlib.sha256(result.tobytes()).hexdigest()}


def box_cases(count=60):
    """Any box of an image to any size, of which any window: x, y, width, height."""
    rng = random.Random(7)

    def part(width, height):
        w, h = rng.randint(1, width), rng.randint(1, height)
        return [rng.randint(0, width - w), rng.randint(0, height - h), w, h]

    for index in range(count):
        width, height, channels = rng.randint(1, 150), rng.randint(1, 150), rng.choice((1, 3, 4))
        box = part(width, height)
        size = [box[2] if index % 5 == 0 else rng.randint(1, 120), box[3] if index % 7 == 0 else rng.randint(1, 120)]
        window = part(*size)
        seed = 5000 + index
        image = Image.frombytes(MODES[channels], (width, height), pixels(seed, width * height * channels))
        x, y, w, h = box
        result, first = resize(image.convert("RGB").crop((x, y, x + w, y + h)), tuple(size))
        x, y, w, h = window
        result = result.crop((x, y, x + w, y + h))
        yield {"image": [width, height, channels], "seed": seed, "box": box, "resized": size, "window": window,
               "first": first, "sha256": hashlib.sha256(result.tobytes()).hexdigest()}


def main():
    if int(PIL.__version__.split(".")[0]) < 13:
        sys.exit(f"Pillow 13 or newer is needed (the order of its passes changed then), this is {PIL.__version__}")

    def lines(cases):
        return ",\n".join("  " + json.dumps(case) for case in cases)

    text = f'{{\n "recipes": [\n{lines(recipe_cases())}\n ],\n "boxes": [\n{lines(box_cases())}\n ]\n}}\n'
    if "--check" in sys.argv[1:]:
        sys.exit(0 if FILE.read_text() == text else f"{FILE.name} differs from what Pillow {PIL.__version__} gives")
    FILE.write_text(text)


if __name__ == "__main__":
    main()
