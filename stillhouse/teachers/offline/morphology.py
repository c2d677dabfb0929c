"""Forms of English words: the base of a verb, its ``-ing`` form, singular and plural."""

from functools import cache
from typing import Final

from stillhouse.teachers.offline.lexicon import list_words

_IRREGULAR_TEXT: Final = """
be was been|begin began begun|bring brought brought|build built built|buy bought bought
catch caught caught|choose chose chosen|come came come|cost cost cost|cut cut cut|deal dealt dealt
do did done|draw drew drawn|drink drank drunk|drive drove driven|eat ate eaten|fall fell fallen
feel felt felt|fight fought fought|find found found|fly flew flown|forget forgot forgotten
freeze froze frozen|get got got|give gave given|go went gone|grow grew grown|hang hung hung
have had had|hear heard heard|hide hid hidden|hit hit hit|hold held held|keep kept kept
know knew known|lay laid laid|lead led led|leave left left|lend lent lent|let let let|lie lay lain
light lit lit|lose lost lost|make made made|mean meant meant|meet met met|pay paid paid|put put put
read read read|ride rode ridden|ring rang rung|rise rose risen|run ran run|say said said
see saw seen|sell sold sold|send sent sent|set set set|shake shook shaken|show showed shown
shut shut shut|sing sang sung|sink sank sunk|sit sat sat|sleep slept slept|speak spoke spoken
spend spent spent|split split split|spread spread spread|stand stood stood|steal stole stolen
stick stuck stuck|strike struck struck|swear swore sworn|swim swam swum|take took taken
teach taught taught|tell told told|think thought thought|throw threw thrown
understand understood understood|wake woke woken|wear wore worn|win won won|wind wound wound
withdraw withdrew withdrawn|write wrote written|sew sewed sewn|weigh weighed weighed
use used used|care cared cared|charge charged charged|tape taped taped|rate rated rated
note noted noted|store stored stored|move moved moved|name named named|price priced priced
share shared shared|base based based|place placed placed|state stated stated|issue issued issued
oversee oversaw overseen|undergo underwent undergone|undertake undertook undertaken
"""
_IRREGULAR: Final = {
    form: forms.split()[0]
    for forms in _IRREGULAR_TEXT.replace("\n", "|").split("|")
    if forms
    for form in forms.split()[1:]
}
# Verbs whose -ed and -ing forms the tagger's word list happens to lack.
_ALSO_VERBS: Final = frozenset(
    list_words("rest lapse expire renew unlock log email reboot reinstall upload exceed")
)
_PARTICIPLES: Final = frozenset(
    forms.split()[2] for forms in _IRREGULAR_TEXT.replace("\n", "|").split("|") if forms
)
_PARTICIPLE_OF: Final = {
    forms.split()[0]: forms.split()[2]
    for forms in _IRREGULAR_TEXT.replace("\n", "|").split("|")
    if forms
}
_IRREGULAR_PLURALS: Final = {
    "people": "person", "children": "child", "men": "man", "women": "woman", "data": "data",
    "staff": "staff", "criteria": "criterion", "feet": "foot", "mice": "mouse", "lives": "life",
    "shelves": "shelf", "knives": "knife", "series": "series", "premises": "premises",
    "colleagues": "colleague",
}  # fmt: skip
_PLURAL_OF: Final = {one: many for many, one in _IRREGULAR_PLURALS.items()}
_NOT_PLURAL: Final = frozenset(
    list_words(
        "business process access class pass illness notice gas bus bonus status campus virus "
        "address glass press loss success progress analysis basis crisis news mathematics physics "
        "this is was has its always canvas lens chess distress fitness wellness witness mattress "
        "harness focus census corpus apparatus princess boss cross dress grass mass"
    )
)


@cache
def verb_bases() -> frozenset[str]:
    """Return the words that English uses as verbs: those whose ``-ed`` or ``-ing`` form is known."""
    from stillhouse.teachers.offline.tagging import lexicon

    entries = lexicon()
    bases = set(_IRREGULAR.values()) | _ALSO_VERBS
    for word, tag in entries.items():
        if tag in ("VBD", "VBN", "VBG") and word.islower():
            bases.update(base for base in _candidates(word) if base in entries)
        elif tag in ("VB", "VBP") and word.islower():
            bases.add(word)
    return frozenset(bases)


def _candidates(form: str) -> list[str]:
    for ending in ("ed", "ing"):
        if form.endswith(ending) and len(form) > len(ending) + 1:
            stem = form[: -len(ending)]
            found = [stem, stem + "e"]
            if len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in "sl":
                found.insert(0, stem[:-1])
            elif len(stem) > 2 and stem[-1] == stem[-2]:
                found.append(stem[:-1])
            if stem.endswith("i"):
                found.insert(0, stem[:-1] + "y")
            return found
    return []


