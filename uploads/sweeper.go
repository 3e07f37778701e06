package uploads

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// orphanAge is the age at which objects without a state are removed. They are not removed earlier,
// because a request that is still in progress may write such an object after its upload was
// removed.
const orphanAge = time.Hour

// maxFailures is the number of failures after which a Sweep ends, which bounds its requests and its
// errors.
const maxFailures = 100

// A SweepReport counts what [Service.Sweep] removed.
type SweepReport struct {
	Uploads int // expired uploads, and leftovers of completed ones
	Expired int // files that have expired
	Bytes   int // objects of files that had no record
	Records int // records without an object
	// Recounted is the number of users whose files were counted again, because an upload or a
	// removal did not end properly.
	Recounted int
}

// A sweeper is one call of Sweep.
type sweeper struct {
	setup         *setup
	counter       *counter // nil if Config.Allowance is nil
	files         *files
	keeper        *keeper
	noOrphanLimit bool
	report        *SweepReport
	now           time.Time // time by the clock of the bucket, because the clock of this process may be wrong
	errs          []error
}

// removeEach calls remove for several sessions at a time, counts what it has removed, and stops after
// maxFailures failures.
func (w *sweeper) removeEach(
	ctx context.Context, groups iter.Seq2[group, error], remove func(context.Context, group) (bool, error),
) {
	// Stop at an error of the list, and keep it.
	var listErr error
	listed := func(yield func(group) bool) {
		for g, err := range groups {
			if err != nil {
				listErr = err
				return
			}
			if !yield(g) {
				return
			}
		}
	}

	// EachGroup itself stops after maxFailures.
	removeBatch := func(batch []group) (errs []error, mayContinue bool) {
		return w.removeBatch(ctx, batch, remove), true
	}
	_, errs := running.EachGroup(listed, readConcurrency, maxFailures, removeBatch)
	w.errs = append(w.errs, errs...)
	w.add(listErr)
}

// removeBatch calls remove for all these sessions at a time, and counts in the report those that it removed. It returns
// the error of each session, or nil.
func (w *sweeper) removeBatch(
	ctx context.Context, batch []group, remove func(context.Context, group) (bool, error),
) []error {
	removed := make([]bool, len(batch))
	errs := running.All(len(batch), readConcurrency, func(i int) error {
		isRemoved, err := remove(ctx, batch[i])
		removed[i] = isRemoved
		return err
	})
	for _, isRemoved := range removed {
		if isRemoved {
			w.report.Uploads++
		}
	}
	return errs
}

// add adds an error to the result of Sweep, unless it is nil.
func (w *sweeper) add(err error) {
	if err != nil {
		w.errs = append(w.errs, err)
	}
}

// A group is one session in a listing. Config.States may keep the state of the session in the
// bucket of the objects. In that case, the group stands for the state and all objects of the
// session. Otherwise it stands only for the state.
type group struct {
	name     string
	hasState bool
	newest   time.Time // time of its newest object
	// idle is how long the state has not changed. It is only set if the state is not in the bucket
	// of the objects.
	idle time.Duration
}

// hasSeparateStates reports whether the states are stored elsewhere than the objects.
func (w *sweeper) hasSeparateStates() bool {
	states, inBucket := w.setup.config.States.(bucketStates)
	return !inBucket || !evidence.EqualValues(states.bucket, w.keeper.Bucket)
}

// sessions lists all sessions by name, beginning after start and wrapping around at the end. It has
// sessions without a state, which consist of objects, only if the states are in the same bucket.
func (w *sweeper) sessions(ctx context.Context, start string) iter.Seq2[group, error] {
	if w.hasSeparateStates() {
		return listAround(ctx, w.statesAfter, start)
	}
	return listAround(ctx, w.groupsAfter, start)
}

// listAround lists the sessions whose name comes after start, and then those from the first name up
// to start. The function list must list the sessions after a name.
func listAround(
	ctx context.Context, list func(context.Context, string) iter.Seq2[group, error], start string,
) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		for g, err := range list(ctx, start) {
			if !yield(g, err) || err != nil {
				return
			}
		}
		if start == "" {
			return
		}

		for g, err := range list(ctx, "") {
			if g.name >= start {
				return
			}
			if !yield(g, err) {
				return
			}
		}
	}
}

// groupsAfter lists the sessions that have objects and whose name comes after start, sorted by name. A group
// is a session with the time of its newest object.
func (w *sweeper) groupsAfter(ctx context.Context, start string) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		prefix := w.setup.config.Prefix
		opts := []storage.ListOption{storage.WithPrefix(prefix)}
		if start != "" {
			opts = append(opts, storage.WithStartAfter(prefix+start))
		}

		// The objects of a session follow each other, so a group is complete when the next one begins.
		var current group
		for entry, err := range w.keeper.Bucket.List(ctx, opts...) {
			if err != nil {
				yield(group{}, err)
				return
			}
			relative := strings.TrimPrefix(entry.Key, prefix)
			if !isOwnKey(relative) {
				continue
			}
			name, object, _ := strings.Cut(relative, "/")

			if name != current.name {
				hasGroup := current.name != ""
				if hasGroup && !yield(current, nil) {
					return
				}
				current = group{name: name}
			}
			if object == session.StateName {
				current.hasState = true
			}
			if entry.Modified.After(current.newest) {
				current.newest = entry.Modified
			}
		}
		if current.name != "" {
			yield(current, nil)
		}
	}
}

// isOwnKey reports whether this package may have written an object with this key, relative to Config.Prefix. Sweep
// ignores all other objects.
func isOwnKey(key string) bool {
	dir, object, hasDir := strings.Cut(key, "/")
	if !hasDir {
		return keypattern.IsRandom(key) || key == clockName
	}
	if !session.IsDirName(dir) {
		return false
	}
	return object == session.StateName ||
		strings.HasPrefix(object, session.ContentName) ||
		strings.HasPrefix(object, session.TailPrefix) ||
		strings.HasPrefix(object, session.PiecePrefix)
}

// statesAfter lists the sessions that have a state and whose name comes after start, sorted by name.
func (w *sweeper) statesAfter(ctx context.Context, start string) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		for state, err := range w.states(ctx, w.setup.config.Prefix, start) {
			if err != nil {
				yield(group{}, err)
				return
			}
			name, object, _ := strings.Cut(strings.TrimPrefix(state.Key, w.setup.config.Prefix), "/")
			if !session.IsDirName(name) || object != session.StateName {
				// It is not the state of an upload.
				continue
			}
			if !yield(group{name: name, hasState: true, idle: state.Idle}, nil) {
				return
			}
		}
	}
}

// states lists the states whose keys begin with prefix and come after prefix+start, sorted by key.
func (w *sweeper) states(ctx context.Context, prefix, start string) iter.Seq2[ListedState, error] {
	return paged(prefix+start, func(startAfter string) ([]ListedState, string, error) {
		// Do not return early after an error: a page may have states beside it.
		states, next, err := w.setup.config.States.ListStates(ctx, startAfter, listPage)

		// The list is sorted, so it ends with the first key after the prefix.
		end := slices.IndexFunc(states, func(s ListedState) bool { return !strings.HasPrefix(s.Key, prefix) })
		if end >= 0 {
			return states[:end], "", err
		}
		if !strings.HasPrefix(next, prefix) {
			next = "" // all further keys come after the prefix
		}
		return states, next, err
	})
}
