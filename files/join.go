package files

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/omnibucket/storage"
)

const (
	// joinPatience is how long a call waits for another that joins the parts and
	// shows no progress, before it takes over: its process may have died.
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
	fresh  bool       // this call has joined the parts, a moment ago
}

// join makes the file of a complete set, or waits for the call that does. However
// many calls come here, in whatever process, and wherever one of them stops, they
// make one file and answer with its record.
func (u *partUpload) join(ctx context.Context) (*Record, error) {
	j := &joining{partUpload: u, holder: rand.Text()}
	r, err := j.run(ctx)
	if err != nil {
		j.release(ctx)
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
		done, err := j.advance(ctx)
		if done {
			break
		}
		// A call that was slow may find the work done by another, and its parts gone.
		if err != nil && !j.overtaken(ctx) {
			return nil, err
		}
	}
	r := j.state.Claim.Joined
	// What is left over Sweep removes; the file is there.
	_, _ = storage.RemoveMatching(ctx, j.bucket, nil, storage.WithPrefix(j.prefix+partsUnder))
	return r, nil
}

// hold returns when this call is the one to go on, or with what another made.
func (j *joining) hold(ctx context.Context) (*Record, error) {
	var seen string // the revision that was waited on
	var waited time.Duration
	for poll := firstPoll; ; poll = min(2*poll, lastPoll) {
		state, err := j.read(ctx)
		if err != nil {
			return nil, err
		}
		j.state = state
		if r, err := j.made(ctx); r != nil || err != nil {
			return r, err
		}
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
		if state.Claim == nil {
			r := j.newRecord(&j.options.UploadOptions)
			state.Claim = &claim{ID: r.ID, Created: r.Created}
		}
		state.Claim.Holder = j.holder
		if swapped, err := j.swap(ctx, state); swapped || err != nil {
			return nil, err
		}
	}
}

// made is the record of a file that is there already, nil where it is not.
func (j *joining) made(ctx context.Context) (*Record, error) {
	c := j.state.Claim
	if c == nil || c.Joined == nil {
		return nil, nil
	}
	r, err := j.records.Record(ctx, c.ID)
	switch {
	case err == nil:
		return r, nil
	case storage.CodeOf(err) != storage.ObjectNotFound:
		return nil, err
	case c.Recorded:
		return nil, completed(nil)
	}
	return nil, nil
}

// advance does the steps that are left, each behind the one before: bytes, their
// note in the state, record, its note. It is false where another call has taken
// over.
func (j *joining) advance(ctx context.Context) (bool, error) {
	began := time.Now()
	c := j.state.Claim
	if c.Joined == nil {
		r, err := j.joinParts(ctx)
		if err != nil {
			return false, err
		}
		c.Joined = r
		if swapped, err := j.swap(ctx, j.state); !swapped || err != nil {
			return false, err
		}
	} else if there, err := j.hasBytes(ctx, j.kind, c.Joined); err != nil {
		return false, err
	} else if !there {
		return false, completed(nil)
	}
	err := j.records.Create(ctx, c.Joined)
	if err != nil && storage.CodeOf(err) != storage.PreconditionFailed {
		return false, err
	}
	if !j.fresh || time.Since(began) >= j.config.Grace/2 {
		if err := j.stillThere(ctx, j.kind, c.Joined); err != nil {
			return false, err
		}
	}
	c.Holder, c.Recorded = "", true
	return j.swap(ctx, j.state)
}

// joinParts makes the bytes of the parts, and the record to be. Bytes that are
// there already are those of an earlier call that got no further.
func (j *joining) joinParts(ctx context.Context) (*Record, error) {
	r := j.newRecord(&j.options.UploadOptions)
	r.ID, r.Created = j.state.Claim.ID, j.state.Claim.Created
	opts := []storage.CopyOption{storage.IfAbsent()}
	if r.MIMEType != "" {
		opts = append(opts, storage.WithContentType(r.MIMEType))
	}
	for attempt := 1; ; attempt++ {
		keys, size, err := j.parts(ctx)
		if err != nil {
			return nil, err
		}
		if len(keys) < j.options.Count {
			return nil, storage.ObjectNotFound
		}
		if j.config.MaxSize > 0 && size > j.config.MaxSize {
			return nil, tooLarge(j.config.MaxSize)
		}
		attrs, err := storage.Compose(ctx, j.bucket, j.key(r), keys, opts...)
		switch storage.CodeOf(err) {
		case "":
			j.fresh = true
		case storage.PreconditionFailed:
			if attrs, err = j.bucket.Attrs(ctx, j.key(r)); err != nil {
				return nil, err
			}
		case storage.Changed:
			if attempt < joinAttempts {
				continue
			}
			return nil, err
		default:
			return nil, err
		}
		r.describe(attrs)
		return r, nil
	}
}

// overtaken is true where another call has taken this one for dead.
func (j *joining) overtaken(ctx context.Context) bool {
	state, err := j.read(ctx)
	return err == nil && state.Claim != nil && state.Claim.Holder != j.holder
}

// release lets another call go on at once, where this one has failed.
func (j *joining) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	state, err := j.read(ctx)
	if err != nil || state.Claim == nil || state.Claim.Holder != j.holder {
		return
	}
	state.Claim.Holder = ""
	_, _ = j.swap(ctx, state) // else it is taken over after joinPatience
}
