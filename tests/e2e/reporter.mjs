// reporter.mjs: one line per check, the cause under those that failed, and "N passed, N failed" at the end.
export default async function* reporter(events) {
  let passed = 0, failed = 0;
  for await (const { type, data } of events) {
    if (data?.details?.type === 'suite') continue;
    if (type === 'test:pass' && !data.name.endsWith('.mjs')) {
      passed += 1;
      yield `ok    ${data.name} (${Math.round(data.details.duration_ms)} ms)\n`;
    } else if (type === 'test:fail') {
      failed += 1;
      const error = data.details.error;
      yield `FAIL  ${data.name}\n${String(error?.cause?.stack ?? error?.cause ?? error).replace(/^/gm, '        ')}\n`;
    } else if (type === 'test:stderr' || type === 'test:stdout') {
      yield data.message;
    }
  }
  yield `${passed} passed, ${failed} failed\n`;
}
