// What a page does beyond links and forms. Every page works without this file.
// Fragments come from this origin only, escaped by the server; the content policy lets no script in them run.
'use strict';
(() => {
  const all = (query, root = document) => [...root.querySelectorAll(query)];
  const MAX_ROWS = 200;
  const narrow = matchMedia('(max-width: 40rem)');

  const fragment = (markup) => {
    const template = document.createElement('template');
    template.innerHTML = markup;
    return template.content;
  };

  const sameOrigin = (url) => {
    const full = new URL(url, location.href);
    return full.origin === location.origin ? full.href : null;
  };

  const get = async (url, options = {}) => {
    const full = sameOrigin(url);
    if (!full) throw new Error('another origin');
    const answer = await fetch(full, { ...options, credentials: 'same-origin', redirect: 'error', headers: { 'x-fragment': '1' } });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.text();
  };

  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };

  // Times

  const numbers = (then, now) => {
    const seconds = Math.floor(Math.abs(now - then) / 1000);
    if (seconds < 5) return 'just now';
    const units = [[60, 1, 's'], [3600, 60, 'min'], [86400, 3600, 'h'], [2419200, 86400, 'd']];
    const unit = units.find(([below]) => seconds < below);
    if (!unit) return null;
    const words = `${Math.floor(seconds / unit[1])} ${unit[2]}`;
    return then > now ? `in ${words}` : `${words} ago`;
  };

  const tick = (root = document) => {
    for (const time of all('time[data-relative]', root)) {
      const words = numbers(Date.parse(time.dateTime), Date.now());
      if (words && time.textContent !== words) time.textContent = words;
    }
  };

  // What appears with script, on the page and in each fragment

  const enliven = (root = document) => {
    for (const button of all('[data-copy], [data-dismiss]', root)) button.hidden = false;
    for (const details of all('details[data-dialog]', root)) toDialog(details);
    for (const refresh of all('[data-refresh]', root)) startRefresh(refresh);
    for (const form of all('form[data-preview]', root)) startPreview(form);
    if (narrow.matches) for (const box of all('.filters-box:not([data-set])', root)) box.open = false;
    tick(root);
  };

  const toDialog = (details) => {
    const body = details.querySelector('.dialog-body');
    const dialog = make('dialog', { class: 'dialog', 'aria-label': body.getAttribute('aria-label') }, body);
    all('[data-close]', dialog).forEach((button) => { button.hidden = false; });
    const wasOpen = details.open;
    details.open = false;
    details.after(dialog);
    details.firstElementChild.setAttribute('aria-haspopup', 'dialog');
    details.firstElementChild.addEventListener('click', (event) => {
      event.preventDefault();
      dialog.showModal();
    });
    // Who opens a form wants to fill it in: without this, the button that closes it has the focus.
    const fields = 'input:not([type=hidden]), select, textarea';
    const first = body.querySelector('[aria-invalid]') ?? body.querySelector(fields);
    if (first) first.autofocus = true;
    // An error inside: the server opened it.
    if (wasOpen || dialog.querySelector('[aria-invalid]')) dialog.showModal();
  };

  // Clicks

  const copy = async (button) => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add('done');
    button.setAttribute('aria-label', 'Copied');
    setTimeout(() => {
      button.classList.remove('done');
      button.setAttribute('aria-label', 'Copy');
    }, 1500);
  };

  let confirmed = null;
  const ask = (button) => {
    const no = make('button', { class: 'button', value: 'no' }, 'Cancel');
    const yes = make('button', { class: 'button danger', value: 'yes' }, button.textContent.trim());
    const form = make('form', { method: 'dialog' }, make('div', { class: 'form-end' }, no, yes));
    const dialog = make('dialog', { class: 'dialog flow', role: 'alertdialog', 'aria-label': button.dataset.confirm },
      make('p', {}, button.dataset.confirm), form);
    document.body.append(dialog);
    dialog.addEventListener('close', () => {
      dialog.remove();
      if (dialog.returnValue !== 'yes') return button.focus();
      confirmed = button;
      button.form.requestSubmit(button);
    });
    dialog.showModal();
  };

  document.addEventListener('click', (event) => {
    const on = (query) => event.target.closest?.(query);
    const copier = on('[data-copy]');
    if (copier) copy(copier).catch(() => copier.setAttribute('aria-label', 'Could not copy'));
    const dismiss = on('[data-dismiss]');
    if (dismiss) dismiss.closest('[data-toast]').remove();
    const close = on('[data-close]');
    if (close) close.closest('dialog')?.close();
    if (event.target instanceof HTMLDialogElement) event.target.close();
    for (const menu of all('details.menu[open]')) if (!menu.contains(event.target)) menu.open = false;
  });

  document.addEventListener('submit', (event) => {
    const button = event.submitter;
    if (button?.dataset.confirm && confirmed !== button) {
      event.preventDefault();
      return ask(button);
    }
    confirmed = null;
    if (event.target.matches('[data-theme-form]')) {
      event.preventDefault();
      setTheme(event.target, button);
    }
  });

  const setTheme = (form, button) => {
    document.documentElement.dataset.theme = button.value;
    for (const other of all('button[name=theme]')) other.setAttribute('aria-pressed', String(other === button));
    const body = new URLSearchParams(new FormData(form, button));
    fetch(form.action, { method: 'POST', body, credentials: 'same-origin', redirect: 'manual' }).catch(() => {});
  };

  // Live rows

  const startLive = (live) => {
    const url = sameOrigin(live.dataset.live);
    const rows = document.getElementById(live.dataset.liveInto);
    if (!url || !rows || !window.EventSource) return;
    const state = live.querySelector('[data-live-state]');
    const pause = live.querySelector('[data-live-pause]');
    const filters = all('.live-filters input, .live-filters select', live);
    let waiting = [];
    let paused = false;
    const say = (name, words) => {
      live.dataset.state = name;
      if (state.textContent !== words) state.textContent = words;
    };
    const shows = (row) => filters.every((filter) => {
      if (!filter.value) return true;
      if (filter.type === 'search') return row.textContent.toLowerCase().includes(filter.value.toLowerCase());
      return row.dataset[filter.name] === filter.value;
    });
    const insert = (markup) => {
      const content = fragment(markup);
      enliven(content);
      for (const row of [...content.children]) {
        row.hidden = !shows(row);
        // The end of an exchange takes the place of its beginning.
        const held = row.dataset.id && all('tr', rows).find((one) => one.dataset.id === row.dataset.id);
        if (held) held.replaceWith(row);
      }
      rows.prepend(content);
      while (rows.children.length > MAX_ROWS) rows.lastElementChild.remove();
    };
    const source = new EventSource(url);
    source.addEventListener('open', () => say(paused ? 'paused' : 'on', paused ? 'Paused' : 'Live'));
    source.addEventListener('error', () => {
      say('lost', source.readyState === EventSource.CLOSED
        ? 'Connection closed: load the page again' : 'Connection lost, trying again…');
    });
    source.addEventListener('message', (event) => {
      if (!paused) return insert(event.data);
      waiting = [...waiting, event.data].slice(-MAX_ROWS);
      say('paused', `Paused, ${waiting.length} new`);
    });
    source.addEventListener('skipped', (event) => say('on', `Live; ${event.data} entries were skipped`));
    addEventListener('pagehide', () => source.close());
    for (const filter of filters) {
      filter.addEventListener('input', () => {
        for (const row of rows.children) row.hidden = !shows(row);
      });
    }
    live.querySelector('[data-live-reload]').hidden = true;
    pause.hidden = false;
    pause.addEventListener('click', () => {
      paused = !paused;
      pause.setAttribute('aria-pressed', String(paused));
      pause.querySelector('span').textContent = paused ? 'Go on' : 'Pause';
      if (!paused) waiting.splice(0).forEach(insert);
      say(paused ? 'paused' : 'on', paused ? 'Paused' : 'Live');
    });
  };

  // Fragments that come again

  const startRefresh = (element) => {
    const every = Math.max(2, Number(element.dataset.every) || 5) * 1000;
    let failures = 0;
    const again = () => setTimeout(async () => {
      if (!element.isConnected) return;
      // Not while nobody looks, and not under somebody's hands.
      if (!document.hidden && !element.contains(document.activeElement)) {
        try {
          const content = fragment(await get(element.dataset.refresh));
          const open = all('details', element).map((details) => details.open);
          all('details', content).forEach((details, at) => { details.open = open[at] ?? details.open; });
          element.replaceChildren(content);
          enliven(element);
          failures = 0;
        } catch {
          failures = Math.min(failures + 1, 5);
        }
        element.toggleAttribute('data-stale', failures > 1);
      }
      again();
    }, every * 2 ** failures);
    again();
  };

  // Forms that show what they would do

  const startPreview = (form) => {
    let timer = 0;
    let asked = null;
    form.addEventListener('input', () => {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const target = document.getElementById(form.dataset.previewInto);
        if (!target) return;
        asked?.abort();
        asked = new AbortController();
        target.setAttribute('aria-busy', 'true');
        try {
          const body = new URLSearchParams(new FormData(form));
          target.replaceChildren(fragment(await get(form.dataset.preview, { method: 'POST', body, signal: asked.signal })));
          enliven(target);
          target.removeAttribute('aria-busy');
        } catch (error) {
          if (error.name !== 'AbortError') target.removeAttribute('aria-busy');
        }
      }, 300);
    });
  };

  // Keys

  let went = 0;
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') for (const menu of all('details.menu[open]')) menu.open = false;
    const typing = event.target.closest?.('input, textarea, select, [contenteditable], dialog[open]');
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === '/') {
      const search = document.querySelector('input[type=search]');
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
    } else if (event.key === '?') {
      document.getElementById('keys-help')?.showModal();
    } else if (event.key === 'g') {
      went = Date.now();
      return;
    } else if (Date.now() - went < 1500) {
      const link = all('a[data-key]').find((one) => one.dataset.key === event.key);
      if (link) location.assign(link.href);
    }
    went = 0;
  });

  enliven();
  all('[data-live]').forEach(startLive);
  setInterval(() => tick(), 10000);
})();
