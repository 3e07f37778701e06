package transfer

import (
	"fmt"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/transfer/internal/ends"
)

// A Forecast is the result of a dry run. It counts the requests and bytes of the job, without the
// requests that list the files. It also does not count parts of large files and retries. If a file
// looks the same in both listings, the job may request its attributes. A Forecast does not count
// these requests either.
type Forecast struct {
	Reads    int64 `json:"reads"`    // requests that read objects
	Writes   int64 `json:"writes"`   // requests that write objects, including copies inside the provider
	Removals int64 `json:"removals"` // objects to be removed; one request may remove many
	Sent     int64 `json:"sent"`     // bytes of objects that are sent to the destination
	Received int64 `json:"received"` // bytes of objects that are received from the source
	Needed   int64 `json:"needed"`   // bytes of disk space that a destination directory needs
	// Free is the number of free bytes on the disk of the destination directory. It is -1 if that
	// is not known, or if the destination is a bucket.
	Free int64 `json:"free"`
}

// forecast estimates what a job would do after its dry run with the destination dst.
func (j *job) forecast(dst End) *Forecast {
	report := &j.reporter.report
	_, srcIsBucket := j.src.(*ends.Objects)
	_, dstIsBucket := j.dst.(*ends.Objects)
	movesInStore, copiesInStore := j.worksInStore()

	// A move within the store is one request, which counts as a write.
	f := &Forecast{Free: -1}
	if dstIsBucket {
		f.Writes = report.Transferred
		f.Removals = report.Deleted
	} else {
		f.Needed = report.Bytes
		f.Free = localfile.Free(dst.path)
	}
	if srcIsBucket && !movesInStore {
		f.Reads = report.Transferred
	}

	// The content passes through this machine, unless the store moves or copies the object itself.
	isStreamed := !movesInStore && !copiesInStore
	if dstIsBucket && isStreamed {
		f.Sent = report.Bytes
	}
	if srcIsBucket && isStreamed {
		f.Received = report.Bytes
	}

	// A move also removes the files of the source, even those that the destination has already. In a
	// directory, that takes no request.
	if j.settings.move && srcIsBucket && !movesInStore {
		f.Removals += report.Transferred + report.Skipped
	}
	return f
}

// worksInStore reports whether the store itself moves the objects of the job, with one request for each,
// and whether it copies them.
func (j *job) worksInStore() (moves, copies bool) {
	src, srcIsBucket := j.src.(*ends.Objects)
	dst, dstIsBucket := j.dst.(*ends.Objects)
	if !srcIsBucket || !dstIsBucket {
		return false, false
	}
	moves = j.settings.move && j.places.SameBucket && storage.Supports(dst.Bucket, storage.ServerMove)
	copies = serving.OneAccount(dst.Bucket, src.Source) && storage.Supports(dst.Bucket, storage.ServerCopy)
	return moves, copies
}

// String returns a text for people, which is "" if there is nothing to do.
func (f *Forecast) String() string {
	var parts []string
	if f.Reads > 0 {
		parts = append(parts, fmt.Sprintf("at least %d reads", f.Reads))
	}
	if f.Writes > 0 {
		parts = append(parts, fmt.Sprintf("at least %d writes", f.Writes))
	}
	if f.Removals > 0 {
		parts = append(parts, fmt.Sprintf("at least %d removals", f.Removals))
	}
	if f.Sent > 0 {
		parts = append(parts, formatBytes(float64(f.Sent))+" sent")
	}
	if f.Received > 0 {
		parts = append(parts, formatBytes(float64(f.Received))+" received")
	}

	text := strings.Join(parts, ", ")
	isFreeKnown := f.Free >= 0
	if !isFreeKnown || f.Needed <= f.Free {
		return text
	}

	lack := fmt.Sprintf("the disk has %s free of %s", formatBytes(float64(f.Free)), formatBytes(float64(f.Needed)))
	if text == "" {
		return lack
	}
	return text + "; " + lack
}
