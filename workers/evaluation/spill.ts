/** @file Raw outputs of many images: in memory while they are small together, else in a file without a name. */

import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { bytesOf } from '../onnx/tensor.ts';
import type { Plane, Prediction } from '../tasks/task.ts';

const IN_MEMORY = 64 * 2 ** 20;
/** A new file is begun beyond this: workers may limit the size of one. */
const FILE_BYTES = 512 * 2 ** 20;

/** Closes the file of a Spill that nothing refers to any more. */
const closing = new FinalizationRegistry<number>((file) => closeSync(file));

export class Spill {
  readonly #limit: number;
  #kept = 0;
  #file: OpenFile | undefined;
  #end = 0;

  /** @param limit bytes of outputs to keep in memory */
  constructor(limit = IN_MEMORY) {
    this.#limit = limit;
  }

  /** The same prediction; where it holds tensors beyond the limit, they are read back when looked at. */
  keep(prediction: Prediction): Prediction {
    if (prediction.kind !== 'tensors') return prediction;
    const entries = Object.entries(prediction.outputs);
    return {
      kind: 'tensors',
      outputs: Object.fromEntries(entries.map(([name, plane]) => [name, this.#plane(plane)])),
    };
  }

  #plane(plane: Plane): Plane {
    const bytes = plane.data.byteLength;
    if (this.#kept + bytes <= this.#limit) {
      this.#kept += bytes;
      // The runtime may hand out a view of a larger buffer: keep only what is needed.
      return { dims: plane.dims, data: plane.data.slice() };
    }
    if (this.#file === undefined || this.#end + bytes > FILE_BYTES) {
      this.#file = new OpenFile();
      this.#end = 0;
    }
    const at = this.#end;
    writeAll(this.#file.descriptor, bytesOf(plane.data), at);
    this.#end += bytes;
    return new FilePlane(this.#file, at, plane);
  }
}

class OpenFile {
  readonly descriptor: number;

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), 'lathe-outputs-'));
    this.descriptor = openSync(join(folder, 'outputs'), 'w+');
    rmSync(folder, { recursive: true }); // the open file lives on without its name
    closing.register(this, this.descriptor);
  }
}

class FilePlane implements Plane {
  readonly dims: readonly number[];
  readonly #file: OpenFile;
  readonly #at: number;
  readonly #length: number;

  constructor(file: OpenFile, at: number, { dims, data }: Plane) {
    this.dims = dims;
    this.#file = file;
    this.#at = at;
    this.#length = data.length;
  }

  get data(): Float32Array {
    const data = new Float32Array(this.#length);
    readAll(this.#file.descriptor, bytesOf(data), this.#at);
    return data;
  }
}

function writeAll(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(file, bytes, done, bytes.length - done, at + done);
}

function readAll(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(file, bytes, done, bytes.length - done, at + done);
    if (count === 0) throw new Error('internal: a spilled output ended early');
    done += count;
  }
}
