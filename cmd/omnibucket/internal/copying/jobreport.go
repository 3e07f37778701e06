package copying

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/transfer"
)

// Names of objects in the folder of --journal begin with these prefixes. Each unfinished part of a
// job has a journal of package transfer. Each job has one more object, with the reports of its
// finished parts.
const (
	journalPrefix = "journal-"
	reportPrefix  = "report-"
)

// A jobReport is the JSON content of a job's report object.
type jobReport struct {
	Source      string                `json:"source"`
	Destination string                `json:"destination"`
	Shards      int                   `json:"shards"`
	Done        map[string]partReport `json:"done"` // reports of finished parts, by name of the part
}

// A partReport has the results of the command that finished a part: the time, and the counts of
// objects and bytes.
type partReport struct {
	Ended       time.Time `json:"ended"`
	Transferred int64     `json:"transferred"`
	Skipped     int64     `json:"skipped"`
	Deleted     int64     `json:"deleted"`
	Bytes       int64     `json:"bytes"`
}

// The type announcingCore wraps the Core of the folder with the journals. Upload updates the job's
// report object before it writes a journal for the first time. A job that is refused earlier
// therefore leaves neither a journal nor a report.
type announcingCore struct {
	storage.Core
	job  *migration
	done bool // true after the report was updated; no lock, because journal writes never overlap
}

// Upload implements storage.Core. Before it uploads the first journal, which shows that this part runs again, it
// removes the part from the job's report of finished parts.
func (a *announcingCore) Upload(
	ctx context.Context, key string, r io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	if !a.done && strings.HasPrefix(path.Base(key), journalPrefix) {
		if err := a.job.updateReport(ctx, func(r *jobReport) { delete(r.Done, a.job.part) }); err != nil {
			return nil, err
		}
		a.done = true
	}
	return a.Core.Upload(ctx, key, r, o)
}

// recordEnd adds a finished part to the report of its job, unless it was interrupted or had failures.
func (m *migration) recordEnd(ctx context.Context, report *transfer.Report, err error) error {
	if report == nil || err != nil {
		return nil
	}
	return m.updateReport(ctx, func(r *jobReport) {
		r.Done[m.part] = partReport{
			Ended:       report.Started.Add(report.Duration).UTC().Truncate(time.Second),
			Transferred: report.Transferred,
			Skipped:     report.Skipped,
			Deleted:     report.Deleted,
			Bytes:       report.Bytes,
		}
	})
}

// updateReport changes the report object of the job. If a command that runs another part of the job changes it at the
// same time, change is called again. In a dry run, or without a journal, there is no report to change.
func (m *migration) updateReport(ctx context.Context, change func(*jobReport)) error {
	if m.state == nil || m.dryRuns {
		return nil
	}

	key := reportPrefix + m.job + ".json"
	_, err := storage.Update(ctx, m.state, key, func(old []byte, _ *storage.Attrs) ([]byte, error) {
		r, err := parseReport(key, old)
		if err != nil {
			return nil, err
		}
		// The report is new, or of an earlier run with another number of shards.
		isOutdated := r.Shards != m.shards
		if isOutdated {
			r = &jobReport{
				Source:      placeOf(m.src),
				Destination: placeOf(m.dst),
				Shards:      m.shards,
				Done:        map[string]partReport{},
			}
		}
		change(r)
		return json.Marshal(r)
	})
	return err
}

// lastReportForm is the last form of a report that this version reads
// (docs/maintainers/stored-forms.md).
const lastReportForm = 1

// parseReport parses the content of a job's report object. A nil text, of an object that does not exist, is an empty
// report.
func parseReport(key string, text []byte) (*jobReport, error) {
	r := &jobReport{Done: map[string]partReport{}}
	if text == nil {
		return r, nil
	}
	if err := argument.CheckForm("Sync", key, text, lastReportForm); err != nil {
		return nil, err
	}
	if json.Unmarshal(text, r) != nil || r.Done == nil {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "Sync",
			Key:  key,
			Err:  errors.New("object is not the report of a job"),
			Hint: "use another folder for --journal",
		}
	}
	return r, nil
}

// placeOf returns a location as "job status" prints it, which is its path or its address without parameters.
func placeOf(l location.Location) string {
	if l.Kind == location.LocalPath {
		return l.Path
	}
	return fmt.Sprintf("%s://%s%s%s", l.Scheme, l.Host, l.Dir, addSlash(l.Prefix+l.Key))
}

// addSlash returns a key with a slash before it, or "" for an empty key.
func addSlash(key string) string {
	if key == "" {
		return ""
	}
	return "/" + key
}
