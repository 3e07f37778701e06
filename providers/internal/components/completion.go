package components

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/hexid"
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// A Completion is one call of CompleteParts for an open upload. An upload is open as long as its
// marker exists. The store cannot change the marker and the object in one step, and several
// processes may complete the same upload. So a call first writes a decision into the marker. The
// decision says which call writes the object, and which revision of the object that call replaces.
//
// Only the call in the decision writes the object. If the write certainly failed, the call clears
// the decision. If the result of the write is unknown and the old object is unchanged, the call
// also clears the decision. Another call can then write a decision.
//
// If the call in the decision does not end, another call may write a new decision with the same
// revision of the object. The store then makes the object only if the key still has that revision.
// No store uses a revision twice, so at most one of the two calls makes the object.
//
// If the key had no object, the decision has no revision. Such a decision is never replaced,
// because the object might have been made and then removed. The upload has then ended.
type Completion struct {
	Store  driver.Driver
	Marker string // key of the marker
	// Prepare does everything before the request that makes the object. It may be called several
	// times.
	Prepare func(ctx context.Context) error
	// Commit makes the object by one request, if the condition holds.
	Commit func(ctx context.Context, c storage.Condition) (*storage.Attrs, error)
	// Drop removes first the marker and then the parts.
	Drop func(ctx context.Context) error

	request *driver.CompleteRequest
}

const (
	// maxDecisions is the largest number of decisions of one call. A call makes a new decision if
	// another write to the key came first.
	maxDecisions = 16
	// patience is how long a call waits for another call that has written a decision into the
	// marker. After that time, the process of the other call is assumed to have died.
	patience = 10 * time.Second
	// cleanup is how long the requests after a failure may take. They continue even if the caller's
	// context has ended.
	cleanup = 5 * time.Second

	firstPause, longestPause = 20 * time.Millisecond, time.Second
	releases                 = 3 // attempts to clear the decision in the marker, or to remove the parts
)

// A decision says which call makes the object, and under which condition. The zero value means that
// no call makes it now.
type decision struct {
	Call     string `json:"c,omitempty"` // CompleteRequest.Call
	Absent   bool   `json:"a,omitempty"`
	Revision string `json:"r,omitempty"`
	// Taken is true if this decision has replaced the decision of another call. That call may have
	// made the object.
	Taken bool `json:"t,omitempty"`
	Made  bool `json:"m,omitempty"` // true if the object was made, but the marker could not be removed
}

func (d *decision) condition() storage.Condition {
	return storage.Condition{Absent: d.Absent, Revision: d.Revision}
}

// matches reports whether the key still has the object that it had at the decision, or still has
// none if it had none. attrs is nil if the key has no object now.
func (d *decision) matches(attrs *storage.Attrs) bool {
	if attrs == nil {
		return d.Absent
	}
	return d.Revision != "" && d.Revision == attrs.Revision
}

type marker struct {
	decision
	key      string
	revision string
}

const decisionName = "omnibucketdecision" // name of the decision in the marker's metadata

// ErrEnded is the error for an upload that was completed or aborted.
var ErrEnded = &storage.Error{
	Code: storage.ObjectNotFound,
	Hint: "the upload was completed or aborted: begin another one",
}

// errEndedUnknown is the error for an upload that has ended, if another object has the key. Nobody
// knows whether the upload has stored its own object. The other object may have replaced the
// upload's object. Or the other object was stored first, and the upload's object was never stored.
var errEndedUnknown = &storage.Error{
	Code:    storage.ObjectNotFound,
	Unknown: true,
	Hint:    "the upload has ended, and another object has its key: begin another upload if this one must be stored",
}

// CheckOpen checks, after a part was stored, that the upload of the part is still open. If the upload was
// completed or aborted meanwhile, nobody else would remove the part. CheckOpen then calls remove to remove
// it, and returns [ErrEnded].
func CheckOpen(
	ctx context.Context, isOpen func(context.Context) (bool, error), remove func(context.Context) error,
) error {
	open, err := isOpen(ctx)
	if err != nil || open {
		return err
	}

	// Remove the part even if the context of the call ends.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), RemovalTimeout)
	defer cancel()
	_ = remove(ctx) // ListUploads lists a part that stays
	return ErrEnded
}

