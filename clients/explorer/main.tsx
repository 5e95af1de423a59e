/**
 * The explorer: a daemon's history in a browser. Everything that it shows comes from the HTTP API of the daemon that served it.
 */
import { render } from "preact";
import { App } from "./shell/app.js";
import "uplot/dist/uPlot.min.css";
import "./style.css";

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
