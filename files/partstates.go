package files

import (
	"context"
	"time"
)

// PartStates keeps one small text for each upload in parts, its state. A [Records]
// that implements it, such as that of package sqlrecords, makes uploads in parts work
// on a bucket without conditional writes. Such a bucket then has only the bytes. A
// bucket that enforces IfAbsent and IfRevision keeps the states itself.
//
// Keys are ASCII text of at most 128 bytes, and states are JSON of at most 32 KiB.
// Errors are as in [Records], and so are concurrent calls. Package recordstest has the
// suite, RunPartStates.
type PartStates interface {
	// PartState returns a state and its revision. If there is none, it fails with
	// [storage.ObjectNotFound].
	PartState(ctx context.Context, key string) (state []byte, revision string, err error)
	// SetPartState stores a state, and must not keep the slice. It returns the new
	// revision, which is not "" and which no other write of any key has. It fails with
	// [storage.PreconditionFailed] if the stored state has another revision; so it does
	// if there is none. The revision "" stores a state only if there is none.
	SetPartState(ctx context.Context, key string, state []byte, revision string) (string, error)
	// RemovePartState removes a state that has this revision. If it has another one,
	// or there is none, it returns nil.
	RemovePartState(ctx context.Context, key, revision string) error
	// ListPartStates returns at most limit states (1 to 1,000) whose key is greater
	// than after, by ascending key (compared byte by byte). next is as in
	// [Records].List.
	ListPartStates(ctx context.Context, after string, limit int) (found []ListedPartState, next string, err error)
}

// A ListedPartState is one state that [PartStates] lists.
type ListedPartState struct {
	Key string
	// Idle is how long ago the state was stored, to the second, by the clock of the
	// place that keeps it.
	Idle time.Duration
}
