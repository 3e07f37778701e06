package storage

import (
	"context"
)

// A Hook runs around every operation, to log, meter or deny it. done, which may be
// nil, runs when the operation ends; for a download, at Close. If err is not nil, the
// operation fails with err's Code, or with PermissionDenied if err has none. If
// hookCtx is nil, the operation uses ctx.
type Hook func(ctx context.Context, op Operation) (hookCtx context.Context, done func(Outcome), err error)

// An Operation describes a call to a [Hook]. It names whole keys, also if the call
// came through Prefixed. Each batch of [RemoveAll] and the sources of [Compose] pass
// the hooks too; so does the source of [Copy], as a Download through the hooks of its
// own bucket.
type Operation struct {
	Name, Provider, Bucket string
	Key                    string   // or the prefix of a listing
	Keys                   []string // a batch's keys, Compose's sources; else nil
}

// An Outcome tells how an operation ended.
type Outcome struct {
	Err   error
	Bytes int64
	// Requests counts the HTTP requests to the store, with retries and without requests for
	// credentials. It counts calls of the [Driver] instead if the store does not speak HTTP
	// (memory, a local directory) or the driver does not declare CountsRequests. It does so
	// too if the caller supplied the client of Google's or Azure's SDK.
	Requests int
}
