package transfer

import (
	"fmt"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/serving"
)

// A Forecast is the work that, by a dry run, the job would do after the listings. It does not include
// parts of large files, retries, and requests that compare files which listings cannot tell apart.
type Forecast struct {
	Reads    int64 `json:"reads"`    // requests that read objects
	Writes   int64 `json:"writes"`   // requests that write objects, also those in which the provider copies
	Removals int64 `json:"removals"` // objects removed; a request may remove many
	Sent     int64 `json:"sent"`     // bytes of objects to the destination
	Received int64 `json:"received"` // bytes of objects from the source
	Needed   int64 `json:"needed"`   // bytes in a destination directory
	// Free is how many bytes are free where the destination directory lies, or will lie; -1 if it is
	// not known, or if the destination is a bucket.
	Free int64 `json:"free"`
}

// forecast returns the work of a job to dst whose changes were only counted.
func (j *job) forecast(dst End) *Forecast {
	r := &j.reporter.report
	f := &Forecast{Free: -1}
	files, bytes := r.Transferred, r.Bytes
	removes := j.settings.move
	switch t := j.transferrer.(type) {
	case *uploader:
		f.Writes, f.Sent = files, bytes
		removes = false // files of a directory are removed, and no objects
	case *downloader:
		f.Reads, f.Received, f.Needed = files, bytes, bytes
	case *fileCopier:
		f.Needed = bytes
		removes = false
	case *bucketCopier:
		f.Writes = files
		if removes && j.places.beside && storage.Supports(t.to, storage.ServerMove) {
			removes = false // the same request writes and removes
			break
		}
		f.Reads = files
		if !serving.OneAccount(t.to, t.from) || !storage.Supports(t.to, storage.ServerCopy) {
			f.Sent, f.Received = bytes, bytes
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

// String returns the forecast for a person; "" if there is nothing to do.
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
		text = fmt.Sprintf(
			"%s; the disk has %s free of %s", text, formatBytes(float64(f.Free)), formatBytes(float64(f.Needed)),
		)
	}
	return strings.TrimPrefix(text, "; ")
}
