"""What prompts are made of beside what the text encoder has learned: writes the pack's `words.txt`. Depends on `captions` and `attributes`.

    python -m pictogram.wording --out work/f32/words.txt

A line is an entry and, after a tab, what it is: `colour`, `attribute` (sizes, places), `number N`, `beside`, `above` and `below` (between
two things, of which the first is there), `article`, `aside` (asks for nothing: "a picture of", "cute"), `join` (what follows belongs to
what stands before it: "with", "wearing"), `link` (the same after a thing: "of"), `affix` (stands before or behind a word without a
space), or `=` and the nearest word of a caption. All else are words of captions, English ones with the numbers of the concepts that have them, behind `@` where a
name has the word, or people use it for a concept, and `#` where only keywords do. At the end, behind `~`, is the name of the thing
that a keyword stands for above all others (`everyday`): a name is drawn best. Names that hold any of these ("man in
tuxedo"), and those of scripts without spaces, are entries as a whole. Sorted by bytes; the reader searches it.
"""

import argparse
import re
from collections import defaultdict
from collections.abc import Set
from pathlib import Path

from . import attributes, settings
from .captions import Captions
from .everyday import EVERYDAY

# Scripts that put no space between words: there, every character is a unit.
UNSPACED = "\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
BREAKS = re.compile(r"[,;:!?\n()\[\]{}、，。；：！？（）「」…]|\.(?=\s|$)")
UNIT = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
EDGES = ".'\"“”„«»-*_~/\\|"
LONGEST = 8

