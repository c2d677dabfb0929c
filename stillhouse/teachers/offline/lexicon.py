"""Closed word classes of English, and the small tables of general synonyms that questions use."""

from typing import Final


def list_words(text: str) -> list[str]:
    """Return the words of a text: a word list is easier to read as running text."""
    return text.split()


MODALS: Final = frozenset(list_words("must may can could should shall will would might cannot"))
BE: Final = frozenset(["is", "are", "was", "were"])
HAVE: Final = frozenset(["has", "have", "had"])
DO: Final = frozenset(["do", "does", "did"])
DETERMINERS: Final = frozenset(
    list_words(
        "the a an each every any all no some this that these those both either neither another such "
        "my your his her its our their most many few several"
    )
)
PREPOSITIONS: Final = frozenset(
    list_words(
        "of in on at by for from to with within without until till before after during above below "
        "over under between among through against about across along around behind beside beyond "
        "despite inside into near off onto outside past per since toward towards upon via "
        "throughout except unlike regarding concerning besides beneath aboard"
    )
)
SUBORDINATORS: Final = frozenset(
    list_words(
        "if when whenever where wherever because unless while although though once whether since "
        "whereas until before after as provided so who whom which that what whose how why"
    )
)
RELATIVES: Final = frozenset(["who", "whom", "which", "that", "whose"])
PRONOUNS: Final = frozenset(
    list_words(
        "it they he she this these those them him her itself themselves one ones another others "
        "either neither both such here"
    )
)
PARTICLES: Final = frozenset(list_words("in out up off over back down away on"))
ADVERBS: Final = frozenset(
    list_words(
        "not never always usually normally only also still already then now often seldom rarely "
        "generally automatically immediately fully first either both yet just even too again"
    )
)

MONTHS: Final = frozenset(
    list_words(
        "january february march april may june july august september october november december"
    )
)
WEEKDAYS: Final = frozenset(list_words("monday tuesday wednesday thursday friday saturday sunday"))
DURATIONS: Final = frozenset(
    list_words(
        "second minute hour day night week fortnight month quarter year decade term semester"
    )
)
DURATION_ADJECTIVES: Final = frozenset(
    list_words(
        "working business calendar consecutive full further whole additional extra more clear"
    )
)
NUMBER_WORDS: Final = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30,
    "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90,
}  # fmt: skip
ORDINALS: Final = frozenset(
    list_words(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth last"
    )
)
ID_NOUNS: Final = frozenset(
    list_words(
        "tier option figure table part volume model stage extension room form channel port level "
        "grade section version issue gate bay floor page step class category type zone number "
        "document chapter appendix line desk phase article rule policy"
    )
)
PLACE_NOUNS: Final = frozenset(
    list_words(
        "room yard hall street building house office park floor gate centre center site campus wing "
        "lobby library car-park garage store depot workshop laboratory lab station harbour road "
        "lane square tower annexe court terrace cabinet cupboard"
    )
)

GENERIC_PEOPLE: Final = frozenset(
    list_words(
        "staff employees employee people person everyone everybody anyone anybody someone somebody "
        "colleagues colleague you member members user users worker workers"
    )
)
PEOPLE: Final = GENERIC_PEOPLE | frozenset(
    list_words(
        "manager managers driver drivers engineer engineers apprentice apprentices visitor visitors "
        "contractor contractors student students trainee trainees teacher teachers customer "
        "customers applicant applicants candidate candidates maintainer maintainers developer "
        "developers volunteer volunteers supervisor supervisors director directors head heads host "
        "hosts guest guests parent parents mother mothers father fathers tenant tenants patient "
        "patients nurse nurses doctor doctors reviewer reviewers author authors participant "
        "participants passenger passengers resident residents technician technicians operator "
        "operators adviser advisers owner owners officer officers assistant "
        "assistants leader leaders client clients supplier suppliers beginner beginners starter "
        "starters graduate graduates intern interns clerk clerks inspector inspectors installer "
        "installers adult adults child children pupil pupils subscriber subscribers administrator "
        "administrators"
    )
)

