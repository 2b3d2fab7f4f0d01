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
    shown.textContent = count === findings.length ? `${count} findings` : `${count} of ${findings.length} findings`;
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
