/** What the tests use of yazl, which comes without types. */
declare module 'yazl' {
  export class ZipFile {
    readonly outputStream: NodeJS.ReadableStream;
    addBuffer(content: Buffer, name: string, options?: { mode?: number; compress?: boolean }): void;
    end(): void;
  }
}
