"""Gathers what people call things, in twelve languages, into the table that a pack's lexicon is made from. Depends on `everyday` and
`scripts`; needs neither PyTorch nor the pictures.

    python -m pictogram.lexicon --data DATA --out work/f32/words.tsv [--many]
    inkstone-quantize work/f32/words.tsv --out work/f32/words.lexicon

DATA is a folder with `words`, `pictograms/names.json`, `pictograms/captions.jsonl` and `many/captions.jsonl`. What is added to them by
hand, and what is mended, is in `models/train/words`: `LANG.tsv` and `LANG.grammar.tsv` of the same form as the given files, and
`LANG.drop.tsv` (kind, value, form) for what is wrong in them; `nearest.en.tsv` has things that are drawn as others, `near.en.tsv` what to
ask for instead (`hypernyms`), `texts.tsv` what the text encoder gets where that is not Unicode's name. The table's format is that of `src/words/compile.rs`; of several things
that a word means the first row counts most. `--many` is for a model that has learned the second data set, too: things that have enough
pictures there can be drawn.
"""

import argparse
import json
import zlib
from collections import Counter, defaultdict
from pathlib import Path

from . import scripts
from .everyday import EVERYDAY, Meanings

LANGUAGES = ["en", "zh", "es", "fr", "de", "ja", "ko", "pt", "ru", "ar", "hi", "it"]
HAND = Path(__file__).resolve().parent.parent / "words"
# Styles in which things look much like in the default one, and the others, those that draw things best first: what has pictures in these
# alone is drawn in one of them where no style is asked for.
ALIKE = {"3d", "flat", "ink"}
OTHERS = ["noto", "one", "blob", "fx", "line", "pixel"]
# Fewest pictures of what is learned from the second data set alone, and the style that leaves its look open.
FEWEST_PICTURES, ANY = 12, "any"
# Most letters of a word whose nearest things are stored.
LONGEST_ADVICE = 10
KINDS = {"colour", "number", "size", "relation", "place", "style", "mood", "filler", "article", "measure", "classifier", "particle"}
VALUED = {"colour", "number", "size", "relation", "place", "style", "mood"}
# A colour or a mood and a name are another name: "black cat".
COMBINED = {"colour", "mood"}
# Signs whose names are words for other things: suits of cards and signs of the zodiac.
RARE = {"2660", "2663", "2665", "2666", "2b55", *(f"{code:x}" for code in range(0x2648, 0x2654)), "26ce"}
MARKS = {"\ufe0f"} | {chr(code) for code in range(0x1F3FB, 0x1F400)}
FEMALE, MALE = "200d-2640", "200d-2642"


class Word:
    """A row of `LANG.tsv`."""

    def __init__(self, line: str):
        fields = (line.split("\t") + ["", "", ""])[:4]
        self.id, self.name = fields[0], fields[1]
        self.plural, self.also = (split(field) for field in fields[2:])


def split(field: str) -> list[str]:
    return [form.strip() for form in field.split("|") if form.strip()]


def rows(path: Path) -> list[str]:
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


class Data:
    """The given files, and what is mended in them."""

    def __init__(self, data: Path):
        words = data / "words"
        self.concepts = [line.split("\t")[0] for line in rows(words / "concepts.tsv")[1:]]
        self.words = {language: self.of_language(words, language) for language in LANGUAGES}
        self.grammar = {language: self.grammar_of(words, language) for language in LANGUAGES}
        self.names = {key.removesuffix("-fe0f"): names for key, names in json.loads((data / "pictograms/names.json").read_text(encoding="utf-8")).items()}
        self.captions = [json.loads(line) for line in rows(data / "pictograms/captions.jsonl")]
        self.many = [json.loads(line) for line in rows(data / "many/captions.jsonl")]

    @staticmethod
    def dropped(language: str) -> set[tuple[str, str, str]]:
        return {tuple(line.split("\t")[:3]) for line in rows(HAND / f"{language}.drop.tsv")}

    def of_language(self, words: Path, language: str) -> list[Word]:
        found = [Word(line) for path in (HAND, words) for line in rows(path / f"{language}.tsv")]
        dropped = self.dropped(language)
        for word in found:
            keep = lambda kind, forms: [form for form in forms if (kind, word.id, form) not in dropped]
            word.plural, word.also = keep("plural", word.plural), keep("also", word.also)
        return found

    def grammar_of(self, words: Path, language: str) -> list[tuple[str, str, list[str]]]:
        dropped, found = self.dropped(language), []
        for line in [line for path in (HAND, words) for line in rows(path / f"{language}.grammar.tsv")]:
            kind, value, forms = (line.split("\t") + ["", ""])[:3]
            if kind not in KINDS:
                raise SystemExit(f"{language}.grammar.tsv: there is no kind {kind}")
            kept = [form for form in split(forms) if (kind, value, form) not in dropped]
            # "A herd of": many.
            is_group = kind == "measure" and value.startswith("group")
            found.append(("number", "many", kept) if is_group else (kind, value if kind in VALUED else "-", kept))
        return found


