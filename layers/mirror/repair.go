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
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/inquiry"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// A Report is the result of [Repair] and [RepairAll].
type Report struct {
	// Repaired is the number of repaired keys: both stores are now equal for these keys. [Repair]
	// repairs keys that have a note. A note is a small object in the primary, which says that the
	// second store may lack a write. [RepairAll] also repairs differences without notes.
	Repaired int64
	// Recent is the number of notes that stay because the write may still be in progress. A later
	// call of [Repair] removes these notes.
	Recent int64
	// Failed is the number of notes and differences that stay because of a failure. The error says
	// why.
	Failed  int64
	Removed int64 // objects that were removed from the second store; they are among Repaired
	// Undecided are differences that [RepairAll] left, because nothing proves which store is right.
	// If there is one, RepairAll has neither removed nor replaced any object.
	Undecided int64
	// Ignored is the number of folder markers that RepairAll left alone. A folder marker is an object without content
	// whose key ends in "/". It is ignored if the second store cannot have such a key, for example because that store
	// is a directory, or if [RepairAll] found the marker only in the second store.
	Ignored int64
}

// A State describes the health of a mirror.
type State struct {
	Notes       int64 // number of writes that the second store may lack, including writes in progress
	PrimaryDown bool  // whether reads of this bucket use the second store
	SecondDown  bool  // whether the second store is down; Repair must then copy the writes later
}

const (
	atOnce   = 16
	settling = time.Hour // longest time from the creation of a note to the end of its write
	clockKey = NotesPrefix + "clock"
	maxNote  = 16 << 10 // largest size of a note in bytes
	lastForm = 2        // last form of a note and of a mark that this version reads
)

// Status counts the notes of b, which are the writes that the second store may lack, and reports which
// store is down as far as this process knows. It fails with InvalidArgument if b was not opened with a
// mirror.
func Status(ctx context.Context, b storage.Bucket) (State, error) {
	s, err := storesOf(b, "mirror.Status")
	if err != nil {
		return State{}, err
	}

	state := State{PrimaryDown: s.primaryCircuit.isOpen(), SecondDown: s.secondCircuit.isOpen()}
	for _, err := range s.notes(ctx, s.primary) {
		if err != nil {
			return state, err
		}
		state.Notes++
	}
	return state, nil
}

// Repair makes both stores equal for each key that has a note. A note is a small object in the
// primary, which says that the second store may lack a write. Other callers may read and write
// meanwhile. Repair may be killed and called again, and several processes may call it at the same
// time. Call it every few minutes, and after a store was down.
//
// If one key fails, Repair continues with the others, and its error joins the first ten errors. It
// ends if a store is down.
//
// A key fails with PreconditionFailed if its note does not prove which store is right. Call
// [RepairAll] in these cases:
//
//   - The note was made for another pair of stores, and Repair would have to replace or remove an
//     object of the second store. For example, a bucket was copied together with its notes.
//   - Both stores have a note about the key. This happens if the roles of the stores were swapped.
//
// After the primary was restored from a snapshot, which has old notes, call RepairAll instead of
// Repair.
//
// Repair fails with InvalidArgument if b was not opened with the layer.
func Repair(ctx context.Context, b storage.Bucket) (Report, error) {
	s, err := storesOf(b, "mirror.Repair")
	if err != nil {
		return Report{}, err
	}

	// After failures, the circuit of the second store refuses requests for a while. Repair must try them.
	s.secondCircuit.close()
	ctx = evidence.WithoutFailover(ctx)
	j := &job{}
	primaryIsLast := false // the second store may have notes, too, and then neither store is known to be right
	err = s.repairNotes(ctx, j, primaryIsLast)
	return j.report(), err
}

// objects returns the entries of a store, without the objects of this layer.
func (s *stores) objects(ctx context.Context, b storage.Bucket) iter.Seq2[storage.ListEntry, error] {
	return otherstore.Without(b.List(ctx),
		func(key string) bool { return strings.HasPrefix(key, NotesPrefix) || key == secondClockKey })
}

