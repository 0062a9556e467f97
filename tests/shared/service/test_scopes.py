import pytest

from plaudit.service.scopes import needed_scope, scope_of


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/v1/tournament", "tournament"),
        ("/v1/discriminator/update", "discriminator"),
        ("/get_reward", "get_reward"),
        ("/api/v2/execute", "execute"),
        ("/", ""),
        ("//v1/tournament", ""),
        ("", ""),
    ],
)
def test_the_scope_is_the_verb_of_the_path(path: str, scope: str) -> None:
    assert scope_of(path) == scope


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("POST", "/v1/pairwise", "pairwise"),
        ("GET", "/v1/judges", None),
        ("POST", "/v1/judges", "judges"),
        ("GET", "/v1/verdicts", "verdicts"),
        ("PUT", "/v1/policy", "policy"),
        ("POST", "/v1/jobs", None),
        ("GET", "/v1/jobs/pairwise.k", None),
    ],
)
def test_all_but_lists_and_jobs_needs_its_scope(method: str, path: str, needed: str | None) -> None:
    assert needed_scope(method, path, {"judges"}) == needed
