package uploads

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// orphanAge is how old objects without a state must be to be removed. A request in
// progress may still write one after its upload was removed.
const orphanAge = time.Hour

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
	sweep := func(from storage.Lister, f func(group) (bool, error)) {
		for g, err := range s.keeper.groups(ctx, from, start) {
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
	sweep(s.config.States, func(g group) (bool, error) {
		if g.hasState {
			return s.keeper.expire(ctx, g.name)
		}
		return s.keeper.removeOrphan(ctx, s.config.States, g)
	})
	if s.config.States != storage.ReadWriter(s.bucket) && len(errs) < maxFailures {
		sweep(s.bucket, func(g group) (bool, error) { return s.keeper.removeOrphan(ctx, s.bucket, g) })
	}
	return removed, errors.Join(errs...)
}

// A group is the objects of one session in one bucket.
type group struct {
	name     string
	hasState bool
	newest   time.Time
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
			if !below && isTicket(name) {
				if g.name != "" && !yield(g, nil) {
					return
				}
				g = group{name: name, newest: entry.Modified}
				continue
			}
			if !validName(name) || object != stateName && !strings.HasPrefix(object, contentName) && !strings.HasPrefix(object, tailPrefix) {
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

// isTicket reports whether an object below Config.Prefix is a file that a ticket was for, or one
// that [Service.Store] was to inspect.
func isTicket(name string) bool {
	return len(name) == ownNames["random"] && strings.Trim(name, randomAlphabet) == ""
}

func validName(name string) bool {
	return len(name) == len(sessionName("")) && strings.Trim(name, "0123456789abcdef") == ""
}

// expire removes a session if it has expired or was aborted.
func (k *keeper) expire(ctx context.Context, name string) (bool, error) {
	s, err := k.read(ctx, name)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return false, nil // another Sweep was first
	}
	if err != nil {
		return false, err
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
	if isTicket(g.name) {
		if age < k.config.UploadTTL+finishWithin {
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
