// What the report does beyond CSS: the numbers of a token, arrow keys from token to token, one sample at a time.
// Without it all samples are shown one below the other, coloured, and everything can be read.
(() => {
  const heat = document.getElementById('heat');
  if (heat === null) return;
  const figures = [...heat.querySelectorAll('.sample')];
  const select = document.getElementById('sample');
  const names = ['Reward', 'Advantage', 'Gradient weight'];

  function show(index) {
    select.value = String(index);
    for (const [i, figure] of figures.entries()) figure.hidden = i !== index;
    document.getElementById('previous').disabled = index === 0;
    document.getElementById('next').disabled = index === figures.length - 1;
  }

  function step(by) {
    show(Math.min(figures.length - 1, Math.max(0, Number(select.value) + by)));
  }

  function element(name, text, className = '') {
    const made = document.createElement(name);
    made.textContent = text;
    made.className = className;
    return made;
  }

  /** Shows a token's numbers. Text goes in as text only: it is what a model wrote. */
  function describe(token, numbers) {
    const list = element('dl', '');
    for (const [i, value] of token.dataset.n.split(' ').entries()) {
      list.append(element('dt', names[i]), element('dd', value.replace('-', '−')));
    }
    const shown = token.textContent.replaceAll('\n', '↵').replaceAll(' ', '·').replaceAll('\t', '⇥');
    numbers.replaceChildren(element('code', shown));
    if (token.classList.contains('T')) numbers.append(element('span', ' credited as security', 'unit'));
    numbers.append(list);
    if (token.dataset.p) numbers.append(element('p', `Reward = ${token.dataset.p}`, 'parts'));
  }

  /** The token on the line above (-1) or below (1) that is nearest in x. */
  function vertical(tokens, from, direction) {
    const { left, top, height } = from.getClientRects()[0];
    let best;
    for (const token of tokens) {
      const rect = token.getClientRects()[0];
      if (rect === undefined) continue;
      const lines = (rect.top - top) * direction;
      if (lines < height / 2) continue;
      const distance = lines * 1000 + Math.abs(rect.left - left);
      if (best === undefined || distance < best.distance) best = { token, distance };
    }
    return best?.token;
  }

  for (const figure of figures) {
    const numbers = figure.querySelector('.numbers');
    const code = figure.querySelector('.code');
    const tokens = [...figure.querySelectorAll('.t')];
    if (tokens.length === 0) continue;
    code.setAttribute('role', 'listbox');
    code.setAttribute('aria-orientation', 'horizontal');
    numbers.hidden = false;
    numbers.append(element('span', 'Point at a token, or go to it with the keyboard.', 'unit'));
    let current = tokens[0];
    for (const token of tokens) {
      token.setAttribute('role', 'option');
      token.tabIndex = -1;
    }
    current.tabIndex = 0;

    code.addEventListener('focusin', ({ target }) => {
      if (!target.matches('.t')) return;
      current.tabIndex = -1;
      current.setAttribute('aria-selected', 'false');
      current = target;
      current.tabIndex = 0;
      current.setAttribute('aria-selected', 'true');
      describe(current, numbers);
    });
    code.addEventListener('pointerover', ({ target }) => {
      if (target.matches('.t')) describe(target, numbers);
    });
    code.addEventListener('pointerleave', () => {
      if (code.contains(document.activeElement)) describe(current, numbers);
    });
    code.addEventListener('click', ({ target }) => {
      if (target.matches('.t')) target.focus();
    });
    code.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const at = tokens.indexOf(current);
      const next = {
        ArrowRight: () => tokens[at + 1],
        ArrowLeft: () => tokens[at - 1],
        ArrowDown: () => vertical(tokens, current, 1),
        ArrowUp: () => vertical(tokens, current, -1),
        Home: () => tokens[0],
        End: () => tokens.at(-1),
      }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      next()?.focus();
    });
  }

  document.getElementById('previous').addEventListener('click', () => step(-1));
  document.getElementById('next').addEventListener('click', () => step(1));
  select.addEventListener('change', () => show(Number(select.value)));
  for (const hidden of heat.querySelectorAll('.stepper, .keys')) hidden.hidden = false;
  show(0);
})();
