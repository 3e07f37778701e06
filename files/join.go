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
type joining struct {
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
	j := &joining{partUpload: u, holder: rand.Text()}
	r, err := j.run(ctx)
	if err != nil {
		j.release(ctx, err)
		return nil, ofUpload(err)
	}
	return r, nil
}

func (j *joining) run(ctx context.Context) (*Record, error) {
	for {
		r, err := j.hold(ctx)
		if r != nil || err != nil {
			return r, err
		}
		r, err = j.advance(ctx)
		if r != nil {
			return r, nil
		}
		// A call that was slow may find the work done by another, and its parts gone.
		if err != nil && !j.overtaken(ctx) {
			return nil, err
		}
	}
}

// hold returns when this call is the one to go on, or with what another made.
func (j *joining) hold(ctx context.Context) (*Record, error) {
	var seen string // the revision that was waited on
	var waited time.Duration
	for poll := firstPoll; ; poll = min(2*poll, lastPoll) {
		state, err := j.alive(ctx, nil)
		if err != nil {
			return nil, err
		}
		j.state = state
		if r, err := j.made(ctx); r != nil || err != nil {
			return r, err
		}
		state = j.state
		if state.revision != seen {
			seen, waited = state.revision, 0
		}
		if c := state.Claim; c != nil && c.Holder != "" && c.Holder != j.holder && waited < joinPatience {
			if err := j.wait(ctx, poll); err != nil {
				return nil, err
			}
			waited += poll
			continue
		}
		if j.drawn = state.Claim == nil; j.drawn {
			r := j.newRecord(&j.options.UploadOptions)
			state.Claim = &claim{ID: r.ID, Created: r.Created}
		}
		state.Claim.Holder = j.holder
		if swapped, err := j.swap(ctx, state); swapped || err != nil {
			return nil, err
		}
	}
}

// made is the record of a file that is there already, nil where it is not. Nobody
// answers with a record before the state says that it is there: the claim of one
// that does not could expire.
func (j *joining) made(ctx context.Context) (*Record, error) {
	for {
		c := j.state.Claim
		if c == nil || c.Joined == nil {
			return nil, nil
		}
		r, err := j.records.Record(ctx, c.ID)
		switch {
		case storage.CodeOf(err) == storage.ObjectNotFound && c.Recorded:
			return nil, completed(nil)
		case storage.CodeOf(err) == storage.ObjectNotFound:
			return nil, nil
		case err != nil:
			return nil, err
		case c.Recorded:
			return r, nil
		}
		if swapped, err := j.finish(ctx); swapped || err != nil {
			return r, err
		}
		if j.state, err = j.alive(ctx, nil); err != nil {
			return nil, err
		}
	}
}

// advance does the steps that are left, each behind the one before: bytes, their
// note in the state, record, its note. It has neither record nor error where
// another call has taken over.
func (j *joining) advance(ctx context.Context) (*Record, error) {
	r := j.state.Claim.Joined
	if r == nil {
		joined, err := j.joinParts(ctx)
		if err != nil {
			return nil, err
		}
		if noted, err := j.noteJoined(ctx, joined); !noted || err != nil {
			return nil, err
		}
		r = joined
	} else if err := j.stillHas(ctx, r); err != nil {
		return nil, err
	}
	err := j.records.Create(ctx, r)
	if err != nil && storage.CodeOf(err) != storage.PreconditionFailed {
		return nil, err
	}
	if !j.fresh {
		if err := j.stillHas(ctx, r); err != nil {
			return nil, err
		}
	}
	swapped, err := j.finish(ctx)
	if err == nil && !swapped {
		// Another has taken over, or Sweep has given the upload up: the record is
		// there, but the file may have been deleted before it was.
		err = j.stillHas(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// stillHas is Completed for a file that was made and deleted, as Sweep leaves the
// bytes of a claim alone. A record of it is taken back.
func (j *joining) stillHas(ctx context.Context, r *Record) error {
	there, err := j.hasBytes(ctx, j.kind, r)
	if err != nil || there {
		return err
	}
	if err := j.records.Remove(ctx, r.ID); err != nil {
		return err
	}
	return completed(nil)
}

// noteJoined notes that the bytes are there, also where another call has taken
// over meanwhile: it need not join them again. It is false where that one has
// noted it itself, or gone on with another claim.
func (j *joining) noteJoined(ctx context.Context, r *Record) (bool, error) {
	for {
		j.state.Claim.Joined = r
		if swapped, err := j.swap(ctx, j.state); swapped || err != nil {
			return swapped, err
		}
		state, err := j.alive(ctx, nil)
		if err != nil {
			return false, err
		}
		if c := state.Claim; c == nil || c.ID != r.ID || c.Joined != nil {
			return false, nil
		}
		state.Claim.Holder, j.state = j.holder, state
	}
}

// finish notes that the record is there. What is left over then Sweep removes; the
// file is there.
func (j *joining) finish(ctx context.Context) (bool, error) {
	c := j.state.Claim
	c.Holder, c.Recorded = "", true
	swapped, err := j.swap(ctx, j.state)
	if swapped {
		_, _ = storage.RemoveMatching(ctx, j.bucket, nil, storage.WithPrefix(j.partsPrefix()))
	}
	return swapped, err
}

// overtaken is true where another call has taken this one for dead.
func (j *joining) overtaken(ctx context.Context) bool {
	state, err := j.read(ctx)
	return err == nil && state.Claim != nil && state.Claim.Holder != j.holder
}

// release lets another call go on at once, where this one has failed with err. Of
// parts that were too large the claim is given up, so that a smaller one is taken.
func (j *joining) release(ctx context.Context, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	state, failure := j.read(ctx)
	if failure != nil || state.Claim == nil || state.Claim.Holder != j.holder {
		return
	}
	state.Claim.Holder = ""
	if CodeOf(err) == TooLarge && state.Claim.Joined == nil {
		state.Claim = nil
	}
	_, _ = j.swap(ctx, state) // else it is taken over after joinPatience
}
