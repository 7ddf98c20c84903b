// A micrograph on a canvas: tiles of the right scale, pan, zoom, contrast by a table, circles on top.
// One tile is decoded once; a change of contrast re-maps a few tiles per frame, so that moving stays smooth.

import { greyEnds } from "./grey";

export interface Circle {
  x: number;
  y: number;
  shown: boolean;
  colour?: string;
}
export interface Overlay {
  circles: Circle[];
  radius: number;
  colour: string;
}
interface Tile {
  raw: ImageBitmap | null;
  shown: ImageBitmap | HTMLCanvasElement | null;
  table: number;
  asked: boolean;
}

export class MicrographCanvas {
  scale = 1; // screen pixels per micrograph pixel
  x = 0;
  y = 0; // micrograph position of the canvas's top left
  overlay: Overlay = { circles: [], radius: 10, colour: "#56b4e9" };
  black = 0;
  white = 255;
  private tiles = new Map<string, Tile>();
  private table = 0;
  private lut = new Uint8ClampedArray(256);
  private frame = 0;
  private loading = 0;
  private dead = false;
  frames: number[] = [];
  drawn = 0; // tiles in the last frame
  onScale?: (scale: number) => void;
  onEnds?: (ends: [number, number]) => void; // black and white that suit the picture
  private told = 0;
  private level = -1; // shown now
  private ends: [number, number] | null = null;

  constructor(
    readonly canvas: HTMLCanvasElement,
    readonly width: number,
    readonly height: number,
    readonly tile: number,
    readonly levels: number,
    readonly address: (level: number, column: number, row: number) => string,
  ) {
    this.fit();
    this.setContrast(0, 255);
  }

  destroy() {
    this.dead = true;
    cancelAnimationFrame(this.frame);
    for (const each of this.tiles.values()) each.raw?.close();
    this.tiles.clear();
  }

  private get view() {
    return { w: this.canvas.clientWidth || 1, h: this.canvas.clientHeight || 1 };
  }

  fit() {
    const { w, h } = this.view;
    this.scale = Math.min(w / this.width, h / this.height) * 0.98;
    this.x = this.width / 2 - w / this.scale / 2;
    this.y = this.height / 2 - h / this.scale / 2;
    this.draw();
  }

  zoom(factor: number, atX: number, atY: number) {
    const next = Math.min(
      16,
      Math.max(
        this.scale * factor,
        Math.min(this.view.w / this.width, this.view.h / this.height) / 4,
      ),
    );
    this.x += atX / this.scale - atX / next;
    this.y += atY / this.scale - atY / next;
    this.scale = next;
    this.draw();
  }

  pan(dx: number, dy: number) {
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
    this.draw();
  }

  toImage(screenX: number, screenY: number): [number, number] {
    return [this.x + screenX / this.scale, this.y + screenY / this.scale];
  }

  setContrast(black: number, white: number) {
    this.black = black;
    this.white = white;
    this.table++;
    for (let i = 0; i < 256; i++) this.lut[i] = ((i - black) / Math.max(1, white - black)) * 255;
    this.draw();
  }

