"""Writes src/kiosk/subjects.tsv: what visitors of the kiosk can ask for, by category and in twelve languages.

The prompts are Unicode CLDR's English names, which the model has learned; the names are those of the lexicon (`pictogram/lexicon.py`):
python subjects.py DATA OUT.tsv
"""

import json
import re
import sys
from pathlib import Path

LANGUAGES = ["en", "zh", "es", "fr", "de", "ja", "ko", "pt", "ru", "ar", "hi", "it"]
SUBJECTS = {
    "animals": "🦊🐱🐶🐼🐸🦉🐧🐰🐻🐨🦁🐯🐮🐷🐵🐔🦄🐙🐢🐍🦖🐳🐬🐟🦋🐝🐞🐌🦀🐘🦒🦔🦜🦩🐺🐭🐿🦇🦅🦆🦈🐊",
    "food": "🍎🍕🍓🍉🍇🍌🍍🍒🍑🍋🍊🍐🥝🥑🥕🌽🍅🥦🍄🥐🍞🧀🍔🍟🌭🌮🍣🍜🍩🍪🎂🧁🍦🍫🍭🍯🍵🍳",
    "nature": "🌵🌲🌳🌴🌻🌷🌹🌸🍁🍀🌞🌙⭐🌈🔥💧❄️⛄🌋🌊🏔🪐☁️🌼",
    "things": "🎸🎺🎻🥁🎹📷💡📚⏰☂️🎈🎁🔑💎🎩👑👓👟🧦⚽🏀🎲🧸🔔🕯🪁🔭🧲🛋🏮",
    "vehicles": "🚀🚗🚲🚂✈️🚁⛵🚢🚌🚒🚜🛵🛸🚕🚚⚓",
    "faces": "😀😂😍😎🤩😴😡😱🥳🤓😢😇😘🤔🤠🤢",
    "fantasy": "🐉🤖👻👽🧙🧚🧜🎃🏰🔮💀👾🦸🧛🎅🐲",
    "places": "🏠🗼🎡⛺🏝🗽⛲🎪",
}

# What a visitor would call a head of an animal, in the order of LANGUAGES; and plain English for long names.
HEADS = {
    "cat face": ["cat", "猫", "gato", "chat", "Katze", "猫", "고양이", "gato", "кошка", "قطة", "बिल्ली", "gatto"],
    "dog face": ["dog", "狗", "perro", "chien", "Hund", "犬", "강아지", "cachorro", "собака", "كلب", "कुत्ता", "cane"],
    "rabbit face": ["rabbit", "兔子", "conejo", "lapin", "Hase", "うさぎ", "토끼", "coelho", "кролик", "أرنب", "खरगोश", "coniglio"],
    "tiger face": ["tiger", "老虎", "tigre", "tigre", "Tiger", "トラ", "호랑이", "tigre", "тигр", "نمر", "बाघ", "tigre"],
    "cow face": ["cow", "奶牛", "vaca", "vache", "Kuh", "牛", "소", "vaca", "корова", "بقرة", "गाय", "mucca"],
    "pig face": ["pig", "猪", "cerdo", "cochon", "Schwein", "豚", "돼지", "porco", "свинья", "خنزير", "सूअर", "maiale"],
    "monkey face": ["monkey", "猴子", "mono", "singe", "Affe", "サル", "원숭이", "macaco", "обезьяна", "قرد", "बंदर", "scimmia"],
    "mouse face": ["mouse", "老鼠", "ratón", "souris", "Maus", "ネズミ", "쥐", "rato", "мышь", "فأر", "चूहा", "topo"],
    "dragon face": ["dragon head", "龙头", "cabeza de dragón", "tête de dragon", "Drachenkopf", "龍の頭", "용 머리", "cabeça de dragão", "голова дракона", "رأس تنين", "ड्रैगन का सिर", "testa di drago"],
}
PLAIN = {
    "spouting whale": "whale",
    "honeybee": "bee",
    "lady beetle": "ladybird",
    "kiwi fruit": "kiwi",
    "ear of corn": "corn",
    "cheese wedge": "cheese",
    "steaming bowl": "noodle soup",
    "soft ice cream": "ice cream",
    "teacup without handle": "tea",
    "cooking": "fried egg",
    "evergreen tree": "fir tree",
    "deciduous tree": "tree",
    "sun with face": "sun",
    "droplet": "drop",
    "snowman without snow": "snowman",
    "water wave": "wave",
    "snow-capped mountain": "mountain",
    "ringed planet": "planet",
    "blossom": "flower",
    "musical keyboard": "piano",
    "wrapped gift": "present",
    "gem stone": "gem",
    "soccer ball": "football",
    "game die": "dice",
    "couch and lamp": "sofa and lamp",
    "red paper lantern": "lantern",
    "automobile": "car",
    "locomotive": "steam engine",
    "airplane": "plane",
    "flying saucer": "UFO",
    "delivery truck": "truck",
    "motor scooter": "scooter",
    "face with tears of joy": "tears of joy",
    "smiling face with heart-eyes": "heart eyes",
    "smiling face with sunglasses": "sunglasses",
    "enraged face": "angry face",
    "face screaming in fear": "scream",
    "smiling face with halo": "angel face",
    "face blowing a kiss": "kiss",
    "cowboy hat face": "cowboy",
    "merperson": "mermaid",
    "jack-o-lantern": "pumpkin lantern",
    "alien monster": "space invader",
}


def key(emoji: str) -> str:
    return "-".join(f"{ord(character):x}" for character in emoji if character != "\ufe0f")


def characters(text: str) -> list[str]:
    return re.findall(".\ufe0f?", text)


def words(path: Path) -> dict[str, str]:
    """The name of each thing in a language."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return {row[0]: row[1] for row in rows if len(row) > 1}


def main() -> None:
    data = Path(sys.argv[1])
    labels = json.loads((data / "pictograms" / "names.json").read_text(encoding="utf-8"))
    names = {language: words(data / "words" / f"{language}.tsv") for language in LANGUAGES}
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write("# What visitors can ask for. English: Unicode CLDR 47 names, Unicode licence (SPDX: Unicode-3.0).\n")
        out.write("# Made by models/train/subjects.py.\n")
        out.write("\t".join(["category", *LANGUAGES, "plain"]) + "\n")
        for category, emoji in SUBJECTS.items():
            for one in characters(emoji):
                label = (labels.get(key(one)) or labels[key(one) + "-fe0f"])["en"]["name"]
                row = [label, *[names[language].get(key(one), label) for language in LANGUAGES[1:]]]
                if label in HEADS:
                    row[1:] = [*HEADS[label][1:], HEADS[label][0]]
                elif label in PLAIN:
                    row.append(PLAIN[label])
                out.write("\t".join([category, *row]) + "\n")


if __name__ == "__main__":
    main()
