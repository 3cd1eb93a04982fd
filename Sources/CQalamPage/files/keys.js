// SPDX-License-Identifier: Apache-2.0

/** The page of keys: who may use the server. */

import { get, post, remove } from "./client.js";
import { field, openDialog } from "./menus.js";
import { $, attempt, copyButton, make, spoken, textButton, toast } from "./parts.js";
import { state, watch } from "./state.js";
import { day, number, t } from "./words.js";

const scopes = ["infer", "train", "admin"];

async function draw() {
  if (state.view !== "keys") return;
  const view = $("keys-view");
  const list = await attempt(() => get("page/keys"));
  if (!list) {
    view.replaceChildren(make("h1", "", t("keys")), spoken("p", "faint", t("adminOnly")));
    return;
  }
  const mayMake = state.session?.key || state.session?.may_make_first_key;
  view.replaceChildren(
    make("div", "title-row", make("h1", "", t("keys")),
      mayMake ? textButton("primary", t("makeKey"), () => makeKey(list.data.length === 0)) : null),
    spoken("p", "faint", list.data.length ? t("keysHint") : t("noKeys")),
    ...list.data.length ? [table(list.data)] : [],
    ...state.session?.key ? [textButton("plain", t("forgetKey"), forget)] : []);
}

function table(keys) {
  const head = ["name", "key", "scopes", "made", "ends", "limits", ""].map((name) => {
    const cell = make("th", "", name ? t("keyColumns")[name] : make("span", "hidden", t("more")));
    cell.scope = "col";
    return cell;
  });
  const frame = make("div", "table", make("table", "", make("thead", "", make("tr", "", ...head)),
    make("tbody", "", ...keys.map(row))));
  frame.tabIndex = 0;
  return frame;
}

function row(key) {
  const now = Date.now() / 1000;
  const holds = !key.revoked_at && (!key.expires_at || key.expires_at > now);
  const ends = key.revoked_at ? `${t("revoked")} ${day(key.revoked_at)}` : key.expires_at ? day(key.expires_at) : "—";
  const limits = [
    key.requests_per_minute && `${number(key.requests_per_minute)} ${t("requestsPerMinute")}`,
    key.tokens_per_minute && `${number(key.tokens_per_minute)} ${t("tokensPerMinute")}`,
  ].filter(Boolean).join(" · ");
  const revoke = textButton("plain danger", t("revoke"), () => confirmRevoke(key));
  return make("tr", holds ? "" : "past", make("td", "", make("bdi", "", key.name)),
    make("td", "", make("code", "", `${key.prefix}…`)),
    make("td", "", key.scopes.map((scope) => t("scopeNames")[scope]).join(t("comma"))),
    make("td", "", day(key.created_at)), make("td", "", ends), make("td", "", limits || "—"),
    make("td", "", holds ? revoke : ""));
}

/** Asks for a key's name and rights, makes it, and shows it the one time that it can be shown. */
function makeKey(isFirst) {
  const name = make("input");
  Object.assign(name, { required: true, maxLength: 64, dir: "auto" });
  const boxes = scopes.map((scope) => {
    const box = make("input");
    Object.assign(box, { type: "checkbox", value: scope, checked: scope === "infer" || isFirst && scope === "admin" });
    box.disabled = isFirst && scope === "admin";
    return box;
  });
  const limit = (hint) => {
    const input = make("input");
    Object.assign(input, { type: "number", min: 1, step: 1, placeholder: t(hint) });
    return input;
  };
  const [days, requests, tokens] = [limit("never"), limit("noLimit"), limit("noLimit")];
  const content = [
    isFirst ? make("p", "warning", t("firstKey")) : null, field(t("keyColumns").name, name),
    make("fieldset", "checks", make("legend", "", t("keyColumns").scopes), ...boxes.map((box) => make("label", "check",
      box, make("span", "", t("scopeNames")[box.value])))),
    make("div", "columns", field(t("days"), days), field(t("requestsPerMinute"), requests),
      field(t("tokensPerMinute"), tokens)),
  ].filter(Boolean);
  const save = async () => {
    const number = (input, member) => input.value ? { [member]: Math.trunc(Number(input.value)) } : {};
    const made = await attempt(() => post("page/keys", {
      name: name.value.trim(), scopes: boxes.filter((box) => box.checked).map((box) => box.value),
      ...number(days, "days"), ...number(requests, "requests_per_minute"), ...number(tokens, "tokens_per_minute"),
    }));
    if (!made) return false;
    if (isFirst) await enter(made.secret);
    showSecret(made.secret, isFirst);
    return true;
  };
  openDialog(t("makeKey"), content, [[t("cancel"), "plain"], [t("makeKey"), "primary", save]]);
}

/** From now on this browser needs the key, too. */
async function enter(secret) {
  await fetch("page/session", { method: "POST", body: new URLSearchParams({ key: secret }), redirect: "manual" });
}

async function showSecret(secret, isFirst) {
  const text = make("code", "secret", secret);
  text.dir = "ltr";
  await openDialog(t("yourKey"), [make("p", "", t("keyOnce")), make("div", "pair-row", text, copyButton(() => secret))],
    [[t("done"), "primary"]]);
  if (isFirst) location.reload();
  else draw();
}

function confirmRevoke(key) {
  openDialog(t("revoke"), [make("p", "", t("revokeHint")), make("p", "", make("bdi", "", key.name))], [
    [t("cancel"), "plain"], [t("revoke"), "primary", async () => {
      await attempt(() => remove(`page/keys/${key.id}`));
      draw();
    }],
  ]);
}

async function forget() {
  await attempt(() => remove("page/session"));
  toast(t("forgotten"));
  location.reload();
}

/** Sets the page of keys up. */
export function startKeys() {
  watch(["view", "language", "session"], draw);
  draw();
}
