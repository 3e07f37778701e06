package mirror

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/keysort"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/serving"
)

// A RepairOption is an option of [RepairAll]: [WithDryRun], [WithPrimaryRight] or [WithDifferences].
type RepairOption interface{ applyRepair(*comparison) }

type repairOption func(*comparison)

func (o repairOption) applyRepair(c *comparison) { o(c) }

// WithDryRun makes [RepairAll] change nothing. It counts and reports what it would do
// otherwise.
func WithDryRun() RepairOption {
	return repairOption(func(c *comparison) {
		c.dryRun = true
	})
}

// WithPrimaryRight makes [RepairAll] change the second store wherever it differs from the primary.
// RepairAll then replaces and removes objects even if nothing proves that the primary is right.
// First use [WithDryRun] and [WithDifferences] to see what it would remove. If the primary has no
// objects, RepairAll still fails with ObjectNotFound.
func WithPrimaryRight() RepairOption {
	return repairOption(func(c *comparison) {
		c.primaryRight = true
	})
}

// WithDifferences makes [RepairAll] call a function for each key that it changes or leaves
// undecided. Two goroutines never call the function at the same time. Without this option, the
// [Report] only has counts. RepairAll does not call the function for a key that it repairs because
// of a note, but it counts the key.
func WithDifferences(report func(Difference)) RepairOption {
	return repairOption(func(c *comparison) {
		c.onDifference = report
	})
}

// A Difference is a key that [RepairAll] has found different in both stores.
type Difference struct {
	Key    string
	Action Action
}

// An Action is what [RepairAll] has done with an object. With [WithDryRun], it is what RepairAll
// would do.
type Action string

// The actions of RepairAll.
const (
	Copied    Action = "copied"    // was copied to the second store, which had no object
	Replaced  Action = "replaced"  // was replaced in the second store
	Removed   Action = "removed"   // was removed from the second store
	Returned  Action = "returned"  // was copied to the primary from the second store, which was the primary before
	Undecided Action = "undecided" // was left as it was; see [Report]
)

// sortMemory is the number of bytes of keys that are kept in memory. All other keys are in temporary files.
const sortMemory = 8 << 20

// RepairAll compares all objects of both stores, and also does what [Repair] does. Use it to fill
// an empty second store, after writes that bypassed the layer, and after a store was lost or
// restored. It sends a request to the other store for each object of one store.
//
// RepairAll makes the second store equal to the primary:
//   - If the second store lacks an object, RepairAll copies it.
//   - If the second store has a different object, RepairAll replaces it. An object that the layer
//     has not copied counts as different.
//   - If the primary lacks an object, RepairAll removes it from the second store.
//
// RepairAll replaces or removes an object only if a mark or a note proves that the primary is
// right, if both objects have the same content, or with [WithPrimaryRight]:
//   - A mark is a small object in the primary, which RepairAll writes when both stores are equal.
//     If an object of the second store differs now and is older than the mark, the primary itself
//     has replaced or removed the object.
//   - A note is a small object in the primary for each write that was not copied.
//
// An object without such a proof is undecided. The primary may, for example, be a new store that
// replaces a lost one, an incomplete copy, or restored from a snapshot. If one object is undecided,
// RepairAll removes and replaces none, and fails with PreconditionFailed. The hint of the error says
// how to decide.
//
// If the roles of the stores were swapped, the second store may have notes from the time when it
// was the primary. RepairAll copies the objects of these notes to the primary, unless the primary
// also has a note of the same key. It replaces objects of the primary only if the second store has
// all objects of the primary that have no note. Otherwise the second store may have been restored
// from a snapshot, and RepairAll fails with PreconditionFailed.
//
// RepairAll fails with ObjectNotFound if the primary has no objects and the second store has some.
// It fails with InvalidArgument if b was not opened with the layer.
func RepairAll(ctx context.Context, b storage.Bucket, opts ...RepairOption) (Report, error) {
	s, err := storesOf(b, "mirror.RepairAll")
	if err != nil {
		return Report{}, err
	}

	c := &comparison{stores: s, planned: keysort.New(sortMemory), doubtful: keysort.New(sortMemory)}
	// Close removes their temporary files.
	defer c.planned.Close()
	defer c.doubtful.Close()
	for _, o := range opts {
		if o == nil {
			return Report{}, invalid("mirror.RepairAll", "an option must not be nil")
		}
		o.applyRepair(c)
	}

	// After failures, the circuit of the second store refuses requests for a while. RepairAll must try them.
	s.secondCircuit.close()
	// The second store may itself be a mirror, whose reads must not fail over to a store with older
	// objects.
	err = c.run(evidence.WithoutFailover(ctx))
	report := c.job.report()
	report.Undecided = c.undecided.Load()
	return report, err
}

