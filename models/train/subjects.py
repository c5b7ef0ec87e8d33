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
        out.write("\t".join(["category", *LANGUAGES]) + "\n")
        for category, emoji in SUBJECTS.items():
            for one in characters(emoji):
                label = (labels.get(key(one)) or labels[key(one) + "-fe0f"])["en"]["name"]
                row = [label, *[names[language].get(key(one), label) for language in LANGUAGES[1:]]]
                out.write("\t".join([category, *row]) + "\n")


if __name__ == "__main__":
    main()
