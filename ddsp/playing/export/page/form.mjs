// A form in the browser: an ONNX file, its description, and the state from call to call.

import * as ort from "./runtime/ort.wasm.min.mjs";

// Threads would need headers that not every server sends.
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = new URL("./runtime/", import.meta.url).href;

const ARRAYS = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array };

function arrayOf(spec, values) {
  const size = spec.shape.reduce((product, n) => product * n, 1);
  const array = new ARRAYS[spec.dtype](size);
  if (values !== undefined) {
    const flat = [values].flat(Infinity);
    array.set(spec.dtype === "int64" ? flat.map(BigInt) : flat);
  }
  return array;
}

export class Form {
  // Loads the form `name` from beside this file.
  static async load(name) {
    const at = (ending) => new URL(`./${name}.${ending}`, import.meta.url).href;
    const answer = await fetch(at("json"));
    if (!answer.ok) throw new Error(`${name}.json: ${answer.status}`);
    const description = await answer.json();
    return new Form(description, await ort.InferenceSession.create(at("onnx")));
  }

  constructor(description, session) {
    this.description = description;
    this.session = session;
    this.reset();
  }

  // Goes back to the state before the first call.
  reset() {
    this.state = {};
    for (const spec of this.inputs("state")) {
      this.state[spec.name] = arrayOf(spec, spec.start);
    }
  }

  // The inputs of a role: 'control', 'noise' or 'state'.
  inputs(role) {
    return this.description.inputs.filter((spec) => spec.role === role);
  }

  // Noise for a call, uniform in [-1, 1).
  noise() {
    const drawn = {};
    for (const spec of this.inputs("noise")) {
      drawn[spec.name] = arrayOf(spec).map(() => 2 * Math.random() - 1);
    }
    return drawn;
  }

  // Calls the form with typed arrays by name; returns such, and keeps the new state.
  async call(given) {
    const feeds = {};
    for (const { name, dtype, shape } of this.description.inputs) {
      const values = given[name] ?? this.state[name];
      if (values === undefined) throw new Error(`The input ${name} is missing.`);
      feeds[name] = new ort.Tensor(dtype, values, shape);
    }
    const results = await this.session.run(feeds);
    const outputs = {};
    for (const { name } of this.description.outputs) {
      if (name in this.state) this.state[name] = results[`new_${name}`].data;
      else outputs[name] = results[name].data;
    }
    return outputs;
  }
}