ARTICLES = "a an the un una uno le la les des el los las il lo gli ein eine einen einem einer eines der die das den dem des um uma o os एक"
ASIDES = {
    "en": """
        picture of/photo of/photograph of/image of/drawing of/icon of/sketch of/illustration of/painting of/emoji of/pictogram of/portrait of/logo of/sticker of
        clipart of/cartoon of/rendering of/render of/depiction of/snapshot of/symbol of/symbol for/silhouette of/outline of/design of/artwork of/art of/version of
        watercolor/watercolour/watercolor painting of/watercolour painting of/oil painting/oil painting of/pencil drawing of/pencil sketch of/line drawing of
        ink drawing of/hand drawn/isometric/low poly/3d render/3d render of/black and white photo of/bowl of/plate of/slice of/piece of/bunch of/basket of/bowls of/plates of/slices of/pieces of/bunches of/baskets of/group of/lot of/lots of/bit of/kind of/type of/sort of/pile of/view of/close up of
        i want/i would like/i'd like/i need/i wish/would like/let me see/let us see/let's see/show me/show us/give me/give us/get me/bring me/make me/can you/could you/would you/will you
        draw/draw me/paint/paint me/sketch/design/create/generate/render/please/thanks/thank you/make/show/give/want/need/see/look at/looking at/here is/there is/there are/this is/it is
        it's/that is/that's/i/me/we/us/you/it/is/are/was/be/been/this/these/that/those/here/there/some/any/every/each/another/my/your/our/their/his/her/its
        just/only/really/very/quite/rather/so/too/extremely/super/ultra/most/more/much/ever/also/even/again/now/today/right now/typical/certain/such/own
        cute/kawaii/beautiful/nice/pretty/lovely/great/amazing/awesome/wonderful/adorable/perfect/gorgeous/charming/fantastic/stunning/elegant/cool looking/simple/modern/classic
        realistic/photorealistic/detailed/highly detailed/intricate/colorful/colourful/shiny/fluffy/fancy/tasty/delicious/yummy/fresh/soft/real/single/big/large/huge/giant/enormous
        gigantic/massive/tall/long/short/wide/new/brand new/favorite/favourite/minimalist/minimal/minimalistic/stylized/stylised/clean/sharp/crisp/bright colors/vivid/vibrant
        picture/photo/photograph/image/drawing/illustration/icon/emoji/art/sketch/clipart/clip art/sticker/logo/pictogram/painting/cartoon/artwork/digital art/vector/vector art/concept art
        high quality/best quality/masterpiece/4k/8k/hd/uhd/high resolution/high res/trending on artstation/artstation/octane render/unreal engine/award winning/professional
        white background/on white background/on a white background/with a white background/with white background/on a plain background/plain background/transparent background
        on a transparent background/black background/on a black background/isolated/isolated on white/background/close up/closeup/front view/side view/top view/centered/full body
        outdoors/outside/indoors/inside/at home/in nature/in the wild/in style/style of/in the style of/by me/thing/something
    """,
    "zh": """
        画一个/画一只/画一张/画一幅/画一辆/画/请画/请/帮我画/给我/给我画/我想要/我要/想要/一个/一只/一张/一幅/一朵/一辆/一条/一头/一匹/一棵/一座/一杯/一碗/一块/这个/那个
        可爱的/可爱/漂亮的/漂亮/美丽的/美丽/巨大的/好看的/大大的/很大的/简单的/真实的/图片/照片/图标/插图/图像/图画/的图片/的照片/的图标/的画/的插图/的图像/谢谢
    """,
    "es": """
        imagen de/foto de/dibujo de/icono de/ilustración de/retrato de/imagen/foto/dibujo/icono/ilustración/dibuja/dibújame/dibujar/pinta/haz/crea/quiero/quisiera/muéstrame/dame/por favor
        bonito/bonita/lindo/linda/hermoso/hermosa/bello/bella/precioso/preciosa/grande/enorme/gran/muy/mi/este/esta/fondo blanco/con fondo blanco
    """,
    "fr": """
        image de/photo de/dessin de/d'un/d'une/icône de/illustration de/portrait de/image/photo/dessin/icône/illustration/dessine/dessine-moi/dessiner/peins/fais/crée
        je veux/je voudrais/montre-moi/donne-moi/s'il te plaît/s'il vous plaît/joli/jolie/mignon/mignonne/beau/belle/magnifique/grand/grande/énorme/très/mon/ma/ce/cette/fond blanc/sur fond blanc
    """,
    "de": """
        bild von/foto von/zeichnung von/symbol von/bild/foto/zeichnung/zeichne/zeichne mir/male/mal mir/mal/erstelle/mach/zeige/zeig mir/ich will/ich möchte/ich hätte gern/gib mir/bitte
        süße/süßer/süßes/niedliche/niedlicher/niedliches/schöne/schöner/schönes/schönen/große/großer/großes/großen/riesige/riesiger/riesiges/sehr/mein/meine/dieser/diese/dieses
        weißer hintergrund/vor weißem hintergrund
    """,
    "ja": """
        かわいい/可愛い/美しい/きれいな/大きい/大きな/一つの/ひとつの/の絵/の写真/のイラスト/のアイコン/の画像/絵/写真/イラスト/アイコン/をください/を描いて/を描いてください/描いて/描いてください
        を見せて/見せて/ください/お願いします
    """,
    "ko": "귀여운/예쁜/큰/커다란/아름다운/사진/그림/아이콘/하나의/그려줘/그려주세요/그려/주세요/보여줘/제발/나의/내",
    "pt": """
        imagem de/foto de/desenho de/ícone de/ilustração de/imagem/foto/desenho/ícone/ilustração/desenhe/desenha/desenhar/pinte/faça/crie/eu quero/quero/mostre/me dê/por favor
        bonito/bonita/lindo/linda/fofo/fofa/belo/bela/grande/enorme/muito/meu/minha/este/esta/fundo branco/com fundo branco
    """,
    "ru": """
        картинка/рисунок/фото/изображение/иконка/картинку/рисунок с/нарисуй/нарисуй мне/нарисуйте/покажи/сделай/хочу/я хочу/дай мне/пожалуйста/милый/милая/милое/красивый/красивая/красивое
        большой/большая/большое/огромный/огромная/огромное/очень/мой/моя/моё/этот/эта/это/на белом фоне/белый фон
    """,
    "ar": "صورة/رسم/ارسم/ارسم لي/أريد/من فضلك/جميل/جميلة/لطيف/لطيفة/كبير/كبيرة/ضخم/ضخمة/جدا/هذا/هذه",
    "hi": "तस्वीर/चित्र/फोटो/प्यारा/प्यारी/सुंदर/बड़ा/बड़ी/बहुत/का चित्र/की तस्वीर/का फोटो/बनाओ/बनाइए/दिखाओ/चाहिए/मुझे/कृपया/मेरा/मेरी/यह",
    "it": """
        immagine di/un'immagine di/un'icona di/un'illustrazione di/foto di/disegno di/icona di/illustrazione di/immagine/foto/disegno/icona/illustrazione/disegna/disegnami/disegnare/dipingi/fai/crea/voglio/vorrei/mostrami/dammi/per favore
        bello/bella/bel/carino/carina/grazioso/graziosa/grande/enorme/molto/mio/mia/questo/questa/sfondo bianco/su sfondo bianco
    """,
}  # fmt: skip
# Where what says more stands before the thing, as in Hindi, Japanese and Korean, there are none.
JOINS = {
    "en": """
        in/on/at/with/inside/into/onto/near/beside/behind/in front of/through/against/during/around/between/among/across/over/along/without
        who/which/while/when/where/because/wearing/holding/riding/eating/drinking/playing/driving/carrying/using/having/has/had/doing/made of/made from/covered in/full of
        flying/jumping/running/walking/swimming/sitting/standing/lying/looking/floating/surfing/dancing/climbing/reading/chasing/hiding/waiting/going/coming/growing/watching
        fighting/kissing/hugging/catching/throwing/pulling/pushing/cooking/making/shooting/hitting/singing/talking/smoking/fishing/shopping/working/resting
        sits/stands/rides/wears/holds/eats/drinks/plays/runs/flies/jumps/swims/walks
    """,
    "zh": "在",
    "es": "con/en/sobre/para/que",
    "fr": "avec/dans/sur/pour/qui",
    "de": "mit/in/im/auf/für/aus/vor/an/am/beim/der in/die in/das in",
    "pt": "com/em/na/sobre/para/que",
    "ru": "с/со/в/во/на/для/который/которая",
    "ar": "مع/في/على",
    "it": "con/in/nel/nella/su/sul/sulla/per/che",
}  # fmt: skip
# The nearest that captions have, by what they have not: kinds of a thing, and what looks much like it.
NEAREST = {
    "ship": "submarine", "fish": "goldfish seahorse stingray salmon tuna trout piranha", "palm tree": "jungle",
    "water wave": "waterfall stream pond", "tower": "lighthouse", "house": "windmill cottage mansion barn cabin igloo doghouse birdhouse treehouse",
    "office building": "skyscraper", "convenience store": "shop", "department store": "mall", "school": "university", "church": "cathedral",
    "mountain": "pyramid cliff valley glacier", "deciduous tree": "oak willow birch apple_tree cherry_tree willow_tree birch_tree",
    "beach": "coast", "comet": "asteroid meteor", "satellite": "space_station",
    "rocket": "spacecraft shuttle starship missile", "robot": "cyborg android", "helicopter": "drone", "airplane": "glider biplane",
    "balloon": "hot_air_balloon blimp zeppelin", "car": "sedan limousine convertible", "racing car": "racecar", "sport utility vehicle": "jeep",
    "minibus": "minivan caravan camper campervan", "tractor": "bulldozer excavator digger", "horse": "carriage stallion foal",
    "shopping cart": "wheelbarrow", "speedboat": "hovercraft", "bomb": "cannon",
    "dog": "bulldog husky corgi dachshund beagle terrier chihuahua dalmatian greyhound pug retriever shepherd", "cat": "siamese tabby lynx",
    "leopard": "cheetah jaguar panther cougar puma", "rhinoceros": "rhino", "cow": "calf", "deer": "reindeer antelope gazelle stag fawn",
    "monkey": "chimpanzee chimp lemur baboon", "hedgehog": "porcupine", "otter": "weasel ferret", "eagle": "hawk falcon vulture",
    "parrot": "macaw toucan", "chicken": "hen pheasant quail",
    "bird": "seagull pelican stork heron sparrow hummingbird woodpecker ostrich emu magpie swallow finch canary", "dove": "pigeon",
    "whale": "orca narwhal", "seal": "walrus manatee", "shell": "clam mussel scallop", "star": "starfish", "lizard": "gecko chameleon",
    "dinosaur": "triceratops stegosaurus", "T-Rex": "velociraptor", "bug": "caterpillar centipede", "butterfly": "dragonfly", "honeybee": "hornet",
    "cricket": "locust", "spider": "tarantula", "unicorn": "pegasus", "dragon": "griffin gryphon", "wolf": "werewolf", "ninja": "samurai",
    "man": "viking", "orange": "grapefruit", "strawberry": "raspberry", "blueberries": "blackberry", "cherries": "plum", "mango": "papaya",
    "red apple": "pomegranate", "broccoli": "cauliflower", "leafy green": "spinach celery asparagus", "cucumber": "zucchini", "beans": "bean",
    "chestnut": "walnut hazelnut seed acorn", "spaghetti": "lasagna", "meat on bone": "ham", "custard": "yogurt", "honey pot": "jam", "pie": "tart",
    "chocolate bar": "brownie", "ice cream": "popsicle", "hot beverage": "espresso cappuccino mocha",
    "cup with straw": "lemonade cola smoothie milkshake", "teapot": "kettle", "tulip": "lily iris", "hibiscus": "orchid poppy",
    "blossom": "daffodil marigold", "rose": "carnation peony", "cactus": "succulent", "potted plant": "bonsai", "herb": "fern moss grass wreath",
    "evergreen tree": "spruce cedar", "brick wall": "fence", "books": "bookshelf bookcase shelf", "file cabinet": "drawer", "mobile phone": "tablet",
    "violin": "cello", "guitar": "ukulele mandolin", "artist palette": "easel", "envelope": "stamp postcard", "ring": "bracelet earring",
    "shield": "armor", "gloves": "mitten", "socks": "sock", "cap": "beanie", "top hat": "fedora bowler", "t-shirt": "sweater hoodie jumper",
    "coat": "cardigan", "dress": "skirt gown", "necktie": "bowtie", "fireworks": "firework", "jack-o-lantern": "jackolantern",
    "fishing pole": "fisherman", "police officer": "policeman policewoman", "singer": "musician", "person running": "athlete runner",
    "judge": "lawyer", "test tube": "beaker", "atom": "molecule", "lotion bottle": "perfume", "roller coaster": "rollercoaster",
    "playground slide": "swing seesaw", "brick": "lego",
}  # fmt: skip
# Names of things in several words, none of which says by itself what is meant.
CALLED = {
    "hot beverage": "cup of coffee/cup of tea/cup of cocoa/mug of coffee/mug of tea/hot coffee/hot tea/hot chocolate/hot drink/"
    "steaming cup of coffee/steaming cup of tea/hot cup of coffee/hot cup of tea/steaming cup/steaming mug",
    "wine glass": "glass of wine", "beer mug": "glass of beer/mug of beer/pint of beer", "cooked rice": "bowl of rice",
    "shortcake": "slice of cake/piece of cake", "bread": "loaf of bread/slice of bread", "cheese wedge": "piece of cheese/slice of cheese",
    "chocolate bar": "bar of chocolate/piece of chocolate", "grapes": "bunch of grapes", "banana": "bunch of bananas", "soft ice cream": "ice cream cone",
    "hamburger": "cheese burger", "bouquet": "bunch of flowers/bouquet of flowers/bouquet of roses", "books": "stack of books/pile of books",
    "yarn": "ball of yarn/ball of wool", "money bag": "bag of money/sack of money", "birthday cake": "happy birthday/birthday party",
    "rocket": "space ship/space shuttle/space rocket/rocket ship", "flying saucer": "alien ship/alien spaceship", "racing car": "race car/sports car/sport car",
    "fire engine": "fire truck", "bus": "school bus", "motorcycle": "motor bike", "locomotive": "steam train/steam engine/steam locomotive",
    "passenger ship": "cruise ship/ocean liner", "sailboat": "sail boat/sailing boat/sailing ship", "airplane": "jet plane/passenger plane",
    "evergreen tree": "pine tree/fir tree", "deciduous tree": "oak tree/maple tree/leafy tree", "Christmas tree": "xmas tree", "sunflower": "sun flower",
    "night with stars": "night sky/starry sky/starry night", "snow-capped mountain": "snowy mountain/snow mountain", "beach with umbrella": "sandy beach",
    "cloud with rain": "rainy cloud", "cloud with lightning and rain": "storm cloud/thunder cloud/thunder storm", "cloud with snow": "snow cloud/snowy cloud",
    "T-Rex": "t rex/tyrannosaurus rex", "jack-o-lantern": "halloween pumpkin/carved pumpkin", "mobile phone": "cell phone/smart phone",
    "boy": "little boy/small boy/young boy", "girl": "little girl/small girl/young girl", "baby": "little baby/baby boy/baby girl",
    "old man": "elderly man", "old woman": "elderly woman/old lady",
}  # fmt: skip
LINKS = "of for from to by as like about"
AFFIXES = "l' d' un' dell' ال 을 를 이 가 은 는 의 에 와 과"
RELATIONS = {
    "beside": "and/&/next to/beside/besides/and also/together with/y/e/et/und/neben/と/와/и/و/और/和/旁边的",
    "above": "above/on top of", "below": "below/under",
}  # fmt: skip
# Words for numbers, which captions need not have: several of a thing are drawn one by one. In Chinese and Japanese with what stands
# between a number and its thing.
NUMBERS = {
    1: "one/1", 2: "two/2/a pair of/a couple of/couple of/pair of/dos/deux/zwei/due/dois/duas/два/две/二/两", 3: "three/3/a few/several/tres/trois/drei/tre/três/три/三",
    4: "four/4/cuatro/quatre/vier/quattro/quatro/четыре/四", 5: "five/5/cinco/cinq/fünf/cinque/пять/五", 6: "six/6/seis/sechs/sei/шесть/六",
    7: "seven/7/siete/sept/sieben/sette/sete/семь/七", 8: "eight/8/ocho/huit/acht/otto/oito/восемь/八", 9: "nine/9/nueve/neuf/neun/nove/девять/九",
}  # fmt: skip
# Of these a pair is one.
PAIRS = "glasses sunglasses goggles scissors trousers pants jeans shorts pliers tongs binoculars gloves socks skis"
COUNTED = "个 只 条 朵 辆 本 颗 つの 個の 匹の".split()
# Read as another word although captions have it: of the first one picture is not enough to learn it, the family's are keywords of
# scenes; then plurals that no rule makes.
INSTEAD = {
    "donkey": "horse", "children": "child", "mother": "woman", "mom": "woman", "daughter": "girl", "father": "man", "dad": "man", "son": "boy",
    "wolves": "wolf", "knives": "knife", "leaves": "leaf", "loaves": "loaf", "elves": "elf", "mice": "mouse", "geese": "goose", "feet": "foot",
    "teeth": "tooth", "men": "man", "women": "woman", "oxen": "ox", "cacti": "cactus",
}  # fmt: skip
# Styles in which things look much like in the default one, and the others, those that draw things best first: what has pictures in these
# alone is drawn in one of them where no style is asked for.
ALIKE = {"3d", "flat", "ink"}
OTHERS = ["noto", "one", "blob", "fx", "line", "pixel"]
# They make another face of anything.
EXPRESSIONS = "happy sad angry smiling crying laughing sleeping sleepy grinning winking surprised scared"
WHERE = ["upside down", "top", "bottom", *attributes.CORNERS.values()]


