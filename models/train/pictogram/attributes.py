"""What a user asks for beside the thing itself, made from the pictures: colour, count, arrangement, size, place.

`Asking.batch` gives training pictures together with captions that say what was done to them. The tables hold
the words of all languages; `dominant` is also the measure by which `evaluate` judges an asked colour.
"""

import random

import numpy as np

from . import settings
from .captions import Captions
from .variation import vary

# Hue in degrees in the middle of a colour's range; the others are made from saturation and value.
HUES = {"red": 0, "orange": 25, "yellow": 54, "green": 122, "blue": 215, "purple": 273, "pink": 328}
COLOURS = [*HUES, "brown", "black", "white", "gray"]
# Less than so saturated, red would be pink and orange brown.
RICH = {"red": 0.65, "orange": 0.87}
# Share of a picture that its colour has to cover to be named.
COVERED = 0.5

# One entry a colour, in the order of COLOURS; forms of one colour are separated by slashes.
COLOUR_WORDS = {
    "en": "red orange yellow green blue purple/violet pink brown black white gray/grey",
    "zh": "红色/红 橙色 黄色/黄 绿色/绿 蓝色/蓝 紫色 粉色/粉红色 棕色 黑色/黑 白色/白 灰色",
    "es": "rojo/roja naranja amarillo/amarilla verde azul morado/morada rosa marrón negro/negra blanco/blanca gris",
    "fr": "rouge orange jaune vert/verte bleu/bleue violet/violette rose marron noir/noire blanc/blanche gris/grise",
    "de": "rote/roter/rotes orange gelbe/gelber/gelbes grüne/grüner/grünes blaue/blauer/blaues lila rosa braune/brauner/braunes "
    "schwarze/schwarzer/schwarzes weiße/weißer/weißes graue/grauer/graues",
    "ja": "赤い/赤 オレンジの 黄色い 緑の/緑色の 青い/青 紫の ピンクの 茶色の/茶色い 黒い/黒 白い/白 灰色の",
    "ko": "빨간/빨간색 주황색 노란/노란색 초록색/녹색 파란/파란색 보라색 분홍색 갈색 검은/검은색 하얀/흰색 회색",
    "pt": "vermelho/vermelha laranja amarelo/amarela verde azul roxo/roxa rosa marrom/castanho preto/preta branco/branca cinza",
    "ru": "красный/красная/красное оранжевый/оранжевая/оранжевое желтый/желтая/желтое зеленый/зеленая/зеленое синий/синяя/синее/голубой "
    "фиолетовый/фиолетовая/фиолетовое розовый/розовая/розовое коричневый/коричневая/коричневое черный/черная/черное белый/белая/белое "
    "серый/серая/серое",
    "ar": "أحمر/حمراء برتقالي/برتقالية أصفر/صفراء أخضر/خضراء أزرق/زرقاء بنفسجي/بنفسجية وردي/وردية بني/بنية أسود/سوداء أبيض/بيضاء رمادي/رمادية",
    "hi": "लाल नारंगी पीला/पीली हरा/हरी नीला/नीली बैंगनी गुलाबी भूरा/भूरी काला/काली सफेद स्लेटी/धूसर",
    "it": "rosso/rossa arancione giallo/gialla verde blu/azzurro viola rosa marrone nero/nera bianco/bianca grigio/grigia",
}
COLOUR_WORDS = {language: [entry.split("/") for entry in words.split()] for language, words in COLOUR_WORDS.items()}
COLOUR_LAST = {"es", "fr", "pt", "ar", "it"}
AND = {
    "en": " and ", "zh": "和", "es": " y ", "fr": " et ", "de": " und ", "ja": "と",
    "ko": "와 ", "pt": " e ", "ru": " и ", "ar": " و ", "hi": " और ", "it": " e ",
}  # fmt: skip
SMALL = {
    "en": "small /tiny /little ", "zh": "小/小小的", "es": "pequeño /pequeña ", "fr": "petit /petite ", "de": "kleine /kleiner /kleines ", "ja": "小さい/小さな",
    "ko": "작은 ", "pt": "pequeno /pequena ", "ru": "маленький /маленькая ", "ar": "صغير /صغيرة ", "hi": "छोटा /छोटी ", "it": "piccolo /piccola ",
}  # fmt: skip
NUMBERS = {2: ["two", "2", "a pair of"], 3: ["three", "3"], 4: ["four", "4"]}
CORNERS = {(0, 0): "top left", (0, 16): "top right", (16, 0): "bottom left", (16, 16): "bottom right"}
SIDES = {(0, 8): "top", (16, 8): "bottom", (8, 0): "left", (8, 16): "right"}
# A colour word before a person would be read as something else.
PEOPLE = {"man", "woman", "person", "people", "men", "women", "boy", "girl", "human", "adult", "hand", "hands", "finger", "fingers", "skin", "ear", "nose"}
# Pictures that mean something else, or nothing, upside down or recoloured.
FIXED = {"clock", "arrow", "arrows", "button", "keycap", "symbol", "letter", "letters", "sign", "number", "flag", "mark", "o’clock", "thirty"}

