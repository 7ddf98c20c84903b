import { createRoot } from "react-dom/client";
import { App } from "./app";
import "./style.css";

// The server was renewed while this page was open: its parts have other names now.
window.addEventListener("vite:preloadError", () => location.reload());

createRoot(document.getElementById("root")!).render(<App />);
