"""Other scripts of a word, at training time only: kana for kanji, and both sets of Chinese characters.

Owns the rules for which reading is trusted. Depends on fugashi with unidic-lite (MIT, BSD) and
opencc-python-reimplemented (Apache-2.0), imported where they are used, and on nothing of this package.
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from types import ModuleType

PIP = "pip install fugashi unidic-lite opencc-python-reimplemented"
KANJI = re.compile("[\u3400-\u4dbf\u4e00-\u9fff々]")
HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]")
KANA = re.compile("[\u3041-\u3096\u30a1-\u30faー・]+")
READABLE = re.compile(f"(?:{KANJI.pattern}|{KANA.pattern})+")
LIKELIEST = 8  # parses that a known reading may confirm
MOST = 2  # readings of one form
# What the dictionary reads otherwise than people do, inside longer forms, too.
MISREAD = {
    "父さん": "とうさん", "母さん": "かあさん", "兄さん": "にいさん", "姉さん": "ねえさん", "祖父さん": "じいさん", "祖母さん": "ばあさん",
    "誕生日": "たんじょうび", "日本": "にほん", "富士山": "ふじさん", "長椅子": "ながいす", "金メダル": "きんめだる", "銀メダル": "ぎんめだる", "銅メダル": "どうめだる",
}  # fmt: skip
BEHIND = {"人": ["じん", "にん"], "君": ["くん"], "止め": ["どめ"], "者": ["しゃ", "もの"]}  # readings behind another noun
CONVERSIONS = ("s2t", "s2tw", "s2hk", "s2twp", "t2s")


def package(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"{name} is needed for other scripts of words: {PIP}") from error


def hiragana(text: str) -> str:
    return "".join(chr(ord(c) - 96) if "ァ" <= c <= "ヴ" else c for c in text)


@cache
def tagger():
    package("unidic_lite")
    return package("fugashi").Tagger()


def sound(token) -> str:
    """A token's reading in hiragana; empty where there is none to trust: unknown words, and numerals, which change with what they count."""
    if not KANJI.search(token.surface):
        return hiragana(token.surface)
    return "" if token.feature.pos2 == "数詞" else hiragana(token.feature.kana or "")


@cache
def nouns(surface: str, origin: str = "") -> list[tuple[str, bool]]:
    """Readings of a common noun, likeliest first, of one origin (和 is native) or of all, and whether each is voiced as behind another word (ばこ)."""
    parses = [nodes[0] for nodes in tagger().nbestToNodeList(surface, 12) if len(nodes) == 1]
    common = [node for node in parses if node.feature.pos2 == "普通名詞" and node.feature.goshu.startswith(origin)]
    return list(dict.fromkeys((sound(node), str(node.feature.iForm).startswith("濁音")) for node in common))


def alone(token) -> list[str]:
    """One kanji between kana. Its native reading is meant if the dictionary thinks of that or of a name (蓮 is はす, not れん)."""
    native = [kana for kana, voiced in nouns(token.surface, "和") if not voiced]
    if sound(token) in native or not native:
        return [sound(token)]
    # 米 is こめ, 本 is ほん: nothing tells them apart.
    return native if len(native) == 1 and token.feature.goshu != "漢" else []


def behind(token) -> list[str]:
    """A noun behind a noun: as it is and, where the dictionary knows that, voiced (いぬごや)."""
    voiced = [kana for kana, is_voiced in nouns(token.surface, "和") if is_voiced and kana[1:] == sound(token)[1:]]
    return [sound(token), *voiced]


def word(token) -> list[str]:
    """A word of the dictionary: 木の実 is このみ and きのみ, 布袋 no god's name."""
    common = list(dict.fromkeys(kana for kana, voiced in nouns(token.surface) if not voiced and kana[-1:] != "っ"))
    return common or [sound(token)]


