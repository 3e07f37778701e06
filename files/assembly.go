package files

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/omnibucket/storage"
)

const (
	// joinPatience is how long a call waits for another that joins the parts and
	// shows no sign of life, before it takes over: its process may have died.
	joinPatience = time.Minute
	firstPoll    = 50 * time.Millisecond
	lastPoll     = 2 * time.Second
	// joinAttempts bounds how often a part may be replaced while it is joined, by
	// calls that began before the set was complete.
	joinAttempts = 4
)

// A joining is one call's work on a set of parts that is complete.
type assembly struct {
	*partUpload
	holder string     // this call
	state  *partState // as last read or written
	drawn  bool       // the claim is new: nobody has worked on it before
	fresh  bool       // this call has joined the parts, a moment ago
}

// join makes the file of a complete set, or waits for the call that does. However
// many calls come here, in whatever process, and wherever one of them stops, they
// make one file and answer with its record.
func (u *partUpload) join(ctx context.Context) (*Record, error) {
	a := &assembly{partUpload: u, holder: rand.Text()}
	r, err := a.run(ctx)
	if err != nil {
		a.release(ctx, err)
		return nil, uploadError(err)
	}
	return r, nil
}

func (a *assembly) run(ctx context.Context) (*Record, error) {
	for {
		r, err := a.acquireClaim(ctx)
		if r != nil || err != nil {
			return r, err
		}
		r, err = a.advance(ctx)
		if r != nil {
			return r, nil
		}
		// A call that was slow may find the work done by another, and its parts gone.
		if err != nil && !a.superseded(ctx) {
			return nil, err
		}
	}
}

// hold returns when this call is the one to go on, or with what another made.
func (a *assembly) acquireClaim(ctx context.Context) (*Record, error) {
	var seen string // the revision that was waited on
	var waited time.Duration
	for poll := firstPoll; ; poll = min(2*poll, lastPoll) {
		state, err := a.confirm(ctx, nil)
		if err != nil {
			return nil, err
		}
		a.state = state
		if r, err := a.existing(ctx); r != nil || err != nil {
			return r, err
		}
		state = a.state
		if state.revision != seen {
			seen, waited = state.revision, 0
		}
		if c := state.Claim; c != nil && c.Holder != "" && c.Holder != a.holder && waited < joinPatience {
			if err := a.wait(ctx, poll); err != nil {
				return nil, err
			}
			waited += poll
			continue
		}
		if a.drawn = state.Claim == nil; a.drawn {
			r := a.newRecord(&a.options.UploadOptions)
			state.Claim = &claim{ID: r.ID, Created: r.Created}
		}
		state.Claim.Holder = a.holder
		if swapped, err := a.swap(ctx, state); swapped || err != nil {
			return nil, err
		}
	}
}

// made is the record of a file that is there already, nil where it is not. Nobody
// answers with a record before the state says that it is there: the claim of one
// that does not could expire.
func (a *assembly) existing(ctx context.Context) (*Record, error) {
	for {
		c := a.state.Claim
		if c == nil || c.Joined == nil {
			return nil, nil
		}
		r, err := a.records.Record(ctx, c.ID)
		switch {
		case storage.CodeOf(err) == storage.ObjectNotFound && c.Recorded:
			return nil, completedError(nil)
		case storage.CodeOf(err) == storage.ObjectNotFound:
			return nil, nil
		case err != nil:
			return nil, err
		case c.Recorded:
			return r, nil
		}
		if swapped, err := a.finish(ctx); swapped || err != nil {
			return r, err
		}
		if a.state, err = a.confirm(ctx, nil); err != nil {
			return nil, err
		}
	}
}

// advance does the steps that are left, each behind the one before: bytes, their
// note in the state, record, its note. It has neither record nor error where
// another call has taken over.
func (a *assembly) advance(ctx context.Context) (*Record, error) {
	r := a.state.Claim.Joined
	if r == nil {
		joined, err := a.assemble(ctx)
		if err != nil {
			return nil, err
		}
		if noted, err := a.noteJoined(ctx, joined); !noted || err != nil {
			return nil, err
		}
		r = joined
	} else if err := a.verify(ctx, r); err != nil {
		return nil, err
	}
	err := a.records.Create(ctx, r)
	if err != nil && storage.CodeOf(err) != storage.PreconditionFailed {
		return nil, err
	}
	if !a.fresh {
		if err := a.verify(ctx, r); err != nil {
			return nil, err
		}
	}
	swapped, err := a.finish(ctx)
	if err == nil && !swapped {
		// Another has taken over, or Sweep has given the upload up: the record is
		// there, but the file may have been deleted before it was.
		err = a.verify(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// stillHas is Completed for a file that was made and deleted, as Sweep leaves the
// bytes of a claim alone. A record of it is taken back.
func (a *assembly) verify(ctx context.Context, r *Record) error {
	there, err := a.hasBytes(ctx, a.kind, r)
	if err != nil || there {
		return err
	}
	if err := a.records.Remove(ctx, r.ID); err != nil {
		return err
	}
	return completedError(nil)
}

// noteJoined notes that the bytes are there, also where another call has taken
// over meanwhile: it need not join them again. It is false where that one has
// noted it itself, or gone on with another claim.
func (a *assembly) noteJoined(ctx context.Context, r *Record) (bool, error) {
	for {
		a.state.Claim.Joined = r
		if swapped, err := a.swap(ctx, a.state); swapped || err != nil {
			return swapped, err
		}
		state, err := a.confirm(ctx, nil)
		if err != nil {
			return false, err
		}
		if c := state.Claim; c == nil || c.ID != r.ID || c.Joined != nil {
			return false, nil
		}
		state.Claim.Holder, a.state = a.holder, state
	}
}

// finish notes that the record is there. What is left over then Sweep removes; the
// file is there.
func (a *assembly) finish(ctx context.Context) (bool, error) {
	c := a.state.Claim
	c.Holder, c.Recorded = "", true
	swapped, err := a.swap(ctx, a.state)
	if swapped {
		_, _ = storage.RemoveMatching(ctx, a.bucket, nil, storage.WithPrefix(a.partsPrefix()))
	}
	return swapped, err
}

// overtaken is true where another call has taken this one for dead.
func (a *assembly) superseded(ctx context.Context) bool {
	state, err := a.read(ctx)
	return err == nil && state.Claim != nil && state.Claim.Holder != a.holder
}

// release lets another call go on at once, where this one has failed with err. Of
// parts that were too large the claim is given up, so that a smaller one is taken.
func (a *assembly) release(ctx context.Context, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	state, failure := a.read(ctx)
	if failure != nil || state.Claim == nil || state.Claim.Holder != a.holder {
		return
	}
	state.Claim.Holder = ""
	if CodeOf(err) == TooLarge && state.Claim.Joined == nil {
		state.Claim = nil
	}
	_, _ = a.swap(ctx, state) // else it is taken over after joinPatience
}