@cache
def base_of(form: str) -> str:
    """Return the base form of a verb form (``submitted`` -> ``submit``), or "" when unknown."""
    from stillhouse.teachers.offline.tagging import lexicon

    word, entries = form.lower(), lexicon()
    if word == "has":
        return "have"
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in verb_bases() and (word in _PARTICIPLE_OF or word.endswith("eed")):
        return word  # ``ring`` and ``need`` only look like forms of another verb
    if word.endswith(("ed", "ing")):
        return _base_of_regular(word)
    if word.endswith("s") and word not in _NOT_PLURAL:
        found = [word[:-3] + "y"] if word.endswith("ies") else []
        if word.endswith(("ches", "shes", "sses", "xes", "zes", "oes")):
            found.append(word[:-2])
        found.append(word[:-1])
        return next((base for base in found if base in verb_bases()), "")
    return word if word in verb_bases() or entries.get(word) in ("VB", "VBP") else ""


def _base_of_regular(word: str) -> str:
    from stillhouse.teachers.offline.tagging import lexicon

    entries = lexicon()
    known = [base for base in _candidates(word) if base in entries]
    tagged = [base for base in known if entries[base] in ("VB", "VBP")]
    if tagged:
        return tagged[0]
    return (known or [""])[0]


def is_participle(word: str) -> bool:
    """Return whether a word can be a past participle."""
    low = word.lower()
    if low in _PARTICIPLES:
        return True
    return low.endswith("ed") and len(low) > 4 and base_of(low) not in ("", low)


def gerund(base: str) -> str:
    """Return the ``-ing`` form of a base verb, which may carry a particle (``hand in``)."""
    head, _, rest = base.partition(" ")
    if head.endswith("ie"):
        form = head[:-2] + "ying"
    elif head.endswith("e") and not head.endswith(("ee", "oe", "ye")) and head != "be":
        form = head[:-1] + "ing"
    elif _doubles(head):
        form = head + head[-1] + "ing"
    else:
        form = head + "ing"
    return f"{form} {rest}".strip()


_DOUBLING: Final = frozenset(
    list_words("submit refer begin permit commit admit forget prefer enrol transfer cancel swap")
)


def past_participle(base: str) -> str:
    """Return the past participle of a base verb (``submit`` -> ``submitted``)."""
    if base in _PARTICIPLE_OF:
        return _PARTICIPLE_OF[base]
    if base.endswith("e"):
        return base + "d"
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ied"
    return base + base[-1] + "ed" if _doubles(base) else base + "ed"


def third_person(base: str) -> str:
    """Return the form of a base verb after *he, she, it*."""
    return "has" if base == "have" else "is" if base == "be" else _add_s(base)


def _add_s(word: str) -> str:
    if word.endswith(("s", "x", "z", "ch", "sh")) or word in ("go", "do", "undergo"):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def plural(noun: str) -> str:
    """Return the plural of a singular noun; a plural comes back unchanged."""
    irregular = _PLURAL_OF.get(noun.lower())
    if irregular:
        return irregular
    return noun if is_plural(noun) else _add_s(noun)


def _doubles(word: str) -> bool:
    if word in _DOUBLING:
        return True
    vowels = "aeiou"
    return (
        len(word) in (3, 4)
        and word[-1] not in vowels + "wxyh"
        and word[-2] in vowels
        and word[-3] not in vowels
    )


def is_plural(noun: str) -> bool:
    """Return whether a noun looks plural."""
    word = noun.lower()
    if word in ("staff", "people", "children", "men", "women", "data", "criteria", "police"):
        return True
    return word.endswith("s") and not word.endswith(("ss", "us", "is")) and word not in _NOT_PLURAL


def singular(noun: str) -> str:
    """Return the singular of a noun; a noun that is singular already comes back unchanged."""
    word = noun.lower()
    if word in _IRREGULAR_PLURALS:
        return _IRREGULAR_PLURALS[word]
    if not is_plural(word):
        return noun
    if word.endswith("ies") and len(word) > 4:
        return noun[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return noun[:-2]
    return noun[:-1]


def article(phrase: str) -> str:
    """Return ``a`` or ``an`` for a phrase, by its first letters."""
    word = phrase.lower()
    if word.startswith(("uni", "use", "eu", "one")):
        return "a"
    return "an" if word[:1] in "aeiou" or word.startswith(("hour", "honest")) else "a"