class Concepts:
    """Things: what the text encoder gets for each, and in which styles it was learned."""

    def __init__(self, data: Data, many: bool = False):
        styles: dict[str, set[str]] = defaultdict(set)
        self.pixel: dict[str, str] = {}
        for row in data.captions:
            key = row["key"].removesuffix("-fe0f")
            if zlib.crc32(f"{row['key']}/{row['style']}".encode()) % 50:
                styles[key].add(row["style"])
                if "codepoints" not in row:
                    self.pixel.setdefault(key, row["name"])
        self.learned = {key for key in styles if key in data.names}
        counts = Counter(f"many:{row['concept']}" for row in data.many if row.get("concept"))
        self.pictured = {key for key, count in counts.items() if many and count >= FEWEST_PICTURES}
        english = {word.id: word for word in reversed(data.words["en"]) if word.name}
        texts = dict(line.split("\t") for line in rows(HAND / "texts.tsv"))
        self.rows: dict[str, tuple[str, str, str, str, str]] = {}
        given = sorted(data.concepts, key=lambda key: key not in self.learned)
        for key in [*given, *sorted(self.learned - set(data.concepts))]:
            word, label = english.get(key), data.names.get(key, {}).get("en", {}).get("name", "")
            plain = word.name if word else label
            plural = word.plural[0] if word and word.plural else ""
            text = texts.get(key, label) if key in self.learned else plain if key in self.pictured else ""
            # Captions have keywords beside colours, and things are drawn in colours better by them than by their names.
            keywords = [keyword.lower() for keyword in data.names.get(key, {}).get("en", {}).get("keywords", [])]
            coloured = plain if text and plain.lower() in keywords else text
            self.rows[key] = (text, coloured, plain, plural, self.style(styles[key]) if text else "")
        known = {form.lower() for word in data.words["en"] for form in [word.name, *word.plural, *word.also]}
        known |= {text.lower() for text, *_ in self.rows.values()} | {form.lower() for _, _, forms in data.grammar["en"] for form in forms}
        for key, name in sorted(self.pixel.items()):
            if name.lower() not in known:
                known.add(name.lower())
                self.rows[name] = (name, name, name, "", own_style(styles[key]))

    @staticmethod
    def style(styles: set[str]) -> str:
        """Things of the second data set alone have no style."""
        return own_style(styles) if styles else ANY


def own_style(styles: set[str]) -> str:
    """The style of what was learned in none that looks like the default one."""
    return "" if styles & ALIKE else next((style for style in OTHERS if style in styles), "")


def emoji(key: str) -> str:
    return "".join(chr(int(code, 16)) for code in key.split("-"))


def is_emoji(key: str) -> bool:
    return all(len(code) > 1 and all(digit in "0123456789abcdef" for digit in code) for code in key.split("-"))