def units(text: str) -> list[list[str]]:
    """Between one break and the next: words in lower case, single characters where a script has no spaces."""
    parts = BREAKS.split(text.lower().replace("’", "'"))
    found = [[unit.strip(EDGES) or unit for unit in UNIT.findall(part)] for part in parts]
    return [part for part in found if part]


def joined(part: list[str]) -> str:
    """An entry: words with spaces between them, characters of scripts without spaces with none."""
    text = "".join(part[:1])
    for before, unit in zip(part, part[1:]):
        bare = re.match(rf"[{UNSPACED}]", unit) and re.match(rf"[{UNSPACED}]", before)
        text += unit if bare else " " + unit
    return text


def entry(text: str) -> str:
    return joined([unit for part in units(text) for unit in part])


def listed(table: str) -> set[str]:
    return {entry(item) for line in table.strip().splitlines() for item in line.strip().split("/") if item.strip()}


def is_counted(word: str) -> bool:
    """Whether an English word that things are called by looks like one that has a plural."""
    return word.isalpha() and not word.endswith(("s", "ing", "ed", "ly", "al", "ic", "ous", "ful"))


class English:
    """The words of English captions: which concepts have them, and which stand for things."""

    def __init__(self, captions: Captions, special: set[str], ends: set[str]):
        self.concepts: dict[str, set[int]] = defaultdict(set)
        self.things = {entry(word) for word in EVERYDAY}
        # Plurals that no caption need have, and what they are of.
        self.plurals: dict[str, str] = {}
        # Of concepts, by their keys.
        self.numbers: dict[str, int] = {}
        for row in captions.rows:
            number = self.numbers.setdefault(row["key"], len(self.numbers))
            name, keywords = row["words"]["en"]
            for text in [name, name.replace(": ", " with "), *keywords]:
                for found in entries(text, special, ends):
                    self.concepts[found].add(number)
            named = list(entries(name, special, ends))
            self.things.update(named if row["emoji"] else named[-1:])
        for word in [word for word in self.things if word in self.concepts and is_counted(word)]:
            plural = attributes.plural(word)
            self.concepts[plural] |= self.concepts[word]
            self.things.add(plural)
            self.plurals[plural] = word

    def kinds(self) -> dict[str, str]:
        # Words of two letters are mostly another language's.
        kept = {word: concepts for word, concepts in self.concepts.items() if len(word) > 2 or not word.isalpha()}
        return {word: "#@"[word in self.things] + " ".join(map(str, sorted(concepts))) for word, concepts in kept.items()}


