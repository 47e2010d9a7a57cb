"""`htmengine rebalance`: share the shards among the schedulers that run."""

from htmengine.cli.options import ConfigOption, DataOption, JsonOption


def rebalance(json: JsonOption = False, data: DataOption = None, config: ConfigOption = None) -> None:
    """Give each scheduler and anomaly service its share of shards.

    Needed on RabbitMQ before version 4, after one more was started; the embedded bus, and RabbitMQ from version 4 on,
    do it by themselves. What a service is working on, it finishes. Shows how many queues each gets.
    """
    from htmengine.cli.session import installation, print_json, print_table
    from htmengine.cli.terminal import echo_stderr

    with installation(config, data) as context:
        shares = context.bus.rebalance()
    if json:
        print_json(shares)
    elif shares:
        print_table(("Node", "Queues"), list(shares.items()))
    else:
        echo_stderr("Nothing to do: no service shares its queues with another, or the bus sees to it.")
