"""Words that end in a full stop without ending a sentence.

Small on purpose: frequent abbreviations of English, German, Spanish, French and Russian. Keys are lower case,
without the last stop. Initials ("J.") and dotted forms ("U.S.", "z.B.") are recognised by their shape instead.
"""


def _words(listing: str) -> frozenset[str]:
    return frozenset(listing.split())


TITLES = _words(
    """
    mr mrs ms dr prof rev hon gen col capt maj lt sgt cmdr adm gov sen rep pres messrs
    hr fr dipl sra srta dra mme mlle
    """
)
"""A name must follow: never the last word of a sentence."""

JOINING = _words(
    """
    vs cf e.g i.e eg ie viz resp approx incl excl
    bzw ca z.b d.h evtl ggf sog vgl inkl zzgl geb
    ej см напр ул им
    """
)
"""Something must follow: never the last word of a sentence."""

NUMBERED = _words(
    """
    no nos nr fig figs eq eqs ref refs sec sect ch chap vol p pp art tab tbl app ex para
    abb bd kap s núm pág
    jan feb mar apr jun jul aug sep sept oct nov dec
    """
)
"""An abbreviation only where a number or a label follows: "No. 5" is one, "No. That is wrong." is none."""

OFTEN_INSIDE = _words(
    """
    al etc inc ltd co corp bros dept univ assn est jr sr esq st mt ft ave blvd rd sq
    m.sc b.sc
    usw gmbh str uds ud ee uu тыс млн млрд руб др г гг
    """
)
"""Stands inside a sentence or ends it: it ends it where a usual first word follows."""

FIRST_WORDS = _words(
    """
    the a an this that these those it its he she they we you i his her their our my there here
    in on at by for from with to as of and but or so yet if when while where after before since because although
    however then thus hence therefore moreover furthermore also finally meanwhile all some many most both each no not
    what who why how let suppose
    der die das den dem ein eine er sie es wir ich und aber doch wenn als dann so im am auf mit
    el la los las un una y pero cuando si en por con
    le les une il elle ils elles nous vous et mais dans
    он она они мы я это и но в на по с когда если
    """
)
"""Words that usually open a sentence when they stand capitalised after a stop."""

GERMAN_BEFORE_ORDINAL = ("am", "der", "die", "das", "den", "dem", "des", "im", "vom", "zum", "zur", "bis", "ab", "seit")

GERMAN_MONTHS = _words("januar februar märz april mai juni juli august september oktober november dezember")