def pieces(part: list[str], special: set[str], ends: set[str]):
    """What of a name is an entry by itself: all of it or a run of units, where it holds a special word and something else; a run does
    not begin or end with a join."""
    if special & set(part) and set(part) - special and len(part) <= LONGEST:
        yield joined(part)
    for begin in range(len(part)):
        for end in range(begin + 2, min(len(part), begin + LONGEST) + 1):
            run = part[begin:end]
            if run[0] not in ends and run[-1] not in ends and special & set(run) and set(run) - special:
                yield joined(run)


def same(captions: Captions, english: Set[str]) -> dict[str, str]:
    """Keywords that stand for one thing, and its name in their language; none that is a name in any language itself."""
    concepts = {captions.rows[index]["key"]: captions.rows[index]["words"] for index in captions.training if captions.rows[index]["emoji"]}
    names = {entry(name) for row in captions.rows for name, _ in row["words"].values()}
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for (language, keyword), shares in captions.meanings.shares.items():
        best = {concepts[key][language][0] if key in concepts else None for key, share in shares.items() if share == 1}
        word, is_short = entry(keyword), language in ("en", "zh", "ja") or len(keyword.split()) == 1
        if len(best) != 1 or None in best or not is_short or not any(map(str.isalpha, word)) or word in names:
            continue
        (name,) = best
        if ":" not in name:
            found[word].add((language, name))
            if language == "en" and is_counted(word):
                plural = attributes.plural(word)
                found[plural].update([(language, name)] if plural not in names else [])
    # A word that means two things means neither; English ones are English.
    meant = {word: [meant for meant in found[word] if meant[0] == "en" or word not in english] for word in found}
    return {word: names[0][1] for word, names in meant.items() if len(names) == 1}


