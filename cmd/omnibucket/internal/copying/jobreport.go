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
	"github.com/omnibucket/storage/transfer"
)

// The folder of --journal has an object for each part that has begun and is not done: the journal of
// package transfer. For each job it has one with the reports of the parts that are done.
const (
	journalPrefix = "journal-"
	reportPrefix  = "report-"
)

// A jobReport is the content of the object of a job.
type jobReport struct {
	Source      string                `json:"source"`
	Destination string                `json:"destination"`
	Shards      int                   `json:"shards"`
	Done        map[string]partReport `json:"done"` // by the name of the part
}

// A partReport says what one command did the last time that it ended.
type partReport struct {
	Ended       time.Time `json:"ended"`
	Transferred int64     `json:"transferred"`
	Skipped     int64     `json:"skipped"`
	Deleted     int64     `json:"deleted"`
	Bytes       int64     `json:"bytes"`
}

// An announced Core makes the object of the job before the journal. A job that is refused writes neither.
type announced struct {
	storage.Core
	job  *migration
	done bool // package transfer writes one journal after the other
}

// Upload writes the journal, or the object of the job.
func (a *announced) Upload(
	ctx context.Context, key string, r io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	if !a.done && strings.HasPrefix(path.Base(key), journalPrefix) {
		if err := a.job.update(ctx, func(r *jobReport) { delete(r.Done, a.job.part) }); err != nil {
			return nil, err
		}
		a.done = true
	}
	return a.Core.Upload(ctx, key, r, o)
}

// end notes that a part is done. One that was interrupted, or has failures, is not: its journal stays.
func (m *migration) end(ctx context.Context, report *transfer.Report, err error) error {
	if report == nil || err != nil {
		return nil
	}
	return m.update(ctx, func(r *jobReport) {
		r.Done[m.part] = partReport{
			Ended: report.Started.Add(report.Duration).UTC().Truncate(time.Second), Transferred: report.Transferred,
			Skipped: report.Skipped, Deleted: report.Deleted, Bytes: report.Bytes,
		}
	})
}

// update changes the object of the job. The commands of all parts may do so at the same time.
func (m *migration) update(ctx context.Context, change func(*jobReport)) error {
	if m.state == nil || m.dryRuns {
		return nil
	}
	key := reportPrefix + m.job + ".json"
	_, err := storage.Update(ctx, m.state, key, func(old []byte, _ *storage.Attrs) ([]byte, error) {
		r, err := parseReport(key, old)
		if err != nil {
			return nil, err
		}
		if r.Shards != m.shards {
			r = &jobReport{
				Source: placeOf(m.src), Destination: placeOf(m.dst), Shards: m.shards, Done: map[string]partReport{},
			}
		}
		change(r)
		return json.Marshal(r)
	})
	return err
}

func parseReport(key string, text []byte) (*jobReport, error) {
	r := &jobReport{Done: map[string]partReport{}}
	if text == nil {
		return r, nil
	}
	if json.Unmarshal(text, r) != nil || r.Done == nil {
		return nil, &storage.Error{
			Code: storage.InvalidArgument, Op: "Sync", Key: key, Err: errors.New("object is not the report of a job"),
			Hint: "use another folder for --journal",
		}
	}
	return r, nil
}

// placeOf returns a location as status prints it. Addresses have no secrets.
func placeOf(l location.Location) string {
	if l.Kind == location.LocalPath {
		return l.Path
	}
	return fmt.Sprintf("%s://%s%s%s", l.Scheme, l.Host, l.Dir, slashed(l.Prefix+l.Key))
}

func slashed(key string) string {
	if key == "" {
		return ""
	}
	return "/" + key
}
