/** Modules that the guides import and this repository does not install: style sheets, React Native, and the calls of Socket.IO that apps come from. */

declare module "react-native-get-random-values";
declare module "@bacons/text-decoder/install";
declare module "react-native" {
  export const AppState: { addEventListener(type: "change", listener: (state: string) => void): { remove(): void } };
}

declare module "*.css";

declare module "socket.io" {
  type Listen<Self> = (event: string, listener: (...args: never[]) => unknown) => Self;
  type Emitter = { emit(event: string, ...args: unknown[]): boolean; readonly volatile: Emitter };
  export type Socket = {
    readonly handshake: { readonly auth: Record<string, string> };
    readonly rooms: Set<string>;
    readonly data: Record<string, string | undefined>;
    readonly on: Listen<Socket>;
    join(room: string): Promise<void> | void;
    to(room: string): Emitter;
  };
  export class Server {
    constructor(server: import("node:http").Server);
    use(ask: (socket: Socket, next: (error?: Error) => void) => void): this;
    on(event: "connection", listener: (socket: Socket) => void): this;
    to(room: string): Emitter;
    in(room: string): { fetchSockets(): Promise<readonly Pick<Socket, "data">[]> };
  }
}

declare module "socket.io-client" {
  type Socket = {
    on(event: string, listener: (...args: never[]) => unknown): Socket;
    emit(event: string, ...args: unknown[]): Socket;
  };
  export function io(url: string, options: { readonly auth: object }): Socket;
}
