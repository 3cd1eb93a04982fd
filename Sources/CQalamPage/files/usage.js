// SPDX-License-Identifier: Apache-2.0

/** The page of usage: requests and tokens by day, model and key. */

import { get } from "./client.js";
import { $, attempt, make, spoken } from "./parts.js";
import { state, watch } from "./state.js";
import { day, number, t } from "./words.js";

const columns = ["requests", "prompt_tokens", "cached_tokens", "completion_tokens"];
let days = 30;

async function draw() {
  if (state.view !== "usage") return;
  const view = $("usage-view");
  const [usage, keys] = await Promise.all([
    attempt(() => get(`page/usage?days=${days}`)), get("page/keys").catch(() => null),
  ]);
  const heading = make("div", "title-row", make("h1", "", t("usage")), period());
  if (!usage) {
    view.replaceChildren(heading, spoken("p", "faint", t("adminOnly")));
    return;
  }
  if (!usage.data.length) {
    view.replaceChildren(heading, spoken("p", "faint", t("noUsage")));
    return;
  }
  const names = new Map((keys?.data ?? []).map((key) => [key.id, key.name]));
  view.replaceChildren(heading, totals(usage.data), chart(usage.data), table(usage.data, names));
}

function period() {
  const select = make("select");
  for (const count of [7, 30, 90, 365]) select.append(new Option(`${number(count)} ${t("daysAgo")}`, count));
  select.value = days;
  select.setAttribute("aria-label", t("period"));
  select.addEventListener("change", () => {
    days = Number(select.value);
    draw();
  });
  return select;
}

const sum = (entries, column) => entries.reduce((total, entry) => total + entry[column], 0);

function totals(entries) {
  return make("dl", "totals", ...columns.map((column) => make("div", "", make("dt", "", t("usageColumns")[column]),
    make("dd", "", number(sum(entries, column))))));
}

/** Tokens of each day as bars; the table below says the same in numbers. */
function chart(entries) {
  const sums = new Map();
  for (let at = days - 1; at >= 0; at -= 1) {
    sums.set(new Date(Date.now() - at * 86_400_000).toISOString().slice(0, 10), 0);
  }
  for (const entry of entries) {
    sums.set(entry.day, (sums.get(entry.day) ?? 0) + entry.prompt_tokens + entry.completion_tokens);
  }
  const most = Math.max(...sums.values(), 1);
  const bars = [...sums].sort().map(([name, count]) => {
    const bar = make("i", count ? "" : "none");
    bar.style.blockSize = `${count / most * 100}%`;
    bar.title = `${day(Date.parse(name) / 1000)}: ${number(count)} ${t("tokens")}`;
    return bar;
  });
  const node = make("div", "chart", ...bars);
  node.setAttribute("aria-hidden", "true");
  return node;
}

function table(entries, names) {
  const head = ["day", "model", "key", ...columns].map((name) => {
    const cell = make("th", columns.includes(name) ? "number" : "", t("usageColumns")[name]);
    cell.scope = "col";
    return cell;
  });
  const rows = entries.toReversed().map((entry) => make("tr", "", make("td", "", day(Date.parse(entry.day) / 1000)),
    make("td", "", make("bdi", "", entry.model)),
    make("td", "", make("bdi", "", names.get(entry.key) ?? (entry.key || "—"))),
    ...columns.map((column) => make("td", "number", number(entry[column])))));
  const frame = make("div", "table", make("table", "", make("thead", "", make("tr", "", ...head)),
    make("tbody", "", ...rows)));
  frame.tabIndex = 0;
  return frame;
}

/** Sets the page of usage up. */
export function startUsage() {
  watch(["view", "language"], draw);
  draw();
}
