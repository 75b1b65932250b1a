"""The words and digits of exports are those of the console, by its sources and by the program that formats there."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from delivery.exports import words
from delivery.exports.digits import (
    NONE,
    amount,
    count,
    day,
    money,
    money_with_code,
    month,
    percent,
    quantity,
    ratio,
    signed_percent,
)

CONSOLE = Path(__file__).parents[3] / "console" / "src"
ESBUILD = CONSOLE.parent / "node_modules" / ".bin" / "esbuild"
NUMBERS = [
    *(0, 1, -1, 0.005, -0.005, 0.0049999, 1.005, -1.005, 0.00285, 0.12345, -0.0001, -0.00049, 2.675, 999.995, -999.995),
    *(999.99, 1000, -1000.5, 1234.5, 1_000_000, 123_456_789.987, 1e-9, 0.1234565, 1e21, 5e-324),
]
CURRENCIES = ["USD", "EUR", "GBP", "JPY", "CHF", "CAD", "INR", "KWD", "XOF", "XYZ", "GBX", "GBp", "ZAc"]
FORMATS = f"""
const NUMBERS = {json.dumps(NUMBERS)}, CURRENCIES = {json.dumps(CURRENCIES)};
const found = NUMBERS.map((n) => [percent(n, 0), percent(n), percent(n, 2), signedPercent(n), count(n), ratio(n),
  quantity(n), amount(n), ...CURRENCIES.flatMap((c) => [money(n, c), money(n, c, "exceptZero"), moneyWithCode(n, c)])]);
console.log(JSON.stringify([found, date("2026-11-07"), monthName("2026-11"), [percent(null), money(null, "USD")]]));
"""


def words_in(source: str, name: str) -> dict[str, str]:
    """Return the words of a table of the console; of entries with several words the label."""
    (table,) = re.findall(rf"const {name}\b[^=]*= \{{(.*?)\n?\}};", (CONSOLE / source).read_text(), re.DOTALL)
    table = re.sub(r"//.*", "", table)
    found = re.findall(r'"?([\w.-]+)"?:\s*(?:\{[^}]*?label:\s*)?"([^"]*)"', table)
    return {key: text for key, text in found if key not in {"label", "todo", "tone"}}


@pytest.mark.parametrize(
    ("source", "name", "ours"),
    [
        ("words/reports.ts", "RULES", words.RULES),
        ("words/reports.ts", "SCENARIOS", words.SCENARIOS),
        ("words/reports.ts", "REASONS", words.REASONS),
        ("words/reports.ts", "UNPRICED", words.UNPRICED),
        ("words/reports.ts", "CHECK_STATUS", words.CHECK_STATUS),
        ("words/reports.ts", "REPORT_STATUS", words.REPORT_STATUS),
        ("pages/portfolio-advice.tsx", "ACTIONS", words.ACTIONS),
        ("pages/portfolio-advice.tsx", "SKIPPED", words.SKIPPED),
        ("words/money.ts", "PERIODS", words.PERIODS),
        ("words/money.ts", "ISSUES", words.ISSUES),
    ],
)
def test_words_are_those_of_the_console(source: str, name: str, ours: dict[str, str]) -> None:
    assert ours == words_in(source, name)


@pytest.mark.parametrize(
    ("source", "labels"),
    [
        (
            "pages/portfolio-summary.tsx",
            ["Total value", "Holdings", "Cash", "Day change", "Unrealized gain", "Backtest, a year"],
        ),
        ("words/reports.ts", ["Annual volatility", "Value at risk, 95%", "Expected shortfall, 95%", "Sharpe ratio"]),
        ("pages/money-periods.tsx", ["Time-weighted", "Paid in, less paid out", "Not explained", "Largest drawdown"]),
        ("pages/money-income.tsx", ["Last twelve months", "Next twelve months", "Yield on value", "Yield on cost"]),
    ],
)
def test_labels_of_figures_are_in_the_console(source: str, labels: list[str]) -> None:
    text = (CONSOLE / source).read_text()
    exported = "".join(path.read_text() for path in Path(words.__file__).parent.glob("*_sections.py"))
    assert [label for label in labels if f'"{label}"' not in text or f'"{label}"' not in exported] == []


@pytest.mark.skipif(not ESBUILD.exists(), reason="the packages of the console are not installed")
def test_digits_are_those_of_the_consoles_own_code(tmp_path: Path) -> None:
    # The console formats for the reader's locale, which is American English here.
    source = (CONSOLE / "format.ts").read_text().replace("Format(undefined,", 'Format("en-US",')
    program = tmp_path / "format.ts"
    program.write_text(source + FORMATS)
    script = subprocess.run([ESBUILD, program], capture_output=True, text=True, check=True).stdout
    node = shutil.which("node")
    assert node is not None
    command = [node, "--input-type=module", "-e", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ours = [
        [
            percent(number, 0), percent(number), percent(number, 2), signed_percent(number), count(number),
            ratio(number), quantity(number), amount(number),
            *(
                text
                for code in CURRENCIES
                for text in (money(number, code), money(number, code, signed=True), money_with_code(number, code))
            ),
        ]
        for number in NUMBERS
    ]  # fmt: skip
    theirs = json.loads(done.stdout)
    assert theirs == [ours, day("2026-11-07"), month("2026-11"), [percent(None), money(None, "USD")]]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (money(1234.5, "USD"), "$1,235"),
        (money(-5, "CHF"), "-CHF\u00a05.00"),
        (money(0.0001, "EUR", signed=True), "€0.00"),
        (money(7, "GBp"), "7.00\u00a0GBp"),
        (percent(-0.0001), "-0.0%"),
        (signed_percent(0.05), "+5.0%"),
        (ratio(1.005), "1.01"),
        (quantity(10.0), "10"),
        (day(None), NONE),
        (day("no day"), "no day"),
    ],
)
def test_digits_of_the_console(shown: str, expected: str) -> None:
    assert shown == expected
