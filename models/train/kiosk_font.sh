#!/bin/sh -eu
# Makes src/kiosk/fonts. kiosk.ttf: the letters that the kiosk's own words need, out of WenQuanYi Micro Hei
# (Debian's fonts-wqy-microhei, Apache-2.0), with fonttools' pyftsubset.
cd "$(dirname "$0")/../../src/kiosk"
pyftsubset /usr/share/fonts/truetype/wqy/wqy-microhei.ttc --font-number=0 --output-file=fonts/kiosk.ttf \
    --text-file=subjects.tsv --text-file=phrases.toml --text-file=names.toml \
    --text=한국어 \
    --unicodes=20-7e,a0-17f,400-45f,490,491,2010-2027,2030,2032,2033,2039,203a,20ac,2116,2122,2190-2193,2212,3001-3003,3008-3011,3041-3093,30a1-30fc,ff01-ff5e \
    --layout-features= --no-hinting --desubroutinize --notdef-outline --name-IDs=0,1,2,13,14

# Arabic and Devanagari with their joining, out of Noto Sans (Debian's fonts-noto-core, OFL-1.1): all letters, since visitors type them.
noto() {
    pyftsubset "/usr/share/fonts/truetype/noto/NotoSans$1-Regular.ttf" --output-file="fonts/$2.ttf" --unicodes="$3" \
        --layout-features='*' --no-hinting --desubroutinize --notdef-outline --name-IDs=0,1,2,13,14
}
noto Arabic arabic 20,600-6ff,750-77f,200c-200f
noto Devanagari devanagari 20,900-97f,200c-200d,25cc
