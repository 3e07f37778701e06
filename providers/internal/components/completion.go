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
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/hexid"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/internal/writeid"
)

// A Completion is one call of CompleteParts of an open upload. No store changes the marker and the
// object in one step. So a decision is first written into the marker: which call writes the object,
// and over which revision. A call that certainly failed, or that finds the key unchanged, takes its
// decision back. Otherwise only the call of the decision writes the object. If that call has
// vanished, another one may write the object, but only over the revision of the decision, which no
// store repeats. If there was no object, another call cannot know whether it was made and then
// removed, so the upload has ended.
type Completion struct {
	Store  driver.Driver
	Marker string // key of the marker
	// Prepare does everything before the one request that makes the object. It may be called again.
	Prepare func(ctx context.Context) error
	// Commit makes the object.
	Commit func(ctx context.Context, c storage.Condition) (*storage.Attrs, error)
	// Drop removes the marker and then the parts.
	Drop func(ctx context.Context) error

	request *driver.CompleteRequest
}

const (
	// maxDecisions bounds how often a call decides again because others have written to the key.
	maxDecisions = 16
	// patience is how long a call waits for another call that is making the object, which takes
	// one request. Then it takes the other call for dead.
	patience = 10 * time.Second
	// cleanup bounds the requests that follow a failure, also after the end of the caller's
	// context.
	cleanup = 5 * time.Second

	firstPause, longestPause = 20 * time.Millisecond, time.Second
	releases                 = 3 // attempts to take a decision back, or to remove the parts
)

// A decision says which call makes the object. The zero value means that no call does.
type decision struct {
	Call     string `json:"c,omitempty"` // CompleteRequest.Call
	Absent   bool   `json:"a,omitempty"`
	Revision string `json:"r,omitempty"`
	Taken    bool   `json:"t,omitempty"` // taken over from a call that may have made the object
	Made     bool   `json:"m,omitempty"` // the object was made, and the marker could not be removed
}

func (d *decision) condition() storage.Condition {
	return storage.Condition{Absent: d.Absent, Revision: d.Revision}
}

// isOf reports whether the key is as it was when the decision was made.
func (d *decision) isOf(there *storage.Attrs) bool {
	if there == nil {
		return d.Absent
	}
	return d.Revision != "" && d.Revision == there.Revision
}

type marker struct {
	decision
	key      string
	revision string
}

const decisionName = "omnibucketdecision" // name in the marker's metadata

// ErrEnded is the error for an upload that was completed or aborted.
var ErrEnded = &storage.Error{
	Code: storage.ObjectNotFound, Hint: "the upload was completed or aborted: begin another one",
}

// errEndedUnknown is the error for an upload whose object was made by an earlier attempt and then
// replaced, or was never made because another write came first.
var errEndedUnknown = &storage.Error{
	Code: storage.ObjectNotFound, Unknown: true,
	Hint: "the upload has ended, and another object has its key: begin another upload if this one must be stored",
}

// CheckOpen returns ErrEnded if an upload was completed or aborted before its new part was stored, and removes the
// part.
func CheckOpen(
	ctx context.Context, isOpen func(context.Context) (bool, error), remove func(context.Context) error,
) error {
	open, err := isOpen(ctx)
	if err != nil || open {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), RemovalTimeout)
	defer cancel()
	_ = remove(ctx)
	return ErrEnded
}

// RemovalTimeout bounds the removal of parts, also after the end of the caller's context.
const RemovalTimeout = 30 * time.Second

// IsOpen reports whether an upload whose marker has this metadata can take parts.
func IsOpen(metadata map[string]string) bool { return !decisionOf(metadata).Made }

func decisionOf(metadata map[string]string) (d decision) {
	if text, err := base64.RawURLEncoding.DecodeString(metadata[decisionName]); err == nil {
		_ = json.Unmarshal(text, &d) // if there is no text, no decision was made
	}
	return d
}

// Run completes the upload.
func (c *Completion) Run(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	request := *r
	request.Call = cmp.Or(r.Call, hexid.New(8))
	c.request = &request
	for range maxDecisions {
		m, err := c.await(ctx)
		if err == nil {
			err = c.Prepare(ctx)
		}
		if err != nil {
			return nil, err
		}
		attrs, again, err := c.attempt(ctx, m)
		if !again {
			return attrs, err
		}
	}
	return nil, &storage.Error{
		Code: storage.Unavailable, Retryable: true,
		Err: errors.New("other writes replaced the object each time before the parts were joined"),
	}
}

// await returns the marker once no other call is making the object.
func (c *Completion) await(ctx context.Context) (*marker, error) {
	var begun time.Time
	seen, pause := "", firstPause
	for {
		m, err := c.read(ctx)
		if err == nil && m.revision != seen {
			seen, begun = m.revision, time.Now()
		}
		switch {
		case err != nil:
			return nil, err
		case m.Made:
			return nil, ErrEnded
		case m.Call == "" || m.Call == c.request.Call:
			return m, nil
		}
		there, made, err := c.look(ctx)
		switch {
		case made:
			c.drop(ctx)
			return nil, ErrEnded // the core finds the object
		case err != nil && storage.CodeOf(err) != storage.PermissionDenied:
			return nil, err
		case time.Since(begun) < patience:
			if err := ctxtime.Sleep(ctx, pause); err != nil {
				return nil, err
			}
			pause = min(2*pause, longestPause)
		case there == nil || !m.isOf(there):
			return nil, ErrEnded
		default:
			m, err = c.write(ctx, m, decision{Call: c.request.Call, Revision: m.Revision, Taken: true})
			if m != nil || err != nil {
				return m, err
			}
		}
	}
}