def entries(text: str, special: set[str], ends: set[str]):
    """The entries that a caption makes; its last word is the last of them."""
    for part in units(text):
        yield from pieces(part, special, ends)
        yield from part


def forms(number: str) -> list[str]:
    """A word for a number, with what follows it where a script has no spaces: there, bare ones are parts of other words."""
    is_character = bool(re.fullmatch(f"[{UNSPACED}]", number))
    counted = [number + word for word in COUNTED] if number.isdigit() or is_character else []
    return counted if is_character and number not in "两三四" else [number, *counted]


def beside() -> dict[str, str]:
    """What stands beside words of captions, and what it is; what is several things is the last of them here."""
    colours = {entry(word) for words in attributes.COLOUR_WORDS.values() for forms in words for word in forms}
    colours |= {word + "的" for word in colours if word.endswith("色")}
    numbers = {f"number {number}": {entry(form) for word in words.split("/") for form in forms(word)} for number, words in NUMBERS.items()}
    small = {entry(word) for words in attributes.SMALL.values() for word in words.split("/")}
    where = {form for place in WHERE for form in (place, f"at the {place}", f"in the {place}")}
    joins, asides = (set().union(*map(listed, table.values())) for table in (JOINS, ASIDES))
    tables = {
        "join": joins, "link": set(LINKS.split()), "aside": asides, "affix": set(AFFIXES.split()), "article": set(ARTICLES.split()),
        "attribute": small | where | set(EXPRESSIONS.split()), "colour": colours,
    }  # fmt: skip
    tables |= numbers | {relation: listed(words) for relation, words in RELATIONS.items()}
    return {word: kind for kind, words in tables.items() for word in words}


