"""The rules of CoreNLP 3.4.1's Penn Treebank tokenizer, as regular expressions.

Every rule is matched at the current position; a match has a token and, optionally, context after
it. The rule with the longest match, context included, applies; in a tie, the first one.
"""

import re
from typing import NamedTuple

from keras_mmfusion.metrics.tokenization import ptb_abbreviations as abbreviations
from keras_mmfusion.metrics.tokenization import ptb_characters as characters


class Rule(NamedTuple):
    """A pattern whose group 1 is the token, and how the token is processed.

    `write` converts the matched text to the token (`None`: no token). `give_back` is the number
    of characters at the end of the token that are tokenized again.
    """

    pattern: re.Pattern
    write: object
    give_back: int


_LETTERS = characters.format_character_class(characters.LETTERS)
_DIGITS = characters.format_character_class(characters.DIGITS)
_MARKS = characters.format_character_class(characters.MARKS)
_SYMBOLS = characters.format_character_class(characters.SYMBOLS)

SPACES = " \t\u00a0\u2000-\u200a\u3000"
NEWLINES = "\n\r\u2028\u2029\u000b\u000c\u0085"
_GAP = f"[{SPACES}{NEWLINES}]"

_A = f"[{_LETTERS}]"
_D = f"[{_DIGITS}]"
_UPPER = f"[{characters.select_upper_case(characters.LETTERS)}]"
_AD = f"[{_LETTERS}{_DIGITS}]"
_LETTER = f"(?:[{_LETTERS}{_MARKS}\u00ad]|&[aeiouAEIOU](?i:acute|grave|uml);)"
_WORD_PART = f"{_LETTER}(?:{_LETTER}|{_D})*"
_WORD = f"{_WORD_PART}(?:[.!?]{_WORD_PART})*"
_APOSTROPHE = "(?:['\u0092\u2019]|(?i:&apos;))"
_ANY_APOSTROPHE = "(?:['`\u0092\u2019\u0091\u2018\u201b]|(?i:&apos;))"
_HYPHEN = "[-_\u058a\u2010\u2011]"
_AND = "(?:&|(?i:&amp;))"
_CLITIC = f"{_APOSTROPHE}(?:[msdMSD]|(?i:re|ve|ll))"
_NOT = f"[nN]{_ANY_APOSTROPHE}[tT]"
_NUMBER = f"[-+]?(?:{_D}*(?:[.:,\u00ad\u066b\u066c]{_D}+)+|{_D}+)"
_ELISION = f"(?:[dDoOlL]{_ANY_APOSTROPHE}{_AD})?"
_THING = f"{_ELISION}{_AD}+(?:{_HYPHEN}{_ELISION}{_AD}+)*"
_ACRONYM_PAIR = "(?i:(?:canada|sino|korean|eu|japan|non)-u\\.s|u\\.s\\.-u\\.(?:k|s\\.s\\.r))"
_LETTER_ACRONYM = "[A-Za-z](?:\\.[A-Za-z])+"
_COMPOUND = (
    "[A-Za-z0-9][A-Za-z0-9.,\u00ad]*"
    f"(?:-(?:(?:{_ACRONYM_PAIR}|{_LETTER_ACRONYM})\\.|[A-Za-z0-9\u00ad]+))+"
)
_NAME = "[A-Za-z][A-Za-z0-9_:.-]*"
_TAG = (
    f"<(?:[!?][A-Za-z-][^>\r\n]*"
    f"|{_NAME}(?: +(?:{_NAME} *= *(?:'[^'\r\n]*'|\"[^\"\r\n]*\")|{_NAME}))* */?"
    f"|/{_NAME}) *>"
)
_URL_STOP = ' \t\n\f\r"<>|()'
_URL_PATH = f"/[^{_URL_STOP}]+[^{_URL_STOP}.!?{{}},-]"


def _match_any(words):
    return f"(?:{words.replace(' ', '|')})"