# Where so many things stand, as the top left corners of 16×16 places.
SPOTS = {2: [(8, 0), (8, 16)], 3: [(0, 8), (16, 0), (16, 16)], 4: list(CORNERS)}

# Share of names in whose place a keyword may be.
KEYWORD_INSTEAD = 0.35
# Share of things among several that are painted, and how often each colour is asked for: those more often that are harder to hit.
COLOURED_AMONG = 0.25
COLOUR_SHARES = [{"yellow": 2.5, "orange": 2, "gray": 2, "red": 1.5}.get(colour, 1) for colour in COLOURS]

RATES = {"recolour": 0.12, "colour": 0.05, "count": 0.09, "pair": 0.08, "small": 0.02, "upside_down": 0.005}


def to_hsv(picture: np.ndarray):
    """Premultiplied uint8 H×W×4 → hue in degrees, saturation, value, alpha in [0, 1]."""
    alpha = picture[..., 3] / 255.0
    rgb = (picture[..., :3] / np.maximum(picture[..., 3:], 1)).clip(0, 1)
    top, bottom = rgb.max(-1), rgb.min(-1)
    span = np.maximum(top - bottom, 1e-6)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    hue = np.where(top == red, (green - blue) / span, np.where(top == green, 2 + (blue - red) / span, 4 + (red - green) / span))
    return (hue * 60) % 360, (top - bottom) / np.maximum(top, 1e-6), top, alpha


def from_hsv(hue, saturation, value, alpha) -> np.ndarray:
    sector = (np.array([5, 3, 1]) + hue[..., None] / 60) % 6
    rgb = value[..., None] * (1 - saturation[..., None] * np.minimum(sector, 4 - sector).clip(0, 1))
    return (np.concatenate([rgb * alpha[..., None], alpha[..., None]], -1) * 255).round().astype(np.uint8)


def name_pixels(hue, saturation, value) -> np.ndarray:
    """The index in COLOURS of every pixel's colour."""
    named = np.digitize(hue, [14, 41, 68, 165, 252, 292, 346]) % 7  # red … pink, red again
    pale_red = (named == 0) & (saturation < 0.55) & (value > 0.75)
    named = np.where(pale_red, COLOURS.index("pink"), named)
    brown = ((hue < 45) | (hue > 350)) & (value < 0.66) & (saturation < 0.85) & (value >= 0.2) & ~((hue < 12) & (saturation > 0.6))
    named = np.where(brown, COLOURS.index("brown"), named)
    named = np.where(saturation < 0.15, np.where(value > 0.82, COLOURS.index("white"), COLOURS.index("gray")), named)
    return np.where(value < 0.24, COLOURS.index("black"), named)


def dominant(picture: np.ndarray) -> tuple[str, float]:
    """The colour that covers most of a premultiplied uint8 H×W×4 picture, and its share of what is not transparent."""
    hue, saturation, value, alpha = to_hsv(picture)
    shares = np.bincount(name_pixels(hue, saturation, value).ravel(), weights=alpha.ravel(), minlength=len(COLOURS))
    best = int(shares.argmax())
    return COLOURS[best], float(shares[best] / max(alpha.sum(), 1e-6))


def paint(picture: np.ndarray, colour: str) -> np.ndarray:
    """The picture with its main colour turned into another, or, where that does not cover half of it, painted all over."""
    made = recolour(picture, colour)
    named, share = dominant(made)
    return made if named == colour and share >= COVERED else recolour(picture, colour, whole=True)


