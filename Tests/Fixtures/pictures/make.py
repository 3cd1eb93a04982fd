#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the pictures here with Pillow 13, and expected.json: each file's size and some pixels as Pillow sees them.

Needs Pillow. Run in this folder.
"""
import io
import json
import struct
import tarfile
import zlib

from PIL import Image

W, H = 13, 9
EXPECTED = {}


def color(x, y):
    return (x * 255 // (W - 1), y * 255 // (H - 1), (x * y * 7) % 256, 255 - (x + y) * 8)


def base(mode="RGBA"):
    picture = Image.new("RGBA", (W, H))
    picture.putdata([color(x, y) for y in range(H) for x in range(W)])
    return picture.convert(mode)


def note(name, picture, tolerance=0):
    picture = picture.convert("RGBA")
    points = [(0, 0), (picture.width - 1, 0), (3, 5), (picture.width // 2, picture.height // 2)]
    EXPECTED[name] = {
        "size": list(picture.size),
        "tolerance": tolerance,
        "points": [[x, y, *picture.getpixel((x, y))] for x, y in points],
    }


def save(name, picture, tolerance=0, seen=None, **options):
    picture.save(name, **options)
    note(name, seen or Image.open(name), tolerance)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(name, ihdr, rows, extra=b""):
    with open(name, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + extra)
        file.write(chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def sixteen_bits():
    """16 bits a channel, RGBA: each byte of the colour twice."""
    rows = b"".join(
        b"\0" + b"".join(struct.pack(">4H", *(v * 257 for v in color(x, y))) for x in range(W)) for y in range(H))
    png("rgba16.png", struct.pack(">IIBBBBB", W, H, 16, 6, 0, 0, 0), rows)
    note("rgba16.png", base())


def interlaced():
    """Adam7 by hand, since Pillow does not write it."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b""
    for x0, y0, dx, dy in passes:
        columns = range(x0, W, dx)
        for y in range(y0, H, dy):
            if len(columns):
                rows += b"\0" + b"".join(bytes(color(x, y)) for x in columns)
    png("interlaced.png", struct.pack(">IIBBBBB", W, H, 8, 6, 0, 0, 1), rows)
    note("interlaced.png", base())


def bombs():
    """Headers that promise much: nothing may be taken for them."""
    header = struct.pack(">IIBBBBB", 50000, 50000, 8, 6, 0, 0, 0)
    png("huge.png", header, b"\0" * 64)
    small = open("rgb.jpg", "rb").read()
    at = small.index(b"\xff\xc0")
    open("huge.jpg", "wb").write(small[: at + 5] + struct.pack(">HH", 50000, 50000) + small[at + 9:])
    # A lossless WebP of 16384 x 16384, the format's largest: 14 bits of width - 1 and of height - 1.
    bits = (16383 | 16383 << 14).to_bytes(4, "little")
    data = b"VP8L" + struct.pack("<I", 6) + b"\x2f" + bits + b"\0"
    open("huge.webp", "wb").write(b"RIFF" + struct.pack("<I", 4 + len(data)) + b"WEBP" + data)
    # Text that inflates to 8 MB.
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * (8 << 20), 9))
    rows = b"".join(b"\0" + bytes(v for x in range(W) for v in color(x, y)) for y in range(H))
    png("text-bomb.png", struct.pack(">IIBBBBB", W, H, 8, 6, 0, 0, 0), rows, text)
    note("text-bomb.png", base())


def exif(orientation):
    return b"Exif\0\0" + b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def resized():
    """What Pillow makes of rgba.png at other sizes, alpha multiplied in."""
    for width, height in [(5, 4), (29, 17), (13, 4)]:
        small = base().convert("RGBa").resize((width, height), Image.Resampling.LANCZOS)
        EXPECTED[f"resized {width}x{height}"] = {"size": [width, height], "bytes": list(small.tobytes())}


def drawing(box, path):
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}"><path d="{path}"/></svg>'.encode()


def icons():
    """An archive of drawings with tags beside them."""
    files = {
        "icons/cat-face.json": b'{"tags": ["pet", "kitten"], "contributors": ["someone"]}',
        "icons/cat-face.svg": drawing("0 0 8 8", "M2 2h4v4H2z"),
        "icons/dog_2.svg": drawing("0 0 8 4", "M0 0h8v4H0z"),
        "icons/LICENSE": b"none",
    }
    with tarfile.open("icons.tar.xz", "w:xz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def main():
    save("rgba.png", base())
    save("rgb.png", base("RGB"))
    save("grey.png", base("L"))
    save("grey-alpha.png", base("LA"))
    save("bits.png", base("RGB").convert("1"))
    palette = base("RGB").quantize(16)
    save("palette.png", palette)
    save("palette-alpha.png", palette, transparency=bytes(range(0, 256, 16)))
    save("grey16.png", base("L").convert("I;16").point(lambda v: v * 257), seen=base("L"))
    sixteen_bits()
    interlaced()
    frames = [base(), base().rotate(180)]
    save("animated.png", frames[0], save_all=True, append_images=frames[1:], duration=100, seen=frames[0])

    smooth = base("RGB").resize((40, 28), Image.Resampling.BICUBIC)
    save("rgb.jpg", smooth, tolerance=2, quality=90)
    save("grey.jpg", smooth.convert("L"), tolerance=2, quality=90)
    save("progressive.jpg", smooth, tolerance=2, quality=90, progressive=True)
    save("cmyk.jpg", smooth.convert("CMYK"), tolerance=3, quality=90)
    for orientation in range(1, 9):
        name = f"turned-{orientation}.jpg"
        turns = [None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
                 Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_90, Image.Transpose.TRANSVERSE,
                 Image.Transpose.ROTATE_270]
        stored = smooth if orientation == 1 else smooth.transpose(turns[orientation - 1])
        stored.save(name, quality=95, exif=exif(orientation))
        note(name, smooth, tolerance=12)

    save("lossless.webp", base(), lossless=True, exact=True)
    save("lossy.webp", base().resize((40, 28)), tolerance=2, quality=90)
    frames[0].save("animated.webp", save_all=True, append_images=frames[1:], duration=100, lossless=True)
    bombs()
    resized()
    icons()
    with open("expected.json", "w") as file:
        lines = [f"{json.dumps(name)}: {json.dumps(EXPECTED[name])}" for name in sorted(EXPECTED)]
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


main()
