package files

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// A partState is what the calls for one upload in parts agree on, whichever
// process they are in: one object, created by whoever comes first, and changed
// only on the condition that it is what was read.
type partState struct {
	Count            int    `json:"count"`
	OriginalFileName string `json:"originalFileName"`
	MIMEType         string `json:"mimeType,omitempty"`
	Purpose          string `json:"purpose,omitempty"`
	// Run sets the keys of these parts apart from those of an earlier upload of the
	// token, which Sweep may still be at.
	Run   string `json:"run,omitempty"`
	Claim *claim `json:"claim,omitempty"` // nil until all parts were seen
	// Asked is by a Sweep that has found the upload left alone and is about to give
	// it up: who goes on with it takes this away. It is drawn at random, so that no
	// two states are one revision where the store makes that of the content.
	Asked string `json:"asked,omitempty"`
	// Expired is for good: the parts are going away, and who comes begins anew.
	Expired bool `json:"expired,omitempty"`

	revision string
}

// A claim is the decision which file the parts become. It is made once; whoever
// goes on with it makes the same file.
type claim struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	// Holder is the call that joins the parts at the moment, so that others do not
	// do the same work; "" where it has given up. Nothing rests on it: several that
	// join come to one result.
	Holder string `json:"holder,omitempty"`
	Beat   int    `json:"beat,omitempty"` // counts the holder's signs of life
	// Joined is the record to be, once the bytes are there. If they are gone later,
	// the file was made and deleted: Sweep leaves the bytes of a claim alone.
	Joined   *Record `json:"joined,omitempty"`
	Recorded bool    `json:"recorded,omitempty"` // the record is there, or was
}

// enter reads the state, or creates it, and holds the call to what the others
// have said.
func (u *partUpload) enter(ctx context.Context) (*partState, error) {
	for {
		state, err := u.read(ctx)
		var condition storage.UploadOption
		switch {
		case storage.CodeOf(err) == storage.ObjectNotFound:
			state, condition = u.newState(), storage.IfAbsent()
		case err != nil:
			return nil, err
		case state.Expired:
			condition = storage.IfRevision(state.revision)
			state = u.newState()
		default:
			u.run = state.Run
			if err := state.checkSame(&u.options); err != nil {
				return nil, err
			}
			return u.confirm(ctx, state)
		}
		if err = u.write(ctx, state, condition); err == nil {
			u.run = state.Run
			return state, nil
		}
		if storage.CodeOf(err) != storage.PreconditionFailed { // else another was first
			return nil, err
		}
	}
}

// begin is the state of an upload that nobody has begun.
func (u *partUpload) newState() *partState {
	o := &u.options
	return &partState{
		Count: o.Count, OriginalFileName: o.OriginalFileName, MIMEType: o.MIMEType, Purpose: o.Purpose,
		Run: rand.Text(),
	}
}

// alive is the state of the upload that this call has entered, nil to be read. A
// Sweep that asks whether anybody goes on with it learns it from the write.
// ObjectNotFound where the upload has expired meanwhile.
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
		return refuse(fieldCount, PartsChanged, "The parts before were of "+strconv.Itoa(p.Count)+".")
	case o.OriginalFileName != p.OriginalFileName:
		return refuse(fieldName, PartsChanged, "The parts before were of a file of another name.")
	case o.MIMEType != p.MIMEType:
		return refuse(fieldType, PartsChanged, "The parts before were of a file of another type.")
	case o.Purpose != p.Purpose:
		return refuse(fieldPurpose, PartsChanged, "The parts before were of a file of another purpose.")
	}
	return nil
}

func (u *partUpload) read(ctx context.Context) (*partState, error) {
	state, revision, err := readJSON[partState](ctx, u.bucket, u.prefix+stateName)
	if err != nil {
		return nil, err
	}
	state.revision = revision
	return state, nil
}

func (u *partUpload) write(ctx context.Context, state *partState, condition storage.UploadOption) error {
	text, err := json.Marshal(state)
	if err != nil {
		return &storage.Error{Code: storage.Internal, Err: err}
	}
	attrs, err := u.bucket.Upload(ctx, u.prefix+stateName, bytes.NewReader(text), condition)
	switch {
	case err == nil:
		state.revision = attrs.Revision
	case storage.CodeOf(err) == storage.PreconditionFailed && u.conflicts.Add(1) >= maxConflicts:
		return conflictsError(u.prefix + stateName)
	}
	return err
}

// maxConflicts is how often one call reads a state or a record again because
// another call changed it in between. Hundreds of calls at once stay below it; a
// store that is wrong about conditions does not.
const maxConflicts = 1000

func conflictsError(key string) error {
	return &storage.Error{
		Code: storage.Unavailable, Key: key, Err: errors.New("the object changed " + strconv.Itoa(maxConflicts) + " times while this call updated it"),
		Hint: "check that the store keeps IfRevision: storagetest does",
	}
}

// swap changes the state on the condition that it is what was read: false where it
// is not.
func (u *partUpload) swap(ctx context.Context, state *partState) (bool, error) {
	err := u.write(ctx, state, storage.IfRevision(state.revision))
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return false, nil
	}
	return err == nil, err
}
