// BullMQ at the same counter: reads the loads as JSON from standard input, writes one JSON object a line.
// It needs a Redis server of its own (PORT) and the package bullmq, found from the directory MODULES.
import { createRequire } from 'node:module';

const require = createRequire(process.env.MODULES + '/');
const { Queue, Worker } = require('bullmq');
const connection = { host: '127.0.0.1', port: Number(process.env.PORT), maxRetriesPerRequest: null };
const SLOTS = 4;

const ways = [
  { name: 'one line', pools: [['counter', SLOTS]], drinks: 'counter' },
  { name: 'priorities', pools: [['counter', SLOTS]], drinks: 'counter', priority: true },
  { name: '1 slot of its own', pools: [['drinks', 1], ['counter', SLOTS - 1]], drinks: 'drinks' },
];

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function serve(load, way) {
  const names = way.pools.map(([name]) => name);
  const queues = Object.fromEntries(names.map((name) => [name, new Queue(name, { connection })]));
  for (const queue of Object.values(queues)) await queue.obliterate({ force: true });
  const waits = [];
  let left = load.burgers_ms.length + load.drinks;
  let burgersLeft = load.burgers_ms.length;
  let burgersTook = 0;
  let begin = 0;
  let allServed;
  const served = new Promise((done) => { allServed = done; });
  const workers = way.pools.map(([name, concurrency]) => new Worker(name, async (job) => {
    if (job.name === 'drink') waits.push(performance.now() - job.data.at);
    await pause(job.data.ms);
    if (job.name === 'burger' && --burgersLeft === 0) burgersTook = performance.now() - begin;
    if (--left === 0) allServed();
  }, { connection, concurrency }));
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
  begin = performance.now();
  const opts = (priority) => ({ removeOnComplete: true, ...(way.priority ? { priority } : {}) });
  await queues.counter.addBulk(load.burgers_ms.map((ms) => ({ name: 'burger', data: { ms }, opts: opts(10) })));
  const adds = [];
  const first = performance.now();
  for (let i = 0; i < load.drinks; ++i) {
    await pause(Math.max(0, first + (i + 1) * load.every_ms - performance.now()));
    adds.push(queues[way.drinks].add('drink', { ms: load.drink_ms, at: performance.now() }, opts(1)));
  }
  await Promise.all(adds);
  await served;
  for (const worker of workers) await worker.close();
  for (const queue of Object.values(queues)) await queue.close();
  const burgers_per_s = load.burgers_ms.length / burgersTook * 1000;
  console.log(JSON.stringify({ who: 'BullMQ', way: way.name, load: load.name, burgers_per_s, waits_ms: waits }));
}

let text = '';
for await (const part of process.stdin) text += part;
for (const load of JSON.parse(text)) {
  for (const way of ways) await serve(load, way);
}