def recolour(picture: np.ndarray, colour: str, whole: bool = False) -> np.ndarray:
    """The picture with its main colour turned into another; eyes, mouths and the like keep theirs. `whole` paints all but
    what is dark."""
    hue, saturation, value, alpha = to_hsv(picture)
    weight = (alpha * saturation * value).ravel()
    if not whole and weight.sum() > 0.15 * alpha.sum():
        histogram = np.bincount((hue.ravel() // 10).astype(int), weights=weight, minlength=36)
        main = (histogram + np.roll(histogram, 1) + np.roll(histogram, -1)).argmax() * 10 + 5
        away = np.abs((hue - main + 180) % 360 - 180)
        strength = (saturation > 0.12) * ((75 - away) / 30).clip(0, 1)
    else:
        main, strength = None, (value > 0.3) * 1.0
    if colour in HUES:
        turned = np.full_like(hue, HUES[colour]) if main is None else (hue + HUES[colour] - main) % 360
        rich = RICH.get(colour, 0.55)
        if main is None:
            richer = np.maximum(saturation, rich)
        else:
            # A dull picture becomes brighter as a whole, so that highlights stay highlights.
            usual = (weight * saturation.ravel() * strength.ravel()).sum() / max((weight * strength.ravel()).sum(), 1e-6)
            richer = (saturation * max(1.0, rich / max(usual, 1e-6))).clip(0, 1)
        made = from_hsv(turned, richer, value, alpha)
    else:
        turned, rich, low, high = {"brown": (24, 0.6, 0.2, 0.6), "black": (0, 0, 0.05, 0.25), "white": (0, 0, 0.8, 1.0), "gray": (0, 0, 0.3, 0.75)}[colour]
        made = from_hsv(np.full_like(hue, turned), np.full_like(hue, rich), low + (high - low) * value, alpha)
    strength = strength[..., None]
    return (made * strength + picture * (1 - strength)).round().astype(np.uint8)


def half(picture: np.ndarray) -> np.ndarray:
    """2H×2W×4 → H×W×4."""
    side = picture.shape[0] // 2
    return picture.reshape(side, 2, side, 2, 4).mean((1, 3)).round().astype(np.uint8)


def place(parts: list[tuple[np.ndarray, tuple[int, int]]]) -> np.ndarray:
    """Pictures at half their size on an empty page of their size; spots are those of a page of 32×32."""
    side = len(parts[0][0])
    page = np.zeros((side, side, 4), np.uint8)
    for picture, spot in parts:
        top, left = (offset * side // settings.PICTURE for offset in spot)
        page[top : top + side // 2, left : left + side // 2] = half(picture)
    return page


def plural(name: str) -> str:
    if name.endswith(("s", "x", "ch", "sh")):
        return name if name.endswith("s") else name + "es"
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return name[:-1] + "ies"
    return name + "s"


def coloured(colour: str, language: str, name: str, generator: random.Random) -> str:
    """A name in a language, asked for in a colour."""
    word = generator.choice(COLOUR_WORDS[language][COLOURS.index(colour)])
    if language == "zh":
        return word + (generator.choice(["的", ""]) if word.endswith("色") else "") + name
    if language == "ja":
        return word + name
    return f"{name} {word}" if language in COLOUR_LAST else f"{word} {name}"


def counted(number: int, language: str, name: str, generator: random.Random) -> str:
    """So many of a thing, two to four, asked for in a language."""
    if language == "en":
        return f"{generator.choice(NUMBERS[number])} {plural(name)}"
    if language == "zh":
        return {2: "两", 3: "三", 4: "四"}[number] + generator.choice(["个", "只"]) + name
    return f"{number}つの{name}" if language == "ja" else f"{number} {name}"


def by_style(captions: Captions) -> dict[int, list[int]]:
    """The training pictures of every style."""
    return {style: [index for index in captions.training if captions.styles[index] == style] for style in set(captions.styles)}


class Asking:
    """Training pictures with captions that ask for more than a thing; `rates` is the share of each kind of asking."""

    def __init__(self, captions: Captions, array: np.ndarray, rates: dict[str, float] = RATES, varied: bool = False):
        """`varied`: pictures that are asked for by nothing but words are shown as copies of their own."""
        self.captions, self.array, self.rates, self.varied = captions, array, rates, varied
        coloured = {form for forms in COLOUR_WORDS["en"] for form in forms}
        words = [set(" ".join([row["words"]["en"][0], *row["words"]["en"][1]]).lower().replace(":", " ").split()) for row in captions.rows]
        self.plain = np.array([not found & (coloured | PEOPLE) and row["style"] != "ink" for found, row in zip(words, captions.rows)])
        self.free = np.array([not found & FIXED for found in words])
        self.by_style = by_style(captions)

    def draw(self, count: int, generator: random.Random, chooser: np.random.Generator, **chances: float):
        """So many pictures of the training set, as `batch` gives them."""
        return self.batch(chooser.choice(self.captions.training, count, p=self.captions.weights), generator, **chances)

    def batch(self, indices, generator: random.Random, empty: float = 0.0, style_word: float = 0.0, around: float = 0.0):
        """uint8 pictures N×32×32×4, token rows and style numbers."""
        pictures, texts = self.array[indices].copy(), {}
        for position, index in enumerate(indices):
            draw = generator.random()
            for kind, rate in self.rates.items():
                if draw < rate:
                    made = getattr(self, kind)(int(index), generator)
                    if made is not None:
                        pictures[position], texts[position] = made
                    break
                draw -= rate
            if self.varied and position not in texts:
                pictures[position] = self.copy(int(index), generator)
        return pictures, *self.captions.batch(indices, generator, empty, style_word, texts, around)

    def copy(self, index: int, generator: random.Random) -> np.ndarray:
        """The picture changed a little, in ways that its caption does not mention. Sprites keep to their pixels, and what is named
        after a colour, or drawn in black, keeps that."""
        sprite = self.captions.rows[index]["style"] == "pixel"
        return vary(self.array[index], generator, mirror=self.free[index], bend=not sprite, tint=self.plain[index])

    def name(self, index: int, generator: random.Random, language: str | None = None) -> tuple[str, str]:
        """A language and the bare name in it, or now and then a keyword that stands for the thing: people ask for two cars and
        not for two automobiles."""
        words = self.captions.rows[index]["words"]
        language = language or self.captions.language(words, generator)
        language = language if language in words else "en"
        keyword = self.captions.keyword(index, language, generator) if generator.random() < KEYWORD_INSTEAD else None
        return language, keyword or words[language][0]

    def recolour(self, index: int, generator: random.Random):
        return self.called(self.painted(index, generator), index, generator) if self.plain[index] else None

    def painted(self, index: int, generator: random.Random) -> np.ndarray:
        (colour,) = generator.choices(COLOURS, COLOUR_SHARES)
        return paint(self.array[index], colour)

    def colour(self, index: int, generator: random.Random):
        return self.called(self.array[index], index, generator) if self.plain[index] else None

    def called(self, picture: np.ndarray, index: int, generator: random.Random):
        """The picture captioned with the colour it has, if it has one."""
        colour, share = dominant(picture)
        if share < COVERED:
            return None
        return picture, coloured(colour, *self.name(index, generator), generator)

    def among(self, index: int, generator: random.Random, language: str | None = None) -> tuple[np.ndarray, str, str]:
        """A thing that stands beside others: its picture, now and then painted, a language, and what it is called in it."""
        language, name = self.name(index, generator, language)
        if self.plain[index] and generator.random() < COLOURED_AMONG:
            picture = self.painted(index, generator)
            colour, share = dominant(picture)
            if share >= COVERED:
                return picture, language, coloured(colour, language, name, generator)
        return self.array[index], language, name

    def count(self, index: int, generator: random.Random):
        if not self.free[index]:
            return None
        number = generator.choice([2, 2, 3, 4])
        picture, language, name = self.among(index, generator)
        return place([(picture, spot) for spot in SPOTS[number]]), counted(number, language, name, generator)

    def pair(self, index: int, generator: random.Random):
        other = generator.choice(self.by_style[self.captions.styles[index]])
        language = self.name(other, generator, self.name(index, generator)[0])[0]
        first, language, one = self.among(index, generator, language)
        second, _, two = self.among(other, generator, language)
        if generator.random() < 0.6 or language != "en":
            text = f"{one} next to {two}" if language == "en" and generator.random() < 0.3 else one + AND[language] + two
            return place(list(zip((first, second), SPOTS[2]))), text
        text = generator.choice([f"{one} above {two}", f"{two} below {one}", f"{one} on top of {two}", f"{two} under {one}"])
        return place([(first, (0, 8)), (second, (16, 8))]), text

    def small(self, index: int, generator: random.Random):
        if generator.random() < 0.5:
            language, name = self.name(index, generator)
            return place([(self.array[index], (8, 8))]), generator.choice(SMALL[language].split("/")) + name
        spot, where = generator.choice([*CORNERS.items(), *SIDES.items()])
        _, name = self.name(index, generator, "en")
        return place([(self.array[index], spot)]), generator.choice([f"{name} at the {where}", f"{name} in the {where}", f"{name}, {where}"])

    def upside_down(self, index: int, generator: random.Random):
        if not self.free[index]:
            return None
        _, name = self.name(index, generator, "en")
        return self.array[index][::-1], generator.choice([f"upside down {name}", f"{name} upside down"])
