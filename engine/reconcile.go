package engine

import (
	"context"
	"errors"
	"maps"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/metadata"
)

// An intent is what a write is meant to store.
type intent struct {
	properties storage.Properties // the metadata is the user's
	native     []any              // of the request
	controls   storage.Controls
	keptTags   int   // tags of the source of a copy, beside those of controls
	size       int64 // bytes
	crc        storage.CRC32C
	condition  storage.Condition
	writeID    string // "" if the write has none
	named      bool   // writeID is the caller's, and an earlier call may have used it
}

// finishWrite returns what a write has stored, as the user sees it, or why it
// failed. a and e are the driver's result.
func finishWrite(
	ctx context.Context, o *operation, a *storage.Attrs, e *storage.Error, want *intent,
) (*storage.Attrs, *storage.Error) {
	reconciled := e != nil
	if reconciled {
		if a, e = reconcile(ctx, o, e, want); e != nil {
			return nil, e
		}
	}
	if want.crc.Known {
		if a.CRC32C.Known && a.CRC32C != want.crc {
			return nil, mismatch(want.crc, a.CRC32C)
		}
		a.CRC32C = want.crc
	}
	if reconciled { // Head has returned everything
		return o.toUser(ctx, a), nil
	}
	class := a.StorageClass
	a.Size, a.Properties = want.size, want.properties
	if class != "" {
		a.StorageClass = class
	}
	a.TagCount = len(want.controls.Tags) + want.keptTags
	if r := want.controls.Retention; r != (storage.Retention{}) {
		a.Retention = r
	}
	a.LegalHold = a.LegalHold || want.controls.LegalHold
	a.Metadata = nil
	a = o.toUser(ctx, a)
	a.Metadata = maps.Clone(want.properties.Metadata) // a driver may keep the map that it was given
	return a, nil
}

// reconcile determines whether a failed write took effect. If an attempt may have
// reached the store (e.Unknown), it reads the object's attributes: the write id
// decides whether they are of this write. So it does if a refusal follows an earlier
// failure, because a store's own 408, 429 or 503 may come after the effect, too.
func reconcile(ctx context.Context, o *operation, e *storage.Error, want *intent) (*storage.Attrs, *storage.Error) {
	cond := want.condition
	if e.Code == storage.PreconditionFailed && cond.Absent {
		state(e).Absent = true
	}
	if want.named && e.Code == storage.PreconditionFailed && cond.Absent && want.writeID != "" {
		e.Unknown = true // an earlier call may have been applied
	}
	if e.Unknown && e.Code == storage.PreconditionFailed && !o.core.has(storage.Metadata) {
		e.Code = storage.OutcomeUnknown
		e.Hint = "a response was lost: this call may have written the object, and the store keeps no metadata that would tell"
		return nil, e
	}
	if e.Unknown && e.Code == storage.PreconditionFailed && cond == (storage.Condition{}) {
		e.Code = storage.Unavailable // the request has no condition: the 412 is a gateway's
	}
	refused := state(e).Repeated && (!e.Retryable || mustRestart(e))
	if !e.Unknown && !refused || want.writeID == "" || ctx.Err() != nil {
		return nil, e
	}
	o.once = e.Code == storage.RateLimited // the attempts until now have waited long enough
	found, failed := head(ctx, o, &driver.GetRequest{Key: o.key, Length: -1, Native: want.native, Auxiliary: true})
	if failed == nil && metadata.HoldsWriteID(found.Metadata, want.writeID) && !want.otherContent(found) {
		return found, nil
	}
	if e.Code != storage.PreconditionFailed || !e.Unknown {
		return nil, e // nothing is proven: the request may still be in progress
	}
	if cond.Absent && failed == nil {
		e.Unknown = false // another client's object is there
		state(e).Overwritten = errOverwritten(e)
		return nil, e
	}
	return nil, errOverwritten(e)
}

// withoutEffect is for the error of a request that changes no object, such as a read or a part,
// also within a write. If a gateway made the last response, its 412 does not mean that a
// condition failed.
func withoutEffect(e *storage.Error) {
	if state(e).LastUnknown && e.Code == storage.PreconditionFailed {
		e.Code = storage.Unavailable
	}
	e.Unknown = false
}

// after notes in e that an earlier request of the same write may have taken effect, if that
// request failed with before. Either may be nil.
func after(e, before *storage.Error) {
	if e != nil && before != nil && before.Unknown {
		e.Unknown = true
	}
}

// errOverwritten is for a write that may have taken effect, if the object is another
// write's now: ours may have been there and been replaced.
func errOverwritten(e *storage.Error) *storage.Error {
	return &storage.Error{
		Code:    storage.OutcomeUnknown,
		Unknown: true,
		Err:     errors.New("the response was lost and the object now holds another write"),
		Hint:    "read the object to see what it holds",
		Status:  e.Status,
	}
}

// otherContent reports whether an earlier call with the same write id stored other bytes.
func (in *intent) otherContent(found *storage.Attrs) bool {
	return in.named && in.crc.Known && found.CRC32C.Known && found.CRC32C != in.crc
}