# What a reader of a rule book does oneself: only these passives are turned into "do I …".
READER_ACTS: Final = frozenset(
    list_words(
        "report submit book request enter return hand announce claim apply register buy order sign "
        "fill cancel reach contact reserve declare"
    )
)

VERB_SYNONYMS: Final = {
    "receive": ("get",), "submit": ("hand in", "send in"),
    "buy": ("purchase",), "begin": ("start",), "start": ("begin",), "end": ("finish",),
    "keep": ("store", "retain"), "complete": ("finish",), "require": ("need",),
    "delete": ("erase",), "book": ("reserve",), "purchase": ("buy",), "obtain": ("get",),
    "inform": ("tell",), "notify": ("tell",), "replace": ("exchange", "swap"),
    "inspect": ("check", "examine"), "retain": ("keep",), "store": ("keep",),
    "request": ("ask for",), "return": ("give back", "bring back"), "contain": ("hold",),
    "provide": ("give",),
    "commence": ("begin",), "finish": ("complete",), "check": ("inspect",), "issue": ("give out",),
    "close": ("shut",), "test": ("check",), "shut": ("close",), "erase": ("delete",),
    "permit": ("allow",), "allow": ("permit",),
}  # fmt: skip
NOUN_SYNONYMS: Final = {
    "entitlement": "allowance", "employees": "staff", "extra": "additional", "staff": "employees",
    "deadline": "time limit", "maximum": "highest", "minimum": "lowest", "highest": "maximum",
    "lowest": "minimum", "largest": "biggest", "approximately": "about",
    "refund": "reimbursement", "telephone": "phone",
    "additional": "extra", "identifier": "ID", "annual": "yearly", "commencement": "start",
}  # fmt: skip
PAY_NOUNS: Final = frozenset(list_words("fee price cost charge fare rent deposit"))
GAIN_NOUNS: Final = frozenset(
    list_words("grant allowance payment bonus award compensation subsidy reward prize")
)

UP_TO: Final = (
    ("at", "most"), ("up", "to"), ("no", "more", "than"), ("not", "more", "than"),
    ("a", "maximum", "of"), ("no", "longer", "than"), ("no", "later", "than"),
    ("not", "later", "than"), ("as", "many", "as"), ("no", "fewer", "than"),
    ("no", "less", "than"), ("not", "less", "than"),
)  # fmt: skip
AT_LEAST: Final = (("at", "least"), ("a", "minimum", "of"))
VAGUE: Final = (("about",), ("around",), ("approximately",), ("roughly",), ("exactly",), ("only",))
THRESHOLDS: Final = (
    ("more", "than"), ("less", "than"), ("fewer", "than"), ("longer", "than"), ("higher", "than"),
    ("lower", "than"), ("greater", "than"), ("older", "than"), ("younger", "than"),
    ("later", "than"), ("heavier", "than"), ("larger", "than"), ("smaller", "than"),
)  # fmt: skip

STOP: Final = frozenset(
    list_words(
        "the a an of in on at by for from to with is are was were be been being must may can could "
        "should shall will would might has have had do does did not and or but if when that which "
        "who whom whose it its they their them this these those as so than then there each every "
        "any all what how many much long soon often within before after until per i my we our you "
        "your me us least most up no one about into also only which where get have tell know please "
        "say far"
    )
)

PHRASAL: Final = frozenset(
    tuple(pair.split())
    for pair in [
        "fill in",
        "hand in",
        "carry over",
        "set up",
        "log in",
        "sign up",
        "check in",
        "put back",
        "send in",
        "give back",
        "bring back",
        "switch off",
        "switch on",
        "turn off",
        "turn on",
        "hand over",
        "pass on",
        "put on",
        "take off",
        "look after",
        "deal with",
        "pay for",
        "call off",
        "write down",
        "carry out",
        "break off",
        "set out",
        "take over",
        "hand out",
        "give out",
        "sign off",
        "sign out",
        "fill out",
        "call in",
        "ring up",
        "go through",
        "clear away",
        "put away",
        "lock up",
        "lock away",
        "send back",
        "pay back",
        "pay out",
        "roll over",
        "make up",
        "run out",
        "consist of",
        "depend on",
        "belong to",
        "apply to",
        "refer to",
        "lead to",
    ]
)
