package files

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/omnibucket/storage"
)

const (
	// joinPatience is how long a call waits for the holder of a claim without a
	// heartbeat before it takes over, because the holder's process may have died.
	joinPatience = time.Minute
	firstPoll    = 50 * time.Millisecond
	lastPoll     = 2 * time.Second
	// joinAttempts limits how often a part may be replaced while the parts are
	// joined, by calls that started before the set was complete.
	joinAttempts = 40
)

// An assembly is one call's work on a complete set of parts.
type assembly struct {
	upload *partUpload
	holder string     // this call
	state  *partState // as last read or written
	drawn  bool       // the claim is new: no call has worked on it before
	fresh  bool       // this call has just joined the parts
}

// join makes the file of a complete set, or waits for the call that does. Many calls
// may come here in many processes, and any of them may stop. They make one file and
// return its record.
func (u *partUpload) join(ctx context.Context) (*Record, error) {
	a := &assembly{upload: u, holder: rand.Text()}
	r, err := a.run(ctx)
	if _, refused := err.(*refusedError); refused {
		a.drop(ctx)
		return nil, toError(err)
	}
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
		// A slow call may find that another has done the work and removed the parts.
		if err != nil && !a.superseded(ctx) {
			return nil, err
		}
	}
}

// acquireClaim returns when this call holds the claim, or with the record that
// another call made.
func (a *assembly) acquireClaim(ctx context.Context) (*Record, error) {
	var seen string // the revision that it waited for
	var waited time.Duration
	for poll := firstPoll; ; poll = min(2*poll, lastPoll) {
		state, err := a.upload.confirm(ctx, nil)
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
			if err := a.upload.store.wait(ctx, poll); err != nil {
				return nil, err
			}
			waited += poll
			continue
		}
		// Without IfAbsent, only an ID of its own keeps what this call joins apart from
		// what a slow call still joins. Sweep removes the bytes that are not used.
		if a.drawn = state.Claim == nil || !a.upload.store.creates && state.Claim.Joined == nil; a.drawn {
			r := a.upload.store.newRecord(&a.upload.options.UploadOptions)
			state.Claim = &claim{ID: r.ID, Created: r.Created}
		}
		state.Claim.Holder = a.holder
		if swapped, err := a.upload.swap(ctx, state); swapped || err != nil {
			return nil, err
		}
	}
}

// existing returns the record of a file that already exists, or nil. A record is
// returned only after the state says that it exists; otherwise its claim could still
// expire.
func (a *assembly) existing(ctx context.Context) (*Record, error) {
	for {
		c := a.state.Claim
		if c == nil || c.Joined == nil {
			return nil, nil
		}
		r, err := a.upload.kind.records.Record(ctx, c.ID)
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
		if a.state, err = a.upload.confirm(ctx, nil); err != nil {
			return nil, err
		}
	}
}

// advance does the remaining steps in order: store the bytes, note them in the state,
// create the record, note it. If another call has taken over, it returns neither a
// record nor an error.
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
	err := a.upload.kind.records.Create(ctx, r)
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
		// Another call has taken over, or Sweep has removed the upload. The record
		// exists, but the file may have been deleted before that.
		err = a.verify(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// verify returns Completed if the file was made and then deleted, because Sweep never
// removes the bytes of a claim. It then removes the record again.
func (a *assembly) verify(ctx context.Context, r *Record) error {
	there, err := a.upload.store.hasBytes(ctx, a.upload.kind, r)
	if err != nil || there {
		return err
	}
	if err := a.upload.kind.records.Remove(ctx, r.ID); err != nil {
		return err
	}
	return completedError(nil)
}

// noteJoined notes in the state that the bytes are stored, even if another call has
// taken over, which then need not join them again. It returns false if that call has
// noted it, or has another claim.
func (a *assembly) noteJoined(ctx context.Context, r *Record) (bool, error) {
	for {
		a.state.Claim.Joined = r
		if swapped, err := a.upload.swap(ctx, a.state); swapped || err != nil {
			return swapped, err
		}
		state, err := a.upload.confirm(ctx, nil)
		if err != nil {
			return false, err
		}
		if c := state.Claim; c == nil || c.ID != r.ID || c.Joined != nil {
			return false, nil
		}
		state.Claim.Holder, a.state = a.holder, state
	}
}

// finish notes in the state that the record exists. If removing the parts fails,
// Sweep removes them later.
func (a *assembly) finish(ctx context.Context) (bool, error) {
	c := a.state.Claim
	c.Holder, c.Recorded = "", true
	swapped, err := a.upload.swap(ctx, a.state)
	if swapped {
		_, _ = storage.RemoveMatching(ctx, a.upload.store.bucket, nil, storage.WithPrefix(a.upload.partsPrefix()))
	}
	return swapped, err
}

// superseded reports whether another call has taken over.
func (a *assembly) superseded(ctx context.Context) bool {
	state, err := a.upload.read(ctx)
	return err == nil && state.Claim != nil && state.Claim.Holder != a.holder
}

// release lets another call continue at once after this one failed with err. If the
// parts are too large, it gives up the claim, so that a smaller part is accepted.
func (a *assembly) release(ctx context.Context, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	state, failure := a.upload.read(ctx)
	if failure != nil || state.Claim == nil || state.Claim.Holder != a.holder {
		return
	}
	state.Claim.Holder = ""
	if CodeOf(err) == TooLarge && state.Claim.Joined == nil {
		state.Claim = nil
	}
	_, _ = a.upload.swap(ctx, state) // otherwise another call takes over after joinPatience
}