// attempt makes the object. It sets again if another write to the key came first.
func (c *Completion) attempt(ctx context.Context, m *marker) (attrs *storage.Attrs, again bool, err error) {
	first := m.Call == "" // otherwise an earlier attempt may have made the object
	if first {
		d, err := c.decide(ctx)
		if err == nil {
			m, err = c.write(ctx, m, d)
		}
		if m == nil || err != nil {
			return nil, err == nil, err
		}
	}
	attrs, err = c.Commit(ctx, m.condition())
	if err == nil {
		c.dropMade(ctx, m)
		return attrs, false, nil
	}
	return c.afterFailure(ctx, m, first, err)
}

// decide returns the decision of this call.
func (c *Completion) decide(ctx context.Context) (decision, error) {
	put := c.request.Put
	d := decision{Call: c.request.Call, Absent: put.Condition.Absent, Revision: put.Condition.Revision}
	if put.Condition != (storage.Condition{}) {
		return d, nil
	}
	there, made, err := c.look(ctx)
	switch {
	case made:
		c.drop(ctx)
		return d, ErrEnded // the core finds the object
	case storage.CodeOf(err) == storage.PermissionDenied: // the object is then made without a condition
	case err != nil:
		return d, err
	case there == nil:
		d.Absent = true
	default:
		d.Revision = there.Revision
	}
	return d, nil
}

// afterFailure finds out whether a failed commit has made the object. If it cannot have, it takes
// the decision back.
func (c *Completion) afterFailure(
	ctx context.Context, m *marker, first bool, failed error,
) (*storage.Attrs, bool, error) {
	e, ok := errors.AsType[*storage.Error](failed)
	maybe := ok && (e.Unknown || e.Retryable)
	refused := storage.CodeOf(failed) == storage.PreconditionFailed
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	there, made, err := c.look(ctx)
	switch {
	case made:
		c.dropMade(ctx, m)
		return there, false, nil
	case !first && refused:
		return nil, false, errEndedUnknown
	case (maybe || !first) && (err != nil || !m.isOf(there)):
		return nil, false, failed
	}
	released := c.release(ctx, m)
	again := refused && c.request.Put.Condition == (storage.Condition{})
	if again && released != nil {
		return nil, false, released
	}
	return nil, again, failed
}

// release takes the decision back, unless another call has taken it over.
func (c *Completion) release(ctx context.Context, m *marker) error {
	for try := 1; ; try++ {
		_, err := c.write(ctx, m, decision{})
		if err == nil || try == releases || ctxtime.Sleep(ctx, firstPause) != nil {
			return err
		}
	}
}

// look returns the object of the key, or nil, and reports whether the upload has made it.
func (c *Completion) look(ctx context.Context) (there *storage.Attrs, made bool, err error) {
	put := c.request.Put
	there, err = c.Store.Head(ctx, &driver.GetRequest{Key: put.Key, Length: -1, Native: put.Native, Auxiliary: true})
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	id := put.Metadata[writeid.Key]
	return there, id != "" && there.Metadata[writeid.Key] == id, nil
}

// read returns the marker, or ErrEnded.
func (c *Completion) read(ctx context.Context) (*marker, error) {
	a, err := c.Store.Head(ctx, &driver.GetRequest{Key: c.Marker, Length: -1, Auxiliary: true})
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, ErrEnded
	}
	if err != nil {
		return nil, err
	}
	return &marker{decisionOf(a.Metadata), Key(a.Metadata), a.Revision}, nil
}

// write replaces the marker m by one with another decision. It returns nil if another call has
// replaced m first.
func (c *Completion) write(ctx context.Context, m *marker, d decision) (*marker, error) {
	metadata := MarkerMetadata(m.key)
	if d != (decision{}) {
		text, _ := json.Marshal(d) // strings and bools never fail
		metadata[decisionName] = base64.RawURLEncoding.EncodeToString(text)
	}
	a, err := c.Store.Put(ctx, &driver.PutRequest{
		Key: c.Marker, Body: bytes.NewReader(nil), CRC32C: storage.CRC32C{Sum: 0, Known: true},
		Properties: storage.Properties{ContentType: ContentType, Metadata: metadata},
		Condition:  storage.Condition{Revision: m.revision},
	})
	if err == nil {
		return &marker{d, m.key, a.Revision}, nil
	}
	// This continues after the end of ctx, because a decision that nobody takes back would end
	// the upload.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	now, readErr := c.read(ctx)
	switch {
	case readErr != nil:
		return nil, readErr
	case now.decision == d && now.revision != m.revision:
		return now, nil // the response was lost
	case now.revision != m.revision:
		return nil, nil
	}
	if e, ok := errors.AsType[*storage.Error](err); ok {
		foreign := *e
		foreign.Unknown, err = true, &foreign // the marker has its revision, so a 412 can only be a gateway's
	}
	return nil, sdkerror.WithoutEffect(err) // the marker is not the object that the caller writes
}

// drop ends the upload. ListUploads lists the parts that stay.
func (c *Completion) drop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 6*cleanup)
	defer cancel()
	for try := 1; ; try++ {
		err := c.Drop(ctx)
		if e, ok := errors.AsType[*storage.Error](err); !ok || !e.Retryable || try == releases ||
			ctxtime.Sleep(ctx, firstPause) != nil {
			return err
		}
	}
}

// dropMade is drop by the call that has made the object. If the marker stays, it says so.
func (c *Completion) dropMade(ctx context.Context, m *marker) {
	if c.drop(ctx) == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	_, _ = c.write(ctx, m, decision{Call: c.request.Call, Made: true})
}