def choices(before, token, after) -> list[str]:
    """Readings of a token between its neighbours; none if it cannot be trusted."""
    if token.surface in BEHIND and before and before.feature.pos1 == "名詞":
        return BEHIND[token.surface]
    single = len(token.surface) == 1
    if not KANJI.search(token.surface) or not sound(token) or token.feature.pos1 not in ("名詞", "代名詞", "記号"):
        return [sound(token)] if sound(token) else []
    neighbours = [other for other in (before, after) if other and other.feature.pos1 in ("名詞", "記号") and KANJI.search(other.surface)]
    if single and any(len(other.surface) == 1 for other in neighbours):
        return []  # the dictionary lacks the word: 海象 is no かいぞう
    if before and before.feature.pos1 in ("名詞", "形状詞"):
        return behind(token)
    if single:
        return [sound(token)] if neighbours else alone(token)
    if before or after:
        return word(token)[:1] if token.feature.pos2 == "固有名詞" else [sound(token)]
    return word(token)


def rival(form: str, reading: str, other: str) -> bool:
    """Whether a known reading fits the form's own kana and is nearly this reading, so that it is likely the right one instead."""
    kana = [re.escape(part) for part in KANJI.sub("\0", hiragana(form)).split("\0")]
    alike = other[:2] == reading[:2] or other[-2:] == reading[-2:]
    return alike and abs(len(other) - len(reading)) < 2 and other not in reading and reading not in other and bool(re.fullmatch(".{1,4}".join(kana), other))


def reading(form: str, known: set[str]) -> list[str]:
    form = re.sub("|".join(MISREAD), lambda found: MISREAD[found[0]], form)
    parses = tagger().nbestToNodeList(form, LIKELIEST)
    for parse in parses:
        sounds = [sound(token) for token in parse]
        if all(sounds) and "".join(sounds) in known:
            return ["".join(sounds)]
    tokens = [None, *parses[0], None]
    parts = [choices(*tokens[i - 1 : i + 2]) for i in range(1, len(tokens) - 1)]
    found = list(dict.fromkeys(map("".join, product(*parts))))[:MOST]
    if len(form) == 1 and known or any(rival(form, kana, other) for kana in found for other in known):
        return []
    return found


def readings(forms: Iterable[str]) -> dict[str, list[str]]:
    """Hiragana of the Japanese forms that hold kanji; forms whose reading cannot be trusted are left out.

    Give it the forms of one thing together, kana and all, and of no other: a kana form among them confirms a reading or speaks against it.
    """
    forms = list(dict.fromkeys(forms))
    known = {hiragana(form) for form in forms if KANA.fullmatch(form)}
    written = [form for form in forms if KANJI.search(form) and READABLE.fullmatch(form)]
    return {form: found for form in written if (found := reading(form, known))}


@cache
def converter(name: str):
    return package("opencc").OpenCC(name)


def traditional(forms: Iterable[str]) -> dict[str, list[str]]:
    """Traditional spellings of simplified Chinese forms (general, Taiwan, Hong Kong, Taiwan's words) and simplified ones of traditional forms."""
    found = {form: dict.fromkeys(converter(name).convert(form) for name in CONVERSIONS) for form in forms if HAN.search(form)}
    return {form: others for form, spelt in found.items() if (others := [other for other in spelt if other != form])}


def simplified() -> list[tuple[str, str]]:
    """Traditional Chinese characters, variants of Taiwan and Hong Kong among them, and the simplified one of each; ascending."""
    folder = Path(package("opencc").__file__).parent / "dictionary"
    read = lambda name: [line.split("\t") for line in (folder / name).read_text(encoding="utf-8").splitlines() if "\t" in line]
    pairs = {character: others.split(" ")[0] for character, others in read("TSCharacters.txt")}
    for name in ("TWVariantsRev.txt", "HKVariantsRev.txt"):
        for variant, others in read(name):
            standard = others.split(" ")[0]
            pairs.setdefault(variant, pairs.get(standard, standard))
    return sorted((one, other) for one, other in pairs.items() if one != other and len(one) == len(other) == 1 and max(one, other) <= "\uffff" and HAN.match(one))