class Table:
    """The rows of the table, each once."""

    def __init__(self):
        self.lines: list[str] = []
        self.seen: set[str] = set()

    def add(self, *fields: str) -> None:
        line = "\t".join(field.replace("\u202f", " ").replace("\u00a0", " ") for field in fields)
        if line not in self.seen and len(line.encode()) < 600:
            self.seen.add(line)
            self.lines.append(line)

    def forms(self, language: str, kind: str, value: str, forms: list[str]) -> None:
        for form in forms:
            if form and len(form.encode()) <= 200:
                self.add("form", language, kind, value, form)


def regular_plural(name: str) -> str:
    """The regular plural of an English name, as `src/words/rendering.rs` makes it."""
    if name.endswith(("s", "x", "ch", "sh")):
        return name + "es"
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return name[:-1] + "ies"
    return name + "s"


def is_dual(name: str, plural: str) -> bool:
    """Whether an Arabic plural is two of the thing, as far as its ending tells."""
    fold = lambda text: text.replace("أ", "ا").replace("إ", "ا").replace("آ", "ا")
    # Of a name of several words, "a black cat", the first tells.
    name, plural = fold(name).split(" ")[0], fold(plural).split(" ")[0]
    stem = name[:-1] + "ت" if name.endswith("ة") else name
    return plural in (stem + "ين", stem + "ان")


def gather(data: Data, many: bool = False) -> list[str]:
    table, concepts = Table(), Concepts(data, many)
    known = concepts.rows
    for key, row in known.items():
        table.add("concept", key, *row)
    things = {language: [word for word in data.words[language] if word.id in known] for language in LANGUAGES}
    for language in LANGUAGES:
        named = {}
        for word in things[language]:
            if word.name:
                named.setdefault(word.id, word.name)
        for key, name in named.items():
            if known[key][0]:
                table.add("name", key, language, name)
    japanese = {character for word in things["ja"] for form in [word.name, *word.also] for character in form}
    japanese |= {character for _, _, forms in data.grammar["ja"] for form in forms for character in form}
    for character, other in scripts.simplified():
        # Two words in Japanese: 机 is a desk, 機 counts machines.
        if other not in japanese:
            table.add("variant", character, other)
    for key in known:
        if is_emoji(key) and key in data.names:
            table.add("form", "*", "name", key, emoji(key))
    # What is learned comes before what is not: the same word may stand for both.
    learned_first = {language: sorted(words, key=lambda word: not known[word.id][0]) for language, words in things.items()}
    # What the text encoder gets is a name, too, where no other thing has it: "books" is a stack, not several of a closed book.
    named = {word.name.lower() for word in things["en"]}
    for key, (text, *_) in known.items():
        if text.lower() not in named and key not in RARE and not set(text) & set(",.:()!"):
            table.forms("en", "name", key, [text])
    for language, words in learned_first.items():
        for word in words:
            table.forms(language, "also" if word.id in RARE else "name", word.id, [word.name])
        for word in words:
            for plural in word.plural:
                two = language == "ar" and any(is_dual(one, plural) for one in [word.name, *word.also])
                table.forms(language, "dual" if two else "plural", word.id, [plural])
        coloured = Coloured(data, language, known)
        for word in words:
            is_coloured = coloured.says_more(word.id, word.name)
            word.also = also = [form for form in word.also if is_coloured or not coloured.says_more(word.id, form)]
            duals = [form for form in also if language == "ar" and any(is_dual(one, form) for one in [word.name, *also])]
            table.forms(language, "dual", word.id, duals)
            table.forms(language, "also", word.id, [form for form in also if form not in duals])
    labels(table, data, known)
    other_scripts(table, things)
    grammar(table, data)
    for name in sorted(set(concepts.pixel.values()) & known.keys()):
        table.forms("en", "label", name, [name])
    texts = {text for text, *_ in known.values()}
    for key, (text, *_) in known.items():
        table.forms("en", "label", key, [text])
        if text and len(text.split(" ")) < 3 and regular_plural(text) not in texts:
            table.forms("en", "plural", key, [regular_plural(text)])
    keywords(table, data, known)
    combined(table, data, known)
    nearest(table, known)
    twins(table, data, known)
    return table.lines


