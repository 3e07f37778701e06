package files

import (
	"bytes"
	"context"
	"encoding/json"
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
	Claim            *claim `json:"claim,omitempty"` // nil until all parts were seen

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
	// Joined is the record to be, once the bytes are there. If they are gone later,
	// the file was made and deleted.
	Joined   *Record `json:"joined,omitempty"`
	Recorded bool    `json:"recorded,omitempty"` // the record is there, or was
}

// enter reads the state, or creates it, and holds the call to what the others
// have said.
func (u *partUpload) enter(ctx context.Context) (*partState, error) {
	state, err := u.read(ctx)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		o := &u.options
		state = &partState{Count: o.Count, OriginalFileName: o.OriginalFileName, MIMEType: o.MIMEType, Purpose: o.Purpose}
		if err = u.write(ctx, state, storage.IfAbsent()); storage.CodeOf(err) == storage.PreconditionFailed {
			state, err = u.read(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	return state, state.agrees(&u.options)
}

func (p *partState) agrees(o *PartOptions) error {
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
	if err == nil {
		state.revision = attrs.Revision
	}
	return err
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