def foreign(captions: Captions, special: set[str], ends: set[str]) -> set[str]:
    """The entries of captions in languages other than English."""
    found: set[str] = set()
    for language, text in {(language, text) for row in captions.rows for language, words in row["words"].items() for text in [words[0], *words[1]]}:
        if language in ("zh", "ja"):
            found.update(joined(part) for part in units(text) if len(part) <= 2 * LONGEST)
        elif language != "en":
            found.update(entries(text, special, ends))
    return found


def other_styles(captions: Captions, numbers: dict[str, int]) -> dict[str, str]:
    """Of every style the concepts that are drawn in it where no style is asked for, as an entry that no prompt has."""
    styles: dict[str, set[str]] = defaultdict(set)
    for index in captions.training:
        styles[captions.rows[index]["key"]].add(captions.rows[index]["style"])
    found: dict[str, list[int]] = defaultdict(list)
    for key, learned in styles.items():
        if not learned & ALIKE:
            found[next(style for style in OTHERS if style in learned)].append(numbers[key])
    return {"^" + style: " ".join(map(str, sorted(concepts))) for style, concepts in found.items()}


def called() -> dict[str, str]:
    """Names in several words, one of the thing and more, and the name that captions have for it."""
    found = {}
    for name, words in CALLED.items():
        for phrase in words.split("/"):
            first, *others = phrase.split(" of ")
            found |= {form: name for form in (phrase, " of ".join([attributes.plural(first), *others]))}
    return found


