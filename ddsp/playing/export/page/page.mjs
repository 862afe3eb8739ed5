// The page: a phrase from sliders, played and drawn. With `?calls=...` it plays the calls
// that stand there instead, and sends back what came out: so an export is compared.

import { Form } from "./form.mjs";

const NOTES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const SCALE = [0, 2, 4, 5, 7, 9, 11, 12];
const NOTE_SECONDS = 0.4;
const element = (id) => document.getElementById(id);

function say(text) {
  element("status").textContent = text;
}

// Features of the scale: a note swells and dies away.
function phrase(form, lowest, loudness) {
  const [pitch, level] = form.inputs("control").map((spec) => spec.name);
  const { sample_rate: rate, samples_per_call: size, inputs } = form.description;
  const nFrames = inputs.find((spec) => spec.name === pitch).shape[1];
  const nCalls = Math.ceil((SCALE.length * NOTE_SECONDS * rate) / size);
  return Array.from({ length: nCalls }, (_, call) => {
    const f0 = new Float32Array(nFrames);
    const db = new Float32Array(nFrames);
    for (let frame = 0; frame < nFrames; frame++) {
      const seconds = ((call + frame / nFrames) * size) / rate;
      const note = Math.min(Math.floor(seconds / NOTE_SECONDS), SCALE.length - 1);
      const within = Math.min(seconds / NOTE_SECONDS - note, 1);
      f0[frame] = 440 * 2 ** ((lowest + SCALE[note] - 69) / 12);
      db[frame] = loudness + 20 * Math.log10(Math.sin(Math.PI * within) + 0.01);
    }
    return { [pitch]: f0, [level]: db, ...form.noise() };
  });
}

// Plays calls from the first state on: audio, outputs and seconds of each call.
async function perform(form, calls) {
  form.reset();
  const outputs = [];
  const seconds = [];
  for (const given of calls) {
    const start = performance.now();
    outputs.push(await form.call(given));
    seconds.push((performance.now() - start) / 1000);
  }
  return { outputs, seconds };
}

function draw(audio) {
  const canvas = element("wave");
  const pen = canvas.getContext("2d");
  const { width, height } = canvas;
  pen.clearRect(0, 0, width, height);
  const peak = audio.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-9);
  pen.strokeStyle = "#246";
  pen.beginPath();
  for (let x = 0; x < width; x++) {
    const from = Math.floor((x / width) * audio.length);
    const to = Math.max(Math.floor(((x + 1) / width) * audio.length), from + 1);
    const piece = audio.subarray(from, to);
    const y = (value) => (height / 2) * (1 - (0.95 * value) / peak);
    pen.moveTo(x + 0.5, y(Math.min(...piece)));
    pen.lineTo(x + 0.5, y(Math.max(...piece)) + 1);
  }
  pen.stroke();
}

function joined(outputs) {
  const audio = new Float32Array(outputs.length * outputs[0].audio.length);
  outputs.forEach((output, i) => audio.set(output.audio, i * output.audio.length));
  return audio;
}

async function play(form) {
  say("Synthesising …");
  const lowest = Number(element("note").value);
  const calls = phrase(form, lowest, Number(element("loudness").value));
  const { outputs, seconds } = await perform(form, calls);
  const audio = joined(outputs);
  draw(audio);
  const rate = form.description.sample_rate;
  const took = seconds.reduce((sum, x) => sum + x, 0);
  say(`${(audio.length / rate).toFixed(1)} s of sound in ${took.toFixed(2)} s.`);
  const context = new AudioContext();
  const buffer = context.createBuffer(1, audio.length, rate);
  buffer.copyToChannel(audio, 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  source.start();
}

// Arrays as JSON: their bytes in base64.
const DECODED = {
  float32: (bytes) => new Float32Array(bytes),
  int32: (bytes) => new Int32Array(bytes),
  int64: (bytes) => new BigInt64Array(bytes),
};

function decode({ dtype, data }) {
  return DECODED[dtype](Uint8Array.from(atob(data), (c) => c.charCodeAt(0)).buffer);
}

function encode(array) {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

const encoded = (arrays) =>
  Object.fromEntries(Object.entries(arrays).map(([name, x]) => [name, encode(x)]));

async function answer(form, address) {
  const calls = (await (await fetch(address)).json()).map((call) =>
    Object.fromEntries(Object.entries(call).map(([name, x]) => [name, decode(x)])),
  );
  await perform(form, calls.slice(0, 1)); // The first call prepares.
  const { outputs, seconds } = await perform(form, calls);
  if (outputs[0].audio !== undefined) draw(joined(outputs));
  return { outputs: outputs.map(encoded), state: encoded(form.state), seconds };
}

async function main() {
  const wanted = new URLSearchParams(location.search);
  const calls = wanted.get("calls");
  const send = (body) => fetch(calls, { method: "POST", body: JSON.stringify(body) });
  try {
    const form = await Form.load(wanted.get("form") ?? "stream");
    if (calls) {
      await send(await answer(form, calls));
      say("Compared.");
      return;
    }
    const show = () => {
      const note = Number(element("note").value);
      element("name").textContent = NOTES[note % 12] + (Math.floor(note / 12) - 1);
      element("level").textContent = `${element("loudness").value} dB`;
    };
    element("note").addEventListener("input", show);
    element("loudness").addEventListener("input", show);
    show();
    element("play").disabled = false;
    element("play").addEventListener("click", () => play(form));
    say("Ready.");
  } catch (error) {
    say(`It does not work: ${error.message}`);
    if (calls) await send({ error: error.message });
  }
}

main();