// A comparison has the state of one call of [RepairAll].
type comparison struct {
	job                  job
	stores               *stores
	dryRun, primaryRight bool
	onDifference         func(Difference) // nil if WithDifferences is not given

	mark                            mark // mark of the primary
	primaryMarkText, secondMarkText string
	// proven is true if the primary has a valid mark. A valid mark proves that both
	// stores were once equal, and that each had the same role as now.
	proven bool
	// swapped is true if the second store has a mark from the time when it was the
	// primary.
	swapped bool
	// A note announces a write. secondNotes has the notes in the second store, which was the
	// primary when these notes were written. primaryNotes has the notes in the present primary.
	secondNotes, primaryNotes noteSet
	ahead                     time.Duration // time by which the clock of the second store is ahead of the primary's

	objects, matched atomic.Int64 // number of objects in the primary, and how many have a copy in the second store
	unexplained      atomic.Int64 // number of objects that are missing in the second store and have no note
	conflicts        atomic.Int64 // number of planned actions that replace an object of the primary
	undecided        atomic.Int64
	first            atomic.Pointer[string] // key of an object that stays undecided; see [Report]

	// job.mu guards the fields below while entries are compared.
	newest   time.Time       // time of the newest object in the second store
	byMark   int64           // number of planned keys for which the primary is known to be right
	planned  *keysort.Sorter // keys to be made equal, with their Action
	doubtful *keysort.Sorter // keys for which a note or the content must show which store is right
}

// run compares both stores, decides for each key that differs which store is right, and then makes
// the stores equal. Nothing is replaced or removed before all keys are decided.
func (c *comparison) run(ctx context.Context) error {
	if err := c.readMarks(ctx); err != nil {
		return err
	}
	if err := c.readNotes(ctx); err != nil {
		return err
	}
	if err := c.compare(ctx); err != nil {
		return err
	}
	if err := c.decide(ctx); err != nil {
		return err
	}
	if err := c.checkDecided(); err != nil {
		return err
	}
	if err := c.executePlan(ctx); err != nil {
		return err
	}

	if c.dryRun {
		return c.countNotes(ctx)
	}
	primaryIsLast := true // the objects of the second store's notes are in the primary now
	if err := c.stores.repairNotes(ctx, &c.job, primaryIsLast); err != nil {
		return err
	}
	return c.markEqual(ctx)
}

// compare compares each object of one store with the other store, and plans what to do.
func (c *comparison) compare(ctx context.Context) error {
	s := c.stores
	if err := c.job.run(ctx, s.objects(ctx, s.primary), c.compareInPrimary); err != nil {
		return err
	}
	return c.job.run(ctx, s.objects(ctx, s.second.Bucket), c.compareInSecond)
}

// executePlan does what is planned for each key.
func (c *comparison) executePlan(ctx context.Context) error {
	executeEntry := func(ctx context.Context, e storage.ListEntry) error {
		// plannedKeys puts the action in place of an ETag.
		return c.execute(ctx, e.Key, Action(e.ETag))
	}
	return c.job.run(ctx, plannedKeys(ctx, c.planned), executeEntry)
}

// readNotes reads the notes in the second store, which are from the time when it was the primary. If
// the second store has notes, readNotes also reads the notes in the primary.
func (c *comparison) readNotes(ctx context.Context) (err error) {
	c.secondNotes, err = c.stores.notesOfSecond(ctx)
	if err != nil {
		return err
	}

	// With WithPrimaryRight, the notes of the second store prove nothing. Only their names are kept, by which
	// markEqual removes them.
	if c.primaryRight {
		c.secondNotes.keys = nil
	}
	if len(c.secondNotes.keys) == 0 {
		return nil
	}
	c.primaryNotes, err = c.ownNotes(ctx)
	return err
}

