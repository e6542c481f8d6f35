"""beanstalkd at the same counter: reads the loads as JSON from standard input, writes one JSON object a line."""

import json
import socket
import subprocess
import sys
import threading
import time

SLOTS = 4
WAYS = [('one line', [('counter', SLOTS)], 'counter', 1024),
        ('priorities', [('counter', SLOTS)], 'counter', 1),
        ('1 slot of its own', [('drinks', 1), ('counter', SLOTS - 1)], 'drinks', 1024)]


class Client:
    def __init__(self, port, tube):
        self.socket = socket.create_connection(('127.0.0.1', port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines = self.socket.makefile('rb')
        self.ask(f'use {tube}')
        self.ask(f'watch {tube}')
        if tube != 'default':
            self.ask('ignore default')

    def ask(self, text):
        self.socket.sendall(text.encode() + b'\r\n')
        return self.lines.readline().decode().split()

    def put(self, job, priority):
        body = json.dumps(job)
        answer = self.ask(f'put {priority} 0 600 {len(body)}\r\n{body}')
        assert answer[0] == 'INSERTED', answer

    def reserve(self):
        """(id, job), or nothing for half a second."""
        answer = self.ask('reserve-with-timeout 1')
        if answer[0] != 'RESERVED':
            return None
        body = self.lines.read(int(answer[2]) + 2)
        return answer[1], json.loads(body)


class Counter:
    def __init__(self, load, way, port):
        self.load, self.port = load, port
        self.name, self.pools, self.drinks, self.priority = way
        self.lock = threading.Condition()
        self.waits, self.burgers_took = [], 0
        self.burgers_left, self.left = len(load['burgers_ms']), len(load['burgers_ms']) + load['drinks']

    def slot(self, tube):
        client = Client(self.port, tube)
        while True:
            with self.lock:
                if self.left == 0:
                    return
            reserved = client.reserve()
            if reserved is None:
                continue
            number, job = reserved
            if job['drink']:
                self.waits.append((time.perf_counter() - job['at']) * 1000)
            time.sleep(job['ms'] / 1000)
            client.ask(f'delete {number}')
            with self.lock:
                self.left -= 1
                if not job['drink']:
                    self.burgers_left -= 1
                    if self.burgers_left == 0:
                        self.burgers_took = time.perf_counter() - self.begin

    def serve(self):
        threads = [threading.Thread(target=self.slot, args=(tube,)) for tube, slots in self.pools for _ in range(slots)]
        self.begin = time.perf_counter()
        for thread in threads:
            thread.start()
        burgers, drinks = Client(self.port, 'counter'), Client(self.port, self.drinks)
        for ms in self.load['burgers_ms']:
            burgers.put({'drink': False, 'ms': ms}, 1024)
        first = time.perf_counter()
        for i in range(self.load['drinks']):
            time.sleep(max(0, first + (i + 1) * self.load['every_ms'] / 1000 - time.perf_counter()))
            drinks.put({'drink': True, 'ms': self.load['drink_ms'], 'at': time.perf_counter()}, self.priority)
        for thread in threads:
            thread.join()
        rate = len(self.load['burgers_ms']) / self.burgers_took
        print(json.dumps({'who': 'beanstalkd', 'way': self.name, 'load': self.load['name'], 'burgers_per_s': rate,
                          'waits_ms': self.waits}), flush=True)


def main():
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(['beanstalkd', '-l', '127.0.0.1', '-p', str(port)])
    try:
        for _ in range(100):
            try:
                Client(port, 'default')
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        for load in json.load(sys.stdin):
            for way in WAYS:
                Counter(load, way, port).serve()
    finally:
        server.terminate()
        server.wait()


if __name__ == '__main__':
    main()
