package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/storeclock"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// A Report says what [Repair] did.
type Report struct {
	Repaired int64 // notes, or differences that RepairAll found, for which both stores are equal now
	Recent   int64 // notes that stay, because a writer may be about to write; a later Repair removes them
	Failed   int64 // notes or differences that stay because of a failure; the error says why
	Removed  int64 // objects that were removed from the second store; they are among Repaired
	// Undecided are differences that [RepairAll] left, because nothing proves which store is right. Then it has neither
	// removed nor replaced any object.
	Undecided int64
	// Ignored are markers of folders, objects without content whose key ends in "/", whose key the second store
	// cannot have, as a directory cannot, or which [RepairAll] found only in the second store. They stay where they
	// are.
	Ignored int64
}

// A State describes the health of a mirror.
type State struct {
	Notes       int64 // writes that the second store may lack, and writes in progress
	PrimaryDown bool  // reads of this bucket use the second store
	SecondDown  bool  // writes of this bucket leave notes
}

const (
	atOnce   = 16
	settling = time.Hour // settling is how long after its note a write may be in progress
	clockKey = NotesPrefix + "clock"
	maxNote  = 16 << 10 // bytes of a note
)

// Status counts the notes of b, and says which store this process takes for down.
//
// It fails with InvalidArgument if b was not opened with the layer.
func Status(ctx context.Context, b storage.Bucket) (State, error) {
	s, err := storesOf(b, "mirror.Status")
	if err != nil {
		return State{}, err
	}
	state := State{PrimaryDown: s.ofPrimary.isOpen(), SecondDown: s.ofSecond.isOpen()}
	for _, err := range s.notes(ctx, s.primary) {
		if err != nil {
			return state, err
		}
		state.Notes++
	}
	return state, nil
}

// Repair makes both stores equal for each key that has a note, while others read and write. It may be killed
// and called again, and run in several processes at once. Call it every few minutes, and after a store was down.
//
// A failure of one key does not end it: the error joins the first ten. If a store is down, Repair ends.
//
// A note that came with a copy of its bucket replaces and removes nothing. If that would be needed, or if both stores
// have a note of a key because their roles were swapped, the key fails with PreconditionFailed: call [RepairAll].
// Also call RepairAll, and not Repair, after the primary was restored from a snapshot, which has notes of that time.
//
// It fails with InvalidArgument if b was not opened with the layer.
func Repair(ctx context.Context, b storage.Bucket) (Report, error) {
	s, err := storesOf(b, "mirror.Repair")
	if err != nil {
		return Report{}, err
	}
	s.ofSecond.ended(nil) // Repair is about to ask it
	ctx = evidence.WithoutFailover(ctx)
	j := &job{}
	err = s.repairNotes(ctx, j, false)
	return j.report(), err
}

// objects returns the entries of a store without those of this layer.
func (s *stores) objects(ctx context.Context, b storage.Bucket) iter.Seq2[storage.ListEntry, error] {
	return otherstore.Without(b.List(ctx),
		func(key string) bool { return strings.HasPrefix(key, NotesPrefix) || key == secondClockKey })
}

func storesOf(b storage.Bucket, op string) (*stores, error) {
	if d, ok := storage.As[*objectDriver](b); ok {
		return d.stores, nil
	}
	return nil, invalid(op, "b must be a bucket that was opened with the layer, and no folder of it")
}

// repairNotes does what the notes say. With later, the primary is known to have been written last: then notes of
// the second store do not count.
func (s *stores) repairNotes(ctx context.Context, j *job, later bool) error {
	now, err := storeclock.Now(ctx, s.primary, clockKey)
	if err != nil {
		return err
	}
	s.ofPrimary.ended(nil)
	former := sync.OnceValues(func() (noteSet, error) { // if the second store is down, only some keys need it
		return s.notedIn(ctx, s.second.Bucket, pairOf(s.secondPlace, s.place), false)
	})
	return j.run(ctx, s.notes(ctx, s.primary), func(ctx context.Context, e storage.ListEntry) error {
		n, err := readNote(ctx, s.primary, e.Key)
		if errors.Is(err, storage.ObjectNotFound) { // the writer of the note, or another Repair, has removed it
			return nil
		}
		if err == nil && !later {
			err = s.refuseBoth(former, n.Key)
		}
		if err == nil {
			err = s.obey(ctx, j, n)
		}
		if err != nil {
			return err
		}
		if now.Sub(e.Modified) < settling+n.For {
			j.recent.Add(1)
			return nil
		}
		return s.primary.Remove(ctx, e.Key)
	})
}

