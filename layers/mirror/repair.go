package mirror

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/storeclock"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// A Report says what [Repair] did.
type Report struct {
	Repaired int64 // notes, or differences that RepairAll found, of which both stores are equal now
	Recent   int64 // of these, notes that stay: a writer may be about to write. A later Repair removes them
	Failed   int64 // the error says why
}

// A State tells how a mirror is.
type State struct {
	Notes       int64 // writes that the second store may lack, and writes in progress
	PrimaryDown bool  // reads of this bucket use the second store
	SecondDown  bool  // writes of this bucket leave notes
}

const (
	atOnce   = 16
	settling = time.Hour // how long after its note a write may be in progress
	clockKey = NotesPrefix + "clock"
	pairKey  = NotesPrefix + "pair" // has the same text in two stores that RepairAll has made equal
	maxNote  = 16 << 10             // bytes
)

// Status counts the notes of b, and tells which store this process takes for down.
//
// InvalidArgument: b was not opened with the layer.
func Status(ctx context.Context, b storage.Bucket) (State, error) {
	s, err := storesOf(b, "mirror.Status")
	if err != nil {
		return State{}, err
	}
	state := State{PrimaryDown: s.ofPrimary.isOpen(), SecondDown: s.ofSecond.isOpen()}
	for _, err := range s.notes(ctx) {
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
// A failure of one key does not end it: the error joins the first ten. It ends if a store is down.
//
// InvalidArgument: b was not opened with the layer.
func Repair(ctx context.Context, b storage.Bucket) (Report, error) {
	s, err := storesOf(b, "mirror.Repair")
	if err != nil {
		return Report{}, err
	}
	s.ofSecond.ended(nil) // it is asked now
	return s.repairNotes(ctx)
}

// RepairAll compares all objects, and then does what [Repair] does. It copies what the second store lacks or
// has of another revision, and removes what the primary does not have. A copy that was not made by the layer
// counts as another revision. It asks each store about each object of the other one. Use it to fill an empty
// second store, and after writes past the layer.
//
// It removes nothing until it has once made these two stores equal without that: the primary may be a new store in
// the place of one that was lost. Both stores then have a small object below [NotesPrefix].
//
// PreconditionFailed: the second store was made equal to another primary. ObjectNotFound: only the second store has
// some objects, and it was not made equal to this primary before, or that has none. InvalidArgument: b was not
// opened with the layer.
func RepairAll(ctx context.Context, b storage.Bucket) (Report, error) {
	s, err := storesOf(b, "mirror.RepairAll")
	if err != nil {
		return Report{}, err
	}
	s.ofSecond.ended(nil)
	ours, equal, err := s.pair(ctx)
	if err != nil {
		return Report{}, err
	}
	j := &job{}
	var objects atomic.Int64
	err = j.run(ctx, s.objects(ctx, s.primary), func(ctx context.Context, e storage.ListEntry) error {
		objects.Add(1)
		if _, err := s.copyOf(ctx, e.Key, s.second.Bare(e.Revision)); !errors.Is(err, storage.ObjectNotFound) {
			return err
		}
		return j.repair(ctx, s, e.Key)
	})
	if err == nil {
		err = j.run(ctx, s.objects(ctx, s.second.Bucket), func(ctx context.Context, e storage.ListEntry) error {
			if there, err := s.primary.Exists(ctx, e.Key); there || err != nil {
				return err
			}
			if equal && objects.Load() > 0 {
				return j.repair(ctx, s, e.Key)
			}
			if there, err := s.second.Bucket.Exists(ctx, e.Key); !there || err != nil { // it was removed meanwhile
				return err
			}
			return &storage.Error{
				Code: storage.ObjectNotFound, Op: "mirror.RepairAll", Key: e.Key, Err: errors.New("only the second store has the object"),
				Hint: "if the primary store was lost, swap the roles of the stores (docs/two-stores.md); else call Repair, and remove what is left from the second store yourself",
			}
		})
	}
	if err == nil && !equal {
		err = s.join(ctx, ours)
	}
	report := j.report()
	if err != nil {
		return report, err
	}
	notes, err := s.repairNotes(ctx)
	return Report{report.Repaired + notes.Repaired, notes.Recent, notes.Failed}, err
}

// pair returns what the primary has at pairKey, and whether the second store has the same. It fails if that has another
// text. A second store that is a mirror has that of its own stores, which tells nothing.
func (s *stores) pair(ctx context.Context) (ours string, equal bool, err error) {
	if _, nested := storage.As[*objectDriver](s.second.Bucket); nested {
		return "", true, nil
	}
	var theirs string
	for _, of := range []struct {
		bucket storage.Bucket
		text   *string
	}{{s.primary, &ours}, {s.second.Bucket, &theirs}} {
		data, _, err := storage.ReadAll(ctx, of.bucket, pairKey, storage.WithRange(0, maxNote))
		if err != nil && !errors.Is(err, storage.ObjectNotFound) {
			return "", false, err
		}
		*of.text = string(data)
	}
	if theirs != "" && theirs != ours {
		return "", false, &storage.Error{
			Code: storage.PreconditionFailed, Op: "mirror.RepairAll", Err: errors.New("the second store was made equal to another primary store"),
			Hint: "if that was lost, swap the roles of the stores (docs/two-stores.md); if this primary is the right one, remove " + pairKey + " from the second store",
		}
	}
	return ours, theirs != "", nil
}

// join makes both stores a pair. ours is what the primary has, or "".
func (s *stores) join(ctx context.Context, ours string) error {
	text := cmp.Or(ours, rand.Text())
	_, err := s.primary.Upload(ctx, pairKey, strings.NewReader(text))
	if err == nil {
		_, err = s.second.Bucket.Upload(ctx, pairKey, strings.NewReader(text))
	}
	return err
}

// objects returns the entries of a store without notes.
func (s *stores) objects(ctx context.Context, b storage.Bucket) iter.Seq2[storage.ListEntry, error] {
	return otherstore.Without(b.List(ctx), func(key string) bool { return strings.HasPrefix(key, NotesPrefix) })
}

func storesOf(b storage.Bucket, op string) (*stores, error) {
	if d, ok := storage.As[*objectDriver](b); ok {
		return d.stores, nil
	}
	return nil, invalid(op, "b must be a bucket that was opened with the layer, and no folder of it")
}

func (s *stores) repairNotes(ctx context.Context) (Report, error) {
	now, err := storeclock.Now(ctx, s.primary, clockKey)
	if err != nil {
		return Report{}, err
	}
	s.ofPrimary.ended(nil)
	j := &job{}
	err = j.run(ctx, s.notes(ctx), func(ctx context.Context, e storage.ListEntry) error {
		n, err := s.readNote(ctx, e.Key)
		if errors.Is(err, storage.ObjectNotFound) { // its writer, or another Repair, has removed it
			return nil
		}
		if err == nil {
			err = j.repair(ctx, s, n.Key)
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
	return j.report(), err
}

// notes returns the entries of all notes.
func (s *stores) notes(ctx context.Context) iter.Seq2[storage.ListEntry, error] {
	return otherstore.Without(s.primary.List(ctx, storage.WithPrefix(NotesPrefix)), func(key string) bool { return key == clockKey || key == pairKey })
}

func (s *stores) readNote(ctx context.Context, name string) (note, error) {
	data, _, err := storage.ReadAll(ctx, s.primary, name, storage.WithRange(0, maxNote))
	if err != nil {
		return note{}, err
	}
	var n note
	if err := json.Unmarshal(data, &n); err != nil || n.Key == "" {
		return n, &storage.Error{Code: storage.Internal, Key: name, Err: errors.New("the object is not a note of a mirror"), Hint: "remove it"}
	}
	return n, nil
}

// A job repairs several keys at once.
type job struct {
	repaired, recent, failed atomic.Int64

	mu       sync.Mutex
	failures []error
}

func (j *job) report() Report { return Report{j.repaired.Load(), j.recent.Load(), j.failed.Load()} }

// run calls do for all entries, and keeps the first ten errors. It ends if a store is down.
func (j *job) run(ctx context.Context, all iter.Seq2[storage.ListEntry, error], do func(context.Context, storage.ListEntry) error) error {
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
		if err != nil && len(j.failures) < 10 {
			j.failures = append(j.failures, err)
		}
		return nil
	})
	return errors.Join(append(j.failures, err)...)
}

func (j *job) repair(ctx context.Context, s *stores, key string) error {
	err := s.equalize(ctx, key, true)
	if err == nil {
		j.repaired.Add(1)
	}
	return err
}
