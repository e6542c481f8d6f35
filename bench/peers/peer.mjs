// BullMQ and bee-queue in the roles that bench/peers/peers.py gives out, a process each:
//   node peer.mjs LIBRARY work SLOTS JOBS     runs JOBS jobs that do nothing
//   node peer.mjs LIBRARY bulk JOBS           enqueues JOBS jobs, handed over together
//   node peer.mjs LIBRARY single SECONDS      one job a call, each awaited
//   node peer.mjs LIBRARY paced RATE JOBS     RATE jobs a second
// It writes one JSON object when it has done so; a worker also "ready" on standard error, once it waits for jobs. They
// need the packages, found from the directory MODULES, and a Redis server at PORT.
import { createRequire } from 'node:module';

const require = createRequire(process.env.MODULES + '/');
const [library, role, ...numbers] = process.argv.slice(2);
const [first, second] = numbers.map(Number);
const connection = { host: '127.0.0.1', port: Number(process.env.PORT), maxRetriesPerRequest: null };
const PIECE = 1_000;  // jobs in one call of a bulk enqueue
const text = 'x'.repeat(60);

const now = () => Number(process.hrtime.bigint()) / 1e3;  // microseconds of CLOCK_MONOTONIC, as in every process
const payload = () => ({ at: now(), text });
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

const libraries = {
  bullmq: {
    open() {
      const { Queue } = require('bullmq');
      const queue = new Queue('bench', { connection, defaultJobOptions: { removeOnComplete: true } });
      return {
        add: (data) => queue.add('noop', data),
        addAll: (all) => queue.addBulk(all.map((data) => ({ name: 'noop', data }))),
        close: () => queue.close(),
      };
    },
    async work(slots, run) {
      const { Worker } = require('bullmq');
      const worker = new Worker('bench', async (job) => run(job.data), { connection, concurrency: slots });
      await worker.waitUntilReady();
    },
  },
  'bee-queue': {
    open() {
      const Queue = require('bee-queue');
      const queue = new Queue('bench', { redis: connection, isWorker: false, getEvents: false, sendEvents: false });
      return {
        add: (data) => queue.createJob(data).save(),
        addAll: (all) => queue.saveAll(all.map((data) => queue.createJob(data))),
        close: () => queue.close(),
      };
    },
    async work(slots, run) {
      const Queue = require('bee-queue');
      const queue = new Queue('bench', { redis: connection, getEvents: false, sendEvents: false, removeOnSuccess: true });
      await queue.ready();
      queue.process(slots, async (job) => run(job.data));
    },
  },
};

async function work(slots, jobs) {
  const waits = [];
  let begin = 0;
  await new Promise((done) => {
    libraries[library].work(slots, (data) => {
      const started = now();
      if (waits.length === 0) begin = started;
      waits.push(started - data.at);
      if (waits.length === jobs) done();
    }).then(() => process.stderr.write('ready\n'));
  });
  return { seconds: (now() - begin) / 1e6, waits_us: waits };
}

async function produce() {
  const queue = libraries[library].open();
  await queue.add(payload());  // the connection is there
  const begin = now();
  let jobs = 0;
  if (role === 'bulk') {
    for (; jobs < first; jobs += PIECE) {
      await queue.addAll(Array.from({ length: Math.min(PIECE, first - jobs) }, payload));
    }
    jobs = first;
  } else if (role === 'single') {
    for (; now() - begin < first * 1e6; ++jobs) await queue.add(payload());
  } else {
    for (; jobs < second; ++jobs) {
      await pause(Math.max(0, (begin + jobs * 1e6 / first - now()) / 1e3));
      await queue.add(payload());
    }
  }
  const seconds = (now() - begin) / 1e6;
  await queue.close();
  return { seconds, jobs };
}

const answer = role === 'work' ? await work(first, second) : await produce();
process.stdout.write(JSON.stringify(answer) + '\n', () => process.exit(0));  // a pipe is not written at once
