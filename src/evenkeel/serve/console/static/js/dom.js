// Elements without innerHTML: text from models and users is only ever text.
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((each) => each !== null && each !== undefined));
  return node;
}

export function notice(text) {
  const box = document.getElementById("notices");
  const line = element("div", {}, text);
  while (box.childElementCount > 2) box.firstChild.remove();
  box.append(line);
  setTimeout(() => line.remove(), 6000);
}
