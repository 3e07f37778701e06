package engine

import (
	"cmp"
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

// finishWrite turns attrs and err, the results of the driver's write, into those for the user. If the
// write failed, finishWrite determines whether it took effect nevertheless. want has the object that
// was to be written.
func finishWrite(
	ctx context.Context, o *operation, attrs *storage.Attrs, err *storage.Error, want *intent,
) (*storage.Attrs, *storage.Error) {
	// A failed write may have taken effect, and then it counts as a success.
	wasReconciled := err != nil
	if wasReconciled {
		attrs, err = reconcile(ctx, o, err, want)
		if err != nil {
			return nil, err
		}
	}

	// The object must have the checksum that was sent.
	if want.crc.Known {
		if attrs.CRC32C.Known && attrs.CRC32C != want.crc {
			return nil, mismatch(want.crc, attrs.CRC32C)
		}
		attrs.CRC32C = want.crc
	}
	if wasReconciled {
		// The attributes come from the Head of reconcile, so they are complete.
		return o.toUser(ctx, attrs), nil
	}

	// The response to a write has few attributes, so add those that were sent. The metadata come after
	// toUser, which would decode them, although they are as the user gave them. They are a copy, because
	// a driver may keep the map that it was given.
	want.addSent(attrs)
	attrs.Metadata = nil
	attrs = o.toUser(ctx, attrs)
	attrs.Metadata = maps.Clone(want.properties.Metadata)
	return attrs, nil
}

// addSent completes the attributes in the response to a write, which are few, by those that were sent.
// The response decides only the storage class, because a store may have chosen one.
func (in *intent) addSent(attrs *storage.Attrs) {
	class := cmp.Or(attrs.StorageClass, in.properties.StorageClass)
	attrs.Size = in.size
	attrs.Properties = in.properties
	attrs.StorageClass = class
	attrs.TagCount = len(in.controls.Tags) + in.keptTags
	if retention := in.controls.Retention; retention != (storage.Retention{}) {
		attrs.Retention = retention
	}
	attrs.LegalHold = attrs.LegalHold || in.controls.LegalHold
}

// reconcile finds out whether a write that failed with err took effect, and then returns the attributes
// of the object, which has the id of this write. It reads the object in two cases:
//
//   - The outcome of an attempt is unknown (err.Unknown).
//   - The last attempt failed for good, after an earlier attempt had failed. A store may send a
//     408, 429 or 503 although the attempt took effect.
func reconcile(ctx context.Context, o *operation, err *storage.Error, want *intent) (*storage.Attrs, *storage.Error) {
	if err.Code == storage.PreconditionFailed {
		err = want.conditionFailure(o.engine, err)
		if err.Code == storage.OutcomeUnknown {
			return nil, err
		}
	}

	// Only a write id shows that the object is that of this write.
	retryRefused := state(err).Repeated && (!err.Retryable || mustRestart(err))
	mayHaveTakenEffect := err.Unknown || retryRefused
	canRecognize := want.writeID != ""
	if !mayHaveTakenEffect || !canRecognize {
		return nil, unresolved(err)
	}

	// Do not retry Head if the store throttles. The attempts of the write have waited long enough.
	o.once = err.Code == storage.RateLimited
	attrs, headErr := lookUp(ctx, o, want)
	if headErr == nil {
		if want.isStoredAs(attrs) {
			return attrs, nil
		}
		return nil, want.errOtherObject(err)
	}

	// Nothing shows that this write took effect. Each error of Head but ObjectNotFound leaves unknown
	// whether the object exists. The last attempt may then have failed because of an earlier one.
	mayExist := headErr.Code != storage.ObjectNotFound
	if retryRefused && mayBeOwnEffect(err) && mayExist {
		err.Unknown = true
	}
	return nil, unresolved(err)
}

// isStoredAs reports whether the object with these attributes is the one that the write has stored: it
// has the write id, and not other bytes.
func (in *intent) isStoredAs(attrs *storage.Attrs) bool {
	return metadata.HoldsWriteID(attrs.Metadata, in.writeID) && !in.otherContent(attrs)
}

// errOtherObject returns the error of a write that failed with err and did not store the object that
// exists.
func (in *intent) errOtherObject(err *storage.Error) *storage.Error {
	isConflict := err.Code == storage.PreconditionFailed && err.Unknown
	if !isConflict {
		return unresolved(err)
	}
	if in.condition.Absent {
		// For IfAbsent, it is enough to say that the key exists. But Update would repeat a refused write,
		// and this one may have taken effect before the other. So Update reports Overwritten instead.
		err.Unknown = false
		state(err).Overwritten = errOverwritten(err)
		return err
	}
	return errOverwritten(err)
}

// conditionFailure adapts the error PreconditionFailed of a write, and changes the Code if the
// error does not prove that a condition of this write failed. Unknown of the result is true if this
// write may have stored the object nevertheless.
func (in *intent) conditionFailure(e *engine, err *storage.Error) *storage.Error {
	if in.condition.Absent {
		// After IfAbsent, the text of the error says that the key exists.
		state(err).Absent = true
		// If the caller has chosen the write id, an earlier call with this id may have stored the object.
		if in.named && in.writeID != "" {
			err.Unknown = true
		}
	}
	if !err.Unknown {
		// No attempt can have changed the object, so the condition has failed.
		return err
	}

	// An earlier attempt may have written the object, and made the condition fail. Only the write id in
	// the metadata could show that.
	if !e.has(storage.Metadata) {
		err.Code = storage.OutcomeUnknown
		err.Hint = "a response was lost: this call may have written the object, and the store keeps no metadata that would tell"
		return err
	}

	if in.condition == (storage.Condition{}) {
		// The request has no condition, so a gateway sent the 412, not the store.
		err.Code = storage.Unavailable
	}
	return err
}

// lookUp reads the attributes of the object that the write should have stored.
func lookUp(ctx context.Context, o *operation, want *intent) (*storage.Attrs, *storage.Error) {
	if err := ctx.Err(); err != nil {
		return nil, asError(ctx, err)
	}
	return head(ctx, o, &driver.GetRequest{Key: o.key, Length: -1, Native: want.native, Auxiliary: true})
}

// mayBeOwnEffect reports whether an earlier attempt of the same write can be the cause of err. That
// attempt may have replaced the object that a condition names or the source of an append, or
// completed the multipart upload.
func mayBeOwnEffect(err *storage.Error) bool {
	switch err.Code {
	case storage.PreconditionFailed, storage.Changed, storage.ObjectNotFound:
		return true
	}
	return false
}

// unresolved returns err with the Code OutcomeUnknown if an earlier attempt may have taken effect, and
// may be the conflict that err reports. With Changed, a caller would make the same call again.
func unresolved(err *storage.Error) *storage.Error {
	if err.Unknown && (err.Code == storage.PreconditionFailed || err.Code == storage.Changed) {
		err.Code = storage.OutcomeUnknown
		err.Hint = "a response was lost: read the object to see what it holds"
	}
	return err
}

// withoutEffect adapts the error of a request that changes no object, such as a read or the sending
// of a part, so that its outcome is not unknown.
func withoutEffect(err *storage.Error) {
	if state(err).LastUnknown && err.Code == storage.PreconditionFailed {
		// The 412 may be that of a gateway, which does not mean that a condition failed.
		err.Code = storage.Unavailable
	}
	err.Unknown = false
}

// inheritUnknown sets Unknown in the error of a request, if Unknown is set in the error of an
// earlier request of the same write. Both errors may be nil.
func inheritUnknown(err, prev *storage.Error) {
	if err != nil && prev != nil && prev.Unknown {
		err.Unknown = true
	}
}

// errOverwritten returns the error of a write whose outcome is unknown, because another write, which
// may have followed it, has stored the object that exists now.
func errOverwritten(err *storage.Error) *storage.Error {
	return &storage.Error{
		Code:    storage.OutcomeUnknown,
		Unknown: true,
		Err:     errors.New("the response was lost and the object now holds another write"),
		Hint:    "read the object to see what it holds",
		Status:  err.Status,
	}
}

// otherContent reports whether an earlier call with the same write id has stored other bytes. The
// parameter attrs has the attributes of the object. The caller has checked that the object has the
// write id.
func (in *intent) otherContent(attrs *storage.Attrs) bool {
	return in.named && in.crc.Known && attrs.CRC32C.Known && attrs.CRC32C != in.crc
}
