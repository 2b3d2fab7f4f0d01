// Who is here, and which page is shown.
import { call, keepToken, token } from "./api.js";
import { chatPage } from "./chat.js";
import { logInPage } from "./login.js";
import { operationsPage } from "./operations.js";
import { switchLanguage, translate } from "./words.js";

const main = document.getElementById("main");
const bar = document.getElementById("bar");
let page = null;

async function route() {
  const [, name, argument] = location.hash.split("/");
  if (!(await known())) return show(() => logInPage(main, name === "setup" ? argument : "", entered), false);
  if (name === "operations") return show(() => operationsPage(main), true);
  if (page && page.open && name === "chat") return page.open(argument);
  return show(() => chatPage(main, argument), true);
}

async function known() {
  if (location.hash.startsWith("#/setup/") || !token()) return false;
  if (route.user) return true;
  try {
    route.user = await call("/wunder/auth/me");
  } catch (error) {
    if (error.status === 401) keepToken("");
    return error.status === 0 || error.status >= 500;
  }
  return true;
}

function show(build, inside) {
  if (page && page.close) page.close();
  bar.hidden = !inside;
  page = build();
  for (const link of bar.querySelectorAll("nav a")) {
    const here = location.hash.startsWith(link.getAttribute("href")) || (!location.hash && link.hash === "#/chat");
    link.toggleAttribute("aria-current", here);
  }
  document.getElementById("drawer-toggle").style.visibility = document.getElementById("drawer") ? "" : "hidden";
}

function entered(result) {
  keepToken(result.access_token);
  route.user = result.user;
  if (location.hash.startsWith("#/setup/") || !location.hash) location.hash = "#/chat";
  else route();
}

function logOut() {
  keepToken("");
  route.user = null;
  location.hash = "";
  route();
}

function switchTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  localStorage.setItem("evenkeel.theme", document.documentElement.dataset.theme);
}

const theme = localStorage.getItem("evenkeel.theme");
if (theme) document.documentElement.dataset.theme = theme;
document.getElementById("theme").onclick = switchTheme;
document.getElementById("log-out").onclick = logOut;
document.getElementById("language").onclick = () => {
  switchLanguage();
  page = page && page.close ? (page.close(), null) : null;
  route();
};
document.getElementById("drawer-toggle").onclick = (event) => {
  const open = document.getElementById("drawer").classList.toggle("open");
  event.currentTarget.setAttribute("aria-expanded", String(open));
};
addEventListener("hashchange", route);
translate();
route();
