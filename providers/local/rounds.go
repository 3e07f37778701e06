package local

import (
	"context"
	"errors"
	"strconv"

	"github.com/omnibucket/storage"
)

// maxRounds is how often one call starts over because somebody else changed the
// same directory or object in between. Two writers need one or two rounds. If a
// call needs this many, something else is wrong, and more rounds do not help.
const maxRounds = 100

// rounds counts the rounds of one loop that starts over.
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
	Err:  errors.New("others changed the same directory " + strconv.Itoa(maxRounds) + " times while this call used it"),
	Hint: "keep other programs from changing the bucket's directory all the time",
}

// errVanished is for a staged file that somebody removed. The object was not
// changed, and a new staged file may live longer.
var errVanished = &storage.Error{
	Code: storage.Unavailable,
	Err:  errors.New("the temporary file of this write vanished before it was complete"),
	Hint: "exclude " + reserved + " in the bucket's directory from programs that remove temporary files",
}

// vanished is failure for an error of an operation on a staged file.
func (s *store) stagedFileError(err error) error {
	if !isNotExist(err) {
		return failure(err)
	}
	if err := s.notFoundIfBucketGone(nil); err != nil {
		return err
	}
	return errVanished
}
