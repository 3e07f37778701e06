package filesapi_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/uploadstest"
)

// A database keeps records and states of parts in this process, by a clock that tests
// move. The module sqlrecords/databases tests real ones.
type database struct {
	uploads.Records
	now    func() time.Time
	mu     sync.Mutex
	states map[string]storedState
}

type storedState struct {
	text, revision string
	stored         time.Time
}

var _ uploads.States = (*database)(nil)

func newDatabase(now func() time.Time) *database {
	return &database{Records: uploads.BucketRecords(memstore.New()), now: now, states: map[string]storedState{}}
}

// The database that these tests use passes the test suite for States.
func TestDatabaseStates(t *testing.T) {
	uploadstest.RunStates(t, func(*testing.T) uploads.States { return newDatabase(time.Now) })
}

// State returns the state with this key, and its revision.
func (d *database) State(ctx context.Context, key string) ([]byte, string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	state, exists := d.states[key]
	if ctx.Err() != nil {
		return nil, "", ctx.Err()
	}
	if !exists {
		return nil, "", storage.ObjectNotFound
	}
	return []byte(state.text), state.revision, nil
}

// SetState stores a state if the present state has this revision. If revision is "", it stores the state if there is
// none.
func (d *database) SetState(ctx context.Context, key string, state []byte, revision string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if d.states[key].revision != revision {
		return "", storage.PreconditionFailed
	}

	text := rand.Text()
	d.states[key] = storedState{string(state), text, d.now()}
	return text, nil
}

// RemoveState removes the state with this key if the state has this revision.
func (d *database) RemoveState(ctx context.Context, key, revision string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() == nil && d.states[key].revision == revision {
		delete(d.states, key)
	}
	return ctx.Err()
}

// ListStates returns the first states after startAfter, in the order of their keys.
func (d *database) ListStates(ctx context.Context, startAfter string, limit int) (found []uploads.ListedState, next string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	for key, state := range d.states {
		if key > startAfter {
			found = append(found, uploads.ListedState{Key: key, Idle: d.now().Sub(state.stored)})
		}
	}

	slices.SortFunc(found, func(a, b uploads.ListedState) int { return cmp.Compare(a.Key, b.Key) })
	if len(found) > limit {
		found = found[:limit]
		next = found[limit-1].Key
	}
	return found, next, ctx.Err()
}
