"""Abbreviations that keep their period in the Penn Treebank tokenization of CoreNLP 3.4.1.

Each list is a string of words separated by spaces; a word is a regular expression without the
period. Case is ignored, except for letters in brackets.
"""

# These may end a sentence: a second period token follows before an upper-case letter.
MAY_END_SENTENCE = (
    # Months and days; states of the USA; companies and institutions; numbers, addresses, titles
    # after a name, Latin.
    "jan feb mar apr jun jul aug sept? oct nov dec mon tues? wed thu(?:rs)? fri "
    "ala ariz [A]z [A]rk calif colo conn ct dak [D]el fla ga [I]ll ind kans? ky [L]a [M]ass md "
    "mich minn [M]iss mo mont neb nev okla [O]re [P]a penn tenn [T]ex va vt [W]ash wisc? wyo "
    "inc cos? corp pp?t[ye]s? ltd plc rt bancorp bhd assn univ intl sys bros "
    "tel est ext sq bldg blvd rd jr sr (?:ed|ph)\\.d esq etc al seq"
)

# These never end a sentence.
INSIDE_SENTENCE = (
    "mr mrs ms [M]iss drs? profs? sens? reps? attys? lt col gen messrs govs? adm rev maj sgt cpl "
    "pvt capt ste? ave pres lieut hon brig co?mdr pfc spc supts? det mt ft adj adv asst assoc ens "
    "insp mlle mme msgr sfc vs alex wm jos cie a\\.k\\.a cf treas ph invt elec natl m[ft]g dept"
)

# Abbreviations before a number only.
BEFORE_NUMBER = "ca figs? prop nos? art pp op"

# With upper case at the start, these words make a period before them the end of a sentence.
SENTENCE_STARTS = (
    "About According Additionally After An A As At But Did During Earlier He Her Here How However "
    "If In It Last Many More Mr\\. Ms\\. Now Once One Other Our She Since So Some Such That The "
    "Their Then There These They This We When While What Who Why Yet You"
)

# A word and one of these after a period is a file name.
FILE_EXTENSIONS = (
    "bat bmp cgi class cpp c dll docx doc exe gif gz html htm h jar java jpeg jpg mov mp3 pdf php "
    "pl png ppt ps py sql tar txt wav xml x zip"
)
