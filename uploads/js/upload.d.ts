// The types of upload.js.

export interface UploadOptions {
  /** The address of the handler of the Go package uploads, relative to the page. */
  endpoint: string;
  /** The name that the server gets; by default that of the file. */
  filename?: string;
  /** The media type that the server gets; by default that of the file. */
  type?: string;
  /** More for the server, which decides what it stores. */
  metadata?: Record<string, string>;
  /** Headers of requests to the handler, such as Authorization; none goes to the store. */
  headers?: Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>);
  /** Parts that are sent at once; 4. */
  concurrency?: number;
  /**
   * How often a request is repeated after a lost connection or a 5xx response; 8. At most 3 times if the host can
   * be reached, but has never shown the page a response to such a request: then a CORS rule is missing.
   */
  retries?: number;
  /** Milliseconds without progress after which a connection is dead; 60,000. */
  timeout?: number;
  /** Whether the store verifies the CRC32C of each part, if it can; true. */
  checksum?: boolean;
  /** Ends the upload as a closed page does: it can be continued later. */
  signal?: AbortSignal;
  /** Where the file was opened, so that Unfinished.open can open it again. */
  handle?: FileSystemFileHandle;
  /** Where records of uploads are kept; the browser's IndexedDB, in Node.js the memory. */
  journal?: Journal;
}

export interface UploadResult {
  /** The key of the object. */
  key: string;
  /** Its address, if it has a public one or the server sets it. */
  location?: string;
  /** Bytes. */
  size?: number;
  /** The media type, if the server decides by content. */
  type?: string;
}

/**
 * "waiting": another tab sends the same file. "retrying": the browser is offline or requests
 * fail, see nextAttempt.
 */
export type UploadState = 'new' | 'waiting' | 'running' | 'retrying' | 'paused' | 'done' | 'failed' | 'aborted';

export declare class Upload extends EventTarget {
  constructor(file: Blob, options: UploadOptions);
  readonly state: UploadState;
  /** Bytes that are sent, or were in the store before. It falls if a part must be sent again. */
  readonly sent: number;
  /** Bytes of the file. */
  readonly total: number;
  /**
   * When failed requests are repeated. It is null if no request fails, and while the browser
   * is offline: the upload continues when the browser is online again. "state" is
   * emitted when it changes.
   */
  readonly nextAttempt: Date | null;
  /**
   * Sends what the store does not have yet of the file. If it rejects, another Upload of the
   * same file continues, unless abort was called.
   */
  start(): Promise<UploadResult>;
  /** Stops sending until resume. */
  pause(): void;
  /** Continues after pause. */
  resume(): void;
  /** Gives the upload up and removes its parts from the store. start rejects. */
  abort(): Promise<void>;
  addEventListener(type: 'progress' | 'state', listener: (event: Event) => void, options?: boolean | AddEventListenerOptions): void;
}

export declare class UploadError extends Error {
  /** The status of the response; 0 if there was none. */
  readonly status: number;
  /** The handler's code, such as "too_large"; empty if the error is the store's. */
  readonly code: string;
  /** The name of the file that was refused, if it came in a form. */
  readonly file: string;
  /** Whether the same request may succeed later. */
  readonly temporary: boolean;
  /** The body of the response, or the error of the connection. */
  readonly cause?: unknown;
}

/** The uploads of this browser to an endpoint that were begun and not completed. */
export declare function unfinished(options: Pick<UploadOptions, 'endpoint' | 'headers' | 'journal'>): Promise<Unfinished[]>;

export declare class Unfinished {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly began: Date;
  /** Whether open can open the file. */
  readonly hasHandle: boolean;
  /**
   * Opens the file again without a dialog. Call it in the handler of a click, because the
   * browser may ask the user. It returns null if there is no handle, if the user refuses, or
   * if the file has changed.
   */
  open(): Promise<File | null>;
  /** Asks the server how many bytes the store has: 0 if the upload has expired. */
  stored(): Promise<number>;
  /** Whether this is the file, by name, size, time and samples. start compares all bytes that the store has. */
  matches(file: Blob): Promise<boolean>;
  /** Forgets the upload. The server removes its parts when it expires. */
  forget(): Promise<void>;
}

/** A request, as a server returns it: a SignedURL in JSON, or the form of a page. */
export interface SendRequest {
  url: string;
  /** By default PUT. */
  method?: string;
  headers?: Record<string, string | string[]>;
  /** Seconds until the signature expires. */
  expires?: number;
}

export interface SendOptions {
  signal?: AbortSignal;
  /** Milliseconds without progress after which the connection is dead; 60,000. */
  timeout?: number;
  /** Called with the bytes that are sent; never in Node.js. */
  progress?: (sent: number) => void;
}

/**
 * Makes one request with progress, such as one that your server has signed, and returns the
 * body of the response. It rejects with an UploadError. Use Upload for files of users: it
 * continues after a failure.
 */
export declare function send(request: SendRequest, body: Blob | FormData, options?: SendOptions): Promise<string>;

/** Returns a string that tells this file from others and from its later versions. */
export declare function fingerprint(file: Blob): Promise<string>;

/** Returns the CRC32C (Castagnoli) of the content. */
export declare function crc32c(blob: Blob, signal?: AbortSignal): Promise<number>;

/** A record of an upload. It is JSON, except for handle. */
export interface UploadRecord {
  id: string;
  endpoint: string;
  key: string;
  uploadId: string;
  partSize: number;
  checksum?: string;
  /** The CRC32C of each part that was sent, in base64. Without it, a store must list it, or the part is sent again. */
  sums?: Record<number, string>;
  name: string;
  size: number;
  lastModified: number;
  began: number;
  handle?: FileSystemFileHandle;
  result?: UploadResult;
  ended?: number;
}

export interface Journal {
  get(id: string): Promise<UploadRecord | undefined> | UploadRecord | undefined;
  all(): Promise<UploadRecord[]> | UploadRecord[];
  set(id: string, record: UploadRecord): unknown;
  delete(id: string): unknown;
}

export declare const browserJournal: Journal;
