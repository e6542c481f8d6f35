// Node in the roles that rows of ./dev bench runtime give out. Each writes its values to standard output:
//   node peers.mjs threads single N      N messages to a worker thread and back, one at a time: us each
//   node peers.mjs threads many N K      N messages, K in flight: us each
//   node peers.mjs piscina single N      the same through Piscina, found from the directory MODULES (an absolute path)
//   node peers.mjs piscina many N K
//   node peers.mjs immediate N           N turns of setImmediate, each awaited: ns each
//   node peers.mjs idle SECONDS          a worker thread that has nothing to do: ms of CPU time
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';

const [library, form, ...numbers] = process.argv.slice(2);
const micros = () => Number(process.hrtime.bigint()) / 1e3;
const ECHO = "require('node:worker_threads').parentPort.on('message', (n) => " +
  "require('node:worker_threads').parentPort.postMessage(n))";

function threads() {
  const worker = new Worker(ECHO, { eval: true });
  const waiting = [];
  worker.on('message', () => waiting.shift()());
  return {
    call: (n) => new Promise((done) => { waiting.push(done); worker.postMessage(n); }),
    stop: () => worker.terminate(),
  };
}

function piscina() {
  const { Piscina } = createRequire(process.env.MODULES + '/')('piscina');
  const filename = new URL('echo.mjs', import.meta.url).href;
  const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 64 });
  return { call: (n) => pool.run(n), stop: () => pool.destroy() };
}

async function calls(pool, count, inFlight) {
  for (let i = 0; i < 200; ++i) await pool.call(i);  // warm
  let next = 0;
  const chain = async () => { while (next++ < count) await pool.call(next); };
  const begin = micros();
  await Promise.all(Array.from({ length: inFlight }, chain));
  const each = (micros() - begin) / count;
  await pool.stop();
  return each;
}

async function immediates(count) {
  const begin = micros();
  for (let i = 0; i < count; ++i) await new Promise((done) => setImmediate(done));
  return (micros() - begin) * 1e3 / count;
}

async function idle(seconds) {
  const pool = threads();
  await pool.call(1);
  await new Promise((done) => setTimeout(done, 500));
  const before = process.cpuUsage();
  await new Promise((done) => setTimeout(done, seconds * 1e3));
  const used = process.cpuUsage(before);
  await pool.stop();
  return (used.user + used.system) / 1e3;
}

let answer;
if (library === 'immediate') {
  answer = await immediates(Number(form));
} else if (library === 'idle') {
  answer = await idle(Number(form));
} else {
  const pool = library === 'threads' ? threads() : piscina();
  answer = await calls(pool, Number(numbers[0]), form === 'many' ? Number(numbers[1]) : 1);
}
process.stdout.write(`${answer}\n`, () => process.exit(0));
