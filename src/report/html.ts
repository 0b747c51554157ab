import { visible } from '../terminal.js';

/** Markup that is safe to insert as it is. Only {@link html} and {@link raw} make it. */
export class Html {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

export type Child = Html | string | number | false | undefined | readonly Child[];

/** A template of HTML: every value that is not {@link Html} itself is escaped; lists are joined; false and undefined are nothing. */
export function html(parts: TemplateStringsArray, ...values: Child[]): Html {
  return new Html(parts.map((part, i) => (i === 0 ? part : markup(values[i - 1]) + part)).join(''));
}

/** Takes a string as markup: for this package's own assets, never for data. */
export function raw(markup: string): Html {
  return new Html(markup);
}

function markup(child: Child): string {
  if (child === undefined || child === false) return '';
  if (child instanceof Html) return child.markup;
  if (Array.isArray(child)) return child.map(markup).join('');
  return escapeHtml(visible(String(child)));
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
}