class Coloured:
    """Synonyms that are a colour or a size and another name in one language: what they say of it would be lost."""

    def __init__(self, data: Data, language: str, known: dict):
        self.values = {form.lower(): (kind, value) for kind, value, forms in data.grammar[language] if kind in ("colour", "size") for form in forms}
        self.things = defaultdict(set)
        for word in data.words[language]:
            for form in [word.name, *word.plural, *word.also]:
                if form and word.id in known:
                    self.things[form.lower()].add(word.id)
        self.named = {word.id: {word.name} for word in data.words[language]}
        self.combined = combinations(data, known)

    def says_more(self, key: str, form: str) -> bool:
        """Whether a form is a colour or a size beside a name, and no thing by itself as a black cat is."""
        form = form.lower()
        words = form.split(" ")
        cuts = [(words[0], " ".join(words[1:])), (words[-1], " ".join(words[:-1]))] if len(words) > 1 else []
        if len(words) == 1 and form[:1] in self.values and form[1:] in self.named.get(key, ()):
            return True
        if len(words) == 1 and language_is_unspaced(form):
            # Shorter parts are parts of other words: 白菜 is no white dish.
            cuts = [(form[:place], form[place:]) for place in range(2, len(form) - 1)]
        return any(one in self.values and rest in self.things and not self.makes(one, rest, key) for one, rest in cuts)

    def makes(self, one: str, rest: str, key: str) -> bool:
        """Whether a colour and one of the things of a name are this thing."""
        kind, value = self.values[one]
        return any(self.combined.get((thing, kind, value)) == key for thing in self.things[rest])


