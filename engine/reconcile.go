package engine

import (
	"context"
	"errors"
	"maps"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/metadata"
)

// An intent describes the object that a write is meant to store.
type intent struct {
	properties storage.Properties // Metadata is the user's, without reserved keys
	native     []any              // the native options of the request
	controls   storage.Controls
	keptTags   int   // number of tags that a copy keeps from its source, in addition to controls.Tags
	size       int64 // bytes
	crc        storage.CRC32C
	condition  storage.Condition
	writeID    string // "" if the write has none
	named      bool   // whether the caller chose writeID; an earlier call may then have used the same id
}

// finishWrite turns the result of the driver into the result for the user. The parameters a and e
// are the result of the driver. If the write failed, finishWrite determines whether it took effect.
func finishWrite(
	ctx context.Context, o *operation, a *storage.Attrs, e *storage.Error, want *intent,
) (*storage.Attrs, *storage.Error) {
	reconciled := e != nil
	if reconciled {
		a, e = reconcile(ctx, o, e, want)
		if e != nil {
			return nil, e
		}
	}

	if want.crc.Known {
		if a.CRC32C.Known && a.CRC32C != want.crc {
			return nil, mismatch(want.crc, a.CRC32C)
		}
		a.CRC32C = want.crc
	}
	if reconciled {
		// The attributes come from Head, so they are complete.
		return o.toUser(ctx, a), nil
	}
	class := a.StorageClass
	a.Size = want.size
	a.Properties = want.properties

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
	// Make a copy, because a driver may keep the map that it was given.
	a.Metadata = maps.Clone(want.properties.Metadata)
	return a, nil
}

// reconcile determines whether a write that failed with e took effect. It reads the object in two
// cases:
//
//   - The outcome of an attempt is unknown (e.Unknown).
//   - The last attempt failed for good, after an earlier attempt had failed. A store may send a
//     408, 429 or 503 although the attempt took effect.
//
// If the object has the write id of this write, the write took effect. In this case, reconcile
// returns the attributes of the object.
func reconcile(ctx context.Context, o *operation, e *storage.Error, want *intent) (*storage.Attrs, *storage.Error) {
	cond := want.condition
	if e.Code == storage.PreconditionFailed && cond.Absent {
		state(e).Absent = true
	}
	if want.named && e.Code == storage.PreconditionFailed && cond.Absent && want.writeID != "" {
		// An earlier call with this write id may have stored the object.
		e.Unknown = true
	}
	if e.Unknown && e.Code == storage.PreconditionFailed && !o.engine.has(storage.Metadata) {
		e.Code = storage.OutcomeUnknown
		e.Hint = "a response was lost: this call may have written the object, and the store keeps no metadata that would tell"
		return nil, e
	}
	if e.Unknown && e.Code == storage.PreconditionFailed && cond == (storage.Condition{}) {
		// The request has no condition, so a gateway sent the 412, not the store.
		e.Code = storage.Unavailable
	}

	retryRefused := state(e).Repeated && (!e.Retryable || mustRestart(e))
	if !e.Unknown && !retryRefused || want.writeID == "" {
		return nil, unresolved(e)
	}
	// Do not retry Head if the store throttles. The attempts of the write have waited long enough.
	o.once = e.Code == storage.RateLimited
	attrs, failure := lookUp(ctx, o, want)
	if failure == nil && metadata.HoldsWriteID(attrs.Metadata, want.writeID) && !want.otherContent(attrs) {
		return attrs, nil
	}
	if retryRefused && ownEffect(e) && failure != nil && failure.Code != storage.ObjectNotFound {
		// The earlier attempt may be what this attempt conflicts with.
		e.Unknown = true
	}
	// If the object is not there or has no such id, nothing shows that our write took effect. The
	// store may still execute our write later, so return the error of our write.
	if e.Code != storage.PreconditionFailed || !e.Unknown || failure != nil {
		return nil, unresolved(e)
	}

	if cond.Absent {
		// The object is of another client, so this write was refused.
		e.Unknown = false
		state(e).Overwritten = errOverwritten(e)
		return nil, e
	}
	return nil, errOverwritten(e)
}

// lookUp reads the attributes of the object that a write was meant to store.
func lookUp(ctx context.Context, o *operation, want *intent) (*storage.Attrs, *storage.Error) {
	if err := ctx.Err(); err != nil {
		return nil, asError(ctx, err)
	}
	return head(ctx, o, &driver.GetRequest{Key: o.key, Length: -1, Native: want.native, Auxiliary: true})
}

// ownEffect reports whether an earlier attempt of the same write can be the cause of e. The earlier
// attempt may have replaced the object that a condition names, replaced the source of an append, or
// completed the multipart upload.
func ownEffect(e *storage.Error) bool {
	switch e.Code {
	case storage.PreconditionFailed, storage.Changed, storage.ObjectNotFound:
		return true
	}
	return false
}

// unresolved returns the error of a write for the caller. If an earlier attempt may have taken
// effect and may be the conflict that e reports, the Code becomes OutcomeUnknown. With Changed, for
// example, a caller would make the same call again.
func unresolved(e *storage.Error) *storage.Error {
	if e.Unknown && (e.Code == storage.PreconditionFailed || e.Code == storage.Changed) {
		e.Code = storage.OutcomeUnknown
		e.Hint = "a response was lost: read the object to see what it holds"
	}
	return e
}

// withoutEffect adapts the error of a request that changes no object, such as a read or the sending
// of a part. It sets e.Unknown to false. If the last response came from a gateway,
// PreconditionFailed becomes Unavailable. A 412 of a gateway does not mean that a condition failed.
func withoutEffect(e *storage.Error) {
	if state(e).LastUnknown && e.Code == storage.PreconditionFailed {
		e.Code = storage.Unavailable
	}
	e.Unknown = false
}

// inheritUnknown sets Unknown in the error of a request, if Unknown is set in the error of an
// earlier request of the same write. Both errors may be nil.
func inheritUnknown(e, prev *storage.Error) {
	if e != nil && prev != nil && prev.Unknown {
		e.Unknown = true
	}
}

// errOverwritten returns the error of a write whose outcome is unknown, because another write has
// stored the object that exists now. It is unknown whether this write took effect before the other
// write.
func errOverwritten(e *storage.Error) *storage.Error {
	return &storage.Error{
		Code:    storage.OutcomeUnknown,
		Unknown: true,
		Err:     errors.New("the response was lost and the object now holds another write"),
		Hint:    "read the object to see what it holds",
		Status:  e.Status,
	}
}

// otherContent reports whether an earlier call with the same write id has stored other bytes. The
// parameter attrs has the attributes of the object. The caller has checked that the object has the
// write id.
func (in *intent) otherContent(attrs *storage.Attrs) bool {
	return in.named && in.crc.Known && attrs.CRC32C.Known && attrs.CRC32C != in.crc
}
