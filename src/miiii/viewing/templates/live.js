"use strict";

// Ask the server every few seconds for the page's version. If it differs, reload the page and
// restore the open sections, the chosen values and the scroll position.
(() => {
  const SECONDS = 2;
  const shown = document.currentScript.dataset.version;
  const memory = `live:${location.pathname}`;
  const sections = () => [...document.querySelectorAll("details")];
  const controls = () => [...document.querySelectorAll("select, input")];

  const remember = () => sessionStorage.setItem(memory, JSON.stringify({
    scroll: [scrollX, scrollY],
    open: sections().map((one, index) => [one.id || index, one.open]),
    chosen: controls().map((one) => (one.type === "radio" ? one.checked : one.value)),
    focus: document.activeElement?.id ?? "",
  }));

  const putBack = async () => {
    const before = JSON.parse(sessionStorage.getItem(memory) ?? "null");
    sessionStorage.removeItem(memory);
    if (!before) return;
    const open = new Map(before.open);
    sections().forEach((one, index) => { one.open = open.get(one.id || index) ?? one.open; });
    const now = controls();
    if (now.length === before.chosen.length) {
      for (const [index, one] of now.entries()) {
        const value = before.chosen[index];
        if (one.type === "radio") one.checked = value;
        else if (one.value !== value) {
          // Choosing a run in a list sets the slider behind it; wait until that is done.
          if (one.type === "range") await new Promise((done) => setTimeout(done, 300));
          one.value = value;
          one.dispatchEvent(new Event(one.matches("select") ? "change" : "input", { bubbles: true }));
        }
      }
    }
    if (before.focus) document.getElementById(before.focus)?.focus({ preventScroll: true });
    scrollTo(...before.scroll);
  };

  let asking = false;
  const ask = async () => {
    if (document.hidden || asking) return;
    asking = true;
    try {
      const answer = await fetch(new URL("version", location.href), { cache: "no-store" });
      if (!answer.ok || (await answer.text()) === shown) return;
      remember();
      location.reload();
    } catch {
      // The server has ended; the page stays as it is.
    } finally {
      asking = false;
    }
  };

  history.scrollRestoration = "manual";
  addEventListener("load", () => {
    putBack();
    setInterval(ask, 1000 * SECONDS);
  });
})();