  draw() {
    if (!this.frame && !this.dead)
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.paint();
      });
  }

  private paint() {
    const begin = performance.now();
    const { w, h } = this.view,
      ratio = window.devicePixelRatio || 1;
    if (
      this.canvas.width !== Math.round(w * ratio) ||
      this.canvas.height !== Math.round(h * ratio)
    ) {
      this.canvas.width = Math.round(w * ratio);
      this.canvas.height = Math.round(h * ratio);
    }
    const c = this.canvas.getContext("2d", { alpha: false })!;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.fillStyle = "#11161c";
    c.fillRect(0, 0, w, h);
    c.imageSmoothingEnabled = this.scale < 2;
    const level = Math.max(
      0,
      Math.min(this.levels - 1, Math.floor(Math.log2(1 / (this.scale * ratio)) + 0.35)),
    );
    this.level = level;
    let budget = 3,
      waiting = false;
    const coarsest = this.levels - 1;
    this.drawn = 0;
    const fine = this.visible(level, w, h);
    const whole = fine.every(({ tile }) => tile.raw); // only then nothing coarser shows through
    for (const { each, column, row, tile } of whole
      ? fine
      : [...this.visible(coarsest, w, h), ...fine]) {
      if (!tile.raw) continue;
      this.drawn++;
      if (tile.table !== this.table) {
        if (budget-- > 0) this.map(tile);
        else waiting = true;
      }
      // whole device pixels at the edges: no seams between tiles
      const image = tile.shown ?? tile.raw,
        size = this.tile * 2 ** each,
        whole = (v: number) => Math.round(v * this.scale * ratio) / ratio;
      const left = whole(column * size - this.x),
        top = whole(row * size - this.y);
      c.drawImage(
        image,
        left,
        top,
        whole(column * size + image.width * 2 ** each - this.x) - left,
        whole(row * size + image.height * 2 ** each - this.y) - top,
      );
    }
    this.paintOverlay(c, w, h);
    if (waiting) this.draw();
    if (this.told !== this.scale) {
      this.told = this.scale;
      this.onScale?.(this.scale);
    }
    this.frames.push(performance.now() - begin);
    if (this.frames.length > 600) this.frames.shift();
  }

  private visible(each: number, w: number, h: number) {
    const size = this.tile * 2 ** each,
      found: { each: number; column: number; row: number; tile: Tile }[] = [];
    const c0 = Math.max(0, Math.floor(this.x / size)),
      c1 = Math.min(Math.ceil(this.width / size) - 1, Math.floor((this.x + w / this.scale) / size));
    const r0 = Math.max(0, Math.floor(this.y / size)),
      r1 = Math.min(
        Math.ceil(this.height / size) - 1,
        Math.floor((this.y + h / this.scale) / size),
      );
    for (let row = r0; row <= r1; row++)
      for (let column = c0; column <= c1; column++)
        found.push({ each, column, row, tile: this.get(each, column, row) });
    return found;
  }

  private paintOverlay(c: CanvasRenderingContext2D, w: number, h: number) {
    const radius = Math.max(3, this.overlay.radius * this.scale);
    c.lineWidth = 1.5;
    for (const pass of [false, true]) {
      c.strokeStyle = pass ? this.overlay.colour : "#d55e0088";
      c.setLineDash(pass ? [] : [3, 3]);
      c.beginPath();
      for (const each of this.overlay.circles) {
        if (each.shown !== pass) continue;
        const x = (each.x + 0.5 - this.x) * this.scale,
          y = (each.y + 0.5 - this.y) * this.scale;
        if (x < -radius || y < -radius || x > w + radius || y > h + radius) continue;
        c.moveTo(x + radius, y);
        c.arc(x, y, radius, 0, 2 * Math.PI);
      }
      c.stroke();
    }
    c.setLineDash([]);
  }

  private get(level: number, column: number, row: number): Tile {
    const key = `${level}/${column}/${row}`;
    let tile = this.tiles.get(key);
    if (!tile) {
      tile = { raw: null, shown: null, table: -1, asked: false };
      this.tiles.set(key, tile);
    }
    if (!tile.asked && this.loading < 6) {
      tile.asked = true;
      this.loading++;
      const found = tile;
      fetch(this.address(level, column, row))
        .then(answer =>
          answer.ok ? answer.blob() : Promise.reject(new Error(String(answer.status))),
        )
        .then(blob => createImageBitmap(blob))
        .then(bitmap => {
          if (this.dead) bitmap.close();
          else {
            found.raw = bitmap;
            if (level === this.level && !this.ends) {
              this.ends = endsOf(bitmap);
              this.onEnds?.(this.ends);
            }
          }
        })
        .catch(() => {
          setTimeout(() => {
            found.asked = false;
          }, 2000);
        })
        .finally(() => {
          this.loading--;
          this.forget();
          this.draw();
        });
    }
    return tile;
  }

  private map(tile: Tile) {
    tile.table = this.table;
    if (this.black === 0 && this.white === 255) {
      tile.shown = null;
      return;
    }
    const raw = tile.raw!,
      made = document.createElement("canvas");
    made.width = raw.width;
    made.height = raw.height;
    const c = made.getContext("2d", { willReadFrequently: true })!;
    c.drawImage(raw, 0, 0);
    const data = c.getImageData(0, 0, raw.width, raw.height),
      d = data.data;
    for (let i = 0; i < d.length; i += 4) {
      d[i] = d[i + 1] = d[i + 2] = this.lut[d[i]];
    }
    c.putImageData(data, 0, 0);
    tile.shown = made;
  }

  private forget() {
    if (this.tiles.size < 220) return;
    for (const key of [...this.tiles.keys()].slice(0, 60)) {
      if (key.startsWith(`${this.levels - 1}/`)) continue;
      this.tiles.get(key)!.raw?.close();
      this.tiles.delete(key);
    }
  }
}

const SAMPLE = 256; // pixels a side that are looked at

/** Grey levels between which all but a few pixels lie. */
function endsOf(bitmap: ImageBitmap): [number, number] {
  const made = document.createElement("canvas");
  made.width = made.height = SAMPLE;
  const c = made.getContext("2d", { willReadFrequently: true })!;
  c.drawImage(bitmap, 0, 0, SAMPLE, SAMPLE);
  return greyEnds(c.getImageData(0, 0, SAMPLE, SAMPLE).data);
}