// RemovalTimeout is how long the removal of parts may take. It continues even if the caller's
// context has ended.
const RemovalTimeout = 30 * time.Second

// IsOpen reports whether an upload still accepts parts. metadata is that of its marker.
func IsOpen(metadata map[string]string) bool { return !decisionOf(metadata).Made }

// decisionOf returns the decision in the metadata of a marker, or the zero decision if there is none.
func decisionOf(metadata map[string]string) decision {
	var d decision
	text, err := base64.RawURLEncoding.DecodeString(metadata[decisionName])
	if err == nil {
		_ = json.Unmarshal(text, &d) // without text, d stays zero
	}
	return d
}

// Run completes the upload, in up to maxDecisions attempts if other writes to the key come first.
func (c *Completion) Run(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	request := *r
	request.Call = cmp.Or(r.Call, hexid.New(8))
	c.request = &request
	for range maxDecisions {
		// Before this call may make the object, no other call may be about to make it.
		current, err := c.awaitDecision(ctx)
		if err != nil {
			return nil, err
		}
		if err := c.Prepare(ctx); err != nil {
			return nil, err
		}
		attrs, retry, err := c.attempt(ctx, current)
		if !retry {
			return attrs, err
		}
	}
	return nil, &storage.Error{
		Code:      storage.Unavailable,
		Retryable: true,
		Err:       errors.New("other writes replaced the object each time before the parts were joined"),
	}
}

// awaitDecision waits until the marker has no decision of another call, and returns the marker. If
// the marker stays the same for too long, the other call has died, and this call takes over.
func (c *Completion) awaitDecision(ctx context.Context) (*marker, error) {
	revision := ""          // of the marker
	var firstSeen time.Time // when this call first saw that revision
	pause := firstPause
	for {
		m, err := c.read(ctx)
		if err != nil {
			return nil, err
		}
		if m.Made {
			return nil, ErrEnded
		}
		if m.Call == "" || m.Call == c.request.Call {
			return m, nil
		}

		// The marker has the decision of another call.
		if m.revision != revision {
			revision = m.revision
			firstSeen = time.Now()
		}

		// The other call may have made the object already. A credential that may not read the object cannot
		// find that out.
		object, err := c.lookupOpen(ctx)
		if err != nil && storage.CodeOf(err) != storage.PermissionDenied {
			return nil, err
		}
		if time.Since(firstSeen) < patience {
			if err := running.Sleep(ctx, pause); err != nil {
				return nil, err
			}
			pause = min(2*pause, longestPause)
			continue
		}

		// The other call has probably died.
		newMarker, err := c.takeOver(ctx, m, object)
		if err != errReplaced {
			return newMarker, err
		}
		// Read the marker that another call has written.
	}
}

// takeOver replaces the decision of a call that has died by one of this call, and returns the new
// marker. It fails with errReplaced if another call has replaced m first. object is the object of the
// key, or nil if there is none or this call may not read it.
func (c *Completion) takeOver(ctx context.Context, m *marker, object *storage.Attrs) (*marker, error) {
	// Unless the key certainly has the object of the decision still, the dead call may have made its
	// object, which may have been replaced or removed since. The upload has then ended.
	if object == nil || !m.matches(object) {
		return nil, ErrEnded
	}
	return c.write(ctx, m, decision{Call: c.request.Call, Revision: m.Revision, Taken: true})
}

// lookupOpen returns the object that the key has now, or nil. If this upload has made that object,
// lookupOpen ends the upload and fails with ErrEnded, after which the engine looks for the object.
func (c *Completion) lookupOpen(ctx context.Context) (*storage.Attrs, error) {
	attrs, isMade, err := c.lookup(ctx)
	if isMade {
		c.cleanUp(ctx)
		return nil, ErrEnded
	}
	return attrs, err
}

