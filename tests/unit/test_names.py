"""Names as keys: which spellings are one name, in every script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.names import LastName, are_first_names_similar, are_last_names_similar, last_name, name_key, name_words


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("José", "jose"),
        ("O’Brien", "obrien"),
        ("O´Brien", "obrien"),
        ("Kaʻahumanu", "kaahumanu"),
        ("García-López", "garcialopez"),
        ("Đặng", "dang"),
        ("Łukasz Żółty", "lukaszzolty"),
        ("Ørsted", "orsted"),
        ("Işıl", "isil"),
        ("Æsa Œuvre", "aesaoeuvre"),
        ("Guðrún Þórsdóttir", "gudrunthorsdottir"),
        ("Ħalli Ŋũgĩ", "hallingugi"),
        ("Weiß", "weiss"),
        ("WEIẞ", "weiss"),
        ("Ɓala Ɗan", "baladan"),
        ("Ａｎａ", "ana"),
        ("Сергей", "сергеи"),
        ("Μαρία", "μαρια"),
        ("--", ""),
        ("\u0301", ""),
    ],
)
def test_key_of_a_name_has_no_case_accents_strokes_and_punctuation(name: str, key: str) -> None:
    assert name_key(name) == key


@pytest.mark.parametrize(
    ("one", "other"),
    [("अनिल", "अनिला"), ("だいき", "たいき"), ("ﾀﾞｲｷ", "ﾀｲｷ"), ("مُحَمَّد", "محمد"), ("แม่", "แม"), ("ஆனந்த்", "ஆனந்த")],
)
def test_marks_of_other_scripts_tell_names_apart(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)
    assert name_key(one) != ""


@given(st.text(max_size=30))
def test_key_of_a_key_is_the_key_itself(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)
    assert name_key(name) == "".join(name_words(name))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("García-López Jr.", LastName(("garcia", "lopez"), "jr")),
        ("Hill, III", LastName(("hill",), "iii")),
        ("de la Cruz", LastName(("de", "la", "cruz"))),
        ("Sr", LastName(("sr",))),
    ],
)
def test_suffix_of_a_last_name_stands_apart(text: str, name: LastName) -> None:
    assert last_name(text) == name


@pytest.mark.parametrize(
    ("one", "other", "are_similar"),
    [
        ("Garcia Lopez", "Lopez", True),
        ("Reyes", "Marin Reyes", True),
        ("Cruz", "de la Cruz", True),
        ("Delacruz", "Cruz", True),
        ("Müller", "Mueller", True),
        ("de la Cruz", "de la Rosa", False),
        ("van der Berg", "van Dijk", False),
        ("Lin", "Wu Mei", False),
        ("Smith", "Jones", False),
    ],
)
def test_last_names_are_similar_if_one_may_be_a_part_or_a_spelling_of_the_other(
    one: str, other: str, are_similar: bool
) -> None:
    assert are_last_names_similar(name_words(one), name_words(other)) is are_similar
    assert are_last_names_similar(name_words(other), name_words(one)) is are_similar


@pytest.mark.parametrize(
    ("one", "other", "are_similar"),
    [
        ("Will", "William", True),
        ("Bob J", "Robert", True),
        ("J", "John", True),
        ("Mary Ann", "Ann", True),
        ("Jon", "John", True),
        ("Castor", "Pollux", False),
        ("Mary", "Rosa", False),
    ],
)
def test_first_names_are_similar_if_they_may_be_forms_of_one_name(one: str, other: str, are_similar: bool) -> None:
    assert are_first_names_similar(name_words(one), name_words(other)) is are_similar
    assert are_first_names_similar(name_words(other), name_words(one)) is are_similar
