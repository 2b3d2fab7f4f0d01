"use strict";
(() => {
  const controls = document.getElementById("controls");
  const findings = Array.from(document.querySelectorAll("details.finding[data-severity]"));
  if (!controls || findings.length === 0) return;
  const words = document.getElementById("words");
  const category = document.getElementById("category");
  const hot = document.getElementById("hot");
  const shown = document.getElementById("shown");
  const open = document.getElementById("open");
  const severities = Array.from(controls.querySelectorAll("input[name=severity]"));
  const texts = findings.map((each) => each.textContent.toLowerCase());

  const apply = () => {
    const wanted = new Set(severities.filter((each) => each.checked).map((each) => each.value));
    const terms = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    findings.forEach((each, number) => {
      const fits =
        wanted.has(each.dataset.severity) &&
        (category.value === "" || each.dataset.category === category.value) &&
        (!hot.checked || each.dataset.hot === "yes") &&
        terms.every((term) => texts[number].includes(term));
      each.hidden = !fits;
      if (fits) count += 1;
    });
    const all = findings.length === 1 ? shown.dataset.one : shown.dataset.all;
    const text = count === findings.length ? all : shown.dataset.some;
    shown.textContent = text.replace("%shown", String(count)).replace("%all", String(findings.length));
  };
  const openTarget = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") target.open = true;
  };

  controls.addEventListener("input", apply);
  open.addEventListener("click", () => {
    const closed = findings.some((each) => !each.hidden && !each.open);
    for (const each of findings) if (!each.hidden) each.open = closed;
  });
  window.addEventListener("hashchange", openTarget);
  controls.hidden = false;
  apply();
  openTarget();
})();