// compareInPrimary compares an object of the primary with the second store. It copies an object that
// the second store lacks, and plans the replacement of one that differs.
func (c *comparison) compareInPrimary(ctx context.Context, entry storage.ListEntry) error {
	s := c.stores
	c.objects.Add(1)

	// A copy has a write id that names the revision of the primary from which it was made.
	_, err := s.findCopy(ctx, entry.Key, s.second.Bare(entry.Revision))
	if err == nil {
		c.matched.Add(1)
		return nil
	}
	if !errors.Is(err, storage.ObjectNotFound) {
		return err
	}

	secondAttrs, err := attrsOf(ctx, s.second.Bucket, entry.Key)
	if err != nil {
		return err
	}
	// The mark proves that the primary is right only if the second store has had its object since before the mark.
	if secondAttrs != nil {
		since := s.putTime(entry.Key, secondAttrs.Modified)
		return c.plan(ctx, entry.Key, Replaced, since)
	}

	// The second store lacks the object. Without a reason for this, it may be an older snapshot.
	if !c.explainsMissing(entry) {
		c.unexplained.Add(1)
	}
	return c.execute(ctx, entry.Key, Copied)
}

// explainsMissing reports whether there is a reason why the second store lacks an object of the primary:
// a note, or that the object is a folder marker, which some stores cannot have. Without a reason, the
// second store may be an older snapshot.
func (c *comparison) explainsMissing(entry storage.ListEntry) bool {
	if c.primaryNotes.has(entry.Key) || c.secondNotes.has(entry.Key) {
		return true
	}
	return isMarker(entry.Key, entry.Size)
}

// isMarker reports whether an object is the marker of a folder, which has no content.
func isMarker(key string, size int64) bool { return size == 0 && objectkey.IsFolderMarker(key) }

// compareInSecond plans to remove an object of the second store that the primary lacks.
func (c *comparison) compareInSecond(ctx context.Context, entry storage.ListEntry) error {
	c.addTime(entry.Modified)

	exists, err := c.stores.primary.Exists(ctx, entry.Key)
	if err != nil {
		return err
	}
	if exists {
		// compareInPrimary compares the two objects.
		return nil
	}

	if isMarker(entry.Key, entry.Size) {
		// The primary may be unable to have the marker of a folder, so the age of the marker proves nothing.
		return c.plan(ctx, entry.Key, Removed, time.Time{})
	}
	// If the object is older than the primary's mark, the primary had it once, and so has removed it.
	since := c.stores.putTime(entry.Key, entry.Modified)
	return c.plan(ctx, entry.Key, Removed, since)
}

// addTime records the time of an object in the second store, if it is the newest one so far.
func (c *comparison) addTime(modified time.Time) {
	c.job.mu.Lock()
	defer c.job.mu.Unlock()
	if modified.After(c.newest) {
		c.newest = modified
	}
}

// putTime returns the time since which the second store has had an object. The time of a file may be
// older, because programs such as mv, cp -a and rsync -t set it, but the system knows when the file was
// put there.
func (s *stores) putTime(key string, modified time.Time) time.Time {
	newest := modified
	for _, place := range serving.Places(s.second.Bucket) {
		if place.Directory == "" {
			continue
		}
		path := filepath.Join(place.Directory, filepath.FromSlash(place.Prefix+key))
		info, err := os.Lstat(path)
		if err != nil {
			// The key has another file name.
			continue
		}
		if written := localfile.Written(info); written.After(newest) {
			newest = written
		}
	}
	return newest
}

// plan records an action for a key, to be done when all differences are known. since is the time from
// which on the second store has had the object. With the zero time, the mark does not prove that the
// primary is right.
func (c *comparison) plan(ctx context.Context, key string, a Action, since time.Time) error {
	c.job.mu.Lock()
	defer c.job.mu.Unlock()
	if c.primaryRight || c.isProvenByMark(key, since) {
		c.byMark++
		return c.planned.Add(ctx, []byte(key), []byte(a))
	}
	return c.doubtful.Add(ctx, []byte(key), []byte(a))
}

