"""What is shown: tables, and what is to be known about them."""

import json
from collections.abc import Iterator

from .arguments import Format
from .names import BROKER4, CONSUME, PUBLISH, Environment, Work
from .ratios import Ratio
from .results import EnvironmentResult, Result, Row

# Title, headings and rows; the first column is text, the others are numbers.
Table = tuple[str, list[str], list[list[str]]]


def show(result: Result, how: Format) -> None:
    """Prints the result."""
    if how == "json":
        print(json.dumps(result, indent=1))
        return
    for table in tables(result):
        if how == "markdown":
            print_markdown(table)
        else:
            print_text(table)
        print()
    for note in notes(result):
        print(note)


def tables(result: Result) -> Iterator[Table]:
    """One for each environment and kind of work, and the targets."""
    for environment in result["environments"]:
        for work in (CONSUME, PUBLISH):
            if any(row["work"] == work for row in environment["peers"]):
                yield peers_table(environment, work)
    if result["targets"]:
        body = [
            [f"{t['environment']}: {t['what']}", with_interval(t["ratio"]), t["bound"], t["verdict"]]
            for t in result["targets"]
        ]
        yield "targets", ["", "ratio", "wanted", ""], body


def peers_table(environment: EnvironmentResult, work: Work) -> Table:
    """The peers that do this work, beside the reference."""
    reference = "lapin in bursts" if work == CONSUME else "lapin"
    headings = ["", "logs/s", "CPU µs/log", "server µs/log", f"logs/s to {reference}", f"CPU to {reference}"]
    if environment["environment"] == BROKER4:
        headings[4:4] = ["server µs/log stored", "disk bytes/log"]
    rows = [line(row, environment["environment"]) for row in environment["peers"] if row["work"] == work]
    return f"{work}, {environment['environment']}", headings, rows


def line(row: Row, environment: Environment) -> list[str]:
    """A peer's cells."""
    stored = [row["stored_cpu_us_per_log"], row["stored_octets_per_log"]] if environment == BROKER4 else []
    return [
        row["title"],
        f"{row['logs_per_second']:,.0f}",
        f"{row['cpu_us_per_log']:.2f}",
        *("" if value is None else f"{value:.1f}" for value in [row["server_cpu_us_per_log"], *stored]),
        with_interval(row.get("rate_ratio")),
        with_interval(row.get("cpu_ratio")),
    ]


def with_interval(ratio: Ratio | None) -> str:
    """A ratio, if there is one."""
    if ratio is None:
        return ""
    low, middle, high = ratio
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def print_markdown(table: Table) -> None:
    """A table for a page."""
    title, headings, rows = table
    print(f"**{title}**\n")
    print("| " + " | ".join(headings) + " |")
    print("|---|" + "---:|" * (len(headings) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def print_text(table: Table) -> None:
    """A table for a terminal."""
    title, headings, rows = table
    print(title)
    widths = [max(map(len, column)) for column in zip(headings, *rows)]
    for row in [headings, *rows]:
        cells = [cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))]
        print("  " + "  ".join(cells).rstrip())


def notes(result: Result) -> list[str]:
    """What the tables are of, and how far they are to be trusted."""
    noise, here = result["noise"], result["machine"]
    intervals = "95 % intervals" if result["rounds"] >= 6 else "extremes (under 6 rounds there is no 95 % interval)"
    broker = f", RabbitMQ {here['rabbitmq']}" if here["rabbitmq"] else ""
    failures = [failure for environment in result["environments"] for failure in environment.get("failures", [])]
    return [
        *(f"Not in the tables, as it has failed: {failure}." for failure in failures),
        f"{here['processors']} x {here['processor']}{broker}; {result['rounds']} rounds; "
        f"medians, ratios with {intervals}.",
        f"Noise: other processes took {noise['others']:.0%} of the machine (at worst {noise['others_at_worst']:.0%}); "
        f"the middle half of a peer's runs spreads over {noise['spread_of_rate']:.0%} in logs/s and "
        f"{noise['spread_of_cpu']:.0%} in CPU." + (" This machine was not quiet." if noise["others"] > 0.1 else ""),
    ]
