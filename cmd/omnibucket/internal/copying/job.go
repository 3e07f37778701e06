package copying

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// Job returns the command job, which shares jobs among machines and shows their progress.
func Job(p *program.Program) *cobra.Command {
	c := &cobra.Command{
		Use:     "job COMMAND",
		Short:   "Share jobs among machines, and show their progress",
		Long:    `Serves "omnibucket sync" with --shard and --journal.`,
		Example: "  omnibucket job status 's3://migration-state/journals/?region=eu-west-1'\n  omnibucket job status --json ./journals",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}

	c.AddCommand(&cobra.Command{
		Use:   "status FOLDER",
		Short: "Show the progress of all jobs of a folder",
		Long: `Adds up what all commands with --journal FOLDER have done. A shard has begun if a command
works on it or was interrupted there; its figures are ten seconds old at most. A shard is done
until it is begun again.`,
		Example: "  omnibucket job status 's3://migration-state/journals/?region=eu-west-1'\n  omnibucket job status --json ./journals",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return jobStatus(c.Context(), p, args[0]) },
	})

	c.AddCommand(splitCommand(p))
	return c
}

// A jobState is the progress of a job, which "job status" prints. Its numbers are totals over all
// shards.
type jobState struct {
	Source      string     `json:"source"`
	Destination string     `json:"destination"`
	Shards      int        `json:"shards"`
	Done        int        `json:"done"`
	Begun       int        `json:"begun"`
	Transferred int64      `json:"transferred"`
	Skipped     int64      `json:"skipped"`
	Deleted     int64      `json:"deleted"`
	Bytes       int64      `json:"bytes"`
	LastEnd     *time.Time `json:"last_end,omitempty"`
}

// has reports whether a part has the job's number of shards, which may have been another in an earlier run.
func (s *jobState) has(part string) bool {
	if part == "all" {
		return s.Shards == 1
	}
	return strings.HasSuffix(part, fmt.Sprintf("-of-%d", s.Shards))
}

// add adds the counts of one part of the job, and keeps the latest time at which a part ended.
func (s *jobState) add(part partReport) {
	s.Transferred += part.Transferred
	s.Skipped += part.Skipped
	s.Deleted += part.Deleted
	s.Bytes += part.Bytes

	if part.Ended.IsZero() {
		return
	}
	if s.LastEnd == nil || part.Ended.After(*s.LastEnd) {
		s.LastEnd = &part.Ended
	}
}

// jobStatus prints the progress of all jobs that have their journals in a folder.
func jobStatus(ctx context.Context, p *program.Program, folder string) error {
	// The journals are only read, so their folder is neither created nor wrapped.
	const create = false
	unwrapped := func(c storage.Core) storage.Core { return c }
	bucket, err := journalBucket(ctx, p, folder, create, unwrapped)
	if err != nil {
		return err
	}

	jobs := jobStates{}
	// The bucket is nil if the folder is a missing directory, which has no jobs.
	if bucket != nil {
		if err := jobs.read(ctx, bucket); err != nil {
			return err
		}
	}

	if len(jobs) == 0 {
		return &storage.Error{
			Code: storage.ObjectNotFound,
			Op:   "JobStatus",
			Key:  folder,
			Err:  errors.New("the folder has no jobs"),
			Hint: "name the folder of --journal",
		}
	}
	return printJobs(p, jobs)
}

// jobStates has the progress of several jobs, by the names of the jobs.
type jobStates map[string]*jobState

// read adds the jobs of a bucket: first the reports of their finished parts, then the journals of unfinished ones.
func (jobs jobStates) read(ctx context.Context, bucket storage.Bucket) error {
	if err := eachObject(ctx, bucket, reportPrefix, jobs.addReport); err != nil {
		return err
	}
	return eachObject(ctx, bucket, journalPrefix, jobs.addJournal)
}

// addReport adds the job with this name. text is the JSON of its report, which has the counts of its finished parts.
func (jobs jobStates) addReport(name string, text []byte) error {
	report, err := parseReport(reportPrefix+name, text)
	if err != nil {
		return err
	}

	s := &jobState{
		Source:      report.Source,
		Destination: report.Destination,
		Shards:      report.Shards,
		Done:        len(report.Done),
	}
	for _, part := range report.Done {
		s.add(part)
	}
	jobs[name] = s
	return nil
}

// addJournal adds the journal of an unfinished part to its job. name is that of the job and that of the part, with "-"
// between them. It skips a journal that has no job or is not JSON.
func (jobs jobStates) addJournal(name string, text []byte) error {
	jobName, partName, _ := strings.Cut(name, "-")
	s := jobs[jobName]
	if s == nil || !s.has(partName) {
		return nil
	}

	// A journal has the fields of a partReport, too.
	var part partReport
	if json.Unmarshal(text, &part) != nil {
		return nil
	}
	s.Begun++
	s.add(part)
	return nil
}

// eachObject calls do for each object whose key begins with a prefix. The name is the key without the prefix and
// ".json", and text is the content.
func eachObject(ctx context.Context, b storage.Bucket, prefix string, do func(name string, text []byte) error) error {
	for entry, err := range b.List(ctx, storage.WithAnyOrder(), storage.WithPrefix(prefix)) {
		if err != nil {
			return err
		}

		text, _, err := storage.ReadAll(ctx, b, entry.Key)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			// The object was removed since it was listed.
			continue
		}
		if err != nil {
			return err
		}

		name := strings.TrimSuffix(strings.TrimPrefix(entry.Key, prefix), ".json")
		if err := do(name, text); err != nil {
			return err
		}
	}
	return nil
}

// printJobs prints the jobs in the order of their sources and destinations.
func printJobs(p *program.Program, jobs jobStates) error {
	sorted := slices.SortedFunc(maps.Values(jobs), func(a, b *jobState) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.Destination, b.Destination))
	})
	for _, s := range sorted {
		if err := s.print(p); err != nil {
			return err
		}
	}
	return p.Out.Err
}

// print prints the state of a job as a table, or with --json as one line.
func (s *jobState) print(p *program.Program) error {
	if p.Global.JSON {
		return p.Out.JSON(s)
	}

	shards := fmt.Sprintf("%d: %d done, %d begun", s.Shards, s.Done, s.Begun)
	files := fmt.Sprintf("%d transferred (%s), %d the same, %d deleted",
		s.Transferred, console.FormatSize(s.Bytes), s.Skipped, s.Deleted)
	lastEnd := "" // if no part has ended
	if s.LastEnd != nil {
		lastEnd = console.FormatTime(*s.LastEnd)
	}
	return p.Out.Table([][2]string{
		{"source", s.Source},
		{"destination", s.Destination},
		{"shards", shards},
		{"files", files},
		{"last end", lastEnd},
	})
}
