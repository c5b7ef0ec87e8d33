"""Which picture a bare everyday word stands for, where no picture has it as its name. Depends on nothing.

A word like "car" is a keyword of sixteen concepts; drawn after all of them it would be a mixture of all. `Meanings` gives
every keyword, in any language, one concept that it stands for above all, as a person would choose who draws just one.
"""

from collections import defaultdict
from collections.abc import Set

# English word → Unicode's English name.
EVERYDAY = {
    "airport": "airplane departure", "alarm": "alarm clock", "alcohol": "wine glass", "angry": "angry face", "animal": "cat face",
    "apple": "red apple", "artist": "artist palette", "auto": "automobile", "bag": "backpack", "ball": "soccer ball", "banknote": "dollar banknote",
    "bathroom": "bathtub", "beach": "beach with umbrella", "bee": "honeybee", "beer": "beer mug", "bike": "bicycle", "birthday": "birthday cake",
    "boat": "sailboat", "book": "closed book", "boot": "woman’s boot", "bow": "bow and arrow", "box": "package", "bright": "sun",
    "building": "office building", "bunny": "rabbit face", "burger": "hamburger", "cake": "birthday cake", "candles": "candle", "car": "automobile",
    "card": "credit card", "cash": "money with wings", "celebration": "party popper", "cell": "mobile phone", "cellphone": "mobile phone",
    "chick": "front-facing baby chick", "chilli": "hot pepper", "christmas": "Christmas tree", "circle": "red circle", "city": "cityscape",
    "clock": "alarm clock", "clothes": "t-shirt", "clothing": "t-shirt", "clover": "four leaf clover", "cocktail": "cocktail glass",
    "coffee": "hot beverage", "computer": "desktop computer", "confused": "confused face", "cool": "smiling face with sunglasses",
    "cop": "police officer", "corn": "ear of corn", "cry": "crying face", "crying": "loudly crying face", "cup": "hot beverage", "daisy": "blossom",
    "dance": "woman dancing", "dancer": "woman dancing", "dead": "skull", "death": "skull", "dessert": "shortcake",
    "devil": "smiling face with horns", "diamond": "gem stone", "dice": "game die", "dinosaur": "T-Rex", "doctor": "health worker",
    "dollar": "dollar banknote", "drink": "cup with straw", "drop": "droplet", "drums": "drum", "earth": "globe showing Americas", "email": "e-mail",
    "evil": "smiling face with horns", "explosion": "collision", "face": "smiling face", "fast": "racing car", "fir": "evergreen tree",
    "fireman": "firefighter", "flag": "triangular flag", "flower": "tulip", "flowers": "bouquet", "food": "pot of food", "football": "soccer ball",
    "forest": "evergreen tree", "fries": "french fries", "frown": "frowning face", "fruit": "red apple", "game": "video game",
    "garden": "house with garden", "gift": "wrapped gift", "glass": "wine glass", "globe": "globe showing Americas", "gold": "coin",
    "golf": "flag in hole", "grin": "grinning face", "gun": "water pistol", "halloween": "jack-o-lantern",
    "hand": "raised hand", "happy": "smiling face with smiling eyes", "hat": "top hat", "headphones": "headphone", "heart": "red heart",
    "hearts": "two hearts", "holiday": "beach with umbrella", "home": "house", "hot": "fire", "ice cream": "soft ice cream",
    "icecream": "soft ice cream", "insect": "bug", "instrument": "guitar", "island": "desert island", "jewel": "gem stone",
    "joy": "face with tears of joy", "juice": "beverage box", "king": "crown", "kiss": "kiss mark", "kitten": "cat face", "kitty": "cat face",
    "knife": "kitchen knife", "ladybug": "lady beetle", "lamp": "light bulb", "laugh": "face with tears of joy", "leaf": "maple leaf",
    "letter": "envelope", "light": "light bulb", "lightbulb": "light bulb", "lock": "locked", "love": "red heart", "luck": "four leaf clover",
    "magic": "magic wand", "mail": "envelope", "mailbox": "closed mailbox with raised flag", "mask": "performing arts",
    "meal": "fork and knife with plate", "meat": "meat on bone", "medal": "sports medal", "medicine": "pill", "milk": "glass of milk",
    "mobile": "mobile phone", "money": "money bag", "monster": "ogre", "moon": "crescent moon", "motorbike": "motorcycle", "movie": "clapper board",
    "mug": "beer mug", "music": "musical note", "nature": "deciduous tree", "night": "night with stars", "note": "musical note",
    "ocean": "water wave", "party": "party popper", "pen": "fountain pen", "pet": "dog face", "phone": "mobile phone", "piano": "musical keyboard",
    "pine": "evergreen tree", "plane": "airplane", "planet": "ringed planet", "plant": "potted plant", "police": "police officer",
    "pony": "horse face", "potion": "test tube", "present": "wrapped gift", "pumpkin": "jack-o-lantern", "puppy": "dog face", "queen": "princess",
    "rain": "cloud with rain", "rain cloud": "cloud with rain", "rice": "cooked rice", "river": "water wave", "road": "motorway",
    "sad": "crying face", "sail": "sailboat", "scared": "fearful face", "scary": "ghost", "science": "microscope", "sea": "water wave",
    "shirt": "t-shirt", "shoe": "running shoe", "shoes": "running shoe", "shopping": "shopping bags", "sick": "face with thermometer",
    "skeleton": "skull", "ski": "skis", "sleep": "sleeping face", "sleepy": "sleepy face", "smile": "slightly smiling face", "smiley": "smiling face",
    "smiling": "slightly smiling face", "snow": "snowflake", "soccer": "soccer ball", "soda": "cup with straw", "sofa": "couch and lamp",
    "soup": "pot of food", "space": "rocket", "spaceship": "rocket", "speaker": "speaker high volume", "speed": "racing car", "sport": "soccer ball",
    "spring": "cherry blossom", "square": "red square", "stars": "sparkles", "steak": "cut of meat", "storm": "cloud with lightning and rain",
    "strong": "flexed biceps", "subway": "metro", "summer": "sun", "sunny": "sun", "surprise": "wrapped gift", "surprised": "astonished face",
    "sweet": "candy", "swim": "person swimming", "sword": "dagger", "swords": "crossed swords", "tea": "teacup without handle", "teddy": "teddy bear",
    "thunder": "high voltage", "time": "alarm clock", "tired": "tired face", "toilet paper": "roll of paper", "tool": "hammer",
    "tower": "Tokyo tower", "toy": "teddy bear", "travel": "airplane", "tree": "deciduous tree", "triangle": "red triangle pointed up",
    "tropical": "palm tree", "truck": "delivery truck", "tv": "television", "vegetable": "carrot", "vehicle": "automobile", "water": "droplet",
    "waves": "water wave", "weapon": "crossed swords", "weather": "sun behind cloud", "wedding": "ring", "wind": "wind face", "wine": "wine glass",
    "winter": "snowman", "witch": "woman mage", "wizard": "mage", "world": "globe showing Europe-Africa", "writing": "memo", "yacht": "sailboat",
    "zoo": "elephant",
}  # fmt: skip