// attempt tries once to make the object, and reports whether Run must call it again because another
// write to the key came first.
func (c *Completion) attempt(ctx context.Context, m *marker) (attrs *storage.Attrs, retry bool, err error) {
	// If the marker has a decision already, an earlier attempt may have made the object.
	isFirst := m.Call == ""
	if isFirst {
		var err error
		m, err = c.decide(ctx, m)
		if err == errReplaced {
			return nil, true, nil
		}
		if err != nil {
			return nil, false, err
		}
	}

	attrs, err = c.Commit(ctx, m.condition())
	if err != nil {
		return c.resolveFailure(ctx, m, isFirst, err)
	}
	c.dropMade(ctx, m)
	return attrs, false, nil
}

// decide writes into the marker that this call makes the object, and returns the new marker. It fails with
// errReplaced if another call has replaced m first.
func (c *Completion) decide(ctx context.Context, m *marker) (*marker, error) {
	d, err := c.newDecision(ctx)
	if err != nil {
		return nil, err
	}
	return c.write(ctx, m, d)
}

// newDecision returns the decision that this call makes the object under the condition of the
// request. If the request has none, the condition is that the key is as it is now.
func (c *Completion) newDecision(ctx context.Context) (decision, error) {
	put := c.request.Put
	d := decision{Call: c.request.Call, Absent: put.Condition.Absent, Revision: put.Condition.Revision}
	hasCondition := put.Condition != (storage.Condition{})
	if hasCondition {
		return d, nil
	}

	object, err := c.lookupOpen(ctx)
	if storage.CodeOf(err) == storage.PermissionDenied {
		// A credential that may not read the object makes it without a condition.
		return d, nil
	}
	if err != nil {
		return decision{}, err
	}
	if object == nil {
		d.Absent = true
		return d, nil
	}
	d.Revision = object.Revision
	return d, nil
}

// resolveFailure finds out whether a failed Commit, or one of an earlier attempt, has made the object
// nevertheless. If so, it returns the object. If not, it lets other calls complete the upload, and
// returns failure, or true for retry if the caller must try again. isFirst is true if there was no
// earlier attempt.
func (c *Completion) resolveFailure(
	ctx context.Context, m *marker, isFirst bool, failure error,
) (attrs *storage.Attrs, retry bool, err error) {
	// Find out even if the context of the call has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	object, isMade, lookupErr := c.lookup(ctx)
	if isMade {
		c.dropMade(ctx, m)
		return object, false, nil
	}

	// An earlier attempt may have made the object, and another writer may have changed it since.
	isConflict := storage.CodeOf(failure) == storage.PreconditionFailed
	if isConflict && !isFirst {
		return nil, false, errEndedUnknown
	}

	// If the object may have been made, only an unchanged key shows that it was not.
	mayBeMade := !isFirst || isUncertain(failure)
	if mayBeMade {
		isUnchanged := lookupErr == nil && m.matches(object)
		if !isUnchanged {
			return nil, false, failure
		}
	}

	// The object was not made.
	retry, err = c.withdraw(ctx, m, failure)
	return nil, retry, err
}

// isUncertain reports whether a request that failed may have had its effect nevertheless.
func isUncertain(failure error) bool {
	storageErr, ok := errors.AsType[*storage.Error](failure)
	return ok && (storageErr.Unknown || storageErr.Retryable)
}

// withdraw clears the decision in the marker after Commit has failed with failure, so that another
// call can complete the upload. retry is true if this call should make a new decision.
func (c *Completion) withdraw(ctx context.Context, m *marker, failure error) (retry bool, err error) {
	releaseErr := c.release(ctx, m)

	// Without a condition of the caller, a conflict only means that the key has changed since the
	// decision.
	isConflict := storage.CodeOf(failure) == storage.PreconditionFailed
	retry = isConflict && c.request.Put.Condition == (storage.Condition{})
	if retry && releaseErr != nil {
		return false, releaseErr
	}
	return retry, failure
}

// release clears the decision in the marker m, unless another call has replaced it. It repeats a failed
// write of the marker up to two times.
func (c *Completion) release(ctx context.Context, m *marker) error {
	for attempt := 1; ; attempt++ {
		_, err := c.write(ctx, m, decision{})
		if err == errReplaced {
			return nil
		}
		if err == nil || attempt == releases {
			return err
		}
		if running.Sleep(ctx, firstPause) != nil {
			return err
		}
	}
}

