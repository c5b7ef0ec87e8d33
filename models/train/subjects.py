"""Writes src/kiosk/subjects.tsv: what visitors of the kiosk can ask for, by category and in twelve languages.

Names come from Unicode CLDR's annotations (names.json of the training data): python subjects.py names.json OUT.tsv
"""

import json
import re
import sys

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


def key(emoji: str) -> str:
    return "-".join(f"{ord(character):x}" for character in emoji if character != "\ufe0f")


def characters(text: str) -> list[str]:
    return re.findall(".\ufe0f?", text)


def main() -> None:
    names = json.load(open(sys.argv[1], encoding="utf-8"))
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write("# What visitors can ask for: Unicode CLDR 47 names, Unicode licence (SPDX: Unicode-3.0).\n")
        out.write("# Made by models/train/subjects.py.\n")
        out.write("\t".join(["category", *LANGUAGES]) + "\n")
        for category, emoji in SUBJECTS.items():
            for one in characters(emoji):
                record = names.get(key(one)) or names[key(one) + "-fe0f"]
                row = [record[language]["name"].replace("\u202f", " ").replace("\u00a0", " ") for language in LANGUAGES]
                out.write("\t".join([category, *row]) + "\n")


if __name__ == "__main__":
    main()