# How much less a keyword is drawn as another concept for each point that its score is lower.
SHARPNESS = 2.0
# What a concept gains whose name ends as the keyword, in whose name it is, or that an everyday word of the same concepts stands for.
HEAD, INSIDE, EVERYDAY_WORD = 2.0, 1.0, 6.0
# What a word costs that a name has besides the keyword, and a name that is one of a person's many forms, or no emoji's.
LONGER, VARIANT, SPRITE = 0.4, 1.5, 2.0
PEOPLE = set("man woman men women person people".split())
HEAD_FIRST = {"es", "fr", "pt", "it", "ar"}
# What is left for other concepts of a keyword that is one's name.
BESIDE_A_NAME = 0.02
# How alike the concepts of a keyword and of an everyday word are that mean the same, as the share of both in either.
SAME_MEANING = 0.2


class Meanings:
    """How much each keyword, by language, stands for each concept: 1 for the one it stands for above all."""

    def __init__(self, rows: list[dict]):
        concepts = {row["key"]: row for row in rows}
        groups: dict[tuple[str, str], set[str]] = defaultdict(set)
        named: dict[tuple[str, str], set[str]] = defaultdict(set)
        for key, row in concepts.items():
            for language, (name, keywords) in row["words"].items():
                for keyword in keywords:
                    groups[language, keyword.lower()].add(key)
                if row["emoji"]:
                    named[language, name.lower()].add(key)
        everyday: dict[str, list[set[str]]] = defaultdict(list)
        for word, name in EVERYDAY.items():
            if ("en", word) in groups:
                everyday[name].append(groups["en", word])
        self.shares = {
            (language, keyword): shares({key: concepts[key] for key in keys}, language, keyword, named[language, keyword] & keys, everyday)
            for (language, keyword), keys in groups.items()
        }

    def share(self, language: str, keyword: str, key: str) -> float:
        return self.shares[language, keyword.lower()][key]


def shares(alike: dict[str, dict], language: str, keyword: str, own: set[str], everyday: dict[str, list[set[str]]]) -> dict[str, float]:
    """How much a keyword stands for each of the concepts that have it, of which it is the name of `own`."""
    scores = {key: score(row, language, keyword) for key, row in alike.items()}
    for key, row in alike.items():
        if stands_for(row["words"]["en"][0], language, keyword, alike.keys(), everyday):
            scores[key] += EVERYDAY_WORD
    best = max(scores.values())
    # A keyword that stands for several alike stands for none of them; pictures of one name are of one thing.
    names = {alike[key]["words"]["en"][0] for key, score in scores.items() if score == best}
    rest = BESIDE_A_NAME if own else 1 / len(names)
    return {key: 1.0 if key in own else rest * SHARPNESS ** (score - best) for key, score in scores.items()}


def stands_for(name: str, language: str, keyword: str, keys: Set[str], everyday: dict[str, list[set[str]]]) -> bool:
    """Whether an everyday word for the concept is the keyword, or in English belongs to the same concepts as it does here."""
    if language == "en":
        return EVERYDAY.get(keyword) == name
    return any(len(group & keys) >= SAME_MEANING * len(group | keys) for group in everyday.get(name, []))


def score(row: dict, language: str, keyword: str) -> float:
    name, english = row["words"][language][0].lower(), row["words"]["en"][0].lower()
    at_head = name.startswith(keyword) if language in HEAD_FIRST else name.endswith(keyword)
    points = HEAD if at_head else INSIDE if keyword in name else 0.0
    points -= LONGER * (len(name.split()) - 1)
    return points - VARIANT * bool(PEOPLE & set(english.split())) - SPRITE * (not row["emoji"])
