// What a worker of Piscina runs: nothing.
export default (n) => n;
