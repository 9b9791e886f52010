import pytest

from keras_mmfusion.metrics.meteor.snowball_stemmer import stem_english

# Word: stem, by the stemmer in METEOR 1.5's jar.
STEMS = """
a: a  as: as  'tis: tis  'em: em  dogs': dog  dog's: dog  's: 's  yes's': yes  y: y  yy: yy
caresses: caress  ponies: poni  ties: tie  cries: cri  gas: gas  gaps: gap  kiwis: kiwi  bus: bus
agreed: agre  feed: feed  exceedingly: exceed  plastered: plaster  bled: bled  motoring: motor
sing: sing  luxuriated: luxuri  hopping: hop  hoping: hope  falling: fall  filed: file  bedding: bed
happy: happi  say: say  by: by  enjoy: enjoy  youthful: youth  sayings: say  boyish: boyish
relational: relat  conditional: condit  valenci: valenc  digitizer: digit  realization: realiz
operator: oper  feudalism: feudal  decisiveness: decis  callousness: callous  formaliti: formal
sensibiliti: sensibl  analogously: analog  hopefully: hope  helplessly: helpless  fluently: fluentli
triplicate: triplic  formative: format  formalize: formal  electrical: electr  goodness: good
revival: reviv  allowance: allow  inference: infer  airliner: airlin  adjustable: adjust
replacement: replac  adoption: adopt  communism: communism  activate: activ  effective: effect
probate: probat  rate: rate  cease: ceas  controll: control  roll: roll  generously: generous
general: general  communication: communic  arsenal: arsenal  skies: sky  dying: die  news: news
proceeding: proceed  herrings: herring  inning: inning  only: onli  singly: singl  howe: howe
"""


@pytest.mark.parametrize(
    ("word", "stem"), [pair.split(": ") for pair in STEMS.replace("\n", "  ").strip().split("  ")]
)
def test_stems_equal_those_of_the_meteor_jar(word, stem):
    assert stem_english(word) == stem