// storesOf returns the stores of the mirror with which b was opened. op is the operation in the error.
func storesOf(b storage.Bucket, op string) (*stores, error) {
	if d, ok := storage.As[*objectDriver](b); ok {
		return d.stores, nil
	}
	return nil, invalid(op, "b must be a bucket that was opened with the layer, and no folder of it")
}

// repairNotes makes both stores equal for each key that has a note in the primary: a small object
// that announces a write. If primaryIsLast is true, the primary is known to have the last write, and
// notes in the second store are ignored.
func (s *stores) repairNotes(ctx context.Context, j *job, primaryIsLast bool) error {
	now, err := inquiry.Now(ctx, s.primary, clockKey)
	if err != nil {
		return err
	}
	s.primaryCircuit.close() // the primary has responded

	// The notes of the second store are read once, when the first note of the primary needs them.
	var secondNotes *running.Once[noteSet]
	if !primaryIsLast {
		secondNotes = running.NewOnce(s.notesOfSecond)
	}
	return j.run(ctx, s.notes(ctx, s.primary), func(ctx context.Context, entry storage.ListEntry) error {
		return s.repairNote(ctx, j, entry, now, secondNotes)
	})
}

// repairNote makes both stores equal for the key of one note, and removes the note if its write has ended. It ignores
// the notes of the second store if secondNotes is nil.
func (s *stores) repairNote(
	ctx context.Context, j *job, entry storage.ListEntry, now time.Time, secondNotes *running.Once[noteSet],
) error {
	n, err := readNote(ctx, s.primary, entry.Key)
	if errors.Is(err, storage.ObjectNotFound) {
		// The writer of the note, or another Repair, has removed it.
		return nil
	}
	if err != nil {
		return err
	}

	if secondNotes != nil {
		if err := s.checkSecondNotes(ctx, secondNotes, n.Key); err != nil {
			return err
		}
	}
	if err := s.applyNote(ctx, j, n); err != nil {
		return err
	}

	// The write of a recent note, or that of a signed URL, may not have ended, so the note must stay.
	mayStillWrite := now.Sub(entry.Modified) < settling+n.ValidFor
	if mayStillWrite {
		j.recent.Add(1)
		return nil
	}
	return s.primary.Remove(ctx, entry.Key)
}

// notesOfSecond returns the keys of the notes that the second store has, from the time when it was the
// primary of these two stores. Notes of an earlier version, which name no stores, do not count.
func (s *stores) notesOfSecond(ctx context.Context) (noteSet, error) {
	const allowUnpaired = false
	return s.readNotes(ctx, s.second.Bucket, pairOf(s.secondPlace, s.place), allowUnpaired)
}

// checkSecondNotes fails if the second store also has a note about the key. It then was the primary
// before, and may have the later object.
func (s *stores) checkSecondNotes(ctx context.Context, secondNotes *running.Once[noteSet], key string) error {
	notes, err := secondNotes.Get(ctx)
	if err != nil || !notes.has(key) {
		return err
	}
	return &storage.Error{
		Code: storage.PreconditionFailed,
		Op:   "mirror.Repair",
		Key:  key,
		Err:  errors.New("both stores have a note of this object, because their roles were swapped"),
		Hint: "call mirror.RepairAll",
	}
}

// applyNote makes both stores equal for the key of a note. If the note was made for another pair of
// stores, it does not prove which store is right. In this case, applyNote fails if it would have to
// remove an object of the second store or replace its content.
func (s *stores) applyNote(ctx context.Context, j *job, n note) error {
	// A note of an earlier version names no pair.
	isOfThisPair := n.Pair == "" || n.Pair == pairOf(s.place, s.secondPlace)
	if !isOfThisPair {
		ctx = driver.WithLayerMetadata(ctx)
		if err := s.checkLosesNothing(ctx, n.Key); err != nil {
			return err
		}
	}
	_, err := j.repair(ctx, s, n.Key)
	return err
}

