"use strict";

// Claims: open all, and open the target of a link.
(() => {
  const claims = [...document.querySelectorAll(".claim")];
  const button = document.getElementById("open-all");
  const openAll = (open) => {
    for (const claim of claims) claim.open = open;
    button.textContent = open ? "Close all" : "Open all";
    button.setAttribute("aria-expanded", open);
  };
  button.hidden = false;
  button.addEventListener("click", () => openAll(button.textContent === "Open all"));

  const openTarget = () => {
    const claim = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (claim?.matches(".claim")) {
      document.querySelector('[name="verdict"][value="all"]').checked = true;
      claim.open = true;
      claim.scrollIntoView();
    }
  };
  addEventListener("hashchange", openTarget);
  openTarget();

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const details of closed) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of closed) details.open = false;
  });
})();

// Figures: the download is the picture of the page, so that its data are in the page once.
for (const link of document.querySelectorAll("[data-image]")) {
  link.href = document.getElementById(link.dataset.image).src;
  link.hidden = false;
}

// Through training: the slider, the marker on the curves, and the pictures.
(() => {
  const stage = document.getElementById("stage");
  if (!stage) return;
  const FRAME = 160; // milliseconds
  const moments = JSON.parse(document.getElementById("moments").textContent);
  const picker = document.getElementById("run");
  const slider = document.getElementById("moment");
  const play = document.getElementById("play");
  const epoch = document.getElementById("epoch");
  let view, run, sheets, timer;

  const show = (index) => {
    slider.value = index;
    epoch.textContent = run.epochs[index].toLocaleString("en");
    slider.setAttribute("aria-valuetext", `epoch ${epoch.textContent}`);
    for (const marker of view.querySelectorAll(".marker")) {
      marker.hidden = false;
      marker.style.left = `${100 * run.places[index]}%`;
    }
    for (const place of view.querySelectorAll("[data-text]")) {
      place.textContent = run.texts[place.dataset.text][index];
    }
    for (const canvas of view.querySelectorAll("canvas")) {
      const { width, height } = canvas;
      const x = width * canvas.dataset.panel, y = height * index;
      canvas.getContext("2d").drawImage(
        sheets[canvas.dataset.sheet], x, y, width, height, 0, 0, width, height);
    }
    stage.dataset.epoch = run.epochs[index];
  };

  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    play.setAttribute("aria-pressed", "false");
    play.innerHTML = '<span aria-hidden="true">▶</span> Play';
    view?.querySelector(".summary").setAttribute("aria-live", "polite");
  };

  const start = () => {
    let index = Number(slider.value);
    if (index === run.epochs.length - 1) index = -1;
    play.setAttribute("aria-pressed", "true");
    play.innerHTML = '<span aria-hidden="true">❚❚</span> Stop';
    view.querySelector(".summary").setAttribute("aria-live", "off");
    timer = setInterval(() => {
      show((index += 1));
      if (index === run.epochs.length - 1) stop();
    }, FRAME);
  };

  const nearest = (place) => {
    const distances = run.places.map((other) => Math.abs(other - place));
    return distances.indexOf(Math.min(...distances));
  };

  const load = async (name) => {
    stop();
    picker.value = name;
    const images = Object.entries(moments[name].sheets).map(async ([kind, uri]) => {
      const image = new Image();
      image.src = uri;
      await image.decode();
      return [kind, image];
    });
    const decoded = Object.fromEntries(await Promise.all(images));
    if (picker.value !== name) return; // Another run was chosen meanwhile.
    const atEnd = !run || Number(slider.value) === run.epochs.length - 1;
    const before = run?.epochs[slider.value];
    run = moments[name];
    sheets = decoded;
    for (const other of stage.querySelectorAll(".view")) {
      other.hidden = other.dataset.run !== name;
      if (!other.hidden) view = other;
    }
    slider.max = run.epochs.length - 1;
    // Snapshots of runs differ: take the last one that is not later than the previous epoch.
    const index = run.epochs.findLastIndex((one) => atEnd || one <= before);
    show(Math.max(index, 0));
  };

  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  play.addEventListener("click", () => (timer ? stop() : start()));
  picker.addEventListener("change", () => load(picker.value));
  stage.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.target.closest("button, select")) return;
    event.preventDefault();
    if (timer) stop(); else start();
  });
  for (const area of stage.querySelectorAll(".area")) {
    area.addEventListener("pointerdown", (event) => {
      const box = area.getBoundingClientRect();
      stop();
      show(nearest((event.clientX - box.left) / box.width));
    });
  }
  for (const button of stage.querySelectorAll("[data-pick]")) {
    button.addEventListener("click", () => {
      const picked = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", picked);
      for (const line of view.querySelectorAll(`[data-task="${button.dataset.pick}"]`)) {
        line.classList.toggle("picked", picked);
      }
      view.querySelector(".charts").classList.toggle("picking", !!view.querySelector(".picked"));
    });
  }
  for (const link of document.querySelectorAll("[data-view]")) {
    link.addEventListener("click", () => load(link.dataset.view));
  }
  stage.querySelector(".controls").hidden = false;
  load(picker.value);
})();
