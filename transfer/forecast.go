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

// forecast returns the Forecast of a dry run with the destination dst.
func (j *job) forecast(dst End) *Forecast {
	r := &j.reporter.report
	f := &Forecast{Free: -1}
	files := r.Transferred
	bytes := r.Bytes
	removes := j.settings.move
	srcObjects, ofObjects := j.src.(*ends.Objects)
	dstObjects, toObjects := j.dst.(*ends.Objects)
	switch {
	case toObjects && !ofObjects:
		f.Writes = files
		f.Sent = bytes
		// Removing files from a directory takes no request.
		removes = false
	case ofObjects && !toObjects:
		f.Reads = files
		f.Received = bytes
		f.Needed = bytes
	case !ofObjects:
		f.Needed = bytes
		removes = false
	default:
		f.Writes = files
		if removes && j.places.SameBucket && storage.Supports(dstObjects.Bucket, storage.ServerMove) {
			// The provider moves an object with one request. The forecast counts this request as a
			// write. So it does not also count a removal.
			removes = false
			break
		}
		f.Reads = files
		if !serving.OneAccount(dstObjects.Bucket, srcObjects.Source) || !storage.Supports(dstObjects.Bucket, storage.ServerCopy) {
			f.Sent = bytes
			f.Received = bytes
		}
	}

	if dst.kind == dirEnd {
		f.Free = localfile.Free(dst.path)
	} else {
		f.Removals = r.Deleted
	}
	if removes {
		f.Removals += files + r.Skipped
	}
	return f
}

// String returns a text for people. It returns "" if there is nothing to do.
func (f *Forecast) String() string {
	var parts []string
	for _, count := range []struct {
		n    int64
		what string
	}{{f.Reads, "reads"}, {f.Writes, "writes"}, {f.Removals, "removals"}} {
		if count.n > 0 {
			parts = append(parts, fmt.Sprintf("at least %d %s", count.n, count.what))
		}
	}
	if f.Sent > 0 {
		parts = append(parts, formatBytes(float64(f.Sent))+" sent")
	}
	if f.Received > 0 {
		parts = append(parts, formatBytes(float64(f.Received))+" received")
	}
	text := strings.Join(parts, ", ")
	if f.Free >= 0 && f.Needed > f.Free {
		text = fmt.Sprintf("%s; the disk has %s free of %s", text, formatBytes(float64(f.Free)),
			formatBytes(float64(f.Needed)))
	}
	return strings.TrimPrefix(text, "; ")
}
