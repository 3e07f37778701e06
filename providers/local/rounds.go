package local

import (
	"cmp"
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

// errAgain makes retry begin another round: another process has changed what the call uses. It may have removed a
// directory because that was empty.
var errAgain = &storage.Error{Code: storage.Unavailable, Err: errors.New("another program changed the same directory")}

var errRounds = &storage.Error{
	Code: storage.Unavailable,
	Err: errors.New(
		"other programs changed the same directory " + strconv.Itoa(maxRounds) + " times while this call used it",
	),
	Hint: "stop the program that keeps changing the bucket's directory",
}

// retry calls f until it does not return errAgain. It fails if ctx is done or no rounds are left. If f finds no file
// left to open, retry waits for one, for up to fileWait.
func retry(ctx context.Context, f func() error) error {
	var files fileWaiter
	for round := 0; round < maxRounds; {
		if err := interrupted(ctx); err != nil {
			return err
		}
		switch err := f(); {
		case err == errAgain:
			round++
		case !noFile(err) || !files.wait(ctx):
			return err
		}
	}
	return errRounds
}

// retry is retry that ends with the error of checkPlace if the bucket is not at its place any more.
func (t *tree) retry(ctx context.Context, f func() error) error {
	return retry(ctx, func() error {
		err := f()
		if err == errAgain {
			return cmp.Or(t.checkPlace(), err)
		}
		return err
	})
}

// againIfGone returns errAgain if err means that a directory vanished, and otherwise failure(err).
func againIfGone(err error) error {
	if osdir.IsNotExist(err) {
		return errAgain
	}
	return failure(err)
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
	if osdir.IsNotExist(err) {
		return cmp.Or[error](t.checkPlace(), errVanished)
	}
	return failure(err)
}
