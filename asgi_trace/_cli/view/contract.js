// The types of the page's data, generated from contract.py: python -m tests.unit.cli.test_viewer_contract

export const VERSION = 3;

/**
 * The requests: a list for each of the columns, with one value per request.
 * @typedef {object} Requests
 * @property {string[]} id the request id
 * @property {number[]} session the place of its session in `sessions`; -1: it has none
 * @property {number[]} service the place of its service in `services`; -1: unknown
 * @property {number[]} parent the number of the request that called it; -1: none is known
 * @property {(string | null)[]} span its own span id
 * @property {(string | null)[]} method the HTTP method
 * @property {(string | null)[]} path the path of its access line, with the query
 * @property {(number | null)[]} status the HTTP status
 * @property {number[]} start when it began, in tenths of a millisecond
 * @property {(number | null)[]} first_byte when its body began, the same
 * @property {number[]} end when it ended, as far as is known, the same
 * @property {(number | null)[]} duration its duration as measured, in milliseconds
 * @property {(string | null)[]} outcome how it ended, such as `crash`
 * @property {(string | null)[]} call the MCP call
 * @property {(string | null)[]} trace the W3C trace id
 * @property {number[]} lines how many lines it has
 * @property {number[]} first_line the number of its first line
 * @property {number[]} level the worst level of its lines: 0 none, 1 debug … 5 critical
 * @property {number[]} late how many lines came after its end
 */

/**
 * One request: a value for each of the columns.
 * @typedef {object} Request
 * @property {string} id the request id
 * @property {number} session the place of its session in `sessions`; -1: it has none
 * @property {number} service the place of its service in `services`; -1: unknown
 * @property {number} parent the number of the request that called it; -1: none is known
 * @property {string | null} span its own span id
 * @property {string | null} method the HTTP method
 * @property {string | null} path the path of its access line, with the query
 * @property {number | null} status the HTTP status
 * @property {number} start when it began, in tenths of a millisecond
 * @property {number | null} first_byte when its body began, the same
 * @property {number} end when it ended, as far as is known, the same
 * @property {number | null} duration its duration as measured, in milliseconds
 * @property {string | null} outcome how it ended, such as `crash`
 * @property {string | null} call the MCP call
 * @property {string | null} trace the W3C trace id
 * @property {number} lines how many lines it has
 * @property {number} first_line the number of its first line
 * @property {number} level the worst level of its lines: 0 none, 1 debug … 5 critical
 * @property {number} late how many lines came after its end
 */

/**
 * One outgoing call of a request, as far as the log has a line about it.
 * @typedef {object} Call
 * @property {number} request the number of the request that made the call
 * @property {number} callee the number of the request that answered it; -1: none is in the logs
 * @property {number} start when it began
 * @property {number} end when it ended
 * @property {string} title its method, host and path
 * @property {number | null} status the HTTP status of the answer
 * @property {string | null} error the error that ended it without an answer
 * @property {number} attempt 1; more for a repeated attempt
 */

/**
 * The data that is about the whole trace.
 * @typedef {object} Head
 * @property {number} version the version of the data
 * @property {string} title the title of the page
 * @property {number} created when the page was made, in milliseconds since the epoch
 * @property {number} base the time of the first line, in milliseconds since the epoch
 * @property {string[]} files the names of the logs
 * @property {number} lines how many lines the chunks have
 * @property {string} summary what was read of the logs, in one sentence
 * @property {number} unknown how many lines belong to no request
 * @property {boolean} whole_seconds whether most times of the log have no fraction of a second
 * @property {string[]} left_out sentences about lines that are missing or changed
 * @property {number} chunk_lines how many lines each chunk but the last has
 * @property {string[]} notes sentences about the logs, such as clocks that differ
 * @property {string[]} sessions the session ids
 * @property {string[]} services the names of the services
 * @property {string[]} templates the messages of errors, without their numbers and ids
 * @property {Call[]} calls the outgoing calls, in the order of their ends
 * @property {Requests} requests the requests, in the order of their first lines
 * @property {[number, number, number][]} gaps request, from, to: it logged nothing meanwhile
 * @property {[number, number][]} silences from, to: no open request logged anything meanwhile
 */

/**
 * Lines in columns, in the order of their times.
 * @typedef {object} Chunk
 * @property {number[]} t milliseconds after the line before; of the first line, its time
 * @property {number[]} level 0 none, 1 debug … 5 critical
 * @property {number[]} request the number of the line's request; -1: none
 * @property {number[]} late the places of the lines that came after their request's end
 * @property {number | number[]} file the place of the log in `files`, one for all or each
 * @property {number | number[]} service the place of its service in `services`, one for all or each; -1: unknown
 * @property {[number, number][]} errors the places of the lines that are errors, and of their `templates`
 * @property {string[]} text the line as it stands in the log, without its head, which is before the message
 * @property {number | number[]} message where in the text the head is left out, and the message begins; one for all or each
 * @property {string[]} heads the heads: texts that many lines have before the message; one may be empty
 * @property {number | number[]} head the place of the line's head in `heads`, one for all or each
 */

/**
 * Lines that a followed log has gained, and what they change.
 * @typedef {object} News
 * @property {number} base as in the head, where it is 0 while the log is empty
 * @property {boolean} whole_seconds as in the head
 * @property {[number, Request][]} requests number and values of new or changed requests
 * @property {string[]} sessions new session ids
 * @property {string[]} services new services
 * @property {string[]} templates new templates
 * @property {Call[]} calls new outgoing calls
 * @property {[number, number][]} answered earlier outgoing calls and their callees
 * @property {string[]} notes all notes
 * @property {Chunk} chunk the new lines
 * @property {[number, number][]} moved earlier lines and their new requests
 * @property {[number, number, number][] | null} gaps all gaps, if there are new gaps or silences
 * @property {[number, number][] | null} silences all silences, if gaps has all gaps
 */
