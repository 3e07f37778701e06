package files

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// A partState is what all calls for one upload in parts share, in any process. The
// first call creates it, and it is changed only if it has not changed since it was
// read.
type partState struct {
	Count            int    `json:"count"`
	OriginalFileName string `json:"originalFileName"`
	MIMEType         string `json:"mimeType,omitempty"`
	Purpose          string `json:"purpose,omitempty"`
	// Run separates the keys of these parts from those of an earlier upload with the
	// same token, which Sweep may still be removing.
	Run   string `json:"run,omitempty"`
	Claim *claim `json:"claim,omitempty"` // nil until all parts were seen
	// Asked is set by a Sweep that found the upload idle and is about to remove it. A
	// call that continues the upload clears it. Its value is random, so that no two
	// states have the same revision in a store that derives revisions from content.
	Asked string `json:"asked,omitempty"`
	// Expired is final: the parts are being removed, and the next call starts over.
	Expired bool `json:"expired,omitempty"`

	revision string
}

// A claim decides which file the parts become. It is made once, or for each call that
// joins the parts if the bucket lacks IfAbsent; every call that continues with Joined
// makes the same file.
type claim struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	// Holder is the call that is joining the parts, so that others do not repeat the
	// work; "" if it has given up. Correctness does not depend on it, because several
	// calls that join get the same result.
	Holder string `json:"holder,omitempty"`
	Beat   int    `json:"beat,omitempty"` // counts the holder's heartbeats
	// Joined is the record to create, once the bytes are stored. If the bytes are
	// missing later, the file was made and deleted, because Sweep keeps the bytes of
	// a claim.
	Joined   *Record `json:"joined,omitempty"`
	Recorded bool    `json:"recorded,omitempty"` // the record was created
}

// enter reads or creates the state, and checks that the call's options match it.
func (u *partUpload) enter(ctx context.Context) (*partState, error) {
	for {
		state, err := u.read(ctx)
		switch {
		case storage.CodeOf(err) == storage.ObjectNotFound:
			state = u.newState("")
		case err != nil:
			return nil, err
		case state.Expired:
			state = u.newState(state.revision)
		default:
			u.run = state.Run
			if err := state.checkSame(&u.options); err != nil {
				return nil, err
			}
			return u.confirm(ctx, state)
		}
		swapped, err := u.swap(ctx, state)
		switch {
		case err != nil:
			return nil, err
		case swapped: // otherwise another call was first
			u.run = state.Run
			return state, nil
		}
	}
}

// newState returns the state of a new upload, which replaces the state with a
// revision; "": there is none.
func (u *partUpload) newState(revision string) *partState {
	o := &u.options
	return &partState{
		Count: o.Count, OriginalFileName: o.OriginalFileName, MIMEType: o.MIMEType, Purpose: o.Purpose,
		Run: rand.Text(), revision: revision,
	}
}

// confirm returns the state of the upload that this call has entered; nil means to
// read it. If a Sweep asks whether the upload is in use, confirm tells it with a
// write. If the upload has expired meanwhile, it fails with ObjectNotFound.
func (u *partUpload) confirm(ctx context.Context, state *partState) (_ *partState, err error) {
	for {
		if state == nil {
			if state, err = u.read(ctx); err != nil {
				return nil, err
			}
		}
		switch {
		case state.Run != u.run || state.Expired:
			return nil, storage.ObjectNotFound
		case state.Asked == "":
			return state, nil
		}
		state.Asked = ""
		if swapped, err := u.swap(ctx, state); swapped || err != nil {
			return state, err
		}
		state = nil
	}
}

func (p *partState) checkSame(o *PartOptions) error {
	switch {
	case o.Count != p.Count:
		return refuse(fieldCount, PartsChanged, "The earlier parts were of "+strconv.Itoa(p.Count)+".")
	case o.OriginalFileName != p.OriginalFileName:
		return refuse(fieldName, PartsChanged, "The earlier parts were of a file of another name.")
	case o.MIMEType != p.MIMEType:
		return refuse(fieldType, PartsChanged, "The earlier parts were of a file of another type.")
	case o.Purpose != p.Purpose:
		return refuse(fieldPurpose, PartsChanged, "The earlier parts were of a file of another purpose.")
	}
	return nil
}

func (u *partUpload) read(ctx context.Context) (*partState, error) {
	text, revision, err := u.store.states.PartState(ctx, u.stateKey())
	if err != nil {
		return nil, err
	}
	state, err := fromJSON[partState](text, u.stateKey())
	if err != nil {
		return nil, err
	}
	state.revision = revision
	return state, nil
}

// maxConflicts limits how often one call reads a state or a record again because
// another call changed it. Hundreds of calls at once stay below the limit; a store
// with broken conditions does not.
const maxConflicts = 1000

func conflictsError(key string) error {
	return &storage.Error{
		Code: storage.Unavailable, Key: key, Err: errors.New("the object changed " + strconv.Itoa(maxConflicts) + " times while this call updated it"),
		Hint: "check with storagetest that the store supports IfRevision, or with recordstest that the database compares revisions",
	}
}

// swap writes the state if it has not changed since it was read, and otherwise
// returns false.
func (u *partUpload) swap(ctx context.Context, state *partState) (bool, error) {
	text, err := json.Marshal(state)
	if err != nil {
		return false, &storage.Error{Code: storage.Internal, Err: err}
	}
	revision, err := u.store.states.SetPartState(ctx, u.stateKey(), text, state.revision)
	switch {
	case err == nil:
		state.revision = revision
		return true, nil
	case storage.CodeOf(err) != storage.PreconditionFailed:
		return false, err
	case u.conflicts.Add(1) >= maxConflicts:
		return false, conflictsError(u.stateKey())
	}
	return false, nil
}
