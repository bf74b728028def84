import { html } from "./html.js";

/**
 * What a card asks the service to do, one thing at a time, and what came of the last. `draw` draws the page.
 * @param {() => void} draw
 */
export function createAction(draw) {
  /** @type {string | null} */
  let busy = null;
  /** @type {{ text: string, isRefusal: boolean } | null} */
  let outcome = null;
  return {
    isBusy: () => busy !== null,

    /** @param {string} what is said meanwhile @param {() => Promise<string>} task gives what is said then */
    async run(what, task) {
      busy = what;
      outcome = null;
      draw();
      try {
        outcome = { text: await task(), isRefusal: false };
      } catch (error) {
        outcome = { text: error instanceof Error ? error.message : String(error), isRefusal: true };
      }
      busy = null;
      draw();
    },

    /** What came of the last is over. */
    forget() {
      outcome = null;
    },

    messages: () => html`<p role="status" class="soft">${busy ?? (outcome?.isRefusal ? "" : outcome?.text)}</p>
      ${outcome?.isRefusal ? html`<p role="alert">${outcome.text}</p>` : null}`,
  };
}

/** @typedef {ReturnType<typeof createAction>} Action */
