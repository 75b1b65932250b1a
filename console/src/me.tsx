/** The entry point of the page for persons. */

import { render } from "preact";
import { OwnPage } from "./pages/own";
import { startTheme } from "./ui/theme";
import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/parts.css";
import "./styles/pages.css";

startTheme();
const root = document.getElementById("app");
if (root) {
  render(<OwnPage />, root);
}
