/** What the consumer's server does: renders the page. */
import { renderToString } from "react-dom/server";
import { Page } from "./page";

process.stdout.write(renderToString(<Page />).replaceAll("<!-- -->", ""));