def _match_caseless(words):
    # Letters in brackets are case-sensitive, so they stay outside of the (?i:...) groups.
    parts = re.split(r"(\[[^]]*\]| )", words)
    return _match_any("".join(p if p[0] in "[ " else f"(?i:{p})" for p in parts if p))


_MAY_END = _match_caseless(abbreviations.MAY_END_SENTENCE) + "\\."
_START = f"(?:{_match_any(abbreviations.SENTENCE_STARTS)}|{_TAG}){_GAP}"


def _keep(token):
    return token


def _replace_with(text):
    return lambda token: text


def _skip(token):
    return None


def _remove_soft_hyphens(token):
    return token.replace("\u00ad", "") or "-"


def _join_spaces(token):
    return token.replace(" ", "\u00a0")


def _name_brackets(token):
    return token.replace("(", "-LRB-").replace(")", "-RRB-")


def _write_phone(token):
    return _name_brackets(_join_spaces(token))


def _decode_ampersand(token):
    return re.sub("(?i)&amp;", "&", token)


def _shorten_dashes(token):
    return "--" if 3 <= len(token) <= 4 else token


def _make_quote_writer(single, double):
    plain = {"'": single, "&apos;": single, '"': double, "&quot;": double}
    styled = dict.fromkeys("\u0091\u2018\u201b\u2039", "`")
    styled.update(dict.fromkeys("\u0092\u2019\u203a", "'"))
    styled.update(dict.fromkeys("\u0093\u201c\u00ab", "``"))
    styled.update(dict.fromkeys("\u0094\u201d\u00bb", "''"))
    replacements = plain | styled
    pattern = re.compile("&apos;|&quot;|.", re.DOTALL)
    return lambda token: pattern.sub(lambda m: replacements.get(m[0], m[0]), token)


_write_opening = _make_quote_writer("`", "``")
_write_closing = _make_quote_writer("'", "''")

_FRACTIONS = {"\u00bc": "1/4", "\u00bd": "1/2", "\u00be": "3/4", "\u2153": "1/3", "\u2154": "2/3"}
_CURRENCIES = {"\u00a2": "cents", "\u00a3": "#"} | dict.fromkeys("\u0080\u00a4\u20a0\u20ac", "$")


def _rule(pattern, write=_keep, give_back=0, before=None):
    """Creates a rule for tokens that match `pattern`, followed by a match of `before` if given."""
    return Rule(re.compile(f"({pattern})" + (before or "")), write, give_back)


