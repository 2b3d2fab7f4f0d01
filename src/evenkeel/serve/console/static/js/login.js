// Log in, create an account, or set up the first administrator by the link that works once.
import { call } from "./api.js";
import { element } from "./dom.js";
import { word } from "./words.js";

const PATHS = { log_in: "/wunder/auth/login", register: "/wunder/auth/register", set_up: "/wunder/auth/setup" };

export function logInPage(main, setupToken, entered) {
  draw(main, setupToken ? "set_up" : "log_in", setupToken, entered);
  return {};
}

function draw(main, mode, setupToken, entered) {
  const name = element("input", { name: "username", autocomplete: "username", required: true, maxlength: "64", pattern: "[A-Za-z0-9_\\-]+" });
  const password = element("input", { name: "password", type: "password", required: true, autocomplete: mode === "log_in" ? "current-password" : "new-password" });
  const error = element("p", { class: "error", role: "alert" });
  const submit = element("button", { class: "primary", id: "enter" }, word(mode));
  const other = mode === "log_in" ? "register" : "log_in";
  const form = element("form", { class: "card" }, element("h1", {}, "evenkeel"),
    mode === "set_up" ? element("p", {}, word("set_up_why")) : null,
    element("label", {}, word("username"), name), element("label", {}, word("password"), password), error, submit,
    mode === "set_up" ? null : element("button", { type: "button", class: "quiet", onclick: () => draw(main, other, "", entered) }, word(mode === "log_in" ? "to_register" : "to_log_in")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    error.textContent = "";
    try {
      const body = setupToken ? { token: setupToken, username: name.value, password: password.value } : { username: name.value, password: password.value };
      entered(await call(PATHS[mode], { method: "POST", body }));
    } catch (failure) {
      error.textContent = failure.message;
    }
    submit.disabled = false;
  });
  main.replaceChildren(form);
  name.focus();
}
