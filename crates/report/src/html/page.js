"use strict";
(() => {
  const table = document.getElementById("table");
  if (!table) return;
  const { findings, layers, severities } = JSON.parse(document.getElementById("data").textContent);
  const form = document.getElementById("filters");
  const body = table.tBodies[0];
  const shown = document.getElementById("shown");
  const more = document.getElementById("more");
  const PAGE = 100;
  let limit = PAGE, sort = "rank", falling = false, matching = [];

  for (const it of findings) {
    it.words = [it.id, ...it.aliases, it.package, it.version, it.type, it.location, it.summary, it.suppressed || ""].join("\n").toLowerCase();
  }

  const element = (name, attributes = {}, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value);
    }
    // Text alone: nothing of an image is ever read as HTML.
    node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return node;
  };
  const link = (url, text) => element("a", { href: url, rel: "noopener noreferrer", target: "_blank" }, text || url);

  const keys = {
    rank: (it) => it.rank,
    id: (it) => it.id,
    severity: (it) => severities.indexOf(it.severity) * 100 - (it.score || 0),
    package: (it) => it.package + " " + it.version,
    upgrade: (it) => it.upgrade || it.fixed.join(" ") || "\uffff",
    layer: (it) => (it.layer === undefined ? 1e9 : it.layer),
    epss: (it) => -(it.epss === undefined ? -1 : it.epss),
  };
  const order = new Intl.Collator("en", { numeric: true });
  const compare = (a, b) => {
    const [x, y] = [keys[sort](a), keys[sort](b)];
    const by = typeof x === "number" ? x - y : order.compare(x, y);
    return (falling ? -by : by) || a.rank - b.rank;
  };

  const filter = () => {
    const asked = new FormData(form);
    const words = asked.get("text").toLowerCase().split(/\s+/).filter(Boolean);
    const levels = new Set(asked.getAll("severity"));
    const [layer, type] = [asked.get("layer"), asked.get("type")];
    matching = findings.filter((it) =>
      levels.has(it.severity) &&
      (layer === "" || String(it.layer) === layer) &&
      (type === "" || it.type === type) &&
      (!asked.has("fixable") || it.upgrade || it.fixed.length > 0) &&
      (!asked.has("exploited") || it.kev) &&
      (!asked.has("fails") || it.fails) &&
      (!asked.has("new") || it.new) &&
      (asked.has("suppressed") || !it.suppressed) &&
      words.every((word) => it.words.includes(word)));
    matching.sort(compare);
    for (const button of document.querySelectorAll("[data-layer]")) {
      button.setAttribute("aria-pressed", String(layer !== "" && button.dataset.layer === layer));
    }
    for (const button of document.querySelectorAll("[data-filter]")) {
      const one = button.dataset.filter;
      const only = levels.size === 1 && levels.has(one);
      button.setAttribute("aria-pressed", String(severities.includes(one) ? only : asked.has(one)));
    }
  };

  const draw = () => {
    const rows = matching.slice(0, limit).map(row);
    body.replaceChildren(...rows);
    const all = findings.filter((it) => !it.suppressed).length;
    const number = Math.min(limit, matching.length);
    shown.textContent = matching.length === 0
      ? "No finding matches these filters; " + all + " in all."
      : "Showing " + number + " of " + matching.length + " matching findings; " + all + " in all.";
    more.hidden = matching.length <= limit;
    more.textContent = "Show " + Math.min(matching.length - limit, PAGE * 5) + " more";
  };
  const update = () => { limit = PAGE; filter(); draw(); };

  const row = (it) => {
    const button = element("button", { type: "button", class: "id", "aria-expanded": "false" }, it.id);
    const tags = [];
    const tag = (text, kind = "") => tags.push(" ", element("span", { class: "tag " + kind }, text));
    if (it.kev) tag("exploited", "alert");
    if (it.fails) tag("fails the gate");
    if (it.new) tag("new");
    if (it.suppressed) tag("suppressed");
    const fix = it.upgrade || it.fixed.join(", ") || it.fix;
    const line = element("tr", { class: it.suppressed ? "row suppressed" : "row" },
      element("td", { class: "number", "data-label": "Risk" }, String(it.rank)),
      element("td", {}, button, ...tags, element("span", { class: "summary" }, it.summary)),
      element("td", { "data-label": "Severity" }, element("span", { class: "severity " + it.severity }, it.severity), it.score === undefined ? "" : " " + it.score.toFixed(1)),
      element("td", { "data-label": "Package" }, element("span", { class: "code" }, it.package), " " + it.version),
      element("td", { "data-label": "Fix" }, fix),
      element("td", { class: "number", "data-label": "Layer" }, it.layer === undefined ? "" : String(it.layer + 1)),
      element("td", { class: "number", "data-label": "EPSS" }, it.epss === undefined ? "" : it.epss.toFixed(2)));
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!open));
      if (open) line.nextElementSibling.remove();
      else line.after(element("tr", { class: "more" }, element("td", { colspan: 7 }, details(it))));
    });
    return line;
  };

  const details = (it) => {
    const list = element("dl");
    const say = (name, ...values) => {
      if (values.some((value) => value !== "" && value !== undefined)) list.append(element("dt", {}, name), element("dd", {}, ...values));
    };
    const lines = (values) => values.flatMap((value, index) => (index ? [element("br"), value] : [value]));
    const layer = layers[it.layer];
    say("Suppressed", it.suppressed);
    say("Also known as", it.aliases.filter((alias) => alias !== it.id).join(", "));
    say("Rated by", [it.by, it.vector].filter(Boolean).join(" · "));
    say("Fix", it.fix);
    say("Fixed in", it.fixed.join(", "));
    if (it.kev) say("Exploited", "in CISA's catalogue" + (it.kev.added ? " since " + it.kev.added : "") + (it.kev.due ? ", due " + it.kev.due : "") + (it.kev.ransomware ? ", used by ransomware" : ""));
    if (it.epss !== undefined) say("EPSS", it.epss_text);
    say("Found in", element("span", { class: "code" }, "/" + it.location));
    if (layer) say("Brought by", "layer " + (it.layer + 1) + (layer.base ? " (base image) " : " "), element("span", { class: "code" }, layer.created_by || layer.diff_id));
    say("Why", ...lines(it.matches));
    say("Package", element("span", { class: "code" }, it.purl));
    say("Weakness", it.cwes.join(", "));
    say("Published", it.published);
    say("Advisories", ...lines(it.advisories.map((one) => (one.url ? link(one.url, one.id) : one.id))));
    say("References", ...lines(it.references.map((url) => link(url))));
    return list;
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", update);
  form.addEventListener("reset", () => setTimeout(update));
  more.addEventListener("click", () => { limit += PAGE * 5; draw(); });
  for (const button of table.tHead.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      falling = sort === button.dataset.sort && !falling;
      sort = button.dataset.sort;
      for (const head of table.tHead.querySelectorAll("th")) head.removeAttribute("aria-sort");
      button.closest("th").setAttribute("aria-sort", falling ? "descending" : "ascending");
      update();
    });
  }
  for (const button of document.querySelectorAll("[data-layer]")) {
    button.addEventListener("click", () => {
      form.elements.layer.value = button.getAttribute("aria-pressed") === "true" ? "" : button.dataset.layer;
      update();
    });
  }
  for (const button of document.querySelectorAll("[data-filter]")) {
    button.addEventListener("click", () => {
      const one = button.dataset.filter;
      const pressed = button.getAttribute("aria-pressed") === "true";
      if (severities.includes(one)) {
        for (const box of form.querySelectorAll("[name=severity]")) box.checked = pressed || box.value === one;
      } else {
        form.elements[one].checked = !pressed;
      }
      update();
    });
  }
  // On paper there is no button for more.
  addEventListener("beforeprint", () => { limit = Infinity; draw(); });
  addEventListener("afterprint", () => { limit = PAGE; draw(); });
  update();
})();
