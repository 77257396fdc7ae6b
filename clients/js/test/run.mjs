// Runs the tests, with a certificate that Node trusts: it reads whom to trust when it starts.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROGRAM } from './servers.mjs';

const folder = mkdtempSync(join(tmpdir(), 'chatd-js-'));
execFileSync(PROGRAM, ['dev-cert', folder]);
const here = new URL('.', import.meta.url).pathname;
const files = readdirSync(here).filter((name) => name.endsWith('.test.mjs'));
const flags = process.allowedNodeEnvironmentFlags.has('--experimental-websocket') ? ['--experimental-websocket'] : [];
const { status } = spawnSync(process.execPath, [...flags, '--test', ...files.map((name) => join(here, name))], {
  env: { ...process.env, CHATD_DEV_CERT: folder, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') },
  stdio: 'inherit',
});
rmSync(folder, { recursive: true });
process.exitCode = status ?? 1;