def language_is_unspaced(form: str) -> bool:
    return any("\u3040" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7a3" for letter in form)


def labels(table: Table, data: Data, known: dict) -> None:
    """Names in Unicode's annotations, and English titles of pictures that are of one thing alone."""
    # "The bull" is a sign of the zodiac there, and the bull.
    arabic = {form: word.id for word in data.words["ar"] if word.id in known for form in [word.name, *word.also]}
    is_thing = lambda key, name: name.startswith("ال") and arabic.get(name[2:], key) != key
    for language in LANGUAGES:
        coloured = Coloured(data, language, known)
        for key, names in data.names.items():
            name = names[language]["name"] if key in known and language in names else ""
            if language == "ar" and is_thing(key, name):
                continue
            if language == "en" or not coloured.says_more(key, name):
                table.forms(language, "label", key, [name])
    english = {row["name"].lower(): f"many:{row['concept']}" for row in data.many if row.get("concept") and row["name"].lower() == row["concept"]}
    for name, key in english.items():
        if key in known:
            table.forms("en", "label", key, [name])


def other_scripts(table: Table, things: dict) -> None:
    """Kana readings. A thing's kana forms confirm the readings of its own kanji: each row is read alone."""
    for word in things["ja"]:
        for spellings in scripts.readings([form for form in [word.name, *word.also] if form]).values():
            table.forms("ja", "also", word.id, spellings)
    # Words that differ between regions, in characters that are looked up as simplified ones.
    for word in things["zh"]:
        for spellings in scripts.traditional([form for form in [word.name, *word.also] if form]).values():
            table.forms("zh", "also", word.id, spellings)


def grammar(table: Table, data: Data) -> None:
    for language in LANGUAGES:
        rows = data.grammar[language]
        numbers = {form.lower() for kind, value, forms in rows if kind == "number" and value not in ("1", "many") for form in forms}
        articles = {form.lower() for kind, value, forms in rows if kind == "article" or (kind, value) == ("number", "1") for form in forms}
        for kind, value, forms in rows:
            # "And two" says two things, and so does "a basket": the basket may be what is drawn.
            if kind == "relation":
                forms = [form for form in forms if form.split(" ")[-1].lower() not in numbers or " " not in form]
            if kind == "measure":
                bare = {form.lower() for form in forms}
                forms = [form for form in forms if form.partition(" ")[0].lower() not in articles or form.partition(" ")[2].lower() not in bare]
            table.forms(language, kind, value, forms)


def keywords(table: Table, data: Data, known: dict) -> None:
    """Keywords in Unicode's annotations that stand for one thing above all."""
    emojis = [{"key": key, "emoji": True, "words": {language: (words["name"], words["keywords"]) for language, words in names.items() if language in LANGUAGES}}
              for key, names in data.names.items() if key in known and known[key][0] and "en" in names]  # fmt: skip
    # Words that people use of a concept stand for it although no annotation has them.
    for row in emojis:
        name, words = row["words"]["en"]
        row["words"]["en"] = (name, words + [word for word, meant in EVERYDAY.items() if meant == name and word not in words])
    for (language, keyword), shares in Meanings(emojis).shares.items():
        best = [key for key, share in shares.items() if share == 1]
        if len(best) == 1 and not keyword.isdigit() and calls(data.names[best[0]], language, keyword):
            table.forms(language, "keyword", best[0], [keyword])


def calls(names: dict, language: str, keyword: str) -> bool:
    """Whether a keyword is what people may call the thing, and not just something that has to do with it, as "diet" with an apple."""
    is_everyday = language == "en" and EVERYDAY.get(keyword) == names["en"]["name"]
    return is_everyday or keyword in names[language]["name"].lower()


def combined(table: Table, data: Data, known: dict) -> None:
    for (thing, kind, value), made in combinations(data, known).items():
        table.add("combined", thing, kind, value, made)


def combinations(data: Data, known: dict) -> dict[tuple[str, str, str], str]:
    """Names that are a colour or a mood and another thing's name, in English: the thing, the kind, its value, and what both make."""
    names = {word.name.lower(): word.id for word in reversed(data.words["en"]) if word.name and word.id in known and known[word.id][0]}
    values = {(kind, form.lower()): value for kind, value, forms in data.grammar["en"] if kind in COMBINED for form in forms}
    calls = [(word.id, word.name) for word in data.words["en"]]
    calls += [(key, names_of["en"]["name"]) for key, names_of in data.names.items() if "en" in names_of]
    found = {}
    for key, form in calls:
        first, _, rest = form.lower().partition(" ")
        for kind in COMBINED:
            value, thing = values.get((kind, first)), names.get(rest)
            if value and thing and key in known and known[key][0]:
                found.setdefault((thing, kind, value), key)
    return found


def nearest(table: Table, known: dict) -> None:
    """Nearest things by hand, which are drawn, and by WordNet's hypernyms, which are advice."""
    for language in LANGUAGES:
        for line in rows(HAND / f"nearest.{language}.tsv"):
            key, words = line.split("\t")
            if key in known:
                table.forms(language, "nearest", key, split(words))
    for line in rows(HAND / "near.en.tsv"):
        word, keys = line.split("\t")
        kept = [key for key in keys.split("|") if key in known]
        if kept and len(word) <= LONGEST_ADVICE:
            table.add("near", "en", word, "|".join(kept))
    # Ordinary words that are no things: nobody who types them meant another.
    for word in rows(HAND / "ordinary.en.txt"):
        table.add("near", "en", word, "")


def twins(table: Table, data: Data, known: dict) -> None:
    """Things without a picture that are called as others which have one: motorbike and motorcycle."""
    compact = lambda form: form.lower().replace(" ", "").replace("-", "")
    calls = defaultdict(list)
    for word in data.words["en"]:
        if word.id in known and known[word.id][0]:
            for form in [word.name, *word.also]:
                calls[compact(form)].append(word.id)
    for key, names in data.names.items():
        if key in known and known[key][0] and "en" in names:
            calls[compact(names["en"]["name"])].append(key)
    by_hand = dict(line.split("\t") for line in rows(HAND / "same.tsv"))
    for word in data.words["en"]:
        if word.name and word.id in known and not known[word.id][0]:
            same = by_hand.get(word.id) or next(iter(calls.get(compact(word.name), [])), None)
            if same and same != "-":
                table.add("same", word.id, same)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--many", action="store_true", help="for a model that has learned the second data set, too")
    options = parser.parse_args()
    write(options.data, options.out, options.many)


def write(data: Path, path: Path, many: bool = False) -> None:
    path.write_text("\n".join(gather(Data(data), many)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
