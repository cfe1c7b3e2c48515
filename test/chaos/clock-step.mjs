/** @file Loaded into a process before its own code: at SIGUSR2 its wall clock steps by up to an hour, to either side. */

const RealDate = Date;
const HOUR = 3_600_000;
let offset = 0;

process.on('SIGUSR2', () => {
  offset += Math.round((2 * Math.random() - 1) * HOUR);
});

globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [RealDate.now() + offset] : given));
  }

  static now() {
    return RealDate.now() + offset;
  }
};
