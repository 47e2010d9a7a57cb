"""Fixed answers about rules for what comes in."""

from starlette.responses import JSONResponse

from htmengine.errors import ConfigError
from htmengine.runtime.metric_storer import monitor_rules, rule_words
from tests.page.problem import problem

PATH = "/etc/htmengine/monitor-rules.conf"
RULES = """\
# What is watched.
[old names]
regex = app\\.(.*)
rename = web.\\1

[shop]
pattern = shop.*
action = monitor

[hosts]
pattern = host.*
action = monitor
limit = 100
"""


def listed(rules, names):
    """Return rules as the API lists them."""
    found = []
    for rule in rules.rules:
        mine = sorted(name for name in names if rules.first(name) == rule)
        found.append(
            {
                "name": rule.name,
                "pattern": rule.text,
                "monitor": rule.monitor,
                "limit": rule.limit,
                "matches": len(mine),
                "examples": mine[:5],
                "action": rule.action,
                "says": "changes the name" if rule.change else rule_words.said(rule, "", ""),
                "line": rule.line,
            }
        )
    return found


class Answers:
    """What the server answers about these rules."""

    async def get_monitor_rules(self, request, *rest):
        rules = monitor_rules.parse(self.world.monitor_rules, PATH)
        if rest:
            return self._way(request.query_params, rules)
        body = {
            "rules": listed(rules, self.world.names),
            "default": None,
            "path": PATH if self.world.rules_editable else None,
            "editable": self.world.rules_editable,
            "text": self.world.monitor_rules,
            "fault": None,
        }
        return JSONResponse(body, headers={"ETag": f'"{hash(self.world.monitor_rules)}"'})

    @staticmethod
    def _way(params, rules):
        name = params["name"]
        way = rules.way_of_stored(name) if params.get("stored") else rules.way(name)
        steps, before = [], name
        for step in way.steps:
            says = rule_words.said(step.rule, before, step.name)
            steps.append(
                {"section": step.rule.name, "line": step.rule.line, "fits": step.rule.text, "says": says}
            )
            before = step.name
        return {
            "name": name,
            "stored": None if way.refusal else way.name,
            "action": way.decides.action if way.decides else None,
            "rules": steps,
            "outcome": rule_words.outcome(name, way, "monitor-rules.conf"),
        }

    async def put_monitor_rules(self, request):
        if request.headers.get("If-Match") != f'"{hash(self.world.monitor_rules)}"':
            return problem(412, "Somebody else changed them", "Read the rules again.")
        text = (await request.json())["text"]
        rules = self._parsed(text)
        if not isinstance(rules, monitor_rules.Rules):
            return rules
        self.world.monitor_rules = text
        return {}

    async def post_monitor_rules(self, request, *_rest):
        rules = self._parsed((await request.json())["text"])
        if not isinstance(rules, monitor_rules.Rules):
            return rules
        found = listed(rules, self.world.names)
        would = sum(one["matches"] for one in found if one["monitor"])
        return {
            "rules": found,
            "would_monitor": would,
            "would_leave": len(self.world.names) - would,
            "monitored": 188,
            "capacity": 31_000,
        }

    @staticmethod
    def _parsed(text):
        try:
            return monitor_rules.parse(text, PATH)
        except ConfigError as error:
            faults = [{"pointer": "/text", "detail": line} for line in str(error).splitlines()]
            return problem(400, "Bad request", str(error), faults)
