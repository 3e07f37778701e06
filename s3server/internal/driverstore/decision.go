package driverstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A decision says over what a completion of staged parts writes the object. The record of the upload has it first. So
// no later completion, also by another server, replaces a newer object.
type decision struct {
	Call      string            // no two decisions are equal
	Condition storage.Condition // of the write; zero if the object was made, and the upload could not be removed

	first  bool          // no other completion has decided before, and may have made the object
	record *uploadRecord // that has the decision
	at     string        // its revision
}

// maxDecisions bounds how often a completion decides again because others write the object.
const maxDecisions = 16

// errDecided says that another completion decides at the same time.
var errDecided = errors.New("another completion has decided")

// decide records over what r is written, and sets its condition. If an earlier completion has decided, the key must be
// as it was: else the object was made and replaced or removed, or another write came first. By last, nothing was
// written.
func (m *driverUploads) decide(
	ctx context.Context, id string, r *driver.PutRequest, last *decision,
) (*decision, error) {
	record := &uploadRecord{}
	revision, err := m.bucket.records.get(ctx, uploadName(id), record)
	if err != nil {
		return nil, cmp.Or(unless(err, storage.ObjectNotFound), error(state.NoUpload(id)))
	}
	d := &decision{
		Call: rand.Text(), first: record.Decision == nil || record.Decision.Call == last.Call, record: record,
	}
	switch there, err := m.bucket.driver.Head(ctx, &driver.GetRequest{Key: r.Key, Length: -1, Auxiliary: true}); storage.CodeOf(err) {
	case "":
		d.Condition.Revision = there.Revision
	case storage.ObjectNotFound:
		d.Condition.Absent = true
	default:
		return nil, err
	}
	switch {
	case !d.first && record.Decision.Condition != d.Condition:
		return nil, state.NoUpload(id)
	case r.Condition != (storage.Condition{}) && r.Condition != d.Condition:
		return nil, storage.PreconditionFailed
	}
	r.Condition, record.Decision = d.Condition, d
	if d.at, err = m.bucket.records.put(ctx, uploadName(id), record, storage.Condition{Revision: revision}); isCode(
		err, storage.PreconditionFailed,
	) {
		err = errDecided
	}
	return d, err
}

// undecide takes a decision back by which nothing was written, unless another completion has decided meanwhile.
func (m *driverUploads) undecide(ctx context.Context, id string, d *decision) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	d.record.Decision = nil
	_, _ = m.bucket.records.put(
		ctx, uploadName(id), d.record, storage.Condition{Revision: d.at},
	) // else the key must stay as it is
}

// end removes an upload whose object was made. If that fails, the upload is listed until it is aborted.
func (m *driverUploads) end(ctx context.Context, u *state.Upload) {
	if m.dropUpload(ctx, u.ID) == nil {
		return
	}
	record := &uploadRecord{}
	revision, err := m.bucket.records.get(ctx, uploadName(u.ID), record)
	if err == nil && record.Decision != nil {
		record.Decision.Condition = storage.Condition{}
		_, _ = m.bucket.records.put(ctx, uploadName(u.ID), record, storage.Condition{Revision: revision})
	}
}
