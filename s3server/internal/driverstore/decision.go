package driverstore

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A decision tells which object a completion of staged parts may replace. The completion first
// stores the decision in the upload's record, and then writes the object. A later completion, even
// by another server, reads the stored decision. The later completion therefore cannot replace a
// newer object.
type decision struct {
	Call string // random text that identifies the decision
	// Condition is the condition of the write. If the write succeeded but the upload could not be
	// removed, Condition is zero. newDecision refuses a stored Condition that is zero, so
	// later completions of the upload fail.
	Condition storage.Condition

	// isFirst is true if this is the first call that completes the upload. Then no other call has
	// written the object.
	isFirst  bool
	record   *uploadRecord // the upload's record, which contains this decision
	revision string        // revision of the record
}

// maxDecisions is the maximum number of decisions that one completion makes. A completion must
// decide again if the object at the key changes before the completion writes.
const maxDecisions = 16

// errDecided means that another completion has stored its decision at the same time.
var errDecided = errors.New("another completion has decided")

// newDecision decides that a completion of an upload may replace the object that the key has now, or none if it has
// none. It sets r.Condition, so that the write fails if the key has another object by then, and stores the decision in
// the upload's record.
//
// The record may already have the decision of another completion. That completion may have written the object, so
// newDecision fails if the object has changed since then. previous is the caller's own earlier decision, whose write
// had no effect, or an empty one.
func (m *driverUploads) newDecision(
	ctx context.Context, id string, r *driver.PutRequest, previous *decision,
) (*decision, error) {
	record := &uploadRecord{}
	recordRevision, err := m.bucket.records.get(ctx, uploadName(id), record)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, state.NoUpload(id)
	}
	if err != nil {
		return nil, err
	}

	current, err := m.currentCondition(ctx, r.Key)
	if err != nil {
		return nil, err
	}

	// No other call has decided if the record has no decision, or only the caller's own.
	stored := record.Decision
	isFirst := stored == nil || stored.Call == previous.Call
	if !isFirst && stored.Condition != current {
		// The other call may have written the object and ended the upload.
		return nil, state.NoUpload(id)
	}

	// The client's condition must agree with the object that the key has now.
	hasCondition := r.Condition != (storage.Condition{})
	if hasCondition && r.Condition != current {
		return nil, storage.PreconditionFailed
	}
	r.Condition = current

	d := &decision{
		Call:      rand.Text(),
		Condition: current,
		isFirst:   isFirst,
		record:    record,
	}
	if err := m.storeDecision(ctx, id, d, recordRevision); err != nil {
		return nil, err
	}
	return d, nil
}

// currentCondition returns the condition of a write to a key. The condition holds while the key has the same object as
// now, or still has none.
func (m *driverUploads) currentCondition(ctx context.Context, key string) (storage.Condition, error) {
	attrs, err := m.bucket.driver.Head(ctx, &driver.GetRequest{Key: key, Length: -1, Auxiliary: true})
	switch storage.CodeOf(err) {
	case "": // no error
		return storage.Condition{Revision: attrs.Revision}, nil
	case storage.ObjectNotFound:
		return storage.Condition{Absent: true}, nil
	default:
		return storage.Condition{}, err
	}
}

// storeDecision stores a decision in the upload's record, and sets d.revision. It fails with errDecided if the record
// has changed since the revision that was read.
func (m *driverUploads) storeDecision(ctx context.Context, id string, d *decision, read string) (err error) {
	d.record.Decision = d
	d.revision, err = m.bucket.records.put(ctx, uploadName(id), d.record, storage.Condition{Revision: read})
	if isCode(err, storage.PreconditionFailed) {
		return errDecided
	}
	return err
}

// removeDecision removes a decision from the upload's record after the write failed without effect, even if the request
// was canceled. It changes nothing if another completion has stored a decision in the meantime.
func (m *driverUploads) removeDecision(ctx context.Context, id string, d *decision) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()

	d.record.Decision = nil
	unchanged := storage.Condition{Revision: d.revision} // holds while no other decision was stored
	// If the decision stays because of an error, later completions succeed only if the object is unchanged.
	_, _ = m.bucket.records.put(ctx, uploadName(id), d.record, unchanged)
}

// removeUpload removes an upload after its object was written. An upload whose removal fails remains listed until it is
// aborted, but cannot be completed again.
func (m *driverUploads) removeUpload(ctx context.Context, u *state.Upload) {
	err := m.dropUpload(ctx, u.ID)
	if err == nil {
		return
	}

	// The record may have stayed. newDecision refuses a decision whose condition is empty, so store such a one.
	record := &uploadRecord{}
	revision, err := m.bucket.records.get(ctx, uploadName(u.ID), record)
	if err != nil || record.Decision == nil {
		return
	}
	record.Decision.Condition = storage.Condition{}
	// If this fails, too, the upload stays as it is.
	_, _ = m.bucket.records.put(ctx, uploadName(u.ID), record, storage.Condition{Revision: revision})
}
