// Proposed families: a key presses the button that names it.
import { listen } from "./keys.js";

listen();
