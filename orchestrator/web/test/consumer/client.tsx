/** What the consumer's browser does: takes the page over. */
import { hydrateRoot } from "react-dom/client";
import { Page } from "./page";

const root = document.getElementById("root");
if (root !== null) hydrateRoot(root, <Page />);