// refuseBoth fails if the second store has a note of a key, too: it was the primary, and its object may be the later
// one.
func (s *stores) refuseBoth(former func() (noteSet, error), key string) error {
	set, err := former()
	if err != nil || !set.has(key) {
		return err
	}
	return &storage.Error{
		Code: storage.PreconditionFailed, Op: "mirror.Repair", Key: key,
		Err:  errors.New("both stores have a note of this object, because their roles were swapped"),
		Hint: "call mirror.RepairAll",
	}
}

// obey makes both stores equal for the key of a note. A note that was made in another place, or beside another second
// store, came with a copy of its bucket. It says nothing about these two stores, so obey then replaces and removes
// nothing.
func (s *stores) obey(ctx context.Context, j *job, n note) error {
	if n.Pair == "" || n.Pair == pairOf(s.place, s.secondPlace) {
		_, err := j.repair(ctx, s, n.Key)
		return err
	}
	ctx = driver.WithLayerMetadata(ctx)
	ours, theirs, err := s.attrsOfBoth(ctx, n.Key)
	if err != nil {
		return err
	}
	equal := theirs == nil
	if !equal && ours != nil {
		equal, err = s.sameContent(ctx, ours, theirs)
	}
	switch {
	case err != nil:
		return err
	case equal:
		_, err := j.repair(ctx, s, n.Key)
		return err
	}
	return &storage.Error{
		Code: storage.PreconditionFailed, Op: "mirror.Repair", Key: n.Key,
		Err:  errors.New("the note of this object was made in another store, or beside another second store"),
		Hint: "call mirror.RepairAll, which tells how to decide which store is right",
	}
}

// notes returns the entries of all notes in a store.
func (s *stores) notes(ctx context.Context, b storage.Bucket) iter.Seq2[storage.ListEntry, error] {
	return otherstore.Without(b.List(ctx, storage.WithPrefix(NotesPrefix)),
		func(key string) bool { return key == clockKey || key == markKey })
}

func readNote(ctx context.Context, b storage.Bucket, name string) (note, error) {
	data, _, err := storage.ReadAll(ctx, b, name, storage.WithRange(0, maxNote))
	if err != nil {
		return note{}, err
	}
	var n note
	if err := json.Unmarshal(data, &n); err != nil || n.Key == "" {
		return n, &storage.Error{
			Code: storage.Internal, Key: name, Err: errors.New("the object is not a note of a mirror"),
			Hint: "remove it",
		}
	}
	return n, nil
}

// A job repairs several keys at once.
type job struct {
	repaired, recent, failed, removed, ignored atomic.Int64

	mu sync.Mutex
}

func (j *job) report() Report {
	return Report{
		Repaired: j.repaired.Load(), Recent: j.recent.Load(), Failed: j.failed.Load(), Removed: j.removed.Load(),
		Ignored: j.ignored.Load(),
	}
}

// run calls do for all entries, and keeps the first ten errors. It ends if a store is down.
func (j *job) run(
	ctx context.Context, all iter.Seq2[storage.ListEntry, error], do func(context.Context, storage.ListEntry) error,
) error {
	var failures []error
	err := parallel.Stream(ctx, all, atOnce, func(ctx context.Context, e storage.ListEntry) error {
		err := do(ctx, e)
		if err != nil {
			j.failed.Add(1)
		}
		if down(err) {
			return err
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		if err != nil && len(failures) < 10 {
			failures = append(failures, err)
		}
		return nil
	})
	return errors.Join(append(failures, err)...)
}

// repair makes both stores equal for a key, and reports whether they are. They are not if the key is the marker of a
// folder that the second store cannot have.
func (j *job) repair(ctx context.Context, s *stores, key string) (equal bool, err error) {
	removed, err := s.equalize(ctx, key, true)
	if removed {
		j.removed.Add(1)
	}
	switch {
	case errors.Is(err, errNeedsNo):
		j.ignored.Add(1)
		return false, nil
	case err != nil:
		return false, err
	}
	j.repaired.Add(1)
	return true, nil
}
