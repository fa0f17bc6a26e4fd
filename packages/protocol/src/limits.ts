/**
 * The limits that both ends of a socket know, with the reason for each. The server's settings may lower some; no client needs more.
 */

export const BOARD_ID_BYTES_MAX = 128;
/** A full name in any script; 64 characters of 4 bytes. Longer ones are an `error` (v2) or cut at a code point (classic, 32). */
export const USERNAME_BYTES_MAX = 256;
export const CLASSIC_USERNAME_BYTES_MAX = 32;
export const USER_ID_BYTES_MAX = 128;
export const AVATAR_BYTES_MAX = 512;
/** The name of a page, slide or section; a path fits as well. */
export const AREA_BYTES_MAX = 128;
/** The areas that a client may look at by name: more pages than anybody follows at once. */
export const LOOK_AREAS_MAX = 16;
/** As JSON. A roster of `ROSTER_MAX` members stays within 5 MB. */
export const STATE_BYTES_MAX = 4096;
/** Nesting of state, patches and event data; deeper JSON is refused before it is walked. */
export const JSON_DEPTH_MAX = 32;
/** `user_updated`, as JSON: a patch from one state to another also names every old key, and name and avatar may change with it. */
export const PATCH_BYTES_MAX = 3 * STATE_BYTES_MAX + 4096;
export const EVENT_NAME_BYTES_MAX = 64;
export const EVENT_DATA_BYTES_MAX = 4096;
/** The memberIds that a broadcast may name, and the userIds: at 16 and 128 bytes each, with the largest data, it is far below a message. */
export const RECIPIENTS_MAX = 32;
export const ANNOUNCEMENT_BYTES_MAX = 4096;
/** The reason of a kick: the room that the close frame of a WebSocket leaves beside the code. */
export const KICK_REASON_BYTES_MAX = 123;
export const ERROR_MESSAGE_BYTES_MAX = 1024;
/** Large enough for a board's id. */
export const ERROR_REF_BYTES_MAX = 128;
export const TOKEN_BYTES_MAX = 8192;
/** No message of the service is larger, in any encoding: longer rosters come in several. */
export const SERVER_MESSAGE_BYTES_MAX = 65_536;
/** Members that the service introduces to its clients on one board: more people than anybody tells apart. Further ones are counted. */
export const ROSTER_MAX = 1000;
/** `maxPayload` towards clients: a `hello` is under 13 KiB, and a `join` with the largest state has room for a thousand held members. */
export const CLIENT_MESSAGE_BYTES_MAX = 16_384;
export const BOARDS_PER_CONNECTION_MAX = 32;
/** Boards that one connection watches without being on them. */
export const WATCHED_BOARDS_MAX = 1000;
/** Attempts are u32 on every wire: a join a second lasts 136 years. */
export const ATTEMPT_MAX = 0xffff_ffff;

/** Classic ids are one byte: further members are counted, not shown. */
export const CLASSIC_MEMBERS_MAX = 256;
export const CLASSIC_COUNT_MAX = 255;

/** Coordinates up to this are sent in two bytes, others as i32. */
export const COORDINATE_U16_MAX = 0xffff;
/** i32 without its lowest value, which means "hidden" where coordinates are kept as plain numbers. */
export const COORDINATE_MAX = 0x7fff_ffff;
/** Numbers of members (actor, slot) have 30 bits: two flags beside them make a u32. */
export const ACTOR_MAX = 0x3fff_ffff;
/** Earlier samples of a path in one message: at a pace of 100 ms one for each frame of a screen and more. */
export const PATH_POINTS_MAX = 8;
/** So long before the last place a sample may be: longer than the slowest pace. It is one byte. */
export const PATH_MS_MAX = 255;
/** Times are milliseconds since 1970, until the year 2109: six bytes as varint. */
export const TIME_MAX = 2 ** 42 - 1;
/** Numbers of boards, counts and durations on the client wire are u32. */
export const U32_MAX = 0xffff_ffff;
