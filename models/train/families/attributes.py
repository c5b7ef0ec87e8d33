"""What a portrait may be asked for: its attributes, which pictures have them, and the words that ask for them. Depends on nothing.

An attribute of a picture is 1 where the picture has it, -1 where it has not, and 0 where its design has no such thing or the caption
does not say.
"""

from dataclasses import dataclass

import numpy as np

# Designs of flat shapes: fine lines take longer to learn than an hour.
DESIGNS = ["big-smile", "fun-emoji", "micah", "open-peeps", "personas", "toon-head"]
# What a prompt may call a design.
DESIGN_WORDS = {
    "big-smile": ["big smile", "big-smile", "big head"],
    "fun-emoji": ["fun emoji", "fun-emoji", "emoji", "emoticon"],
    "micah": ["micah"],
    "open-peeps": ["open peeps", "open-peeps", "ink drawing"],
    "personas": ["personas", "persona"],
    "toon-head": ["toon head", "toon-head", "cartoon", "toon"],
}
# The number of a design that is left open; the designs follow.
OPEN = 0


@dataclass(frozen=True)
class Attribute:
    """`field` of a caption's attributes decides, if one of `parts` occurs in it (none of `without`); `words` ask for it in a prompt."""

    name: str
    field: str
    parts: tuple[str, ...]
    words: tuple[str, ...]
    without: tuple[str, ...] = ()

    def value(self, row: dict) -> int:
        text = row["concept"] if self.field == "concept" else " ".join(str(row["attributes"].get(name, "")) for name in self.field.split("+"))
        if any(f" {part} " in f" {text} " for part in self.parts) and not any(f" {part} " in f" {text} " for part in self.without):
            return 1
        return -1


def hair_colour(name: str, *parts: str) -> Attribute:
    words = [f"{part} hair" for part in (name, *parts)]
    return Attribute(f"{name}-hair", "hair_colour+hair", tuple(dict.fromkeys((name, *parts))), tuple(dict.fromkeys(words)))


def clothes(name: str, *parts: str) -> Attribute:
    things = ("shirt", "clothes", "top", "sweater", "jacket", "t-shirt", "turtleneck")
    return Attribute(f"{name}-clothes", "clothes_colour+clothes", (name, *parts), tuple(f"{part} {thing}" for part in (name, *parts) for thing in things))


def skin(name: str, *others: str) -> Attribute:
    return Attribute(f"{name}-skin", "skin", (name,), tuple(f"{word} skin" for word in (name, *others)))


FEELING = "expression"
ATTRIBUTES = [
    Attribute("woman", "concept", ("woman",), ("woman", "girl", "lady", "female")),
    Attribute("man", "concept", ("man",), ("man", "boy", "guy", "male")),
    Attribute("smile", FEELING, ("smiling", "laughing", "grinning"), ("smile", "smiling", "smiles", "happy", "grin", "grinning", "cheerful")),
    Attribute("laugh", FEELING, ("laughing", "grinning"), ("laugh", "laughing", "laughs")),
    Attribute("sad", FEELING, ("sad", "frowning", "unimpressed"), ("sad", "frown", "frowning", "unhappy", "unimpressed")),
    Attribute("angry", FEELING, ("angry",), ("angry", "furious")),
    Attribute("surprised", FEELING, ("surprised", "scared", "open"), ("surprised", "surprise", "scared", "open mouth", "amazed")),
    Attribute("tongue", FEELING, ("tongue",), ("tongue", "tongue out", "the tongue out", "sticking out the tongue")),
    Attribute("glasses", "wears+eyes", ("glasses",), ("glasses", "spectacles", "eyeglasses", "round glasses", "square glasses", "small glasses")),
    Attribute("sunglasses", "wears+eyes", ("sunglasses",), ("sunglasses", "shades", "dark glasses")),
    Attribute("beard", "facial_hair", ("beard", "goatee"), ("beard", "bearded", "bushy beard", "goatee", "full beard")),
    Attribute("moustache", "facial_hair", ("moustache",), ("moustache", "mustache")),
    Attribute("hat", "hat+hair", ("hat", "cap", "beanie", "turban"), ("hat", "cap", "beanie", "turban")),
    Attribute("headscarf", "hat+hair", ("headscarf",), ("headscarf", "hijab", "head scarf")),
    Attribute("bald", "hair", ("bald", "shaved"), ("bald", "bald head", "shaved head", "no hair")),
    Attribute("short-hair", "hair", ("short",), ("short hair",)),
    Attribute("long-hair", "hair", ("long", "shoulder-length"), ("long hair", "shoulder-length hair")),
    Attribute("curly-hair", "hair", ("curly", "afro"), ("curly hair", "curls", "afro", "curly")),
    Attribute("wavy-hair", "hair", ("wavy",), ("wavy hair",)),
    Attribute("spiky-hair", "hair", ("spiky",), ("spiky hair",)),
    Attribute("bun", "hair", ("bun", "buns"), ("bun", "hair bun", "buns", "hair buns", "two buns")),
    Attribute("ponytail", "hair", ("ponytail",), ("ponytail", "pony tail")),
    Attribute("braids", "hair", ("braids", "pigtails", "dreadlocks"), ("braids", "braid", "pigtails", "dreadlocks", "plaits")),
    Attribute("mohawk", "hair", ("mohawk",), ("mohawk",)),
    Attribute("bob", "hair", ("bob",), ("bob", "bob cut")),
    Attribute("bangs", "hair", ("bangs",), ("bangs", "fringe")),
    hair_colour("black", "dark"),
    hair_colour("brown"),
    hair_colour("blond", "golden", "blonde"),
    hair_colour("red", "ginger", "reddish"),
    hair_colour("orange"),
    hair_colour("gray", "grey"),
    hair_colour("white"),
    hair_colour("blue", "teal"),
    hair_colour("green"),
    hair_colour("pink"),
    hair_colour("purple", "violet"),
    skin("light", "pale", "fair"),
    skin("medium", "tan"),
    skin("dark", "brown"),
    clothes("black"),
    clothes("white"),
    clothes("gray", "grey"),
    clothes("red"),
    clothes("orange"),
    clothes("yellow"),
    clothes("green"),
    clothes("blue", "turquoise"),
    clothes("purple", "violet"),
    clothes("pink"),
]
NAMES = [attribute.name for attribute in ATTRIBUTES]


def values(rows: list[dict]) -> np.ndarray:
    """N×attributes of -1, 0 and 1. What no picture of a design has is 0 in that design."""
    made = np.array([[attribute.value(row) for attribute in ATTRIBUTES] for row in rows], np.int8)
    designs = np.array([row["style"] for row in rows])
    for design in set(designs):
        chosen = designs == design
        made[np.ix_(chosen, ~(made[chosen] > 0).any(0))] = 0
    return made