RULES = [
    # Contracted words, such as "cannot".
    _rule("(?i:can)", before="(?i:not)"),
    _rule("'[tT]", before="(?i:was|is)"),
    _rule("(?i:gon|wan)", before="(?i:na)"),
    _rule("(?i:got)", before="(?i:ta)"),
    _rule("(?i:lem|gim)", before="(?i:me)"),
    _rule("(?i:c\\+\\+|[cf]#)"),
    _rule(_TAG, _join_spaces),
    _rule("(?:(?i:&(?:md|mdash|ndash);)|[\u0096\u0097\u2013\u2014\u2015])", _replace_with("--")),
    _rule("(?i:&amp;)", _decode_ampersand),
    _rule("(?i:&(?:ht|tl|ur|lr|qc|ql|qr|odq|cdq|#[0-9]+);)"),
    _rule(_WORD, _remove_soft_hyphens, before=_CLITIC),
    _rule("[A-Za-z\u00ad]*[A-MO-Za-mo-z]\u00ad*", _remove_soft_hyphens, before=_NOT),
    _rule(_WORD, _remove_soft_hyphens),
    # Words with an apostrophe.
    _rule(f"{_APOSTROPHE}[nN]{_APOSTROPHE}?"),
    _rule(f"[lLdDjJ]{_APOSTROPHE}"),
    _rule(f"(?i:dunkin|somethin|ol){_APOSTROPHE}"),
    _rule(f"{_APOSTROPHE}(?:[2-9]0[sS]|(?i:em|till?|cause))"),
    _rule(f"[A-HJ-XZn]{_ANY_APOSTROPHE}{_A}{{2,}}"),
    _rule(f"{_A}+[aeiouyAEIOUY]{_ANY_APOSTROPHE}[aeiouA-Z]{_A}*"),
    _rule("(?i:cont'd\\.?|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l)"),
    _rule(f"[oO]{_ANY_APOSTROPHE}[oO]"),
    _rule(f"[yY]{_APOSTROPHE}", before=_A),
    _rule(f"(?i:https?://)[^{_URL_STOP}{{}}]+[^{_URL_STOP}.!?{{}},-]"),
    _rule(f"(?i:www\\.)(?:[^{_URL_STOP}.!?{{}},]+\\.)+[a-zA-Z]{{2,4}}(?:{_URL_PATH})?"),
    _rule(f"(?:[^{_URL_STOP}`'.!?{{}},-_$]+\\.)+(?i:com|net|org|edu)(?:{_URL_PATH})?"),
    _rule(
        '(?:<|(?i:&lt;))?[a-zA-Z0-9][^ \t\n\f\r"<>|(){}\u00a0]*'
        '@(?:[^ \t\n\f\r"<>|(){}.\u00a0]+\\.)*[^ \t\n\f\r"<>|(){}.\u00a0]+(?:>|(?i:&gt;))?'
    ),
    _rule("@[a-zA-Z_][a-zA-Z_0-9]*"),
    _rule(f"#{_LETTER}+"),
    _rule(_CLITIC, _write_closing, before="[^A-Za-z]"),
    _rule(_NOT, _write_closing),
    _rule(f"{_D}{{1,2}}[-/]{_D}{{1,2}}[-/]{_D}{{2,4}}"),
    _rule(_NUMBER, _remove_soft_hyphens),
    _rule(
        "[\u207a\u207b\u208a\u208b]?(?:[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+|[\u2080-\u2089]+)"
    ),
    _rule(
        f"(?:{_D}{{1,4}}[- \u00a0])?{_D}{{1,4}}(?:\\\\?/|\u2044){_D}{{1,4}}",
        _join_spaces,
    ),
    _rule("[\u00bc\u00bd\u00be\u2153-\u215e]", lambda token: _FRACTIONS.get(token, token)),
    _rule(
        f"(?:(?i:-[rl][rcs]b-|c\\.d\\.s|pro-|anti-)|[sS]{_AND}(?i:p-500|ls)"
        f"|(?i:cap){_APOSTROPHE}[nN]|[cC]{_APOSTROPHE}(?i:est))",
        _decode_ampersand,
    ),
    _rule("[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}(?:\\\\?/[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}){1,2}"),
    _rule("[A-Z]*\\$|#"),
    _rule(
        "[\u00a2\u00a3\u00a4\u00a5\u0080\u20a0\u20ac\u060b\u0e3f\u20a4\uffe0\uffe1\uffe5\uffe6]",
        lambda token: _CURRENCIES.get(token, token),
    ),
    # Abbreviations keep their period. If one may end a sentence, the period is tokenized again.
    # An initial ("I.") at the end of a sentence is a word and a period.
    _rule("[A-Za-z]", before=f"\\.{_GAP}+{_START}"),
    _rule(
        f"(?:{_LETTER_ACRONYM}|{_ACRONYM_PAIR})\\.",
        give_back=1,
        before=f"{_GAP}+{_START}",
    ),
    _rule(f"{_match_caseless(abbreviations.BEFORE_NUMBER)}\\.", before=f"{_GAP}?{_D}"),
    _rule("(?:[pP][tT][eyEY]|[cC][oO])\\.", before=f"[{SPACES}](?i:ltd|lim)"),
    _rule(_MAY_END, give_back=1, before=f"{_GAP}(?:{_GAP}|{_UPPER}|{_TAG})"),
    _rule(_MAY_END, before="(?s:..)"),
    _rule(_MAY_END, give_back=1),
    _rule(f"{_match_caseless(abbreviations.INSIDE_SENTENCE)}\\."),
    _rule(f"(?:{_LETTER_ACRONYM}|{_ACRONYM_PAIR}|[A-Za-z])\\."),
    _rule(_ACRONYM_PAIR, before=_GAP),
    _rule(f"{_APOSTROPHE}[0-9][0-9]", before=_GAP),
    _rule(
        f"{_AD}+(?:\\.{_AD}+)*\\.(?i:{_match_any(abbreviations.FILE_EXTENSIONS)})",
        before=f"(?:{_GAP}|[.?!,])",
    ),
    _rule(f"{_WORD}\\.", _remove_soft_hyphens, before="[,;:\u3001]"),
    _rule(
        "(?:\\([0-9]{2,3}\\)[ \u00a0]?|(?:\\+\\+?)?(?:[0-9]{2,4}[- \u00a0])?[0-9]{2,4}[- \u00a0])"
        "[0-9]{3,4}[- \u00a0]?[0-9]{3,5}",
        _write_phone,
    ),
    _rule("(?:(?:\\+\\+?)?[0-9]{2,4}\\.)?[0-9]{2,4}\\.[0-9]{3,4}\\.[0-9]{3,5}", _write_phone),
    _rule('(?:"|(?i:&quot;))', _write_opening, before="[A-Za-z0-9$]"),
    _rule('(?:"|(?i:&quot;))', _write_closing),
    _rule("(?:<|(?i:&lt;))", _replace_with("<")),
    _rule("(?:>|(?i:&gt;))", _replace_with(">")),
    _rule("[<>]?[:;=][-o*']?[()DPdpO\\\\{@|\\[\\]]", _name_brackets, before="[^A-Za-z0-9]"),
    _rule(
        "(?:[-^x=~<>']_[-^x=~<>']|\\([-^x=~<>'][_.]?[-^x=~<>']\\)|\\([\\^x=~<>']-[\\^x=~<>'`]\\))",
        _name_brackets,
    ),
    _rule("\\(", _replace_with("-LRB-")),
    _rule("\\)", _replace_with("-RRB-")),
    _rule("\\{", _replace_with("-LCB-")),
    _rule("\\}", _replace_with("-RCB-")),
    _rule("\\[", _replace_with("-LSB-")),
    _rule("\\]", _replace_with("-RSB-")),
    _rule("-+", _shorten_dashes),
    _rule("(?:\\.{3,5}|(?:\\.[ \u00a0]){2,4}\\.|[\u0085\u2026])", _replace_with("...")),
    _rule("(?:@+|#+|_+|\\*+|(?:\\\\\\*){1,3})"),
    _rule("[,;:\u3001]"),
    _rule("[?!]+"),
    _rule("[.=/\u00a1\u00bf\u037e\u0589\u061f\u06d4\u0700-\u0702\u07fa\u3002]"),
    _rule(f"{_COMPOUND}\\.", _remove_soft_hyphens, before="[,;:\u3001]"),
    _rule(_COMPOUND, _remove_soft_hyphens),
    _rule(f"{_THING}\\.", before="[,;:\u3001]"),
    _rule(_THING),
    _rule(f"[A-Z]+(?:(?:\\+|{_AND})[A-Z]+)+\\.", _decode_ampersand, before="[,;:\u3001]"),
    _rule(f"[A-Z]+(?:(?:\\+|{_AND})[A-Z]+)+", _decode_ampersand),
    _rule("'", _write_opening, before="[A-Za-z][^ \t\n\r\u00a0]"),
    _rule(_CLITIC, _write_closing),
    _rule(
        f"(?:[`\u2018-\u201f\u0091-\u0094\u2039\u203a\u00ab\u00bb]{{1,2}}|''|{_APOSTROPHE})",
        _write_closing,
    ),
    _rule("(?:<<|>>)"),
    _rule(f"[+%&~^|\\\\{_SYMBOLS}]"),
    _rule("(?i:&nbsp;)", _skip),
]
