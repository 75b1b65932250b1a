// Reads {"tables": {NAME: {COLUMN: TYPE}}, "queries": {NAME: TEXT}} and writes {NAME: {"faults": [TEXT], "columns": {...}}}: what
// Microsoft's parser finds wrong in a query, and the columns of its result.
const { readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");
const { runInThisContext } = require("node:vm");

// The package is made for browsers: its files are scripts that share their globals and are run in this order.
const folder = dirname(require.resolve("@kusto/language-service-next"));
for (const name of ["bridge.min.js", "Kusto.Language.Bridge.min.js", "Kusto.Language.Bridge.meta.min.js"]) {
  runInThisContext(readFileSync(join(folder, name), "utf8"), { filename: name });
}
const { GlobalState, KustoCode, Symbols } = globalThis.Kusto.Language;

const { tables, queries } = JSON.parse(readFileSync(0, "utf8"));
const symbols = Object.entries(tables).map(([name, columns]) => {
  const schema = Object.entries(columns).map(([column, type]) => `${column}: ${type}`);
  return Symbols.TableSymbol.From(`(${schema.join(", ")})`).WithName(name);
});
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor1("db", symbols));

const listed = (list) => Array.from({ length: list.Count }, (_, index) => list.getItem(index));

function parsed(text) {
  const code = KustoCode.ParseAndAnalyze(text, globals);
  const faults = listed(code.GetDiagnostics()).map(
    ({ Severity, Start, Message }) => `${Severity} in line ${text.slice(0, Start).split("\n").length}: ${Message}`,
  );
  const columns = code.ResultType?.Columns ? listed(code.ResultType.Columns) : [];
  return { faults, columns: Object.fromEntries(columns.map(({ Name, Type }) => [Name, Type.Name])) };
}

const results = Object.entries(queries).map(([name, text]) => [name, parsed(text)]);
process.stdout.write(JSON.stringify(Object.fromEntries(results)));
