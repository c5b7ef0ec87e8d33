"""Words around a prompt that ask for nothing: "a picture of …", "cute …", "… please". Depends on `settings` alone.

Pictures' names and keywords have none of them, so that a text encoder that has read nothing else takes them for things.
"""

import random

# By language, what stands before and behind a prompt. `HELD_OUT` is never trained on and tells whether the rest is understood.
BEFORE = {
    "en": [
        "a picture of", "a picture of a", "picture of", "picture of a", "a photo of", "a photo of a", "photo of", "an image of", "an image of a", "image of a",
        "a drawing of", "a drawing of a", "drawing of a", "draw", "draw a", "draw me", "draw me a", "please draw a", "paint a", "paint me a", "an icon of", "an icon of a",
        "icon of a", "a sketch of a", "sketch of", "an illustration of", "an illustration of a", "a painting of a", "an emoji of a", "emoji of a", "a pictogram of a",
        "i want", "i want a", "i would like a", "i need a", "show me", "show me a", "make", "make a", "make me a", "create a", "generate a", "give me a", "can you draw a",
        "this is a", "here is a", "it is a", "my", "my own", "your", "our", "some", "any", "that", "this", "just a", "only a", "just", "really", "very",
        "cute", "a cute", "beautiful", "a beautiful", "nice", "a nice", "pretty", "a pretty", "lovely", "a lovely", "funny", "a funny", "great", "amazing", "an amazing",
        "awesome", "simple", "a simple", "modern", "a modern", "realistic", "a realistic", "detailed", "a detailed", "colorful", "a colorful", "shiny", "a shiny",
        "big", "a big", "large", "a large", "huge", "a huge", "giant", "a giant", "tall", "a tall", "fluffy", "a fluffy", "fancy", "tasty", "delicious", "a delicious",
        "fresh", "soft", "new", "a new", "real", "a real", "typical", "single", "a single", "wonderful", "adorable", "an adorable", "perfect", "sweet little", "my favorite",
        "high quality", "cartoon", "a cartoon", "stylized", "a stylized", "minimalist", "a minimalist", "vector art of a", "clipart of a", "a sticker of a", "logo of a",
    ],
    "zh": ["画一个", "画一只", "请画", "一张", "一个", "一只", "可爱的", "漂亮的", "美丽的", "大", "巨大的", "图片：", "照片：", "我想要一个", "给我一个"],
    "es": ["una imagen de", "una foto de", "un dibujo de", "dibuja", "dibuja un", "dibuja una", "un", "una", "el", "la", "quiero un", "quiero una", "bonito", "bonita", "lindo"],
    "fr": ["une image de", "une photo de", "un dessin de", "dessine", "dessine un", "dessine une", "un", "une", "le", "la", "je veux un", "je veux une", "joli", "jolie", "grand"],
    "de": ["ein bild von", "ein foto von", "eine zeichnung von", "zeichne", "zeichne ein", "zeichne eine", "male ein", "ein", "eine", "einen", "der", "die", "das", "ich will ein", "süße", "schöne", "große"],
    "ja": ["かわいい", "可愛い", "美しい", "大きい", "大きな", "写真：", "一つの", "きれいな"],
    "ko": ["귀여운", "예쁜", "큰", "아름다운", "사진", "하나의"],
    "pt": ["uma imagem de", "uma foto de", "um desenho de", "desenhe um", "desenhe uma", "um", "uma", "o", "a", "eu quero um", "bonito", "bonita", "lindo", "grande"],
    "ru": ["картинка", "рисунок", "фото", "изображение", "нарисуй", "хочу", "милый", "милая", "красивый", "красивая", "большой", "большая", "один", "мой"],
    "ar": ["صورة", "رسم", "ارسم", "صورة ل", "أريد"],
    "hi": ["एक", "एक तस्वीर", "चित्र", "प्यारा", "सुंदर", "बड़ा"],
    "it": ["un'immagine di", "una foto di", "un disegno di", "disegna", "disegna un", "un", "una", "il", "la", "voglio un", "bello", "bella", "grande"],
}  # fmt: skip
BEHIND = {
    "en": [
        "please", "picture", "photo", "image", "drawing", "illustration", "icon", "emoji", "art", "sketch", "clipart", "sticker", "logo", "pictogram", "painting", "cartoon",
        "on white background", "on a white background", "with a white background", "white background", "transparent background", "isolated", "high quality", "best quality",
        "4k", "hd", "highly detailed", "for kids", "for children", "for me", "for my app", "on a table", "on the table", "on the floor", "on the ground", "on the street",
        "on the road", "in the park", "in a park", "in a room", "outside", "outdoors", "at home", "in nature", "in the wild", "in a field", "in the air", "in the middle",
        "close up", "front view", "side view", "simple", "cute", "minimalist", "vector", "digital art", "thing", "design", "right now", "today", "now", "that looks nice", "from above",
    ],
    "zh": ["的图片", "的照片", "图标", "的画", "图", "，谢谢"],
    "es": ["por favor", "bonito", "bonita", "en la mesa", "grande", "fondo blanco"],
    "fr": ["s'il vous plaît", "mignon", "mignonne", "sur la table", "fond blanc"],
    "de": ["bitte", "bild", "auf dem tisch", "als symbol", "weißer hintergrund"],
    "ja": ["の絵", "の写真", "のイラスト", "のアイコン", "をください"],
    "ko": ["그림", "사진", "아이콘", "그려줘"],
    "pt": ["por favor", "bonito", "na mesa", "fundo branco"],
    "ru": ["пожалуйста", "рисунок", "картинка", "на столе", "на белом фоне"],
    "ar": ["من فضلك", "جميل", "جميلة", "لطيف", "كبير"],
    "hi": ["का चित्र", "की तस्वीर", "कृपया"],
    "it": ["per favore", "carino", "carina", "sul tavolo", "sfondo bianco"],
}  # fmt: skip
HELD_OUT = [
    "a snapshot of a {}", "could you sketch a {}", "a charming {}", "a gorgeous {}", "an enormous {}", "the most wonderful {} ever", "a depiction of a {}", "design me a {}",
    "{} artwork", "{} on a plain background", "{} in the garden", "a portrait of a {}", "something like a {}", "{} for my website", "a fantastic {}", "let me see a {}",
]  # fmt: skip
# By these a finished pack is judged: written after the words that a prompt is read by, which were not changed for them.
UNLISTED = [
    "a hilarious {}", "a dreamy {}", "a sturdy {}", "would somebody please draw us a {}", "the world's finest {}", "a {} that nobody has seen before",
    "a {} lit by candles", "a {} worth framing", "let's have a {}", "my grandmother's {}", "an ordinary {}", "{} rendered in exquisite detail",
    "a {} for the fridge door", "one more {}", "some sort of {}", "a spectacular {} beneath a cloudless sky", "feel free to draw a {}",
    "behold, a {}", "a weathered {} leaning against a fence", "{} but cheerful", "the kind of {} you remember", "an iconic {}, studio lighting",
]  # fmt: skip
BOTH_SIDES = 0.2
# Nobody can list all adjectives. Words that do not exist are in pieces as those are that the encoder has never read.
INVENTED = 0.35
SYLLABLES = (
    "a able al an ance ar at ate be ble cal ch co com con cra cur de der dis du en ent er est ex fa fi for fu ge gor gra ho hy ic im in ing ish ive ka ki "
    "la le lo lu ly ma men mer mi mo na ne no nor ob or ous per phi po pro qui ra re ri ro sa se sh si sk so spe st sto su ta ten ter ti tion to tra tu "
    "ul un ure ver vi vo wa wi wo y za"
).split()
INVENTED_BEFORE = ["{}", "a {}", "the {}", "a very {}", "the most {}", "my {}", "a {} of a", "{} me a"]
INVENTED_BEHIND = ["{}", "in the {}", "on a {}", "for my {}", "with a {}", "of the {}", "that is {}", "so {}"]


def invented(generator: random.Random) -> str:
    return "".join(generator.choices(SYLLABLES, k=generator.randint(2, 4)))


def around(text: str, language: str, generator: random.Random) -> str:
    """The prompt with words before it, behind it or both."""
    space = "" if language in ("zh", "ja") else " "
    before, behind = generator.choice(BEFORE[language]), generator.choice(BEHIND[language])
    if language == "en" and generator.random() < INVENTED:
        before, behind = (generator.choice(forms).format(invented(generator)) for forms in (INVENTED_BEFORE, INVENTED_BEHIND))
    side = generator.random()
    if side < BOTH_SIDES:
        return before + space + text + space + behind
    # There are more words before than behind.
    return before + space + text if side < 0.72 else text + space + behind


def means_something(phrase: str, words: set[str]) -> bool:
    """Whether one of a phrase's words is among those that ask for a picture."""
    return bool(set(phrase.lower().split()) & words)
