from tools.readme_keys import README, with_keys


def test_the_keys_in_the_readme_are_those_of_the_table_of_actions() -> None:
    text = README.read_text()
    assert with_keys(text) == text