// isProvenByMark reports whether the mark proves that the primary is right about a key that the second
// store has had since the given time. A note in the second store may contradict the mark.
func (c *comparison) isProvenByMark(key string, since time.Time) bool {
	if !c.proven || since.IsZero() || c.secondNotes.has(key) {
		return false
	}
	return since.Before(c.mark.Since)
}

// execute makes both stores equal for a key by an action, which it only counts in a dry run.
func (c *comparison) execute(ctx context.Context, key string, action Action) error {
	if c.dryRun {
		if action == Removed {
			c.job.removed.Add(1)
		}
		c.job.repaired.Add(1)
		c.announce(key, action)
		return nil
	}

	if action == Returned {
		// The second store is right, so its object goes to the primary first.
		err := c.copyBack(ctx, key)
		if errors.Is(err, errLeftOut) {
			c.job.ignored.Add(1)
			return nil
		}
		if err != nil {
			return err
		}
	}

	equal, err := c.job.repair(ctx, c.stores, key)
	if err != nil {
		return err
	}
	if equal {
		c.announce(key, action)
	}
	return nil
}

// announce calls the function of WithDifferences, if there is one.
func (c *comparison) announce(key string, a Action) {
	if c.onDifference == nil {
		return
	}
	c.job.mu.Lock()
	defer c.job.mu.Unlock()
	c.onDifference(Difference{key, a})
}

// addUndecided counts and reports a key that stays undecided.
func (c *comparison) addUndecided(key string) {
	c.undecided.Add(1)
	c.first.CompareAndSwap(nil, &key)
	c.announce(key, Undecided)
}

// checkDecided fails if it is not known which store is right, so that nothing must be removed or
// replaced.
func (c *comparison) checkDecided() error {
	// If the second store lacks objects without a reason, it may be an older snapshot. Its objects must then
	// not replace those of the primary, so the planned conflicts are undecided.
	if c.unexplained.Load() > 0 {
		c.undecided.Add(c.conflicts.Load())
	}
	undecided := c.undecided.Load()

	// The mark says that both stores were equal once. If they have no equal object now, neither the mark nor the
	// actions that it decided can be trusted.
	isMarkDoubtful := c.byMark > 0 && c.matched.Load() == 0
	if undecided == 0 && !isMarkDoubtful {
		return nil
	}

	isPrimaryEmpty := c.objects.Load() == 0
	if isPrimaryEmpty {
		return &storage.Error{
			Code: storage.ObjectNotFound,
			Op:   "mirror.RepairAll",
			Err:  errors.New("nothing was removed or replaced, because the primary store has no objects"),
			Hint: undecidedHint,
		}
	}

	if undecided == 0 && c.primaryRight {
		// Only the mark is doubtful, and it is not needed, because the caller says which store is right.
		return nil
	}
	return c.undecidedError(undecided)
}

// undecidedError returns the error of checkDecided for a number of undecided objects, which is 0 if only
// the mark is doubtful.
func (c *comparison) undecidedError(undecided int64) error {
	failure := &storage.Error{
		Code: storage.PreconditionFailed,
		Op:   "mirror.RepairAll",
		Err: fmt.Errorf("nothing was removed or replaced, because it is not known which store is right "+
			"(objects: %d): %s", max(undecided, 1), c.reason(undecided)),
		Hint: undecidedHint,
	}
	if first := c.first.Load(); first != nil {
		failure.Key = *first
	}
	return failure
}

// reason tells why it is not known which store is right. undecided is the number of objects for which
// nothing shows it.
func (c *comparison) reason(undecided int64) string {
	if undecided == 0 {
		return "the second store has no copy of any object of the primary: one of them may be another store"
	}
	if c.proven {
		return "they were written after both stores were last known to be equal: " +
			"the primary may be restored from a snapshot"
	}
	return "the primary has no mark that it was ever equal to this second store: " +
		"it may be a new store, a copy, or at another address"
}

const undecidedHint = "if the object is being written, repeat the call. Otherwise look at the object in both stores. " +
	"If the primary is right, use WithPrimaryRight. If the second store is right, swap the roles of the " +
	"stores, or copy it to an empty store: docs/when-a-store-is-gone.md"
