package console

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// memoryStates keeps the states of uploads in memory, so that the page stores no additional objects
// in a bucket. The states end with the program, and so does the address of the page.
type memoryStates struct {
	now func() time.Time

	mu     sync.Mutex
	writes int
	states map[string]memoryState
}

// A memoryState is the state of one upload.
type memoryState struct {
	text     []byte
	revision string
	storedAt time.Time
}

// maxStates is the largest number of uploads at the same time.
const maxStates = 10_000

// State returns the state with this key and its revision. It fails with ObjectNotFound if there is none.
func (s *memoryStates) State(ctx context.Context, key string) ([]byte, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	state, ok := s.states[key]
	if !ok {
		return nil, "", storage.ObjectNotFound
	}
	return slices.Clone(state.text), state.revision, nil
}

// SetState stores a state and returns its new revision. It fails unless the state has the given revision, which is ""
// for a new state.
func (s *memoryStates) SetState(ctx context.Context, key string, text []byte, revision string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	// A new state has the revision "".
	if s.states[key].revision != revision {
		return "", storage.PreconditionFailed
	}
	if revision == "" && len(s.states) >= maxStates {
		return "", &storage.Error{Code: storage.RateLimited, Err: errors.New("too many uploads are open")}
	}

	if s.states == nil {
		s.states = map[string]memoryState{}
	}

	// The number of all writes is a revision that no earlier state had.
	s.writes++
	newRevision := strconv.Itoa(s.writes)
	s.states[key] = memoryState{
		text:     slices.Clone(text),
		revision: newRevision,
		storedAt: s.now(),
	}
	return newRevision, nil
}

// RemoveState removes the state with this key if it still has the given revision.
func (s *memoryStates) RemoveState(ctx context.Context, key, revision string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.states[key].revision == revision {
		delete(s.states, key)
	}
	return nil
}

// ListStates returns at most limit states with keys after startAfter. If more follow, next is the last returned key.
func (s *memoryStates) ListStates(
	ctx context.Context, startAfter string, limit int,
) (found []uploads.ListedState, next string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()

	for _, key := range slices.Sorted(maps.Keys(s.states)) {
		if key <= startAfter {
			continue
		}
		if len(found) == limit {
			return found, found[limit-1].Key, nil
		}
		idle := s.now().Sub(s.states[key].storedAt)
		found = append(found, uploads.ListedState{Key: key, Idle: idle.Truncate(time.Second)})
	}
	return found, "", nil
}
