"""Who may call whom: the edges of docs/architecture.md, and no other."""

from typing import Any

from .chart import Object, component_of, named, needs_helm, objects, of_kind

pytestmark = needs_helm
EDGES = {
    ("rollout-api", "redis", 6379),
    ("rollout-engine", "redis", 6379),
    ("reward-api", "redis", 6379),
    ("reward-rules", "redis", 6379),
    ("reward-code", "redis", 6379),
    ("reward-code", "sandbox", 8104),
    ("judge-api", "redis", 6379),
    ("judge-api", "rollout-api", 8101),
    ("judge-api", "rollout-engine", 8201),
    ("judge-api", "reward-api", 8102),
    ("judge-self", "redis", 6379),
    ("judge-self", "rollout-api", 8101),
    ("judge-self", "rollout-engine", 8201),
    ("judge-self", "reward-api", 8102),
    ("conductor", "redis", 6379),
    ("conductor", "rollout-api", 8101),
    ("conductor", "reward-api", 8102),
    ("conductor", "judge-api", 8103),
    ("learner", "redis", 6379),
    ("learner", "rollout-api", 8101),
    ("test", "reward-api", 8102),
    ("test", "judge-api", 8103),
}
DNS = {53}


def policies(shape: str) -> dict[str, Object]:
    found = of_kind(objects(shape), "NetworkPolicy")
    return {component_of(item): item["spec"] for item in found if component_of(item) != "deny"}


def edges(shape: str, direction: str) -> set[tuple[str, str, int]]:
    """(caller, called, port) as one side of the policies says it."""
    side = {"egress": "to", "ingress": "from"}[direction]
    found = set()
    for own, spec in policies(shape).items():
        for rule in spec[direction]:
            for peer in rule.get(side, []):
                other = peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
                for port in rule["ports"]:
                    pair = (own, other) if direction == "egress" else (other, own)
                    found.add((*pair, port["port"]))
    return found


def test_the_edges_are_those_of_the_design() -> None:
    assert edges("cpu-demo", "egress") == EDGES


def test_whoever_is_called_lets_the_caller_in() -> None:
    assert edges("cpu-demo", "ingress") == edges("cpu-demo", "egress")


def test_the_sandbox_reaches_nothing_not_even_names() -> None:
    for shape in ("cpu-demo", "many-gpu-nodes", "everything-on"):
        assert policies(shape)["sandbox"]["egress"] == []
        callers = {caller for caller, called, _ in sandbox_callers(shape)}
        assert callers == {"reward-code"}


def sandbox_callers(shape: str) -> set[tuple[str, str, int]]:
    (rule, *scrapers) = policies(shape)["sandbox"]["ingress"]
    (peer,) = rule["from"]
    assert all("namespaceSelector" in other for s in scrapers for other in s["from"])
    component = peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
    return {(component, "sandbox", rule["ports"][0]["port"])}


def test_only_who_asked_for_it_reaches_the_internet() -> None:
    reach = {name for name, spec in policies("many-gpu-nodes").items() if leaves(spec["egress"])}
    # The model comes from a hub, and one judge is somebody else's.
    assert reach == {"rollout-engine", "conductor", "learner", "judge-claude"}
    assert not any(leaves(spec["egress"]) for spec in policies("cpu-demo").values())


def leaves(egress: list[dict[str, Any]]) -> bool:
    return any("ipBlock" in peer for rule in egress for peer in rule.get("to", []))


def test_private_networks_are_no_internet() -> None:
    """Least of all the address where clouds hand out credentials."""
    egress = named(objects("many-gpu-nodes"), "NetworkPolicy", "judge-claude")["spec"]["egress"]
    (rule,) = [rule for rule in egress if leaves([rule])]
    assert "169.254.0.0/16" in rule["to"][0]["ipBlock"]["except"]
    assert [port["port"] for port in rule["ports"]] == [443]


def test_another_redis_is_reached_by_its_port_only() -> None:
    egress = policies("external-redis")["reward-rules"]["egress"]
    anywhere = {port["port"] for rule in egress if "to" not in rule for port in rule["ports"]}
    assert anywhere == {6380} | DNS


def test_spans_go_to_the_collector_from_all_but_the_sandbox() -> None:
    found = objects("everything-on")
    sends = {
        component_of(item)
        for item in of_kind(found, "ConfigMap")
        if "PLAUDIT_OTLP_ENDPOINT" in item["data"]
    }
    may = {name for name, spec in policies("everything-on").items() if 4318 in called_ports(spec)}
    assert may == sends
    assert "sandbox" not in sends and "learner" in sends


def called_ports(spec: Object) -> set[int]:
    return {port["port"] for rule in spec["egress"] for port in rule.get("ports", [])}


def test_policies_can_be_left_to_others() -> None:
    found = objects("cpu-demo", "--set", "networkPolicy.enabled=false")
    assert not of_kind(found, "NetworkPolicy")
