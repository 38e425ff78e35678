import type { Command } from './command.ts'

/** A command as the overview knows it; its file, and what that needs, is loaded only when the command is used. */
export interface CommandEntry {
  readonly name: string
  readonly summary: string
  load(): Promise<{ readonly command: Command }>
}

/** Every command, in the order of the overview. */
export const COMMANDS: readonly CommandEntry[] = [
  { name: 'run', summary: 'Mirror topics until stopped: the worker.', load: () => import('./run.ts') },
  {
    name: 'plan',
    summary: 'Show what would be mirrored, and what stands in its way.',
    load: () => import('./plan.ts')
  },
  { name: 'status', summary: 'Show how far each partition is mirrored.', load: () => import('./status.ts') },
  { name: 'resume', summary: 'Let a partition go on whose source lost records.', load: () => import('./resume.ts') },
  {
    name: 'import-mm2',
    summary: 'Take over from a stopped MirrorMaker 2, exactly where it stopped.',
    load: () => import('./import-mm2.ts')
  },
  {
    name: 'failover',
    summary: 'Stop a flow for good, tell the loss, and bring groups over.',
    load: () => import('./failover.ts')
  },
  {
    name: 'switchover',
    summary: 'Move to the destination as planned, with nothing lost.',
    load: () => import('./switchover.ts')
  },
  {
    name: 'failback',
    summary: 'Take in a source that came back: what only it has, and the way back.',
    load: () => import('./failback.ts')
  },
  { name: 'stop', summary: 'Let a delayed copy go on up to a time, and no further.', load: () => import('./stop.ts') },
  {
    name: 'start',
    summary: 'Let workers mirror a flow again that was stopped.',
    load: () => import('./start.ts')
  },
  { name: 'verify', summary: 'Compare source and destination record by record.', load: () => import('./verify.ts') },
  {
    name: 'translate',
    summary: 'Tell the destination offset of a source offset.',
    load: () => import('./translate.ts')
  },
  {
    name: 'config',
    summary: 'Show the effective configuration and where it came from.',
    load: () => import('./config.ts')
  },
  {
    name: 'doctor',
    summary: 'Check everything that a worker will need, and say what to fix.',
    load: () => import('./doctor.ts')
  },
  {
    name: 'completion',
    summary: 'Print a script that completes commands and options in a shell.',
    load: async () => ({ command: (await import('./completion.ts')).completionCommand(COMMANDS) })
  }
]
