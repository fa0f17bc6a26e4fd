/** One board: whose slices are held, who is shown, why a member is, and putting one off. */

import type { BoardDetail, Member, Members, Reasons } from "./answers.ts";
import { byId, el, keep, setText, showRows } from "./dom.ts";
import type { Service } from "./service.ts";
import { ownerCell, showClaims, shownAt, whyInWords } from "./why.ts";
import { counted, duration, short } from "./words.ts";

const PAGE = 100;

export class Roster {
  readonly #service: Service;
  readonly #changed: () => void;
  readonly #dialog = byId<HTMLDialogElement>("evict");
  #boardId = "";
  #after = "";
  #last = "";
  /** The member whose reasons are shown. */
  #member = "";
  #evicted: Member | undefined;

  /** `changed`: look again at once. */
  constructor(service: Service, changed: () => void) {
    this.#service = service;
    this.#changed = changed;
    const turn = (after: string) => {
      this.#after = after;
      changed();
    };
    byId("members-first").addEventListener("click", () => turn(""));
    byId("members-next").addEventListener("click", () => turn(this.#last));
    byId("evict-cancel").addEventListener("click", () => this.#dialog.close());
    byId("evict-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#evict();
    });
    byId("why-close").addEventListener("click", () => this.#explain(""));
  }

  get boardId(): string {
    return this.#boardId;
  }

  open(boardId: string): void {
    this.#boardId = boardId;
    this.#after = "";
    this.#explain("");
    say("");
    byId("board").hidden = boardId === "";
    setText(byId("board-id"), boardId);
  }

  async refresh(): Promise<void> {
    if (this.#boardId === "") return;
    const [boardId, memberId] = [this.#boardId, this.#member];
    const at = `/boards/${encodeURIComponent(boardId)}`;
    const query = new URLSearchParams({ limit: String(PAGE), ...(this.#after !== "" && { after: this.#after }) });
    const [board, members, reasons] = await Promise.all([
      this.#service.get<BoardDetail>(at),
      this.#service.get<Members>(`${at}/members?${query}`),
      memberId === "" ? undefined : this.#service.get<Reasons>(`${at}/members/${memberId}`),
    ]);
    if (boardId !== this.#boardId) return;
    const asked = board.kind === "ok" ? board.instance : "";
    setText(byId("board-asked"), asked === "" ? "" : `as instance ${short(asked)} sees it`);
    const isGone = board.kind === "refused" && board.status === 404;
    setText(byId("board-gone"), isGone ? "Nobody who is connected to the instance that answered is on this board any more." : "");
    if (board.kind === "ok") this.#showSlices(board.body, asked);
    // Silence changes nothing. A board that is not there has no members.
    if (members.kind === "ok") this.#showMembers(members.body, members.instance);
    else if (isGone) this.#showMembers({ members: [], more: false }, "");
    if (reasons !== undefined && memberId === this.#member) {
      if (reasons.kind === "ok") this.#showReasons(reasons.body, reasons.instance);
      else this.#showNoReasons(reasons.kind === "refused" ? reasons.detail : "");
    }
  }

  #showSlices({ members, users, own, observers, degraded, slices }: BoardDetail, asked: string): void {
    setText(
      byId("board-facts"),
      `${counted(members, "member")} (${counted(users, "user")}), ${own} connected here, ${counted(observers, "observer")}${degraded ? "; other instances are not heard on it" : ""}`,
    );
    showRows(
      byId("slices"),
      slices.map(({ owner, members, seq, standing, wordMs, isInDoubt }) => ({
        key: owner,
        cells: [
          ownerCell(owner, asked),
          String(members),
          String(seq),
          isInDoubt ? `${standing}, in doubt` : standing,
          owner === asked ? "–" : `${duration(wordMs)} ago`,
        ],
      })),
    );
  }

  #showMembers({ members, more }: Members, asked: string): void {
    this.#last = members.at(-1)?.memberId ?? "";
    byId("members-next").hidden = !more;
    byId("members-first").hidden = this.#after === "";
    keep(byId("members"), members, {
      key: ({ memberId }) => memberId,
      make: ({ memberId }) => this.#item(memberId),
      fill: (item, member) => {
        const { memberId, username, userId, color, status, kind, area, owner } = member;
        (item.querySelector(".dot") as HTMLElement).style.backgroundColor = color;
        const [name, facts] = [item.querySelector(".name"), item.querySelector(".facts")];
        if (name) setText(name, username === "" ? "(no name)" : username);
        const where = owner == null ? "moving" : owner === asked ? "here" : `at ${short(owner)}`;
        const more = [status, where, ...(kind === "agent" ? ["agent"] : []), ...(area ? [`in ${area}`] : []), `user ${userId}`];
        if (facts) setText(facts, more.join(" · "));
        const [why, evict] = item.querySelectorAll("button");
        why?.setAttribute("aria-pressed", String(memberId === this.#member));
        evict?.setAttribute("aria-label", `Evict ${username}`);
        item.dataset["name"] = username;
        item.dataset["status"] = status;
        this.#members.set(memberId, member);
      },
    });
    const shown = new Set(members.map(({ memberId }) => memberId));
    for (const memberId of this.#members.keys()) if (!shown.has(memberId)) this.#members.delete(memberId);
  }

  /** As they were told last. */
  readonly #members = new Map<string, Member>();

  #item(memberId: string): HTMLElement {
    const why = el(
      "button",
      { type: "button", class: "member", title: "Why is this member shown?", onclick: () => this.#explain(memberId) },
      el("span", { class: "dot" }),
      el("span", { class: "name" }),
      el("small", { class: "facts" }),
    );
    const evict = el("button", { type: "button", class: "quiet evict", onclick: () => this.#ask(memberId) }, "Evict");
    return el("li", { "data-member": memberId }, why, evict);
  }

  #explain(memberId: string): void {
    this.#member = memberId;
    byId("why").hidden = true;
    if (memberId !== "") this.#changed();
  }

  #showReasons(reasons: Reasons, asked: string): void {
    const member = reasons.shown?.member ?? this.#members.get(this.#member);
    setText(byId("why-name"), member?.username ?? this.#member);
    setText(byId("why-words"), whyInWords(reasons, asked).join(" "));
    showClaims(byId("claims"), reasons.claims, asked);
    byId("claims-table").hidden = reasons.claims.length === 0;
    setText(byId("why-instances"), `At the instances: ${shownAt(reasons)}`);
    setText(byId("why-member"), JSON.stringify(member ?? {}, null, 1));
    byId("why").hidden = false;
  }

  #showNoReasons(detail: string): void {
    setText(byId("why-words"), detail === "" ? "There was no answer; this page asks again." : detail);
    byId("claims-table").hidden = true;
    setText(byId("why-instances"), "");
    byId("why").hidden = false;
  }

  #ask(memberId: string): void {
    this.#evicted = this.#members.get(memberId);
    setText(byId("evict-name"), this.#evicted?.username ?? "");
    this.#dialog.showModal();
  }

  async #evict(): Promise<void> {
    const member = this.#evicted;
    this.#dialog.close();
    if (member === undefined) return;
    const reason = byId<HTMLInputElement>("evict-reason").value;
    const query = reason === "" ? "" : `?${new URLSearchParams({ reason })}`;
    const answer = await this.#service.act("DELETE", `/boards/${encodeURIComponent(this.#boardId)}/members/${member.memberId}${query}`);
    if (answer.kind === "ok") say(`${member.username} was put off this board.`);
    else
      say(
        answer.kind === "refused"
          ? `Not evicted: ${answer.detail || `the service answered ${answer.status}`}`
          : "Not evicted: there was no answer.",
      );
    this.#changed();
  }
}

function say(text: string): void {
  setText(byId("said"), text);
}
