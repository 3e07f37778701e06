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
	states, inBucket := s.config.States.(bucketStates)
	beside := !inBucket || states.bucket != storage.ReadWriter(s.bucket)
	expire := func(g group) (bool, error) {
		if g.hasState {
			return s.keeper.expire(ctx, clock, g, beside)
		}
		return s.keeper.removeOrphan(ctx, s.bucket, g)
	}
	switch {
	case !beside:
		sweep(s.keeper.groups(ctx, s.bucket, start), expire)
		return removed, errors.Join(errs...)
	case inBucket:
		sweep(s.keeper.groups(ctx, states.bucket, start), expire)
	default:
		sweep(s.keeper.listed(ctx, start), expire)
	}
	if len(errs) < maxFailures {
		sweep(s.keeper.groups(ctx, s.bucket, start), func(g group) (bool, error) { return s.keeper.removeOrphan(ctx, s.bucket, g) })
	}
	return removed, errors.Join(errs...)
}

// A group is the objects of one session in one bucket.
type group struct {
	name     string
	hasState bool
	newest   time.Time
	idle     time.Duration // of a state that is in no bucket
}

// groups lists the sessions in a bucket: those from the name start on, and then those before it.
func (k *keeper) groups(ctx context.Context, from storage.Lister, start string) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		for g, err := range k.groupsAfter(ctx, from, start) {
			if !yield(g, err) || err != nil {
				return
			}
		}
		for g, err := range k.groupsAfter(ctx, from, "") {
			if g.name >= start || !yield(g, err) {
				return
			}
		}
	}
}

// groupsAfter lists the sessions in a bucket, in the order of their names.
func (k *keeper) groupsAfter(ctx context.Context, from storage.Lister, start string) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		g := group{}
		opts := []storage.ListOption{storage.WithPrefix(k.config.Prefix)}
		if start != "" {
			opts = append(opts, storage.WithStartAfter(k.config.Prefix+start))
		}
		for entry, err := range from.List(ctx, opts...) {
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

// listed lists the sessions whose state is in no bucket: those from the name start on, and then
// those before it.
func (k *keeper) listed(ctx context.Context, start string) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		for _, from := range []string{start, ""} {
			for after := k.config.Prefix + from; after != ""; {
				found, next, err := k.config.States.ListStates(ctx, after, listPage)
				if err != nil {
					yield(group{}, err)
					return
				}
				for _, state := range found {
					name, object, _ := strings.Cut(strings.TrimPrefix(state.Key, k.config.Prefix), "/")
					ours := validName(name) && object == stateName
					if !strings.HasPrefix(state.Key, k.config.Prefix) || from == "" && start != "" && name >= start {
						next = ""
						break
					}
					if ours && !yield(group{name: name, hasState: true, idle: state.Idle}, nil) {
						return
					}
				}
				after = next
			}
			if start == "" {
				return
			}
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

// expire removes a session if it has expired or was aborted. beside is set if its state is not in the
// bucket of its objects.
func (k *keeper) expire(ctx context.Context, clock func() (time.Time, error), g group, beside bool) (bool, error) {
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
		return k.expirePieces(ctx, s, g, now, beside)
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
func (k *keeper) removeOrphan(ctx context.Context, from storage.ReadWriter, g group) (bool, error) {
	age := k.config.Now().Sub(g.newest)
	if ticket := isTicket(g.name); ticket || g.name == clockName {
		if age < orphanAge || ticket && age < k.config.UploadTTL+finishWithin {
			return false, nil
		}
		err := from.Remove(ctx, k.config.Prefix+g.name)
		return err == nil, err
	}
	if age < orphanAge {
		return false, nil
	}
	_, err := k.read(ctx, g.name)
	if err == nil || storage.CodeOf(err) != storage.ObjectNotFound {
		return false, err
	}
	_, err = storage.RemoveMatching(ctx, from, nil, storage.WithPrefix(k.config.Prefix+g.name+"/"))
	return err == nil, err
}
