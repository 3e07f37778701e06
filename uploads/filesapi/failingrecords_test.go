package filesapi_test

import (
	"context"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// failingRecords is a database whose n-th call fails. Either the call is not executed, or it is
// executed and its response is lost, as when a connection drops at a COMMIT.
type failingRecords struct {
	uploads.Records
	n    int
	lost bool
	// killer, if it is not nil, counts the calls, and kills the process that makes them.
	killer *killer

	mu    sync.Mutex
	calls int
}

func (r *failingRecords) hit() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls >= r.n
}

// read returns an error if this call must fail. Otherwise it runs next. A read changes nothing.
func (r *failingRecords) read(next func() error) error { return r.call(next, false) }

// write runs next, which changes something, or returns an error if this call must fail. If the
// response is lost, the outcome is unknown.
func (r *failingRecords) write(next func() error) error { return r.call(next, true) }

// call runs next, unless this call must fail. If r.lost is true, the failing call takes effect, and its result is lost.
func (r *failingRecords) call(next func() error, writes bool) error {
	if r.killer != nil {
		return r.killer.call("", next)
	}

	r.mu.Lock()
	r.calls++
	fails := r.calls == r.n
	r.mu.Unlock()

	if fails && !r.lost {
		return &storage.Error{Code: storage.Unavailable}
	}
	if err := next(); err != nil || !fails {
		return err
	}
	return &storage.Error{Code: storage.Unavailable, Unknown: writes}
}

func (r *failingRecords) Create(ctx context.Context, file *uploads.File) error {
	return r.write(func() error { return r.Records.Create(ctx, file) })
}

// Record reads a record, unless this call fails.
func (r *failingRecords) Record(ctx context.Context, id string) (file *uploads.File, err error) {
	err = r.read(func() (err error) {
		file, err = r.Records.Record(ctx, id)
		return err
	})
	return file, err
}

// SetPurpose updates a record, unless this call fails.
func (r *failingRecords) SetPurpose(ctx context.Context, id, purpose string) (file *uploads.File, err error) {
	err = r.write(func() (err error) {
		file, err = r.Records.SetPurpose(ctx, id, purpose)
		return err
	})
	return file, err
}

func (r *failingRecords) Remove(ctx context.Context, file *uploads.File) error {
	return r.write(func() error { return r.Records.Remove(ctx, file) })
}

// IDs lists IDs, unless this call fails.
func (r *failingRecords) IDs(ctx context.Context, startAfter string, limit int) (ids []string, next string, err error) {
	err = r.read(func() (err error) {
		ids, next, err = r.Records.IDs(ctx, startAfter, limit)
		return err
	})
	return ids, next, err
}

// failingDatabase is a database of records and of the states of parts, whose calls can fail.
type failingDatabase struct {
	uploads.Records
	calls  *failingRecords
	states uploads.States
}

var _ uploads.States = (*failingDatabase)(nil)

func (d *failingDatabase) hit() bool { return d.calls.hit() }

// failingRecords returns the records of f as a database whose n-th call fails. If lost is true,
// that call is executed, and its response is lost.
func (f *fixture) failingRecords(n int, lost bool) uploads.Records {
	r := &failingRecords{Records: f.records, n: n, lost: lost}
	if f.database == nil {
		return r
	}
	return &failingDatabase{r, r, f.database}
}

// withStates returns the given records, together with the states of f. A test uses these records
// instead of those of f.
func (f *fixture) withStates(records uploads.Records) uploads.Records {
	if f.database == nil {
		return records
	}
	return struct {
		uploads.Records
		uploads.States
	}{records, f.database}
}

// State reads a state, unless this call fails.
func (d *failingDatabase) State(ctx context.Context, key string) (state []byte, revision string, err error) {
	err = d.calls.read(func() (err error) {
		state, revision, err = d.states.State(ctx, key)
		return err
	})
	return state, revision, err
}

// SetState stores a state, unless this call fails.
func (d *failingDatabase) SetState(ctx context.Context, key string, state []byte, revision string) (written string, err error) {
	err = d.calls.write(func() (err error) {
		written, err = d.states.SetState(ctx, key, state, revision)
		return err
	})
	return written, err
}

func (d *failingDatabase) RemoveState(ctx context.Context, key, revision string) error {
	return d.calls.write(func() error { return d.states.RemoveState(ctx, key, revision) })
}

// ListStates lists states, unless this call fails.
func (d *failingDatabase) ListStates(ctx context.Context, startAfter string, limit int) (found []uploads.ListedState, next string, err error) {
	err = d.calls.read(func() (err error) {
		found, next, err = d.states.ListStates(ctx, startAfter, limit)
		return err
	})
	return found, next, err
}

// blindRecords fail each read of a record. The outcome of a call whose response was lost thus stays
// unknown.
type blindRecords struct{ uploads.Records }

func (r *blindRecords) Record(context.Context, string) (*uploads.File, error) {
	return nil, &storage.Error{Code: storage.Unavailable}
}

// repeatedRecords is a database whose driver loses the response to a Create and makes
// database/sql repeat it.
type repeatedRecords struct{ uploads.Records }

// Create creates the record twice.
func (r repeatedRecords) Create(ctx context.Context, file *uploads.File) error {
	if err := r.Records.Create(ctx, file); err != nil {
		return err
	}
	return r.Records.Create(ctx, file)
}
