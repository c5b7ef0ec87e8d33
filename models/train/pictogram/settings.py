"""What all stages agree on: styles, languages, sizes. Depends on nothing."""

from pathlib import Path

STYLES = ["3d", "flat", "ink", "noto", "blob", "fx", "one", "line", "pixel"]
# What a prompt may call a style; the first entry is the name that captions use.
STYLE_WORDS = {
    "3d": ["3d style", "3d"],
    "flat": ["flat style", "flat colour", "flat color"],
    "ink": ["ink style", "ink drawing", "black line art"],
    "noto": ["noto style"],
    "blob": ["blob style", "blobmoji"],
    "fx": ["fx style", "firefox style"],
    "one": ["one style", "emojione style"],
    "line": ["line style", "outlined", "outline style"],
    "pixel": ["pixel style", "pixel art", "pixel"],
}
# Looks of the second data set: they have numbers behind those of the styles, which packs know already, and before all that of a style
# that is left open.
LOOKS = ["clipart", "doodle", "silhouette", "lowpoly", "portrait", "twemoji"]
LOOK_WORDS = {
    "clipart": ["clip art", "clipart", "clip art style"],
    "doodle": ["doodle", "doodle style", "scribble"],
    "silhouette": ["silhouette", "black silhouette"],
    "lowpoly": ["low poly", "low-poly style"],
    "portrait": ["portrait", "avatar"],
    "twemoji": ["twemoji", "twemoji style"],
}
ANY = "any"
NUMBERS = {name: number for number, name in enumerate([ANY, *STYLES, *LOOKS])}
OPEN = NUMBERS[ANY]
LANGUAGES = ["en", "zh", "es", "fr", "de", "ja", "ko", "pt", "ru", "ar", "hi", "it"]

PICTURE = 32  # side of the picture the denoiser draws, in pixels
OUTPUT = 128  # side of the decoded picture
CHANNELS = 4  # premultiplied RGBA in [-1, 1]

VOCABULARY = 16_384
TOKENS = 24  # longest prompt in tokens, the start token included
PAD, UNKNOWN, START = 0, 1, 2

WIDTH = 192  # width of the text encoder and of its context rows
CONDITION = 256  # width of the vector that modulates the denoiser

# Times of the few-step schedules: 0 is noise, 1 the picture.
SCHEDULES = {1: [0.0, 1.0], 2: [0.0, 0.40, 1.0], 4: [0.0, 0.16, 0.40, 0.69, 1.0]}

DEFAULT_WORK = Path("work")
