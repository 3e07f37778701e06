package uploads

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/storeclock"
)

// orphanAge is how old objects without a state must be to be removed. A request in
// progress may still write one after its upload was removed.
const orphanAge = time.Hour

// clockName is an object that is written to read the store's time. It stays only if a Sweep is killed.
const clockName = "clock"

// listPage is how many states are listed at once.
const listPage = 1000

// maxFailures ends a Sweep, so that its requests and errors are bounded if the store fails.
const maxFailures = 100

// Sweep removes what expired uploads left: their state, segments and content, the store's
// unfinished uploads, and files that tickets were for. Run it on a schedule, such as every hour; several processes
// may run it at once. It lists Config.Prefix, and reads the state of each upload there. It
// continues after failures, joins their errors, and ends at the 100th. Each call begins at another
// place, so that uploads that cannot be removed do not keep the others. removed counts the uploads.
//
// An upload that the store began for a request that was killed before its state was
// written is not known here. A lifecycle rule for incomplete uploads removes it.
func (s *Service) Sweep(ctx context.Context) (removed int, err error) {
	var errs []error
	start := sessionName(rand.Text())
	clock := sync.OnceValues(func() (time.Time, error) {
		key := s.config.Prefix + clockName
		now, err := storeclock.Now(ctx, s.bucket, key)
		if err := s.bucket.Remove(ctx, key); err != nil {
			errs = append(errs, err)
		}
		return now, err
	})
	sweep := func(groups iter.Seq2[group, error], f func(group) (bool, error)) {
		for g, err := range groups {
			gone := false
			if err == nil {
				gone, err = f(g)
			}
			if gone {
				removed++
			}
			if err != nil {
				errs = append(errs, err)
			}
			if len(errs) >= maxFailures {
				return
			}
		}
	}
	orphan := func(g group) (bool, error) { return s.keeper.removeOrphan(ctx, g) }
	sweep(s.keeper.sessions(ctx, start), func(g group) (bool, error) {
		if g.hasState {
			return s.keeper.expire(ctx, clock, g)
		}
		return orphan(g)
	})
	if s.keeper.beside() && len(errs) < maxFailures {
		sweep(around(ctx, s.keeper.groups, start), orphan)
	}
	return removed, errors.Join(errs...)
}

// A group is what is listed of one session: its objects, or if the states are not among those, its state.
type group struct {
	name     string
	hasState bool
	newest   time.Time     // of its objects
	idle     time.Duration // of a state that is not among the objects
}

// beside reports whether the states are not in the bucket of the objects.
func (k *keeper) beside() bool {
	states, inBucket := k.config.States.(bucketStates)
	return !inBucket || states.bucket != k.bucket
}

// sessions lists the sessions where their states are, from the name start on, and then those before it. In
// the bucket of the objects, that is also what has no state.
func (k *keeper) sessions(ctx context.Context, start string) iter.Seq2[group, error] {
	if k.beside() {
		return around(ctx, k.listed, start)
	}
	return around(ctx, k.groups, start)
}

// around lists what comes after the name start, and then what comes before it.
func around(ctx context.Context, list func(context.Context, string) iter.Seq2[group, error], start string) iter.Seq2[group, error] {
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
			if g.name >= start || !yield(g, err) {
				return
			}
		}
	}
}

// groups lists the sessions that have objects and whose name comes after start, in the order of names.
func (k *keeper) groups(ctx context.Context, start string) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		g := group{}
		opts := []storage.ListOption{storage.WithPrefix(k.config.Prefix)}
		if start != "" {
			opts = append(opts, storage.WithStartAfter(k.config.Prefix+start))
		}
		for entry, err := range k.bucket.List(ctx, opts...) {
			if err != nil {
				yield(group{}, err)
				return
			}
			name, object, below := strings.Cut(strings.TrimPrefix(entry.Key, k.config.Prefix), "/")
			if !below && (isTicket(name) || name == clockName) {
				if g.name != "" && !yield(g, nil) {
					return
				}
				g = group{name: name, newest: entry.Modified}
				continue
			}
			if !validName(name) || object != stateName && !hasAnyPrefix(object, contentName, tailPrefix, piecePrefix) {
				continue // it is not of this package
			}
			if name != g.name {
				if g.name != "" && !yield(g, nil) {
					return
				}
				g = group{name: name}
			}
			g.hasState = g.hasState || object == stateName
			if entry.Modified.After(g.newest) {
				g.newest = entry.Modified
			}
		}
		if g.name != "" {
			yield(g, nil)
		}
	}
}

// listed lists the sessions that have a state and whose name comes after start, in the order of names.
func (k *keeper) listed(ctx context.Context, start string) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		for after := k.config.Prefix + start; strings.HasPrefix(after, k.config.Prefix); {
			found, next, err := k.config.States.ListStates(ctx, after, listPage)
			if err != nil {
				yield(group{}, err)
				return
			}
			for _, state := range found {
				key, ours := strings.CutPrefix(state.Key, k.config.Prefix)
				if !ours {
					return
				}
				name, object, _ := strings.Cut(key, "/")
				if validName(name) && object == stateName && !yield(group{name: name, hasState: true, idle: state.Idle}, nil) {
					return
				}
			}
			after = next
		}
	}
}

// isTicket reports whether an object below Config.Prefix is a file that a ticket was for, or one
// that [Service.Store] was to inspect.
func isTicket(name string) bool {
	return len(name) == ownNames["random"] && strings.Trim(name, randomAlphabet) == ""
}

func hasAnyPrefix(text string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(text, p) })
}

func validName(name string) bool {
	return len(name) == len(sessionName("")) && strings.Trim(name, "0123456789abcdef") == ""
}

// expire removes a session if it has expired or was aborted. clock is that of the bucket.
func (k *keeper) expire(ctx context.Context, clock func() (time.Time, error), g group) (bool, error) {
	s, err := k.read(ctx, g.name)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return false, nil // another Sweep was first
	}
	if err != nil {
		return false, err
	}
	if s.Pieces != nil {
		now, err := clock()
		if err != nil {
			return false, err
		}
		return k.expirePieces(ctx, s, g, now)
	}
	now := k.config.Now()
	if now.Before(s.Expires) && s.Phase != phaseAborted || s.claimed(now) {
		return false, nil
	}
	if s.Phase == phaseOpen || s.Phase == phaseCompleting {
		s.Phase = phaseAborted
		if err := k.save(ctx, s); err != nil {
			if err == errConflict {
				return false, nil // the next Sweep looks again
			}
			return false, err
		}
	}
	err = k.remove(ctx, s)
	return err == nil, err
}

// removeOrphan removes the objects of a session without a state.
func (k *keeper) removeOrphan(ctx context.Context, g group) (bool, error) {
	age := k.config.Now().Sub(g.newest)
	if ticket := isTicket(g.name); ticket || g.name == clockName {
		if age < orphanAge || ticket && age < k.config.UploadTTL+finishWithin {
			return false, nil
		}
		err := k.bucket.Remove(ctx, k.config.Prefix+g.name)
		return err == nil, err
	}
	if age < orphanAge {
		return false, nil
	}
	_, err := k.read(ctx, g.name)
	if err == nil || storage.CodeOf(err) != storage.ObjectNotFound {
		return false, err
	}
	_, err = storage.RemoveMatching(ctx, k.bucket, nil, storage.WithPrefix(k.config.Prefix+g.name+"/"))
	return err == nil, err
}
