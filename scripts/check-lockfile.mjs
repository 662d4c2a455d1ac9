// Says whether package-lock.json fits package.json and names no address: each machine installs from its own registry.
import { readFileSync } from 'node:fs'

const read = (name) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'))
const { packages } = read('package-lock.json')
const manifest = read('package.json')
const problems = [
  ...Object.entries(packages)
    .filter(([, each]) => each.resolved !== undefined)
    .map(([path]) => `${path}: has a resolved address`),
  ...Object.entries(packages)
    .filter(([path, each]) => path !== '' && !each.link && each.integrity === undefined)
    .map(([path]) => `${path}: has no integrity hash`),
  ...['dependencies', 'devDependencies'].flatMap((kind) =>
    JSON.stringify(packages[''][kind]) === JSON.stringify(manifest[kind])
      ? []
      : [`${kind} differ from package.json: npm install`],
  ),
]
for (const problem of problems) console.error(`package-lock.json: ${problem}`)
process.exitCode = problems.length > 0 ? 1 : 0
