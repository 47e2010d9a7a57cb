"""`htmengine status`: whether the services run, and what waits for them."""

from htmengine.cli.options import ConfigOption, DataOption, JsonOption


def status(json: JsonOption = False, data: DataOption = None, config: ConfigOption = None) -> None:
    """Show whether the services run, and what waits for them."""
    from htmengine.admin.health import health_of
    from htmengine.cli.session import installation, print_json
    from htmengine.cli.status import print_health

    with installation(config, data) as context:
        health = health_of(context)
    if json:
        print_json(health.document())
    else:
        print_health(health)