// lookup returns the object that the key has now, or nil, and whether this upload has made that
// object.
func (c *Completion) lookup(ctx context.Context) (attrs *storage.Attrs, isMade bool, err error) {
	put := c.request.Put
	attrs, err = c.Store.Head(ctx, &driver.GetRequest{Key: put.Key, Length: -1, Native: put.Native, Auxiliary: true})
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	id := put.Metadata[metadata.WriteIDName]
	return attrs, id != "" && attrs.Metadata[metadata.WriteIDName] == id, nil
}

// read returns the marker of the upload, or ErrEnded if there is none, because the upload was completed
// or aborted.
func (c *Completion) read(ctx context.Context) (*marker, error) {
	attrs, err := c.Store.Head(ctx, &driver.GetRequest{Key: c.Marker, Length: -1, Auxiliary: true})
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, ErrEnded
	}
	if err != nil {
		return nil, err
	}
	return &marker{decision: decisionOf(attrs.Metadata), key: Key(attrs.Metadata), revision: attrs.Revision}, nil
}

// errReplaced means that another call has replaced a marker before this call could.
var errReplaced = errors.New("another call has replaced the marker")

// write replaces the marker m by a marker with the decision d, or without a decision if d is zero. It
// returns the new marker, or errReplaced if another call has replaced m first.
func (c *Completion) write(ctx context.Context, m *marker, d decision) (*marker, error) {
	metadata := MarkerMetadata(m.key)
	if d != (decision{}) {
		text, _ := json.Marshal(d) // cannot fail for strings and bools
		metadata[decisionName] = base64.RawURLEncoding.EncodeToString(text)
	}
	attrs, err := c.Store.Put(ctx, &driver.PutRequest{
		Key:        c.Marker,
		Body:       bytes.NewReader(nil),
		CRC32C:     storage.CRC32C{Sum: 0, Known: true},
		Properties: storage.Properties{ContentType: ContentType, Metadata: metadata},
		Condition:  storage.Condition{Revision: m.revision},
	})
	if err != nil {
		return c.resolveWrite(ctx, m, d, err)
	}
	return &marker{decision: d, key: m.key, revision: attrs.Revision}, nil
}

// resolveWrite finds out what a failed write of the decision d into the marker has done. Like write, it
// returns the new marker if the write has succeeded nevertheless, and errReplaced if another call has
// replaced the marker.
func (c *Completion) resolveWrite(ctx context.Context, old *marker, d decision, failure error) (*marker, error) {
	// Find out the result even if ctx has ended. If the decision of an ended call stayed in the
	// marker, the upload would be unusable.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	current, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	if current.revision != old.revision {
		if current.decision == d {
			// The write succeeded, and its response was lost.
			return current, nil
		}
		return nil, errReplaced
	}

	// The marker still has the revision that the condition requires. So a 412 cannot be the store's
	// response, and must be from a gateway.
	if storageErr, ok := errors.AsType[*storage.Error](failure); ok {
		unknown := *storageErr
		unknown.Unknown = true
		failure = &unknown
	}
	// Only the marker was written, not the caller's object.
	return nil, sdkerror.WithoutEffect(failure)
}

// cleanUp removes the marker, which ends the upload, and the parts. It repeats that after temporary
// errors. ListUploads lists parts that remain.
func (c *Completion) cleanUp(ctx context.Context) error {
	// Continue even if the context of the caller ends.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), RemovalTimeout)
	defer cancel()

	for attempt := 1; ; attempt++ {
		err := c.Drop(ctx)
		storageErr, ok := errors.AsType[*storage.Error](err)
		if !ok || !storageErr.Retryable || attempt == releases {
			return err
		}
		if running.Sleep(ctx, firstPause) != nil {
			return err
		}
	}
}

// dropMade ends the upload after the object was made. If it cannot remove the marker, it records there
// that the object was made.
func (c *Completion) dropMade(ctx context.Context, m *marker) {
	if c.cleanUp(ctx) == nil {
		return
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	// Nothing more can be done if this fails, too.
	_, _ = c.write(ctx, m, decision{Call: c.request.Call, Made: true})
}
