package transfer

import (
	"fmt"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer/internal/journal"
)

// WithJournal records the progress of the job in a journal, which is the object with this key in b.
// A job that was killed continues where it stopped if it is repeated with the same options. Without
// a journal, a repeated job compares all files.
//
// The journal contains a key of the source, here called the last key, up to which the job is done
// with all files. It is written at most every ten seconds, and when the job ends early. A repeated
// job begins after the last key, and its report includes the files up to it. A job that ends
// without a failure removes the journal.
//
// Each job needs its own journal. A job with another source, destination or shard ([WithShard]) is
// another job. The job fails with InvalidArgument in these cases:
//
//   - The journal is that of a job with another source or destination, or with other layers.
//   - The journal is that of a job with other patterns, sizes, shards or comparisons.
//   - The journal is that of a job with a later time in [WithModifiedAfter].
//   - [WithModifiedAfter], [WithModifiedBefore], [WithLinks] or [WithMove] was added or left out.
//   - The journal lies in the source or destination, and [WithExclude] does not exclude its
//     directory.
//
// If a later version of this library has written the journal in another form, the job fails with
// Unsupported.
//
// A repeated job does not look at files up to the last key, so it does not see that the source has
// new files there, or that the destination has lost files. Remove the journal if the destination was
// emptied or restored. With [WithDelete], a repeated job begins with the first key, because it must
// know all files. Only [Sync], [Upload], [Download] and [Copy] keep a journal.
//
// A job ignores a journal that was copied from another place, and that of a job that has ended,
// which for example [Undelete] or [RestoreAt] may bring back. It then begins with the first key. So
// does each job if the clocks of this machine and of the store differ by more than 15 minutes.
func WithJournal(b interface {
	storage.Uploader
	storage.Downloader
	storage.Remover
}, key string) Option {
	return checked(
		b != nil && key != "", "WithJournal", "must have a bucket and a key",
		func(s *settings) {
			s.journal = journal.New(b, key)
		},
	)
}

// jobText describes the options that decide which files a job handles. Journals and caches contain this
// text, so that a job with other options does not use them.
func (s *settings) jobText() string {
	var text strings.Builder
	if s.inventory != nil {
		// The inventory determines the ranges of the shards.
		text.WriteString(" inventory " + s.inventory.Taken.Format(time.RFC3339Nano))
	}
	// The times themselves may differ between two runs, so only their presence counts.
	if !s.files.ModifiedAfter.IsZero() {
		text.WriteString(" newer ")
	}
	if !s.files.ModifiedBefore.IsZero() {
		text.WriteString(" older ")
	}
	if s.files.Bounded {
		fmt.Fprintf(&text, " bounds %q", s.files.Bounds)
	}
	fmt.Fprintf(&text,
		"prefix %q include %q exclude %q size %d-%d shard %d/%d checksum %t size only %t missing only %t links %t move %t",
		s.files.Prefix, s.files.Include, s.files.Exclude, s.files.MinSize, s.files.MaxSize, s.files.Shard, s.files.Shards,
		s.checksum, s.sizeOnly, s.missingOnly, s.links, s.move,
	)
	return text.String()
}
