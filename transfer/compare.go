package transfer

import (
	"context"
	"slices"
	"time"
)

// A Difference is a file that differs between two ends, or that could not be compared.
type Difference struct {
	Kind DifferenceKind
	Key  string
	Err  error // a *storage.Error if Kind is NotCompared
}

// A DifferenceKind says how a file differs between the two ends of a comparison.
type DifferenceKind string

// The kinds of differences.
const (
	Different   DifferenceKind = "different"
	OnlyFirst   DifferenceKind = "only first"  // only the first end has the file
	OnlySecond  DifferenceKind = "only second" // only the second end has the file
	NotCompared DifferenceKind = "not compared"
)

// A Comparison counts the files of two ends.
type Comparison struct {
	Same        int64
	Different   int64
	OnlyFirst   int64
	OnlySecond  int64
	NotCompared int64 // files that could not be compared
	Duration    time.Duration
}

// Equal reports whether all files were compared and are the same.
func (c *Comparison) Equal() bool {
	return c.Different == 0 && c.OnlyFirst == 0 && c.OnlySecond == 0 && c.NotCompared == 0
}

// Compare compares the files of two ends and changes nothing. If report is not nil, it is called for
// each difference; calls do not overlap.
//
// By default, Compare uses the rules of a [Sync] from the first end to the second end: it compares
// sizes and times, and contents if these do not show whether two files are the same. With
// [WithChecksum], it compares checksums, and with [WithSizeOnly] only sizes. Compare also accepts
// [WithConcurrency], [WithLinks], [WithProgress], and the options of a [Filter].
//
// Differences are not an error. If an end does not exist, Compare fails with ObjectNotFound or
// BucketNotFound. Other errors are those of Sync. Compare always returns a Comparison.
func Compare(ctx context.Context, first, second End, report func(Difference), opts ...Option) (*Comparison, error) {
	c := &Comparison{}
	countChange := func(change Change) {
		d := Difference{
			Kind: differenceKind(change),
			Key:  change.Key,
			Err:  change.Err,
		}
		c.count(d.Kind)
		if report != nil {
			report(d)
		}
	}

	// A comparison is the dry run of a job that would make the second end equal to the first.
	opts = append(slices.Clone(opts), WithDryRun(), WithDelete(), WithEmptySource(), WithChanges(countChange))
	j := &job{comparing: true}
	result, err := j.run(ctx, "Compare", second, first, opts)

	c.Same = result.Skipped
	c.Duration = result.Duration
	return c, err
}

// differenceKind returns how a file differs, given the change that would make the second end equal to
// the first.
func differenceKind(change Change) DifferenceKind {
	switch {
	case change.Action == Failed:
		return NotCompared
	case change.Action == Deleted:
		return OnlySecond
	case change.Replaced:
		return Different
	default:
		return OnlyFirst
	}
}

// count adds one file that differs to the counts.
func (c *Comparison) count(kind DifferenceKind) {
	switch kind {
	case NotCompared:
		c.NotCompared++
	case OnlySecond:
		c.OnlySecond++
	case Different:
		c.Different++
	case OnlyFirst:
		c.OnlyFirst++
	}
}
