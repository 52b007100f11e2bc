// Shows the results of a search while its query is typed. Every page works without this script.
"use strict";

// On a narrow screen the facets begin closed.
const foldFacets = () => {
  if (!window.matchMedia("(max-width: 46rem)").matches) return;
  for (const fold of document.querySelectorAll(".facets > details")) fold.open = false;
};
foldFacets();

// Where the service keeps feedback: what was shown for a while, and what was clicked. Results that typing replaces do not count.
const SHOWN_MS = 2000;
let shownLater = 0;

const keep = (list, events) => {
  if (events.length === 0) return;
  fetch(list.dataset.feedback, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: list.dataset.query, events }),
    keepalive: true, // the page may be left meanwhile
  }).catch(() => {});
};

const eventOf = (hit, event) => ({ key: hit.dataset.key, event, position: hit.value });

const keepShown = (list) => {
  clearTimeout(shownLater);
  if (list.dataset.isKept) return;
  list.dataset.isKept = "yes";
  keep(list, [...list.querySelectorAll("[data-key]")].map((hit) => eventOf(hit, "impression")));
};

const watchShown = () => {
  clearTimeout(shownLater);
  const list = document.querySelector("[data-feedback]");
  if (list) shownLater = setTimeout(() => keepShown(list), SHOWN_MS);
};
watchShown();

const keepClick = (event) => {
  const hit = event.target.closest("[data-key]");
  const list = event.target.closest("[data-feedback]");
  if (event.button > 1 || !hit || !list || !event.target.closest("h2 a")) return;
  keepShown(list);
  keep(list, [eventOf(hit, "click")]);
};
document.addEventListener("click", keepClick);
document.addEventListener("auxclick", keepClick); // the middle button opens another tab

for (const form of document.querySelectorAll("form[data-results]")) {
  const results = document.getElementById(form.dataset.results);
  const status = document.getElementById(form.dataset.status);
  let timer = 0;
  let running = null;

  const addressOf = () => {
    const given = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (value.trim() !== "") given.append(name, value);
    }
    const query = given.toString();
    return form.action + (query ? `?${query}` : "");
  };

  const show = async () => {
    if (running) running.abort();
    running = new AbortController();
    const address = addressOf();
    const fragment = `${address}${address.includes("?") ? "&" : "?"}fragment=1`;
    try {
      results.setAttribute("aria-busy", "true");
      const answer = await fetch(fragment, { signal: running.signal });
      results.innerHTML = await answer.text();
      foldFacets();
      watchShown();
      history.replaceState(null, "", address);
      results.removeAttribute("aria-busy");
      status.textContent = results.querySelector(".problem, .range")?.textContent.trim() ?? "";
    } catch (error) {
      if (error.name === "AbortError") return; // a later one runs
      results.removeAttribute("aria-busy");
      status.textContent = "The service gave no answer.";
    }
  };

  form.addEventListener("input", (event) => {
    if (!event.target.matches("[data-live]")) return;
    clearTimeout(timer);
    timer = setTimeout(show, event.target.tagName === "SELECT" ? 0 : 250);
  });
  form.addEventListener("submit", () => clearTimeout(timer));
}

// "/" moves to the query, as on many search pages.
document.addEventListener("keydown", (event) => {
  const query = document.querySelector("input[type=search]");
  if (event.key !== "/" || !query || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea, [contenteditable]")) return;
  event.preventDefault();
  query.focus();
  query.select();
});
