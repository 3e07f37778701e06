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

// A decision names the object that a completion of staged parts may replace. It is stored in the record of the upload
// before the object is written. So no later completion, even by another server, replaces a newer object.
type decision struct {
	Call      string            // unique, so that no two decisions are equal
	Condition storage.Condition // of the write; zero if the object was made, and the upload could not be removed

	first  bool          // no other completion has decided before, so that none may have made the object
	record *uploadRecord // the record that has the decision
	at     string        // revision of the record
}

// maxDecisions bounds how often a completion decides again because others write the object.
const maxDecisions = 16

// errDecided says that another completion decides at the same time.
var errDecided = errors.New("another completion has decided")

// decide records the object that r may replace, and sets the condition of r. If an earlier completion has decided,
// the key must be unchanged: otherwise the object was made and then replaced or removed, or another write came first.
// The decision last, if any, has written nothing.
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

// undecide takes back a decision that has written nothing, unless another completion has decided meanwhile.
func (m *driverUploads) undecide(ctx context.Context, id string, d *decision) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	d.record.Decision = nil
	_, _ = m.bucket.records.put(
		ctx, uploadName(id), d.record, storage.Condition{Revision: d.at},
	) // otherwise the key must stay as it is
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
