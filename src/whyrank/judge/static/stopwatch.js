// How long a judge looks at an item: while the page is hidden, nothing is counted.

export class Stopwatch {
  #counted = 0;
  #since = null;

  constructor() {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#pause();
      else this.#since ??= performance.now();
    });
  }

  start() {
    this.#counted = 0;
    this.#since = document.hidden ? null : performance.now();
  }

  get seconds() {
    const now = this.#since === null ? 0 : performance.now() - this.#since;
    return Math.round(this.#counted + now) / 1000;
  }

  #pause() {
    if (this.#since !== null) this.#counted += performance.now() - this.#since;
    this.#since = null;
  }
}
