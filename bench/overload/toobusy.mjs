// The same server on Node's http, without a rule or with toobusy-js:
//   node toobusy.mjs none|toobusy WORK_US
// The package is found from the directory MODULES. Routes and output are those of serve.cpp.
import { createRequire } from 'node:module';
import http from 'node:http';

const [rule, workUs] = process.argv.slice(2);
const tooBusy = rule === 'toobusy' ? createRequire(process.env.MODULES + '/')('toobusy-js') : null;
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

function work(steps) {
  let value = 2463534242;
  for (let step = 0; step < steps; ++step) {
    value ^= value << 13;
    value ^= value >>> 17;
    value ^= value << 5;
  }
  return value;
}

function stepsInAMs() {
  const steps = 2_000_000;
  let best = 0;
  for (let i = 0; i < 30; ++i) {
    const begin = nowMs();
    if (work(steps) === 0) throw new Error();
    best = Math.max(best, steps / (nowMs() - begin));
  }
  return best;
}

const inAMs = stepsInAMs();
const steps = Math.round(inAMs * Number(workUs) / 1e3);
let refused = 0, falseRefusals = 0, falseForMs = 0, stalledUntil = 0;

const server = http.createServer((request, response) => {
  if (request.url === '/stall') {
    const done = work(Math.round(inAMs * 1000)) !== 0;
    stalledUntil = nowMs();
    response.end(String(done));
  } else if (request.url === '/status') {
    response.end(JSON.stringify({ refused, false: falseRefusals, false_for_ms: falseForMs }));
  } else if (tooBusy !== null && tooBusy()) {
    ++refused;
    if (stalledUntil > 0) {
      ++falseRefusals;
      falseForMs = nowMs() - stalledUntil;
    }
    response.statusCode = 503;
    response.end('busy');
  } else {
    response.end(String(work(steps)));
  }
});
server.listen(0, '127.0.0.1', 4096, () => console.log(server.address().port));