def nearest() -> dict[str, str]:
    near = {word.replace("_", " "): nearest for nearest, words in NEAREST.items() for word in words.split()}
    return near | {attributes.plural(word): attributes.plural(nearest) for word, nearest in near.items()}


def kinds(captions: Captions) -> dict[str, str]:
    """Every entry and what it is; the empty text for a word of a caption in a language other than English."""
    fixed = beside()
    ends = {word for word, kind in fixed.items() if kind in ("join", "link", "article", *RELATIONS)}
    special = ends | {word for word, kind in fixed.items() if kind == "aside" or kind.startswith("number")}
    english = English(captions, special, ends)
    found = dict.fromkeys(foreign(captions, special, ends), "") | english.kinds()
    for word, name in same(captions, english.concepts.keys()).items():
        found[word] = found.get(word, "") + "~" + name
    names = {entry(name) for row in captions.rows for name, _ in row["words"].values()}
    for plural, word in english.plurals.items():
        if plural not in names and "~" not in found.get(plural, "~"):
            found[plural] += "~" + word
    found |= {f"{before}pair of {thing}": "~" + thing for thing in PAIRS.split() for before in ("", "a ")}
    for phrase, name in called().items():
        if entry(phrase) in names or entry(name) not in names:
            raise SystemExit(f"{phrase} is called {name}, which captions have not, or they have the phrase")
        found[phrase] = found.get(phrase, "").split("~")[0] + "~" + name
    near, instead = ({word: "=" + near for word, near in words.items()} for words in (nearest(), INSTEAD))
    return near | found | instead | fixed | other_styles(captions, english.numbers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=settings.DEFAULT_WORK)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    write(Captions(options.work), options.out)


def write(captions: Captions, path: Path) -> None:
    lines = sorted((text.encode(), kind.encode()) for text, kind in kinds(captions).items())
    path.write_bytes(b"".join(text + (b"\t" + kind if kind else b"") + b"\n" for text, kind in lines))


if __name__ == "__main__":
    main()
