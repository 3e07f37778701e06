package local

import (
	"context"
	"errors"
	"strconv"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// maxRounds is how often a call starts over because another process changed the same
// directory or object. Two writers need one or two rounds. If a call needs this many, more
// rounds do not help.
const maxRounds = 100

// rounds counts the rounds of a loop that starts over.
type rounds int

// next begins a round. It fails if ctx is done or no rounds are left.
func (r *rounds) next(ctx context.Context) error {
	if err := interrupted(ctx); err != nil {
		return err
	}
	if *r >= maxRounds {
		return errRounds
	}
	*r++
	return nil
}

var errRounds = &storage.Error{
	Code: storage.Unavailable,
	Err:  errors.New("other programs changed the same directory " + strconv.Itoa(maxRounds) + " times while this call used it"),
	Hint: "stop the program that keeps changing the bucket's directory",
}

// errVanished means that another program removed the staged file. The object is
// unchanged, and another attempt may succeed.
var errVanished = &storage.Error{
	Code: storage.Unavailable,
	Err:  errors.New("the temporary file of this write vanished before it was complete"),
	Hint: "exclude " + reserved + " in the bucket's directory from programs that remove temporary files",
}

// stagedFileError returns the error for a failed operation on a staged file.
func (t *tree) stagedFileError(err error) error {
	if !osdir.IsNotExist(err) {
		return failure(err)
	}
	if err := t.notFoundIfBucketGone(nil); err != nil {
		return err
	}
	return errVanished
}
