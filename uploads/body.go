package uploads

import (
	"io"

	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/rules"
)

// bounds holds the limits for the length of one file.
type bounds struct {
	judge   *rules.Judge
	claimed int64 // length in bytes that the sender announced; 0 means not known
	most    int64 // largest length in bytes that the application permits; 0 means that only the rules limit it
	room    int64 // bytes reserved in the user's allowance; 0 means no reservation
}

// newBounds returns the bounds of the rules, with the length that the sender claims.
func newBounds(judge *rules.Judge, claimed int64) bounds {
	return bounds{judge: judge, claimed: max(claimed, 0)}
}

// checkClaim returns the response to a length that the sender announced and that is not permitted, or nil.
func (b bounds) checkClaim() error {
	if b.claimed == 0 {
		return nil
	}
	return b.check(b.claimed)
}

// check returns the response to a file of n bytes that breaks a limit, or nil if n is within all limits. A field of b
// that is 0 sets no limit.
func (b bounds) check(n int64) error {
	// If an empty file also breaks a rule, the error of the rule says more.
	isClaimWrong := b.claimed > 0 && n != b.claimed
	if isClaimWrong && n > 0 {
		return refusal.WrongSize()
	}
	if b.most > 0 && n > b.most {
		return refusal.TooLarge(refusal.FileField, b.most)
	}
	if err := refusal.ByRules(b.judge.CheckSize(n)); err != nil {
		return err
	}
	if isClaimWrong {
		return refusal.WrongSize()
	}
	if b.room > 0 && n > b.room {
		message := "There is no room for this file: " + words.Bytes(b.room) + " are left."
		return refusal.OfFile(refusal.CodeOverAllowance, message)
	}
	return nil
}

// limit returns the greatest number of bytes that a stream may have.
func (b bounds) limit() int64 {
	maximum := b.judge.Rules().MaxSize
	for _, n := range []int64{b.most, b.claimed, b.room} {
		if n > 0 {
			maximum = min(maximum, n)
		}
	}
	return maximum
}

// A body reads a file while it streams into the store. If the file is too long, Read fails
// immediately. If it is too short, Read fails at its end. In both cases the store keeps nothing.
type body struct {
	src       io.Reader
	bounds    bounds
	limit     int64 // number of bytes that the bounds allow
	bytesRead int64
	refused   error // why Read has failed, or nil
}

// Read reads from src, and fails as soon as the length read breaks a bound.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	b.bytesRead += int64(n)
	// Check the length when it is final, or already too large.
	if b.bytesRead > b.limit || err == io.EOF {
		b.refused = b.bounds.check(b.bytesRead)
	} else if err != nil {
		b.refused = refusal.Interrupted(err)
	}
	if b.refused != nil {
		return 0, b.refused
	}
	return n, err
}