// checkLosesNothing fails if a repair of the key would remove an object of the second store or replace
// its content. It is for a note of another pair of stores, because the second store may then be the right one.
func (s *stores) checkLosesNothing(ctx context.Context, key string) error {
	primaryAttrs, secondAttrs, err := s.attrsOfBoth(ctx, key)
	if err != nil {
		return err
	}
	// The second store has nothing to lose.
	if secondAttrs == nil {
		return nil
	}
	if primaryAttrs != nil {
		isSame, err := s.sameContent(ctx, primaryAttrs, secondAttrs)
		if err != nil || isSame {
			return err
		}
	}

	return &storage.Error{
		Code: storage.PreconditionFailed,
		Op:   "mirror.Repair",
		Key:  key,
		Err:  errors.New("the note of this object was made in another store, or beside another second store"),
		Hint: "call mirror.RepairAll, which tells how to decide which store is right",
	}
}

// notes returns the entries of all notes in a store.
func (s *stores) notes(ctx context.Context, b storage.Bucket) iter.Seq2[storage.ListEntry, error] {
	return otherstore.Without(b.List(ctx, storage.WithPrefix(NotesPrefix)),
		func(key string) bool { return key == clockKey || key == markKey })
}

// readNote reads a note of b. It fails with Internal if the object is not a note.
func readNote(ctx context.Context, b storage.Bucket, name string) (note, error) {
	data, _, err := storage.ReadAll(ctx, b, name, storage.WithRange(0, maxNote))
	if err != nil {
		return note{}, err
	}
	if err := argument.CheckForm("mirror.Repair", name, data, lastForm); err != nil {
		return note{}, err
	}

	var n note
	if err := json.Unmarshal(data, &n); err != nil || n.Key == "" {
		return note{}, &storage.Error{
			Code: storage.Internal,
			Key:  name,
			Err:  errors.New("the object is not a note of a mirror"),
			Hint: "remove it",
		}
	}
	return n, nil
}

// maxExplained is the number of failures whose errors a job joins.
const maxExplained = 10

// A job repairs several keys in parallel.
type job struct {
	repaired, recent, failed, removed, ignored atomic.Int64

	mu sync.Mutex
}

// report returns the counts of the job.
func (j *job) report() Report {
	return Report{
		Repaired: j.repaired.Load(),
		Recent:   j.recent.Load(),
		Failed:   j.failed.Load(),
		Removed:  j.removed.Load(),
		Ignored:  j.ignored.Load(),
	}
}

// run calls do for each entry. It continues after a failure, unless the error says that a store is
// down. Its error joins the first ten errors.
func (j *job) run(
	ctx context.Context, entries iter.Seq2[storage.ListEntry, error],
	do func(context.Context, storage.ListEntry) error,
) error {
	var failures []error
	err := running.Stream(ctx, entries, atOnce, func(ctx context.Context, entry storage.ListEntry) error {
		err := do(ctx, entry)
		if err == nil {
			return nil
		}

		j.failed.Add(1)
		if isDown(err) {
			// This error ends the stream.
			return err
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		if len(failures) < maxExplained {
			failures = append(failures, err)
		}
		return nil
	})
	return errors.Join(append(failures, err)...)
}

// repair makes both stores equal for a key, and reports whether they are equal now. If the second store
// refuses the marker of a folder, because it cannot have the key, repair returns false without an error.
func (j *job) repair(ctx context.Context, s *stores, key string) (equal bool, err error) {
	// The stores may be equal already.
	const compareFirst = true
	removed, err := s.equalize(ctx, key, compareFirst)
	if removed {
		j.removed.Add(1)
	}
	if errors.Is(err, errLeftOut) {
		j.ignored.Add(1)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	j.repaired.Add(1)
	return true, nil
}
